//! Nothing is told that the disk may not have: neither before a sync has come back, nor where it has failed and nothing can
//! be read.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_supervision::metrics::Gauge;
use triarch_work::config::Config;
use triarch_work::error::{Refusal, TaskError};
use triarch_work::machine::Filter;
use triarch_work::metrics;
use triarch_work::task::State;
use triarch_work::words::TaskId;

use crate::house::*;

/// The next call of that kind fails, and nothing is read until the disk is healed.
fn break_down(disk: &SimDisk, call: Call) {
    disk.fail(call, 0, Fault::Io);
    (0..100).for_each(|_| disk.fail(Call::Read, 0, Fault::Io));
}

/// A task that was reported as done and another that was submitted, of which the disk took neither.
async fn done_in_vain(house: &House, disk: &SimDisk, call: Call) -> TaskId {
    let id = house.submit(task()).await;
    let claim = house.claim().await;
    break_down(disk, call);
    let more = house.tasks.submit(vec![task()]);
    let (refused, more) = tokio::join!(house.tasks.tell(id, claim.fence, done()), more);
    let refused = [refused.unwrap_err(), more.unwrap_err()];
    // Which of them comes first fails to be written; the other goes with it, or comes to a journal that takes nothing.
    let is_not_written = |refused: &TaskError| matches!(refused, TaskError::NotWritten(_));
    assert!(refused.iter().any(is_not_written), "{refused:?}");
    for refused in &refused {
        assert!(
            is_not_written(refused) || matches!(refused, TaskError::Closed { .. }),
            "{refused}"
        );
    }
    id
}

#[tokio::test(start_paused = true)]
async fn while_nothing_can_be_read_tasks_are_shown_as_the_disk_is_known_to_have_them() {
    for call in [Call::Sync, Call::Write] {
        let disk = SimDisk::new(1);
        let house = open(Arc::new(disk.clone()), Config::default()).await;
        let first = house.submit(task()).await;
        let claim = house.claim().await;
        let id = done_in_vain(&house, &disk, call).await;
        let tasks = &house.tasks;
        for _ in 0..10 {
            let refused = tasks.tell(first, claim.fence, done()).await.unwrap_err();
            assert!(matches!(refused, TaskError::Closed { .. }), "{refused}");
            for claimed in [first, id] {
                assert_eq!(tasks.show(claimed).await.unwrap().state, State::Claimed);
            }
            let never = tasks.show(TaskId::new(id.number() + 1)).await.unwrap_err();
            assert!(
                matches!(never, TaskError::Refused(Refusal::NoSuchTask { .. })),
                "{never}"
            );
            assert_eq!(tasks.list(Filter::default(), 10).await.unwrap().len(), 2);
            let overview = tasks.overview().await.unwrap();
            assert_eq!(
                (overview.open, overview.leases, overview.totals.of(State::Done)),
                (2, 2, 0)
            );
            assert!(tasks.late().await.unwrap().is_empty());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        disk.heal();
        until(async || tasks.tell(first, claim.fence, done()).await.ok()).await;
        assert!(house.tree.stop().await.is_orderly());
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_end_is_not_told_one_that_is_not_on_disk() {
    let mut is_done = 0;
    for seed in 0..20 {
        // What a sync failed on can be read all the same, and of what was being written hardly anything.
        let call = if seed % 2 == 0 { Call::Sync } else { Call::Write };
        let disk = SimDisk::new(seed);
        let house = open(Arc::new(disk.clone()), Config::default()).await;
        let id = done_in_vain(&house, &disk, call).await;
        let second = Duration::from_secs(1);
        let told = tokio::time::timeout(second, house.tasks.wait(id)).await;
        assert!(told.is_err(), "seed {seed}: {told:?}");
        disk.heal();
        until(async || house.tasks.submit(vec![task()]).await.ok()).await;
        let state = house.tasks.show(id).await.unwrap().state;
        let told = tokio::time::timeout(second, house.tasks.wait(id)).await;
        assert_eq!(told.is_ok(), state == State::Done, "seed {seed}: {told:?}");
        is_done += usize::from(told.is_ok());
        disk.cut_power();
        drop(house.tree.stop().await);
        let again = open(Arc::new(disk), Config::default()).await;
        assert_eq!(again.tasks.show(id).await.unwrap().state, state, "seed {seed}");
        assert!(again.tree.stop().await.is_orderly());
    }
    assert!((1..20).contains(&is_done), "{is_done} of the disks kept it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_tasks_is_answered_behind_the_sync_of_what_it_shows_and_else_at_once() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    let tasks = &house.tasks;
    // What is noted of the clocks each five seconds is on disk by then.
    until(async || (ready(&house) == Some(1.0)).then_some(())).await;
    let syncing = disk.hold(Call::Sync);
    assert_eq!(within(tasks.show(id)).await.unwrap().state, State::Ready);
    let cancelled = tasks.cancel(id, "not wanted");
    let looks = async || {
        let looked = tokio::join!(
            tasks.show(id),
            tasks.list(Filter::default(), 10),
            tasks.overview(),
            tasks.late(),
            tasks.wait(id),
        );
        let (shown, listed, overview, late, waited) = looked;
        let is_cancelled = |state| assert_eq!(state, State::Cancelled);
        is_cancelled(shown.unwrap().state);
        is_cancelled(listed.unwrap()[0].state);
        is_cancelled(waited.unwrap().state);
        assert_eq!((overview.unwrap().open, late.unwrap().len()), (0, 0));
    };
    let early = async {
        // The cancel is on its way by then: this is asked for behind it.
        let is_told = tokio::select! {
            _ = tasks.show(id) => true,
            _ = tasks.list(Filter::default(), 10) => true,
            _ = tasks.overview() => true,
            _ = tasks.late() => true,
            _ = tasks.wait(id) => true,
            () = tokio::time::sleep(Duration::from_millis(100)) => false,
        };
        assert!(!is_told, "it was told before it was on disk");
        drop(syncing);
        Box::pin(looks()).await;
    };
    let (cancelled, ()) = within(Box::pin(async { tokio::join!(cancelled, early) })).await;
    cancelled.unwrap();
    assert!(house.tree.stop().await.is_orderly());
}

/// How many tasks are ready, as a gauge shows it.
fn ready(house: &House) -> Option<f64> {
    let gauges = house.instruments.fans::<Gauge, 1>(&metrics::TASKS).unwrap();
    gauges.with(["build"]).at("ready").get()
}

#[tokio::test(start_paused = true)]
async fn gauges_show_tasks_once_these_are_on_disk() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let shown = || ready(&house);
    house.submit(task()).await;
    until(async || (shown() == Some(1.0)).then_some(())).await;
    let syncing = disk.hold(Call::Sync);
    let held = async {
        for _ in 0..100 {
            // Steps so small that nobody has stood still.
            tokio::time::advance(Duration::from_millis(100)).await;
            tokio::task::yield_now().await;
        }
        assert!(shown() == Some(1.0), "it is not on disk yet");
        drop(syncing);
    };
    tokio::join!(house.submit(task()), held);
    until(async || (shown() == Some(2.0)).then_some(())).await;
    assert!(house.tree.stop().await.is_orderly());
}
