//! The bus under schedules a machine thinks of: several publish, take, come and go at once.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p triarch-bus --target-dir target/shuttle --lib schedules
//! ```

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shuttle::future::block_on;
use shuttle::thread;
use triarch_supervision::clock::Moment;
use triarch_supervision::explore::explore;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::sync::{AtomicUsize, Mutex, Ordering, lock};

use crate::arrivals::Arrivals;
use crate::bus::Bus;
use crate::config::Config;
use crate::envelope::{Draft, Payload};
use crate::group::Pick;
use crate::listener::Listener;
use crate::metrics::BUS;
use crate::subscribing::Subscribe;
use crate::subscription::Bell;
use crate::terms::{Class, Terms, WhenFull};
use crate::topic::{Pattern, Topic};

const EACH: usize = 3;
const LATER: Duration = Duration::from_hours(1);

fn bus() -> Bus {
    Bus::new(Config::default(), 1, &Instruments::with_tree(&[BUS]).unwrap()).unwrap()
}

fn topic() -> Topic {
    Topic::new("a").unwrap()
}

fn all_for(who: &str, class: Class) -> Subscribe {
    Subscribe::new(Pattern::new("a").unwrap(), who).terms(Terms::of(class))
}

fn publish(bus: &Bus, who: &str, number: usize) -> usize {
    let draft = Draft::new("note", Payload::json(&json!(number)));
    bus.publish(who, &topic(), draft).unwrap().matched
}

/// Publishes so many, and tells how many subscriptions they were for.
fn publishing(bus: &Bus, who: &'static str) -> thread::JoinHandle<usize> {
    let bus = bus.clone();
    thread::spawn(move || (0..EACH).map(|number| publish(&bus, who, number)).sum())
}

/// Takes all there is now, and says of each that it is done.
fn take_all(listener: &mut Listener) -> usize {
    let mut done = 0;
    while let Some(delivery) = listener.try_next() {
        done += usize::from(delivery.acknowledge());
    }
    done
}

/// What the room's timers do: tell those who could not be told, and look at those whose time has come.
fn tick(bus: &Bus, now: Moment) {
    let hub = &bus.0;
    while let Some(one) = hub.take_unrung() {
        one.ring_again(hub, now);
    }
    while let Some((_, id)) = hub.due_reminder(now) {
        hub.subscription(id).unwrap().tick(hub, now);
    }
}

fn assert_all_have_ended(bus: &Bus) {
    let tally = bus.tally();
    assert!(tally.is_balanced() && tally.waiting == 0, "{tally:?}");
}

/// A bell that keeps what it is rung with for whoever looks.
#[derive(Default)]
struct Basket(Mutex<Vec<Arrivals>>);

impl Bell for Arc<Basket> {
    fn ring(&self, arrivals: Arrivals) {
        lock(&self.0).push(arrivals);
    }

    fn is_gone(&self) -> bool {
        false
    }
}

impl Basket {
    fn take(&self) -> Vec<Arrivals> {
        std::mem::take(&mut *lock(&self.0))
    }
}

#[test]
fn who_waits_hears_all_in_the_order_of_each_publisher() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        explore(move || {
            let bus = bus();
            let mut listener = bus.listen(all_for("team/x", class)).unwrap();
            let publishers = ["p", "q"].map(|who| publishing(&bus, who));
            let mut next = [0, 0];
            for _ in 0..2 * EACH {
                let delivery = block_on(listener.next());
                let from = usize::from(&*delivery.envelope.from == "q");
                assert_eq!(delivery.envelope.payload.value(), Some(&json!(next[from])));
                next[from] += 1;
                assert!(delivery.acknowledge());
            }
            for publisher in publishers {
                assert_eq!(publisher.join().unwrap(), EACH);
            }
            assert!(listener.try_next().is_none());
            assert_all_have_ended(&bus);
        });
    }
}

#[test]
fn what_is_published_after_somebody_subscribed_reaches_it() {
    explore(|| {
        let bus = bus();
        publish(&bus, "p", 0);
        let begun = Arc::new(AtomicUsize::new(0));
        let subscribing = {
            let (bus, begun) = (bus.clone(), Arc::clone(&begun));
            thread::spawn(move || {
                let listener = bus.listen(all_for("team/x", Class::AtMostOnce)).unwrap();
                begun.store(1, Ordering::SeqCst);
                listener
            })
        };
        for number in 1..=EACH {
            let is_there = begun.load(Ordering::SeqCst);
            assert!(publish(&bus, "p", number) >= is_there);
        }
        let mut listener = subscribing.join().unwrap();
        take_all(&mut listener);
        assert_all_have_ended(&bus);
    });
}

#[test]
fn who_subscribes_again_goes_on_with_what_waits() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        explore(move || {
            let bus = bus();
            let mut before = bus.listen_again(all_for("team/x", class)).unwrap();
            let publisher = publishing(&bus, "p");
            let taking = thread::spawn(move || (take_all(&mut before), before));
            let mut after = bus.listen_again(all_for("team/x", class)).unwrap();
            let done = take_all(&mut after);
            assert_eq!(publisher.join().unwrap(), EACH);
            let (done_before, before) = taking.join().unwrap();
            drop(before);
            let done = done + done_before;
            tick(&bus, Moment::now());
            assert_eq!(done + take_all(&mut after), EACH);
            assert_all_have_ended(&bus);
        });
    }
}

#[test]
fn what_waits_for_a_member_that_leaves_goes_to_the_others() {
    explore(|| {
        let bus = bus();
        let member = |who| {
            let what = all_for(who, Class::AtLeastOnce).group("g", Pick::RoundRobin);
            bus.listen(what).unwrap()
        };
        let (mut stays, mut leaves) = (member("team/x"), member("team/y"));
        let publisher = publishing(&bus, "p");
        let leaving = thread::spawn(move || {
            let done = leaves.try_next().is_some_and(|delivery| delivery.acknowledge());
            drop(leaves);
            usize::from(done)
        });
        let done = take_all(&mut stays);
        assert_eq!(publisher.join().unwrap(), EACH);
        let done = done + leaving.join().unwrap();
        assert_eq!(done + take_all(&mut stays), EACH);
        assert_all_have_ended(&bus);
    });
}

#[test]
fn what_is_said_to_be_done_when_its_time_ends_ends_once() {
    explore(|| {
        let bus = bus();
        let mut listener = bus.listen(all_for("team/x", Class::AtLeastOnce)).unwrap();
        publish(&bus, "p", 0);
        let delivery = listener.try_next().unwrap();
        let ticking = {
            let bus = bus.clone();
            thread::spawn(move || tick(&bus, Moment::now() + LATER))
        };
        let was_in_time = delivery.acknowledge();
        ticking.join().unwrap();
        for _ in 0..2 {
            tick(&bus, Moment::now() + 2 * LATER);
        }
        let comes_again = listener.try_next();
        assert_eq!(comes_again.is_some(), !was_in_time);
        assert!(comes_again.is_none_or(|again| again.attempt == 2 && again.acknowledge()));
        assert_all_have_ended(&bus);
    });
}

#[test]
fn what_was_left_in_the_middle_comes_again() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        explore(move || {
            let (bus, basket) = (bus(), Arc::new(Basket::default()));
            bus.add(all_for("team/x", class), Arc::new(Arc::clone(&basket)), true)
                .unwrap();
            let publisher = publishing(&bus, "p");
            let mut heard = Vec::new();
            let mut take_one_of_each = || {
                for mut arrivals in basket.take() {
                    let delivery = arrivals.next();
                    heard.extend(delivery.as_ref().map(|one| one.envelope.payload.as_bytes().to_vec()));
                    assert!(delivery.is_none_or(|delivery| delivery.acknowledge()));
                }
                tick(&bus, Moment::now());
            };
            take_one_of_each();
            assert_eq!(publisher.join().unwrap(), EACH);
            (0..=EACH).for_each(|_| take_one_of_each());
            assert_eq!(heard, [b"0", b"1", b"2"]);
            assert_all_have_ended(&bus);
        });
    }
}

#[test]
fn what_comes_while_its_subscription_ends_has_an_end() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        explore(move || {
            let bus = bus();
            let mut listener = bus.listen(all_for("team/x", class)).unwrap();
            let publisher = publishing(&bus, "p");
            let taken = listener.try_next();
            drop(listener);
            drop(taken);
            let matched = publisher.join().unwrap();
            assert_eq!(bus.tally().offered, u64::try_from(matched).unwrap());
            assert_all_have_ended(&bus);
        });
    }
}

#[test]
fn room_in_a_group_that_somebody_else_took_is_made_again_and_what_goes_for_that_is_counted() {
    explore(|| {
        let bus = bus();
        let member = |who| {
            let one = Terms::of(Class::AtMostOnce).bound(1).when_full(WhenFull::DropOldest);
            let what = all_for(who, Class::AtMostOnce).terms(one);
            bus.listen(what.group("g", Pick::LeastBusy)).unwrap()
        };
        let mut members = ["team/x", "team/y"].map(member);
        // One is full by this, and both are told of the room of the other.
        publish(&bus, "o", 0);
        let publishers = ["p", "q"].map(|who| {
            let bus = bus.clone();
            thread::spawn(move || publish(&bus, who, 0))
        });
        for publisher in publishers {
            assert_eq!(publisher.join().unwrap(), 1);
        }
        let tally = bus.tally();
        assert!(tally.is_balanced() && tally.offered == 3, "{tally:?}");
        let heard: usize = members.iter_mut().map(take_all).sum();
        assert_eq!((heard, tally.dropped), (2, 1));
        for member in &mut members {
            assert!(member.try_next().is_none(), "each has one at most");
        }
        assert_all_have_ended(&bus);
    });
}
