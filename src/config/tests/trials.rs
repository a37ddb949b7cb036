//! Whatever is written, whoever reads it is told; nothing panics.

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use proptest::sample::{Index, select};

use super::fuzzed::TOKENS;
use super::*;

#[derive(Clone, Debug)]
enum Edit {
    Cut(Index, Index),
    Put(Index, &'static str),
    Line(Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), any::<Index>()).prop_map(|(from, length)| Edit::Cut(from, length)),
        (any::<Index>(), select(&TOKENS[..])).prop_map(|(at, bit)| Edit::Put(at, bit)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Line(from, to)),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for edit in edits {
        match edit {
            Edit::Cut(from, length) if !text.is_empty() => {
                let from = from.index(text.len());
                let to = (from + 1 + length.index(8)).min(text.len());
                text.drain(from..to);
            }
            Edit::Put(at, bit) => {
                let at = at.index(text.len() + 1);
                text.splice(at..at, bit.chars());
            }
            Edit::Line(from, to) => {
                let whole: String = text.iter().collect();
                let mut lines: Vec<_> = whole.split('\n').collect();
                let line = lines[from.index(lines.len())];
                lines.insert(to.index(lines.len()), line);
                text = lines.join("\n").chars().collect();
            }
            Edit::Cut(..) => {}
        }
    }
    text.into_iter().collect()
}

/// Reads it and looks at all that can be asked of what came of it.
fn tried(text: &str, variables: &[(&str, &str)]) {
    match read_with(text, variables) {
        Ok(loaded) => {
            let shown = loaded.show();
            assert_eq!(
                read(&shown.to_string()).map(|loaded| loaded.show().settings.len()),
                Ok(shown.settings.len()),
                "{shown}"
            );
            assert_eq!(difference(&loaded.config, &loaded.config), Difference::default());
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            let last = errors
                .0
                .last()
                .filter(|error| error.problem.ends_with("more things are wrong"));
            for error in &errors.0[..errors.0.len() - last.into_iter().count()] {
                assert!(
                    error.spot.is_some() && !error.problem.is_empty() && !error.remedy.is_empty(),
                    "{error}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_panics(edits in prop::collection::vec(edit(), 1..6)) {
        tried(&edited(WHOLE, &edits), &[]);
    }

    #[test]
    fn no_text_at_all_panics(text in any::<String>()) {
        tried(&text, &[]);
    }

    #[test]
    fn no_variable_panics(
        name in select(&["RUNTIME__SPAN", "RUNTIME", "RUNTIME__LOG", "GATEWAY__LISTEN", "TEAM__NAME", "É__é", "____", "A__"][..]),
        value in prop_oneof![any::<String>(), select(&TOKENS[..]).prop_map(str::to_owned)],
    ) {
        tried(WHOLE, &[(&format!("TRIARCH_{name}"), &value)]);
    }
}
