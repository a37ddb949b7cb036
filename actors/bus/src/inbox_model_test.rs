use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::item::Sent;
use crate::terms::Retry;

#[derive(Clone, Debug)]
enum Step {
    Offer(u64, u8, Option<u64>, usize),
    Take(usize, usize),
    HandOut,
    Acknowledge(usize),
    Fail(usize),
    TakeBack(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40u64, 0..5u8, prop::option::weighted(0.2, 0..2000u64), 0..40usize)
            .prop_map(|(id, lane, ttl, bytes)| Step::Offer(id, lane, ttl, bytes)),
        2 => (1..6usize, 0..6usize).prop_map(|(most, used)| Step::Take(most, used)),
        3 => Just(Step::HandOut),
        2 => any::<usize>().prop_map(Step::Acknowledge),
        2 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::TakeBack),
        2 => prop_oneof![0..300u64, 0..90_000u64].prop_map(Step::Advance),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let class = prop::sample::select(vec![Class::AtMostOnce, Class::AtLeastOnce, Class::EffectivelyOnce]);
    let full = prop::sample::select(vec![WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter]);
    (
        class,
        (1..12usize, 1..200usize),
        full,
        1..6usize,
        any::<bool>(),
        1..5u32,
        1..7u32,
    )
        .prop_map(
            |(class, (bound, bytes), when_full, in_hand, is_strict, tries, poison_after)| Terms {
                in_hand,
                is_strict,
                poison_after,
                retry: Retry {
                    tries,
                    ..Retry::default()
                },
                ..Terms::of(class).bound(bound).bound_bytes(bytes).when_full(when_full)
            },
        )
}

/// What became of each offer, by what the inbox told and handed out alone.
#[derive(Default)]
struct Model {
    offered: u64,
    delivered: u64,
    dropped: u64,
    dead: u64,
    /// What was handed out and not settled: token, id, and when it is due.
    out: Vec<(u64, u64, Moment)>,
    /// Ids that were taken in, and how often they were handed out since.
    handed: HashMap<u64, u32>,
    /// Those that were taken back: their first try comes again.
    untried: HashSet<u64>,
    /// The last of each lane that was handed out for the first time, by the order of offers.
    last: [u64; 5],
}

impl Model {
    fn learn(&mut self, bench: &mut Bench) {
        for effect in bench.effects.drain(..) {
            match effect {
                Effect::Delivered { .. } | Effect::Parted { .. } => {}
                Effect::Dropped { .. } => self.dropped += 1,
                Effect::Dead { waiting, .. } => {
                    self.dead += 1;
                    self.handed.remove(&(waiting.item.envelope.at().as_nanos()));
                }
            }
        }
    }

    fn learn_of(&mut self, handed: &Handed, now: Moment, terms: Terms) -> Result<(), TestCaseError> {
        let serial = handed.item.envelope.at().as_nanos();
        prop_assert!(handed.item.envelope.until().is_none_or(|until| now < until));
        let tries = self.handed.entry(serial).or_default();
        *tries += 1;
        prop_assert_eq!(*tries, handed.attempt);
        prop_assert!(*tries <= terms.retry.tries.min(terms.poison_after));
        let last = &mut self.last[handed.item.envelope.priority as usize];
        let comes_again = *tries > 1 || self.untried.contains(&serial);
        prop_assert!(comes_again || *last < serial, "the order of first tries is kept");
        *last = (*last).max(serial);
        self.out.push((handed.token, serial, now + terms.ack_within));
        let most = if terms.is_strict { 1 } else { terms.in_hand };
        prop_assert!(self.out.len() <= most);
        Ok(())
    }

    /// Takes back one of those in hand; tells whether that could be done, and once.
    fn take_back(&mut self, which: usize, inbox: &mut Inbox) -> bool {
        let (token, serial, _) = self.out.remove(which % self.out.len());
        self.handed.entry(serial).and_modify(|tries| *tries -= 1);
        self.untried.insert(serial);
        inbox.take_back(token) && !inbox.take_back(token)
    }
}

/// What the inbox says of itself is what the model learnt.
fn compare(bench: &Bench, model: &Model, terms: Terms) -> Result<(), TestCaseError> {
    let tally = bench.inbox.tally();
    prop_assert!(tally.is_balanced(), "{:?}", tally);
    prop_assert_eq!(
        (tally.offered, tally.delivered, tally.dropped, tally.dead),
        (model.offered, model.delivered, model.dropped, model.dead)
    );
    prop_assert!(tally.waiting <= u64::try_from(terms.bound).unwrap());
    let inbox = &bench.inbox;
    let of = |all: &mut dyn Iterator<Item = &Waiting>| all.map(Waiting::bytes).sum::<usize>();
    let queued = of(&mut inbox.lanes.iter().flatten());
    let held = of(&mut inbox
        .in_hand
        .values()
        .map(|hand| &hand.waiting)
        .chain(inbox.resting.values()));
    prop_assert_eq!((inbox.queued_bytes, inbox.held_bytes), (queued, held));
    // What came back unused was there before what came meanwhile, which is nothing here; a large one may wait by itself.
    prop_assert!(queued + held <= terms.bound_bytes.max(39));
    prop_assert!(bench.inbox.next_due(bench.now).is_none_or(|due| due > bench.now));
    Ok(())
}

fn check(terms: Terms, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut bench, mut model) = (Bench::new(terms), Model::default());
    for (step, serial) in steps.into_iter().zip(1..) {
        match step {
            Step::Offer(id, lane, ttl, bytes) => {
                let until = ttl.map(|ttl| bench.now + MS * u32::try_from(ttl).unwrap());
                // The serial number stands where the time of publication does, to tell offers apart.
                let item = sized(id, Priority::ALL[usize::from(lane)], until, bytes);
                let envelope = Sent::new((*item.envelope).clone(), until, Moment::from_nanos(serial), 0);
                let item = Item { envelope, ..item };
                bench.offer(item);
                model.offered += 1;
            }
            Step::Take(most, used) if terms.class == Class::AtMostOnce => {
                let mut taken = bench.lend(most);
                let count = taken.len();
                prop_assert!(count <= most);
                for item in taken.drain(..used.min(taken.len())) {
                    prop_assert!(item.envelope.until().is_none_or(|until| bench.now < until));
                    let last = &mut model.last[item.envelope.priority as usize];
                    prop_assert!(
                        *last < item.envelope.at().as_nanos(),
                        "the order of a lane is kept, and nothing comes twice"
                    );
                    *last = item.envelope.at().as_nanos();
                    model.delivered += 1;
                }
                bench.inbox.used(count - taken.len());
                bench.inbox.give_back(taken);
            }
            Step::HandOut if terms.class != Class::AtMostOnce => {
                let is_ready = bench.inbox.is_ready(bench.now);
                if let Some(handed) = bench.hand_out() {
                    prop_assert!(is_ready);
                    model.learn_of(&handed, bench.now, terms)?;
                }
            }
            Step::Acknowledge(which) if !model.out.is_empty() => {
                let (token, _, _) = model.out.remove(which % model.out.len());
                prop_assert!(bench.acknowledge(token));
                model.delivered += 1;
            }
            Step::Fail(which) if !model.out.is_empty() => {
                let (token, _, _) = model.out.remove(which % model.out.len());
                prop_assert!(bench.fail(token));
            }
            Step::TakeBack(which) if !model.out.is_empty() => {
                prop_assert!(model.take_back(which, &mut bench.inbox));
            }
            Step::Advance(time) => {
                bench.advance(MS * u32::try_from(time).unwrap());
                model.out.retain(|(_, _, due)| *due > bench.now);
            }
            _ => {}
        }
        model.learn(&mut bench);
        compare(&bench, &model, terms)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn everything_offered_is_accounted_for_at_each_moment(
        terms in terms(),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        check(terms, steps)?;
    }
}

#[test]
fn what_has_not_come_to_its_subscriber_is_not_late() {
    let mut bench = Bench::new(Terms::of(Class::AtLeastOnce));
    (0..3).for_each(|number| bench.offer(plain(number)));
    let tokens: Vec<_> = (0..3).map(|_| bench.hand_out().unwrap().token).collect();
    let within = bench.inbox.terms.ack_within;
    for _ in 0..20 {
        bench.advance(within / 2);
        assert!(tokens.iter().all(|token| bench.inbox.renew(*token, bench.now)));
    }
    bench.advance(within.saturating_sub(MS));
    assert_eq!((bench.inbox.tally().dead, bench.inbox.is_queued()), (0, false));
    assert!(bench.acknowledge(tokens[0]));
    bench.advance(MS);
    assert!(!bench.inbox.renew(tokens[1], bench.now), "its time is over");
    bench.advance(within);
    let again = bench.hand_out().unwrap();
    assert_eq!((number(&again.item), again.attempt), (1, 2));
}
