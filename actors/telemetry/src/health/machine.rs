//! How everybody is, from what supervisors decide.
//!
//! ```text
//!   a supervisor of the root:   starting ──▶ up ◀──▶ down          a room down: not ready
//!                                            │                     a team down, or stopped by hand: degraded
//!                                            ▼
//!                                       quarantined                degraded; a room: not ready
//! ```
//!
//! The runtime has started once every supervisor that stood in the first survey has been up; later ones start in
//! their own time.

use std::collections::{BTreeMap, BTreeSet};

use triarch_supervision::reason::ExitReason;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Fact, Level, NodeView, Phase};

use super::report::{Cause, Reason, Report, State};

const ROOT: &str = "root";

/// How many agents in quarantine are named; of more the report says no more, and it stays small.
const QUARANTINED_MAX: usize = 100;

/// Where so few are left of more than are named, the others are looked for.
const QUARANTINED_FEW: usize = QUARANTINED_MAX / 2;

/// What happens to the machine.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// All nodes at this moment.
    Surveyed(Vec<NodeView>),
    /// The tree told something.
    Seen(Event),
    /// What stood at that path has left the tree, or is well again.
    Cleared(String),
}

/// How a supervisor of the root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Starting,
    Up,
    Down,
    /// It was asked to stop, and stays so.
    Stopped,
    Quarantined,
}

/// What is known of everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    rooms: BTreeSet<String>,
    supervisors: BTreeMap<String, Standing>,
    quarantined: BTreeSet<String>,
    /// Whether there were more than are named.
    has_more: bool,
    has_started: bool,
}

impl Machine {
    /// `rooms` are the supervisors that the runtime cannot do without.
    pub(super) fn new(rooms: BTreeSet<String>) -> Self {
        Self {
            rooms,
            ..Self::default()
        }
    }

    pub(super) fn step(&mut self, input: Input) {
        match input {
            Input::Surveyed(nodes) => self.survey(&nodes),
            Input::Seen(event) => self.see(&event),
            Input::Cleared(path) => {
                self.supervisors.remove(&path);
                self.quarantined.remove(&path);
            }
        }
        let is_starting = self
            .supervisors
            .values()
            .any(|standing| *standing == Standing::Starting);
        self.has_started |= !is_starting && !self.supervisors.is_empty();
    }

    /// The paths that are not well, to be looked at again: what leaves the tree says nothing.
    pub(super) fn unwell(&self) -> impl Iterator<Item = &String> {
        let down = self
            .supervisors
            .iter()
            .filter(|(_, standing)| **standing != Standing::Up);
        down.map(|(path, _)| path).chain(&self.quarantined)
    }

    /// Whether a survey may find some in quarantine that are not named for want of room.
    pub(super) fn is_to_survey(&self) -> bool {
        self.has_more && self.quarantined.len() <= QUARANTINED_FEW
    }

    pub(super) fn report(&self) -> Report {
        let supervisors = self.supervisors.iter();
        let causes = supervisors.filter_map(|(path, standing)| Some((self.cause(path, *standing)?, path)));
        let quarantined = self.quarantined.iter().map(|path| (Cause::Quarantined, path));
        let reasons = causes.chain(quarantined).map(|(cause, path)| Reason::new(cause, path));
        let state = if self.has_started {
            State::Ready
        } else {
            State::Starting
        };
        let mut reasons: Vec<_> = reasons.collect();
        if !self.has_started && reasons.is_empty() {
            reasons.push(Reason::new(Cause::Starting, ROOT));
        }
        Report::new(state, reasons)
    }

    fn cause(&self, path: &str, standing: Standing) -> Option<Cause> {
        let is_room = self.rooms.contains(path);
        match standing {
            Standing::Up => None,
            // One that comes when all others have long started holds up nobody.
            Standing::Starting => (!self.has_started || is_room).then_some(Cause::Starting),
            Standing::Down | Standing::Stopped | Standing::Quarantined if is_room => Some(Cause::RoomDown),
            Standing::Down => Some(Cause::TeamDown),
            Standing::Stopped => Some(Cause::TeamStopped),
            Standing::Quarantined => Some(Cause::Quarantined),
        }
    }

    fn survey(&mut self, nodes: &[NodeView]) {
        let supervisors = nodes.iter().filter(|node| node.level == Level::Supervisor);
        self.supervisors = supervisors
            .map(|node| (node.path.to_string(), standing(node)))
            .collect();
        let agents = nodes.iter().filter(|node| node.level == Level::Agent);
        let mut failed = agents.filter(|agent| agent.state == Phase::Failed);
        let named = failed.by_ref().map(|agent| agent.path.to_string());
        self.quarantined = named.take(QUARANTINED_MAX).collect();
        self.has_more = failed.next().is_some();
    }

    fn see(&mut self, event: &Event) {
        let Fact::Decision(decision) = &event.fact else { return };
        if &*event.supervisor == ROOT {
            if let Some((child, standing)) = change(decision) {
                self.supervisors.insert(child.to_owned(), standing);
            }
            return;
        }
        match decision {
            Decision::Quarantined { child, .. } if self.quarantined.len() < QUARANTINED_MAX => {
                self.quarantined.insert(format!("{}/{child}", event.supervisor));
            }
            Decision::Quarantined { .. } => self.has_more = true,
            Decision::Started { child, .. } if !self.quarantined.is_empty() => {
                self.quarantined.remove(&format!("{}/{child}", event.supervisor));
            }
            _ => {}
        }
    }
}

fn standing(node: &NodeView) -> Standing {
    match node.state {
        Phase::Specified | Phase::Starting => Standing::Starting,
        Phase::Idle | Phase::Busy | Phase::Paused => Standing::Up,
        Phase::Failed => Standing::Quarantined,
        Phase::Stopped if node.last_exit == Some(ExitReason::Shutdown) => Standing::Stopped,
        // Stopping, stopped, in backoff; what nobody knows here is not up either.
        _ => Standing::Down,
    }
}

fn change(decision: &Decision) -> Option<(&str, Standing)> {
    match decision {
        Decision::Started { child, .. } => Some((child.as_str(), Standing::Up)),
        Decision::Quarantined { child, .. } => Some((child.as_str(), Standing::Quarantined)),
        Decision::Ended {
            child,
            reason: ExitReason::Shutdown,
            ..
        } => Some((child.as_str(), Standing::Stopped)),
        Decision::Ignored { child }
        | Decision::Ended { child, .. }
        | Decision::Restarting { child, .. }
        | Decision::LetGo { child, .. } => Some((child.as_str(), Standing::Down)),
        // A kill, an escalation, a shutdown: what follows for a child is told by decisions of its own.
        _ => None,
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
