//! What agents of kinds of one's own use of the rooms, each in its own name.

use std::fmt;
use std::sync::Arc;

use triarch_bus::{Bus, Pick, Terms, Timestamp};
use triarch_memory::{Client, Identity};
use triarch_supervision::name::without_part;
use triarch_work::TaskAddress;

use crate::operations::{End, Place, Trouble};
use crate::services::{RoomServices, Rooms, Wish, hear, hear_no_more};

/// Bus, memory and tasks, for agents of kinds of one's own.
///
/// [`Runtime::shares`](crate::Runtime::shares) has it before anything runs, for the kind to keep. Each life of an agent
/// takes its [`Share`] in `start`, when the rooms are there.
///
/// ```no_run
/// # use triarch::memory::{Key, Put};
/// # use triarch::{Shares, Events};
/// # async fn start(shares: &Shares, path: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let share = shares.of(path)?; // in `start`, with `ctx.path()`
/// share.hear(Events::of("plant.*"))?; // they come as posts of the kind `event`
/// let put = Put::new(Key::new("plant/seen")?, serde_json::json!(1).into());
/// share.memory.open("shared")?.put(put).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Shares(Arc<RoomServices>);

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.0.rooms().is_some();
        f.debug_struct("Shares").field("is_open", &is_open).finish()
    }
}

/// Why a share cannot be had, or something of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// No runtime of this process has begun.
    #[error("the rooms are not there yet; take a share in `start` of an agent that runs, not where it is described")]
    NotThere,
    /// The bus does not bring that.
    #[error("{0}")]
    Refused(String),
}

impl From<Trouble> for ShareError {
    fn from(trouble: Trouble) -> Self {
        Self::Refused(trouble.told())
    }
}

impl Shares {
    pub(crate) fn services(&self) -> &Arc<RoomServices> {
        &self.0
    }

    /// What the agent at `agent`, its path in the tree, has of the rooms. What an earlier life of it heard ends here. It is
    /// known there by its team, whatever part of that it stands in.
    pub fn of(&self, agent: &str) -> Result<Share, ShareError> {
        let rooms = self.0.rooms().cloned().ok_or(ShareError::NotThere)?;
        let agent = Arc::from(&*without_part(agent));
        rooms.rounds.end_all(&agent);
        Ok(Share {
            bus: rooms.bus.clone(),
            memory: rooms.memory.named(Identity::agent(&agent)),
            tasks: rooms.tasks.clone(),
            rooms,
            agent,
        })
    }
}

/// The rooms in the name of one agent.
#[derive(Clone)]
pub struct Share {
    /// What is published; give it [`name`](Self::name) as the sender.
    pub bus: Bus,
    /// The store, as this agent may use it.
    pub memory: Client,
    /// Where tasks are submitted. Those that the agent is to do come as posts of the kind `task`, by its `capabilities`.
    pub tasks: TaskAddress,
    rooms: Rooms,
    agent: Arc<str>,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

impl Share {
    /// As what bus, memory and tasks know the agent: its path without the part of its team that it stands in.
    pub fn name(&self) -> &str {
        &self.agent
    }

    /// Has events brought to the agent's mailbox, as posts of the kind `event`, until its next life takes its share or it has
    /// left the tree. What it answers `done` is acknowledged.
    pub fn hear(&self, events: Events) -> Result<(), ShareError> {
        Ok(hear(&self.rooms, &self.agent, events.0)?)
    }

    /// Ends what it hears of that pattern; whether there was any.
    pub fn hear_no_more(&self, pattern: &str) -> bool {
        hear_no_more(&self.rooms, &self.agent, pattern)
    }
}

/// Which events an agent hears.
#[derive(Debug)]
pub struct Events(Wish);

impl Events {
    /// All of a pattern, such as `plant.*`. Each comes until it is answered.
    pub fn of(pattern: impl Into<String>) -> Self {
        Self(Wish::of(pattern.into()))
    }

    /// Only what a filter accepts, such as `payload.celsius gt 30`.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.0.filter = Some(filter.into());
        self
    }

    /// As one of a group, of whom one gets each.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.0.group = Some(name.into());
        self
    }

    /// How the group finds that one, where this founds it: in turn where nothing is said.
    #[must_use]
    pub fn pick(mut self, pick: Pick) -> Self {
        self.0.pick = Some(pick);
        self
    }

    /// Of durable topics: under this name the next life goes on where this one answered.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Of durable topics: from the oldest that is kept.
    #[must_use]
    pub fn from_the_first(mut self) -> Self {
        self.0.from = Some(Place::End(End::First));
        self
    }

    /// Of durable topics: from the first that was published then, or later.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.0.from = Some(Place::Time(time));
        self
    }

    /// What is delivered once is not answered for: what a life that ends had in hand is lost, and what there is no room for
    /// drops the oldest.
    #[must_use]
    pub fn at_most_once(mut self) -> Self {
        self.0.at_most_once();
        self
    }

    /// Under other terms than the usual ones: how long an answer may take, how often it is tried, how many may wait, and so on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use triarch::Events;
    /// use triarch::bus::Terms;
    ///
    /// let hasty = Duration::from_secs(2);
    /// Events::of("plant.*").terms(|usual| Terms { ack_within: hasty, ..usual });
    /// ```
    #[must_use]
    pub fn terms(mut self, change: impl FnOnce(Terms) -> Terms) -> Self {
        self.0.terms = change(self.0.terms);
        self
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the runtime has a thread of its own, and who looks at it waits outside"
)]
#[path = "share_test.rs"]
mod tests;
