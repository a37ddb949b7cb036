//! Children that start at once begin on all workers of tokio's runtime.
//!
//! Making an actor is most of a start, and one supervisor that makes all of a hundred thousand keeps one core busy and the
//! others waiting. It waits for all of a portion before it takes anything else, so nothing is decided about one that has yet to begin.

use std::sync::{Arc, Mutex};

use ractor::ActorProcessingErr;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Desk;
use super::starts::Birthplace;
use crate::child::{Spawned, Startable};
use crate::reason::ExitReason;
use crate::supervisor::machine::{ChildKey, Incarnation};
use crate::sync::lock;

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

/// Incarnations that begin on another worker, one after the other.
struct Share {
    starts: std::vec::IntoIter<Start>,
    born: Vec<Born>,
}

impl Share {
    /// Begins the next; tells whether there was one.
    fn bear_next(&mut self, place: Birthplace<'_>) -> bool {
        let Some(start) = self.starts.next() else { return false };
        self.born.push(start.bear(place));
        true
    }
}

/// A share that is under way. Where nobody waits for it any more, its supervisor is gone: no incarnation begins after that, or it might
/// begin beside one of the supervisor's next life.
struct UnderWay {
    share: Arc<Mutex<Share>>,
    task: JoinHandle<()>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // The one that is just beginning is waited for; a start takes some microseconds.
        lock(&self.share).starts = Vec::new().into_iter();
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
        for other in &mut others {
            (&mut other.task).await?;
            born.append(&mut lock(&other.share).born);
        }
        for Born { key, incarnation, is } in born {
            self.is_born(key, incarnation, is);
        }
        self.work_off();
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it ends by itself, and begins nobody once its supervisor is gone"
    )]
    fn bears_elsewhere(&self, starts: Vec<Start>) -> UnderWay {
        let share = Arc::new(Mutex::new(Share {
            born: Vec::with_capacity(starts.len()),
            starts: starts.into_iter(),
        }));
        let taken = Arc::clone(&share);
        let (path, shared, parent) = (
            Arc::clone(&self.path),
            Arc::clone(&self.charge.shared),
            self.myself.clone(),
        );
        let now = self.now;
        let task = tokio::spawn(async move {
            let place = Birthplace {
                path: &path,
                shared: &shared,
                parent: &parent,
                now,
            };
            while lock(&taken).bear_next(place) {}
        });
        UnderWay { share, task }
    }
}

/// How many threads run tasks here.
pub(super) fn workers() -> usize {
    Handle::current().metrics().num_workers()
}
