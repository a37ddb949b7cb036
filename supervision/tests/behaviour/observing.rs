//! What an observer gives away, and what it says of itself.

use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{EVENTS_KEPT, Phase};

use crate::agents::{Log, Say, grow, one, puppet, team};
use crate::patience::quiet;

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
