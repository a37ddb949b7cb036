//! The figures of a mailbox: each message ends in one of them.

use std::sync::Arc;

use tokio::sync::Semaphore;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Figures;

use crate::agents::{Log, Puppet, Say, Script, Start, grow, kill_team, one, pause, puppet, scripted, team};
use crate::bounds::hold;
use crate::patience::{MILLI, SECOND, node_until, quiet, until};

/// What became of messages: handled, failed, dropped, still waiting.
fn fates(figures: &Figures) -> (u64, u64, u64, u64) {
    let Figures {
        handled,
        failed,
        dropped,
        depth,
        ..
    } = *figures;
    assert_eq!(figures.enqueued, handled + failed + dropped + depth, "{figures:?}");
    (handled, failed, dropped, depth)
}

#[tokio::test(start_paused = true)]
async fn a_message_has_failed_where_its_handler_returned_an_error_panicked_or_was_killed() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    for say in [
        Say::Note(1),
        Say::Fail,
        Say::Note(2),
        Say::Panic,
        Say::Note(3),
        Say::Hang,
    ] {
        address.send(say).await.unwrap();
    }
    until("it hangs", || log.has("a hangs")).await;
    kill_team(&tree).await;
    address.send(Say::Note(4)).await.unwrap();
    until("the last life goes on", || log.has("a note 4")).await;
    quiet().await;
    assert_eq!(fates(&address.figures()), (4, 3, 0, 0));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_between_messages_is_no_messages_failure() {
    let log = Log::default();
    let start = |life| if life == 1 { Start::ThenCrashes } else { Start::Well };
    let (tree, address) = one(scripted("a", Script::new(&log).starts(start))).await;
    address.send(Say::Note(1)).await.unwrap();
    until("the next life handles it", || log.has("a note 1")).await;
    node_until(&tree, "team/a", |node| node.incarnation == 2).await;
    quiet().await;
    assert_eq!(fates(&address.figures()), (1, 0, 0, 0));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_after_whose_error_the_agent_resumes_has_failed_and_was_not_handled() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).on_error(OnError::Resume)).await;
    address
        .send_many(vec![Say::Note(1), Say::Fail, Say::Note(2)])
        .await
        .unwrap();
    until("it goes on", || log.has("a note 2")).await;
    quiet().await;
    assert_eq!(fates(&address.figures()), (2, 1, 0, 0));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_had_itself_told_by_timers_and_watches_counts_as_taken_in() {
    let log = Log::default();
    let [child, other] = ["a", "b"].map(|name| puppet(name, &log));
    let (address, watched) = (child.address(), other.address());
    let tree = grow(team().child(child).child(other)).await;
    let begin = Say::act(move |_: &mut Puppet, ctx| {
        ctx.send_after(MILLI, Say::Note(1));
        ctx.send_after(SECOND, Say::Fail);
        ctx.watch(&watched, |_| Say::Note(2));
        Box::pin(async { Ok(()) })
    });
    address.send(begin).await.unwrap();
    quiet().await;
    let team = tree.observer().supervisor("team").unwrap();
    team.terminate_child("b").await.unwrap();
    quiet().await;
    assert_eq!(fates(&address.figures()), (3, 0, 0, 0));
    until("the other timer fires", || log.has("a starts 2")).await;
    quiet().await;
    assert_eq!(fates(&address.figures()), (3, 1, 0, 0));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_or_closing_mailbox_drops_was_neither_handled_nor_failed() {
    for (overflow, kept) in [(Overflow::DropNewest, [0, 1]), (Overflow::DropOldest, [3, 4])] {
        let log = Log::default();
        let child = puppet("a", &log).capacity(2).overflow(overflow);
        let address = child.address();
        let tree = grow(team().child(child)).await;
        let gate = Arc::new(Semaphore::new(0));
        address.send(hold(&gate)).await.unwrap();
        quiet().await;
        for number in 0..5 {
            address.send(Say::Note(number)).await.unwrap();
        }
        gate.add_permits(1);
        until("the last is handled", || log.has(&format!("a note {}", kept[1]))).await;
        quiet().await;
        assert_eq!(log.after("a note "), kept.map(|number: u32| number.to_string()));
        assert_eq!(fates(&address.figures()), (3, 0, 3, 0), "{overflow:?}");
        pause(&tree).await;
        address.send(Say::Note(9)).await.unwrap();
        assert_eq!(fates(&address.figures()), (3, 0, 3, 1), "{overflow:?}");
        tree.stop().await;
        assert_eq!(fates(&address.figures()), (3, 0, 4, 0), "{overflow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_or_was_dropped_is_a_dead_letter_and_nothing_else_is() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(8).overflow(Overflow::DropNewest)).await;
    pause(&tree).await;
    let gone = Moment::now() + SECOND;
    address.send_before(gone, Say::Note(0)).await.unwrap();
    for say in [Say::Fail, Say::Note(1), Say::Panic] {
        address.send(say).await.unwrap();
    }
    address.send_many((2..20).map(Say::Note).collect()).await.unwrap();
    tokio::time::advance(2 * SECOND).await;
    tree.observer().resume("team/a").unwrap();
    until("what there was room for is handled", || log.has("a note 5")).await;
    quiet().await;
    let figures = address.figures();
    assert_eq!(fates(&figures), (5, 2, 15, 0));
    let letters = tree.observer().dead_letters();
    assert_eq!(letters.count(DeadReason::Crashed), figures.failed);
    assert_eq!(letters.total(), figures.failed + figures.dropped);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_before_the_agent_had_a_tree_is_counted_when_it_has() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let log = Log::default();
        let child = puppet("a", &log).capacity(1).overflow(overflow);
        let address = child.address();
        for number in 0..4 {
            address.try_send(Say::Note(number)).unwrap();
        }
        assert_eq!(fates(&address.figures()), (0, 0, 3, 1), "{overflow:?}");
        let tree = grow(team().child(child)).await;
        let letters = tree.observer().dead_letters();
        assert_eq!(letters.count(DeadReason::Full), 3, "{overflow:?}");
        until("the one with room is handled", || log.count("a note") == 1).await;
        quiet().await;
        assert_eq!(fates(&address.figures()), (1, 0, 3, 0), "{overflow:?}");
        tree.stop().await;
        assert_eq!(letters.total(), 3, "{overflow:?}");
    }
}
