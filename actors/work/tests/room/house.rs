//! A room over a disk, and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::Disk;
use triarch_journal::testing::SimDisk;
use triarch_supervision::metrics::{Counter, Instruments};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;
use triarch_teams::PostOffice;
use triarch_work::config::Config;
use triarch_work::dispatcher::Roster;
use triarch_work::task::{Claim, Submission};
use triarch_work::words::{Kind, TaskId, Worker};
use triarch_work::{Events, Request, TaskAddress, Withheld, Word, metrics, room};

/// Guards against hanging; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct House {
    pub(crate) tree: Tree,
    pub(crate) tasks: TaskAddress,
    pub(crate) events: Events,
    pub(crate) instruments: Instruments,
}

pub(crate) async fn open(disk: Arc<dyn Disk>, config: Config) -> House {
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

/// A room that hands tasks to the agents of a team which are on the roster.
pub(crate) struct Dispatching {
    pub(crate) tree: Tree,
    pub(crate) tasks: TaskAddress,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) roster: Roster,
    pub(crate) withheld: Withheld,
}

pub(crate) async fn dispatching(team: Supervisor) -> Dispatching {
    dispatching_with(Config::default(), team).await
}

pub(crate) async fn dispatching_with(config: Config, team: Supervisor) -> Dispatching {
    let sections = [
        metrics::WORK,
        triarch_journal::metrics::JOURNALS,
        triarch_teams::metrics::TEAMS,
    ];
    let instruments = Instruments::with_tree(&sections).unwrap();
    let office = Arc::new(PostOffice::new(1, &instruments).unwrap());
    let journal = triarch_journal::Config::default();
    let work = room(config, Arc::new(SimDisk::new(1)), journal, &instruments).unwrap();
    let (work, roster, _in_hands) = work.dispatching(Arc::clone(&office));
    let tree = Root::new()
        .instruments(instruments)
        .supervisor(work.room)
        .supervisor(team)
        .start()
        .await
        .unwrap();
    Dispatching {
        tree,
        tasks: work.tasks,
        office,
        roster,
        withheld: work.withheld,
    }
}

impl House {
    pub(crate) async fn submit(&self, submission: Submission) -> TaskId {
        self.tasks.submit(vec![submission]).await.unwrap()[0].task
    }

    /// How many tasks were counted as submitted.
    pub(crate) fn submitted(&self) -> u64 {
        let submitted = self.instruments.fans::<Counter, 1>(&metrics::SUBMITTED).unwrap();
        submitted.with(["build"]).at("normal").get()
    }

    /// How many records of it are on disk.
    pub(crate) fn written(&self) -> u64 {
        let records = self
            .instruments
            .labelled::<Counter, 1>(&triarch_journal::metrics::RECORDS)
            .unwrap();
        records.with(["work"]).get()
    }

    pub(crate) async fn claim(&self) -> Claim {
        self.tasks.claim(request(true)).await.unwrap().pop().unwrap()
    }
}

pub(crate) fn task() -> Submission {
    Submission::of(Kind::new("build").unwrap())
}

pub(crate) fn request(waits: bool) -> Request {
    let worker = Worker::new("team/a").unwrap();
    Request {
        worker,
        able: Vec::new(),
        most: 1,
        lease: None,
        waits,
        rank: None,
    }
}

pub(crate) fn done() -> Word {
    Word::Done { result: b"ok".to_vec() }
}

pub(crate) async fn within<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, story).await.expect("it hangs")
}

pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
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
