//! The room as it is used: over a disk that forgets, fills up and fails.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_journal::{Disk, RealDisk};
use triarch_supervision::clock::Seeded;
use triarch_supervision::metrics::{Counter, Instruments};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;
use triarch_work::config::Config;
use triarch_work::error::{Refusal, TaskError};
use triarch_work::machine::{Event, Filter, Mend};
use triarch_work::task::{Claim, State, Submission};
use triarch_work::words::{Key, Kind, TaskId, Worker};
use triarch_work::{Events, Request, TaskAddress, Word, metrics, room};

/// Guards against hanging; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(1);

struct House {
    tree: Tree,
    tasks: TaskAddress,
    events: Events,
    instruments: Instruments,
}

async fn open(disk: Arc<dyn Disk>, config: Config) -> House {
    let instruments = Instruments::with_tree(&[metrics::WORK, triarch_journal::metrics::JOURNALS]).unwrap();
    let work = room(config, disk, triarch_journal::Config::default(), &instruments).unwrap();
    let tree = Root::new()
        .instruments(instruments.clone())
        .supervisor(work.room)
        .start()
        .await
        .unwrap();
    House {
        tree,
        tasks: work.tasks,
        events: work.events,
        instruments,
    }
}

impl House {
    async fn submit(&self, submission: Submission) -> TaskId {
        self.tasks.submit(vec![submission]).await.unwrap()[0].task
    }

    async fn claim(&self) -> Claim {
        self.tasks.claim(request(true)).await.unwrap().pop().unwrap()
    }
}

fn task() -> Submission {
    Submission::of(Kind::new("build").unwrap())
}

fn request(waits: bool) -> Request {
    let worker = Worker::new("team/a").unwrap();
    Request {
        worker,
        able: Vec::new(),
        most: 1,
        lease: None,
        waits,
    }
}

fn done() -> Word {
    Word::Done { result: b"ok".to_vec() }
}

async fn within<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, story).await.expect("it hangs")
}

async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    within(async {
        loop {
            match look().await {
                Some(seen) => return seen,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    })
    .await
}

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
    let submitted = house
        .instruments
        .fans::<Counter, 1>(&metrics::SUBMITTED)
        .unwrap()
        .with(["build"]);
    assert_eq!(submitted.at("normal").get(), 1);
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
    let refused = house.tasks.submit(vec![task()]).await.unwrap_err();
    assert!(matches!(refused, TaskError::NotWritten(_)), "{refused}");
    for _ in 0..3 {
        let refused = house.tasks.cancel(id, "").await.unwrap_err();
        assert!(
            matches!(refused, TaskError::NotWritten(_) | TaskError::Closed { .. }),
            "{refused}"
        );
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

/// What customers and workers were told across power cuts.
#[derive(Default)]
struct Told {
    submitted: BTreeMap<Key, TaskId>,
    done: BTreeMap<TaskId, u32>,
    claimed: Vec<(TaskId, triarch_work::words::Fence)>,
}

async fn live(house: &House, chance: &mut Seeded, told: &mut Told, keys: &mut u64) {
    for _ in 0..chance.below(30) {
        match chance.below(3) {
            0 => {
                *keys += 1;
                let key = Key::new(format!("key-{keys}")).unwrap();
                let submission = Submission {
                    key: Some(key.clone()),
                    ..task()
                };
                if let Ok(accepted) = house.tasks.submit(vec![submission]).await {
                    told.submitted.insert(key, accepted[0].task);
                }
            }
            1 => {
                let claims = house.tasks.claim(request(false)).await.unwrap_or_default();
                told.claimed
                    .extend(claims.iter().map(|claim| (claim.task, claim.fence)));
            }
            _ if told.claimed.is_empty() => {}
            _ => {
                let place = usize::try_from(chance.below(told.claimed.len() as u64)).unwrap();
                let (task, fence) = told.claimed.swap_remove(place);
                let word = if chance.below(4) == 0 {
                    Word::Failed {
                        why: "chaos".into(),
                        mend: Mend::Possible,
                    }
                } else {
                    done()
                };
                let is_done = matches!(word, Word::Done { .. });
                if house.tasks.tell(task, fence, word).await.is_ok() && is_done {
                    *told.done.entry(task).or_default() += 1;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_lose_nothing_acknowledged_and_nothing_is_done_twice() {
    for seed in 0..20 {
        let (disk, mut chance) = (SimDisk::new(seed), Seeded::new(seed));
        let (mut told, mut keys) = (Told::default(), 0);
        for _ in 0..5 {
            let house = open(
                Arc::new(disk.clone()),
                Config {
                    snapshot_after: 2_000,
                    ..Config::default()
                },
            )
            .await;
            disk.fail(Call::Sync, chance.below(20), Fault::PowerCut);
            within(live(&house, &mut chance, &mut told, &mut keys)).await;
            disk.heal();
            disk.cut_power();
            house.tree.stop().await;
        }
        let house = open(Arc::new(disk), Config::default()).await;
        for (key, task) in &told.submitted {
            let view = house.tasks.show(*task).await.unwrap();
            assert_eq!(view.key.as_deref(), Some(key.as_str()), "seed {seed}");
        }
        for (task, times) in &told.done {
            let state = house.tasks.show(*task).await.unwrap().state;
            assert_eq!((state, *times), (State::Done, 1), "seed {seed}: task {task}");
        }
        let overview = house.tasks.overview().await.unwrap();
        let ended: u64 = overview.totals.ended.iter().sum();
        assert_eq!(overview.totals.submitted, ended + overview.open as u64, "seed {seed}");
        assert!(house.tree.stop().await.is_orderly());
    }
}
