use proptest::prelude::{Just, Strategy, TestCaseError, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use triarch_supervision::prelude::*;
use triarch_supervision::sync::{Mutex, lock};
use triarch_supervision::testing::World;

use super::*;
use crate::account::Cause;
use crate::arrivals::{Arrivals, Delivery};
use crate::breaker::BreakerState;
use crate::config::AccessConfig;
use crate::dead::Query;
use crate::error::{ArchiveError, SubscribeError};
use crate::filter::Filter;
use crate::group::Pick;
use crate::metrics::BUS;
use crate::room::room;
use crate::subscribing::Subscribe;
use crate::terms::{Class, Terms, WhenFull};
use crate::topic::Pattern;

#[path = "bus_changing_test.rs"]
mod changing;
#[path = "bus_failing_test.rs"]
mod failing;
#[path = "bus_later_test.rs"]
mod later;
#[path = "bus_many_test.rs"]
mod many;
#[path = "bus_sending_test.rs"]
mod sending;

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
    let place = |delivery: &Delivery| std::ptr::from_ref::<Envelope>(&delivery.envelope);
    assert_eq!(place(&one), place(&two), "they share it");
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
    assert!(bus.multicast("me", &[""; 0], &large).is_err() && bus.broadcast("me", "t", &large).is_err());
    let nameless = Draft::new("", Payload::bytes([]));
    assert!(bus.publish("me", &topic("a"), nameless).is_err());
    assert!(bus.publish("", &topic("a"), note("x")).is_err());
    assert!(bus.listen(all_of("a", "a\nb")).is_err());
    assert!(matches!(
        bus.send("me", "team/x", &note("x")),
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
    assert_eq!(second, first);
    let views = bus.subscriptions();
    assert_eq!(
        (views.len(), views[0].id, views[0].bound, views[0].tally.waiting),
        (1, second, 5, 1)
    );
    for _ in 0..9 {
        assert_eq!(bus.publish("me", &topic("a"), note("y")).unwrap().matched, 1);
    }
    assert_eq!(
        (balanced(&bus).offered, bus.tally().waiting),
        (10, 5),
        "under the terms it asks for now"
    );
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

// ---- there and back ----

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

// ---- in time ----

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
