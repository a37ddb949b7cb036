//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! work             rest_for_one: who owns the journal begins anew with its scribe
//! ├─ scribe        writes the journal
//! ├─ queue         keeps all tasks, and acknowledges what is on disk
//! ├─ copyist       writes snapshots beside it; where it fails the queue goes on
//! └─ dispatcher    hands tasks to agents of teams, where there are any
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use triarch_journal::{Disk, scribe};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_teams::PostOffice;

use crate::config::Config;
use crate::dispatcher::{self, Dispatcher, InHand, Roster, Shared, Taking};
use crate::error::Error;
use crate::machine::{Event, RECORD_BYTES_MAX};
use crate::metrics::Metrics;
use crate::queue::{Queue, Settings, TaskAddress, Teller};
use crate::snapshots::Copyist;
use crate::withheld::Withheld;
use crate::words::Worker;

/// So many events wait for who hears them; whoever is slower misses the oldest.
const EVENTS_KEPT: usize = 4_096;
/// So many commands wait for the queue before senders are held back.
const COMMANDS: usize = 4_096;
/// As long as it may take to write the last records.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// The room, with the ways to it.
#[derive(Debug)]
pub struct Work {
    /// To be a child of a root.
    pub room: Supervisor,
    /// Where tasks are submitted, claimed and told of.
    pub tasks: TaskAddress,
    /// What happens to tasks, told once it is on disk.
    pub events: Events,
    /// By which nobody is given a task any more.
    pub withheld: Withheld,
    lease: Duration,
}

impl Work {
    /// With the dispatcher, which hands tasks to the agents that are on the roster. `office` makes out their posts.
    #[must_use]
    pub fn dispatching(self, office: Arc<PostOffice>) -> (Self, Roster, InHands) {
        let (roster, shared) = (Roster::default(), Shared::new(self.withheld.clone()));
        let settings = dispatcher::Settings {
            tasks: self.tasks.clone(),
            events: self.events.clone(),
            roster: roster.clone(),
            office,
            lease: self.lease,
            shared: shared.clone(),
        };
        let child = Child::of::<Dispatcher>("dispatcher", settings).capacity(1);
        let work = Self {
            room: self.room.child(child),
            ..self
        };
        (work, roster, InHands(shared))
    }
}

/// What agents have in hand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InHands(Shared);

impl InHands {
    /// What the agent at that path has, which names no part of a team.
    pub fn of(&self, path: &str) -> Vec<InHand> {
        Worker::new(path).map_or_else(|_| Vec::new(), |worker| self.0.hands().of(&worker))
    }

    /// Whether the agent is given more, where it takes tasks at all.
    pub fn taking(&self, path: &str) -> Option<Taking> {
        self.0.hands().taking(&Worker::new(path).ok()?)
    }

    /// How many of them the agent is at; those that wait for it are not counted.
    pub fn count_at_work(&self, path: &str) -> usize {
        Worker::new(path).map_or(0, |worker| self.0.hands().count_at_work(&worker))
    }
}

/// Where to hear what happens to tasks.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Events {
    /// All that happens from now on; who is slow misses the oldest, and is told how many.
    pub fn hear(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// The room over the journal on `disk`.
pub fn room(
    config: Config,
    disk: Arc<dyn Disk>,
    journal: triarch_journal::Config,
    instruments: &Instruments,
) -> Result<Work, Error> {
    let config = config.validated()?;
    let lease = config.lease;
    let portion = journal.record_bytes_max;
    if portion < RECORD_BYTES_MAX {
        return Err(Error::Records {
            asked: portion,
            least: RECORD_BYTES_MAX,
        });
    }
    let (scribe, journal) = scribe("scribe", "work", disk, journal, instruments)?;
    let copyist = Child::of::<Copyist>("copyist", ()).capacity(1);
    let (events, _) = broadcast::channel(EVENTS_KEPT);
    let withheld = Withheld::default();
    let settings = Settings {
        config,
        withheld: withheld.clone(),
        journal,
        copyist: copyist.address(),
        portion,
        teller: Teller::new(Metrics::new(instruments)?, events.clone()),
    };
    let queue = Child::of::<Queue>("queue", settings)
        .capacity(COMMANDS)
        .start_without_limit()
        .shutdown(Shutdown::Within(LAST_RECORDS));
    let tasks = TaskAddress::new(queue.address());
    let room = Supervisor::named("work")
        .strategy(Strategy::RestForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ))
        .child(scribe.shutdown(Shutdown::Within(LAST_RECORDS)))
        .child(queue)
        .child(copyist);
    let events = Events(events);
    Ok(Work {
        room,
        tasks,
        events,
        withheld,
        lease,
    })
}
