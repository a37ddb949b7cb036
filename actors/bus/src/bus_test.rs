use std::collections::HashMap;
use std::sync::Mutex;

use proptest::prelude::{Just, Strategy, TestCaseError, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use triarch_supervision::prelude::*;
use triarch_supervision::testing::World;

use super::*;
use crate::arrivals::{Arrivals, Delivery};
use crate::breaker::BreakerState;
use crate::config::AccessConfig;
use crate::dead::Query;
use crate::error::SubscribeError;
use crate::filter::Filter;
use crate::group::Pick;
use crate::inbox::Cause;
use crate::metrics::BUS;
use crate::room::room;
use crate::subscribing::Subscribe;
use crate::terms::{Class, Terms, WhenFull};
use crate::topic::Pattern;

const SECOND: Duration = Duration::from_secs(1);

fn bus_with(config: Config) -> Bus {
    let instruments = Instruments::with_tree(&[BUS]).unwrap();
    Bus::new(config, 7, &instruments).unwrap()
}

fn bus() -> Bus {
    bus_with(Config::default())
}

fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

fn all_of(pattern: &str, who: &str) -> Subscribe {
    Subscribe::new(Pattern::new(pattern).unwrap(), who)
}

fn note(text: &str) -> Draft {
    Draft::new("note", Payload::json(&json!(text)))
}

fn said(envelope: &Envelope) -> String {
    envelope.payload.value().unwrap().as_str().unwrap().to_owned()
}

/// What a listener has now.
fn heard(listener: &mut crate::listener::Listener) -> Vec<String> {
    std::iter::from_fn(|| listener.try_next())
        .map(|one| said(&one.envelope))
        .collect()
}

// ---- agents ----

enum Heard {
    Arrivals(Arrivals),
    Nothing,
}

impl Message for Heard {}

impl From<Arrivals> for Heard {
    fn from(arrivals: Arrivals) -> Self {
        Self::Arrivals(arrivals)
    }
}

/// What an ear does with each delivery, and what it was told.
#[derive(Clone)]
struct Habit {
    does: fn(Delivery),
    heard: Arc<Mutex<Vec<(String, u32)>>>,
}

/// An agent that writes down what it hears.
struct Ear(Habit);

impl Agent for Ear {
    type Message = Heard;
    type Spec = Habit;

    async fn start(habit: Habit, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(habit))
    }

    async fn handle(&mut self, heard: Heard, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Heard::Arrivals(arrivals) = heard {
            for delivery in arrivals {
                let what = (said(&delivery.envelope), delivery.attempt);
                self.0.heard.lock().unwrap().push(what);
                (self.0.does)(delivery);
            }
        }
        Ok(())
    }
}

fn acknowledges(delivery: Delivery) {
    assert!(delivery.acknowledge());
}

fn ear(name: &str, does: fn(Delivery)) -> (Child<Ear>, Habit) {
    let habit = Habit {
        does,
        heard: Arc::default(),
    };
    (Child::of::<Ear>(name, habit.clone()), habit)
}

impl Habit {
    fn heard(&self) -> Vec<String> {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .map(|(text, _)| text.clone())
            .collect()
    }

    fn attempts(&self) -> Vec<u32> {
        self.heard.lock().unwrap().iter().map(|(_, attempt)| *attempt).collect()
    }
}

fn balanced(bus: &Bus) -> Tally {
    let tally = bus.tally();
    assert!(tally.is_balanced(), "{tally:?}");
    tally
}

// ---- publishing and subscribing ----

#[test]
fn agents_hear_what_their_patterns_and_filters_stand_for() {
    World::new(1).run(async |world| {
        let bus = bus();
        let (one, ear_one) = ear("one", acknowledges);
        let (two, ear_two) = ear("two", acknowledges);
        bus.subscribe(all_of("plant.*", "team/one"), &one.address()).unwrap();
        let only_x = Filter::new("payload eq \"x\"").unwrap();
        bus.subscribe(all_of("**", "team/two").filter(only_x), &two.address())
            .unwrap();
        let team = Supervisor::named("team").child(one).child(two);
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        let matched: Vec<_> = [("plant.a", "x"), ("plant.a", "y"), ("shop", "x"), ("shop", "y")]
            .map(|(at, text)| bus.publish("me", &topic(at), note(text)).unwrap().matched)
            .into();
        assert_eq!(matched, [2, 1, 1, 0]);
        world.settle().await;
        assert_eq!(
            (ear_one.heard(), ear_two.heard()),
            (vec!["x".into(), "y".into()], vec!["x".into(), "x".into()])
        );
        assert_eq!(balanced(&bus).delivered, 4);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn subscribers_share_one_envelope() {
    let bus = bus();
    let mut one = bus.listen(all_of("a", "one")).unwrap();
    let mut two = bus.listen(all_of("a", "two")).unwrap();
    bus.publish("me", &topic("a"), note("x")).unwrap();
    let (one, two) = (one.try_next().unwrap(), two.try_next().unwrap());
    assert!(Arc::ptr_eq(&one.envelope, &two.envelope));
    assert_eq!(
        (&*one.envelope.from, one.envelope.to.as_str(), &*one.envelope.kind),
        ("me", "a", "note")
    );
}

#[test]
fn a_publisher_sees_who_comes_and_who_goes() {
    let bus = bus();
    let mut publisher = bus.publisher("me", &topic("a.b")).unwrap();
    let mut matched = |bus: &Bus| {
        let by_hand = bus.publish("me", &topic("a.b"), note("x")).unwrap().matched;
        assert_eq!(publisher.publish(note("x")).unwrap().matched, by_hand);
        by_hand
    };
    assert_eq!(matched(&bus), 0);
    let one = bus.listen(all_of("a.*", "one")).unwrap();
    let two = bus.listen(all_of("a.b", "two")).unwrap();
    assert_eq!(matched(&bus), 2);
    drop(one);
    assert_eq!(matched(&bus), 1);
    assert!(bus.unsubscribe(two.subscription()) && !bus.unsubscribe(two.subscription()));
    assert_eq!((matched(&bus), bus.subscriptions().len()), (0, 0));
    let topics = bus.topics();
    assert_eq!((topics.len(), topics[0].published, topics[0].subscriptions), (1, 8, 0));
    assert_eq!(balanced(&bus).dropped, 6);
}

#[test]
fn what_cannot_be_published_is_refused_with_its_reason() {
    let config = Config {
        payload_max: 10,
        ..Config::default()
    };
    let bus = bus_with(config);
    let large = Draft::new("k", Payload::bytes(vec![0; 11]));
    let told = bus.publish("me", &topic("a"), large.clone()).unwrap_err().to_string();
    assert_eq!(
        told,
        "the payload has 11 bytes, and the limit is 10; send less, or a reference to it"
    );
    assert!(bus.multicast("me", &[], &large).is_err() && bus.broadcast("me", "t", &large).is_err());
    let nameless = Draft::new("", Payload::bytes([]));
    assert!(bus.publish("me", &topic("a"), nameless).is_err());
    assert!(bus.publish("", &topic("a"), note("x")).is_err());
    assert!(bus.listen(all_of("a", "a\nb")).is_err());
    assert!(matches!(
        bus.send("me", "team/x", note("x")),
        Err(PublishError::NoSuchAgent { .. })
    ));
}

#[test]
fn there_are_no_more_subscriptions_than_the_limit() {
    let config = Config {
        subscriptions: 1,
        ..Config::default()
    };
    let bus = bus_with(config);
    let one = bus.listen(all_of("a", "one")).unwrap();
    assert!(matches!(
        bus.listen(all_of("a", "two")),
        Err(SubscribeError::Full { limit: 1 })
    ));
    drop(one);
    assert!(bus.listen(all_of("a", "two")).is_ok());
}

// ---- slow and failing subscribers ----

#[test]
fn a_stalled_subscriber_loses_its_own_envelopes_and_nobody_elses() {
    World::new(2).run(async |world| {
        let bus = bus();
        let (quick, ear_quick) = ear("quick", acknowledges);
        let (stalled, ear_stalled) = ear("stalled", acknowledges);
        let few = Terms::default().bound(8).when_full(WhenFull::DropOldest);
        bus.subscribe(
            all_of("a", "team/quick").terms(Terms::default().bound(2000)),
            &quick.address(),
        )
        .unwrap();
        bus.subscribe(all_of("a", "team/stalled").terms(few), &stalled.address())
            .unwrap();
        let team = Supervisor::named("team").child(quick).child(stalled.paused());
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        for number in 0..1000 {
            bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
        }
        world.settle().await;
        let expected: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
        assert_eq!((ear_quick.heard(), ear_stalled.heard().len()), (expected, 0));
        let views = bus.subscriptions();
        assert_eq!(
            (views[1].tally.waiting, views[1].tally.dropped, views[0].tally.waiting),
            (8, 992, 0)
        );
        balanced(&bus);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn a_subscriber_whose_mailbox_was_full_is_told_when_there_is_room() {
    World::new(3).run(async |world| {
        let bus = bus();
        let (child, habit) = ear("ear", acknowledges);
        let child = child.capacity(1);
        let address = child.address();
        bus.subscribe(all_of("a", "team/ear"), &address).unwrap();
        address.try_send(Heard::Nothing).unwrap();
        for text in ["x", "y"] {
            bus.publish("me", &topic("a"), note(text)).unwrap();
        }
        let team = Supervisor::named("team").child(child);
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        world.advance(SECOND).await;
        assert_eq!(habit.heard(), ["x", "y"]);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn the_rest_of_many_comes_after_the_agents_other_messages() {
    World::new(4).run(async |world| {
        let bus = bus();
        let (child, habit) = ear("ear", acknowledges);
        bus.subscribe(
            all_of("a", "team/ear").terms(Terms::default().bound(5000)),
            &child.address(),
        )
        .unwrap();
        for number in 0..1000 {
            bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
        }
        let address = child.address();
        let tree = world
            .start(Root::new().supervisor(Supervisor::named("team").child(child)))
            .await
            .unwrap();
        world.settle().await;
        assert_eq!(habit.heard().len(), 1000);
        assert_eq!(address.figures().handled, 4, "256 of them come with each message");
        balanced(&bus);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn what_crashes_its_handler_is_tried_again_in_the_next_life_and_then_dead() {
    World::new(5).run(async |world| {
        let bus = bus();
        let (child, habit) = ear("ear", |delivery| {
            assert_ne!(said(&delivery.envelope), "poison");
            delivery.acknowledge();
        });
        let id = bus
            .subscribe(
                all_of("a", "team/ear").terms(Terms::of(Class::AtLeastOnce)),
                &child.address(),
            )
            .unwrap();
        let team = Supervisor::named("team")
            .intensity(Intensity::new(100, SECOND))
            .child(child);
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        for text in ["x", "poison", "y"] {
            bus.publish("me", &topic("a"), note(text)).unwrap();
        }
        world.advance(SECOND * 60).await;
        let heard = habit.heard();
        assert_eq!(heard.iter().filter(|text| *text == "poison").count(), 5);
        assert_eq!(
            (&*heard[0], &*heard[1], &*heard[2]),
            ("x", "poison", "y"),
            "what is behind does not wait"
        );
        let dead = bus.dead_letters(&Query::default(), 0, 9);
        let told: Vec<_> = dead
            .iter()
            .map(|one| (one.cause, one.failures, one.subscription, said(&one.envelope)))
            .collect();
        assert_eq!(told, [(Cause::Crashed, 5, id, "poison".to_owned())]);
        assert_eq!(balanced(&bus).delivered, 2);
        // Once more, and it is quarantined.
        assert_eq!(bus.replay_all(&Query::default()).sent, 1);
        world.advance(SECOND * 600).await;
        let dead = bus.dead_letters(&Query::default(), 0, 9);
        assert_eq!((dead.len(), dead[0].cause, dead[0].failures), (1, Cause::Poison, 10));
        assert_eq!(bus.replay_all(&Query::default()).sent, 0);
        assert!(bus.replay(dead[0].number).is_ok() && bus.replay(dead[0].number).is_err());
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn what_is_not_acknowledged_comes_again_and_an_open_breaker_gives_it_rest() {
    World::new(6).run(async |world| {
        let bus = bus();
        let (child, habit) = ear("ear", |delivery| delivery.fail("no ink"));
        bus.subscribe(
            all_of("a", "team/ear").terms(Terms::of(Class::AtLeastOnce)),
            &child.address(),
        )
        .unwrap();
        let team = Supervisor::named("team").child(child);
        let tree = world
            .start(Root::new().supervisor(room(&bus)).supervisor(team))
            .await
            .unwrap();
        bus.publish("me", &topic("a"), note("x")).unwrap();
        world.advance(SECOND * 10).await;
        assert_eq!(habit.attempts(), [1, 2, 3, 4, 5]);
        let dead = bus.dead_letters(&Query::default(), 0, 9);
        assert_eq!((dead[0].cause, dead[0].why.as_deref()), (Cause::Failed, Some("no ink")));
        assert_eq!(bus.subscriptions()[0].breaker, BreakerState::Open);
        bus.publish("me", &topic("a"), note("y")).unwrap();
        world.advance(SECOND * 40).await;
        assert_eq!(habit.heard().len(), 5);
        world.advance(SECOND * 20).await;
        assert_eq!(habit.heard().len(), 6, "one trial");
        balanced(&bus);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn a_delivery_that_is_kept_too_long_comes_again() {
    World::new(7).run(async |world| {
        let bus = bus();
        let tree = world.start(Root::new().supervisor(room(&bus))).await.unwrap();
        let mut listener = bus
            .listen(all_of("a", "me").terms(Terms::of(Class::AtLeastOnce)))
            .unwrap();
        bus.publish("me", &topic("a"), note("x")).unwrap();
        let first = listener.next().await;
        world.advance(SECOND * 29).await;
        assert!(listener.try_next().is_none());
        let second = listener.next().await;
        assert_eq!((first.attempt, second.attempt), (1, 2));
        assert!(!first.acknowledge() && second.acknowledge());
        assert_eq!(balanced(&bus).delivered, 1);
        drop(listener);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn a_subscription_ends_when_its_agent_has_left_the_tree() {
    World::new(8).run(async |world| {
        let bus = bus();
        let (child, _) = ear("ear", acknowledges);
        let child = child.restart(Restart::Temporary);
        let id = bus
            .subscribe(
                all_of("a", "team/ear").terms(Terms::of(Class::AtLeastOnce)),
                &child.address(),
            )
            .unwrap();
        let tree = Root::new()
            .supervisor(room(&bus))
            .supervisor(Supervisor::named("team").child(child));
        let tree = world.start(tree).await.unwrap();
        let team = tree.observer().supervisor("team").unwrap();
        team.terminate_child("ear").await.unwrap();
        bus.publish("me", &topic("a"), note("x")).unwrap();
        world.advance(SECOND * 2).await;
        assert!(bus.subscriptions().is_empty());
        let dead = bus.dead_letters(&Query::default(), 0, 9);
        assert_eq!(
            (dead.len(), dead[0].cause, dead[0].subscription),
            (1, Cause::Closed, id)
        );
        let told = bus.replay(dead[0].number).unwrap_err();
        assert!(
            matches!(told, crate::error::ReplayError::SubscriptionEnded { .. }),
            "{told}"
        );
        // Who subscribes in its place gets it.
        let (next, habit) = ear("next", acknowledges);
        bus.subscribe(all_of("*", "team/ear"), &next.address()).unwrap();
        team.start_child(next).await.unwrap();
        assert_eq!(
            (
                bus.replay_all(&Query::default()).sent,
                bus.dead_letters(&Query::default(), 0, 9).len()
            ),
            (1, 0)
        );
        world.settle().await;
        assert_eq!(habit.heard(), ["x"]);
        assert!(tree.stop().await.is_orderly());
    });
}

// ---- subscribing again, and groups ----

#[test]
fn an_agent_that_subscribes_again_keeps_what_waits() {
    let bus = bus();
    let (child, _) = ear("ear", acknowledges);
    let ask = |terms| {
        bus.subscribe(all_of("a", "team/ear").terms(terms), &child.address())
            .unwrap()
    };
    let first = ask(Terms::default());
    bus.publish("me", &topic("a"), note("x")).unwrap();
    assert_eq!(ask(Terms::default()), first);
    let second = ask(Terms::default().bound(5));
    assert_ne!(second, first);
    let views = bus.subscriptions();
    assert_eq!(
        (views.len(), views[0].id, views[0].bound, views[0].tally.waiting),
        (1, second, 5, 1)
    );
    assert_eq!(bus.publish("me", &topic("a"), note("y")).unwrap().matched, 1);
    assert_eq!(balanced(&bus).offered, 2);
}

#[test]
fn of_a_group_one_gets_each_envelope() {
    let bus = bus();
    let member = |who: &str| bus.listen(all_of("a", who).group("g", Pick::RoundRobin)).unwrap();
    let (mut one, mut two) = (member("one"), member("two"));
    let mut beside = bus.listen(all_of("a", "three")).unwrap();
    for number in 0..6 {
        assert_eq!(
            bus.publish("me", &topic("a"), note(&number.to_string()))
                .unwrap()
                .matched,
            2
        );
    }
    assert_eq!(heard(&mut one), ["0", "2", "4"]);
    assert_eq!(
        (heard(&mut two), heard(&mut beside).len()),
        (vec!["1".into(), "3".into(), "5".into()], 6)
    );
}

#[test]
fn what_waits_for_a_member_that_leaves_goes_to_the_others() {
    for class in [Class::AtMostOnce, Class::AtLeastOnce] {
        let bus = bus();
        let member = |who: &str| {
            let terms = Terms::of(class);
            bus.listen(all_of("a", who).terms(terms).group("g", Pick::LeastBusy))
                .unwrap()
        };
        let (one, mut two) = (member("one"), member("two"));
        for number in 0..6 {
            bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
        }
        drop(one);
        let mut all: Vec<_> = std::iter::from_fn(|| two.try_next())
            .map(|delivery| {
                let text = said(&delivery.envelope);
                assert!(delivery.acknowledge());
                text
            })
            .collect();
        all.sort();
        assert_eq!(all, ["0", "1", "2", "3", "4", "5"], "{class:?}");
        assert_eq!((two.try_next().is_none(), balanced(&bus).delivered), (true, 6));
        drop(two);
        assert_eq!(bus.publish("me", &topic("a"), note("x")).unwrap().matched, 0);
    }
}

// ---- to agents, and back ----

#[test]
fn agents_are_reached_by_path_by_list_and_by_team() {
    World::new(9).run(async |world| {
        let bus = bus();
        let (one, ear_one) = ear("one", acknowledges);
        let (two, ear_two) = ear("two", acknowledges);
        bus.attach("team/one", Terms::default(), &one.address()).unwrap();
        bus.attach("team/two", Terms::default(), &two.address()).unwrap();
        let tree = Root::new().supervisor(Supervisor::named("team").child(one).child(two));
        let tree = world.start(tree).await.unwrap();
        bus.send("me", "team/one", note("direct")).unwrap();
        assert_eq!(
            bus.multicast("me", &["team/one", "team/two"], &note("list"))
                .unwrap()
                .len(),
            2
        );
        assert!(bus.multicast("me", &["team/one", "team/three"], &note("none")).is_err());
        assert_eq!(bus.broadcast("me", "team", &note("team")).unwrap().len(), 2);
        assert_eq!(bus.broadcast("me", "tea", &note("none")).unwrap().len(), 0);
        world.settle().await;
        assert_eq!(
            (ear_one.heard().len(), ear_two.heard()),
            (3, vec!["list".to_owned(), "team".to_owned()])
        );
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn a_request_is_answered_or_says_why_not() {
    World::new(10).run(async |_| {
        let bus = bus();
        let to = topic("ask");
        let nobody = bus.request("me", &to, note("?"), SECOND).await.unwrap_err().to_string();
        assert!(nobody.starts_with("nobody hears requests on ask"), "{nobody}");
        let mut listener = bus.listen(all_of("ask", "oracle")).unwrap();
        let answers = async {
            let question = listener.next().await.envelope;
            bus.reply("oracle", &question, note("42")).unwrap();
            (listener, question)
        };
        let (answer, (listener, question)) = tokio::join!(bus.request("me", &to, note("?"), SECOND), answers);
        let answer = answer.unwrap();
        assert_eq!(
            (said(&answer).as_str(), answer.correlation, answer.causation),
            ("42", Some(question.id), Some(question.id))
        );
        assert_eq!((&*answer.from, answer.to.as_str()), ("oracle", "me"));
        let late = bus.reply("oracle", &question, note("43")).unwrap_err();
        assert!(matches!(late, ReplyError::NobodyWaits(id) if id == question.id));
        let unanswered = bus.request("me", &to, note("?"), SECOND).await.unwrap_err();
        assert!(
            matches!(unanswered, RequestError::Timeout { within: SECOND, .. }),
            "{unanswered}"
        );
        drop(listener);
    });
}

// ---- later ----

#[test]
fn what_is_planned_comes_at_its_time() {
    World::new(11).run(async |world| {
        let bus = bus();
        let tree = world.start(Root::new().supervisor(room(&bus))).await.unwrap();
        let mut listener = bus.listen(all_of("**", "me")).unwrap();
        bus.publish_after("me", &topic("a"), note("once"), SECOND * 3).unwrap();
        let beat = bus
            .publish_every("me", &topic("a"), note("beat"), SECOND, SECOND * 2)
            .unwrap();
        let off = bus.publish_after("me", &topic("a"), note("off"), SECOND).unwrap();
        assert!(bus.cancel(off) && !bus.cancel(off));
        world.advance(Duration::from_millis(999)).await;
        assert!(heard(&mut listener).is_empty());
        world.advance(Duration::from_millis(4001)).await;
        assert_eq!(heard(&mut listener), ["beat", "once", "beat", "beat"]);
        assert!(bus.cancel(beat));
        world.advance(SECOND * 10).await;
        assert!(heard(&mut listener).is_empty());
        drop(listener);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn what_nobody_needs_any_more_is_not_delivered() {
    World::new(12).run(async |world| {
        let bus = bus();
        let mut listener = bus.listen(all_of("a", "me")).unwrap();
        bus.publish("me", &topic("a"), note("short").ttl(SECOND)).unwrap();
        bus.publish("me", &topic("a"), note("long").ttl(SECOND * 5)).unwrap();
        world.advance(SECOND * 2).await;
        assert_eq!(heard(&mut listener), ["long"]);
        assert_eq!(balanced(&bus).dropped, 1);
    });
}

// ---- access ----

#[test]
fn a_limited_topic_is_closed_to_other_teams_and_refusals_are_told() {
    let limit = AccessConfig {
        topics: "pay.**".to_owned(),
        teams: vec!["office".to_owned()],
    };
    let bus = bus_with(Config {
        access: vec![limit],
        ..Config::default()
    });
    let mut refusals = bus.listen(all_of(REFUSALS, "me")).unwrap();
    let refused = bus.publish("shop/till", &topic("pay.slips"), note("x"));
    assert!(matches!(refused, Err(PublishError::NotAllowed(_))));
    let refused = bus.listen(all_of("pay.slips", "shop/till"));
    assert!(matches!(refused, Err(SubscribeError::NotAllowed(_))));
    let told: Vec<_> = std::iter::from_fn(|| refusals.try_next())
        .map(|one| one.envelope.payload.value().unwrap().clone())
        .collect();
    assert_eq!(
        told[0],
        json!({"who": "shop/till", "what": "publish on", "topic": "pay.slips", "limit": "pay.**"})
    );
    assert_eq!((told.len(), &told[1]["what"]), (2, &json!("subscribe to")));
    // A wider pattern leaves out what is limited, also for the members of a group.
    let mut outside = bus.listen(all_of("**", "shop/till")).unwrap();
    let mut grouped = bus.listen(all_of("**", "shop/cart").group("g", Pick::Random)).unwrap();
    let mut inside = bus.listen(all_of("**", "office/desk")).unwrap();
    assert_eq!(
        bus.publish("office/desk", &topic("pay.slips"), note("x"))
            .unwrap()
            .matched,
        1
    );
    assert_eq!(
        (
            heard(&mut outside).len(),
            heard(&mut grouped).len(),
            heard(&mut inside).len()
        ),
        (0, 0, 1)
    );
}

// ---- many ----

#[test]
fn a_storm_of_subscriptions_is_served_and_gone_again() {
    let bus = bus();
    let listeners: Vec<_> = (0..100_000)
        .map(|number| {
            let pattern = match number % 3 {
                0 => format!("storm.{number}"),
                1 => format!("storm.{number}.*"),
                _ => format!("*.{number}.**"),
            };
            bus.listen(all_of(&pattern, "me")).unwrap()
        })
        .collect();
    for (at, matched) in [("storm.0", 1), ("storm.1.x", 1), ("storm.2", 1), ("storm", 0)] {
        assert_eq!(
            bus.publish("me", &topic(at), note("x")).unwrap().matched,
            matched,
            "{at}"
        );
    }
    drop(listeners);
    assert!(bus.subscriptions().is_empty());
    assert_eq!(balanced(&bus).offered, 3);
}

#[test]
fn the_order_of_each_sender_and_topic_is_kept_under_load() {
    const MANY: u64 = 20_000;
    let bus = bus();
    let terms = Terms::default().bound(usize::MAX);
    let mut listener = bus.listen(all_of("**", "me").terms(terms)).unwrap();
    std::thread::scope(|scope| {
        for sender in ["a", "b", "c"] {
            let bus = &bus;
            scope.spawn(move || {
                let mut publisher = bus.publisher(sender, &topic("t")).unwrap();
                for number in 0..MANY {
                    let draft = Draft::new("n", Payload::bytes(number.to_le_bytes()));
                    publisher.publish(draft).unwrap();
                }
            });
        }
        let mut next: HashMap<Arc<str>, u64> = HashMap::new();
        let mut count = 0;
        while count < 3 * MANY {
            let Some(delivery) = listener.try_next() else {
                std::thread::yield_now();
                continue;
            };
            let number = u64::from_le_bytes(delivery.envelope.payload.as_bytes().try_into().unwrap());
            let next = next.entry(Arc::clone(&delivery.envelope.from)).or_default();
            assert_eq!(number, *next);
            *next += 1;
            count += 1;
        }
    });
    assert_eq!(balanced(&bus).offered, 3 * MANY);
}

// ---- everything is accounted for ----

#[derive(Clone, Debug)]
enum Step {
    Listen(usize, usize, usize, bool),
    Leave(usize),
    Publish(usize, bool),
    Take(usize, usize, bool),
    Replay,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..6usize, 0..3usize, 1..5usize, any::<bool>())
            .prop_map(|(pattern, class, bound, grouped)| Step::Listen(pattern, class, bound, grouped)),
        1 => any::<usize>().prop_map(Step::Leave),
        6 => (0..4usize, any::<bool>()).prop_map(|(topic, short)| Step::Publish(topic, short)),
        4 => (any::<usize>(), 1..5usize, any::<bool>()).prop_map(|(which, most, good)| Step::Take(which, most, good)),
        1 => Just(Step::Replay),
    ]
}

const PATTERNS: [&str; 6] = ["a.b", "a.*", "**", "a.b.c", "*", "b.**"];
const TOPICS: [&str; 4] = ["a.b", "a", "b.c.d", "a.b.c"];
const CLASSES: [Class; 3] = [Class::AtMostOnce, Class::AtLeastOnce, Class::EffectivelyOnce];

fn account(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let bus = bus();
    let mut listeners: Vec<(usize, bool, crate::listener::Listener)> = Vec::new();
    let (mut offered, mut delivered) = (0, 0);
    for step in steps {
        match step {
            Step::Listen(pattern, class, bound, grouped) => {
                let full = [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter][bound % 3];
                let mut terms = Terms::of(CLASSES[class]).bound(bound).when_full(full);
                terms.retry.tries = 1;
                let mut what = all_of(PATTERNS[pattern], "me").terms(terms);
                if grouped {
                    what = what.group("g", Pick::LeastBusy);
                }
                listeners.push((pattern, grouped, bus.listen(what).unwrap()));
            }
            Step::Leave(_) | Step::Take(..) if listeners.is_empty() => {}
            Step::Leave(which) => drop(listeners.swap_remove(which % listeners.len())),
            Step::Publish(at, short) => {
                let at = topic(TOPICS[at]);
                let draft = if short {
                    note("x").ttl(Duration::ZERO)
                } else {
                    note("x")
                };
                let matches = |pattern: usize| Pattern::new(PATTERNS[pattern]).unwrap().matches(&at);
                let single = listeners
                    .iter()
                    .filter(|(pattern, grouped, _)| !grouped && matches(*pattern))
                    .count();
                let has_member = |pattern: &usize| listeners.iter().any(|(of, grouped, _)| *grouped && of == pattern);
                let groups = (0..PATTERNS.len())
                    .filter(|pattern| matches(*pattern) && has_member(pattern))
                    .count();
                let published = bus.publish("me", &at, draft).unwrap();
                prop_assert_eq!(published.matched, single + groups);
                offered += u64::try_from(published.matched).unwrap();
            }
            Step::Take(which, most, good) => {
                let index = which % listeners.len();
                let listener = &mut listeners[index].2;
                for _ in 0..most {
                    let Some(delivery) = listener.try_next() else { break };
                    if !delivery.is_acknowledged() || good {
                        prop_assert!(delivery.acknowledge());
                        delivered += 1;
                    }
                }
            }
            Step::Replay => {
                let replayed = bus.replay_all(&Query::default());
                offered += u64::try_from(replayed.sent).unwrap();
            }
        }
        let tally = bus.tally();
        prop_assert!(tally.is_balanced(), "{:?}", tally);
        prop_assert_eq!(tally.offered, offered);
        // What a listener has taken out in a batch and not handed on yet still waits.
        prop_assert!(tally.delivered <= delivered);
    }
    drop(listeners);
    let tally = bus.tally();
    prop_assert!(tally.is_balanced() && tally.waiting == 0);
    prop_assert_eq!((tally.offered, tally.delivered), (offered, delivered));
    Ok(())
}

proptest! {
    #[test]
    fn published_times_matching_is_delivered_dropped_dead_and_waiting(steps in prop::collection::vec(step(), 0..60)) {
        account(steps)?;
    }
}

#[test]
fn the_metrics_tell_the_same_story() {
    World::new(13).run(async |world| {
        let instruments = Instruments::with_tree(&[BUS]).unwrap();
        let config = Config {
            counted: vec!["a".to_owned()],
            ..Config::default()
        };
        let bus = Bus::new(config, 1, &instruments).unwrap();
        let tree = world.start(Root::new().supervisor(room(&bus))).await.unwrap();
        let few = Terms::default().bound(2);
        let mut listener = bus.listen(all_of("a", "me").terms(few)).unwrap();
        for _ in 0..5 {
            bus.publish("me", &topic("a"), note("x")).unwrap();
            bus.publish("me", &topic("b"), note("x")).unwrap();
        }
        world.advance(SECOND).await;
        let metrics = &bus.0.metrics;
        let (a, other) = (metrics.of(0), metrics.of(UNCOUNTED));
        assert_eq!(
            (a.published.get(), other.published.get(), a.payload_bytes.get()),
            (5, 5, 15)
        );
        assert_eq!(
            (a.subscribers.get(), a.lag.get(), other.lag.get()),
            (Some(1.0), Some(2.0), Some(0.0))
        );
        assert_eq!(heard(&mut listener).len(), 2);
        assert_eq!(a.delivered.get(), 2);
        world.advance(SECOND).await;
        assert_eq!(a.lag.get(), Some(0.0));
        drop(listener);
        assert!(tree.stop().await.is_orderly());
    });
}
