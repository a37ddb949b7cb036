//! Many messages in one call, and a mailbox that has not room for all of them.

use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;

use crate::agents::{Log, Puppet, Say, grow, pause, puppet, team};
use crate::patience::{quiet, until};

/// A paused agent whose mailbox has room for four and holds one.
async fn with_one(overflow: Overflow) -> (Log, Tree, Address<Say>) {
    let log = Log::default();
    let child: Child<Puppet> = puppet("a", &log).capacity(4).overflow(overflow);
    let address = child.address();
    let tree = grow(team().child(child)).await;
    pause(&tree).await;
    address.send(Say::Note(0)).await.unwrap();
    (log, tree, address)
}

fn batch(numbers: std::ops::RangeInclusive<u32>) -> Vec<Say> {
    numbers.map(Say::Note).collect()
}

fn numbers(messages: &[Say]) -> Vec<u32> {
    let number = |say: &Say| match say {
        Say::Note(number) => *number,
        other => panic!("{other:?} is no note"),
    };
    messages.iter().map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_rejects_takes_all_of_them_or_gives_all_of_them_back() {
    let (log, tree, address) = with_one(Overflow::Reject).await;
    for most in [4, 5, 9] {
        let refused = address.send_many(batch(1..=most)).await.unwrap_err();
        assert_eq!(refused.why, Refusal::Full);
        assert_eq!(numbers(&refused.message), (1..=most).collect::<Vec<_>>());
        assert_eq!(address.figures().depth, 1, "nothing of {most} was queued");
    }
    address.send_many(batch(1..=3)).await.unwrap();
    tree.observer().resume("team/a").unwrap();
    until("all are handled", || log.after("a note ") == ["0", "1", "2", "3"]).await;
    quiet().await;
    let refused = address.send_many(batch(1..=5)).await.unwrap_err();
    assert_eq!(refused.message.len(), 5, "more than it ever holds");
    quiet().await;
    assert_eq!(address.figures().enqueued, 4);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_drops_the_newest_takes_what_fits_and_drops_the_rest() {
    for most in [4, 5, 9] {
        let (log, tree, address) = with_one(Overflow::DropNewest).await;
        address.send_many(batch(1..=most)).await.unwrap();
        let letters = tree.observer().dead_letters();
        assert_eq!(letters.count(DeadReason::Full), u64::from(most) - 3);
        tree.observer().resume("team/a").unwrap();
        until("what fits is handled", || log.after("a note ") == ["0", "1", "2", "3"]).await;
        tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_drops_the_oldest_keeps_the_last_of_them() {
    let (log, tree, address) = with_one(Overflow::DropOldest).await;
    address.send_many(batch(1..=9)).await.unwrap();
    tree.observer().resume("team/a").unwrap();
    until("the last are handled", || log.after("a note ") == ["6", "7", "8", "9"]).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_mailbox_refuses_comes_back_in_its_order() {
    for overflow in [
        Overflow::Wait,
        Overflow::Reject,
        Overflow::DropNewest,
        Overflow::DropOldest,
    ] {
        let (_, tree, address) = with_one(overflow).await;
        tree.stop().await;
        let refused = address.send_many(batch(1..=9)).await.unwrap_err();
        assert_eq!(refused.why, Refusal::Closed);
        assert_eq!(numbers(&refused.message), (1..=9).collect::<Vec<_>>(), "{overflow:?}");
    }
}
