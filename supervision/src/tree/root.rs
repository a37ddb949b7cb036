//! Level 1: the root a whole tree hangs on.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use super::ground;
use super::metering::Meters;
use super::node::{Level, Node};
use super::observer::Observer;
use super::shared::{Door, RootState, Shared};
use crate::child::ChildSpec;
use crate::error::{BuildError, StartError};
use crate::metrics::Instruments;
use crate::name::Name;
use crate::panics;
use crate::policy::{AutoShutdown, Backoff, Intensity, SupervisorPolicy};
use crate::reason::ExitReason;
use crate::supervisor::machine::Overdue;
use crate::supervisor::{
    Blueprint, Charge, Order, Reception, Supervisor, SupervisorActor, SupervisorSpec, check_children, check_policy,
};

/// The description of a whole tree.
///
/// ```
/// use triarch_supervision::prelude::*;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let tree = Root::new().supervisor(Supervisor::named("team")).start().await?;
/// assert_eq!(tree.observer().snapshot().len(), 2);
/// let end = tree.stop().await;
/// assert!(end.is_orderly());
/// # Ok::<(), StartError>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Root {
    supervisors: Vec<Supervisor>,
    policy: SupervisorPolicy,
    seed: Option<u64>,
    instruments: Option<Instruments>,
}

impl Root {
    /// A root without supervisors yet. It restarts one for one: addresses outlive restarts, so none needs its
    /// neighbour's restart.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a supervisor at the right end.
    #[must_use]
    pub fn supervisor(mut self, supervisor: Supervisor) -> Self {
        self.supervisors.push(supervisor);
        self
    }

    /// How many restarts of supervisors it bears before the whole tree ends.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.policy.intensity = intensity;
        self
    }

    /// How long a supervisor waits before its next restart.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.backoff = backoff;
        self
    }

    /// Whether the end of significant supervisors ends the whole tree.
    #[must_use]
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.policy.auto_shutdown = auto_shutdown;
        self
    }

    /// Determines all chance in the tree, for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Counts with `instruments` instead of ones of its own, so that others can count in them too.
    ///
    /// Their catalogue needs the sections [`TREE`](crate::metrics::families::TREE), or the tree does not start:
    /// [`Instruments::with_tree`] puts them there. One tree to one set of instruments: gauges tell of the tree that was
    /// sampled last.
    #[must_use]
    pub fn instruments(mut self, instruments: Instruments) -> Self {
        self.instruments = Some(instruments);
        self
    }

    /// Builds the tree and starts it, left to right; returns when all have started.
    ///
    /// It lives on tokio's current runtime until [`Tree::stop`], until its root gives up, or until the runtime ends;
    /// also where the [`Tree`] is dropped.
    pub async fn start(self) -> Result<Tree, StartError> {
        self.start_unless(pending()).await
    }

    /// The same, unless it is `unwanted` before all have started: then they are asked to stop, as by [`Tree::stop`], and the
    /// tree that is returned is about to end.
    pub async fn start_unless(self, unwanted: impl Future<Output = ()>) -> Result<Tree, StartError> {
        self.start_seen(|_| {}, unwanted).await
    }

    /// Starts the tree, and shows what its parts share before the first of them begins.
    pub(crate) async fn start_seen(
        mut self,
        see: impl FnOnce(&Arc<Shared>),
        unwanted: impl Future<Output = ()>,
    ) -> Result<Tree, StartError> {
        let seed = self.seed.unwrap_or_else(random_seed);
        let instruments = self.instruments.take();
        let blueprint = self.build()?;
        panics::install_hook();
        let node = Node::new(Level::Root, Name::root(), "Root");
        ground::check(&node)?;
        let shared = Shared::new(seed, Meters::new(instruments)?);
        see(&shared);
        node.set_path(Arc::from(node.name.as_str()));
        let reception = Arc::new(Reception::default());
        shared.enlist(&node, Arc::clone(&reception) as Arc<dyn Door>);
        node.meters().bears(blueprint.policy().intensity);
        for child in &*blueprint.children() {
            child.child.join_tree(None, &shared);
        }
        node.begin(1, crate::clock::Moment::now());
        let charge = Charge {
            node,
            incarnation: 1,
            blueprint,
            shared: Arc::clone(&shared),
            reception,
            parent: None,
        };
        let starting = Starting(Tree { shared });
        spawn(charge)
            .await
            .map_err(|error| StartError::Spawn(error.to_string()))?;
        let reached = tokio::select! {
            biased;
            reached = starting.0.reached(|state| *state != RootState::Starting) => reached,
            () = unwanted => {
                // It may have started just now.
                starting.0.ask_to_stop();
                return Ok(starting.0.clone());
            }
        };
        match reached {
            RootState::Ended(reason) => Err(StartError::NotStarted(reason)),
            _ => Ok(starting.0.clone()),
        }
    }

    fn build(self) -> Result<Arc<Blueprint>, BuildError> {
        let root = Name::root();
        check_policy(&root, &self.policy)?;
        let mut children: Vec<ChildSpec> = Vec::new();
        for supervisor in self.supervisors {
            children.extend(supervisor.build()?.into_iter().map(SupervisorSpec::into_child));
        }
        check_children(&root, &self.policy, &children)?;
        Ok(Blueprint::new(self.policy, children, false))
    }
}

/// A tree that starts. Where nobody waits for that any more, nobody could stop it, so it ends.
struct Starting(Tree);

impl Drop for Starting {
    fn drop(&mut self) {
        if *self.0.shared.root().borrow() == RootState::Starting {
            self.0.ask_to_stop();
        }
    }
}

pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one actor without a parent: all others hang on it"
)]
async fn spawn(charge: Charge) -> Result<(), ractor::SpawnErr> {
    ractor::Actor::spawn(None, SupervisorActor, charge).await.map(|_| ())
}

/// A child that did not stop in time when its supervisor last ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Late {
    /// The supervisor that stopped it.
    pub supervisor: Arc<str>,
    /// Its name.
    pub child: Name,
    /// Which life of it.
    pub incarnation: u64,
    /// How long it was waited for before the kill.
    pub waited: Duration,
    /// Whether the kill ended it; `false` means it still holds a thread.
    pub ended: bool,
}

impl Late {
    fn new(supervisor: Arc<str>, overdue: Overdue) -> Self {
        Self {
            supervisor,
            child: overdue.child,
            incarnation: overdue.incarnation,
            waited: overdue.waited,
            ended: overdue.ended,
        }
    }
}

/// How a tree ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RootEnd {
    /// Why.
    pub reason: ExitReason,
    /// Who did not stop in time: when its supervisor last ended, or before, if it is still there.
    pub late: Vec<Late>,
}

/// The exit code of a process whose root gave up.
const ROOT_FAILED: u8 = 70;

impl RootEnd {
    /// Whether it was asked to end and everybody stopped in time.
    pub fn is_orderly(&self) -> bool {
        !self.reason.is_failure() && self.late.is_empty()
    }

    /// What the process should exit with: 0, or 70 where the root gave up.
    pub fn exit_code(&self) -> u8 {
        if self.reason.is_failure() { ROOT_FAILED } else { 0 }
    }
}

/// A tree that runs.
///
/// Clones are the same tree. Dropping them does not end it, and leaves nobody who could: keep one, and
/// [stop](Tree::stop) it.
#[must_use = "nobody else can stop the tree"]
#[derive(Clone, Debug)]
pub struct Tree {
    shared: Arc<Shared>,
}

impl Tree {
    /// Sees the tree and reaches into it by path.
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.shared))
    }

    /// What the tree counts; [`Observer::sample`] brings it up to date.
    pub fn instruments(&self) -> &Instruments {
        self.shared.meters.instruments()
    }

    /// Stops everybody, right to left, each within its time, and tells who did not.
    pub async fn stop(&self) -> RootEnd {
        self.ask_to_stop();
        self.wait().await
    }

    fn ask_to_stop(&self) {
        let root = self.shared.find("root").map(|entry| entry.door.as_any());
        if let Some(Ok(reception)) = root.map(Arc::downcast::<Reception>) {
            reception.order(Order::Stop);
        }
    }

    /// Waits until the tree ends, by [`Tree::stop`] or because its root gave up.
    pub async fn wait(&self) -> RootEnd {
        let RootState::Ended(reason) = self.reached(|state| matches!(state, RootState::Ended(_))).await else {
            return RootEnd {
                reason: ExitReason::Shutdown,
                late: Vec::new(),
            };
        };
        let late = self
            .shared
            .overdue()
            .into_iter()
            .map(|(supervisor, overdue)| Late::new(supervisor, overdue))
            .collect();
        RootEnd { reason, late }
    }

    async fn reached(&self, is_reached: impl FnMut(&RootState) -> bool) -> RootState {
        let mut root = self.shared.root();
        // The sender lives in what this very value shares, so it cannot be gone.
        root.wait_for(is_reached)
            .await
            .map_or(RootState::Starting, |state| state.clone())
    }
}

#[cfg(not(shuttle))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::OnStuck;
    use crate::reason::KillCause;

    struct Quiet;

    struct Nothing;

    impl crate::Message for Nothing {}

    impl crate::Agent for Quiet {
        type Message = Nothing;
        type Spec = ();
        async fn start((): (), _: &mut crate::agent::Context<Self>) -> Result<Self, crate::reason::Failure> {
            Ok(Self)
        }
        async fn handle(
            &mut self,
            _: Nothing,
            _: &mut crate::agent::Context<Self>,
        ) -> Result<(), crate::reason::Failure> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_left_of_a_tree_whose_runtime_is_gone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.unwrap();
        let agent = crate::child::Child::of::<Quiet>("a", ());
        let address = agent.address();
        let team = Supervisor::named("team").child(agent.handle_within(Duration::from_secs(1), OnStuck::Report));
        let tree = runtime.block_on(Root::new().supervisor(team).start()).unwrap();
        address.try_send(Nothing).unwrap();
        drop(runtime);
        assert!(address.is_closed());
        drop(address);
        let shared = Arc::downgrade(&tree.shared);
        drop(tree);
        assert_eq!(shared.strong_count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tree_whose_root_was_killed_has_ended() {
        let tree = Root::new().supervisor(Supervisor::named("team")).start().await.unwrap();
        let door = tree.shared.find("root").unwrap().door;
        door.as_any().downcast::<Reception>().unwrap().cell().unwrap().kill();
        let end = tokio::time::timeout(Duration::from_mins(1), tree.stop()).await.unwrap();
        assert_eq!(end.reason, ExitReason::Killed(KillCause::Outside));
    }
}
