//! Many agents, many sorts of them, and more work than they can do: nobody waits because of others, and none is looked at for
//! nothing.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::dispatcher::asking::Bounds;
use crate::dispatcher::steps;

/// A queue that has tasks without end for some, and one for each who is left.
struct Flood {
    hands: Hands,
    chance: Seeded,
    /// Who waits for tasks, in the order they came, for how many.
    waiting: VecDeque<(Worker, Arc<[Capability]>, usize)>,
    next: u64,
}

fn able(words: &[u8]) -> Arc<[Capability]> {
    let words = words.iter().map(|word| Capability::new(format!("c{word}")).unwrap());
    words.collect()
}

/// An agent as it is drawn: its team, what it is able to do, how much it takes.
type Drawn = (usize, u8, u32, u32);

fn teams_of(agents: &[Drawn], dispatch: Dispatch) -> Arc<[TakingTeam]> {
    let team = |team: usize| {
        let takers = agents.iter().enumerate().filter(|(_, drawn)| drawn.0 == team);
        let takers = takers.map(|(number, (_, sort, at_once, ahead))| Taker {
            able: able(&[*sort]),
            ..taker(&format!("t{team}/a-{number}"), *at_once, *ahead)
        });
        TakingTeam {
            name: format!("t{team}").into(),
            dispatch,
            takers: takers.collect(),
        }
    };
    (0..4).map(team).filter(|team| !team.takers.is_empty()).collect()
}

impl Flood {
    fn over(teams: &Arc<[TakingTeam]>, bounds: Bounds) -> Self {
        let mut flood = Self {
            hands: Hands {
                bounds,
                ..Hands::default()
            },
            chance: Seeded::new(7),
            waiting: VecDeque::new(),
            next: 1,
        };
        flood.hands.staff(teams, &mut Vec::new());
        for taker in teams.iter().flat_map(|team| &team.takers) {
            flood.hands.seen(&taker.worker, true, &mut Vec::new());
        }
        flood
    }

    /// Lets all ask who do, and gives each who is flooded all that it asked for; others get nothing.
    fn turn(&mut self, is_flooded: impl Fn(&[Capability]) -> bool) {
        let mut effects = Vec::new();
        self.hands.ask(&mut self.chance, &mut effects);
        for effect in effects {
            if let Effect::Ask { worker, able, most, .. } = effect {
                self.waiting.push_back((worker, able, most));
            }
        }
        let (given, rest): (VecDeque<_>, _) = self.waiting.drain(..).partition(|(_, able, _)| is_flooded(able));
        self.waiting = rest;
        for (worker, _, most) in given {
            let claims = (0..most as u64).map(|more| claim(Fence::new(self.next + more)));
            self.hands.claimed(&worker, most, claims.collect(), &mut Vec::new());
            self.next += most as u64;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_others_ask_for_and_have_whoever_is_idle_asks_and_whoever_has_little_gets_its_share(
        agents in prop::collection::vec((0..4usize, 0..6u8, 1..5u32, 0..5u32), 1..60),
        flooded in any::<[bool; 6]>(),
        dispatch in prop::sample::select(Dispatch::ALL.to_vec()),
        (plenty, asking, shares) in (0..40usize, 0..6usize, 1..40usize),
    ) {
        let asking = asking.max(1);
        let bounds = Bounds { plenty, asking, shares };
        let teams = teams_of(&agents, dispatch);
        let mut flood = Flood::over(&teams, bounds);
        let is_flooded = |able: &[Capability]| (0..6u8).any(|sort| flooded[usize::from(sort)] && able == &*self::able(&[sort]));
        // Of what is flooded nobody ever ends anything.
        for _ in 0..3 {
            flood.turn(is_flooded);
        }
        flood.turn(|_| false);
        let lots: usize = flood.hands.teams.values().map(Spread::count_lots).sum();
        let share = (shares / lots).clamp(1, asking);
        for (worker, hand) in &flood.hands.takers {
            // A task of its sort, or one that is for it alone, comes to it with the next answer of the queue.
            prop_assert!(hand.tally().tasks() > 0, "{worker} is idle, and asks for nothing");
            let asked: usize = flood.waiting.iter().filter(|(who, ..)| who == worker).map(|(.., most)| most).sum();
            prop_assert_eq!(asked, hand.asking);
        }
        for spread in flood.hands.teams.values() {
            for able in spread.lots() {
                let lot = spread.lot(&able).unwrap();
                let is_satisfied = lot.tasks >= share || !lot.has_room();
                prop_assert!(is_satisfied, "{able:?} have {} of {share}, and ask for no more", lot.tasks);
            }
        }
        let held = flood.hands.asking + flood.hands.held.len();
        let only_ones = 10 * flood.hands.teams.len();
        prop_assert!(held <= plenty + agents.len() + shares.max(lots) + only_ones, "{held} are too many");
    }
}

fn crowd(count: usize, ahead: u32) -> Vec<Taker> {
    (0..count)
        .map(|number| taker(&format!("t/a-{number:05}"), 1, ahead))
        .collect()
}

/// How many agents and tasks are looked at for one theft, one that goes away, and one more that comes, among so many.
fn looked_at(count: usize) -> [usize; 3] {
    let takers = crowd(count, 4);
    let mut house = House::of(&takers);
    house.hands.bounds.asking = usize::MAX;
    house.asked();
    let mut of_thief = Fence::new(0);
    for (number, taker) in takers.iter().enumerate() {
        let tasks = if number == 0 { 1 } else { 5 };
        let fences = house.claimed(taker.worker.as_str(), 1, tasks);
        if number == 0 {
            of_thief = fences[0];
        }
    }
    house.staged(of_thief, Stage::Delivered);
    house.done();
    let mut of = |act: &mut dyn FnMut(&mut House)| {
        steps::take();
        act(&mut house);
        let looked_at = steps::take();
        house.assert_sound();
        (looked_at, house.done())
    };
    let (theft, effects) = of(&mut |house| {
        house.staged(of_thief, Stage::Done(json!(1)));
        house.in_vain(takers[0].worker.as_str());
    });
    let given_back = effects.iter().filter(|effect| {
        matches!(
            effect,
            Effect::Tell {
                word: Word::GivenBack,
                ..
            }
        )
    });
    assert_eq!(given_back.count(), 2, "half of four");
    let (away, effects) = of(&mut |house| house.hands.seen(&takers[count / 2].worker, false, &mut house.effects));
    assert_eq!(effects.len(), 6, "five are given back, and one of them is recalled");
    let more = [team(&crowd(count + 1, 4))].into();
    let (comes, _) = of(&mut |house| house.hands.staff(&more, &mut house.effects));
    [theft, away, comes]
}

#[test]
fn a_theft_an_absence_and_a_newcomer_look_at_no_more_agents_among_ten_thousand_than_among_ten() {
    let few = looked_at(10);
    assert!(few.iter().all(|steps| (1..40).contains(steps)), "{few:?}");
    assert_eq!(looked_at(10_000), few);
}

#[test]
fn whoever_has_its_share_is_not_looked_at_again_however_many_are_able_to_do_something_else_each() {
    let looked_at = |count: usize| {
        let each = crowd(count, 4).into_iter().enumerate().map(|(number, taker)| Taker {
            able: [Capability::new(format!("c{number}")).unwrap()].into(),
            ..taker
        });
        let takers: Vec<_> = each.collect();
        let mut house = House::of(&takers);
        (house.hands.bounds.plenty, house.hands.bounds.asking) = (0, 1);
        assert_eq!(house.asked().len(), count);
        house.assert_sound();
        steps::take();
        assert_eq!(house.asked(), []);
        let nobody = steps::take();
        house.claimed(takers[0].worker.as_str(), 1, 0);
        assert_eq!(house.asked().len(), 1);
        [nobody, steps::take()]
    };
    let few = looked_at(10);
    assert!(few[0] == 0 && few[1] < 10, "{few:?}");
    // Each is able to do something else, so that the check of so many takes the square of their number.
    assert_eq!(looked_at(2_000), few);
}

#[test]
fn who_leaves_in_the_middle_leaves_the_others_where_they_are() {
    let takers = crowd(1_000, 0);
    let mut house = House::of(&takers);
    let others = [&takers[..500], &takers[501..]].concat();
    steps::take();
    house.hands.staff(&[team(&others)].into(), &mut house.effects);
    assert!(steps::take() < 5);
    house.assert_sound();
    assert!(!house.hands.knows(&takers[500].worker));
    house.hands.staff(&[team(&takers)].into(), &mut house.effects);
    house.assert_sound();
    assert_eq!(house.hands.takers[&takers[500].worker].place, Some(500));
}
