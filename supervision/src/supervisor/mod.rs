//! Supervisors: who starts, stops and restarts the children of one branch of the tree.
//!
//! What a supervisor decides is decided by a machine, which knows no actors; what it does is done by a ractor
//! actor that performs the machine's effects.

mod actor;
mod blueprint;
mod desk;
mod handle;
mod inspection;
pub(crate) mod machine;
mod reception;
mod spec;

pub(crate) use actor::{Charge, Order, SupervisorActor};
pub(crate) use blueprint::Blueprint;
pub(crate) use handle::FIRST_PART;
pub use handle::{CallError, ChildStatus, Started, SupervisorHandle};
pub use machine::{AdminError, ChildState, Counts, Decision, Incarnation};
pub(crate) use reception::Reception;
pub(crate) use spec::SupervisorSpec;

use std::time::Duration;

use crate::agent::Agent;
use crate::child::{Child, ChildSpec};
use crate::error::{BackoffFault, BuildError, ChildFault};
use crate::name::Name;
use crate::policy::{
    AutoShutdown, Backoff, ChildPolicy, Intensity, OnLimit, Restart, Shutdown, StartOrder, StopOrder, Strategy,
    SupervisorPolicy,
};

/// A supervisor as it is described: its children in start order, and what it does when one ends.
///
/// ```
/// # use triarch_supervision::prelude::*;
/// use std::time::Duration;
///
/// let team = Supervisor::named("reviewers")
///     .strategy(Strategy::OneForOne)
///     .intensity(Intensity::new(5, Duration::from_secs(30)))
///     .backoff(Backoff::exponential(Duration::from_millis(100), Duration::from_secs(30)));
/// # let _ = team;
/// ```
#[derive(Debug)]
pub struct Supervisor {
    name: String,
    policy: SupervisorPolicy,
    own: ChildPolicy,
    span: Option<usize>,
    remembers: bool,
    children: Vec<Result<ChildSpec, BuildError>>,
}

impl Supervisor {
    /// A supervisor without children yet, that restarts one for one.
    pub fn named(name: impl Into<String>) -> Self {
        let own = ChildPolicy {
            shutdown: Shutdown::Infinity,
            start_within: None,
            ..ChildPolicy::default()
        };
        Self {
            name: name.into(),
            policy: SupervisorPolicy::default(),
            own,
            span: None,
            remembers: false,
            children: Vec::new(),
        }
    }

    /// A supervisor whose children are many, alike, and come and go at run time.
    pub fn dynamic(name: impl Into<String>) -> Self {
        Self::named(name).strategy(Strategy::SimpleOneForOne)
    }

    /// Adds a child at the right end.
    #[must_use]
    pub fn child<A: Agent>(mut self, child: Child<A>) -> Self {
        let like = self.children.last().and_then(|last| last.as_ref().ok());
        let built = child.build(&self.name, like);
        self.children.push(built);
        self
    }

    /// Adds many children of one kind.
    #[must_use]
    pub fn children<A: Agent>(self, children: impl IntoIterator<Item = Child<A>>) -> Self {
        children.into_iter().fold(self, Self::child)
    }

    /// Which children restart when one of them ends.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.policy.strategy = strategy;
        self
    }

    /// How many restarts it bears before it gives up.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.policy.intensity = intensity;
        self
    }

    /// How long a child waits before its next restart.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// Whether the end of significant children ends it.
    #[must_use]
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.policy.auto_shutdown = auto_shutdown;
        self
    }

    /// Starts its static children all at once instead of left to right.
    #[must_use]
    pub fn parallel_start(mut self) -> Self {
        self.policy.start_order = StartOrder::Parallel;
        self
    }

    /// Stops its children all at once instead of right to left, in all its parts where it is [split](Self::span): all of
    /// them are gone within the longest of their times, and not within the sum.
    #[must_use]
    pub fn parallel_stop(mut self) -> Self {
        self.policy.stop_order = StopOrder::Parallel;
        self
    }

    /// Splits it into several supervisors, `name`, `name.1`, …, of at most `span` children each. A [`SupervisorHandle`]
    /// of that name reaches all of them.
    #[must_use]
    pub fn span(mut self, span: usize) -> Self {
        self.span = Some(span);
        self
    }

    /// Lets changes made at run time outlive its restarts: children that were added are started again with the others and
    /// keep their mailboxes, those that were deleted are not, nor those of a dynamic supervisor that have ended. Unless said so they are
    /// forgotten, as in OTP.
    #[must_use]
    pub fn remembers(mut self) -> Self {
        self.remembers = true;
        self
    }

    /// When its own parent starts it again; always, unless said otherwise.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.own.restart = restart;
        self
    }

    /// What its own parent does when it fails too often.
    #[must_use]
    pub fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.own.on_limit = on_limit;
        self
    }

    /// How it is made to end: asked and waited for without limit, unless said otherwise, as in OTP. Its agents have
    /// their own times, one after the other unless they stop [at once](Self::parallel_stop), and all of them together have this one: with
    /// [`Shutdown::Within`] it is killed when that is over, [`Shutdown::BrutalKill`] asks nobody, and both kill the
    /// agents that are left with it, without their [`Agent::stop`].
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.own.shutdown = shutdown;
        self
    }

    /// How long its start may take, with those of all its static children; without limit, unless said otherwise. One
    /// that takes longer is killed and has not started: see [what then happens](crate#when-something-fails).
    #[must_use]
    pub fn start_within(mut self, limit: Duration) -> Self {
        self.own.start_within = Some(limit);
        self
    }

    /// Its end counts for [`Root::auto_shutdown`](crate::Root::auto_shutdown); one that is always restarted has no
    /// end, so this needs another [`Supervisor::restart`].
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.own.significant = true;
        self
    }

    /// Checks what can be known before the tree runs, and splits what is larger than its span.
    pub(crate) fn build(self) -> Result<Vec<SupervisorSpec>, BuildError> {
        let name = Name::new(&self.name)?;
        check_policy(&name, &self.policy)?;
        check_times(&self.own).map_err(|fault| faulty(&Name::root(), &name, fault))?;
        let children = self.children.into_iter().collect::<Result<Vec<_>, _>>()?;
        check_children(&name, &self.policy, &children)?;
        let span = self.span.unwrap_or(usize::MAX);
        if span == 0 {
            return Err(BuildError::NoSpan { supervisor: name });
        }
        if children.len() > span && self.policy.strategy != Strategy::OneForOne {
            return Err(BuildError::CannotSplit {
                supervisor: name,
                children: children.len(),
                span,
            });
        }
        let stops_at_once = self.policy.stop_order == StopOrder::Parallel;
        let mut parts = Vec::new();
        let mut rest = children.into_iter();
        while parts.is_empty() || rest.len() > 0 {
            let part: Vec<_> = rest.by_ref().take(span).collect();
            let blueprint = Blueprint::new(self.policy, part, self.remembers);
            let own = ChildPolicy {
                stops_along: stops_at_once && !parts.is_empty(),
                ..self.own
            };
            parts.push(SupervisorSpec::new(name.part(parts.len()), own, blueprint));
        }
        if let [first, others @ ..] = &*parts
            && !others.is_empty()
        {
            first
                .reception
                .lead(others.iter().map(SupervisorSpec::part).collect(), stops_at_once);
        }
        Ok(parts)
    }
}

pub(crate) fn check_policy(name: &Name, policy: &SupervisorPolicy) -> Result<(), BuildError> {
    let Intensity { restarts, period } = policy.intensity;
    if restarts > 0 && period.is_zero() {
        return Err(BuildError::IntensityWithoutPeriod {
            supervisor: name.clone(),
            restarts,
        });
    }
    check_backoff(&policy.backoff).map_err(|fault| BuildError::Backoff {
        supervisor: name.clone(),
        fault,
    })
}

/// Whether a child has any time to start and to stop.
pub(crate) fn check_times(policy: &ChildPolicy) -> Result<(), ChildFault> {
    if policy.start_within == Some(Duration::ZERO) {
        return Err(ChildFault::NoStartTime);
    }
    if policy.shutdown == Shutdown::Within(Duration::ZERO) {
        return Err(ChildFault::NoStopTime);
    }
    Ok(())
}

pub(crate) fn check_backoff(backoff: &Backoff) -> Result<(), BackoffFault> {
    if !backoff.factor.is_finite() || backoff.factor < 1.0 {
        Err(BackoffFault::Factor)
    } else if !(0.0..=1.0).contains(&backoff.jitter) {
        Err(BackoffFault::Jitter)
    } else if backoff.first > backoff.max {
        Err(BackoffFault::First)
    } else {
        Ok(())
    }
}

pub(crate) fn check_children(name: &Name, policy: &SupervisorPolicy, children: &[ChildSpec]) -> Result<(), BuildError> {
    let mut seen = foldhash::HashSet::default();
    seen.reserve(children.len());
    for child in children {
        if !seen.insert(&child.name) {
            return Err(faulty(name, &child.name, ChildFault::Duplicate));
        }
        let has_meaning = child.policy.restart != Restart::Permanent && policy.auto_shutdown != AutoShutdown::Never;
        if child.policy.significant && !has_meaning {
            return Err(faulty(name, &child.name, ChildFault::Significant));
        }
    }
    Ok(())
}

fn faulty(supervisor: &Name, child: &Name, fault: ChildFault) -> BuildError {
    BuildError::Child {
        supervisor: supervisor.clone(),
        child: child.clone(),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_allowed_within_some_time_and_without_any_no_time_is_needed() {
        let name = Name::new("team").unwrap();
        for (restarts, period, holds) in [
            (0, Duration::ZERO, true),
            (0, Duration::from_secs(1), true),
            (1, Duration::ZERO, false),
            (1, Duration::from_secs(1), true),
        ] {
            let policy = SupervisorPolicy {
                intensity: Intensity::new(restarts, period),
                ..SupervisorPolicy::default()
            };
            assert_eq!(
                check_policy(&name, &policy).is_ok(),
                holds,
                "{restarts} within {period:?}"
            );
        }
    }
}
