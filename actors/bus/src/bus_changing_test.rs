//! Who comes, goes and changes while envelopes are under way.

use super::*;
use crate::dead::DeadLetter;
use crate::item::Sent;
use crate::listener::{Ear as Slot, Listener};
use crate::subscription::Bell;

#[path = "bus_interleaved_test.rs"]
mod interleaved;

/// A listener that is known by its name, as an agent is.
fn named(bus: &Bus, what: Subscribe, slot: &Slot) -> Listener {
    let (id, era) = bus.add(what, Arc::new(slot.clone()), true).unwrap();
    Listener::new(bus.clone(), id, era, slot.clone())
}

/// What the timers do for those who could not be told.
fn tell_again(bus: &Bus) {
    while let Some(one) = bus.0.take_unrung() {
        one.ring_again(&bus.0, Moment::now());
    }
}

fn unbounded(class: Class) -> Terms {
    let mut terms = Terms::of(class).bound(usize::MAX);
    terms.in_hand = usize::MAX;
    terms
}

#[test]
fn what_is_under_way_reaches_whoever_subscribes_again_meanwhile() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        let bus = bus();
        let slot = Slot::default();
        let first = named(&bus, all_of("a", "team/x"), &slot);
        let entry = bus.0.topic(&topic("a"));
        let route = bus.0.route(&entry);
        bus.publish("me", &topic("a"), note("0")).unwrap();
        let mut second = named(&bus, all_of("a", "team/x").terms(unbounded(class)), &slot);
        bus.publish("me", &topic("a"), note("1")).unwrap();
        let to = Destination::Topic(topic("a"));
        let envelope = bus.0.seal(note("2"), &"me".into(), to);
        assert_eq!(bus.0.publish(&entry, &route, envelope).matched, 1, "{class:?}");
        assert_eq!(balanced(&bus).offered, 3);
        assert_eq!(heard(&mut second), ["0", "1", "2"], "{class:?}");
        std::mem::forget(first);
    }
}

#[test]
fn what_was_taken_and_not_used_comes_again_to_whoever_subscribes_again() {
    let bus = bus();
    let slot = Slot::default();
    let mut first = named(&bus, all_of("a", "team/x"), &slot);
    for number in 0..9 {
        bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
    }
    assert_eq!(said(&first.try_next().unwrap().envelope), "0");
    // Nothing but a batch is in its hand.
    let mut second = named(
        &bus,
        all_of("a", "team/x").terms(Terms::default().bound(99)),
        &Slot::default(),
    );
    first.let_go();
    tell_again(&bus);
    assert_eq!(heard(&mut second), ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert_eq!((balanced(&bus).delivered, bus.tally().waiting), (9, 0));
}

/// Keeps what it is told by, and nobody else keeps it.
#[derive(Default)]
struct Drawer(Mutex<Option<Arrivals>>);

impl Bell for Drawer {
    fn ring(&self, arrivals: Arrivals) {
        *lock(&self.0) = Some(arrivals);
    }

    fn is_gone(&self) -> bool {
        false
    }
}

#[test]
fn a_bell_that_goes_with_arrivals_in_it_holds_up_nobody() {
    let bus = bus();
    bus.add(all_of("a", "team/x"), Arc::new(Drawer::default()), true)
        .unwrap();
    bus.publish("me", &topic("a"), note("0")).unwrap();
    let mut next = named(&bus, all_of("a", "team/x"), &Slot::default());
    tell_again(&bus);
    assert_eq!(heard(&mut next), ["0"]);
}

#[test]
fn whoever_was_told_before_takes_nothing_from_whoever_is_told_now() {
    let bus = bus();
    let mut first = named(&bus, all_of("a", "team/x"), &Slot::default());
    bus.publish("me", &topic("a"), note("0")).unwrap();
    let mut second = named(&bus, all_of("a", "team/x"), &Slot::default());
    assert!(heard(&mut first).is_empty());
    bus.publish("me", &topic("a"), note("1")).unwrap();
    assert_eq!(heard(&mut second), ["0", "1"]);
    bus.publish("me", &topic("a"), note("2")).unwrap();
    assert_eq!(heard(&mut second), ["2"]);
    first.let_go();
}

#[test]
fn what_is_taken_back_after_the_end_is_dropped_and_counted() {
    let bus = bus();
    let mut listener = bus.listen(all_of("a", "x")).unwrap();
    for number in 0..9 {
        bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
    }
    assert!(listener.try_next().is_some());
    assert!(bus.unsubscribe(listener.subscription()));
    drop(listener);
    let tally = balanced(&bus);
    assert_eq!((tally.offered, tally.delivered, tally.dropped), (9, 1, 8));
}

#[test]
fn a_member_that_left_after_it_was_chosen_is_passed_over_for_another() {
    let bus = bus();
    let member = |who: &str| bus.listen(all_of("a", who).group("g", Pick::RoundRobin)).unwrap();
    let (leaver, mut stays) = (member("one"), member("two"));
    // As far as it gets before the group knows.
    let leaving = bus.0.subscription(leaver.subscription()).unwrap();
    assert!(leaving.end(&bus.0).is_empty());
    for text in ["0", "1"] {
        assert_eq!(bus.publish("me", &topic("a"), note(text)).unwrap().matched, 1);
    }
    assert_eq!(heard(&mut stays), ["0", "1"]);
}

#[test]
fn heirs_get_what_their_filter_and_their_team_may_have() {
    let limit = AccessConfig {
        topics: "pay.**".to_owned(),
        teams: vec!["office".to_owned()],
    };
    let bus = bus_with(Config {
        access: vec![limit],
        ..Config::default()
    });
    let member = |who: &str, filter: &str| {
        let filter = Filter::new(filter).unwrap();
        let terms = Terms::of(Class::AtLeastOnce);
        let what = all_of("**", who).terms(terms).filter(filter);
        bus.listen(what.group("g", Pick::RoundRobin)).unwrap()
    };
    let leaver = member("office/a", "kind exists");
    for (at, text) in [("pay.x", "secret"), ("b", "large"), ("b", "small")] {
        bus.publish("office/b", &topic(at), note(text)).unwrap();
    }
    let mut stranger = member("shop/b", "payload ne \"large\"");
    drop(leaver);
    let mut got = Vec::new();
    while let Some(delivery) = stranger.try_next() {
        got.push(said(&delivery.envelope));
        delivery.acknowledge();
    }
    assert_eq!(got, ["small"]);
    let dead = bus.dead_letters(&Query::default(), 0, 9);
    let told: Vec<_> = dead.iter().map(|one| (one.cause, said(&one.envelope))).collect();
    assert_eq!(
        told,
        [
            (Cause::Closed, "secret".to_owned()),
            (Cause::Closed, "large".to_owned())
        ]
    );
    assert_eq!((balanced(&bus).offered, bus.tally().dead), (3, 2));
}

#[test]
fn an_heir_gets_what_it_inherits_in_the_order_of_each_sender_and_topic() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        let bus = bus();
        let member = |who: &str| {
            let what = all_of("*", who).terms(unbounded(class));
            bus.listen(what.group("g", Pick::RoundRobin)).unwrap()
        };
        let (one, mut two) = (member("one"), member("two"));
        for number in 0..20 {
            bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
        }
        drop(one);
        let mut got = Vec::new();
        while let Some(delivery) = two.try_next() {
            got.push(said(&delivery.envelope));
            delivery.acknowledge();
        }
        let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(got, expected, "{class:?}");
    }
}

#[test]
fn a_subscription_that_was_asked_for_again_takes_what_it_asks_for_now() {
    let bus = bus();
    let slot = Slot::default();
    let what = || {
        let terms = Terms::of(Class::AtLeastOnce);
        all_of("a", "team/x").terms(terms).group("g", Pick::RoundRobin)
    };
    let mut first = named(&bus, what(), &slot);
    bus.publish("me", &topic("a"), note("large")).unwrap();
    first.try_next().unwrap().fail("no");
    lock(&bus.0.dead).keep(
        DeadLetter {
            number: 0,
            time: crate::envelope::Timestamp(0),
            subscriber: "team/x".into(),
            subscription: first.subscription(),
            name: None,
            cause: Cause::Failed,
            why: None,
            failures: 1,
            envelope: Sent::at_rest(bus.0.seal(note("large"), &"me".into(), Destination::Topic(topic("a")))),
        },
        false,
    );
    let small = Filter::new("payload ne \"large\"").unwrap();
    let second = named(&bus, what().filter(small), &slot);
    assert_eq!(bus.publish("me", &topic("a"), note("large")).unwrap().matched, 0);
    assert!(bus.replay(1).is_err(), "it takes no such envelopes any more");
    assert_eq!(bus.publish("me", &topic("a"), note("small")).unwrap().matched, 1);
    first.let_go();
    drop(second);
    assert_eq!(balanced(&bus).waiting, 0);
}

#[test]
fn a_member_that_has_no_room_for_an_envelope_is_passed_over_while_another_has() {
    for pick in [Pick::RoundRobin, Pick::LeastBusy, Pick::Random] {
        let bus = bus();
        let member = |who: &str| {
            // The largest and any other are too much, and the others together are not.
            let terms = Terms::default().bound_bytes(110);
            bus.listen(all_of("a", who).terms(terms).group("g", pick)).unwrap()
        };
        let mut members = [member("x"), member("y")];
        for bytes in [90, 60, 40] {
            bus.publish("me", &topic("a"), note(&"x".repeat(bytes))).unwrap();
        }
        let got = members.each_mut().map(|member| {
            let taken = std::iter::from_fn(|| member.try_next());
            taken.map(|delivery| said(&delivery.envelope).len()).sum::<usize>()
        });
        assert!(got == [90, 100] || got == [100, 90], "{pick:?}: {got:?}");
    }
}

#[test]
fn a_subscription_is_shown_with_the_bytes_that_wait() {
    let bus = bus();
    let terms = Terms::of(Class::AtLeastOnce).bound_bytes(5_000);
    let mut listener = bus.listen(all_of("a", "x").terms(terms)).unwrap();
    let shown = || {
        let one = bus.subscriptions().remove(0);
        (one.bytes, one.bound_bytes)
    };
    assert_eq!(shown(), (0, 5_000));
    let bytes = note("small").payload.len();
    bus.publish("me", &topic("a"), note("small")).unwrap();
    let delivery = listener.try_next().unwrap();
    assert_eq!(shown(), (bytes, 5_000), "one in hand waits too");
    delivery.acknowledge();
    assert_eq!(shown(), (0, 5_000));
}

#[test]
fn a_dead_letter_goes_to_nobody_whose_filter_refuses_it() {
    let bus = bus();
    let terms = Terms::of(Class::AtLeastOnce);
    let first = bus.listen(all_of("a", "x").terms(terms)).unwrap();
    bus.publish("me", &topic("a"), note("large")).unwrap();
    drop(first);
    let filter = Filter::new("payload ne \"large\"").unwrap();
    let second = bus.listen(all_of("a", "x").terms(terms).filter(filter)).unwrap();
    assert!(bus.replay(1).is_err());
    assert_eq!((bus.replay_all(&Query::default()).kept, bus.tally().waiting), (1, 0));
    drop(second);
    let mut third = bus.listen(all_of("a", "x").terms(terms)).unwrap();
    bus.replay(1).unwrap();
    assert_eq!(said(&third.try_next().unwrap().envelope), "large");
}

#[test]
fn a_dead_letter_of_a_member_goes_to_that_member_and_to_no_other_of_its_group() {
    let bus = bus();
    let terms = Terms::of(Class::AtLeastOnce);
    let member = |who: &str| {
        let what = all_of("a", who).terms(terms).group("g", Pick::RoundRobin);
        bus.listen(what).unwrap()
    };
    let lone = member("x");
    bus.publish("me", &topic("a"), note("late")).unwrap();
    drop(lone);
    let mut other = member("y");
    assert!(bus.replay(1).is_err(), "another member is not whom it was for");
    let mut again = member("x");
    bus.replay(1).unwrap();
    assert!(other.try_next().is_none());
    let delivery = again.try_next().unwrap();
    assert!(delivery.is_acknowledged());
    assert_eq!(said(&delivery.envelope), "late");
}

// ---- timers ----

#[test]
fn a_restart_of_the_timers_forgets_nobody_who_could_not_be_told() {
    World::new(21).run(async |world| {
        let bus = bus();
        let (child, habit) = ear("ear", acknowledges);
        let child = child.capacity(1).paused();
        let address = child.address();
        bus.subscribe(all_of("a", "team/ear"), &address).unwrap();
        address.try_send(Heard::Nothing).unwrap();
        let team = Supervisor::named("team").child(child);
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        bus.publish("me", &topic("a"), note("x")).unwrap();
        world.advance(SECOND).await;
        let timers = tree.observer().supervisor("bus").unwrap();
        timers.terminate_child("timers").await.unwrap();
        timers.restart_child("timers").await.unwrap();
        tree.observer().resume("team/ear").unwrap();
        world.advance(SECOND).await;
        assert_eq!(habit.heard(), ["x"]);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn each_subscription_has_one_reminder_whatever_happens() {
    World::new(22).run(async |world| {
        let bus = bus();
        let (child, _) = ear("ear", |delivery| delivery.fail("no ink"));
        let (keeps, _) = ear("keeps", std::mem::forget);
        let mut terms = unbounded(Class::AtLeastOnce);
        terms.breaker.failures = 0;
        bus.subscribe(all_of("a", "team/ear").terms(terms), &child.address())
            .unwrap();
        bus.subscribe(all_of("a", "team/keeps").terms(terms), &keeps.address())
            .unwrap();
        let team = Supervisor::named("team").child(child).child(keeps);
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        let mut most = 0;
        for number in 0..200 {
            bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
            world.advance(Duration::from_millis(37)).await;
            most = most.max(bus.0.reminders());
        }
        assert_eq!(most, 2);
        assert!(tree.stop().await.is_orderly());
    });
}

// ---- poison ----

#[test]
fn one_poisonous_envelope_dies_and_leaves_the_breaker_closed() {
    World::new(23).run(async |world| {
        let bus = bus();
        let (child, habit) = ear("ear", |delivery| {
            if said(&delivery.envelope) == "poison" {
                delivery.fail("no taste");
            } else {
                acknowledges(delivery);
            }
        });
        let terms = Terms::of(Class::AtLeastOnce);
        bus.subscribe(all_of("a", "team/ear").terms(terms), &child.address())
            .unwrap();
        let tree = Root::new()
            .supervisor(room(&bus))
            .supervisor(Supervisor::named("team").child(child));
        let tree = world.start(tree).await.unwrap();
        bus.publish("me", &topic("a"), note("poison")).unwrap();
        world.advance(SECOND * 10).await;
        assert_eq!((habit.attempts(), bus.tally().dead), (vec![1, 2, 3, 4, 5], 1));
        assert_eq!(bus.subscriptions()[0].breaker, BreakerState::Closed);
        bus.publish("me", &topic("a"), note("food")).unwrap();
        world.settle().await;
        assert_eq!(habit.heard().last().unwrap(), "food");
        assert!(tree.stop().await.is_orderly());
    });
}

// ---- payloads that cannot be read ----

#[test]
fn a_filter_accepts_no_payload_that_it_cannot_read() {
    let bus = bus();
    for text in [
        "payload eq null",
        "not payload.a exists",
        "kind eq \"odd\" or payload.a eq 1",
    ] {
        let listener = bus.listen(all_of("a", "x").filter(Filter::new(text).unwrap())).unwrap();
        let odd = Draft::new("odd", Payload::json_text(b"1e999").unwrap());
        assert_eq!(bus.publish("me", &topic("a"), odd).unwrap().matched, 0, "{text}");
        drop(listener);
    }
    assert_eq!(bus.0.metrics.unreadable.get(), 3);
    let mut listener = bus
        .listen(all_of("a", "x").filter(Filter::new("kind eq \"odd\"").unwrap()))
        .unwrap();
    let odd = Draft::new("odd", Payload::json_text(b"1e999").unwrap());
    assert_eq!(bus.publish("me", &topic("a"), odd).unwrap().matched, 1);
    assert!(listener.try_next().is_some());
}
