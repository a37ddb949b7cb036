//! The ractor actor around an incarnation: ractor gives it its task, links, kill and supervision events.
//!
//! ractor's own mailbox carries one message for each life, [`Live`]: handling it is the incarnation. What wakes it
//! afterwards is the mailbox's bell, straight at its task, and what ends it early is ractor's signal, which
//! ractor polls before the incarnation each time. An incarnation that fails by itself leaves its shell empty: the
//! supervisor has it bear the next, or end.

use std::fmt;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

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
pub(crate) struct Live<A: Agent>(Option<Birth<A>>);

/// Has a shell whose incarnation has failed bear the next; returns whether it can.
pub(crate) fn bear_again<A: Agent>(shell: &ActorCell, birth: Birth<A>) -> bool {
    shell.send_message(Live(Some(birth))).is_ok()
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
    /// The incarnation itself. Boxed, because ractor's own futures would hold it several times over.
    Ready(BoxFuture<'static, Result<(), Failed>>),
    Taken,
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

impl<A: Agent> Cradle<A> {
    /// Starts what is born here; nothing where nothing is.
    async fn settle(&mut self) -> Result<(), Failed> {
        match std::mem::replace(self, Self::Taken) {
            // Boxed, because the task holds it for as long as it lives.
            Self::Born(newborn) => *self = Box::pin(begin(newborn)).await?,
            other => *self = other,
        }
        Ok(())
    }
}

impl<A: Agent> ractor::Actor for Shell<A> {
    type Msg = Live<A>;
    type State = Cradle<A>;
    type Arguments = Birth<A>;

    async fn pre_start(&self, _myself: ActorRef<Live<A>>, birth: Birth<A>) -> Result<Cradle<A>, ActorProcessingErr> {
        Ok(Cradle::Born(Newborn::of(birth)))
    }

    /// Starts the agent in its own task, so that a slow start holds up nobody and a kill ends it.
    async fn post_start(&self, myself: ActorRef<Live<A>>, cradle: &mut Cradle<A>) -> Result<(), ActorProcessingErr> {
        cradle.settle().await?;
        Ok(myself.cast(Live(None))?)
    }

    /// Not async itself: ractor's loop would keep room for the message twice, and for as long as the agent lives.
    fn handle(
        &self,
        myself: ActorRef<Live<A>>,
        live: Live<A>,
        cradle: &mut Cradle<A>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        let is_reborn = live.0.is_some();
        if let Some(birth) = live.0 {
            *cradle = Cradle::Born(Newborn::of(birth));
        }
        async move {
            match live_on(&myself, cradle, is_reborn).await {
                Ok(()) => myself.stop(None),
                // The supervisor is told in ractor's words, which come to it in the order in which they were said.
                Err(failed) => myself.notify_supervisor(SupervisionEvent::ActorFailed(myself.get_cell(), failed.into())),
            }
            Ok(())
        }
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

/// Lives what lies in the cradle. Nothing of it is left when it has ended.
async fn live_on<A: Agent>(myself: &ActorRef<Live<A>>, cradle: &mut Cradle<A>, is_reborn: bool) -> Result<(), Failed> {
    if is_reborn {
        cradle.settle().await?;
        myself.notify_supervisor(SupervisionEvent::ActorStarted(myself.get_cell()));
    }
    match std::mem::replace(cradle, Cradle::Taken) {
        Cradle::Ready(life) => life.await,
        Cradle::Born(_) | Cradle::Taken => Ok(()),
    }
}

/// Starts the agent; what it is then lives in a box.
async fn begin<A: Agent>(newborn: Newborn<A>) -> Result<Cradle<A>, Failed> {
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
            return Ok(Cradle::Ready(
                Box::new(Life::new(agent, ctx, of.handling)).live().boxed(),
            ));
        }
        Ok(Err(failure)) => ExitReason::Error(failure),
        Err(panic) => panic,
    };
    node.ended(incarnation, reason, Moment::now());
    Err(Failed)
}
