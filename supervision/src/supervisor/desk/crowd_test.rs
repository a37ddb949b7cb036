//! Many that start at once, on a runtime of several workers.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
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

/// How far the kill of the supervisor has come.
static KILL: Mutex<Kill> = Mutex::new(Kill::NotYet);
static FURTHER: Condvar = Condvar::new();

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kill {
    NotYet,
    Wanted,
    Done,
}

fn comes_to(to: Kill) {
    *lock(&KILL) = to;
    FURTHER.notify_all();
}

fn waits_for(stage: Kill) {
    let is_before = |kill: &mut Kill| *kill != stage;
    let (_kill, waited) = unpoisoned(FURTHER.wait_timeout_while(lock(&KILL), PATIENCE, is_before));
    assert!(!waited.timed_out(), "the kill does not come about");
}

/// The last of the first portion: another worker than its supervisor's begins it.
const LAST: usize = PORTION - 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_supervisor_that_is_killed_while_its_crowd_begins_leaves_nobody() {
    let mut team = crowd();
    let last = team.children[LAST].as_mut().unwrap();
    last.child = Arc::new(Lingering {
        child: Arc::clone(&last.child),
        is_left: Arc::new(AtomicBool::new(false)),
        may_spawn: Arc::new(|| {
            comes_to(Kill::Wanted);
            waits_for(Kill::Done);
            Ok(())
        }),
    });
    let (sender, seen) = std::sync::mpsc::sync_channel::<Arc<Shared>>(1);
    let see = move |shared: &Arc<Shared>| sender.send(Arc::clone(shared)).unwrap();
    let root = Root::new().supervisor(team);
    let starting = root.start_seen(see, std::future::pending());
    let killing = tokio::task::spawn_blocking(move || {
        waits_for(Kill::Wanted);
        let shared = seen.recv().unwrap();
        let door = shared.find("team").unwrap().door;
        let supervisor = door.as_any().downcast::<Reception>().unwrap().cell().unwrap();
        supervisor.kill();
        let begun = std::time::Instant::now();
        while supervisor.get_status() < ActorStatus::Stopped {
            assert!(begun.elapsed() < PATIENCE, "it goes on");
            std::thread::yield_now();
        }
        comes_to(Kill::Done);
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
}
