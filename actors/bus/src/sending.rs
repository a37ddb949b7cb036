//! The handle of a bus: sending to agents by their paths.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use triarch_supervision::clock::Moment;
use triarch_supervision::sync::unpoisoned;

use crate::access::team_of;
use crate::bus::{Bus, Published};
use crate::envelope::{Destination, Draft, Envelope};
use crate::error::{PublishError, SubscribeError};
use crate::hub::Hub;
use crate::item::{Item, Sent, Waiting};
use crate::metrics::{Refusal, UNCOUNTED};
use crate::route::Route;
use crate::subscription::Subscription;
use crate::table::Target;

/// Knows agents that take what is sent to their paths, and attaches each when something is.
pub trait Directory: Send + Sync {
    /// Attaches the agent at `path` under just that, by [`Bus::attach`] or [`Bus::listen_at`]; nothing where there is none.
    fn attach(&self, path: &str) -> Result<(), SubscribeError>;

    /// Whether the agent that this one attached at `path` has left since; what waits for it has ended then. False of those whom
    /// somebody else attached.
    fn has_left(&self, path: &str) -> bool;

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

    /// Sends to all these agents, or to nobody where one of them takes nothing. What was sent is told in their order. What is for one
    /// that leaves at that very moment matches nobody, and is a dead letter of cause [`Cause::Closed`](crate::Cause::Closed).
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
        // Others have it by then, so that one who leaves meanwhile is no reason to say that nobody has.
        let sent = found.into_iter().map(|to| {
            let sent = self.0.send_to(&from, Arc::clone(&to), draft);
            sent.unwrap_or_else(|_| self.0.send_too_late(&from, &to, draft))
        });
        Ok(sent.collect())
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
        let directory = self.0.introduced.0.get();
        let mut members = directory.map_or_else(Vec::new, |directory| directory.team(team));
        let known: HashSet<_> = members.iter().cloned().collect();
        let table = unpoisoned(self.0.table.read());
        let attached = table.agents.keys().filter(|path| team_of(path) == team);
        let mut others: Vec<_> = attached.filter(|path| !known.contains(*path)).cloned().collect();
        drop(table);
        others.retain(|path| directory.is_none_or(|directory| !directory.has_left(path)));
        members.extend(others);
        members
    }
}

impl Hub {
    /// Who takes what is sent to `path`.
    pub(crate) fn agent_at(&self, path: &str) -> Result<Arc<Subscription>, PublishError> {
        self.find_agent(path)?.ok_or_else(|| {
            self.metrics.refused(Refusal::NoSuchAgent);
            PublishError::NoSuchAgent { path: path.into() }
        })
    }

    pub(crate) fn find_agent(&self, path: &str) -> Result<Option<Arc<Subscription>>, SubscribeError> {
        let attached = || unpoisoned(self.table.read()).agents.get(path).cloned();
        let Some(directory) = self.introduced.0.get() else {
            return Ok(attached());
        };
        let agent = attached().filter(|_| !directory.has_left(path));
        if agent.is_some() {
            return Ok(agent);
        }
        directory.attach(path)?;
        Ok(attached())
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

    /// What was for one that has left: nobody else has its place.
    fn send_too_late(self: &Arc<Self>, from: &Arc<str>, to: &Arc<Subscription>, draft: &Draft) -> Published {
        let path = Arc::clone(&to.profile.subscriber);
        let envelope = self.seal(draft.clone(), from, Destination::Agent(path));
        let id = envelope.id;
        let item = Item {
            envelope: Sent::new(envelope, None, Moment::now(), UNCOUNTED),
            place: None,
        };
        to.bury(vec![Waiting::new(item)], self).follow(self, to);
        Published { id, matched: 0 }
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
