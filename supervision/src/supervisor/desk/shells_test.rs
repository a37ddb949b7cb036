//! An agent that fails by itself goes on in its actor; in every other case another actor bears the next life, and none is left over.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ractor::ActorId;
use tokio::time::sleep;

use crate::child::Startable;
use crate::clock::Moment;
use crate::prelude::*;
use crate::reason::KillCause;
use crate::supervisor::SupervisorHandle;
use crate::supervisor::reception::Reception;
use crate::tree::{KILL, Node, Phase};

const SECOND: Duration = Duration::from_secs(1);

enum Say {
    Life(Reply<u64>),
    Fail,
    Panic,
    /// Fails while its kill is on its way.
    FailKilled,
}

impl Message for Say {}

type OwnNode = Arc<OnceLock<Arc<Node>>>;

struct Echo(OwnNode);

impl Agent for Echo {
    type Message = Say;
    type Spec = OwnNode;

    async fn start(node: OwnNode, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(node))
    }

    async fn handle(&mut self, say: Say, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match say {
            Say::Life(reply) => reply.send(ctx.incarnation()),
            Say::Fail => return Err(Failure::new("told to fail")),
            Say::Panic => panic!("told to panic"),
            Say::FailKilled => {
                let node = self.0.get().expect("it is given before anything is sent");
                node.raise(KILL);
                return Err(Failure::new("told to fail"));
            }
        }
        Ok(())
    }
}

struct Scene {
    tree: Tree,
    team: SupervisorHandle,
    address: Address<Say>,
    child: Arc<dyn Startable>,
}

async fn scene(shape: impl FnOnce(Child<Echo>) -> Child<Echo>) -> Scene {
    let own = OwnNode::default();
    let child = shape(Child::of::<Echo>("a", Arc::clone(&own)));
    let address = child.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(9, SECOND))
        .child(child);
    let scene = Scene::of(team, address).await;
    assert!(own.set(Arc::clone(scene.child.node())).is_ok());
    scene
}

impl Scene {
    /// A team of one.
    async fn of(team: Supervisor, address: Address<Say>) -> Self {
        let child = Arc::clone(&team.children.iter().flatten().next().unwrap().child);
        let tree = Root::new().seed(1).supervisor(team).start().await.unwrap();
        let team = tree.observer().supervisor("team").unwrap();
        Self {
            tree,
            team,
            address,
            child,
        }
    }

    fn reception(&self) -> Arc<Reception> {
        let shared = self.address.mailbox().shared.get().unwrap();
        let door = shared.find("team").unwrap().door;
        door.as_any().downcast::<Reception>().unwrap()
    }

    /// The actors under the supervisor.
    fn actors(&self) -> Vec<ActorId> {
        let team = self.reception().cell().unwrap();
        team.get_children().iter().map(ractor::ActorCell::get_id).collect()
    }

    async fn life(&self) -> u64 {
        self.address.ask(Say::Life).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_fails_goes_on_in_its_actor_and_one_that_is_killed_in_another() {
    let scene = scene(|child| child).await;
    let actors = scene.actors();
    assert_eq!(actors.len(), 1);
    scene.address.send(Say::Fail).await.unwrap();
    assert_eq!((scene.life().await, scene.actors()), (2, actors.clone()));
    scene.address.send(Say::Panic).await.unwrap();
    assert_eq!((scene.life().await, scene.actors()), (3, actors.clone()));
    scene.team.kill_child("a").await.unwrap();
    assert_eq!(scene.life().await, 4);
    sleep(SECOND).await;
    let others = scene.actors();
    assert!(others.len() == 1 && others != actors, "{others:?} after {actors:?}");
    assert!(scene.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_life_whose_actor_and_supervisor_are_killed_before_it_begins_is_known_to_have_ended() {
    let scene = scene(|child| child).await;
    let node = Arc::clone(scene.child.node());
    let team = scene.reception().cell().unwrap();
    let shell = team.get_children().remove(0);
    node.begin(2, Moment::now());
    assert!(Arc::clone(&scene.child).revive(&shell, 2));
    team.kill();
    shell.kill();
    while node.incarnation() == 2 {
        tokio::task::yield_now().await;
    }
    let changes = node.history().into_iter();
    let of_second: Vec<_> = changes.filter(|change| change.incarnation == 2).collect();
    let killed = Some(ExitReason::Killed(KillCause::Outside));
    assert!(
        of_second
            .iter()
            .any(|change| change.to == Phase::Stopped && change.reason == killed),
        "{of_second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_actor_of_an_agent_that_is_not_started_again_at_once_ends() {
    let later = Backoff::exponential(10 * SECOND, 10 * SECOND);
    let waits = scene(|child| child.backoff(later)).await;
    let is_over = scene(|child| child.restart(Restart::Temporary)).await;
    for scene in [&waits, &is_over] {
        scene.address.send(Say::Fail).await.unwrap();
        sleep(SECOND).await;
        assert_eq!(scene.actors(), []);
    }
    sleep(20 * SECOND).await;
    assert_eq!((waits.life().await, waits.actors().len()), (2, 1));
    assert_eq!(is_over.actors(), []);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_fails_while_its_kill_is_on_its_way_goes_on_in_another_actor() {
    let scene = scene(|child| child).await;
    let actors = scene.actors();
    scene.address.send(Say::FailKilled).await.unwrap();
    assert_eq!(scene.life().await, 2);
    sleep(SECOND).await;
    let others = scene.actors();
    assert!(others.len() == 1 && others != actors, "{others:?} after {actors:?}");
}

/// Starts in its first life alone.
struct Once;

impl Agent for Once {
    type Message = Say;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        match ctx.incarnation() {
            1 => Ok(Self),
            2 => Err(Failure::new("not again")),
            _ => panic!("never again"),
        }
    }

    async fn handle(&mut self, _: Say, _: &mut Context<Self>) -> Result<(), Failure> {
        Err(Failure::new("told to fail"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_next_life_that_does_not_start_is_one_more_failure_and_leaves_no_actor() {
    let child = Child::of::<Once>("a", ()).on_limit(OnLimit::Quarantine);
    let address = child.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(3, SECOND))
        .child(child);
    let scene = Scene::of(team, address).await;
    scene.address.send(Say::Fail).await.unwrap();
    sleep(SECOND).await;
    let node = scene.tree.observer().node("team/a").unwrap();
    assert_eq!((node.incarnation, node.restarts, node.state), (4, 3, Phase::Failed));
    assert_eq!(scene.actors(), []);
}
