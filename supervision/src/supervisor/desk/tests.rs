//! A start waits until nothing is left of the life before; here something is left for as long as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ractor::{ActorCell, SpawnErr};
use tokio::time::{Instant, sleep, timeout};

use crate::agent::OnStuck;
use crate::child::{Spawned, Startable};
use crate::prelude::*;
use crate::supervisor::{ChildState, Decision, Started, SupervisorHandle};
use crate::tree::{Events, Fact, Node, Phase, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// A child of which something is left when it has ended, or whose actor is not always spawned.
pub(super) struct Lingering {
    pub(super) child: Arc<dyn Startable>,
    pub(super) is_left: Arc<AtomicBool>,
    /// Asked before each of its actors is made.
    pub(super) may_spawn: Arc<dyn Fn() -> Result<(), SpawnErr> + Send + Sync>,
}

impl Startable for Lingering {
    fn node(&self) -> &Arc<Node> {
        self.child.node()
    }

    fn join_tree(&self, parent: Option<&str>, shared: &Arc<Shared>) {
        self.child.join_tree(parent, shared);
    }

    fn leave_tree(&self) {
        self.child.leave_tree();
    }

    fn spawn(self: Arc<Self>, parent: ActorCell, incarnation: u64) -> Result<Spawned, SpawnErr> {
        (self.may_spawn)()?;
        Arc::clone(&self.child).spawn(parent, incarnation)
    }

    fn ask_to_stop(&self) {
        self.child.ask_to_stop();
    }

    fn ring(&self) {
        self.child.ring();
    }

    fn starts_with_its_actor(&self) -> bool {
        self.child.starts_with_its_actor()
    }

    fn is_vacant(&self) -> bool {
        self.child.is_vacant()
    }

    fn may_start(&self) -> bool {
        !self.is_left.load(Ordering::Relaxed) && self.child.may_start()
    }

    fn budget(&self) -> Option<(Duration, OnStuck)> {
        self.child.budget()
    }
}

enum Say {
    Life(Reply<u64>),
    Fail,
}

impl Message for Say {}

/// Starts at once, save in its second life.
struct Echo;

impl Agent for Echo {
    type Message = Say;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        if ctx.incarnation() == 2 {
            std::future::pending::<()>().await;
        }
        Ok(Self)
    }

    async fn handle(&mut self, say: Say, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match say {
            Say::Life(reply) => reply.send(ctx.incarnation()),
            Say::Fail => return Err(Failure::new("told to fail")),
        }
        Ok(())
    }
}

struct Scene {
    tree: Tree,
    team: SupervisorHandle,
    address: Address<Say>,
    is_left: Arc<AtomicBool>,
    refusals: Arc<AtomicUsize>,
    events: Events,
}

/// An agent that runs, and that lingers where it is told so.
async fn lingering(shape: impl FnOnce(Child<Echo>) -> Child<Echo>) -> Scene {
    let child = shape(Child::of::<Echo>("a", ()).start_within(SECOND));
    let (address, is_left, refusals) = (
        child.address(),
        Arc::<AtomicBool>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let left = Arc::clone(&refusals);
    let may_spawn: Arc<dyn Fn() -> Result<(), SpawnErr> + Send + Sync> = Arc::new(move || {
        let one_less = |refusals: usize| refusals.checked_sub(1);
        let refused = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        refused.map_or(Ok(()), |_| Err(SpawnErr::ActorAlreadyStarted))
    });
    let intensity = Intensity::new(5, 60 * SECOND);
    let mut team = Supervisor::named("team").intensity(intensity).child(child);
    for spec in team.children.iter_mut().flatten() {
        spec.child = Arc::new(Lingering {
            child: Arc::clone(&spec.child),
            is_left: Arc::clone(&is_left),
            may_spawn: Arc::clone(&may_spawn),
        });
    }
    let tree = Root::new().seed(1).supervisor(team).start().await.unwrap();
    Scene {
        team: tree.observer().supervisor("team").unwrap(),
        events: tree.observer().events(),
        tree,
        address,
        is_left,
        refusals,
    }
}

/// An agent that has failed, and whose next start is held back.
async fn held_back(shape: impl FnOnce(Child<Echo>) -> Child<Echo>) -> Scene {
    let scene = lingering(shape).await;
    scene.is_left.store(true, Ordering::Relaxed);
    scene.address.send(Say::Fail).await.unwrap();
    sleep(30 * SECOND).await;
    let node = scene.tree.observer().node("team/a").unwrap();
    // It was decided that it is restarted.
    assert_eq!((node.incarnation, node.restarts, node.state), (1, 1, Phase::Stopped));
    assert_eq!(
        scene.team.which_children().await.unwrap()[0].state,
        ChildState::Starting
    );
    scene
}

/// How many restarts were decided since it was last asked.
fn restarts(events: &mut Events) -> usize {
    let told = std::iter::from_fn(|| events.try_next());
    told.filter(|event| matches!(event.fact, Fact::Decision(Decision::Restarting { .. })))
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_held_back_is_blamed_on_nobody_and_has_its_whole_time_once_it_begins() {
    let mut scene = held_back(|child| child).await;
    assert_eq!(restarts(&mut scene.events), 1);
    scene.is_left.store(false, Ordering::Relaxed);
    let begun = Instant::now();
    assert_eq!(
        scene.address.ask(Say::Life).await,
        Ok(3),
        "the second start took too long"
    );
    let took = begun.elapsed();
    assert!((SECOND..2 * SECOND).contains(&took), "{took:?}");
    assert_eq!(restarts(&mut scene.events), 1);
    scene.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_held_back_can_be_called_off_and_asked_for_again() {
    for shutdown in [Shutdown::Within(SECOND), Shutdown::Infinity, Shutdown::BrutalKill] {
        let scene = held_back(|child| child.shutdown(shutdown)).await;
        let begun = Instant::now();
        scene.team.terminate_child("a").await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO, "{shutdown:?}");
        scene.is_left.store(false, Ordering::Relaxed);
        sleep(SECOND).await;
        assert_eq!(scene.tree.observer().node("team/a").unwrap().incarnation, 1);
        scene.is_left.store(true, Ordering::Relaxed);
        let mut restarted = Box::pin(scene.team.restart_child("a"));
        assert!(timeout(30 * SECOND, &mut restarted).await.is_err());
        scene.is_left.store(false, Ordering::Relaxed);
        assert_eq!(restarted.await, Ok(Started::Running(3)), "{shutdown:?}");
        scene.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_ends_at_once_though_a_start_is_held_back() {
    let scene = held_back(|child| child).await;
    let begun = Instant::now();
    let end = scene.tree.stop().await;
    assert!(end.is_orderly(), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_ractor_refuses_to_spawn_is_one_more_failure_of_its_child() {
    let mut scene = lingering(|child| child.backoff(Backoff::none())).await;
    scene.refusals.store(2, Ordering::Relaxed);
    scene.address.send(Say::Fail).await.unwrap();
    let answer = timeout(30 * SECOND, scene.address.ask(Say::Life)).await.unwrap();
    assert_eq!(answer, Ok(4));
    assert_eq!(
        restarts(&mut scene.events),
        3,
        "of one that failed, and of two that were refused"
    );
    let budget = scene.tree.observer().restart_budget("team").unwrap().unwrap();
    assert_eq!(budget.used, 3);
    scene.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_ractor_never_spawns_fails_its_supervisor_in_the_end_and_says_why() {
    let mut scene = lingering(|child| child.backoff(Backoff::none())).await;
    scene.refusals.store(usize::MAX, Ordering::Relaxed);
    scene.address.send(Say::Fail).await.unwrap();
    let end = timeout(30 * SECOND, scene.tree.wait()).await.unwrap();
    assert!(
        end.reason.to_string().contains("Actor cannot be re-started"),
        "{}",
        end.reason
    );
    assert!(restarts(&mut scene.events) > 5);
}
