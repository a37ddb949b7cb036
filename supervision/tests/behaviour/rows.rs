//! Messages that an agent handles in a row, without looking at what else there is between two of them.

use futures_util::future::join;
use triarch_supervision::prelude::*;

use crate::agents::{Log, Puppet, Say, grow, puppet, team};
use crate::bounds::fill;
use crate::patience::{SECOND, quiet, until};

/// A team of one whose mailbox held `messages` before it started.
async fn begun_with(
    messages: Vec<Say>,
    shape: impl FnOnce(Child<Puppet>) -> Child<Puppet>,
) -> (Log, Tree, Address<Say>) {
    let log = Log::default();
    let child = shape(puppet("a", &log));
    let address = child.address();
    for message in messages {
        address.try_send(message).unwrap();
    }
    (log, grow(team().child(child)).await, address)
}

fn notes(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Say> {
    numbers.map(Say::Note)
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_seen_before_the_next_message() {
    let pause = Say::act(|_, ctx| {
        ctx.observer().pause("team/a").unwrap();
        Box::pin(async { Ok(()) })
    });
    let messages = notes(0..5).chain([pause]).chain(notes(5..10)).collect();
    let (log, tree, _address) = begun_with(messages, |child| child).await;
    until("the first are handled", || log.has("a note 4")).await;
    quiet().await;
    assert!(!log.has("a note 5"), "{:?}", log.lines());
    tree.observer().resume("team/a").unwrap();
    until("the others are handled", || log.has("a note 9")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_message_has_a_budget_of_its_own() {
    let messages = notes(0..5).chain([Say::Hang]).chain(notes(5..10)).collect();
    let (log, tree, _address) = begun_with(messages, |child| child.handle_within(SECOND, OnStuck::Restart)).await;
    until("the next life goes on", || log.has("a note 9")).await;
    assert!(log.has("a starts 2"));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_has_given_back_the_room_of_those_before_it() {
    let messages = notes(0..5).chain([Say::Hang]).chain(notes(5..63)).collect();
    let (log, tree, address) = begun_with(messages, |child| child.capacity(64)).await;
    until("the first are handled", || log.has("a note 4")).await;
    quiet().await;
    assert_eq!(fill(&address), 6);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_handled_is_counted_before_a_handler_waits_and_when_one_crashes() {
    let messages = notes(0..5)
        .chain([Say::Panic])
        .chain(notes(5..9))
        .chain([Say::Hang])
        .collect();
    let (log, tree, address) = begun_with(messages, |child| child).await;
    until("the second life is as far as it gets", || log.has("a note 8")).await;
    quiet().await;
    let figures = address.figures();
    assert_eq!((figures.handled, figures.failed, figures.depth), (9, 1, 0));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_handler_waits_is_as_old_as_it_is_whatever_came_before_it() {
    const HOUR: std::time::Duration = std::time::Duration::from_hours(1);
    let log = Log::default();
    let child = puppet("a", &log);
    let address = child.address();
    address.try_send(Say::Note(0)).unwrap();
    tokio::time::advance(HOUR).await;
    address.try_send(Say::Hang).unwrap();
    let tree = grow(team().child(child)).await;
    until("it hangs", || log.has("a hangs")).await;
    let age = address.figures().oldest_age.unwrap();
    assert!(age < HOUR / 2, "{age:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_in_the_middle_is_answered_in_its_turn() {
    let log = Log::default();
    let child = puppet("a", &log);
    let address = child.address();
    for note in notes(0..5) {
        address.try_send(note).unwrap();
    }
    let begin = async {
        for note in notes(5..10) {
            address.try_send(note).unwrap();
        }
        grow(team().child(child)).await
    };
    let (answer, tree) = join(address.ask(|reply| Say::Echo(7, reply)), begin).await;
    assert_eq!(answer, Ok(7));
    until("the others are handled", || log.has("a note 9")).await;
    assert_eq!(log.count("a note"), 10);
    tree.stop().await;
}
