//! One agent of a team, of whatever type.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{CallError, Started, SupervisorHandle};

use crate::config::Rules;
use crate::post::Post;

type Starting<'a> = Pin<Box<dyn Future<Output = Result<Started, CallError>> + Send + 'a>>;

/// One agent of a team: the specification of a child whose type is nobody's business.
pub struct Member {
    name: String,
    address: Address<Post>,
    child: Box<dyn Joining>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Member {
    /// An agent `name` that begins each life from `spec`, under `rules`.
    pub fn of<A: Agent<Message = Post>>(name: &str, spec: A::Spec, rules: &Rules) -> Self {
        let mut child = Child::of::<A>(name, spec)
            .restart(rules.restart.into())
            .shutdown(Shutdown::Within(rules.shutdown.0))
            .on_limit(rules.on_limit.into())
            .capacity(rules.mailbox.capacity.get())
            .overflow(rules.mailbox.overflow.into());
        if let Some(limit) = rules.start_within {
            child = child.start_within(limit.0);
        }
        if let Some(budget) = rules.handle_within {
            child = child.handle_within(budget.0, OnStuck::Report);
        }
        if let Some(backoff) = rules.backoff {
            child = child.backoff(backoff.into());
        }
        Self {
            name: name.to_owned(),
            address: child.address(),
            child: Box::new(child),
        }
    }

    /// What it is called within its team.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The way to it, through all its lives.
    pub fn address(&self) -> Address<Post> {
        self.address.clone()
    }

    /// It does not start with its team: it is down until somebody restarts it.
    #[must_use]
    pub fn dormant(self) -> Self {
        Self {
            child: self.child.dormant(),
            ..self
        }
    }

    /// It starts paused: its mailbox keeps what comes until somebody resumes it.
    #[must_use]
    pub fn paused(self) -> Self {
        Self {
            child: self.child.paused(),
            ..self
        }
    }

    /// Joins a team that does not run yet.
    #[must_use]
    pub fn join(self, team: Supervisor) -> Supervisor {
        self.child.join(team)
    }

    /// Joins a team that runs.
    pub async fn join_running(self, team: &SupervisorHandle) -> Result<Started, CallError> {
        self.child.join_running(team).await
    }
}

trait Joining: Send {
    fn dormant(self: Box<Self>) -> Box<dyn Joining>;
    fn paused(self: Box<Self>) -> Box<dyn Joining>;
    fn join(self: Box<Self>, team: Supervisor) -> Supervisor;
    fn join_running(self: Box<Self>, team: &SupervisorHandle) -> Starting<'_>;
}

impl<A: Agent> Joining for Child<A> {
    fn dormant(self: Box<Self>) -> Box<dyn Joining> {
        Box::new((*self).dormant())
    }

    fn paused(self: Box<Self>) -> Box<dyn Joining> {
        Box::new((*self).paused())
    }

    fn join(self: Box<Self>, team: Supervisor) -> Supervisor {
        team.child(*self)
    }

    fn join_running(self: Box<Self>, team: &SupervisorHandle) -> Starting<'_> {
        Box::pin(async move { team.start_child(*self).await.map(|(_, started)| started) })
    }
}
