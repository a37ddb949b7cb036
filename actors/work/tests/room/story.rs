//! What a room does for customers and workers.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::RealDisk;
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_work::Word;
use triarch_work::config::Config;
use triarch_work::error::{Refusal, TaskError};
use triarch_work::machine::{Event, Filter};
use triarch_work::task::State;

use crate::house::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart_as_if_paused() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::at(folder.path().join("work")).unwrap());
    let house = open(disk(), Config::default()).await;
    let (first, second, third) = (
        house.submit(task()).await,
        house.submit(task()).await,
        house.submit(task()).await,
    );
    let claim = house.claim().await;
    house.tasks.tell(first, claim.fence, done()).await.unwrap();
    let held = house.claim().await;
    assert_eq!(held.task, second);
    assert!(house.tree.stop().await.is_orderly());

    let house = open(disk(), Config::default()).await;
    let view = house.tasks.show(first).await.unwrap();
    assert_eq!((view.state, view.result), (State::Done, Some(b"ok".to_vec())));
    let view = house.tasks.show(second).await.unwrap();
    assert_eq!((view.state, view.fence), (State::Claimed, Some(held.fence)));
    assert!(view.lease_left.unwrap() > Duration::from_secs(20), "{view:?}");
    house.tasks.tell(second, held.fence, done()).await.unwrap();
    let claim = house.claim().await;
    assert!(claim.task == third && claim.fence > held.fence);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_served_when_there_is_a_task_and_told_when_it_has_ended() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let mut heard = house.events.hear();
    assert_eq!(house.tasks.claim(request(false)).await.unwrap(), []);
    let tasks = house.tasks.clone();
    let worker = async {
        let claim = tasks.claim(request(true)).await.unwrap().pop().unwrap();
        tasks.tell(claim.task, claim.fence, Word::Began).await.unwrap();
        tasks.tell(claim.task, claim.fence, done()).await.unwrap();
        claim.task
    };
    let customer = async {
        let id = house.submit(task()).await;
        house.tasks.wait(id).await.unwrap()
    };
    let (id, view) = within(Box::pin(async { tokio::join!(worker, customer) })).await;
    assert_eq!((view.task, view.state), (id, State::Done));
    assert_eq!(
        house.tasks.wait(id).await.unwrap().state,
        State::Done,
        "also afterwards"
    );
    let mut states = Vec::new();
    while let Ok(event) = heard.try_recv() {
        states.push(event);
    }
    assert!(
        matches!(states.last(), Some(Event::Ended { state: State::Done, .. })),
        "{states:?}"
    );
    assert_eq!(house.submitted(), 1);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_lapses_though_nobody_asks_and_a_cancel_reaches_the_worker() {
    let lease = Duration::from_millis(20);
    let house = open(
        Arc::new(SimDisk::new(1)),
        Config {
            lease,
            ..Config::default()
        },
    )
    .await;
    let mut heard = house.events.hear();
    let id = house.submit(task()).await;
    let claim = house.claim().await;
    let lapsed = within(async {
        loop {
            if let Event::Revoked { task, fence, .. } = heard.recv().await.unwrap() {
                return (task, fence);
            }
        }
    });
    assert_eq!(lapsed.await, (id, claim.fence));
    let refused = house.tasks.tell(id, claim.fence, done()).await.unwrap_err();
    assert!(
        matches!(refused, TaskError::Refused(Refusal::Stale { .. })),
        "{refused}"
    );
    assert_eq!(house.tasks.late().await.unwrap().len(), 1);
    house.tasks.cancel(id, "not wanted").await.unwrap();
    assert_eq!(house.tasks.show(id).await.unwrap().why.as_deref(), Some("not wanted"));
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_tasks_are_shown_and_not_changed_and_then_all_goes_on() {
    let disk = SimDisk::new(3);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    disk.space(Some(disk.used()));
    // What the room notes of the clocks may be what finds the disk full, before any of these.
    let is_not_written = |refused| matches!(refused, TaskError::NotWritten(_) | TaskError::Closed { .. });
    assert!(is_not_written(house.tasks.submit(vec![task()]).await.unwrap_err()));
    for _ in 0..3 {
        assert!(is_not_written(house.tasks.cancel(id, "").await.unwrap_err()));
        let listed = house.tasks.list(Filter::default(), 10).await.unwrap();
        assert_eq!(
            listed.iter().map(|view| (view.task, view.state)).collect::<Vec<_>>(),
            [(id, State::Ready)]
        );
    }
    disk.space(None);
    let next = until(async || house.tasks.submit(vec![task()]).await.ok()).await;
    assert_eq!(next[0].task.number(), 2, "nothing of what was refused has stayed");
    let claims = [house.claim().await.task, house.claim().await.task];
    assert_eq!(claims, [id, next[0].task]);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_the_journal_is_verified_and_tasks_are_what_it_says() {
    let disk = SimDisk::new(4);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    disk.fail(Call::Sync, 0, Fault::Io);
    let refused = house.tasks.cancel(id, "").await.unwrap_err();
    assert!(matches!(refused, TaskError::NotWritten(_)), "{refused}");
    let next = until(async || house.tasks.submit(vec![task()]).await.ok()).await;
    let listed = house.tasks.list(Filter::default(), 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|view| view.task).collect::<Vec<_>>(),
        [id, next[0].task]
    );
    assert!(house.tree.stop().await.is_orderly());
    let again = open(Arc::new(disk), Config::default()).await;
    let kept = again.tasks.list(Filter::default(), 10).await.unwrap();
    let states = |views: &[triarch_work::machine::View]| views.iter().map(|view| view.state).collect::<Vec<_>>();
    assert_eq!(states(&kept), states(&listed));
    assert!(again.tree.stop().await.is_orderly());
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_stand_for_old_records() {
    let disk = SimDisk::new(5);
    let config = || Config {
        snapshot_after: 4_000,
        ended_max: 10,
        ..Config::default()
    };
    let house = open(Arc::new(disk.clone()), config()).await;
    for _ in 0..300 {
        let id = house.submit(task()).await;
        let claim = house.claim().await;
        house.tasks.tell(id, claim.fence, done()).await.unwrap();
    }
    until(async || disk.names().iter().any(|name| name.ends_with("snapshot")).then_some(())).await;
    assert!(disk.used() < 30_000, "{} bytes for ten tasks", disk.used());
    let before = house.tasks.overview().await.unwrap();
    assert!(house.tree.stop().await.is_orderly());
    let house = open(Arc::new(disk), config()).await;
    let after = house.tasks.overview().await.unwrap();
    assert_eq!((after.totals, after.ended_kept), (before.totals, 10));
    assert!(house.tree.stop().await.is_orderly());
}
