use std::collections::HashMap;

use super::*;
use crate::metrics::UNCOUNTED;

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
