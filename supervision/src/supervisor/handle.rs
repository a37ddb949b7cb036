//! Asking a supervisor for changes of its children.

use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::actor::Order;
use super::machine::{Adjustment, AdminError, ChildState, Counts, Incarnation, Outcome};
use super::reception::{Caller, Part, Reception, Split};
use super::spec::SupervisorSpec;
use super::{Supervisor, check_policy};
use crate::address::Address;
use crate::agent::Agent;
use crate::child::{Child, ChildSpec};
use crate::error::BuildError;
use crate::name::{Name, NameError};
use crate::policy::{Backoff, ChildPolicy, Intensity, SupervisorPolicy};
use crate::tree::Shared;

/// Why a supervisor did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The child cannot be built as described.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The supervisor refused.
    #[error(transparent)]
    Refused(#[from] AdminError),
    /// It is down at the moment, or has left the tree.
    #[error("supervisor {supervisor} is down or has left the tree; ask again if its parent restarts it")]
    Down {
        /// Its path.
        supervisor: Arc<str>,
    },
}

impl From<NameError> for CallError {
    fn from(error: NameError) -> Self {
        Self::Build(BuildError::Name(error))
    }
}

/// What came of a child's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// It runs as this incarnation.
    Running(Incarnation),
    /// It declined to start, and is down without a failure.
    Declined,
}

impl From<Outcome> for Started {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Running(incarnation) => Self::Running(incarnation),
            // The last two answer no call for a start; they too say that it is down.
            Outcome::Ignored | Outcome::Terminated | Outcome::Deleted => Self::Declined,
        }
    }
}

/// One child as its supervisor shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChildStatus {
    /// Its name.
    pub name: Name,
    /// Where it stands.
    pub state: ChildState,
    /// The incarnation that exists, if one does.
    pub incarnation: Option<Incarnation>,
    /// How often it was started again.
    pub restarts: u32,
    /// What its specification says of its life.
    pub policy: ChildPolicy,
}

/// The way to a supervisor, through all its restarts.
///
/// Of a team that was split by [`Supervisor::span`](super::Supervisor::span), the handle at the team's own name reaches
/// all its parts: they list and count their children together, and a call for a child goes to the part that has it.
/// The handle at `team.2` reaches that part alone, and the one at `team.0` the first alone. In the same way the root's
/// handle takes `team` for all parts, and `team.0`, `team.1` … for one.
///
/// A part that is down is named in [`CallError::Down`]; calls that do not need it go on.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    first: Part,
    /// Of a team that was split, only its first part is meant.
    is_alone: bool,
    shared: Arc<Shared>,
}

impl SupervisorHandle {
    pub(crate) fn new(path: Arc<str>, reception: Arc<Reception>, shared: Arc<Shared>) -> Self {
        Self {
            first: Part { path, reception },
            is_alone: false,
            shared,
        }
    }

    /// Reaches the first part of a team that was split, and no other.
    pub(crate) fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// Its place in the tree.
    pub fn path(&self) -> Arc<str> {
        Arc::clone(&self.first.path)
    }

    /// Adds a child at the right end and starts it; returns its address when it has started. A child whose start fails
    /// is not kept; one that declines is listed without an incarnation.
    ///
    /// In a team that was split it comes to the part with the fewest children, of those that are up. Children added
    /// at run time make no new part: where all are full, a part has more than its span.
    pub async fn start_child<A: Agent>(&self, child: Child<A>) -> Result<(Address<A::Message>, Started), CallError> {
        let address = child.address();
        let spec = child.build(&self.first.path, None)?;
        let (part, name) = match self.split() {
            None => (&self.first, None),
            Some(split) => {
                let taken = || AdminError::AlreadyStarted {
                    child: spec.name.clone(),
                };
                let name = split.reserve(&spec.name).ok_or_else(taken)?;
                (self.part_for(&spec.name).await?, Some(name))
            }
        };
        let outcome = part.call_for(name, |caller| Order::Add { spec, caller }).await??;
        Ok((address, Started::from(outcome)))
    }

    /// Adds a supervisor with its children at the right end of the root and starts it, part after part where it is split.
    /// Where a part does not start, none is kept.
    pub(crate) async fn start_supervisor(&self, supervisor: Supervisor) -> Result<Started, CallError> {
        let parts = supervisor.build()?.into_iter();
        let specs: Vec<_> = parts.map(SupervisorSpec::into_child).collect();
        let of_part = |spec: &ChildSpec| (spec.name.clone(), spec.child.node().id);
        let adding = Adding {
            to: &self.first,
            children: specs.iter().map(of_part).collect(),
        };
        // All at once, so that nobody else's comes between them: a part stops along with its left neighbour.
        self.first.call(|caller| Order::Place { specs, caller }).await??;
        let mut last = Started::Declined;
        for (at, child) in adding.children.iter().cloned().enumerate() {
            let started = self.first.call(|caller| Order::StartPlaced { child, caller }).await;
            match started.map(|started| started.map(Started::from)) {
                Ok(Ok(outcome)) => last = outcome,
                refused => {
                    // One whose start was interrupted is there, and goes by its number: another may bear its name.
                    let others = adding.children.iter().enumerate().filter(|(other, _)| *other != at);
                    self.undo(others.rev().map(|(_, (name, _))| name)).await;
                    return refused?.map_err(CallError::from);
                }
            }
        }
        adding.stays();
        Ok(last)
    }

    /// Takes supervisors away again. One that is gone already needs no undoing.
    async fn undo(&self, placed: impl Iterator<Item = &Name>) {
        for name in placed {
            let name = || name.clone();
            let _stopped = self
                .first
                .call_first(|caller| Order::Terminate { name: name(), caller })
                .await;
            let _deleted = self.first.call(|caller| Order::Delete { name: name(), caller }).await;
        }
    }

    /// Stops a child; its specification is kept, unless it is temporary or dynamic.
    ///
    /// Of a team that was split, the parts stop from right to left, unless its children stop
    /// [at once](super::Supervisor::parallel_stop).
    pub async fn terminate_child(&self, name: &str) -> Result<(), CallError> {
        let reception = self.reception_of(name);
        let stops_at_once = reception.is_some_and(|team| team.split().is_some_and(Split::stops_at_once));
        let answers = self.meant_from_right(name)?.into_iter().map(async |name| {
            let holder = self.holder_of(&name);
            told(holder.call_first(|caller| Order::Terminate { name, caller }).await)
        });
        let answers = if stops_at_once {
            join_all(answers).await
        } else {
            stream::iter(answers).then(|answer| answer).collect().await
        };
        Changes(answers).by_all()
    }

    /// Starts a child that is down; of a team that was split, the parts that are down.
    pub async fn restart_child(&self, name: &str) -> Result<Started, CallError> {
        let order = |name, caller| Order::Restart { name, caller };
        self.change(self.meant(name)?, order).await.by_any().map(Started::from)
    }

    /// Forgets the specification of a child that is down, and closes its mailbox.
    pub async fn delete_child(&self, name: &str) -> Result<(), CallError> {
        let order = |name, caller| Order::Delete { name, caller };
        let mut deleted = self.change(self.meant_from_right(name)?, order).await.by_all();
        for part in self.split().map(Split::others).into_iter().flatten() {
            if !matches!(deleted, Err(CallError::Refused(AdminError::NotFound { .. }))) {
                break;
            }
            // One that has left with its end may still be remembered by the part that it was in.
            let answer = part.call(|caller| order(Name::unchecked(name), caller)).await;
            deleted = answer.and_then(|answer| answer.map(drop).map_err(CallError::from));
        }
        deleted
    }

    /// Starts a child that is in quarantine, with a clean record; of a team that was split, the parts that are.
    pub async fn retry_child(&self, name: &str) -> Result<Started, CallError> {
        let order = |name, caller| Order::Retry { name, caller };
        self.change(self.meant(name)?, order).await.by_any().map(Started::from)
    }

    /// Kills a child as if from outside: it fails, and what follows is the supervisor's decision.
    pub async fn kill_child(&self, name: &str) -> Result<(), CallError> {
        let order = |name, caller| Order::KillChild { name, caller };
        self.change(self.meant_from_right(name)?, order).await.by_all()
    }

    /// Gives it other limits while it runs: how many restarts it bears, and the waits of children without their own. It
    /// keeps them through its restarts. Restarts that were count still; a child that waits goes on as it was told.
    pub async fn adjust(&self, intensity: Intensity, backoff: Backoff) -> Result<(), CallError> {
        let adjustment = Adjustment { intensity, backoff };
        let mut policy = SupervisorPolicy::default();
        adjustment.change(&mut policy);
        check_policy(&Name::unchecked(&self.first.path), &policy)?;
        for part in self.parts() {
            part.call(|caller| Order::Adjust { adjustment, caller }).await?;
        }
        Ok(())
    }

    /// Starts its children in this order from its next start on, where it
    /// [remembers](super::Supervisor::remembers) changes. Those that are not named come last.
    pub async fn arrange_children(&self, order: &[&str]) -> Result<(), CallError> {
        let order: Arc<[Name]> = order.iter().map(|name| Name::unchecked(name)).collect();
        for part in self.parts() {
            let order = Arc::clone(&order);
            part.call(|caller| Order::Arrange { order, caller }).await?;
        }
        Ok(())
    }

    /// Its children in start order.
    pub async fn which_children(&self) -> Result<Vec<ChildStatus>, CallError> {
        let mut children = Vec::new();
        for part in self.parts() {
            children.extend(part.call_first(|caller| Order::List { caller }).await?);
        }
        Ok(children)
    }

    /// How many children it has, by state.
    pub async fn count_children(&self) -> Result<Counts, CallError> {
        let mut counts = Counts::default();
        for part in self.parts() {
            counts = sum(counts, part.call_first(|caller| Order::Count { caller }).await?);
        }
        Ok(counts)
    }

    /// What the specification of one child says.
    pub async fn child_policy(&self, name: &str) -> Result<ChildPolicy, CallError> {
        let children = self.which_children().await?;
        let found = children.into_iter().find(|child| child.name.as_str() == name);
        found.map(|child| child.policy).ok_or_else(|| {
            AdminError::NotFound {
                child: Name::unchecked(name),
            }
            .into()
        })
    }
}

/// How the first part of a team is called where it alone is meant.
pub(crate) const FIRST_PART: &str = ".0";

/// Which part, and which children.
impl SupervisorHandle {
    fn split(&self) -> Option<&Split> {
        self.first.reception.split().filter(|_| !self.is_alone)
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        let others = self.split().map(Split::others);
        std::iter::once(&self.first).chain(others.into_iter().flatten())
    }

    /// The part that has a child of that name.
    fn part_with(&self, name: &Name) -> Option<&Part> {
        self.parts()
            .find(|part| self.shared.find_child(&part.path, name.as_str()).is_some())
    }

    /// The part for a new child: one that has the name already, which will refuse it, or the one with the fewest.
    async fn part_for(&self, name: &Name) -> Result<&Part, CallError> {
        if let Some(part) = self.part_with(name) {
            return Ok(part);
        }
        let mut fewest: Option<(usize, &Part)> = None;
        for part in self.parts() {
            let Ok(counts) = part.call_first(|caller| Order::Count { caller }).await else {
                continue;
            };
            if fewest.is_none_or(|(least, _)| counts.specified < least) {
                fewest = Some((counts.specified, part));
            }
        }
        fewest.map(|(_, part)| part).ok_or_else(|| self.first.down())
    }

    /// The children that are meant by a name: all parts of a team, or one child.
    fn meant(&self, text: &str) -> Result<Vec<Name>, NameError> {
        let name = Name::asked_for(text)?;
        let first = text.strip_suffix(FIRST_PART).unwrap_or(text);
        let Some(reception) = self.reception_of(first) else {
            return Ok(vec![name]);
        };
        let is_whole = first == text;
        let others = reception.split().filter(|_| is_whole).map_or(&[][..], Split::others);
        let others = others.iter().filter(|part| self.shared.find(&part.path).is_some());
        let first = std::iter::once(Name::unchecked(first));
        Ok(first.chain(others.map(|part| Name::unchecked(&part.path))).collect())
    }

    /// Where the child of that name is reached, if it is a supervisor.
    fn reception_of(&self, child: &str) -> Option<Arc<Reception>> {
        let found = self.shared.find_child(&self.first.path, child)?;
        found.door.as_any().downcast().ok()
    }

    fn meant_from_right(&self, name: &str) -> Result<Vec<Name>, NameError> {
        let mut children = self.meant(name)?;
        children.reverse();
        Ok(children)
    }

    /// The part that has a child of that name. Where none has it, the first says so.
    fn holder_of(&self, name: &Name) -> &Part {
        self.part_with(name).unwrap_or(&self.first)
    }

    /// Orders something of each of these children, one after the other, of the part that has it.
    async fn change<T>(
        &self,
        children: Vec<Name>,
        order: impl Fn(Name, Caller<Result<T, AdminError>>) -> Order,
    ) -> Changes<T> {
        let mut answers = Vec::with_capacity(children.len());
        for child in children {
            let answer = self.holder_of(&child).call(|caller| order(child, caller));
            answers.push(told(answer.await));
        }
        Changes(answers)
    }
}

/// What came of a call, whether it was refused or never heard.
fn told<T>(answer: Result<Result<T, AdminError>, CallError>) -> Result<T, CallError> {
    answer.and_then(|answer| answer.map_err(CallError::from))
}

/// What came of a call for each of the children it was for.
struct Changes<T>(Vec<Result<T, CallError>>);

impl<T> Changes<T> {
    /// Each has to do it; the first refusal is told.
    fn by_all(self) -> Result<(), CallError> {
        self.0.into_iter().try_for_each(|answer| answer.map(drop))
    }

    /// It is enough where one does it; else the first refusal is told.
    fn by_any(self) -> Result<T, CallError> {
        let first = |one: Result<T, _>, other: Result<T, _>| if one.is_err() && other.is_ok() { other } else { one };
        let answer = self.0.into_iter().reduce(first);
        // A name means one child at least.
        answer.unwrap_or(Err(CallError::Refused(AdminError::Ending)))
    }
}

fn sum(one: Counts, other: Counts) -> Counts {
    Counts {
        specified: one.specified + other.specified,
        active: one.active + other.active,
        starting: one.starting + other.starting,
        stopping: one.stopping + other.stopping,
        restarting: one.restarting + other.restarting,
        down: one.down + other.down,
        quarantined: one.quarantined + other.quarantined,
    }
}

/// What is being added: dropped before all of it is up, it is taken away again.
struct Adding<'a> {
    to: &'a Part,
    /// With the numbers of their nodes: another may bear the name of one that is refused for that.
    children: Vec<(Name, u64)>,
}

impl Adding<'_> {
    /// It stays.
    fn stays(mut self) {
        self.children.clear();
    }
}

impl Drop for Adding<'_> {
    fn drop(&mut self) {
        if !self.children.is_empty() {
            let children = std::mem::take(&mut self.children);
            // A supervisor that is gone has taken them along.
            let _ordered = self.to.reception.order(Order::Withdraw { children });
        }
    }
}

/// A checked child on its way to the supervisor.
pub(super) type Added = ChildSpec;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_children_of_all_parts_are_counted_state_by_state() {
        let of = |[specified, active, starting, stopping, restarting, down, quarantined]: [usize; 7]| Counts {
            specified,
            active,
            starting,
            stopping,
            restarting,
            down,
            quarantined,
        };
        let counts = sum(of([28, 1, 2, 3, 4, 5, 6]), of([70, 10, 20, 30, 40, 50, 60]));
        assert_eq!(counts, of([98, 11, 22, 33, 44, 55, 66]));
    }
}
