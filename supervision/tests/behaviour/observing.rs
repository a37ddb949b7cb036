//! What an observer gives away, and what it says of itself.

use std::time::Duration;

use serde_json::json;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{EVENTS_KEPT, Phase};

use crate::agents::{Log, Say, Script, Start, grow, one, one_in, puppet, scripted, team};
use crate::patience::{SECOND, not_yet, quiet};

#[derive(Debug)]
struct Foreign;

impl Message for Foreign {}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_held_without_holding_the_observer() {
    let tree = grow(team()).await;
    let letters = tree.observer().dead_letters();
    tree.observer().send_to("team/ghost", Foreign).await.unwrap_err();
    assert_eq!(letters.count(DeadReason::NoSuchAgent), 1);
    tree.stop().await;
    assert_eq!(letters.total(), 1, "they may still be read when the tree is gone");
}

#[tokio::test(start_paused = true)]
async fn one_who_takes_other_messages_refuses_and_the_message_comes_back() {
    let tree = grow(team().child(puppet("a", &Log::default()))).await;
    for (path, expected) in [
        (
            "team/a",
            "cannot send to team/a: it does not take messages of this type; send to one who does",
        ),
        (
            "team",
            "cannot send to team: it does not take messages of this type; send to one who does",
        ),
    ] {
        let refused = tree.observer().send_to(path, Foreign).await.unwrap_err();
        assert_eq!(
            (refused.to_string(), &refused.why),
            (expected.to_owned(), &Refusal::OtherType)
        );
    }
    assert_eq!(tree.observer().dead_letters().total(), 0, "their sender has them");
    let gone = tree.observer().send_to("team/ghost", Foreign).await.unwrap_err();
    assert_eq!(gone.why, Refusal::NoSuchAgent);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_who_tries_to_send_by_path_is_never_held_back() {
    let tree = grow(team().child(puppet("a", &Log::default()).capacity(1))).await;
    let observer = tree.observer();
    observer.pause("team/a").unwrap();
    observer.try_send_to("team/a", Say::Note(1)).unwrap();
    let full = observer.try_send_to("team/a", Say::Note(2)).unwrap_err();
    assert_eq!((&*full.to, full.why), ("team/a", Refusal::Full));
    let gone = observer.try_send_to("team/ghost", Say::Note(3)).unwrap_err();
    assert_eq!((&*gone.to, gone.why), ("team/ghost", Refusal::NoSuchAgent));
    assert_eq!(observer.dead_letters().count(DeadReason::NoSuchAgent), 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_falls_behind_is_told_how_many_events_it_missed() {
    const BEYOND: u64 = 7;
    let (tree, address) = one(puppet("a", &Log::default()).on_error(OnError::Resume)).await;
    let mut events = tree.observer().events();
    for _ in 0..EVENTS_KEPT as u64 + BEYOND {
        address.send(Say::Fail).await.unwrap();
    }
    quiet().await;
    assert_eq!(events.missed(), 0, "it has not looked yet");
    assert!(events.next().await.is_some());
    assert_eq!(events.missed(), BEYOND);
    assert_eq!(std::iter::from_fn(|| events.try_next()).count(), EVENTS_KEPT - 1);
    assert_eq!(events.missed(), BEYOND, "the rest was there");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_busy_from_its_first_message_until_none_waits() {
    let (tree, address) = one(puppet("a", &Log::default())).await;
    let state = || tree.observer().node("team/a").unwrap().state;
    quiet().await;
    assert_eq!(state(), Phase::Idle);
    address.try_send(Say::Note(1)).unwrap();
    assert_eq!(state(), Phase::Busy, "it waits");
    quiet().await;
    assert_eq!(state(), Phase::Idle);
    address.try_send(Say::Hang).unwrap();
    quiet().await;
    assert_eq!(state(), Phase::Busy, "it is in hand");
    tree.stop().await;
}

const LIMIT: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn an_idle_agent_shows_its_state_at_once_and_one_that_does_not_come_to_it_is_shown_as_it_last_was() {
    let (tree, address) = one(puppet("a", &Log::default())).await;
    let observer = tree.observer();
    let began = Moment::now();
    for _ in 0..2 {
        assert_eq!(observer.state_of("team/a", LIMIT).await, Ok(Some(json!({ "life": 1 }))));
    }
    observer.pause("team/a").unwrap();
    assert_eq!(observer.state_of("team/a", LIMIT).await, Ok(Some(json!({ "life": 1 }))));
    observer.resume("team/a").unwrap();
    assert_eq!(Moment::now(), began, "nobody has waited");

    address.try_send(Say::Hang).unwrap();
    quiet().await;
    assert_eq!(observer.state_of("team/a", LIMIT).await, Ok(Some(json!({ "life": 1 }))));
    assert!(Moment::now().since(began) >= LIMIT, "as long as is allowed");

    let team = observer.supervisor("team").unwrap();
    let (shown, killed) = tokio::join!(observer.state_of("team/a", 100 * LIMIT), team.kill_child("a"));
    killed.unwrap();
    assert!(shown.unwrap().is_some());
    assert!(Moment::now().since(began) < 100 * LIMIT, "its end ends the wait");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_restart_says_when_that_is_and_its_supervisor_how_many_it_bears() {
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(Duration::from_secs(1), Duration::from_secs(8))
    };
    let period = Duration::from_mins(1);
    let team = Supervisor::named("team").intensity(Intensity::new(3, period));
    let (tree, address) = one_in(team, puppet("a", &Log::default()).backoff(backoff)).await;
    let observer = tree.observer();
    let budget = || {
        let budget = observer.restart_budget("team").unwrap().unwrap();
        (budget.used, budget.allowed, budget.period)
    };
    let restart_at = || observer.node("team/a").unwrap().restart_at;
    assert_eq!((restart_at(), budget()), (None, (0, 3, period)));
    for (used, wait) in [(1, 1), (2, 2)] {
        let due = Moment::now() + Duration::from_secs(wait);
        address.send(Say::Fail).await.unwrap();
        quiet().await;
        assert_eq!((restart_at(), budget()), (Some(due), (used, 3, period)));
        tokio::time::sleep(Duration::from_secs(wait)).await;
        quiet().await;
        assert_eq!(restart_at(), None, "it runs");
    }
    assert_eq!(observer.restart_budget("team/a"), Ok(None), "an agent restarts nobody");
    tokio::time::sleep(2 * period).await;
    assert_eq!(budget(), (0, 3, period), "that was long ago");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_asked_to_stop_while_it_starts_is_never_shown_as_idle() {
    let log = Log::default();
    let tree = grow(team()).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let slow = scripted("a", Script::new(&log).start(Start::Takes(SECOND)));
    let mut started = Box::pin(handle.start_child(slow));
    not_yet(&mut started).await;
    handle.terminate_child("a").await.unwrap();
    assert!(log.has("a stopped"), "{:?}", log.lines());
    let phases: Vec<_> = tree
        .observer()
        .history("team/a")
        .unwrap()
        .iter()
        .map(|change| change.to)
        .collect();
    assert!(!phases.contains(&Phase::Idle), "{phases:?}");
    assert_eq!(phases.last(), Some(&Phase::Stopped));
    tree.stop().await;
}
