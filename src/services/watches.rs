//! Brings programs what changes in the store where they watch: the agent `memory/lookout`.
//!
//! ```text
//!   watch of a namespace ──▶ vigil ─post `memory`──▶ mailbox ──▶ program
//! ```
//!
//! There is a vigil for each watch. It waits where a mailbox is full; what changes meanwhile lies with the watch, which has
//! room for so much and counts what it misses.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{Mutex as Seat, Notify, OwnedSemaphorePermit, Semaphore, watch};
use triarch_memory::{Client, Clock, Identity, Namespace, Scope, Seen, Watch};
use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;
use triarch_supervision::tree::Observer;
use triarch_teams::receipt::{Stage, StageSender, Stages};
use triarch_teams::{Errand, Post, PostId, PostOffice};

use super::courier::unless_over;
use crate::operations::memory::{StoreChange, open};
use crate::operations::{Code, Trouble};

/// The kind of the posts by which programs hear of changes.
const KIND: &str = "memory";
/// Who it is that sends them.
const SENDER: &str = "memory/lookout";
/// So many changes lie with a watch, before some are missed.
const ROOM: usize = 1_024;
/// So many bytes of changes lie in the mailbox of one program, or one change that is larger. What is kept as short text may be
/// large as it lies there.
const MAILED_MAX: usize = 1 << 20;
/// So much one program may watch.
const WATCHES_MAX: usize = 64;
/// So many stages may wait to be read. What is lost beyond them is recalled in vain, which does nothing.
const STAGES: usize = 4_096;
/// From so many posts on that are with a program all of them are taken for delivered.
const IN_HAND_MAX: usize = 4_096;

/// Posts that may still lie in a mailbox, with the room they take there.
type InHand = HashMap<PostId, (Errand, OwnedSemaphorePermit)>;

/// What programs watch. It outlives the lookout's lives.
#[derive(Clone)]
pub(crate) struct Watches(Arc<Shared>);

struct Shared {
    memory: Client,
    office: Arc<PostOffice>,
    by_agent: Mutex<HashMap<Arc<str>, Vec<Watched>>>,
    /// Rung when there is a watch whose vigil nobody does yet.
    new: Notify,
}

/// Where a program watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) namespace: Namespace,
    pub(super) scope: Scope,
}

/// One watch of a program.
struct Watched {
    place: Place,
    /// Whoever does its vigil has the seat.
    watch: Arc<Seat<Watch>>,
    has_vigil: bool,
    /// An earlier life of the lookout may have had a change in its hand.
    may_lack: bool,
    /// What its program's mailbox still has room for, whichever watch it comes from.
    room: Arc<Semaphore>,
    /// Dropped when it is over.
    goes_on: watch::Sender<()>,
}

impl Watches {
    pub(crate) fn new(memory: Client, office: Arc<PostOffice>) -> Self {
        Self(Arc::new(Shared {
            memory,
            office,
            by_agent: Mutex::default(),
            new: Notify::new(),
        }))
    }

    fn by_agent(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Watched>>> {
        lock(&self.0.by_agent)
    }

    /// Has a program told what changes there from now on. One that watches there already goes on as it is.
    pub(super) fn begin(&self, agent: &Arc<str>, place: Place) -> Result<(), Trouble> {
        let client = self.0.memory.named(Identity::agent(agent));
        let drawer = open(&client, place.namespace.as_str())?;
        let mut by_agent = self.by_agent();
        let watches = by_agent.entry(Arc::clone(agent)).or_default();
        watches.retain(Watched::is_on);
        if watches.iter().any(|watched| watched.place == place) {
            return Ok(());
        }
        if watches.len() >= WATCHES_MAX {
            let message = format!("it watches {WATCHES_MAX} places, which is the most it may");
            return Err(Trouble::new(
                Code::Refused,
                message,
                "end one by `unwatch`, or watch a prefix of several",
            ));
        }
        let watch = drawer.watch(place.scope.clone(), ROOM)?;
        let known = watches.first().map(|watched| Arc::clone(&watched.room));
        let room = known.unwrap_or_else(|| Arc::new(Semaphore::new(MAILED_MAX)));
        watches.push(Watched {
            place,
            watch: Arc::new(Seat::new(watch)),
            has_vigil: false,
            may_lack: false,
            room,
            goes_on: watch::Sender::default(),
        });
        self.0.new.notify_one();
        Ok(())
    }

    /// Ends the watch of that place; tells whether there was one.
    pub(super) fn end(&self, agent: &Arc<str>, place: &Place) -> bool {
        let mut by_agent = self.by_agent();
        let Some(watches) = by_agent.get_mut(agent) else {
            return false;
        };
        watches.extract_if(.., |watched| watched.place == *place).count() > 0
    }

    /// Ends all watches of an agent, at once: its next life begins others.
    pub(super) fn end_all(&self, agent: &Arc<str>) {
        self.by_agent().remove(agent);
    }

    /// An earlier life of the lookout ended with its vigils: they begin anew.
    fn begin_anew(&self) {
        for watched in self.by_agent().values_mut().flatten() {
            watched.may_lack |= watched.has_vigil;
            watched.has_vigil = false;
        }
        self.0.new.notify_one();
    }
}

impl Watched {
    /// Whether its vigil goes on, or nobody has begun it yet.
    fn is_on(&self) -> bool {
        !self.has_vigil || self.goes_on.receiver_count() > 0
    }
}

/// Does the vigils.
pub(crate) struct Lookout {
    watches: Watches,
    vigils: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Lookout {
    /// The agent that does these vigils.
    pub(crate) fn child(watches: &Watches) -> Child<Self> {
        Child::of::<Self>("lookout", watches.clone()).capacity(1)
    }

    fn take_up(&mut self, observer: &Observer) {
        let shared = &self.watches.0;
        for (agent, watches) in &mut *self.watches.by_agent() {
            for watched in watches.iter_mut().filter(|watched| !watched.has_vigil) {
                watched.has_vigil = true;
                let vigil = Vigil {
                    store: shared.memory.clone(),
                    namespace: watched.place.namespace.clone(),
                    agent: Arc::clone(agent),
                    goes_on: watched.goes_on.subscribe(),
                    observer: observer.clone(),
                    office: Arc::clone(&shared.office),
                    room: Arc::clone(&watched.room),
                    in_hand: HashMap::new(),
                    stages: flume::bounded(STAGES),
                };
                let may_lack = std::mem::take(&mut watched.may_lack);
                self.vigils
                    .push(Box::pin(vigil.go(Arc::clone(&watched.watch), may_lack)));
            }
        }
    }
}

impl Agent for Lookout {
    type Message = Nothing;
    type Spec = Watches;

    async fn start(watches: Watches, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        watches.begin_anew();
        Ok(Self {
            watches,
            vigils: FuturesUnordered::new(),
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::select! {
            () = self.watches.0.new.notified() => self.take_up(&ctx.observer()),
            Some(()) = self.vigils.next() => {}
        }
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "watches": self.vigils.len() }))
    }
}

/// One watch, as it is told.
struct Vigil {
    store: Client,
    namespace: Namespace,
    agent: Arc<str>,
    goes_on: watch::Receiver<()>,
    observer: Observer,
    office: Arc<PostOffice>,
    room: Arc<Semaphore>,
    in_hand: InHand,
    stages: (StageSender, Stages),
}

impl Drop for Vigil {
    /// What lies in the mailbox is not for the program's next life, which may not have asked for it.
    fn drop(&mut self) {
        self.in_hand.values().for_each(|(errand, _)| errand.recall());
    }
}

impl Vigil {
    async fn go(mut self, watch: Arc<Seat<Watch>>, may_lack: bool) {
        let mut watch = watch.lock().await;
        if may_lack && !self.tell(StoreChange::lacking(), 0).await {
            return;
        }
        loop {
            let staged = |post, stage| settle(&mut self.in_hand, post, &stage);
            let seen = unless_over(&mut self.goes_on, &self.stages.1, staged, watch.next()).await;
            let Some(seen) = seen else { return };
            let (is_last, bytes) = (seen.is_none(), seen.as_ref().map_or(0, bytes));
            if !self.tell(self.told(seen), bytes).await || is_last {
                return;
            }
        }
    }

    fn told(&self, seen: Option<Seen>) -> StoreChange {
        let clock: &Clock = self.store.store().clock();
        seen.map_or_else(StoreChange::over, |seen| {
            StoreChange::seen(&self.namespace, &seen, clock)
        })
    }

    /// Waits until so many bytes more may lie in the program's mailbox; nothing where the watch is over before.
    async fn room_for(&mut self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.min(MAILED_MAX)).unwrap_or(u32::MAX);
        let taking = Arc::clone(&self.room).acquire_many_owned(bytes);
        let staged = |post, stage| settle(&mut self.in_hand, post, &stage);
        unless_over(&mut self.goes_on, &self.stages.1, staged, taking)
            .await?
            .ok()
    }

    /// Puts a change of so many bytes into the program's mailbox, once that has room; false where the watch is over before.
    async fn tell(&mut self, change: StoreChange, bytes: usize) -> bool {
        // Nothing is made of it before it may lie there.
        let Some(room) = self.room_for(bytes).await else {
            return false;
        };
        let Ok(address) = self.observer.address::<Post>(&self.agent) else {
            return true;
        };
        let mut body = json!({ "namespace": self.namespace });
        if let (Value::Object(body), Ok(Value::Object(change))) = (&mut body, serde_json::to_value(change)) {
            body.extend(change);
        }
        let mut post = self.office.through(self.stages.0.clone(), SENDER, KIND, body);
        let id = post.id;
        if self.in_hand.len() >= IN_HAND_MAX {
            self.in_hand.clear();
        }
        // Before it is sent, since what becomes of it may be told before that is known here.
        self.in_hand.insert(id, (post.errand(), room));
        let staged = |post, stage| settle(&mut self.in_hand, post, &stage);
        let sent = unless_over(&mut self.goes_on, &self.stages.1, staged, address.send(post)).await;
        if let Some(Err(_)) = sent {
            self.in_hand.remove(&id);
        }
        sent.is_some()
    }
}

/// How many bytes a change has, as its namespace counts.
fn bytes(seen: &Seen) -> usize {
    match seen {
        Seen::Change(change) => usize::try_from(change.bytes()).unwrap_or(usize::MAX),
        Seen::Missed(_) => 0,
    }
}

/// What the program has is no longer in its mailbox.
fn settle(in_hand: &mut InHand, post: PostId, stage: &Stage) {
    if stage.is_last() || *stage == Stage::Delivered {
        in_hand.remove(&post);
    }
}
