//! A queue over a journal that takes little at once.

use std::sync::Arc;

use tokio::sync::broadcast;
use triarch_journal::scribe;
use triarch_journal::testing::SimDisk;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;

use super::*;
use crate::config::Config;
use crate::error::TaskError;
use crate::metrics::{Metrics, WORK};
use crate::snapshots::Copyist;
use crate::task::{State, Submission};
use crate::withheld::Withheld;
use crate::words::{Fence, Kind, TaskId, Worker};
use crate::{codec, record::Record};

/// The journal takes so much at once.
const LITTLE: usize = 1_000;
const MANY: usize = 100;

/// A queue that believes its journal to take `portion` at once, and takes a snapshot after so many bytes.
async fn open(disk: &SimDisk, portion: usize, snapshot_after: usize) -> (Tree, TaskAddress) {
    let instruments = Instruments::with_tree(&[WORK, triarch_journal::metrics::JOURNALS]).unwrap();
    let little = triarch_journal::Config {
        record_bytes_max: LITTLE,
        ..triarch_journal::Config::default()
    };
    let (scribe, journal) = scribe("scribe", "work", Arc::new(disk.clone()), little, &instruments).unwrap();
    let copyist = Child::of::<Copyist>("copyist", ());
    let settings = Settings {
        withheld: Withheld::default(),
        config: Config {
            snapshot_after,
            ..Config::default()
        },
        journal,
        copyist: copyist.address(),
        portion,
        teller: Teller::new(Metrics::new(&instruments).unwrap(), broadcast::channel(16).0),
    };
    let queue = Child::of::<Queue>("queue", settings);
    let tasks = TaskAddress::new(queue.address());
    let room = Supervisor::named("work").child(scribe).child(queue).child(copyist);
    let tree = Root::new()
        .instruments(instruments)
        .supervisor(room)
        .start()
        .await
        .unwrap();
    (tree, tasks)
}

fn request(name: &str, waits: bool) -> Request {
    Request {
        worker: Worker::new(name).unwrap(),
        able: Vec::new(),
        most: 1,
        lease: None,
        waits,
        rank: None,
    }
}

/// As many tasks in the hands of `a`, so that to abandon them takes far more than the journal takes at once.
async fn all_claimed(tasks: &TaskAddress) {
    for _ in 0..MANY {
        let task = Submission::of(Kind::new("build").unwrap());
        tasks.submit(vec![task]).await.unwrap();
        assert_eq!(tasks.claim(request("a", false)).await.unwrap().len(), 1);
    }
}

async fn states(tasks: &TaskAddress) -> Vec<State> {
    let views = tasks.list(machine::Filter::default(), 1_000).await.unwrap();
    views.into_iter().map(|view| view.state).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_at_once_is_written_in_portions() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    all_claimed(&tasks).await;
    assert_eq!(tasks.abandon(Worker::new("a").unwrap()).await.unwrap(), MANY);
    disk.cut_power();
    drop(tree.stop().await);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    assert_eq!(states(&tasks).await, [State::Ready; MANY]);
    drop(tree.stop().await);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_over_a_gap() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, usize::MAX, 1).await;
    all_claimed(&tasks).await;
    let failing = async {
        let refused = tasks.abandon(Worker::new("a").unwrap()).await.unwrap_err();
        assert!(matches!(refused, TaskError::NotWritten(_)), "{refused}");
        assert_eq!(
            states(&tasks).await,
            [State::Claimed; MANY],
            "what was not written is taken back"
        );
        let more = Submission::of(Kind::new("build").unwrap());
        tasks.submit(vec![more]).await.unwrap()[0].task
    };
    let (claims, more) = tokio::join!(tasks.claim(request("b", true)), failing);
    assert_eq!(more, TaskId::new(MANY as u64 + 1));
    assert_eq!(
        claims.unwrap()[0].task,
        more,
        "who waits has not been given what was taken back"
    );
    drop(tree.stop().await);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    assert_eq!(states(&tasks).await, [State::Claimed; MANY + 1]);
    drop(tree.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_done_is_told_as_done_though_the_queue_is_gone_by_then() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    let submission = Submission::of(Kind::new("build").unwrap());
    let task = tasks.submit(vec![submission]).await.unwrap()[0].task;
    // In one go, so that the queue stops right behind the drain and the end of the last task.
    let room = tree.observer().supervisor("work").unwrap();
    let (drained, cancelled, stopped) = tokio::join!(
        tokio::time::timeout(std::time::Duration::from_secs(1), tasks.drain(true)),
        tasks.cancel(task, "not wanted"),
        room.terminate_child("queue")
    );
    cancelled.unwrap();
    stopped.unwrap();
    let drained = drained.unwrap().unwrap();
    assert!(drained.is_draining && drained.open == 1, "{drained:?}");
    drop(tree.stop().await);
}

/// A task that somebody has claimed, and the word by which it fails.
async fn to_fail(tasks: &TaskAddress) -> (TaskId, Fence, Word) {
    let submission = Submission::of(Kind::new("build").unwrap());
    let task = tasks.submit(vec![submission]).await.unwrap()[0].task;
    let claim = tasks.claim(request("a", false)).await.unwrap().remove(0);
    let failed = Word::Failed {
        why: "no ink".to_owned(),
        mend: machine::Mend::Hopeless,
    };
    (task, claim.fence, failed)
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_tried_again_by_hand_and_what_ended_is_dropped_for_good() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    let (task, fence, failed) = to_fail(&tasks).await;
    tasks.tell(task, fence, failed).await.unwrap();
    assert_eq!(states(&tasks).await, [State::Failed]);
    tasks.retry(task).await.unwrap();
    assert_eq!(states(&tasks).await, [State::Ready]);
    assert!(tasks.drop_ended(task).await.is_err(), "it has not ended");
    tasks.cancel(task, "not wanted").await.unwrap();
    assert!(tasks.retry(task).await.is_err(), "it was called off");
    tasks.drop_ended(task).await.unwrap();
    disk.cut_power();
    drop(tree.stop().await);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    assert_eq!(states(&tasks).await, []);
    drop(tree.stop().await);
}

#[tokio::test(start_paused = true)]
async fn new_ranks_are_those_of_claims_that_still_wait_and_not_of_those_given_up() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    let ranked = |name: &str, place| Request {
        rank: Some(Rank {
            team: "one".into(),
            place,
        }),
        ..request(name, true)
    };
    let second = std::time::Duration::from_secs(1);
    let given_up = tokio::time::timeout(second, tasks.claim(ranked("a", 9)));
    assert!(given_up.await.is_err());
    let customer = async {
        tokio::time::sleep(second).await;
        tasks.rank(Worker::new("a").unwrap(), vec![1]);
        for _ in 0..2 {
            let task = Submission::of(Kind::new("build").unwrap());
            tasks.submit(vec![task]).await.unwrap();
        }
    };
    let (five, nine, ()) = tokio::join!(tasks.claim(ranked("b", 5)), tasks.claim(ranked("a", 9)), customer);
    let number = |claims: Result<Vec<crate::task::Claim>, TaskError>| claims.unwrap()[0].task.number();
    assert_eq!(
        (number(five), number(nine)),
        (2, 1),
        "the new rank of `a` is the lowest"
    );
    drop(tree.stop().await);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_task_that_is_tried_again_is_not_told_its_end_before_that() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    let (task, fence, failed) = to_fail(&tasks).await;
    let second = std::time::Duration::from_secs(1);
    let later = async {
        // In one go, so that the end is on its way to the disk when it is tried again.
        let (told, retried, end) = tokio::join!(
            tasks.tell(task, fence, failed),
            tasks.retry(task),
            tokio::time::timeout(second, tasks.wait(task))
        );
        told.unwrap();
        retried.unwrap();
        assert!(end.is_err(), "it is open again: {end:?}");
    };
    let (view, ()) = tokio::join!(tasks.wait(task), later);
    assert_eq!(view.unwrap().state, State::Failed);
    drop(tree.stop().await);
}

/// All records that are on disk.
async fn written(disk: &SimDisk) -> Vec<Record> {
    let instruments = Instruments::with_tree(&[triarch_journal::metrics::JOURNALS]).unwrap();
    let config = triarch_journal::Config::default();
    let (scribe, journal) = scribe("scribe", "work", Arc::new(disk.clone()), config, &instruments).unwrap();
    let tree = Root::new()
        .instruments(instruments)
        .supervisor(Supervisor::named("work").child(scribe))
        .start()
        .await
        .unwrap();
    let (_writer, recovered) = journal.recover().await.unwrap();
    let records = recovered
        .records
        .map(|record| codec::decode(&record.unwrap().bytes).unwrap())
        .collect();
    drop(tree.stop().await);
    records
}

#[tokio::test(start_paused = true)]
async fn the_first_task_after_a_while_with_none_is_written_with_what_the_clocks_show() {
    let disk = SimDisk::new(1);
    let (tree, tasks) = open(&disk, LITTLE, 1 << 20).await;
    let submit = async || {
        let submission = Submission::of(Kind::new("build").unwrap());
        tasks.submit(vec![submission]).await.unwrap()[0].task
    };
    let hour = std::time::Duration::from_hours(1);
    tokio::time::sleep(hour).await;
    let first = submit().await;
    submit().await;
    for task in [first, first.next()] {
        let claim = tasks.claim(request("a", false)).await.unwrap().remove(0);
        let why = "no ink".to_owned();
        let mend = machine::Mend::Hopeless;
        tasks.tell(task, claim.fence, Word::Failed { why, mend }).await.unwrap();
    }
    tokio::time::sleep(hour).await;
    tasks.retry(first).await.unwrap();
    drop(tree.stop().await);
    let records = written(&disk).await;
    let is_anchored = |wanted: fn(&Record) -> bool| {
        let (before, of) = (records.iter(), records.iter().skip(1));
        let pairs = before.zip(of).filter(|(_, record)| wanted(record));
        let anchored =
            pairs.map(|(before, record)| matches!(before, Record::Anchored(anchor) if anchor.at == record.at()));
        anchored.collect::<Vec<_>>()
    };
    let is_submitted = |record: &Record| matches!(record, Record::Submitted { .. });
    assert!(is_anchored(is_submitted)[0]);
    assert_eq!(is_anchored(|record| matches!(record, Record::Retried { .. })), [true]);
}
