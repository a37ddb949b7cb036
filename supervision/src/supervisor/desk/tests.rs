//! A start waits until nothing is left of the life before; here something is left for as long as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ractor::{ActorCell, SpawnErr};
use tokio::time::{Instant, sleep, timeout};

use crate::agent::OnStuck;
use crate::child::{Spawned, Startable};
use crate::prelude::*;
use crate::supervisor::{ChildState, Decision, Started, SupervisorHandle};
use crate::tree::{Events, Fact, Node, Phase, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// A child of which something is left when it has ended.
pub(super) struct Lingering {
    pub(super) child: Arc<dyn Startable>,
    pub(super) is_left: Arc<AtomicBool>,
    /// What is to be done when its actor is made.
    pub(super) first: fn(),
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
        (self.first)();
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
    events: Events,
}

/// An agent that has failed, and whose next start is held back.
async fn held_back(shape: impl FnOnce(Child<Echo>) -> Child<Echo>) -> Scene {
    let child = shape(Child::of::<Echo>("a", ()).start_within(SECOND));
    let (address, is_left) = (child.address(), Arc::new(AtomicBool::new(true)));
    let mut team = Supervisor::named("team").child(child);
    for spec in team.children.iter_mut().flatten() {
        spec.child = Arc::new(Lingering {
            child: Arc::clone(&spec.child),
            is_left: Arc::clone(&is_left),
            first: || (),
        });
    }
    let tree = Root::new().seed(1).supervisor(team).start().await.unwrap();
    let team = tree.observer().supervisor("team").unwrap();
    let events = tree.observer().events();
    address.send(Say::Fail).await.unwrap();
    sleep(30 * SECOND).await;
    let node = tree.observer().node("team/a").unwrap();
    // It was decided that it is restarted.
    assert_eq!((node.incarnation, node.restarts, node.state), (1, 1, Phase::Stopped));
    assert_eq!(team.which_children().await.unwrap()[0].state, ChildState::Starting);
    Scene {
        tree,
        team,
        address,
        is_left,
        events,
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_held_back_is_blamed_on_nobody_and_has_its_whole_time_once_it_begins() {
    let mut scene = held_back(|child| child).await;
    let restarts = |events: &mut Events| {
        let told = std::iter::from_fn(|| events.try_next());
        told.filter(|event| matches!(event.fact, Fact::Decision(Decision::Restarting { .. })))
            .count()
    };
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
