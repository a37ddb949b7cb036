//! Sending to agents by their paths.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use triarch_supervision::message::Priority;

use super::*;
use crate::listener::Listener;
use crate::sending::Directory;

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
        bus.send("me", "team/one", &note("direct")).unwrap();
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

/// Knows two agents of a team, and has what is sent to them laid up.
struct Porter {
    bus: Bus,
    attached: Mutex<Vec<Listener>>,
}

impl Directory for Porter {
    fn attach(&self, path: &str) -> Result<(), SubscribeError> {
        if self.team("team").iter().any(|known| **known == *path) {
            lock(&self.attached).push(self.bus.listen_at(path, Terms::default())?);
        }
        Ok(())
    }

    fn team(&self, team: &str) -> Vec<Arc<str>> {
        let known = if team == "team" {
            &["team/one", "team/two"][..]
        } else {
            &[]
        };
        known.iter().map(|path| Arc::from(*path)).collect()
    }
}

#[test]
fn an_agent_that_somebody_knows_is_attached_when_something_is_sent_to_it() {
    let bus = bus();
    let porter = Arc::new(Porter {
        bus: bus.clone(),
        attached: Mutex::default(),
    });
    bus.introduce(Arc::clone(&porter) as _);
    assert_eq!(bus.subscriptions().len(), 0);
    bus.send("me", "team/two", &note("direct")).unwrap();
    assert_eq!(bus.broadcast("me", "team", &note("team")).unwrap().len(), 2);
    assert_eq!(bus.broadcast("me", "tea", &note("none")).unwrap().len(), 0);
    let unknown = bus.multicast("me", &["team/one", "team/three"], &note("none"));
    assert!(matches!(unknown, Err(PublishError::NoSuchAgent { path }) if &*path == "team/three"));
    let mut attached = std::mem::take(&mut *lock(&porter.attached));
    let all: Vec<_> = attached.iter_mut().map(heard).collect();
    assert_eq!(all, [vec!["direct", "team"], vec!["team"]]);
    // One that has ended is attached anew, though it was found before it had.
    let found = bus.0.agent_at("team/two").unwrap();
    drop(attached);
    assert_eq!(bus.0.send_to(&"me".into(), found, &note("late")).unwrap().matched, 1);
    bus.send("me", "team/two", &note("again")).unwrap();
    assert_eq!(heard(&mut lock(&porter.attached)[0]), ["late", "again"]);
}

#[test]
fn what_is_sent_while_its_place_ends_and_begins_anew_has_one_end() {
    const MANY: u64 = 4_000;
    let bus = bus();
    let porter = Arc::new(Porter {
        bus: bus.clone(),
        attached: Mutex::default(),
    });
    bus.introduce(Arc::clone(&porter) as _);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let send = |from: &'static str| {
            for _ in 0..MANY {
                // Its place may end between two looks, and is no place then.
                while bus.send(from, "team/one", &note("x")).is_err() {}
            }
        };
        let senders = ["a", "b"].map(|from| scope.spawn(move || send(from)));
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let before = std::mem::take(&mut *lock(&porter.attached));
                drop(before);
            }
        });
        for sender in senders {
            sender.join().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        balanced(&bus).offered,
        2 * MANY,
        "what was said to be sent was in an inbox"
    );
}

/// What came in which order: the last number of each sender and priority.
fn in_order(listener: &mut Listener, most: usize, last: &mut HashMap<(Arc<str>, Priority), u64>) -> bool {
    std::iter::from_fn(|| listener.try_next()).take(most).all(|delivery| {
        let envelope = Arc::clone(&delivery.envelope);
        let number = envelope.payload.value().and_then(serde_json::Value::as_u64);
        let before = last.insert((Arc::clone(&envelope.from), envelope.priority), number.unwrap());
        delivery.acknowledge() && before < number
    })
}

proptest! {
    #[test]
    fn the_order_of_each_sender_is_kept_at_a_path_and_on_a_topic_whatever_it_says_between(
        steps in prop::collection::vec((0..3usize, any::<bool>(), any::<bool>(), 0..4usize), 0..200),
    ) {
        let bus = bus();
        let terms = Terms::of(Class::AtLeastOnce);
        let mut at_path = bus.listen_at("team/one", terms).unwrap();
        let mut on_topic = bus.listen(all_of("a", "team/one").terms(terms)).unwrap();
        let (mut direct, mut events) = (HashMap::new(), HashMap::new());
        for (number, (from, is_direct, is_high, take)) in (1_u64..).zip(steps) {
            let priority = if is_high { Priority::High } else { Priority::Normal };
            let draft = Draft::new("n", Payload::json(&json!(number))).priority(priority);
            let from = ["a", "b", "c"][from];
            let published = if is_direct { bus.send(from, "team/one", &draft) } else { bus.publish(from, &topic("a"), draft) };
            prop_assert_eq!(published.unwrap().matched, 1);
            prop_assert!(in_order(&mut at_path, take, &mut direct) && in_order(&mut on_topic, take, &mut events));
        }
        prop_assert!(in_order(&mut at_path, usize::MAX, &mut direct) && in_order(&mut on_topic, usize::MAX, &mut events));
        prop_assert_eq!(balanced(&bus).waiting, 0);
    }
}
