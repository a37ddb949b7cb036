//! A disk that refuses: what is told meanwhile, and what is so afterwards.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use triarch_journal::testing::{Call, Fault, REFUSING, SimDisk};
use triarch_supervision::metrics::Instruments;
use triarch_work::config::Config;
use triarch_work::error::{Error, Refusal, TaskError};
use triarch_work::machine::{Event, Filter};
use triarch_work::task::{After, State, Submission};
use triarch_work::{metrics, room};

use crate::house::*;

#[test]
fn a_journal_that_would_refuse_a_record_is_refused_itself() {
    let instruments = Instruments::with_tree(&[metrics::WORK, triarch_journal::metrics::JOURNALS]).unwrap();
    let journal = triarch_journal::Config {
        record_bytes_max: 1 << 20,
        ..triarch_journal::Config::default()
    };
    let refused = room(Config::default(), Arc::new(SimDisk::new(1)), journal, &instruments).unwrap_err();
    assert!(matches!(refused, Error::Records { .. }), "{refused}");
    assert_eq!(
        refused.to_string(),
        "the journal of tasks takes records of 1048576 bytes at most, and one of tasks may have 3145728; raise record_bytes_max of the journal"
    );
}

#[tokio::test(start_paused = true)]
async fn leases_do_not_run_out_while_nothing_can_be_written() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    let claim = house.claim().await;
    disk.space(Some(disk.used()));
    house.tasks.submit(vec![task()]).await.unwrap_err();
    tokio::time::sleep(Duration::from_mins(10)).await;
    disk.space(None);
    until(async || house.tasks.submit(vec![task()]).await.ok()).await;
    let view = house.tasks.show(id).await.unwrap();
    assert_eq!((view.state, view.fence), (State::Claimed, Some(claim.fence)));
    assert!(view.lease_left.unwrap() > Duration::from_secs(20), "{view:?}");
    house.tasks.tell(id, claim.fence, done()).await.unwrap();
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_standstill_prolongs_leases_by_as_much_as_it_lasted() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let id = house.submit(task()).await;
    house.claim().await;
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    tokio::time::advance(Duration::from_millis(1_200)).await;
    let left = house.tasks.show(id).await.unwrap().lease_left.unwrap();
    let expected = Duration::from_millis(23_900)..Duration::from_millis(25_200);
    assert!(expected.contains(&left), "{left:?}");
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_once_what_it_rests_on_is_on_disk() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    let claim = house.claim().await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    disk.fail(Call::Sync, 0, Fault::Io);
    let refused = house.tasks.tell(id, claim.fence, done()).await.unwrap_err();
    assert!(
        matches!(refused, TaskError::NotWritten(_)),
        "nothing is kept yet: {refused}"
    );
    let refused = until(
        async || match house.tasks.tell(id, claim.fence, done()).await.unwrap_err() {
            TaskError::Refused(refusal) => Some(refusal),
            _ => None,
        },
    )
    .await;
    assert!(matches!(refused, Refusal::Stale { .. }), "{refused}");
    assert!(!house.tasks.late().await.unwrap().is_empty());
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_turns_out_to_be_written_reaches_the_worker() {
    let mut turned_out = 0;
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let house = open(Arc::new(disk.clone()), Config::default()).await;
        let mut heard = house.events.hear();
        let id = house.submit(task()).await;
        let claim = house.claim().await;
        disk.fail(Call::Sync, 0, Fault::Io);
        let refused = house.tasks.cancel(id, "not wanted").await.unwrap_err();
        assert!(matches!(refused, TaskError::NotWritten(_)), "{refused}");
        until(async || house.tasks.submit(vec![task()]).await.ok()).await;
        let is_cancelled = house.tasks.show(id).await.unwrap().state == State::Cancelled;
        let mut revoked = 0;
        while let Ok(event) = heard.try_recv() {
            revoked += usize::from(matches!(event, Event::Revoked { fence, .. } if fence == claim.fence));
        }
        assert_eq!(revoked, usize::from(is_cancelled), "seed {seed}");
        turned_out += revoked;
        assert!(house.tree.stop().await.is_orderly());
    }
    assert!(turned_out > 0, "no seed kept the cancel");
}

#[tokio::test(start_paused = true)]
async fn what_becomes_ready_by_time_is_told() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let mut heard = house.events.hear();
    // At another time than the notes of every five seconds.
    let not_before = Some(Duration::from_secs(12));
    let task = house.submit(Submission { not_before, ..task() }).await;
    assert!(matches!(heard.recv().await, Ok(Event::Submitted { .. })));
    let ready = within(heard.recv()).await.unwrap();
    assert_eq!(ready, Event::Ready { task });
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn only_what_is_on_disk_is_counted_and_told() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let mut heard = house.events.hear();
    house.submit(task()).await;
    disk.space(Some(disk.used()));
    house.tasks.submit(vec![task()]).await.unwrap_err();
    assert_eq!(house.submitted(), 1);
    disk.space(None);
    until(async || house.tasks.submit(vec![task()]).await.ok()).await;
    assert_eq!(house.submitted(), 2);
    let mut told = 0;
    while let Ok(event) = heard.try_recv() {
        told += usize::from(matches!(event, Event::Submitted { .. }));
    }
    assert_eq!(told, 2);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_end_of_a_task_is_told_on_a_full_disk_too() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    let claim = house.claim().await;
    house.tasks.tell(id, claim.fence, done()).await.unwrap();
    disk.space(Some(disk.used()));
    house.tasks.submit(vec![task()]).await.unwrap_err();
    until(async || {
        let refused = house.tasks.submit(vec![task()]).await.unwrap_err();
        matches!(refused, TaskError::Closed { .. }).then_some(())
    })
    .await;
    assert_eq!(house.tasks.wait(id).await.unwrap().state, State::Done);
    disk.space(None);
    until(async || house.tasks.submit(vec![task()]).await.ok()).await;
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_drain_outlives_a_crash_and_ends_with_an_orderly_stop() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    house.tasks.drain(true).await.unwrap();
    disk.cut_power();
    drop(house.tree.stop().await);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    assert!(house.tasks.overview().await.unwrap().is_draining, "as if paused");
    let refused = house.tasks.submit(vec![task()]).await.unwrap_err();
    assert!(matches!(refused, TaskError::Refused(Refusal::Draining)), "{refused}");
    assert!(house.tree.stop().await.is_orderly());
    let house = open(Arc::new(disk), Config::default()).await;
    house.submit(task()).await;
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_where_the_queue_begins_anew_or_its_room_gives_up() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    house.tasks.drain(true).await.unwrap();
    let observer = house.tree.observer();
    let (tree, room) = (
        observer.supervisor("root").unwrap(),
        observer.supervisor("work").unwrap(),
    );
    room.terminate_child("queue").await.unwrap();
    room.restart_child("queue").await.unwrap();
    assert!(
        house.tasks.overview().await.unwrap().is_draining,
        "the queue began anew"
    );
    tree.terminate_child("work").await.unwrap();
    tree.restart_child("work").await.unwrap();
    let is_draining = until(async || Some(house.tasks.overview().await.ok()?.is_draining)).await;
    assert!(is_draining, "the room began anew");
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_end_is_told_though_more_ended_at_once_than_are_kept() {
    let config = Config {
        ended_max: 1,
        ..Config::default()
    };
    let house = open(Arc::new(SimDisk::new(1)), config).await;
    let first = house.submit(task()).await;
    let after = Submission {
        after: vec![After::Task(first)],
        ..task()
    };
    let behind = [house.submit(after.clone()).await, house.submit(after).await];
    let all = [first, behind[0], behind[1]];
    let waiting = join_all(all.map(|task| house.tasks.wait(task)));
    let cancelled = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        house.tasks.cancel(first, "not wanted").await.unwrap();
    };
    let (views, ()) = within(Box::pin(async { tokio::join!(waiting, cancelled) })).await;
    for view in views {
        assert_eq!(view.unwrap().state, State::Cancelled);
    }
    assert_eq!(house.tasks.overview().await.unwrap().ended_kept, 1);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn many_short_lives_get_a_snapshot_too() {
    let disk = SimDisk::new(1);
    let config = || Config {
        snapshot_after: 4_000,
        ended_max: 10,
        ..Config::default()
    };
    let has_snapshot = || disk.names().iter().any(|name| name.ends_with("snapshot"));
    for life in 0..10 {
        let house = open(Arc::new(disk.clone()), config()).await;
        for _ in 0..10 {
            let id = house.submit(task()).await;
            let claim = house.claim().await;
            house.tasks.tell(id, claim.fence, done()).await.unwrap();
        }
        assert!(life > 2 || !has_snapshot(), "a life writes far less than that");
        assert!(house.tree.stop().await.is_orderly());
    }
    assert!(has_snapshot(), "ten lives write far more");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_end_that_turns_out_to_be_written_is_told() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let house = open(Arc::new(disk.clone()), Config::default()).await;
        let id = house.submit(task()).await;
        disk.fail(Call::Sync, 0, Fault::Io);
        let cancelled = async {
            house.tasks.cancel(id, "not wanted").await.unwrap_err();
            // Where it was written, that is no second end.
            until(async || house.tasks.cancel(id, "not wanted").await.ok()).await;
        };
        let (view, ()) = within(Box::pin(async { tokio::join!(house.tasks.wait(id), cancelled) })).await;
        assert_eq!(view.unwrap().state, State::Cancelled, "seed {seed}");
        assert!(house.tree.stop().await.is_orderly());
    }
}

/// What a disk has to do with whoever writes takes them no longer.
const TOLD_WITHIN: Duration = Duration::from_millis(100);
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_full_or_failing_disk_is_told_at_once_and_written_soon_after_it_is_mended() {
    for refuse in REFUSING {
        let disk = SimDisk::new(1);
        let house = open(Arc::new(disk.clone()), Config::default()).await;
        let id = house.submit(task()).await;
        refuse(&disk);
        for _ in 0..100 {
            let begun = Instant::now();
            house.tasks.submit(vec![task()]).await.unwrap_err();
            assert!(begun.elapsed() <= TOLD_WITHIN, "told after {:?}", begun.elapsed());
            assert_eq!(house.tasks.show(id).await.unwrap().state, State::Ready, "all is read");
            assert_eq!(house.tasks.list(Filter::default(), 10).await.unwrap().len(), 1);
            tokio::time::sleep(Duration::from_millis(730)).await;
        }
        disk.space(None);
        disk.heal();
        let mended = Instant::now();
        until(async || house.tasks.submit(vec![task()]).await.ok()).await;
        assert!(
            mended.elapsed() <= WRITTEN_WITHIN,
            "written after {:?}",
            mended.elapsed()
        );
        assert!(house.tree.stop().await.is_orderly());
    }
}
