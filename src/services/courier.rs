//! Brings programs and agents of own kinds what they subscribed to: the agent `bus/courier`.
//!
//! ```text
//!   inbox of a subscription ──▶ round ──post `event`──▶ mailbox ──▶ agent
//!          ▲ acknowledged, failed ◀──┴──────── receipt ◀──────────────┘
//! ```
//!
//! There is a round for each subscription. It waits where a mailbox is full, whatever that does with what overflows; what comes
//! meanwhile stays in the inbox, under the bounds of the bus.

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use triarch_bus::{Class, Delivery, Draft, Listener, Payload, ReplyError, Sent, Terms};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Observer;
use triarch_teams::receipt::{Stage, StageSender, Stages};
use triarch_teams::{EVENT, Errand, Post, PostId};

use super::rounds::{Rounds, Vacant};
use crate::operations::event;

/// Who it is that sends them.
const SENDER: &str = "bus/courier";
/// So many stages may wait to be read. Of what is lost beyond them the program is told again.
const STAGES: usize = 4_096;
/// So many stages a post has at most.
const STAGES_EACH: usize = 4;
/// From so many posts on that are with a program it is looked which of them the bus waits for no more.
const SWEPT_FROM: usize = 256;
/// The kind of the answers that the bus brings to who asked.
const REPLY: &str = "reply";

/// Makes the rounds.
pub(crate) struct Courier {
    rounds: Rounds,
    walking: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Courier {
    /// The agent that makes these rounds.
    pub(crate) fn child(rounds: &Rounds) -> Child<Self> {
        Child::of::<Self>("courier", rounds.clone()).capacity(1)
    }

    fn take_up(&mut self, observer: &Observer) {
        while let Some(vacant) = self.rounds.next_vacant() {
            let walk = Walk {
                number: vacant.number,
                listener: Some(vacant.listener),
                hearer: Hearer {
                    rounds: self.rounds.clone(),
                    observer: observer.clone(),
                    agent: vacant.agent,
                    terms: vacant.terms,
                },
                hands: Hands {
                    in_hand: HashMap::new(),
                    goes_on: vacant.goes_on,
                    // What becomes of all that is in hand has room.
                    stages: flume::bounded(STAGES.max(STAGES_EACH * vacant.terms.in_hand)),
                    renewed: Moment::now(),
                },
                swept_from: SWEPT_FROM,
            };
            self.walking.push(Box::pin(walk.go()));
        }
    }
}

impl Agent for Courier {
    type Message = Nothing;
    type Spec = Rounds;

    async fn start(rounds: Rounds, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        rounds.ring(ctx.observer());
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
            () = self.rounds.wait_for_vacant() => self.take_up(&ctx.observer()),
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
    number: u64,
    /// There until the walk ends.
    listener: Option<Listener>,
    hearer: Hearer,
    hands: Hands,
    swept_from: usize,
}

/// What is with the program, and where it is told what becomes of it.
struct Hands {
    in_hand: HashMap<PostId, Handed>,
    goes_on: watch::Receiver<()>,
    stages: (StageSender, Stages),
    /// When the time of what lies in the mailbox began anew.
    renewed: Moment,
}

/// Who an event is for.
struct Hearer {
    rounds: Rounds,
    observer: Observer,
    agent: Arc<str>,
    terms: Terms,
}

/// An event that is with the program.
struct Handed {
    delivery: Delivery,
    errand: Errand,
    since: Moment,
    /// Whether somebody waited for an answer when it was handed over.
    is_asked: bool,
    /// Whether the program has it, rather than its mailbox.
    is_delivered: bool,
}

impl Handed {
    /// The time for an answer begins anew; false where it was over, and the bus brings it once more.
    fn renew(&mut self, now: Moment) -> bool {
        self.since = now;
        self.delivery.renew()
    }

    /// The program failed at it; or nobody needs it any more and the program has never had it.
    fn fail(self, why: String) {
        let is_over = self
            .delivery
            .envelope
            .until()
            .is_some_and(|until| until <= Moment::now());
        if is_over && !self.is_delivered {
            // It waits again, where those whose time is over are found.
            Delivery::give_back([self.delivery]);
        } else {
            self.delivery.fail(why);
        }
    }
}

impl Drop for Walk {
    /// What lies in the mailbox is not for the program's next life, which may not have asked for it.
    fn drop(&mut self) {
        let in_hand = &mut self.hands.in_hand;
        for handed in in_hand.values() {
            handed.errand.recall();
        }
        // Where the courier ends, the program has failed at nothing.
        Delivery::give_back(in_hand.drain().map(|(_, handed)| handed.delivery));
        if let Some(listener) = self.listener.take() {
            self.hearer.rounds.give_back(Vacant {
                number: self.number,
                listener,
                agent: Arc::clone(&self.hearer.agent),
                terms: self.hearer.terms,
                goes_on: self.hands.goes_on.clone(),
            });
        }
    }
}

/// Waits for something, and takes in meanwhile what becomes of posts; nothing where that is over before.
pub(super) async fn unless_over<T>(
    goes_on: &mut watch::Receiver<()>,
    stages: &Stages,
    mut take_in: impl FnMut(PostId, Stage),
    awaited: impl Future<Output = T>,
) -> Option<T> {
    let mut awaited = pin!(awaited);
    loop {
        tokio::select! {
            biased;
            _over = goes_on.changed() => return None,
            Ok((post, stage)) = stages.recv_async() => take_in(post, stage),
            done = &mut awaited => return Some(done),
        }
    }
}

async fn next(listener: &mut Option<Listener>) -> Delivery {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}

impl Hands {
    /// Waits for something, unless the round is over before. Meanwhile what becomes of posts is taken in, and an agent that does not
    /// come to them has failed at nothing.
    async fn unless_over<T>(&mut self, hearer: &Hearer, awaited: impl Future<Output = T>) -> Option<T> {
        let mut awaited = pin!(awaited);
        loop {
            let renews_at = self.renews_at(&hearer.terms);
            let done_or_due = async {
                tokio::select! {
                    biased;
                    done = &mut awaited => Some(done),
                    () = wait_until(renews_at) => None,
                }
            };
            let staged = |post, stage| hearer.settle(&mut self.in_hand, post, stage);
            let done = unless_over(&mut self.goes_on, &self.stages.1, staged, done_or_due).await;
            match done {
                Some(Some(done)) => return Some(done),
                Some(None) => {}
                None => {
                    // What became of posts before it was over counts.
                    for (post, stage) in self.stages.1.drain() {
                        hearer.settle(&mut self.in_hand, post, stage);
                    }
                    return None;
                }
            }
            self.renew(Moment::now());
        }
    }

    /// When half the time of what lies in the mailbox is over.
    fn renews_at(&self, terms: &Terms) -> Option<Moment> {
        let is_answered = terms.class != Class::AtMostOnce && !self.in_hand.is_empty();
        is_answered.then(|| self.renewed + terms.ack_within / 2)
    }

    /// The time of what lies in the mailbox begins anew.
    fn renew(&mut self, now: Moment) {
        self.renewed = now;
        self.in_hand.retain(|_, handed| {
            let goes_on = handed.is_delivered || handed.renew(now);
            if !goes_on {
                // It comes once more, and is not to lie there twice.
                handed.errand.recall();
            }
            goes_on
        });
    }

    fn put(&mut self, id: PostId, handed: Handed) {
        if self.in_hand.is_empty() {
            self.renewed = handed.since;
        }
        self.in_hand.insert(id, handed);
    }
}

async fn wait_until(moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.instant()).await,
        None => std::future::pending().await,
    }
}

impl Walk {
    async fn go(mut self) {
        loop {
            let delivery = self.hands.unless_over(&self.hearer, next(&mut self.listener)).await;
            let Some(delivery) = delivery else { return };
            if !self.hand_over(delivery).await {
                return;
            }
        }
    }

    /// Puts an event into the program's mailbox, once that has room; false where the round is over before.
    async fn hand_over(&mut self, delivery: Delivery) -> bool {
        let Some(address) = self.hearer.address() else {
            self.hearer.end_where_it_is_gone();
            delivery.fail("nobody takes posts there");
            return false;
        };
        let is_asked = self.hearer.rounds.bus().is_asked(&delivery.envelope);
        let mut post = self.hearer.post(self.hands.stages.0.clone(), &delivery.envelope);
        let (id, errand, since, until) = (post.id, post.errand(), Moment::now(), post.deadline);
        self.sweep(since);
        // Before it is sent, since what becomes of it may be told before that is known here.
        self.hands.put(
            id,
            Handed {
                delivery,
                errand,
                since,
                is_asked,
                is_delivered: false,
            },
        );
        let sending = address.send_into_room(until, post);
        let sent = self.hands.unless_over(&self.hearer, sending).await;
        if let Some(Err(refused)) = &sent
            && let Some(handed) = self.hands.in_hand.remove(&id)
        {
            handed.fail(refused.why.to_string());
        }
        sent.is_some()
    }

    /// Forgets what the bus has stopped waiting for.
    fn sweep(&mut self, now: Moment) {
        let in_hand = &mut self.hands.in_hand;
        if in_hand.len() >= self.swept_from {
            let hearer = &self.hearer;
            in_hand.retain(|_, handed| hearer.waits_for(handed, now));
            // All are looked at again once as many have come as were left.
            self.swept_from = SWEPT_FROM.max(2 * in_hand.len());
        }
    }
}

impl Hearer {
    /// Nothing where it has left the tree.
    fn address(&self) -> Option<Address<Post>> {
        self.observer.address(&self.agent).ok()
    }

    /// An event as it is posted.
    fn post(&self, stages: StageSender, envelope: &Sent) -> Post {
        let body = event(self.rounds.bus(), envelope);
        let mut post = self.rounds.office().through(stages, SENDER, EVENT, body);
        // Wherever it lies by then; whoever has begun with it goes on.
        (post.deadline, post.takes_its_time) = (envelope.until(), true);
        post
    }

    /// One that comes to the place of an agent that has left begins rounds of its own.
    fn end_where_it_is_gone(&self) {
        let is_gone = || self.address().is_none();
        if is_gone() {
            self.rounds.end_all_of_the_gone(&self.agent, is_gone);
        }
    }

    /// Whether the bus, or who asked, still wants to know what becomes of it.
    fn waits_for(&self, handed: &Handed, now: Moment) -> bool {
        let is_for_the_answer = handed.is_asked && self.terms.class == Class::AtMostOnce;
        let is_in_time = now.since(handed.since) < self.terms.ack_within;
        is_in_time && (!is_for_the_answer || self.rounds.bus().is_asked(&handed.delivery.envelope))
    }

    /// Tells the bus what became of an event, and who asked what was answered.
    fn settle(&self, in_hand: &mut HashMap<PostId, Handed>, post: PostId, stage: Stage) {
        let is_asked = in_hand.get(&post).is_some_and(|handed| handed.is_asked);
        let is_enough = self.terms.class == Class::AtMostOnce && !is_asked && stage == Stage::Delivered;
        if !stage.is_last() && !is_enough {
            if let Some(handed) = in_hand.get_mut(&post)
                && !std::mem::replace(&mut handed.is_delivered, true)
            {
                // Where it comes too late it comes once more.
                let _is_in_time = handed.renew(Moment::now());
            }
            return;
        }
        let Some(handed) = in_hand.remove(&post) else { return };
        if matches!(stage, Stage::Lost(_)) {
            self.end_where_it_is_gone();
        }
        if stage.has_made_room() {
            // It waits for room once more.
            return Delivery::give_back([handed.delivery]);
        }
        match stage {
            Stage::Failed(why) | Stage::Lost(why) => handed.fail(why),
            Stage::Done(answer) if is_asked && !answer.is_null() => self.answer(handed.delivery, &answer),
            // That it is too late is told by the bus, which hands it out again.
            Stage::Delivered | Stage::Accepted | Stage::Done(_) => drop(handed.delivery.acknowledge()),
        }
    }

    fn answer(&self, delivery: Delivery, answer: &Value) {
        let draft = Draft::new(REPLY, Payload::json(answer));
        match self
            .rounds
            .bus()
            .reply(Arc::clone(&self.agent), &delivery.envelope, draft)
        {
            Err(ReplyError::NotSent(refused)) => delivery.fail(refused.to_string()),
            // Another was quicker, or whoever asked has given up.
            _ => drop(delivery.acknowledge()),
        }
    }
}
