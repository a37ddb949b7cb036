//! Children that start at once begin on all workers of tokio's runtime.
//!
//! Making an actor is most of a start, and one supervisor that makes all of a hundred thousand keeps one core busy and the
//! others waiting. It waits for all of a portion before it takes anything else, so nothing is decided about one that has yet to begin.

use std::sync::Arc;

use ractor::{ActorProcessingErr, ActorRef};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Desk;
use super::starts::Birthplace;
use crate::child::{Spawned, Startable};
use crate::clock::Moment;
use crate::reason::ExitReason;
use crate::supervisor::actor::Order;
use crate::supervisor::machine::{ChildKey, Incarnation};
use crate::tree::Shared;

/// Fewer are begun sooner than another worker is woken.
const LEAST_SHARE: usize = 32;

/// An incarnation that is to begin.
pub(super) struct Start {
    pub(super) key: ChildKey,
    pub(super) incarnation: Incarnation,
    pub(super) child: Arc<dyn Startable>,
}

struct Born {
    key: ChildKey,
    incarnation: Incarnation,
    is: Result<Spawned, ExitReason>,
}

impl Start {
    fn bear(self, place: Birthplace<'_>) -> Born {
        Born {
            key: self.key,
            incarnation: self.incarnation,
            is: place.bear(self.child, self.incarnation, None),
        }
    }
}

impl Desk {
    /// Begins those that were gathered.
    pub(in crate::supervisor) async fn bear_crowd(&mut self) -> Result<(), ActorProcessingErr> {
        let mut mine = std::mem::take(&mut self.crowd);
        if mine.is_empty() {
            return Ok(());
        }
        let share = mine.len().div_ceil(workers()).max(LEAST_SHARE);
        let mut others = Vec::new();
        while mine.len() > share {
            others.push(self.bears_elsewhere(mine.split_off(mine.len() - share)));
        }
        let place = self.birthplace();
        let mut born: Vec<Born> = mine.into_iter().map(|start| start.bear(place)).collect();
        for other in others {
            born.append(&mut other.await?);
        }
        for Born { key, incarnation, is } in born {
            self.is_born(key, incarnation, is);
        }
        self.work_off();
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it ends by itself, and ractor refuses actors to a supervisor that is gone"
    )]
    fn bears_elsewhere(&self, share: Vec<Start>) -> JoinHandle<Vec<Born>> {
        let place = Elsewhere {
            path: Arc::clone(&self.path),
            shared: Arc::clone(&self.charge.shared),
            parent: self.myself.clone(),
            now: self.now,
        };
        tokio::spawn(async move { share.into_iter().map(|start| start.bear(place.seen())).collect() })
    }
}

/// A [`Birthplace`] that goes to another worker.
struct Elsewhere {
    path: Arc<str>,
    shared: Arc<Shared>,
    parent: ActorRef<Order>,
    now: Moment,
}

impl Elsewhere {
    fn seen(&self) -> Birthplace<'_> {
        Birthplace {
            path: &self.path,
            shared: &self.shared,
            parent: &self.parent,
            now: self.now,
        }
    }
}

/// How many threads run tasks here.
pub(super) fn workers() -> usize {
    Handle::current().metrics().num_workers()
}
