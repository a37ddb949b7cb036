use std::time::Duration;

use triarch_supervision::clock::Seeded;

use super::*;
use crate::envelope::{Destination, Envelope, EnvelopeId, Payload, Timestamp};
use crate::item::Sent;
use crate::terms::REMEMBERED_MAX;
use crate::topic::Topic;

const MS: Duration = Duration::from_millis(1);

fn item(number: u64, priority: Priority, until: Option<Moment>) -> Item {
    sized(number, priority, until, 0)
}

fn sized(number: u64, priority: Priority, until: Option<Moment>, bytes: usize) -> Item {
    let envelope = Envelope {
        id: EnvelopeId::new(1, number),
        time: Timestamp(0),
        from: "a".into(),
        to: Destination::Topic(Topic::new("t").unwrap()),
        kind: "k".into(),
        key: None,
        priority,
        ttl_ms: None,
        correlation: None,
        causation: None,
        payload: Payload::bytes(vec![0; bytes]),
    };
    Item {
        envelope: Sent::new(envelope, until, Moment::default(), 0),
        place: None,
    }
}

fn plain(number: u64) -> Item {
    item(number, Priority::Normal, None)
}

fn number(item: &Item) -> u64 {
    u64::try_from(item.envelope.id.0 & u128::from(u64::MAX)).unwrap()
}

/// An inbox with a clock and chance of its own.
struct Bench {
    inbox: Inbox,
    now: Moment,
    chance: Seeded,
    effects: Vec<Effect>,
}

impl Bench {
    fn new(terms: Terms) -> Self {
        Self {
            inbox: Inbox::new(terms),
            now: Moment::from_nanos(1),
            chance: Seeded::new(7),
            effects: Vec::new(),
        }
    }

    fn offer(&mut self, item: Item) {
        self.inbox.offer(item, self.now, &mut self.effects);
    }

    fn lend(&mut self, most: usize) -> VecDeque<Item> {
        let mut lent = VecDeque::new();
        self.inbox.lend(most, self.now, &mut lent, &mut self.effects);
        lent
    }

    fn hand_out(&mut self) -> Option<Handed> {
        self.inbox.hand_out(self.now, &mut self.effects)
    }

    fn acknowledge(&mut self, token: u64) -> bool {
        self.inbox.acknowledge(token, &mut self.effects)
    }

    fn fail(&mut self, token: u64) -> bool {
        let failure = (Cause::Failed, None);
        self.inbox
            .fail(token, failure, self.now, &mut self.chance, &mut self.effects)
    }

    fn advance(&mut self, time: Duration) {
        self.now = self.now + time;
        self.inbox.tick(self.now, &mut self.chance, &mut self.effects);
    }

    fn lent(&mut self, most: usize) -> Vec<u64> {
        let lent = self.lend(most);
        self.inbox.used(lent.len());
        lent.iter().map(number).collect()
    }

    /// Drops as they are called, and causes of deaths.
    fn ends(&mut self) -> Vec<&'static str> {
        let told = self.effects.drain(..).map(|effect| match effect {
            Effect::Delivered { .. } => "delivered",
            Effect::Dropped { why, .. } => why.label(),
            Effect::Dead { cause, .. } => cause.label(),
            Effect::Parted { .. } => "parted",
        });
        told.collect()
    }
}

fn once(bound: usize, when_full: WhenFull) -> Bench {
    Bench::new(Terms::default().bound(bound).when_full(when_full))
}

fn acknowledged() -> Terms {
    Terms::of(Class::AtLeastOnce)
}

#[test]
fn a_full_inbox_drops_its_oldest_or_the_newest_or_makes_it_a_dead_letter() {
    for (when_full, left, told) in [
        (WhenFull::DropOldest, [2, 3], "lagged"),
        (WhenFull::DropNewest, [1, 2], "full"),
        (WhenFull::DeadLetter, [1, 2], "full"),
    ] {
        let mut bench = once(2, when_full);
        (1..=3).for_each(|number| bench.offer(plain(number)));
        assert_eq!(
            bench.lend(9).iter().map(number).collect::<Vec<_>>(),
            left,
            "{when_full:?}"
        );
        let tally = bench.inbox.tally();
        let is_dead = u64::from(when_full == WhenFull::DeadLetter);
        assert_eq!(
            (tally.offered, tally.dropped, tally.dead, tally.waiting),
            (3, 1 - is_dead, is_dead, 2)
        );
        assert_eq!(bench.ends(), [told]);
    }
}

#[test]
fn what_is_urgent_goes_first_and_the_least_urgent_goes_first_once_in_sixteen() {
    let mut bench = once(100, WhenFull::DropNewest);
    (0..20).for_each(|number| bench.offer(item(number, Priority::High, None)));
    bench.offer(item(90, Priority::Background, None));
    bench.offer(item(91, Priority::Critical, None));
    let order = bench.lent(100);
    assert_eq!((order[0], order[1], order[15], order.len()), (91, 0, 90, 22));
}

#[test]
fn the_oldest_of_the_least_urgent_makes_room() {
    let mut bench = once(2, WhenFull::DropOldest);
    bench.offer(item(1, Priority::High, None));
    bench.offer(item(2, Priority::Low, None));
    bench.offer(plain(3));
    assert_eq!(bench.lent(9), [1, 3]);
}

#[test]
fn what_was_taken_and_not_used_comes_again_first() {
    let mut bench = once(9, WhenFull::DropNewest);
    (1..=5).for_each(|number| bench.offer(plain(number)));
    let mut taken = bench.lend(3);
    assert_eq!(bench.inbox.tally().waiting, 5, "what is taken is not yet used");
    taken.pop_front();
    bench.inbox.used(3 - taken.len());
    bench.inbox.give_back(taken);
    assert_eq!((bench.inbox.tally().delivered, bench.inbox.tally().waiting), (1, 4));
    assert_eq!(bench.lent(9), [2, 3, 4, 5]);
    assert_eq!(bench.lent(9), [0; 0]);
    assert_eq!((bench.inbox.tally().delivered, bench.inbox.tally().waiting), (5, 0));
}

#[test]
fn what_nobody_needs_any_more_is_not_handed_out() {
    let until = Some(Moment::from_nanos(1) + MS);
    let mut bench = once(9, WhenFull::DropNewest);
    bench.offer(item(1, Priority::Normal, until));
    bench.offer(plain(2));
    bench.advance(MS);
    assert_eq!(bench.lent(9), [2]);
    assert_eq!(bench.ends(), ["expired"]);
    let mut bench = Bench::new(acknowledged());
    bench.offer(item(1, Priority::Normal, until));
    bench.advance(MS);
    assert!(bench.hand_out().is_none());
    assert_eq!((bench.ends(), bench.inbox.tally().dead), (vec!["expired"], 1));
}

#[test]
fn an_acknowledged_delivery_is_over() {
    let mut bench = Bench::new(acknowledged());
    bench.offer(plain(1));
    let handed = bench.hand_out().unwrap();
    assert_eq!((number(&handed.item), handed.attempt), (1, 1));
    assert_eq!(bench.inbox.tally().waiting, 1);
    assert!(bench.acknowledge(handed.token) && !bench.acknowledge(handed.token) && !bench.fail(handed.token));
    bench.advance(Duration::from_hours(1));
    assert!(bench.hand_out().is_none());
    assert_eq!(
        (bench.inbox.tally().delivered, bench.inbox.next_due(bench.now)),
        (1, None)
    );
    assert_eq!(bench.ends(), ["delivered"]);
}

#[test]
fn what_is_not_acknowledged_in_time_is_tried_again_until_it_is_dead() {
    let mut bench = Bench::new(acknowledged());
    bench.offer(plain(1));
    let mut waits = Vec::new();
    for attempt in 1..=5 {
        let handed = bench.hand_out().unwrap();
        assert_eq!(handed.attempt, attempt);
        let due = bench.inbox.next_due(bench.now).unwrap();
        assert_eq!(due.since(bench.now), Duration::from_secs(30));
        bench.advance((due - MS).since(bench.now));
        assert_eq!(bench.inbox.resting.len(), 0);
        bench.advance(MS);
        assert!(!bench.acknowledge(handed.token), "too late");
        if let Some(rested) = bench.inbox.next_due(bench.now).filter(|_| attempt < 5) {
            waits.push(rested.since(bench.now).as_millis());
            assert!(bench.hand_out().is_none(), "it rests");
            bench.advance(rested.since(bench.now));
        }
    }
    let is_near = |(wait, plain): (&u128, u128)| (plain * 8 / 10..=plain * 12 / 10).contains(wait);
    assert!(waits.iter().zip([100, 200, 400, 800]).all(is_near), "{waits:?}");
    assert_eq!(bench.ends(), ["unacknowledged"]);
    assert_eq!((bench.inbox.tally().dead, bench.inbox.waiting()), (1, 0));
}

#[test]
fn what_failed_too_often_in_all_is_poison() {
    let mut bench = Bench::new(acknowledged());
    let fails = |bench: &mut Bench| {
        let handed = bench.hand_out().unwrap();
        bench.fail(handed.token);
        bench.advance(Duration::from_secs(1));
    };
    bench.offer(plain(1));
    (0..5).for_each(|_| fails(&mut bench));
    let Some(Effect::Dead { waiting, cause, .. }) = bench.effects.pop() else {
        panic!("it is dead")
    };
    assert_eq!((cause, waiting.failures), (Cause::Failed, 5));
    // Replayed, it fails as often again; the breaker has had its rest by then.
    bench.advance(Duration::from_mins(2));
    let again = Waiting::again(waiting.item, waiting.failures);
    bench.inbox.admit(again, bench.now, &mut bench.effects);
    for _ in 0..5 {
        bench.advance(Duration::from_mins(2));
        fails(&mut bench);
    }
    assert_eq!(bench.ends(), ["poison"]);
}

#[test]
fn others_pass_one_that_rests_unless_the_order_is_strict() {
    for (terms, second) in [(acknowledged(), Some(2)), (acknowledged().strict(), None)] {
        let mut bench = Bench::new(terms);
        (1..=2).for_each(|number| bench.offer(plain(number)));
        let first = bench.hand_out().unwrap();
        bench.fail(first.token);
        assert_eq!(bench.hand_out().map(|handed| number(&handed.item)), second);
        bench.advance(Duration::from_secs(1));
        assert_eq!(bench.hand_out().map(|handed| number(&handed.item)), Some(1));
    }
}

#[test]
fn no_more_are_in_hand_than_a_subscription_bears() {
    let mut terms = acknowledged();
    terms.in_hand = 2;
    let mut bench = Bench::new(terms);
    (1..=3).for_each(|number| bench.offer(plain(number)));
    let first = bench.hand_out().unwrap();
    assert!(bench.hand_out().is_some() && bench.hand_out().is_none());
    assert!(!bench.inbox.is_ready(bench.now));
    bench.acknowledge(first.token);
    assert!(bench.inbox.is_ready(bench.now) && bench.hand_out().is_some());
}

#[test]
fn what_is_taken_back_comes_again_first_and_has_not_failed() {
    let mut bench = Bench::new(acknowledged());
    (1..=9).for_each(|number| bench.offer(plain(number)));
    for _ in 0..30 {
        let handed: Vec<_> = (0..7).map_while(|_| bench.hand_out()).collect();
        let told: Vec<_> = handed.iter().map(|one| (number(&one.item), one.attempt)).collect();
        assert_eq!(told, (1..=7).map(|number| (number, 1)).collect::<Vec<_>>());
        assert!(handed.iter().rev().all(|one| bench.inbox.take_back(one.token)));
        assert!(handed.iter().all(|one| !bench.inbox.take_back(one.token)));
        assert_eq!(
            (bench.inbox.waiting(), bench.inbox.breaker()),
            (9, BreakerState::Closed)
        );
    }
    assert_eq!(bench.ends(), Vec::<&str>::new());
}

#[test]
fn a_destination_that_fails_is_left_alone_until_its_breaker_tries_it() {
    let mut bench = Bench::new(acknowledged());
    (0..20).for_each(|number| bench.offer(plain(number)));
    for _ in 0..5 {
        let handed = bench.hand_out().unwrap();
        bench.fail(handed.token);
    }
    assert_eq!(
        (bench.inbox.breaker(), bench.inbox.is_ready(bench.now)),
        (BreakerState::Open, false)
    );
    bench.advance(Duration::from_secs(59));
    assert!(bench.hand_out().is_none());
    let rest = bench.inbox.next_due(bench.now).unwrap().since(bench.now);
    assert_eq!(rest, Duration::from_secs(1));
    bench.advance(rest);
    let trials: Vec<_> = std::iter::from_fn(|| bench.hand_out()).collect();
    assert_eq!(trials.len(), 3);
    for handed in &trials {
        assert!(bench.acknowledge(handed.token));
    }
    assert_eq!(bench.inbox.breaker(), BreakerState::Closed);
}

#[test]
fn a_trial_that_is_taken_back_is_made_again() {
    let mut bench = Bench::new(acknowledged());
    (1..=9).for_each(|number| bench.offer(plain(number)));
    let handed: Vec<_> = (0..5).map_while(|_| bench.hand_out()).collect();
    assert!(handed.iter().all(|one| bench.fail(one.token)));
    assert_eq!(bench.inbox.breaker(), BreakerState::Open);
    bench.advance(Duration::from_mins(1));
    for _ in 0..9 {
        let trials: Vec<_> = std::iter::from_fn(|| bench.hand_out()).collect();
        assert_eq!((trials.len(), bench.inbox.breaker()), (3, BreakerState::HalfOpen));
        assert!(trials.iter().rev().all(|one| bench.inbox.take_back(one.token)));
    }
}

#[test]
fn an_id_is_taken_in_once_while_it_is_remembered() {
    let mut bench = Bench::new(Terms::of(Class::EffectivelyOnce));
    bench.offer(plain(1));
    bench.offer(plain(1));
    let handed = bench.hand_out().unwrap();
    bench.acknowledge(handed.token);
    bench.advance(Duration::from_mins(9));
    bench.offer(plain(1));
    assert!(bench.hand_out().is_none());
    assert_eq!(bench.ends(), ["duplicate", "delivered", "duplicate"]);
    bench.advance(Duration::from_mins(1));
    bench.offer(plain(1));
    assert!(bench.hand_out().is_some(), "it is forgotten");
    // What was not taken in is not remembered.
    let mut bench = Bench::new(
        Terms::of(Class::EffectivelyOnce)
            .bound(1)
            .when_full(WhenFull::DropNewest),
    );
    (1..=2).for_each(|number| bench.offer(plain(number)));
    let handed = bench.hand_out().unwrap();
    bench.acknowledge(handed.token);
    bench.offer(plain(2));
    assert_eq!(bench.hand_out().map(|handed| number(&handed.item)), Some(2));
}

#[test]
fn a_key_counts_for_its_sender_and_topic_alone_whatever_the_id() {
    let keyed = |number: u64, from: &str, topic: &str, key: Option<&str>| {
        let plain = plain(number);
        let envelope = Envelope {
            from: from.into(),
            to: Destination::Topic(Topic::new(topic).unwrap()),
            key: key.map(Into::into),
            ..(*plain.envelope).clone()
        };
        Item {
            envelope: Sent::new(envelope, None, Moment::default(), 0),
            ..plain
        }
    };
    let mut bench = Bench::new(Terms::of(Class::EffectivelyOnce));
    for (item, is_taken) in [
        (keyed(1, "a", "t", Some("k")), true),
        (keyed(2, "a", "t", Some("k")), false),
        (keyed(3, "b", "t", Some("k")), true),
        (keyed(4, "a", "u", Some("k")), true),
        (keyed(5, "a", "t", Some("l")), true),
        (keyed(6, "a", "t", None), true),
        (keyed(6, "b", "t", None), true),
        (keyed(6, "b", "t", None), false),
    ] {
        let before = bench.inbox.waiting();
        bench.offer(item.clone());
        assert_eq!(bench.inbox.waiting() > before, is_taken, "{item:?}");
    }
    assert_eq!(bench.ends(), ["duplicate"; 2]);
}

#[test]
fn no_more_keys_are_remembered_than_the_bound() {
    let mut seen = Seen::default();
    let terms = Terms::default();
    let most = u64::try_from(REMEMBERED_MAX).unwrap();
    for number in 0..=most + 5 {
        seen.knows(&plain(number).envelope, Moment::default(), &terms);
        seen.remember(&plain(number).envelope, Moment::default());
    }
    assert!(!seen.knows(&plain(0).envelope, Moment::default(), &terms));
    assert!(seen.knows(&plain(most).envelope, Moment::default(), &terms));
    assert_eq!(seen.len(), REMEMBERED_MAX);
}

#[test]
fn what_waits_when_the_subscription_ends_is_accounted_for() {
    for (class, told) in [(Class::AtMostOnce, "closed"), (Class::AtLeastOnce, "closed")] {
        let mut bench = Bench::new(Terms::of(class));
        (1..=3).for_each(|number| bench.offer(plain(number)));
        let handed = if class == Class::AtLeastOnce {
            bench.hand_out()
        } else {
            None
        };
        let left = bench.inbox.withdraw();
        assert_eq!(bench.inbox.tally(), Tally::default());
        bench.inbox.close_over(left, &mut bench.effects);
        assert_eq!(bench.ends(), [told; 3]);
        assert!(handed.is_none_or(|handed| !bench.acknowledge(handed.token)));
        let tally = bench.inbox.tally();
        assert!(
            tally.is_balanced() && tally.waiting == 0 && tally.offered == 3,
            "{tally:?}"
        );
    }
}

#[test]
fn only_what_was_missed_is_told() {
    let mut bench = Bench::new(Terms::default());
    bench.inbox.missed(0, 0, &mut bench.effects);
    assert!(bench.effects.is_empty() && !bench.inbox.is_queued());
    bench.offer(plain(1));
    assert!(bench.inbox.is_queued());
}

#[path = "inbox_model_test.rs"]
mod model;

#[path = "inbox_room_test.rs"]
mod room;

#[path = "inbox_retuned_test.rs"]
mod retuned;

#[path = "inbox_expiry_test.rs"]
mod expiry;
