//! Nodes of the tree as operations show them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use triarch_supervision::agent::AgentKind;
use triarch_supervision::clock::Moment;
use triarch_supervision::name::team_of;
use triarch_supervision::tree::{Figures, Level, NodeView};

use super::health::HealthSeen;
use super::past::Past;
use super::trouble::Trouble;
use super::word::Word;
use crate::fleet::Fleet;

/// One node of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeSeen {
    pub(crate) path: String,
    pub(crate) level: u8,
    /// `root`, `supervisor`, or what the agent is: `native`, `program`.
    pub(crate) kind: Word,
    pub(crate) state: Word,
    pub(crate) incarnation: u64,
    pub(crate) restarts: u64,
    /// Of the program that the agent runs, where it runs one.
    pub(crate) pid: Option<u32>,
    pub(crate) mailbox: Option<MailboxSeen>,
    pub(crate) children_count: usize,
    /// How many tasks it is at: a program shows `idle` meanwhile, since the runtime is free to hear it.
    #[serde(default)]
    pub(crate) tasks: usize,
    /// How many posts its program has, and has not answered: tasks among them.
    #[serde(default)]
    pub(crate) posts: usize,
}

/// A mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxSeen {
    pub(crate) depth: u64,
    pub(crate) capacity: u64,
    pub(crate) high_water: u64,
    pub(crate) oldest_age_ms: Option<u64>,
    pub(crate) enqueued: u64,
    pub(crate) handled: u64,
    /// Of a program, those too that it said it failed with, or ended with.
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
}

impl MailboxSeen {
    /// That of a node, where it has one.
    pub(super) fn of(node: &NodeView, fleet: &Fleet) -> Option<Self> {
        let seen = node.mailbox.as_ref().map(Self::from)?;
        Some(match program_at(node) {
            Some(path) => seen.less(fleet.programs().records().failures(&path)),
            None => seen,
        })
    }

    /// That of a program of which so many posts came to nothing after it was handed them.
    fn less(self, failed: u64) -> Self {
        Self {
            handled: self.handled.saturating_sub(failed),
            failed: self.failed + failed,
            ..self
        }
    }
}

impl From<&Figures> for MailboxSeen {
    fn from(figures: &Figures) -> Self {
        Self {
            depth: figures.depth,
            capacity: figures.capacity,
            high_water: figures.high_water,
            oldest_age_ms: figures.oldest_age.map(millis),
            enqueued: figures.enqueued,
            handled: figures.handled,
            failed: figures.failed,
            dropped: figures.dropped,
        }
    }
}

impl NodeSeen {
    pub(crate) fn of(node: &NodeView, fleet: &Fleet) -> Self {
        let running = program_at(node).and_then(|path| fleet.programs().records().running(&path));
        Self {
            path: node.path.to_string(),
            level: node.level.number(),
            kind: Fleet::kind_of(node).into(),
            state: node.state.label().into(),
            incarnation: node.incarnation,
            restarts: node.restarts,
            pid: running.as_ref().and_then(|running| u32::try_from(running.pid).ok()),
            mailbox: MailboxSeen::of(node, fleet),
            children_count: node.children_count,
            tasks: if node.level == Level::Agent {
                Place::of(&node.path).map_or(0, |place| fleet.at_work(&place.plain()))
            } else {
                0
            },
            posts: running.map_or(0, |running| running.posts_unanswered),
        }
    }

    /// Its state for people: of one that is idle and at work, that it is.
    pub(crate) fn standing(&self) -> Cow<'_, str> {
        standing(&self.state, self.tasks, self.posts)
    }

    /// The state whose colour it has.
    pub(crate) fn tinted_as(&self) -> &str {
        if self.tasks + self.posts > 0 && &*self.state == "idle" {
            "busy"
        } else {
            &self.state
        }
    }
}

/// The state, for people, of an agent that is at so many tasks and whose program has so many posts.
pub(crate) fn standing(state: &str, tasks: usize, posts: usize) -> Cow<'_, str> {
    let (count, what) = if tasks > 0 { (tasks, "task") } else { (posts, "post") };
    match count {
        1 if state == "idle" => format!("at 1 {what}").into(),
        2.. if state == "idle" => format!("at {count} {what}s").into(),
        _ => state.into(),
    }
}

/// By which the program of a node is known, where it runs one.
pub(super) fn program_at(node: &NodeView) -> Option<String> {
    let is_program = node.agent_kind == Some(AgentKind::Program);
    Place::of(&node.path).filter(|_| is_program).map(|place| place.plain())
}

/// One agent of a team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentSeen {
    #[serde(flatten)]
    pub(crate) node: NodeSeen,
    /// The kind its description names.
    pub(crate) described_as: Option<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) role: String,
    /// Why its last incarnation ended.
    pub(crate) last_exit: Option<String>,
    /// How its program is, where it has one and lives.
    #[serde(default)]
    pub(crate) health: Option<HealthSeen>,
    /// What it last showed of itself.
    pub(crate) shown: Option<serde_json::Value>,
    /// What it has been through, where that was asked for.
    #[serde(flatten)]
    pub(crate) past: Past,
}

/// How long an agent has to show its state; one that is busy for longer is shown as it last was.
pub(super) const SHOWN_WITHIN: Duration = Duration::from_millis(100);

/// What the agent at `path` shows of itself.
pub(crate) async fn shown_by(fleet: &Fleet, path: &str) -> Result<Option<serde_json::Value>, Trouble> {
    Ok(fleet.observer().state_of(path, SHOWN_WITHIN).await?)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A length of time for people: two of its largest units.
pub(crate) fn span(millis: u64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    match seconds {
        0 => format!("{rest} ms"),
        1..60 => format!("{seconds}.{} s", rest / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// When something was by the clock of the world, where that says `now`.
pub(super) fn time_of(at: Moment, now: SystemTime) -> String {
    let at = now.checked_sub(Duration::from_millis(ago(at))).unwrap_or(now);
    humantime::format_rfc3339_millis(at).to_string()
}

/// How long ago something was, in milliseconds.
pub(crate) fn ago(at: Moment) -> u64 {
    millis(Moment::now().since(at))
}

/// Where an agent stands: its path, its team, its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) team: String,
    pub(crate) name: String,
}

impl Place {
    /// Its path as if its team were not split, by which programs are known.
    pub(crate) fn plain(&self) -> String {
        format!("{}/{}", self.team, self.name)
    }

    pub(super) fn of(path: &str) -> Option<Self> {
        let (supervisor, name) = path.split_once('/')?;
        Some(Self {
            path: path.to_owned(),
            team: team_of(supervisor).to_owned(),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_agent_whose_program_is_at_something_is_not_told_to_be_idle() {
        assert_eq!(standing("idle", 0, 0), "idle");
        assert_eq!(standing("idle", 0, 1), "at 1 post");
        assert_eq!(standing("idle", 0, 2), "at 2 posts");
        assert_eq!(standing("idle", 1, 3), "at 1 task");
        assert_eq!(standing("busy", 0, 1), "busy");
    }
}
