//! What an earlier life left, sentence by sentence.

use std::time::Duration;

use triarch_supervision::clock::Seeded;

use super::*;
use crate::config::Config;
use crate::error::Refusal;
use crate::machine::{Tasks, Turn};
use crate::task::{Claim, Submission};
use crate::time::TaskTime;
use crate::words::Kind;

/// Three tasks in the hands of one agent, of which the second is begun.
fn held() -> (Vec<View>, Vec<Claim>) {
    let now = TaskTime::default() + Duration::from_secs(1);
    let (mut tasks, mut turn) = (Tasks::new(Config::default()), Turn::new(now, Seeded::new(1)));
    let batch = vec![Submission::of(Kind::new("build").unwrap()); 3];
    tasks.submit(&mut turn, batch).unwrap();
    let claims = tasks
        .claim(&mut turn, &Worker::new("t/a").unwrap(), &[], 3, None)
        .unwrap();
    tasks.begin(&mut turn, claims[1].task, claims[1].fence).unwrap();
    (tasks.list(&Lost::default().filter(), PAGE, now), claims)
}

fn told(claim: &Claim, is_begun: bool) -> Effect {
    let why = "the runtime ended".to_owned();
    Effect::Tell {
        task: claim.task,
        fence: claim.fence,
        word: if is_begun {
            Word::Abandoned { why }
        } else {
            Word::GivenBack
        },
    }
}

#[test]
fn what_cannot_be_given_up_yet_is_told_of_and_tried_again_and_the_others_are_given_up() {
    let (page, claims) = held();
    let (mut lost, mut effects) = (Lost::default(), Vec::new());
    lost.look_through(page, |_, _| true, &mut effects);
    let all = [told(&claims[0], false), told(&claims[1], true), told(&claims[2], false)];
    assert_eq!(effects, all);
    let closed = TaskError::Closed {
        why: "no space".to_owned(),
    };
    assert!(lost.told(claims[0].fence, &Ok(())));
    assert!(lost.told(claims[1].fence, &Err(closed)));
    let (task, fence, state) = (claims[2].task, claims[2].fence, State::Ready);
    assert!(lost.told(fence, &Err(Refusal::Stale { task, fence, state }.into())));
    let state = lost.state().unwrap();
    assert_eq!(state["to_give_up"], 1);
    let trouble = state["trouble"].as_str().unwrap();
    assert!(
        trouble.starts_with("task 2 cannot be given up yet: tasks are not changed"),
        "{trouble}"
    );
    effects.clear();
    lost.tell_again(&mut effects);
    assert_eq!(effects, [told(&claims[1], true)]);
    lost.tell_again(&mut effects);
    assert_eq!(effects.len(), 1, "what is on its way is not told twice");
    assert!(lost.told(claims[1].fence, &Ok(())));
    assert_eq!(lost.state(), None);
    assert!(!lost.told(claims[1].fence, &Ok(())), "it is nobody's any more");
}

#[test]
fn what_is_somebodys_is_left_and_a_page_that_cannot_be_had_is_asked_for_again() {
    let (page, claims) = held();
    let (mut lost, mut effects) = (Lost::default(), Vec::new());
    lost.unseen(&TaskError::TooManyWait);
    assert!(!lost.is_through() && lost.state().unwrap()["trouble"].is_string());
    lost.look_through(page, |_, fence| fence == claims[2].fence, &mut effects);
    assert_eq!(effects, [told(&claims[2], false)]);
    assert!(lost.is_through());
    let state = lost.state().unwrap();
    assert!(state["trouble"].is_null(), "that was had in the end: {state}");
}

#[test]
fn a_page_that_is_full_is_followed_by_the_next() {
    let (page, _) = held();
    let full: Vec<_> = std::iter::repeat_n(page[0].clone(), PAGE).collect();
    let mut lost = Lost::default();
    lost.look_through(full, |_, _| false, &mut Vec::new());
    assert!(!lost.is_through());
    assert_eq!(lost.filter().after, Some(page[0].task));
}

#[test]
fn only_what_is_in_the_hands_of_somebody_is_looked_at() {
    let filter = Lost::default().filter();
    assert_eq!(filter.states, [State::Claimed, State::Running]);
    assert_eq!(filter.after, None);
}
