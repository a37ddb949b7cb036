//! Sending to agents by their paths.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;

use triarch_supervision::message::Priority;

use super::*;
use crate::listener::Listener;
use crate::sending::Directory;
use crate::subscribing::SubscriptionView;

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

#[test]
fn a_question_to_one_agent_is_answered_by_it_or_says_why_not() {
    World::new(11).run(async |_| {
        let bus = bus();
        let nobody = bus.request_from("me", "team/oracle", note("?"), SECOND).await;
        assert_eq!(
            nobody.unwrap_err().to_string(),
            "no agent takes envelopes at team/oracle; see who does, or publish on a topic"
        );
        let mut oracle = bus.listen_at("team/oracle", Terms::default()).unwrap();
        let answers = async {
            let question = oracle.next().await.envelope;
            assert_eq!((&*question.from, question.to.as_str()), ("me", "team/oracle"));
            bus.reply("team/oracle", &question, note("42")).unwrap();
            oracle
        };
        let asked = bus.request_from("me", "team/oracle", note("?"), SECOND);
        let (answer, mut oracle) = tokio::join!(asked, answers);
        let answer = answer.unwrap();
        assert_eq!(
            (said(&answer).as_str(), &*answer.from, answer.to.as_str()),
            ("42", "team/oracle", "me")
        );
        let unanswered = bus.request_from("me", "team/oracle", note("?"), SECOND).await;
        assert_eq!(
            unanswered.unwrap_err().to_string(),
            "no answer from team/oracle within 1s; allow more time, or see what its subscribers do"
        );
        assert_eq!(heard(&mut oracle), ["?"]);
    });
}

/// Knows two agents of a team, and has what is sent to them laid up.
struct Porter {
    bus: Bus,
    attached: Mutex<Vec<Listener>>,
    /// Who has left the team.
    left: Mutex<HashSet<&'static str>>,
    /// Who leaves the team as soon as somebody else is asked for.
    leaves: Mutex<Option<&'static str>>,
}

fn porter(bus: &Bus) -> Arc<Porter> {
    let porter = Arc::new(Porter {
        bus: bus.clone(),
        attached: Mutex::default(),
        left: Mutex::default(),
        leaves: Mutex::default(),
    });
    bus.introduce(Arc::clone(&porter) as _);
    porter
}

impl Porter {
    fn end(&self, path: &str) -> bool {
        let of_path = |one: &SubscriptionView| *one.subscriber == *path;
        let id = self.bus.subscriptions().into_iter().find(of_path).map(|one| one.id);
        let mut attached = lock(&self.attached);
        let at = attached.iter().position(|one| Some(one.subscription()) == id);
        let listener = at.map(|at| attached.swap_remove(at));
        drop(attached);
        listener.is_some()
    }
}

impl Directory for Porter {
    fn attach(&self, path: &str) -> Result<(), SubscribeError> {
        if self.team("team").iter().any(|known| **known == *path) {
            lock(&self.attached).push(self.bus.listen_at(path, Terms::of(Class::AtLeastOnce))?);
        }
        Ok(())
    }

    fn has_left(&self, path: &str) -> bool {
        if let Some(leaves) = lock(&self.leaves).take_if(|leaves| *leaves != path) {
            lock(&self.left).insert(leaves);
            self.end(leaves);
        }
        lock(&self.left).contains(path) && self.end(path)
    }

    fn team(&self, team: &str) -> Vec<Arc<str>> {
        let known = if team == "team" {
            &["team/one", "team/two"][..]
        } else {
            &[]
        };
        let left = lock(&self.left);
        let there = known.iter().filter(|path| !left.contains(*path));
        there.map(|path| Arc::from(*path)).collect()
    }
}

#[test]
fn an_agent_that_somebody_knows_is_attached_when_something_is_sent_to_it() {
    let bus = bus();
    let porter = porter(&bus);
    assert_eq!(bus.subscriptions().len(), 0);
    bus.send("me", "team/two", &note("direct")).unwrap();
    assert_eq!(bus.broadcast("me", "team", &note("team")).unwrap().len(), 2);
    assert_eq!(bus.broadcast("me", "tea", &note("none")).unwrap().len(), 0);
    let unknown = bus.multicast("me", &["team/one", "team/three"], &note("none"));
    assert!(matches!(unknown, Err(PublishError::NoSuchAgent { path }) if &*path == "team/three"));
    let mut attached = std::mem::take(&mut *lock(&porter.attached));
    let all: Vec<_> = attached.iter_mut().map(taken).collect();
    assert_eq!(all, [vec!["direct", "team"], vec!["team"]]);
    // One that has ended is attached anew, though it was found before it had.
    let found = bus.0.agent_at("team/two").unwrap();
    drop(attached);
    assert_eq!(bus.0.send_to(&"me".into(), found, &note("late")).unwrap().matched, 1);
    bus.send("me", "team/two", &note("again")).unwrap();
    assert_eq!(taken(&mut lock(&porter.attached)[0]), ["late", "again"]);
}

/// What it has got by now, all of it done.
fn taken(listener: &mut Listener) -> Vec<String> {
    let deliveries = std::iter::from_fn(|| listener.try_next());
    deliveries
        .map(|delivery| {
            let said = said(&delivery.envelope);
            assert!(delivery.acknowledge());
            said
        })
        .collect()
}

#[test]
fn an_agent_that_has_left_is_not_sent_to_though_nothing_waits_for_it() {
    let bus = bus();
    let porter = porter(&bus);
    bus.send("me", "team/one", &note("done")).unwrap();
    assert_eq!(taken(&mut lock(&porter.attached)[0]), ["done"]);
    lock(&porter.left).insert("team/one");
    let refused = bus.multicast("me", &["team/two", "team/one"], &note("none"));
    assert!(matches!(refused, Err(PublishError::NoSuchAgent { path }) if &*path == "team/one"));
    assert_eq!(
        (balanced(&bus).offered, bus.dead_letters_kept()),
        (1, 0),
        "nobody got it"
    );
    lock(&porter.left).clear();
    assert_eq!(bus.send("me", "team/one", &note("back")).unwrap().matched, 1);
}

#[test]
fn what_is_for_one_that_leaves_while_it_is_sent_is_dead_and_the_others_have_it() {
    let bus = bus();
    let porter = porter(&bus);
    assert_eq!(bus.broadcast("me", "team", &note("first")).unwrap().len(), 2);
    lock(&porter.attached).iter_mut().for_each(|one| drop(taken(one)));
    *lock(&porter.leaves) = Some("team/one");
    let sent = bus.multicast("me", &["team/one", "team/two"], &note("both")).unwrap();
    assert_eq!([sent[0].matched, sent[1].matched], [0, 1]);
    assert_eq!(taken(&mut lock(&porter.attached)[0]), ["both"]);
    let letters = bus.dead_letters(&Query::default(), 0, 9);
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(
        (letter.cause, &*letter.subscriber, letter.envelope.id),
        (Cause::Closed, "team/one", sent[0].id)
    );
    assert_eq!(balanced(&bus).dead, 1);
    // Once it is back, it gets that after all.
    let replayed = || bus.replay(letters[0].number);
    assert!(replayed().is_err());
    lock(&porter.left).clear();
    replayed().unwrap();
    assert_eq!(taken(lock(&porter.attached).last_mut().unwrap()), ["both"]);
}

#[test]
fn a_team_is_all_whom_somebody_knows_and_all_who_attached_themselves() {
    let bus = bus();
    let porter = porter(&bus);
    let _three = bus.listen_at("team/three", Terms::default()).unwrap();
    bus.send("me", "team/two", &note("x")).unwrap();
    assert_eq!(bus.team("team"), ["team/one", "team/two", "team/three"].map(Arc::from));
    lock(&porter.left).insert("team/two");
    assert_eq!(bus.team("team"), ["team/one", "team/three"].map(Arc::from));
    assert_eq!(bus.broadcast("me", "team", &note("all")).unwrap().len(), 2);
}

#[test]
fn what_is_sent_while_its_place_ends_and_begins_anew_has_one_end() {
    const MANY: u64 = 4_000;
    let bus = bus();
    let porter = porter(&bus);
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
        let envelope = delivery.envelope.clone();
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
