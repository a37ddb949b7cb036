//! Many that start at once, on a runtime of several workers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use ractor::ActorStatus;
use tokio::time::{Instant, sleep};

use super::tests::Lingering;
use crate::message::Nothing;
use crate::prelude::*;
use crate::supervisor::Reception;
use crate::supervisor::machine::PORTION;
use crate::sync::{lock, unpoisoned};
use crate::tree::{Root, Shared};

const CROWD: usize = 1000;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

struct Idle;

impl Agent for Idle {
    type Message = Nothing;
    type Spec = ();

    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, message: Nothing, _: &mut Context<Self>) -> Result<(), Failure> {
        match message {}
    }
}

fn crowd() -> Supervisor {
    let children = (0..CROWD).map(|n| Child::of::<Idle>(format!("c{n}"), ()));
    Supervisor::named("team").parallel_start().children(children)
}

static WORKERS: Mutex<Option<HashSet<ThreadId>>> = Mutex::new(None);
static ANOTHER: Condvar = Condvar::new();

/// From the second actor on that a thread makes, waits until another has made one.
fn waits_for_another() {
    let mut workers = lock(&WORKERS);
    let known = workers.get_or_insert_default();
    if known.insert(std::thread::current().id()) {
        return ANOTHER.notify_all();
    }
    let is_alone = |workers: &mut Option<HashSet<_>>| workers.as_ref().is_none_or(|known| known.len() < 2);
    let (_workers, waited) = unpoisoned(ANOTHER.wait_timeout_while(workers, PATIENCE, is_alone));
    assert!(!waited.timed_out(), "all are begun by one worker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_begun_by_all_workers() {
    let mut team = crowd();
    for spec in team.children.iter_mut().flatten() {
        spec.child = Arc::new(Lingering {
            child: Arc::clone(&spec.child),
            is_left: Arc::new(AtomicBool::new(false)),
            may_spawn: Arc::new(|| {
                waits_for_another();
                Ok(())
            }),
        });
    }
    let tree = Root::new().supervisor(team).start().await.unwrap();
    let team = tree.observer().supervisor("team").unwrap();
    assert_eq!(team.count_children().await.unwrap().active, CROWD);
    // Its supervisor knows each of them.
    team.kill_child("c999").await.unwrap();
    let end = tree.stop().await;
    assert!(end.is_orderly(), "{end:?}");
}

/// Whether the kill is wanted, and whether it is done.
static IS_WANTED: AtomicBool = AtomicBool::new(false);
static IS_DONE: AtomicBool = AtomicBool::new(false);
/// How many began after it.
static LATE: AtomicUsize = AtomicUsize::new(0);

fn holds_within_patience(what: &str, holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Takes its time, so that the supervisor can be gone long before all have begun.
fn begins_slowly() {
    IS_WANTED.store(true, Ordering::SeqCst);
    let begun = std::time::Instant::now();
    holds_within_patience("time stands still", || begun.elapsed() > Duration::from_micros(200));
    LATE.fetch_add(usize::from(IS_DONE.load(Ordering::SeqCst)), Ordering::SeqCst);
}

/// So many of the first portion's last begin slowly: another worker than their supervisor's begins them.
const SLOW: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_is_killed_while_its_crowd_begins_leaves_nobody_and_nobody_begins_after_it() {
    let mut team = crowd();
    for last in team.children[PORTION - SLOW..PORTION].iter_mut().flatten() {
        last.child = Arc::new(Lingering {
            child: Arc::clone(&last.child),
            is_left: Arc::new(AtomicBool::new(false)),
            may_spawn: Arc::new(|| {
                begins_slowly();
                Ok(())
            }),
        });
    }
    let (sender, seen) = std::sync::mpsc::sync_channel::<Arc<Shared>>(1);
    let see = move |shared: &Arc<Shared>| sender.send(Arc::clone(shared)).unwrap();
    let root = Root::new().supervisor(team);
    let starting = root.start_seen(see, std::future::pending());
    let killing = tokio::task::spawn_blocking(move || {
        holds_within_patience("nobody begins", || IS_WANTED.load(Ordering::SeqCst));
        let shared = seen.recv().unwrap();
        let door = shared.find("team").unwrap().door;
        let supervisor = door.as_any().downcast::<Reception>().unwrap().cell().unwrap();
        supervisor.kill();
        let is_gone = || supervisor.get_status() == ActorStatus::Stopped;
        holds_within_patience("it goes on", is_gone);
        IS_DONE.store(true, Ordering::SeqCst);
        shared
    });
    let (started, shared) = tokio::join!(starting, killing);
    assert!(started.is_err());
    let shared = shared.unwrap();
    let begun = Instant::now();
    while let Some(node) = shared.roll().iter().find(|node| node.is_there(node.incarnation())) {
        assert!(begun.elapsed() < PATIENCE, "{node:?}");
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(LATE.load(Ordering::SeqCst), 0);
}
