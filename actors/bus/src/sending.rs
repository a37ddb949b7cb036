//! The handle of a bus: sending to agents by their paths.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::access::team_of;
use crate::bus::{Bus, Published};
use crate::envelope::{Destination, Draft, Envelope};
use crate::error::{PublishError, SubscribeError};
use crate::hub::{Hub, unpoisoned};
use crate::metrics::{Refusal, UNCOUNTED};
use crate::route::Route;
use crate::subscription::Subscription;
use crate::table::Target;

/// Knows agents that take what is sent to their paths, and attaches each when something is.
pub trait Directory: Send + Sync {
    /// Attaches the agent at `path` under just that, by [`Bus::attach`] or [`Bus::listen_at`]; nothing where there is none.
    fn attach(&self, path: &str) -> Result<(), SubscribeError>;

    /// The paths of all agents of a team that can be attached.
    fn team(&self, team: &str) -> Vec<Arc<str>>;
}

/// Whoever was introduced, if anybody.
#[derive(Default)]
pub(crate) struct Introduced(OnceLock<Arc<dyn Directory>>);

impl fmt::Debug for Introduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Introduced").field(&self.0.get().is_some()).finish()
    }
}

impl Bus {
    /// From now on agents are sent to that this one knows; only the first counts.
    pub fn introduce(&self, directory: Arc<dyn Directory>) {
        let _first = self.0.introduced.0.set(directory);
    }

    /// Sends to the agent that takes envelopes at `path`.
    pub fn send(&self, from: impl Into<Arc<str>>, path: &str, draft: &Draft) -> Result<Published, PublishError> {
        let from = from.into();
        self.0.check_draft(&from, draft)?;
        let to = self.0.agent_at(path)?;
        self.0.send_to(&from, to, draft)
    }

    /// Sends to all these agents, or to nobody where one of them takes nothing. What was sent is told in their order.
    pub fn multicast<P: AsRef<str>>(
        &self,
        from: impl Into<Arc<str>>,
        paths: &[P],
        draft: &Draft,
    ) -> Result<Vec<Published>, PublishError> {
        let from = from.into();
        self.0.check_draft(&from, draft)?;
        let found = paths.iter().map(|path| self.0.agent_at(path.as_ref()));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        found.into_iter().map(|to| self.0.send_to(&from, to, draft)).collect()
    }

    /// Sends to every agent of a team that takes envelopes.
    pub fn broadcast(
        &self,
        from: impl Into<Arc<str>>,
        team: &str,
        draft: &Draft,
    ) -> Result<Vec<Published>, PublishError> {
        self.multicast(from, &self.team(team), draft)
    }

    /// The paths of all agents of a team that take envelopes.
    pub fn team(&self, team: &str) -> Vec<Arc<str>> {
        if let Some(directory) = self.0.introduced.0.get() {
            return directory.team(team);
        }
        let table = unpoisoned(self.0.table.read());
        let members = table.agents.keys().filter(|path| team_of(path) == team);
        members.cloned().collect()
    }
}

impl Hub {
    /// Who takes what is sent to `path`.
    pub(crate) fn agent_at(&self, path: &str) -> Result<Arc<Subscription>, PublishError> {
        let attached = || unpoisoned(self.table.read()).agents.get(path).cloned();
        if let Some(agent) = attached() {
            return Ok(agent);
        }
        if let Some(directory) = self.introduced.0.get() {
            directory.attach(path)?;
        }
        attached().ok_or_else(|| {
            self.metrics.refused(Refusal::NoSuchAgent);
            PublishError::NoSuchAgent { path: path.into() }
        })
    }

    /// Sends to whoever was found, or to whoever has taken its place since.
    pub(crate) fn send_to(
        self: &Arc<Self>,
        from: &Arc<str>,
        mut to: Arc<Subscription>,
        draft: &Draft,
    ) -> Result<Published, PublishError> {
        let path = Arc::clone(&to.profile.subscriber);
        loop {
            let envelope = self.seal(draft.clone(), from, Destination::Agent(Arc::clone(&path)));
            let published = self.deliver_to(to, envelope);
            if published.matched > 0 {
                return Ok(published);
            }
            // It has ended since it was found. There may be another in its place.
            to = self.agent_at(&path)?;
        }
    }

    pub(crate) fn deliver_to(self: &Arc<Self>, to: Arc<Subscription>, envelope: Envelope) -> Published {
        let route = Route {
            generation: 0,
            targets: vec![Target::One(to)],
        };
        let id = envelope.id;
        let matched = self.deliver(&route, UNCOUNTED, envelope);
        Published { id, matched }
    }
}
