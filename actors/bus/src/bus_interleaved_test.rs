//! Steps of several at once, in any order: by a seed, and by threads.

use triarch_supervision::clock::Seeded;

use super::*;

/// A publication whose publisher was held up between its look at the route and its offers.
type UnderWay = (Arc<TopicEntry>, Arc<Route>, bool);

/// Everything that may happen in any order, one step of it at a time.
struct Chaos {
    bus: Bus,
    chance: Seeded,
    slot: Slot,
    /// Who is there throughout, and subscribes again and again.
    steady: Listener,
    members: Vec<Listener>,
    under_way: Vec<UnderWay>,
    published: u64,
    matched: u64,
    heard: u64,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let bus = bus();
        let slot = Slot::default();
        let steady = named(&bus, all_of("a", "team/x").terms(unbounded(Class::AtMostOnce)), &slot);
        Self {
            chance: Seeded::new(seed),
            slot,
            steady,
            bus,
            members: Vec::new(),
            under_way: Vec::new(),
            published: 0,
            matched: 0,
            heard: 0,
        }
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.chance.next_u64()).unwrap() % most
    }

    fn terms(&mut self) -> Terms {
        let class = [Class::AtMostOnce, Class::AtLeastOnce, Class::EffectivelyOnce][self.below(3)];
        unbounded(class)
    }

    fn step(&mut self) {
        match self.below(12) {
            0..=2 => {
                let entry = self.bus.0.topic(&topic("a"));
                let route = self.bus.0.route(&entry);
                self.under_way.push((entry, route, !self.members.is_empty()));
            }
            3..=5 => self.land(),
            6 => {
                let what = all_of("a", "team/x").terms(self.terms());
                let again = named(&self.bus, what, &self.slot);
                std::mem::replace(&mut self.steady, again).let_go();
                tell_again(&self.bus);
            }
            7 => {
                let what = all_of("a", &format!("team/{}", self.members.len())).terms(self.terms());
                let member = self.bus.listen(what.group("g", Pick::LeastBusy)).unwrap();
                self.members.push(member);
            }
            8 if !self.members.is_empty() => {
                let which = self.below(self.members.len());
                drop(self.members.swap_remove(which));
            }
            9 => drop(self.bus.replay_all(&Query::default())),
            _ => self.take(),
        }
    }

    /// One that was held up goes on.
    fn land(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let which = self.below(self.under_way.len());
        let (entry, route, had_group) = self.under_way.remove(which);
        let to = Destination::Topic(topic("a"));
        let envelope = self.bus.0.seal(note("x"), &"me".into(), to);
        let matched = self.bus.0.publish(&entry, &route, envelope).matched;
        assert!(matched >= 1, "somebody was there throughout");
        assert!(matched <= 1 + usize::from(had_group));
        self.published += 1;
        self.matched += u64::try_from(matched).unwrap();
    }

    fn take(&mut self) {
        let most = self.below(5);
        let which = self.below(self.members.len() + 1);
        let listener = self.members.get_mut(which).unwrap_or(&mut self.steady);
        for _ in 0..most {
            let Some(delivery) = listener.try_next() else { break };
            self.heard += u64::from(delivery.acknowledge());
        }
    }

    fn end(mut self) {
        while !self.under_way.is_empty() {
            self.land();
        }
        self.members.clear();
        while let Some(delivery) = self.steady.try_next() {
            self.heard += u64::from(delivery.acknowledge());
        }
        let replayed = self.bus.tally().offered - self.matched;
        let tally = balanced(&self.bus);
        assert_eq!(tally.delivered, self.heard);
        assert_eq!(tally.waiting, 0, "{tally:?}");
        assert!(replayed <= tally.dead, "{tally:?}");
        assert!(self.heard >= self.published, "whoever was there throughout heard all");
    }
}

#[test]
fn every_envelope_has_one_end_whoever_comes_and_goes_meanwhile() {
    for seed in 0..500 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..120 {
            chaos.step();
            let tally = chaos.bus.tally();
            assert!(tally.is_balanced(), "seed {seed}: {tally:?}");
            assert!(
                tally.offered >= chaos.matched,
                "seed {seed}: {tally:?}, matched {}",
                chaos.matched
            );
        }
        chaos.end();
    }
}

#[test]
fn every_envelope_has_one_end_under_threads() {
    const MANY: u64 = 4_000;
    let bus = bus();
    let slot = Slot::default();
    let all = |turn: usize| all_of("a", "team/x").terms(unbounded(Class::AtMostOnce).bound(usize::MAX - turn % 2));
    let mut steady = named(&bus, all(0), &slot);
    let of_group = |who: &str| {
        let what = all_of("a", who).terms(unbounded(Class::AtLeastOnce));
        bus.listen(what.group("g", Pick::RoundRobin)).unwrap()
    };
    let stays = of_group("team/n");
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let matched: u64 = std::thread::scope(|scope| {
        let publishers: Vec<_> = ["p", "q"]
            .into_iter()
            .map(|from| {
                let bus = &bus;
                scope.spawn(move || {
                    let mut publisher = bus.publisher(from, &topic("a")).unwrap();
                    let publish = |_| u64::try_from(publisher.publish(note("x")).unwrap().matched).unwrap();
                    (0..MANY).map(publish).sum::<u64>()
                })
            })
            .collect();
        scope.spawn(|| {
            let mut turn = 0;
            while !is_done.load(Ordering::Relaxed) {
                turn += 1;
                std::mem::forget(named(&bus, all(turn), &slot));
            }
        });
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let (one, two) = (of_group("team/m"), of_group("team/m"));
                drop((one, two));
                bus.replay_all(&Query::default());
            }
        });
        let matched = publishers.into_iter().map(|one| one.join().unwrap()).sum();
        is_done.store(true, Ordering::Relaxed);
        matched
    });
    assert_eq!(matched, 4 * MANY, "somebody of the group was there throughout too");
    drop(stays);
    let heard = std::iter::from_fn(|| steady.try_next()).count();
    let tally = balanced(&bus);
    assert_eq!((heard as u64, tally.waiting), (2 * MANY, 0), "{tally:?}");
    assert!(tally.offered >= matched, "{tally:?} {matched}");
}
