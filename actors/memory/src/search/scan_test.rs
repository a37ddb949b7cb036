//! Search against a naive scan of everything.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use triarch_supervision::clock::Moment;

use super::*;
use crate::access::Identity;
use crate::config::Rules;
use crate::entry::Parts;
use crate::op::{Op, Put};
use crate::space::Shared;
use crate::time::StoreTime;
use crate::value::Value;

/// A write of the history: which key, of whom, what text, which tag and type; or that it goes.
type Step = (u8, u8, Vec<u8>, Option<u8>, Option<u8>, bool);

const WORDS: [&str; 5] = ["Red", "blue", "FOX", "hen", "owl"];
const TAGS: [&str; 3] = ["hot", "cold", "red"];

fn step() -> impl Strategy<Value = Step> {
    let words = prop::collection::vec(0_u8..5, 0..4);
    let label = || prop::option::of(0_u8..3);
    (0_u8..30, 0_u8..3, words, label(), label(), prop::bool::weighted(0.1))
}

fn query() -> impl Strategy<Value = Query> {
    let text = prop::option::of(prop::collection::vec(0_usize..5, 1..3));
    let range = || prop::option::of((0_u64..60, 0_u64..60));
    let pattern = prop::option::of(prop_oneof![Just("k/1*"), Just("k/*1"), Just("?/2?"), Just("k/7")]);
    let labels = (
        prop::collection::vec(0_usize..3, 0..2),
        prop::option::of(0_u8..3),
        prop::option::of(0_u8..3),
    );
    let sort = prop_oneof![
        Just(Sort::Key),
        Just(Sort::Created),
        Just(Sort::Updated),
        Just(Sort::Size)
    ];
    let group = prop_oneof![
        Just(Group::Namespace),
        Just(Group::Kind),
        Just(Group::Owner),
        Just(Group::Tag)
    ];
    let page = (0_usize..5, 0_usize..12, any::<bool>());
    (text, range(), range(), pattern, labels, sort, group, page).prop_map(
        |(text, updated, size, pattern, (tags, kind, owner), sort, group, (offset, limit, is_descending))| Query {
            pattern: pattern.map(str::to_owned),
            tags: tags.into_iter().map(|tag| TAGS[tag].to_owned()).collect(),
            owner: owner.map(|owner| format!("a/{owner}")),
            kind: kind.map(|kind| format!("kind{kind}")),
            updated: updated.map(|(a, b)| StoreTime::from_millis(a.min(b))..=StoreTime::from_millis(a.max(b))),
            size: size.map(|(a, b)| a.min(b)..=a.max(b)),
            text: text.map(|words| words.into_iter().map(|word| WORDS[word].to_uppercase() + " ").collect()),
            sort,
            is_descending,
            offset,
            limit,
            group: Some(group),
            ..Query::default()
        },
    )
}

fn spaces(steps: &[Step], clock: &Clock) -> Vec<Space> {
    let names = ["one", "two"].map(|name| Namespace::new(name).unwrap());
    let spaces: Vec<Space> = names
        .into_iter()
        .map(|name| Space::new(name, &Rules::default(), Shared::default()))
        .collect();
    for (key, owner, words, tag, kind, is_deleted) in steps {
        clock.set(clock.now() + Duration::from_millis(1));
        let name = Key::new(&format!("k/{key}")).unwrap();
        let text: Vec<&str> = words.iter().map(|word| WORDS[usize::from(*word)]).collect();
        let mut put = Put::new(name.clone(), Value::json(&json!({ "a": [text.join("-")], "red": 1 })));
        put = tag.map_or(put.clone(), |tag| put.tag(TAGS[usize::from(tag)]));
        put = kind.map_or(put.clone(), |kind| put.kind(&format!("kind{kind}")));
        let op = if *is_deleted {
            Op::Delete(name, None)
        } else {
            Op::Put(put)
        };
        let by = Identity {
            is_system: true,
            ..Identity::agent(&format!("a/{owner}"))
        };
        spaces[usize::from(key % 2)].write_one(&by, &op, clock.now()).unwrap();
    }
    spaces
}

/// Everything that fits, by looking at everything.
fn scan(spaces: &[Space], query: &Query) -> Vec<Hit> {
    let mut hits = Vec::new();
    for space in spaces {
        for (key, entry) in space.all() {
            let text = entry.value().as_json().unwrap()["a"][0]
                .as_str()
                .unwrap()
                .to_lowercase();
            let has_words = query.text.as_ref().is_none_or(|wanted| {
                wanted
                    .to_lowercase()
                    .split_whitespace()
                    .all(|word| text.split('-').any(|own| own == word))
            });
            if has_words && query.fits(query.shape().as_ref(), &key, &entry) {
                hits.push(Hit {
                    namespace: space.name().clone(),
                    key,
                    entry,
                });
            }
        }
    }
    let value = |hit: &Hit| match query.sort {
        Sort::Key | Sort::Accessed => 0,
        Sort::Created => hit.entry.created().as_millis(),
        Sort::Updated => hit.entry.updated().as_millis(),
        Sort::Size => hit.entry.value().len() as u64,
    };
    hits.sort_by_key(|hit| (value(hit), hit.namespace.clone(), hit.key.clone()));
    if query.is_descending {
        hits.reverse();
    }
    hits
}

fn groups(hits: &[Hit], group: Group) -> BTreeMap<String, (u64, u64)> {
    let mut groups: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for hit in hits {
        let labels = hit.entry.labels();
        let mut names: Vec<String> = match group {
            Group::Namespace => vec![hit.namespace.to_string()],
            Group::Kind => vec![labels.kind.as_deref().unwrap_or("").to_owned()],
            Group::Owner => vec![hit.entry.owner().to_owned()],
            Group::Tag => labels.tags.iter().map(ToString::to_string).collect(),
        };
        if names.is_empty() {
            names.push(String::new());
        }
        for name in names {
            let of = groups.entry(name).or_default();
            *of = (of.0 + 1, of.1 + hit.entry.size(&hit.key));
        }
    }
    groups
}

fn search(spaces: &[Space], query: &Query, clock: &Clock) -> Found {
    let mut search = Search::new(query, clock);
    for space in spaces {
        search.look_in(space, None);
    }
    search.end()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_search_finds_what_a_scan_finds(steps in prop::collection::vec(step(), 0..60), query in query()) {
        let clock = Clock::by_hand();
        let spaces = spaces(&steps, &clock);
        let (found, all) = (search(&spaces, &query, &clock), scan(&spaces, &query));
        let place = |hit: &Hit| (hit.namespace.clone(), hit.key.clone(), hit.entry.version());
        let page: Vec<_> = all.iter().skip(query.offset).take(query.limit).map(place).collect();
        prop_assert_eq!(found.hits.iter().map(place).collect::<Vec<_>>(), page);
        prop_assert_eq!(found.matched, all.len() as u64);
        prop_assert_eq!(found.cuts.by_limit, found.hits.len() < all.len());
        let grouped = found.groups.iter().map(|group| (group.name.clone(), (group.entries, group.bytes)));
        prop_assert_eq!(grouped.collect::<BTreeMap<_, _>>(), groups(&all, query.group.unwrap()));
    }
}

#[test]
fn a_search_says_what_it_left_out() {
    let clock = Clock::by_hand();
    let steps: Vec<Step> = (0..30).map(|key| (key, 0, vec![0], None, None, false)).collect();
    let spaces = spaces(&steps, &clock);
    let of = |text: Option<&str>, examined_max| Query {
        text: text.map(str::to_owned),
        examined_max,
        ..Query::default()
    };
    let all = search(&spaces, &of(Some("red"), 100), &clock);
    assert_eq!((all.matched, all.cuts), (30, Cuts::default()));
    for text in [None, Some("red")] {
        let some = search(&spaces, &of(text, 5), &clock);
        assert!(some.cuts.by_examined && some.matched == 10, "{some:?}");
    }
    let silent = Rules {
        full_text: crate::config::FullText::Off,
        ..Rules::default()
    };
    spaces[0].change_rules(silent).unwrap();
    let half = search(&spaces, &of(Some("red"), 100), &clock);
    assert_eq!((half.matched, half.cuts.without_words), (15, 1));
    assert_eq!(search(&spaces, &of(Some("-"), 100), &clock).matched, 0);
}

#[test]
fn a_search_with_an_owner_shows_nothing_of_others() {
    let clock = Clock::by_hand();
    let steps: Vec<Step> = (0..30)
        .map(|key| (key, key % 3, vec![0], Some(0), None, false))
        .collect();
    let spaces = spaces(&steps, &clock);
    for query in [
        Query::default(),
        Query {
            tags: vec!["hot".to_owned()],
            ..Query::default()
        },
    ] {
        let mut search = Search::new(&query, &clock);
        for space in &spaces {
            search.look_in(space, Some("a/1"));
        }
        let found = search.end();
        assert!(found.matched == 10 && found.hits.iter().all(|hit| hit.entry.owner() == "a/1"));
    }
}

#[test]
fn an_entry_that_changes_while_a_search_goes_on_is_found_once() {
    let clock = Clock::by_hand();
    let space = &spaces(&[(0, 0, vec![0], Some(0), None, false)], &clock)[0];
    let query = Query {
        text: Some("red".to_owned()),
        tags: vec!["hot".to_owned()],
        ..Query::default()
    };
    let (mut search, mut seen) = (Search::new(&query, &clock), Seen::default());
    let mut terms = Terms::default();
    terms.words(&Words::of("red"));
    let known = space.candidates(&terms, 0).documents.pop().unwrap();
    let write = |text: &str| {
        let put = Put::new(known.0.clone(), Value::json(&json!({ "a": [text] }))).tag("hot");
        space
            .write_one(&Identity::system(), &Op::Put(put), clock.now())
            .unwrap();
    };
    write("still red");
    search.look_at(space, known.0.clone(), known.1, None, &mut seen);
    assert_eq!(search.found.matched, 1, "the index knew another version of it");
    let later = space.candidates(&terms, 0).documents.pop().unwrap();
    assert!(later.1 > known.1);
    search.look_at(space, later.0, later.1, None, &mut seen);
    assert_eq!(search.end().matched, 1);
    write("blue now");
    let mut search = Search::new(&query, &clock);
    search.look_at(space, known.0.clone(), known.1, None, &mut Seen::default());
    assert_eq!(search.end().matched, 0);
}

#[test]
fn all_that_comes_from_disk_is_found_however_it_lay_there() {
    let clock = Clock::by_hand();
    let space = Space::new(Namespace::new("one").unwrap(), &Rules::default(), Shared::default());
    let stored = (1..=9_000_u64).map(|version| {
        let key = Key::new(&format!("k{}", (version * 7_919) % 9_000)).unwrap();
        let parts = Parts {
            owner: "a/b".into(),
            ..Parts::of(Value::json(&json!({ "a": "red" })), version)
        };
        let entry = Arc::new(Entry::new(&key, parts));
        (key, entry)
    });
    space.load(stored.collect(), 9_000);
    for text in [Some("red".to_owned()), None] {
        let query = Query {
            text,
            ..Query::default()
        };
        let mut search = Search::new(&query, &clock);
        search.look_in(&space, None);
        let found = search.end();
        assert_eq!((found.matched, found.examined), (9_000, 9_000));
    }
}

#[test]
fn words_are_in_a_text_where_all_of_them_are() {
    let text = Value::json(&json!({ "a": "a Red fox" }));
    for (words, are_in) in [("red", true), ("fox RED", true), ("red hen", false), ("re", false)] {
        assert_eq!(Words::of(words).are_in(&text), are_in, "{words}");
    }
}

#[test]
fn words_that_are_not_indexed_are_counted_and_a_word_too_long_is_told() {
    let clock = Clock::by_hand();
    let mut rules = Rules::default();
    rules.quota.bytes = 3_000;
    let words: Vec<String> = (0..100).map(|number| format!("w{number}")).collect();
    let spaces: Vec<Space> = ["one", "two"]
        .map(|name| Space::new(Namespace::new(name).unwrap(), &rules, Shared::default()))
        .into();
    for space in &spaces {
        for key in ["a", "b"] {
            let put = Put::new(Key::new(key).unwrap(), Value::json(&json!(words.join(" "))));
            space
                .write_one(&Identity::system(), &Op::Put(put), clock.now())
                .unwrap();
        }
    }
    let of = |text: String| Query {
        text: Some(text),
        ..Query::default()
    };
    let found = search(&spaces, &of("w7".to_owned()), &clock);
    assert_eq!((found.matched, found.cuts.unindexed, found.cuts.by_word), (2, 2, false));
    let found = search(&spaces, &of("x".repeat(100)), &clock);
    assert!(found.matched == 0 && found.cuts.by_word, "{found:?}");
}

#[test]
fn a_search_by_tag_or_type_looks_at_those_alone_that_have_it() {
    let clock = Clock::by_hand();
    let steps: Vec<Step> = (0..30)
        .map(|key| (key, 0, vec![0], Some(key % 3), Some(key % 3), false))
        .collect();
    let spaces = spaces(&steps, &clock);
    let (tag, kind) = (vec!["hot".to_owned()], Some("kind0".to_owned()));
    for (tags, kind) in [(tag.clone(), None), (Vec::new(), kind.clone()), (tag, kind)] {
        let query = Query {
            tags,
            kind,
            ..Query::default()
        };
        let found = search(&spaces, &query, &clock);
        assert_eq!((found.matched, found.examined), (10, 10), "{query:?}");
    }
}

#[test]
fn a_pattern_is_read_once_however_long_it_is_and_however_many_are_looked_at() {
    let clock = Clock::by_hand();
    let space = Space::new(Namespace::new("one").unwrap(), &Rules::default(), Shared::default());
    for number in 0..3_000 {
        let put = Put::new(Key::new(&format!("k{number}")).unwrap(), Value::bytes(*b"x"));
        space
            .write_one(&Identity::system(), &Op::Put(put), clock.now())
            .unwrap();
    }
    let begun = Moment::now();
    for (end, matched) in [("9", 300), ("x", 0)] {
        let query = Query {
            pattern: Some("*".repeat(1 << 20) + end),
            ..Query::default()
        };
        let found = search(std::slice::from_ref(&space), &query, &clock);
        assert_eq!((found.matched, found.examined), (matched, 3_000));
    }
    assert!(Moment::now().since(begun) < Duration::from_secs(10));
}

#[test]
fn of_more_groups_than_are_told_the_first_are_counted_to_the_end() {
    let clock = Clock::by_hand();
    let space = Space::new(Namespace::new("one").unwrap(), &Rules::default(), Shared::default());
    let put = |key: &str, kind: &str| {
        let put = Put::new(Key::new(key).unwrap(), Value::bytes(*b"x")).kind(kind);
        space
            .write_one(&Identity::system(), &Op::Put(put), clock.now())
            .unwrap();
    };
    for number in 0..=GROUPS_MAX {
        put(&format!("k{number:05}"), &format!("kind{number}"));
    }
    put("k99999", "kind0");
    let query = Query {
        group: Some(Group::Kind),
        ..Query::default()
    };
    let found = search(std::slice::from_ref(&space), &query, &clock);
    assert!(found.cuts.by_groups);
    assert_eq!((found.groups.len(), found.matched), (GROUPS_MAX, GROUPS_MAX as u64 + 2));
    assert_eq!((found.groups[0].name.as_str(), found.groups[0].entries), ("kind0", 2));
}
