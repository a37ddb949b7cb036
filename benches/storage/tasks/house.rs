//! A tree with the room of tasks, over a journal.

use std::sync::Arc;

use triarch_journal::Disk;
use triarch_journal::metrics::JOURNALS;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;
use triarch_work::config::Config;
use triarch_work::metrics::WORK;
use triarch_work::task::Submission;
use triarch_work::words::{Kind, Worker};
use triarch_work::{Request, TaskAddress, room};

use crate::cases::RECORD;

pub(super) struct House {
    pub(super) tree: Tree,
    pub(super) tasks: TaskAddress,
}

pub(super) async fn open(disk: Arc<dyn Disk>, config: Config) -> House {
    let instruments = Instruments::with_tree(&[WORK, JOURNALS]).expect("sections that fit together");
    let work = room(config, disk, triarch_journal::Config::default(), &instruments).expect("a room");
    let tree = Root::new().instruments(instruments).supervisor(work.room);
    House {
        tree: tree.start().await.expect("a tree"),
        tasks: work.tasks,
    }
}

pub(super) fn task() -> Submission {
    Submission {
        body: RECORD.to_vec(),
        ..Submission::of(Kind::new("build").expect("a name"))
    }
}

/// A claim of so many tasks by one of several workers; each finds as many as it has submitted before.
pub(super) fn request(worker: usize, most: usize) -> Request {
    Request {
        worker: Worker::new(format!("team/{worker}")).expect("a short name"),
        able: Vec::new(),
        most,
        lease: None,
        waits: false,
        rank: None,
    }
}
