use super::*;
use crate::subscription::Bell;

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
        // Four others fail, and it is no more the fault of the one.
        for _ in 0..4 {
            bus.publish("me", &topic("a"), note("x")).unwrap();
        }
        world.settle().await;
        let dead = bus.dead_letters(&Query::default(), 0, 9);
        assert_eq!((dead[0].cause, dead[0].why.as_deref()), (Cause::Failed, Some("no ink")));
        assert_eq!(bus.subscriptions()[0].breaker, BreakerState::Open);
        bus.publish("me", &topic("a"), note("y")).unwrap();
        world.advance(SECOND * 40).await;
        assert_eq!(habit.heard().len(), 9);
        world.advance(SECOND * 20).await;
        assert_eq!(habit.heard().len(), 10, "one trial");
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
        assert!(matches!(told, crate::error::ReplayError::NobodyTakes { .. }), "{told}");
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

#[test]
fn what_a_listener_gives_back_waits_again_in_its_order_and_nobody_has_failed() {
    let bus = bus();
    let mut ear = bus
        .listen(all_of("a", "team/ear").terms(Terms::of(Class::AtLeastOnce)))
        .unwrap();
    let texts: Vec<_> = (1..=9).map(|number| number.to_string()).collect();
    for text in &texts {
        bus.publish("me", &topic("a"), note(text)).unwrap();
    }
    let taken: Vec<_> = std::iter::from_fn(|| ear.try_next()).collect();
    assert_eq!(taken.len(), 9);
    Delivery::give_back(taken);
    assert_eq!(
        (balanced(&bus).waiting, bus.subscriptions()[0].breaker),
        (9, BreakerState::Closed)
    );
    let again: Vec<_> = std::iter::from_fn(|| ear.try_next()).collect();
    assert!(again.iter().all(|delivery| delivery.attempt == 1));
    assert_eq!(
        again
            .iter()
            .map(|delivery| said(&delivery.envelope))
            .collect::<Vec<_>>(),
        texts
    );
    again.into_iter().for_each(acknowledges);
    assert_eq!(balanced(&bus).delivered, 9);
    // What is over is not given back.
    bus.publish("me", &topic("a"), note("x")).unwrap();
    let last = ear.try_next();
    drop(ear);
    Delivery::give_back(last);
    assert_eq!(balanced(&bus).waiting, 0);
}

/// Takes all there is in the moment in which it is told.
#[derive(Clone, Default)]
struct Hasty(Arc<Mutex<Vec<Vec<Delivery>>>>);

impl Bell for Hasty {
    fn ring(&self, arrivals: Arrivals) {
        lock(&self.0).push(arrivals.collect());
    }

    fn is_gone(&self) -> bool {
        false
    }
}

impl Hasty {
    /// What it was told, by each time.
    fn told(&self) -> Vec<Vec<String>> {
        let texts = |told: &Vec<Delivery>| told.iter().map(|delivery| said(&delivery.envelope)).collect();
        lock(&self.0).iter().map(texts).collect()
    }

    fn gives_back(&self) {
        let taken = std::mem::take(&mut *lock(&self.0));
        Delivery::give_back(taken.into_iter().flatten());
    }
}

#[test]
fn a_subscriber_is_told_once_of_what_is_given_back_when_all_of_it_waits_in_its_order() {
    let (bus, hasty, other) = (bus(), Hasty::default(), Hasty::default());
    for (who, bell) in [("team/hasty", &hasty), ("team/other", &other)] {
        let what = all_of("a", who).terms(Terms::of(Class::AtLeastOnce));
        bus.add(what, Arc::new(bell.clone()), false).unwrap();
    }
    for number in 1..=9 {
        bus.publish("me", &topic("a"), note(&number.to_string())).unwrap();
    }
    let all: Vec<_> = (1..=9).map(|number| number.to_string()).collect();
    assert_eq!(hasty.told().concat(), all);
    // Those of several are given back together.
    let taken = std::mem::take(&mut *lock(&other.0));
    lock(&hasty.0).extend(taken);
    hasty.gives_back();
    assert_eq!((hasty.told(), other.told()), (vec![all.clone()], vec![all]));
    for bell in [hasty, other] {
        let last = std::mem::take(&mut *lock(&bell.0));
        last.into_iter().flatten().for_each(acknowledges);
    }
    assert_eq!(balanced(&bus).delivered, 18);
}

struct Clumsy;

impl Message for Clumsy {}

impl From<Arrivals> for Clumsy {
    fn from(_: Arrivals) -> Self {
        panic!("it drops what it is given")
    }
}

struct Clown;

impl Agent for Clown {
    type Message = Clumsy;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Clumsy, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn a_subscriber_that_panics_when_it_is_told_harms_neither_publishers_nor_others() {
    let bus = bus();
    let clown = Child::of::<Clown>("clown", ());
    bus.subscribe(all_of("a", "team/clown"), &clown.address()).unwrap();
    let mut other = bus.listen(all_of("a", "team/other")).unwrap();
    assert_eq!(bus.publish("me", &topic("a"), note("x")).unwrap().matched, 2);
    assert_eq!(heard(&mut other), ["x"]);
    assert_eq!((balanced(&bus).waiting, bus.0.unrung()), (1, 1));
}
