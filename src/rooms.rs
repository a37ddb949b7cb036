//! Level 1: the children of the root in start order; they stop in the reverse one.
//!
//! ```text
//! root             one_for_one: addresses outlive restarts, so nobody needs a neighbour's restart
//! ├─ telemetry     first, to see the others start and stop
//! ├─ bus           before those who publish and subscribe; with the agent `courier`, which brings programs what they hear
//! ├─ memory        before the teams, whose agents share it
//! ├─ work          before the teams, to whose agents it hands tasks
//! ├─ programs      before the teams, whose programs it logs, and buries with what they left behind
//! ├─ gateway       before the teams, so that it can be asked how they start and stop; with the agent `changes`
//! └─ <team> …      last, so that what they use is there before them and after them
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use triarch_bus::Bus;
use triarch_gateway::{self as gateway, Doors, OperationError, Operations, ProgressSink, Request, Written};
use triarch_journal::RealDisk;
use triarch_memory::Keeping;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_telemetry::{self as telemetry, Cause, Exposition, Health, Sign};

use crate::changes::{ChangeQueue, Changes};
use crate::fleet::{Ground, Tasks, Ways};
use crate::operations::{self, Trouble};
use crate::reload;
use crate::services::{Auditor, Beat, Books, Courier, Herald, Lookout, Rooms, Rounds, Watches};

/// The rooms that the runtime does not work without.
pub(crate) const ROOMS: [&str; 6] = ["telemetry", "bus", "memory", "work", "programs", "gateway"];

/// The folders of the state folder that rooms have their files in.
pub(crate) const FOLDERS: [&str; 5] = ["bus", "memory", "work", "logs", "events"];

/// Why a room has no folder for its journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Something else has its name.
    #[error("{} is a file where a folder of the runtime is to be; move it away, or set runtime.state_dir to another folder", path.display())]
    NoFolder { path: PathBuf },
    /// The disk refused.
    #[error("the folder {} cannot be had; see to the disk and its rights, or set runtime.state_dir to another folder", path.display())]
    Refused {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What has the name of a folder in the state folder, and is none.
pub(crate) fn in_its_place(state_dir: &Path, folder: &str) -> Option<PathBuf> {
    let path = state_dir.join(folder);
    (path.symlink_metadata().is_ok() && !path.is_dir()).then_some(path)
}

/// Where a room keeps its journal.
fn disk(ground: &Ground, room: &str) -> Result<Arc<RealDisk>, FolderError> {
    let path = ground.state_dir.join(room);
    RealDisk::at(&path)
        .map(Arc::new)
        .map_err(|source| match in_its_place(&ground.state_dir, room) {
            Some(path) => FolderError::NoFolder { path },
            None => FolderError::Refused { path, source },
        })
}

/// What everybody counts in, and shows it.
pub(crate) fn exposition() -> Result<Exposition, Failure> {
    let instruments = Instruments::new(crate::catalogue()?);
    let takes = instruments.labelled(&triarch_journal::metrics::OPEN)?;
    let closed = triarch_journal::metrics::OWNERS.map(|room| Sign {
        cause: Cause::JournalClosed,
        subject: room.to_owned(),
        gauge: takes.with([room]),
        shows: 0.0,
    });
    let drained = Sign {
        cause: Cause::TasksDrained,
        subject: "work".to_owned(),
        gauge: instruments.single(&triarch_work::metrics::DRAINING)?,
        shows: 1.0,
    };
    let signs = closed.into_iter().chain([drained]).collect();
    let health = Health::with_signs(&ROOMS, signs);
    Ok(Exposition::new(instruments, health, env!("CARGO_PKG_VERSION"))?)
}

/// The tree as it is described, before it starts, with the ways to who changes it and to tasks.
pub(crate) fn root(
    ground: &Arc<Ground>,
    programs: Supervisor,
    doors: Doors,
) -> Result<(Root, ChangeQueue, Tasks), Failure> {
    let (running, deviations) = (ground.running(), ground.deviations());
    let (listens, bounds) = (doors.http(), doors.bounds());
    let gateway = gateway::room(doors, &ground.exposition, Performer(Arc::clone(ground)))?;
    let exposition = &ground.exposition;
    let events = ground.events.clone();
    let (bus, rounds, handle) = bus(ground, &running.settings.bus)?;
    let (memory, store) = memory(ground, &running.settings.memory)?;
    let watches = Watches::new(store.clone(), Arc::clone(&ground.office));
    let books = Books {
        store: store.clone(),
        ground: Arc::downgrade(ground),
    };
    let memory = memory.child(Lookout::child(&watches)).child(Auditor::child(books));
    let (work, tasks) = work(ground, &running.settings.work, &handle)?;
    ground.services.open(Rooms {
        bus: handle,
        rounds,
        memory: store,
        watches,
        tasks: tasks.address.clone(),
        ground: Arc::downgrade(ground),
    });
    let (to_be_asked, own_tasks) = (Arc::clone(ground), tasks.clone());
    let (changes, change_queue) = Changes::child(move |observer, changes| {
        to_be_asked.can_be_asked(Ways {
            observer,
            listens,
            bounds: bounds.clone(),
            changes,
            tasks: own_tasks.clone(),
        });
    });
    let mut root = Root::new()
        .instruments(exposition.instruments().clone())
        .supervisor(telemetry::room(
            ground.loudness.clone(),
            telemetry::Output::stderr(),
            Some(events),
            exposition,
        )?)
        .supervisor(bus)
        .supervisor(memory)
        .supervisor(work)
        .supervisor(programs)
        .supervisor(gateway.child(changes));
    for team in &running.teams {
        let begin = |member| deviations.begin(&team.rules.name, member);
        let span = running.settings.runtime.span.get();
        root = root.supervisor(reload::staff_beginning(team, &ground.kinds, span, begin)?);
    }
    Ok((root, change_queue, tasks))
}

/// The room of topics, whose journal lies in the state folder, with the courier of programs.
fn bus(ground: &Ground, config: &triarch_bus::Config) -> Result<(Supervisor, Rounds, Bus), Failure> {
    let instruments = ground.exposition.instruments();
    let bus = Bus::new(config.clone(), ground.office.run(), instruments)?;
    let disk = disk(ground, "bus")?;
    let room = triarch_bus::room_on(&bus, disk, triarch_journal::Config::default(), instruments)?;
    let rounds = Rounds::new(bus.clone(), Arc::clone(&ground.office));
    rounds.introduce();
    Ok((room.child(Courier::child(&rounds)), rounds, bus))
}

/// The room of the store, whose journal lies in the state folder, and the store as the runtime uses it.
fn memory(
    ground: &Ground,
    settings: &triarch_memory::Settings,
) -> Result<(Supervisor, triarch_memory::Client), Failure> {
    let keeping = Keeping {
        disk: disk(ground, "memory")?,
        journal: triarch_journal::Config::default(),
        secret: settings.key(&ground.source.folder())?,
    };
    let namespaces = settings.namespaces()?;
    let instruments = ground.exposition.instruments();
    Ok(triarch_memory::room(
        settings.room(),
        namespaces,
        Some(keeping),
        instruments,
    )?)
}

/// The room of tasks, whose journal lies in the state folder, with who tells the bus of them where that is wanted.
fn work(ground: &Ground, config: &triarch_work::Config, bus: &Bus) -> Result<(Supervisor, Tasks), Failure> {
    let disk = disk(ground, "work")?;
    let instruments = ground.exposition.instruments();
    let work = triarch_work::room(config.clone(), disk, triarch_journal::Config::default(), instruments)?;
    let (work, roster, in_hands) = work.dispatching(Arc::clone(&ground.office));
    // Before it starts, so that it knows what an earlier runtime of the folder left with whom.
    roster.set(ground.running().taking());
    let tasks = Tasks {
        address: work.tasks,
        events: work.events,
        roster,
        in_hands,
        withheld: work.withheld,
    };
    let beat = Beat {
        bus: bus.clone(),
        events: tasks.events.clone(),
    };
    let room = if config.events {
        work.room.child(Herald::child(beat))
    } else {
        work.room
    };
    Ok((room, tasks))
}

/// Performs what is asked for at the doors.
struct Performer(Arc<Ground>);

impl Operations for Performer {
    async fn perform(&self, request: Request, progress: ProgressSink) -> Result<Written, OperationError> {
        let Some(fleet) = self.0.fleet() else {
            return Err(Trouble::still_starting().into());
        };
        let fleet = fleet.telling(progress);
        let performed = operations::perform(&request.operation, request.input, &fleet).await;
        Ok(performed?)
    }
}
