//! Dropping a future half-way loses nothing, doubles nothing, and the line of held-back senders moves on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use futures_util::task::noop_waker_ref;
use tokio::sync::Semaphore;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Say, Script, Stop, grow, one, puppet, scripted, team};
use crate::bounds::{fill, hold};
use crate::patience::{SECOND, not_yet, quiet, soon, until};

fn poll<T>(future: &mut Pin<Box<impl Future<Output = T> + ?Sized>>) -> Poll<T> {
    future.as_mut().poll(&mut Task::from_waker(noop_waker_ref()))
}

fn notes(log: &Log) -> Vec<u32> {
    log.after("a note ")
        .iter()
        .map(|number| number.parse().unwrap())
        .collect()
}

/// An agent that is in its handler, with a full mailbox of `capacity` that holds 0, 1, …
struct Jam {
    log: Log,
    tree: Tree,
    address: Address<Say>,
    gate: Arc<Semaphore>,
}

async fn jam(capacity: usize) -> Jam {
    let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
    let (tree, address) = one(puppet("a", &log).capacity(capacity)).await;
    address.send(hold(&gate)).await.unwrap();
    quiet().await;
    fill(&address);
    Jam {
        log,
        tree,
        address,
        gate,
    }
}

impl Jam {
    async fn clear(&self, expected: &[u32]) {
        self.gate.add_permits(1);
        until("what was queued is handled", || {
            notes(&self.log).len() >= expected.len()
        })
        .await;
        quiet().await;
        assert_eq!(notes(&self.log), expected);
        let taken = fill(&self.address);
        assert_eq!(
            u64::from(taken),
            self.address.figures().capacity,
            "no room has leaked, none was doubled"
        );
        self.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_is_not_queued_and_those_behind_it_are() {
    let jam = jam(1).await;
    let sends = [10, 11, 12].map(|number| Box::pin(jam.address.send(Say::Note(number))));
    let [mut first, mut second, mut third] = sends;
    for future in [&mut first, &mut second, &mut third] {
        not_yet(future).await;
    }
    drop(second);
    jam.gate.add_permits(1);
    soon("the line moves", async { (first.await.unwrap(), third.await.unwrap()) }).await;
    until("all are handled", || notes(&jam.log) == [0, 10, 12]).await;
    jam.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_send_dropped_after_room_was_set_aside_gives_the_room_to_the_next() {
    let jam = jam(1).await;
    let mut first = Box::pin(jam.address.send(Say::Note(10)));
    let mut second = Box::pin(jam.address.send(Say::Note(11)));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    jam.gate.add_permits(1);
    until("the agent makes room", || notes(&jam.log) == [0]).await;
    quiet().await;
    drop(first);
    soon("the second is queued", second).await.unwrap();
    jam.clear(&[0, 11]).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_first_in_line_lets_the_next_be_first() {
    let jam = jam(2).await;
    let mut batch = Box::pin(jam.address.send_many(vec![Say::Note(10), Say::Note(11)]));
    let mut single = Box::pin(jam.address.send(Say::Note(12)));
    assert!(poll(&mut batch).is_pending() && poll(&mut single).is_pending());
    drop(batch);
    jam.gate.add_permits(1);
    soon("the single one is queued", single).await.unwrap();
    jam.clear(&[0, 1, 12]).await;
}

#[tokio::test(start_paused = true)]
async fn everybody_in_line_may_give_up() {
    let jam = jam(3).await;
    let mut sends: Vec<_> = (10..60)
        .map(|number| Box::pin(jam.address.send(Say::Note(number))))
        .collect();
    assert!(sends.iter_mut().all(|future| poll(future).is_pending()));
    while !sends.is_empty() {
        drop(sends.swap_remove(sends.len() / 2));
    }
    jam.clear(&[0, 1, 2]).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_batch_has_queued_whole_parts_only_and_loses_no_others() {
    let jam = jam(2).await;
    let mut batch = Box::pin(jam.address.send_many((10..17).map(Say::Note).collect()));
    not_yet(&mut batch).await;
    jam.gate.add_permits(1);
    let mut polls = 0;
    while notes(&jam.log).len() < 4 {
        assert!(poll(&mut batch).is_pending());
        quiet().await;
        polls += 1;
        assert!(polls < 100, "{:?}", notes(&jam.log));
    }
    drop(batch);
    quiet().await;
    let seen = notes(&jam.log);
    let all: Vec<_> = [0, 1].into_iter().chain(10..17).collect();
    assert!(seen.len() >= 4 && seen.len() < 9 && all.starts_with(&seen), "{seen:?}");
    assert_eq!(fill(&jam.address), 2);
    jam.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_before_is_not_queued() {
    let jam = jam(1).await;
    let mut before = Box::pin(jam.address.send_before(Moment::now() + SECOND, Say::Note(10)));
    not_yet(&mut before).await;
    drop(before);
    jam.clear(&[0]).await;
}

#[tokio::test(start_paused = true)]
async fn a_question_dropped_in_line_is_not_queued() {
    let jam = jam(1).await;
    let mut question = Box::pin(jam.address.ask(|reply| Say::Echo(1, reply)));
    not_yet(&mut question).await;
    drop(question);
    jam.clear(&[0]).await;
    assert_eq!(jam.tree.observer().dead_letters().count(DeadReason::Expired), 0);
}

#[tokio::test(start_paused = true)]
async fn a_question_dropped_while_it_is_queued_is_not_handled() {
    let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
    let (tree, address) = one(puppet("a", &log)).await;
    address.send(hold(&gate)).await.unwrap();
    let marked = log.clone();
    let mut question = Box::pin(address.ask(move |reply: Reply<u32>| {
        Say::act(move |_, _| {
            marked.write("handled in vain");
            drop(reply);
            Box::pin(async { Ok(()) })
        })
    }));
    not_yet(&mut question).await;
    drop(question);
    gate.add_permits(1);
    until("it is a dead letter", || {
        tree.observer().dead_letters().count(DeadReason::Expired) == 1
    })
    .await;
    assert_eq!(address.ask(|reply| Say::Echo(5, reply)).await, Ok(5));
    assert!(!log.has("handled in vain"));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_future_that_was_never_polled_sends_nothing() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    drop(address.send(Say::Note(1)));
    drop(address.send_many(vec![Say::Note(2)]));
    drop(address.ask(|reply| Say::Echo(3, reply)));
    quiet().await;
    assert_eq!(address.figures().enqueued, 0);
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_may_block_are_held_back_and_lose_nothing() {
    const EACH: u32 = 500;
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(8)).await;
    let senders: Vec<_> = (0..4)
        .map(|thread| {
            let address = address.clone();
            tokio::task::spawn_blocking(move || {
                for number in 0..EACH {
                    address.blocking_send(Say::Note(thread * EACH + number)).unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        soon("a thread is through", sender).await.unwrap();
    }
    until("all are handled", || notes(&log).len() == 4 * EACH as usize).await;
    let seen = notes(&log);
    for thread in 0..4 {
        let own: Vec<_> = seen.iter().copied().filter(|number| number / EACH == thread).collect();
        assert_eq!(own, (thread * EACH..(thread + 1) * EACH).collect::<Vec<_>>());
    }
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_thread_is_turned_away_when_the_agent_leaves_the_tree() {
    let (tree, address) = one(puppet("a", &Log::default()).capacity(1)).await;
    tree.observer().pause("team/a").unwrap();
    until("it is paused", || {
        tree.observer().node("team/a").unwrap().state == Phase::Paused
    })
    .await;
    while address.try_send(Say::Note(1)).is_ok() {}
    let thread = tokio::task::spawn_blocking(move || address.blocking_send(Say::Note(9)));
    tree.stop().await;
    let refused = soon("the thread comes back", thread).await.unwrap().unwrap_err();
    assert_eq!(refused.why, Refusal::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_keeps_its_place_until_the_supervisor_is_through_with_it() {
    let log = Log::default();
    let slow = scripted("slow", Script::new(&log).stop(Stop::Takes(SECOND)));
    let tree = grow(team().child(slow)).await;
    let team = tree.observer().supervisor("team").unwrap();
    for _ in 0..1024 {
        let mut call = Box::pin(team.terminate_child("slow"));
        assert!(poll(&mut call).is_pending());
        // A task may poll only so much before it gives way.
        tokio::task::yield_now().await;
    }
    let mut next = Box::pin(team.delete_child("slow"));
    not_yet(&mut next).await;
    soon("the calls are through", next).await.unwrap();
    assert!(log.has("slow stopped"));
    tree.stop().await;
}
