//! Who of a team gets the next task, where the queue serves the claim of the lowest rank, and of several the first.

use super::*;

struct Market {
    house: House,
    /// Who waits, for how much, and by which rank.
    waiting: Vec<(String, usize, u64)>,
    given: BTreeMap<String, usize>,
}

impl Market {
    fn of(dispatch: Dispatch, takers: &[Taker]) -> Self {
        let mut house = House::of(&[]);
        let team = TakingTeam {
            dispatch,
            ..team(takers)
        };
        house.hands.staff(&[team].into(), &mut house.effects);
        for taker in takers {
            house.hands.seen(&taker.worker, true, &mut house.effects);
        }
        Self {
            house,
            waiting: Vec::new(),
            given: BTreeMap::new(),
        }
    }

    fn follow(&mut self) {
        let house = &mut self.house;
        house.hands.ask(&mut house.chance, &mut house.effects);
        for effect in house.done() {
            match effect {
                Effect::Ask { worker, most, rank, .. } => {
                    let place = rank.map_or(0, |rank| rank.place);
                    self.waiting.push((worker.to_string(), most, place));
                }
                Effect::Rank { worker, places } => {
                    let of_worker = self.waiting.iter_mut().filter(|(name, _, _)| name == worker.as_str());
                    of_worker.zip(places).for_each(|(waits, place)| waits.2 = place);
                }
                _ => {}
            }
        }
    }

    /// Gives one task to whoever is next.
    fn give(&mut self) -> (String, Fence) {
        self.follow();
        let places = self.waiting.iter().enumerate();
        let (_, next) = places.map(|(at, (_, _, place))| (*place, at)).min().unwrap();
        let (name, most, _) = self.waiting.remove(next);
        let fence = self.house.claimed(&name, most, 1)[0];
        self.house.staged(fence, Stage::Delivered);
        *self.given.entry(name.clone()).or_default() += 1;
        (name, fence)
    }

    fn end(&mut self, fence: Fence, took: Duration) {
        self.house.now = self.house.now + took;
        self.house.staged(fence, Stage::Done(json!(1)));
        self.house.hands.heard(fence, true, false, &mut self.house.effects);
        self.follow();
    }

    /// The team goes by another dispatch, and who waited asks again.
    fn changes_to(&mut self, dispatch: Dispatch, takers: &[Taker]) {
        let team = TakingTeam {
            dispatch,
            ..team(takers)
        };
        self.house.hands.staff(&[team].into(), &mut self.house.effects);
        for (name, most, _) in std::mem::take(&mut self.waiting) {
            self.house.claimed(&name, most, 0);
        }
    }

    fn names(&mut self, tasks: usize) -> Vec<String> {
        (0..tasks).map(|_| self.give().0).collect()
    }

    /// Gives one task after the other, each to somebody who has nothing else.
    fn one_by_one(&mut self, tasks: usize, took: impl Fn(&str) -> u64) {
        for _ in 0..tasks {
            let (name, fence) = self.give();
            self.end(fence, Duration::from_millis(took(&name)));
            self.house.assert_sound();
        }
    }

    fn given(&self, name: &str) -> usize {
        self.given.get(name).copied().unwrap_or_default()
    }
}

#[test]
fn where_it_is_predicted_who_is_slow_gets_a_task_only_until_that_is_known() {
    for (at_once, ahead) in [(1, 0), (4, 0), (2, 5)] {
        let mut market = Market::of(
            Dispatch::Predictive,
            &[taker("t/fast", at_once, ahead), taker("t/slow", at_once, ahead)],
        );
        market.one_by_one(200, |name| if name == "t/fast" { 20 } else { 200 });
        assert!(market.given("t/slow") <= 2, "{at_once} at once: {:?}", market.given);
    }
}

#[test]
fn who_is_quick_is_given_tasks_ahead_until_another_would_be_through_sooner() {
    let mut market = Market::of(Dispatch::Predictive, &[taker("t/fast", 1, 20), taker("t/slow", 1, 20)]);
    market.one_by_one(10, |name| if name == "t/fast" { 20 } else { 190 });
    market.given.clear();
    market.names(10);
    assert_eq!((market.given("t/fast"), market.given("t/slow")), (9, 1));
}

#[test]
fn who_has_nine_times_the_weight_gets_nine_tasks_of_ten_however_many_it_may_have() {
    for at_once in [1, 20] {
        let weighing = |name, weight| {
            let mut taker = taker(name, at_once, 0);
            taker.rules.weight = weight;
            taker
        };
        let mut market = Market::of(Dispatch::Weighted, &[weighing("t/light", 1), weighing("t/heavy", 9)]);
        market.one_by_one(1_000, |_| 5);
        let heavy = market.given("t/heavy");
        assert!((898..=902).contains(&heavy), "{at_once} at once: {:?}", market.given);
    }
}

#[test]
fn what_was_given_by_another_dispatch_is_no_debt() {
    let mut heavy = taker("t/heavy", 1, 0);
    heavy.rules.weight = 9;
    let takers = [heavy, taker("t/light", 1, 0)];
    let mut market = Market::of(Dispatch::RandomOfTwo, &takers);
    market.one_by_one(1_000, |_| 5);
    market.changes_to(Dispatch::Weighted, &takers);
    market.given.clear();
    market.one_by_one(100, |_| 5);
    assert!((88..=92).contains(&market.given("t/heavy")), "{:?}", market.given);
}

#[test]
fn who_was_away_does_not_make_up_for_it() {
    let mut market = Market::of(Dispatch::Weighted, &[taker("t/a", 1, 0), taker("t/b", 1, 0)]);
    let (held, fence) = market.give();
    market.one_by_one(100, |_| 5);
    market.end(fence, Duration::from_millis(5));
    market.given.clear();
    market.one_by_one(20, |_| 5);
    assert!((9..=11).contains(&market.given(&held)), "{:?}", market.given);
}

#[test]
fn who_is_able_to_do_much_is_spared_while_somebody_else_is_free() {
    let able = |words: &[&str]| words.iter().map(|word| Capability::new(word).unwrap()).collect();
    let mut all_round = taker("t/all-round", 2, 0);
    all_round.able = able(&["cut", "paint"]);
    let mut painter = taker("t/painter", 2, 0);
    painter.able = able(&["paint"]);
    let mut market = Market::of(Dispatch::Capability, &[all_round, painter]);
    market.one_by_one(20, |_| 5);
    assert_eq!(market.given("t/painter"), 20);
    assert_eq!(market.names(3), ["t/painter", "t/painter", "t/all-round"]);
}

#[test]
fn who_has_least_is_next_whoever_has_waited_longest() {
    let mut market = Market::of(Dispatch::LeastLoaded, &[taker("t/a", 4, 0), taker("t/b", 4, 0)]);
    let given: Vec<_> = (0..4).map(|_| market.give()).collect();
    assert_eq!((market.given("t/a"), market.given("t/b")), (2, 2));
    for (_, fence) in given.iter().filter(|(name, _)| name == "t/a") {
        market.end(*fence, Duration::from_millis(5));
    }
    assert_eq!(market.names(2), ["t/a", "t/a"]);
    market.given.clear();
    market.names(2);
    assert_eq!((market.given("t/a"), market.given("t/b")), (1, 1));
}

#[test]
fn a_team_whose_dispatch_changes_asks_by_the_new_one() {
    let takers = [taker("t/a", 1, 0), taker("t/b", 1, 0)];
    let mut market = Market::of(Dispatch::RoundRobin, &takers);
    market.follow();
    market.waiting.clear();
    market.changes_to(Dispatch::Weighted, &takers);
    let withdrawn = ["t/a", "t/b"].map(|name| Effect::Withdraw(worker(name)));
    assert_eq!(market.house.done(), withdrawn);
}
