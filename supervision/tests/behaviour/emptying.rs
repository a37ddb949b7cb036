//! Agents that handle what lies in their mailbox before they stop.

use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, one};
use crate::patience::{MILLI, SECOND, node_until, soon, until};

struct Task(Log);

impl Message for Task {}

/// Takes a moment over each task, and where it is `DILIGENT` leaves none.
struct Clerk<const DILIGENT: bool>;

impl<const DILIGENT: bool> Agent for Clerk<DILIGENT> {
    type Message = Task;
    type Spec = ();

    const EMPTIES_ITS_MAILBOX: bool = DILIGENT;

    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, Task(log): Task, _: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep(MILLI).await;
        log.write("done");
        Ok(())
    }
}

/// How many of a hundred tasks are done when a clerk is stopped with them.
async fn done<const DILIGENT: bool>(within: Duration) -> usize {
    let log = Log::default();
    let clerk = Child::of::<Clerk<DILIGENT>>("clerk", ()).shutdown(Shutdown::Within(within));
    let (tree, address) = one(clerk).await;
    (0..100).for_each(|_| address.try_send(Task(log.clone())).unwrap());
    soon("it ends", tree.stop()).await;
    log.count("done")
}

#[tokio::test(start_paused = true)]
async fn who_empties_its_mailbox_stops_behind_what_lies_there_and_within_its_time() {
    assert_eq!(done::<true>(SECOND).await, 100);
    assert!(done::<false>(SECOND).await < 3);
    assert!((1..12).contains(&done::<true>(10 * MILLI).await));
}

#[tokio::test(start_paused = true)]
async fn who_empties_its_mailbox_stops_though_others_go_on_sending() {
    let log = Log::default();
    let (tree, address) = one(Child::of::<Clerk<true>>("clerk", ()).shutdown(Shutdown::Infinity)).await;
    let tasks = log.clone();
    let sending = async { while address.send(Task(tasks.clone())).await.is_ok() {} };
    let ending = async {
        until("some are done", || log.count("done") > 10).await;
        soon("it ends", tree.stop()).await
    };
    let ((), end) = tokio::join!(sending, ending);
    assert!(end.is_orderly(), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn who_empties_its_mailbox_handles_nothing_while_it_is_paused() {
    let log = Log::default();
    let (tree, address) = one(Child::of::<Clerk<true>>("clerk", ())).await;
    tree.observer().pause("team/clerk").unwrap();
    node_until(&tree, "team/clerk", |node| node.state == Phase::Paused).await;
    (0..3).for_each(|_| address.try_send(Task(log.clone())).unwrap());
    soon("it ends", tree.stop()).await;
    assert_eq!(log.count("done"), 0);
}
