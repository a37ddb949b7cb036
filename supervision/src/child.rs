//! Child specifications: what a supervisor is given for each of its children.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use ractor::concurrency::JoinHandle;
use ractor::{ActorCell, ActorStatus, SpawnErr};

use crate::address::Address;
use crate::agent::shell::{Birth, Shell, bear_again};
use crate::agent::{Agent, Handling, OnError, OnStuck};
use crate::error::{BuildError, ChildFault};
use crate::mailbox::{CAPACITY, Mailbox};
use crate::message::{Message, Nothing, Overflow};
use crate::name::Name;
use crate::panics::drop_quietly;
use crate::policy::{Backoff, ChildPolicy, OnLimit, Restart, Shutdown, StopLimit};
use crate::supervisor::{check_backoff, check_times};
use crate::tree::{DORMANT, Door, Node, PAUSE, Shared};

/// The specification of an agent: its name, what it starts from, and what its supervisor does about it.
///
/// ```
/// # use triarch_supervision::prelude::*;
/// # enum Tick {} impl Message for Tick {}
/// # struct Clock;
/// # impl Agent for Clock {
/// #     type Message = Tick; type Spec = ();
/// #     async fn start(_: (), _: &mut Context<Self>) -> Result<Self, Failure> { Ok(Self) }
/// #     async fn handle(&mut self, _: Tick, _: &mut Context<Self>) -> Result<(), Failure> { Ok(()) }
/// # }
/// use std::time::Duration;
///
/// let clock = Child::of::<Clock>("clock", ())
///     .capacity(64)
///     .restart(Restart::Transient)
///     .shutdown(Shutdown::Within(Duration::from_secs(1)));
/// let address = clock.address(); // valid before the agent starts, and through its restarts
/// # let _ = address;
/// ```
pub struct Child<A: Agent> {
    name: String,
    spec: A::Spec,
    options: Options,
    mailbox: Offered<A::Message>,
}

/// The mailbox of a child that no supervisor has taken yet; if none does, it is closed.
struct Offered<M: Message>(OnceLock<Arc<Mailbox<M>>>);

impl<M: Message> Drop for Offered<M> {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.take() {
            close(&mailbox);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Options {
    policy: ChildPolicy,
    capacity: usize,
    overflow: Overflow,
    on_error: OnError,
    budget: Option<Duration>,
    on_stuck: OnStuck,
    /// Flags that its node begins with.
    flags: u8,
}

impl<A: Agent> fmt::Debug for Child<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Starts the sentence `Child::of::<MyAgent>("name", spec)`.
impl Child<Nobody> {
    /// A child named `name` that runs `A` from `spec`. A name or figure that cannot be is told when the tree is
    /// built.
    pub fn of<A: Agent>(name: impl Into<String>, spec: A::Spec) -> Child<A> {
        let options = Options {
            policy: ChildPolicy::default(),
            capacity: CAPACITY,
            overflow: A::Message::OVERFLOW,
            on_error: OnError::default(),
            budget: None,
            on_stuck: OnStuck::default(),
            flags: 0,
        };
        Child {
            name: name.into(),
            spec,
            options,
            mailbox: Offered(OnceLock::new()),
        }
    }
}

/// An agent that is never made; it only lends [`Child::of`] its place.
#[derive(Debug)]
pub enum Nobody {}

impl Agent for Nobody {
    type Message = Nothing;
    type Spec = ();

    async fn start(_spec: (), _ctx: &mut crate::agent::Context<Self>) -> Result<Self, crate::reason::Failure> {
        Err(crate::reason::Failure::ignore())
    }

    async fn handle(
        &mut self,
        message: Nothing,
        _ctx: &mut crate::agent::Context<Self>,
    ) -> Result<(), crate::reason::Failure> {
        match message {}
    }
}

impl<A: Agent> Child<A> {
    /// When it is started again; always, unless said otherwise.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.options.policy.restart = restart;
        self
    }

    /// How it is made to end; asked, and killed after five seconds, unless said otherwise. Where it ends by itself, or
    /// fails, its [`Agent::stop`] has the same time; five seconds under [`Shutdown::BrutalKill`].
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.options.policy.shutdown = shutdown;
        self
    }

    /// Its end counts for the supervisor's auto-shutdown.
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.options.policy.significant = true;
        self
    }

    /// What happens when it fails more often than its supervisor bears.
    #[must_use]
    pub fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.options.policy.on_limit = on_limit;
        self
    }

    /// The waits between its restarts, where they differ from its supervisor's.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.policy.backoff = Some(backoff);
        self
    }

    /// How long its `start` may take; 30 seconds, unless said otherwise.
    #[must_use]
    pub fn start_within(mut self, limit: Duration) -> Self {
        self.options.policy.start_within = Some(limit);
        self
    }

    /// Its `start` may take as long as it likes.
    #[must_use]
    pub fn start_without_limit(mut self) -> Self {
        self.options.policy.start_within = None;
        self
    }

    /// How many messages may wait; 1,024 unless said otherwise. Say it before taking the address.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.options.capacity = capacity;
        self
    }

    /// What happens when the mailbox is full, where it differs from what the message type declares. Say it
    /// before taking the address.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.overflow = overflow;
        self
    }

    /// What follows when a handler returns an error.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.options.on_error = on_error;
        self
    }

    /// How long a handler may take before it is reported as stuck, and what follows then.
    #[must_use]
    pub fn handle_within(mut self, budget: Duration, on_stuck: OnStuck) -> Self {
        self.options.budget = Some(budget);
        self.options.on_stuck = on_stuck;
        self
    }

    /// It does not start with its supervisor: it is down until somebody restarts it, or the supervisor is restarted.
    #[must_use]
    pub fn dormant(mut self) -> Self {
        self.options.flags |= DORMANT;
        self
    }

    /// It starts paused: its mailbox keeps what comes until somebody resumes it.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.options.flags |= PAUSE;
        self
    }

    /// The way to the agent: valid from now on, through all its restarts.
    pub fn address(&self) -> Address<A::Message> {
        Address::new(Arc::clone(self.mailbox()))
    }

    fn mailbox(&self) -> &Arc<Mailbox<A::Message>> {
        self.mailbox.0.get_or_init(|| {
            // A name that is none is told when the tree is built; until then it only stands in messages.
            let name = Name::new(&self.name).unwrap_or_else(|_| Name::unchecked(&self.name));
            let node = Node::of_agent::<A>(name);
            Mailbox::new(node, self.options.capacity, self.options.overflow)
        })
    }

    /// Checks what can be known before the tree runs, for the supervisor of that name. One that is refused closes its
    /// mailbox: nobody will read it. What it has in common with `like` is kept once.
    pub(crate) fn build(mut self, supervisor: &str, like: Option<&ChildSpec>) -> Result<ChildSpec, BuildError> {
        let mailbox = Arc::clone(self.mailbox());
        self.mailbox.0.take();
        self.checked(Arc::clone(&mailbox), like).map_err(|fault| {
            close(&mailbox);
            BuildError::Child {
                supervisor: Name::unchecked(supervisor),
                child: mailbox.node.name.clone(),
                fault,
            }
        })
    }

    fn checked(self, mailbox: Arc<Mailbox<A::Message>>, like: Option<&ChildSpec>) -> Result<ChildSpec, ChildFault> {
        Name::check(&self.name)?;
        let name = mailbox.node.name.clone();
        let Some(capacity) = NonZeroUsize::new(self.options.capacity) else {
            return Err(ChildFault::NoCapacity);
        };
        check_backoff(&self.options.policy.backoff.unwrap_or_default())?;
        if self.options.budget.is_some_and(|budget| budget.is_zero()) {
            return Err(ChildFault::NoBudget);
        }
        check_times(&self.options.policy)?;
        let (in_use, said) = (mailbox.queue.capacity(), capacity.get() as u64);
        if in_use != said || mailbox.overflow != self.options.overflow {
            return Err(ChildFault::MailboxInUse);
        }
        mailbox.node.raise(self.options.flags);
        let startable = AgentSpec::<A> {
            spec: Some(self.spec),
            mailbox,
            handling: Handling {
                on_error: self.options.on_error,
                budget: self.options.budget,
                stop_within: StopLimit::from(self.options.policy.shutdown),
            },
            on_stuck: self.options.on_stuck,
        };
        let policy = match like {
            Some(like) if *like.policy == self.options.policy => Arc::clone(&like.policy),
            _ => Arc::new(self.options.policy),
        };
        Ok(ChildSpec {
            name,
            policy,
            child: Arc::new(startable),
        })
    }
}

/// A checked child specification of whatever type.
#[derive(Clone)]
pub(crate) struct ChildSpec {
    pub(crate) name: Name,
    /// Shared by children that are alike.
    pub(crate) policy: Arc<ChildPolicy>,
    pub(crate) child: Arc<dyn Startable>,
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// An incarnation as ractor knows it.
pub(crate) struct Spawned {
    pub(crate) cell: ActorCell,
    pub(crate) join: JoinHandle<()>,
}

impl Spawned {
    /// Whether the actor goes on; once its incarnation has ended, it can bear another.
    pub(crate) fn is_running(&self) -> bool {
        self.cell.get_status() == ActorStatus::Running
    }
}

/// What a supervisor can do with a child of any type.
pub(crate) trait Startable: Send + Sync {
    fn node(&self) -> &Arc<Node>;

    /// Becomes part of a tree, under the supervisor of `parent`, for the first time or again. A call for one
    /// that is part of it adds nothing.
    fn join_tree(&self, parent: Option<&str>, shared: &Arc<Shared>);

    /// Leaves the tree for good.
    fn leave_tree(&self);

    /// Spawns an incarnation, linked to `parent`. That its `start` is done is told to `parent` later.
    fn spawn(self: Arc<Self>, parent: ActorCell, incarnation: u64) -> Result<Spawned, SpawnErr>;

    /// Has the actor of an incarnation that failed by itself go on with another; returns whether it does.
    fn revive(self: Arc<Self>, _actor: &ActorCell, _incarnation: u64) -> bool {
        false
    }

    /// Asks the present incarnation to stop.
    fn ask_to_stop(&self);

    /// Lets the present incarnation look at its flags.
    fn ring(&self);

    /// Whether ractor's own report that it runs means that its `start` is done.
    fn starts_with_its_actor(&self) -> bool;

    /// Whether nothing of an incarnation is left.
    fn is_vacant(&self) -> bool;

    /// Whether nothing stands in the way of another incarnation.
    fn may_start(&self) -> bool;

    /// The time budget of its handlers, and what follows when one is outlived.
    fn budget(&self) -> Option<(Duration, OnStuck)>;
}

/// Spawns an actor. ractor takes one poll for it where nothing in its `pre_start` waits, as in none of ours, and then
/// needs no future on the heap.
pub(crate) fn spawn_linked<A: ractor::Actor>(
    actor: A,
    arguments: A::Arguments,
    parent: ActorCell,
) -> Result<Spawned, SpawnErr> {
    let spawning = tokio::task::unconstrained(A::spawn_linked(None, actor, arguments, parent));
    let spawned = spawning.now_or_never();
    let (actor, join) =
        spawned.unwrap_or_else(|| Err(SpawnErr::StartupFailed("its actor did not start at once".into())))?;
    Ok(Spawned {
        cell: actor.get_cell(),
        join,
    })
}

/// Whoever holds an address, or watches, learns that nobody will read the mailbox any more.
fn close<M: Message>(mailbox: &Mailbox<M>) {
    mailbox.close();
    mailbox.node.depart();
}

/// A checked specification of an agent; each incarnation holds it until it has started.
pub(crate) struct AgentSpec<A: Agent> {
    /// There until its drop, which may be anybody's code.
    pub(crate) spec: Option<A::Spec>,
    pub(crate) mailbox: Arc<Mailbox<A::Message>>,
    pub(crate) handling: Handling,
    on_stuck: OnStuck,
}

impl<A: Agent> Drop for AgentSpec<A> {
    fn drop(&mut self) {
        close(&self.mailbox);
        drop_quietly(self.spec.take());
    }
}

impl<A: Agent> AgentSpec<A> {
    fn door(&self) -> Arc<dyn Door> {
        Arc::clone(&self.mailbox) as Arc<dyn Door>
    }

    /// What another incarnation begins with; nothing where it is part of no tree.
    fn birth(self: Arc<Self>, incarnation: u64) -> Option<Birth<A>> {
        let shared = self.mailbox.shared.get().cloned()?;
        self.mailbox.clear_notices();
        Some(Birth {
            of: self,
            shared,
            incarnation,
        })
    }
}

impl<A: Agent> Startable for AgentSpec<A> {
    fn node(&self) -> &Arc<Node> {
        &self.mailbox.node
    }

    fn join_tree(&self, parent: Option<&str>, shared: &Arc<Shared>) {
        let node = &self.mailbox.node;
        if node.has_path() && !self.mailbox.queue.is_closed() {
            return;
        }
        let name = node.name.as_str();
        let path = parent.map_or_else(|| Arc::from(name), |parent| Arc::from([parent, "/", name].concat()));
        let is_new = node.set_path(path);
        // A supervisor's restart begins with all its static children again, also those that had left the tree.
        if self.mailbox.queue.reopen() || is_new {
            node.arrive();
            shared.enlist(node, self.door());
            self.mailbox.joins(shared);
        }
    }

    fn leave_tree(&self) {
        if let Some(shared) = self.mailbox.shared.get() {
            shared.strike(&self.mailbox.node);
        }
        close(&self.mailbox);
    }

    fn spawn(self: Arc<Self>, parent: ActorCell, incarnation: u64) -> Result<Spawned, SpawnErr> {
        let birth = self.birth(incarnation);
        let birth = birth.ok_or_else(|| SpawnErr::StartupFailed("it is part of no tree".into()))?;
        spawn_linked(Shell::new(), birth, parent)
    }

    fn revive(self: Arc<Self>, actor: &ActorCell, incarnation: u64) -> bool {
        self.birth(incarnation).is_some_and(|birth| bear_again(actor, birth))
    }

    fn ask_to_stop(&self) {
        self.mailbox.node.raise(crate::tree::STOP);
        self.mailbox.queue.bell.ring();
    }

    fn ring(&self) {
        self.mailbox.queue.bell.ring();
    }

    fn starts_with_its_actor(&self) -> bool {
        true
    }

    fn is_vacant(&self) -> bool {
        self.mailbox.is_vacant()
    }

    fn may_start(&self) -> bool {
        self.is_vacant()
    }

    fn budget(&self) -> Option<(Duration, OnStuck)> {
        self.handling.budget.map(|budget| (budget, self.on_stuck))
    }
}
