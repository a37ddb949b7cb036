//! Brings programs what they subscribed to: the agent `bus/courier`.
//!
//! ```text
//!   inbox of a subscription ──▶ round ──post `event`──▶ mailbox ──▶ program
//!          ▲ acknowledged, failed ◀──┴──────── receipt ◀──────────────┘
//! ```
//!
//! There is a round for each subscription. It waits where a mailbox is full; what comes meanwhile stays in the inbox, under
//! the bounds of the bus.

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use triarch_bus::{Bus, Class, Delivery, Listener, Subscribe, SubscribeError, SubscriptionId};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Observer;
use triarch_teams::receipt::{Stage, StageSender, Stages};
use triarch_teams::{Errand, Post, PostId, PostOffice};

use super::bus::Wish;
use crate::operations::event;

/// The kind of the posts by which programs hear of events.
const EVENT: &str = "event";
/// Who it is that sends them.
const SENDER: &str = "bus/courier";
/// So many stages may wait to be read. Of what is lost beyond them the program is told again.
const STAGES: usize = 4_096;
/// From so many posts on that are with a program it is looked which of them the bus waits for no more.
const SWEPT_FROM: usize = 256;
/// How long a program may take to answer an event.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_mins(5);

/// What programs have subscribed to. It outlives the courier's lives.
#[derive(Clone)]
pub(crate) struct Rounds(Arc<Shared>);

struct Shared {
    bus: Bus,
    office: Arc<PostOffice>,
    by_agent: Mutex<HashMap<Arc<str>, Vec<Round>>>,
    /// Rung when there is a round that nobody makes yet.
    new: Notify,
}

/// One subscription of a program.
struct Round {
    wish: Wish,
    what: Subscribe,
    id: SubscriptionId,
    /// Until the courier takes it.
    listener: Option<Listener>,
    /// Dropped when it is over.
    goes_on: watch::Sender<()>,
}

impl Rounds {
    pub(crate) fn new(bus: Bus, office: Arc<PostOffice>) -> Self {
        Self(Arc::new(Shared {
            bus,
            office,
            by_agent: Mutex::default(),
            new: Notify::new(),
        }))
    }

    fn by_agent(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Round>>> {
        self.0.by_agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a round, in the place of one for the same pattern and group. One that is the same goes on as it is.
    pub(super) fn begin(&self, agent: &Arc<str>, wish: Wish, what: Subscribe) -> Result<(), SubscribeError> {
        let mut by_agent = self.by_agent();
        let rounds = by_agent.entry(Arc::clone(agent)).or_default();
        if rounds.iter().any(|round| round.wish == wish) {
            return Ok(());
        }
        let bus = &self.0.bus;
        for before in rounds.extract_if(.., |round| round.wish.is_in_the_place_of(&wish)) {
            bus.unsubscribe(before.id);
        }
        let listener = bus.listen(what.clone())?;
        rounds.push(Round {
            wish,
            what,
            id: listener.subscription(),
            listener: Some(listener),
            goes_on: watch::Sender::default(),
        });
        self.0.new.notify_one();
        Ok(())
    }

    /// Ends the rounds of that pattern; returns how many there were.
    pub(super) fn end(&self, agent: &Arc<str>, pattern: &str) -> usize {
        let mut by_agent = self.by_agent();
        let Some(rounds) = by_agent.get_mut(agent) else {
            return 0;
        };
        let over = rounds.extract_if(.., |round| round.wish.pattern == pattern);
        over.map(|round| self.0.bus.unsubscribe(round.id)).count()
    }

    /// Ends all rounds to an agent, at once: its next life begins others.
    pub(super) fn end_all(&self, agent: &Arc<str>) {
        for round in self.by_agent().remove(agent).unwrap_or_default() {
            self.0.bus.unsubscribe(round.id);
        }
    }

    /// An earlier life of the courier ended with its rounds: they begin anew.
    fn begin_anew(&self) {
        for rounds in self.by_agent().values_mut() {
            rounds.retain_mut(|round| {
                if round.listener.is_none() {
                    // Where there is no room for it any more it is over.
                    round.listener = self.0.bus.listen(round.what.clone()).ok();
                }
                round.id = round.listener.as_ref().map_or(round.id, Listener::subscription);
                round.listener.is_some()
            });
        }
        self.0.new.notify_one();
    }
}

/// Makes the rounds.
pub(crate) struct Courier {
    rounds: Rounds,
    walking: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// It has nothing to say to anybody.
#[derive(Debug)]
pub(crate) enum Nothing {}

impl Message for Nothing {}

impl Courier {
    /// The agent that makes these rounds.
    pub(crate) fn child(rounds: &Rounds) -> Child<Self> {
        Child::of::<Self>("courier", rounds.clone()).capacity(1)
    }

    fn take_up(&mut self, observer: &Observer) {
        for (agent, rounds) in &mut *self.rounds.by_agent() {
            for round in rounds {
                let Some(listener) = round.listener.take() else {
                    continue;
                };
                let walk = Walk {
                    listener,
                    agent: Arc::clone(agent),
                    class: round.wish.class(),
                    goes_on: round.goes_on.subscribe(),
                    observer: observer.clone(),
                    office: Arc::clone(&self.rounds.0.office),
                    in_hand: HashMap::new(),
                    stages: flume::bounded(STAGES),
                };
                self.walking.push(Box::pin(walk.go()));
            }
        }
    }
}

impl Agent for Courier {
    type Message = Nothing;
    type Spec = Rounds;

    async fn start(rounds: Rounds, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        rounds.begin_anew();
        Ok(Self {
            rounds,
            walking: FuturesUnordered::new(),
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::select! {
            () = self.rounds.0.new.notified() => self.take_up(&ctx.observer()),
            Some(()) = self.walking.next() => {}
        }
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "subscriptions": self.walking.len() }))
    }
}

/// A round on its way.
struct Walk {
    listener: Listener,
    agent: Arc<str>,
    class: Class,
    goes_on: watch::Receiver<()>,
    observer: Observer,
    office: Arc<PostOffice>,
    in_hand: HashMap<PostId, Handed>,
    stages: (StageSender, Stages),
}

/// An event that is with the program.
struct Handed {
    delivery: Delivery,
    errand: Errand,
    since: Moment,
}

impl Drop for Walk {
    /// What lies in the mailbox is not for the program's next life, which may not have asked for it.
    fn drop(&mut self) {
        for handed in self.in_hand.values() {
            handed.errand.recall();
        }
    }
}

impl Walk {
    async fn go(mut self) {
        loop {
            let delivery = tokio::select! {
                biased;
                _over = self.goes_on.changed() => return,
                Ok((post, stage)) = self.stages.1.recv_async() => {
                    self.staged(post, stage);
                    continue;
                }
                delivery = self.listener.next() => delivery,
            };
            if !self.hand_over(delivery).await {
                return;
            }
        }
    }

    /// Puts an event into the program's mailbox, once that has room; false where the round is over before.
    async fn hand_over(&mut self, delivery: Delivery) -> bool {
        let Ok(address) = self.observer.address::<Post>(&self.agent) else {
            delivery.fail("nobody takes posts there");
            return true;
        };
        let sender = self.stages.0.clone();
        let mut post = self.office.through(sender, SENDER, EVENT, event(&delivery.envelope));
        let (id, errand, since) = (post.id, post.errand(), Moment::now());
        self.sweep(since);
        // Before it is sent, since what becomes of it may be told before that is known here.
        self.in_hand.insert(
            id,
            Handed {
                delivery,
                errand,
                since,
            },
        );
        let mut sending = pin!(address.send(post));
        loop {
            let sent = tokio::select! {
                biased;
                _over = self.goes_on.changed() => return false,
                Ok((post, stage)) = self.stages.1.recv_async() => {
                    self.staged(post, stage);
                    continue;
                }
                sent = &mut sending => sent,
            };
            if let Err(refused) = sent
                && let Some(handed) = self.in_hand.remove(&id)
            {
                handed.delivery.fail(refused.why.to_string());
            }
            return true;
        }
    }

    fn staged(&mut self, post: PostId, stage: Stage) {
        let is_enough = self.class == Class::AtMostOnce && stage == Stage::Delivered;
        if !stage.is_last() && !is_enough {
            return;
        }
        let Some(Handed { delivery, .. }) = self.in_hand.remove(&post) else {
            return;
        };
        match stage {
            Stage::Failed(why) | Stage::Lost(why) => delivery.fail(why),
            // That it is too late is told by the bus, which hands it out again.
            Stage::Delivered | Stage::Accepted | Stage::Done(_) => drop(delivery.acknowledge()),
        }
    }

    /// Forgets what the bus has stopped waiting for.
    fn sweep(&mut self, now: Moment) {
        if self.in_hand.len() >= SWEPT_FROM {
            self.in_hand
                .retain(|_, handed| now.since(handed.since) < ANSWERED_WITHIN);
        }
    }
}
