use serde_json::{Value, json};
use triarch_bus::{Class, Draft, Payload, PublishError, Topic};
use triarch_supervision::metrics::Instruments;

use super::*;

fn rounds() -> Rounds {
    rounds_with(triarch_bus::Config::default())
}

fn rounds_with(config: triarch_bus::Config) -> Rounds {
    let instruments = Instruments::new(crate::catalogue().unwrap());
    let bus = Bus::new(config, 1, &instruments).unwrap();
    Rounds::new(bus, Arc::new(PostOffice::new(1, &instruments).unwrap()))
}

fn begin(rounds: &Rounds, agent: &str, wish: Value) -> Result<(), Trouble> {
    let (agent, wish): (Arc<str>, Wish) = (agent.into(), serde_json::from_value(wish).unwrap());
    let what = wish.what(&agent)?;
    rounds.begin(&agent, wish, what)
}

/// How many hear what is published there.
fn matched(rounds: &Rounds, topic: &str) -> usize {
    let draft = Draft::new("note", Payload::json(&json!(1)));
    let published = rounds.0.bus.publish("me", &Topic::new(topic).unwrap(), draft);
    published.unwrap().matched
}

fn vacant(rounds: &Rounds) -> Vec<Vacant> {
    std::iter::from_fn(|| rounds.next_vacant()).collect()
}

#[test]
fn a_program_has_so_many_subscriptions_and_is_told_of_the_bound() {
    let (rounds, plant) = (
        rounds(),
        |number: usize| json!({ "pattern": format!("plant.{number}") }),
    );
    for number in 0..SUBSCRIPTIONS_MAX {
        begin(&rounds, "crew/a", plant(number)).unwrap();
    }
    let refused = begin(&rounds, "crew/a", plant(SUBSCRIPTIONS_MAX)).unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert!(
        refused.told().starts_with(
            "it has 10000 subscriptions, which is the most a program may have; subscribe to a broader pattern"
        ),
        "{}",
        refused.told()
    );
    assert_eq!(matched(&rounds, "plant.10000"), 0);
    // One that is there already, another in its place, and those of another program.
    begin(&rounds, "crew/a", plant(7)).unwrap();
    begin(
        &rounds,
        "crew/a",
        json!({ "pattern": "plant.7", "filter": "payload eq 1" }),
    )
    .unwrap();
    begin(&rounds, "crew/b", plant(SUBSCRIPTIONS_MAX)).unwrap();
    assert_eq!((matched(&rounds, "plant.7"), matched(&rounds, "plant.10000")), (1, 1));
    assert_eq!(rounds.end(&"crew/a".into(), "plant.7"), 1);
    begin(&rounds, "crew/a", plant(SUBSCRIPTIONS_MAX)).unwrap();
    assert_eq!((matched(&rounds, "plant.7"), matched(&rounds, "plant.10000")), (0, 2));
    rounds.end_all(&"crew/a".into());
    assert_eq!((matched(&rounds, "plant.8"), matched(&rounds, "plant.10000")), (0, 1));
    assert_eq!(vacant(&rounds).len(), 1);
}

#[test]
fn what_may_wait_for_one_program_has_a_bound_in_all() {
    let rounds = rounds();
    let roomy = |number: usize| json!({ "pattern": format!("plant.{number}"), "terms": { "bound": 100_000 } });
    for number in 0..102 {
        begin(&rounds, "crew/a", roomy(number)).unwrap();
    }
    let refused = begin(&rounds, "crew/a", roomy(102)).unwrap_err().told();
    assert!(
        refused.starts_with("10200000 events may wait for its other subscriptions of more than usual"),
        "{refused}"
    );
    // What it has already, what needs no more than all have, and another program.
    begin(&rounds, "crew/a", roomy(0)).unwrap();
    begin(&rounds, "crew/a", json!({ "pattern": "plant.102" })).unwrap();
    begin(&rounds, "crew/b", roomy(102)).unwrap();
    rounds.end(&"crew/a".into(), "plant.0");
    begin(&rounds, "crew/a", roomy(103)).unwrap();
}

#[test]
fn those_with_no_more_room_than_usual_count_for_nothing() {
    let rounds = rounds();
    for number in 0..9_990 {
        begin(&rounds, "crew/a", json!({ "pattern": format!("plant.{number}") })).unwrap();
    }
    let roomy = json!({ "pattern": "roomy", "terms": { "bound": 100_000 } });
    begin(&rounds, "crew/a", roomy).unwrap();
}

#[tokio::test]
async fn what_waits_for_a_subscription_waits_for_the_one_in_its_place_and_comes_once() {
    let (rounds, query) = (rounds(), triarch_bus::Query::default());
    let wish = |bound: usize| json!({ "pattern": "plant.*", "terms": { "bound": bound } });
    begin(&rounds, "crew/a", wish(20)).unwrap();
    let first = vacant(&rounds).remove(0);
    for _ in 0..3 {
        assert_eq!(matched(&rounds, "plant.1"), 1);
    }
    begin(&rounds, "crew/a", wish(10)).unwrap();
    assert_eq!(matched(&rounds, "plant.1"), 1);
    // Whoever made the round before gives it back when it sees that it is over.
    assert!(first.goes_on.has_changed().is_err());
    rounds.give_back(first);
    let mut second = vacant(&rounds).remove(0);
    let heard = std::iter::from_fn(|| second.listener.try_next());
    assert_eq!(
        heard
            .map(triarch_bus::Delivery::acknowledge)
            .filter(|is_in_time| *is_in_time)
            .count(),
        4
    );
    assert!(rounds.0.bus.dead_letters(&query, 0, 9).is_empty());
    assert_eq!(rounds.0.bus.subscriptions().len(), 1);
}

#[test]
fn what_is_in_hand_when_a_round_ends_may_still_be_done() {
    let (rounds, query) = (rounds(), triarch_bus::Query::default());
    begin(&rounds, "crew/a", json!({ "pattern": "plant.*" })).unwrap();
    let mut walked = vacant(&rounds).remove(0);
    for _ in 0..3 {
        matched(&rounds, "plant.1");
    }
    let in_hand = [walked.listener.try_next().unwrap(), walked.listener.try_next().unwrap()];
    rounds.end_all(&"crew/a".into());
    assert_eq!(matched(&rounds, "plant.1"), 0, "nothing more comes");
    let [done, _left] = in_hand;
    assert!(done.acknowledge());
    rounds.give_back(walked);
    assert!(rounds.0.bus.subscriptions().is_empty());
    let dead = rounds.0.bus.dead_letters(&query, 0, 9);
    assert_eq!(dead.len(), 2, "what nobody has done: {dead:?}");
}

#[test]
fn the_courier_is_given_each_round_once_and_nothing_but_what_is_new() {
    let rounds = rounds();
    for pattern in ["a", "b", "c", "d"] {
        begin(&rounds, "crew/a", json!({ "pattern": pattern })).unwrap();
    }
    assert_eq!(rounds.end(&"crew/a".into(), "d"), 1);
    let mut taken = vacant(&rounds);
    assert_eq!((taken.len(), vacant(&rounds).len()), (3, 0));
    begin(&rounds, "crew/a", json!({ "pattern": "a" })).unwrap();
    begin(&rounds, "crew/a", json!({ "pattern": "b", "class": "at_most_once" })).unwrap();
    let others = vacant(&rounds);
    assert_eq!((others.len(), others[0].terms.class), (1, Class::AtMostOnce));
    // The courier ends: what goes on is there for its next life, and what is over is not.
    assert_eq!(rounds.end(&"crew/a".into(), "c"), 1);
    assert!(taken[0].goes_on.has_changed().is_ok() && taken[1].goes_on.has_changed().is_err());
    taken
        .drain(..)
        .chain(others)
        .for_each(|vacant| rounds.give_back(vacant));
    assert_eq!(vacant(&rounds).iter().map(|one| one.number).collect::<Vec<_>>(), [0, 4]);
}

#[test]
fn rounds_of_one_that_is_gone_end_and_those_of_one_in_its_place_stay() {
    let (rounds, agent) = (rounds(), Arc::from("crew/a"));
    begin(&rounds, "crew/a", json!({ "pattern": "plant.*" })).unwrap();
    rounds.end_all_of_the_gone(&agent, || false);
    assert_eq!(matched(&rounds, "plant.1"), 1);
    rounds.end_all_of_the_gone(&agent, || true);
    assert_eq!(matched(&rounds, "plant.1"), 0);
}

fn sent(rounds: &Rounds, agent: &str) -> Result<(), PublishError> {
    let draft = Draft::new("note", Payload::json(&json!(1)));
    rounds.0.bus.send("me", agent, &draft).map(drop)
}

#[test]
fn what_is_sent_to_a_path_waits_through_all_lives_of_its_agent_and_ends_when_that_has_left() {
    let (rounds, agent) = (rounds(), Arc::from("crew/a"));
    rounds.begin_at(&agent, |_| false).unwrap();
    assert!(sent(&rounds, "crew/a").is_err(), "there is nobody");
    for _ in 0..2 {
        rounds.begin_at(&agent, |_| true).unwrap();
    }
    let vacant = vacant(&rounds);
    assert_eq!((vacant.len(), vacant[0].terms.class), (1, Class::AtLeastOnce));
    rounds.end_all(&agent);
    sent(&rounds, "crew/a").unwrap();
    rounds.end_all_of_the_gone(&agent, || false);
    sent(&rounds, "crew/a").unwrap();
    rounds.end_all_of_the_gone(&agent, || true);
    assert!(sent(&rounds, "crew/a").is_err(), "it has left");
    assert!(vacant[0].goes_on.has_changed().is_err());
    for one in vacant {
        rounds.give_back(one);
    }
    let query = triarch_bus::Query::default();
    assert_eq!(rounds.0.bus.dead_letters(&query, 0, 9).len(), 2);
}

#[test]
fn agents_that_left_and_were_sent_to_once_are_not_kept_for_ever() {
    let rounds = rounds();
    for number in 0..5 * SWEPT_FROM {
        rounds
            .begin_at(&format!("crew/{number}"), |path| {
                path.ends_with('7') || path.ends_with(&format!("/{number}"))
            })
            .unwrap();
    }
    let kept = rounds.book().by_path.len();
    assert!((SWEPT_FROM / 2..=2 * SWEPT_FROM).contains(&kept), "{kept}");
    assert_eq!(rounds.0.bus.subscriptions().len(), kept);
    assert!(sent(&rounds, "crew/7").is_ok() && sent(&rounds, "crew/8").is_err());
}

#[test]
fn agents_that_left_keep_no_places_from_those_that_came_after_them() {
    let config = triarch_bus::Config {
        subscriptions: 2,
        ..Default::default()
    };
    let rounds = rounds_with(config);
    for number in 0..6 {
        let there = [number, number + 1].map(|number| format!("crew/{number}"));
        rounds
            .begin_at(&there[0], |path| there.contains(&path.to_owned()))
            .unwrap();
        rounds
            .begin_at(&there[1], |path| there.contains(&path.to_owned()))
            .unwrap();
        assert!(there.iter().all(|agent| sent(&rounds, agent).is_ok()));
    }
    let full = rounds.begin_at("crew/7", |_| true);
    assert!(
        matches!(full, Err(SubscribeError::Full { limit: 2 })),
        "all of them are there"
    );
}

#[test]
fn what_is_sent_to_one_that_has_left_ends_when_that_is_seen_and_goes_on_where_it_has_not() {
    let rounds = rounds();
    rounds.begin_at("crew/a", |_| true).unwrap();
    assert!(!rounds.end_at("crew/a", |_| true) && sent(&rounds, "crew/a").is_ok());
    assert!(rounds.end_at("crew/a", |_| false) && sent(&rounds, "crew/a").is_err());
    assert!(!rounds.end_at("crew/a", |_| false), "it has ended");
}
