//! The ractor actor around an incarnation: ractor gives it its task, links, kill and supervision events.
//!
//! ractor's own mailbox carries one message for each life, [`Live`]: handling it is the incarnation. What wakes it
//! afterwards is the mailbox's bell, straight at its task, and what ends it early is ractor's signal, which
//! ractor polls before the incarnation each time. An incarnation that fails by itself leaves its shell empty: the
//! supervisor has it bear the next, or end.

use std::fmt;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorProcessingErr, ActorRef, MessagingErr, SupervisionEvent};

use super::Agent;
use super::context::Context;
use super::life::{Life, watched};
use crate::child::AgentSpec;
use crate::clock::Moment;
use crate::reason::{ExitReason, Failure};
use crate::tree::{DORMANT, Phase, Shared};

/// What an incarnation begins with.
pub(crate) struct Birth<A: Agent> {
    pub(crate) of: Arc<AgentSpec<A>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) incarnation: u64,
}

/// The message of a shell: live, and first be born where it says so.
pub(crate) struct Live<A: Agent>(Option<Newborn<A>>);

/// Has a shell whose incarnation has failed bear the next; returns whether it can.
pub(crate) fn bear_again<A: Agent>(shell: &ActorCell, birth: Birth<A>) -> bool {
    match shell.send_message(Live(Some(Newborn::of(birth)))) {
        Err(MessagingErr::SendErr(Live(Some(mut newborn)))) => {
            // Another shell bears it.
            newborn.settles();
            false
        }
        sent => sent.is_ok(),
    }
}

pub(crate) struct Shell<A>(PhantomData<fn() -> A>);

impl<A> Shell<A> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

/// An incarnation that has yet to start. One that is dropped before its `start` has returned was killed, and its node is told so.
pub(crate) struct Newborn<A: Agent> {
    birth: Birth<A>,
    has_settled: bool,
}

impl<A: Agent> Newborn<A> {
    fn of(birth: Birth<A>) -> Self {
        Self {
            birth,
            has_settled: false,
        }
    }

    /// Its `start` has returned.
    fn settles(&mut self) {
        self.has_settled = true;
    }
}

impl<A: Agent> Drop for Newborn<A> {
    fn drop(&mut self) {
        if !self.has_settled {
            let node = &self.birth.of.mailbox.node;
            let killed = ExitReason::Killed(node.kill_cause());
            node.ended(self.birth.incarnation, killed, Moment::now());
        }
    }
}

/// What the shell holds until the incarnation takes it.
pub(crate) enum Cradle<A: Agent> {
    Born(Newborn<A>),
    Ready(Stage),
    Taken,
}

/// What an incarnation does until it ends or something else begins: it starts, then it lives. Boxed, because ractor's own
/// futures would hold it several times over.
pub(crate) struct Stage(BoxFuture<'static, Result<Option<Self>, Failed>>);

impl Stage {
    fn of(stage: impl Future<Output = Result<Option<Self>, Failed>> + Send + 'static) -> Self {
        Self(stage.boxed())
    }
}

/// An incarnation from here on to its end, which ractor is told of.
struct Living<A: Agent> {
    myself: ActorRef<Live<A>>,
    stage: Option<Stage>,
}

impl<A: Agent> Future for Living<A> {
    type Output = Result<(), ActorProcessingErr>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        while let Some(Stage(stage)) = &mut self.stage {
            let ended = ready!(stage.poll_unpin(cx));
            // Nothing of an incarnation is left when its end is told.
            self.stage = None;
            match ended {
                Ok(Some(next)) => {
                    self.stage = Some(next);
                    self.tell(SupervisionEvent::ActorStarted);
                }
                Ok(None) => self.myself.stop(None),
                // In ractor's words, which come to the supervisor in the order in which they are said.
                Err(failed) => self.tell(|actor| SupervisionEvent::ActorFailed(actor, failed.into())),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<A: Agent> Living<A> {
    fn tell(&self, event: impl FnOnce(ActorCell) -> SupervisionEvent) {
        self.myself.notify_supervisor(event(self.myself.get_cell()));
    }
}

/// What ractor is told of a failure; the reason itself travels typed, in the agent's node.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed; its node says why")
    }
}

impl std::error::Error for Failed {}

impl<A: Agent> ractor::Actor for Shell<A> {
    type Msg = Live<A>;
    type State = Cradle<A>;
    type Arguments = Birth<A>;

    async fn pre_start(&self, _myself: ActorRef<Live<A>>, birth: Birth<A>) -> Result<Cradle<A>, ActorProcessingErr> {
        Ok(Cradle::Born(Newborn::of(birth)))
    }

    /// Starts the agent in its own task, so that a slow start holds up nobody and a kill ends it.
    async fn post_start(&self, myself: ActorRef<Live<A>>, cradle: &mut Cradle<A>) -> Result<(), ActorProcessingErr> {
        let Cradle::Born(newborn) = std::mem::replace(cradle, Cradle::Taken) else {
            return Ok(());
        };
        // Boxed, because the task holds it for as long as it lives.
        if let Some(life) = Box::pin(begin(newborn)).await? {
            *cradle = Cradle::Ready(life);
        }
        Ok(myself.cast(Live(None))?)
    }

    fn handle(
        &self,
        myself: ActorRef<Live<A>>,
        Live(newborn): Live<A>,
        cradle: &mut Cradle<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        let stage = match (newborn, std::mem::replace(cradle, Cradle::Taken)) {
            (Some(newborn), _) => Some(Stage::of(begin(newborn))),
            (None, Cradle::Ready(life)) => Some(life),
            (None, _) => None,
        };
        Living { myself, stage }
    }

    /// No ractor actor has an agent for a supervisor. ractor's loop keeps room for the future of this, twice and for as
    /// long as the agent lives.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function would keep the event in its future"
    )]
    fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Live<A>>,
        _event: SupervisionEvent,
        _cradle: &mut Cradle<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        async { Ok(()) }
    }
}

/// Starts the agent; what it is then lives in a box.
async fn begin<A: Agent>(newborn: Newborn<A>) -> Result<Option<Stage>, Failed> {
    let Birth {
        of,
        shared,
        incarnation,
    } = &newborn.birth;
    let (of, incarnation) = (Arc::clone(of), *incarnation);
    let mut ctx = Context::new(Arc::clone(&of.mailbox), Arc::clone(shared), incarnation);
    // Dropped before the context is: nobody takes the mailbox for vacant before the end is known.
    let mut newborn = newborn;
    let started = {
        // Also the copy is the agent's own doing, and what `start` does before there is a future.
        let start = async {
            if of.mailbox.node.lower(DORMANT) {
                return Err(Failure::dormant());
            }
            // It is there for as long as anybody holds what is around it.
            let spec = of.spec.clone().ok_or_else(Failure::ignore)?;
            A::start(spec, &mut ctx).await
        };
        watched(
            &mut Some(Arc::clone(&of.mailbox.node)),
            pin!(AssertUnwindSafe(start).catch_unwind()),
        )
        .await
    };
    newborn.settles();
    let node = &of.mailbox.node;
    let reason = match started {
        Ok(Ok(agent)) => {
            node.enter(Phase::Idle, incarnation, None, Moment::now());
            let life = Box::new(Life::new(agent, ctx, of.handling));
            return Ok(Some(Stage::of(life.live())));
        }
        Ok(Err(failure)) => ExitReason::Error(failure),
        Err(panic) => panic,
    };
    node.ended(incarnation, reason, Moment::now());
    Err(Failed)
}
