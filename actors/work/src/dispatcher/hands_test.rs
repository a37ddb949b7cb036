//! In whose hands tasks are, sentence by sentence; then whatever happens in whatever order.

use std::time::Duration;

use serde_json::json;
use triarch_supervision::clock::Seeded;
use triarch_teams::TaskRules;

use super::super::holding::{Effect, Messages, Step, Whereabouts};
use super::super::patience::{BEGIN_GRACE, RECALL_GRACE};
use super::super::roster::{Taker, TakingTeam};
use super::*;
use crate::dispatch::Dispatch;
use crate::words::{Capability, Kind};

/// Hands, what they had done, and what the queue has out on lease.
struct House {
    hands: Hands,
    chance: Seeded,
    effects: Vec<Effect>,
    next: u64,
    now: Moment,
    /// What agents did of their messages.
    messages: BTreeMap<Worker, Messages>,
    /// Who of those who asked last is told where there is nothing for it.
    tried: Vec<String>,
}

fn worker(name: &str) -> Worker {
    Worker::new(name).unwrap()
}

fn taker(name: &str, at_once: u32, ahead: u32) -> Taker {
    Taker {
        worker: worker(name),
        able: Arc::default(),
        rules: TaskRules {
            at_once,
            ahead,
            weight: 1,
        },
    }
}

fn team(takers: &[Taker]) -> TakingTeam {
    TakingTeam {
        name: "t".into(),
        dispatch: Dispatch::LeastLoaded,
        takers: takers.to_vec(),
    }
}

impl House {
    fn of(takers: &[Taker]) -> Self {
        let mut house = Self {
            hands: Hands::default(),
            chance: Seeded::new(1),
            effects: Vec::new(),
            next: 1,
            now: Moment::from_nanos(1_000_000),
            messages: BTreeMap::new(),
            tried: Vec::new(),
        };
        house.hands.staff(&[team(takers)].into(), &mut house.effects);
        for taker in takers {
            house.hands.seen(&taker.worker, true, &mut house.effects);
        }
        house
    }

    fn done(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Asks, and returns who did for how many.
    fn asked(&mut self) -> Vec<(String, usize)> {
        self.hands.ask(&mut self.chance, &mut self.effects);
        let (asks, rest) = self
            .done()
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Ask { .. }));
        self.effects = rest;
        self.tried.clear();
        let tried = &mut self.tried;
        let of = |effect| match effect {
            Effect::Ask {
                worker, most, tries, ..
            } => {
                tried.extend(tries.then(|| worker.to_string()));
                (worker.to_string(), most)
            }
            other => panic!("{other:?}"),
        };
        Vec::into_iter(asks).map(of).collect()
    }

    /// A worker that asked gets so many tasks.
    fn claimed(&mut self, name: &str, most: usize, count: usize) -> Vec<Fence> {
        let fences: Vec<_> = (0..count).map(|ahead| Fence::new(self.next + ahead as u64)).collect();
        self.next += count as u64;
        let claims = fences.iter().map(|fence| claim(*fence)).collect();
        self.hands.claimed(&worker(name), most, claims, &mut self.effects);
        fences
    }

    /// There is nothing for a worker that asked.
    fn in_vain(&mut self, name: &str) {
        self.hands.in_vain(&worker(name), &mut self.effects);
    }

    fn staged(&mut self, fence: Fence, stage: Stage) {
        self.hands
            .staged(fence, stage, Mend::Possible, self.now, &mut self.effects);
    }

    fn standings(&self, name: &str) -> Vec<Whereabouts> {
        let of = self.hands.of(&worker(name));
        of.into_iter().map(|held| held.standing).collect()
    }

    /// What is kept beside the hands is what they say.
    fn assert_sound(&self) {
        for (name, spread) in &self.hands.teams {
            spread.assert_agrees(&self.hands.takers);
            assert_eq!(self.hands.hungry.contains(name), spread.is_free());
        }
        let seated: usize = self.hands.teams.values().map(Spread::count_seated).sum();
        let not_gone = self.hands.takers.values().filter(|hand| !hand.is_gone());
        assert_eq!(seated, not_gone.count());
        let asking: usize = self.hands.takers.values().map(|hand| hand.asking).sum();
        assert_eq!(self.hands.asking, asking);
        for (name, hand) in &self.hands.takers {
            assert!(
                hand.busy_with <= hand.rules.at_once as usize,
                "{name} has more than it takes at once"
            );
            let holds = |is: fn(&Step) -> bool| {
                let of_worker = self.hands.held.of(name).filter_map(|fence| self.hands.held.get(fence));
                of_worker.filter(|held| is(&held.step)).count()
            };
            assert_eq!(holds(|step| matches!(step, Step::Ahead(_))), hand.ahead.len());
            let lying = holds(|step| matches!(step, Step::Lying));
            let busy_with =
                lying + holds(|step| matches!(step, Step::Handed(_) | Step::Begun(_) | Step::Recalled { .. }));
            assert_eq!(busy_with, hand.busy_with);
            assert_eq!(hand.is_stuck, self.hands.stuck.contains(name));
            assert!(hand.is_stuck || !hand.is_deaf);
            assert_eq!(hand.fits.is_some(), self.hands.full.contains(name));
            assert!(!hand.is_stuck || lying > 0 && hand.ahead.is_empty());
        }
    }
}

fn claim(fence: Fence) -> Claim {
    Claim {
        task: TaskId::new(fence.number() + 1_000),
        fence,
        kind: Kind::new("build").unwrap(),
        body: Vec::new(),
        inputs: Vec::new(),
        attempt: 1,
        lease: Duration::from_secs(30),
        timeout: None,
        deadline: None,
        budget: None,
        is_reserved: false,
    }
}

fn tell(fence: Fence, word: Word) -> Effect {
    let task = claim(fence).task;
    Effect::Tell { task, fence, word }
}

fn fell(why: &str) -> Word {
    Word::Fell { why: why.to_owned() }
}

fn abandoned(why: &str) -> Word {
    Word::Abandoned { why: why.to_owned() }
}

fn hand(name: &str, fence: Fence) -> Effect {
    Effect::Hand {
        worker: worker(name),
        claim: claim(fence),
    }
}

#[test]
fn whoever_has_room_asks_for_as_much_and_no_more() {
    let mut house = House::of(&[taker("t/a", 1, 0), taker("t/b", 2, 1)]);
    let mut asked = house.asked();
    asked.sort_unstable();
    assert_eq!(asked, [("t/a".into(), 1), ("t/b".into(), 3)]);
    assert_eq!(house.asked(), []);
    house.claimed("t/a", 1, 1);
    assert_eq!(
        house.asked(),
        [],
        "what it has in hand takes the room of what it asked for"
    );
    house.claimed("t/b", 3, 1);
    assert_eq!(house.asked(), [("t/b".into(), 2)]);
    house.assert_sound();
}

#[test]
fn a_task_is_handed_over_told_of_and_forgotten_once_that_is_heard() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    assert_eq!(house.done(), [hand("t/a", fence)]);
    house.staged(fence, Stage::Delivered);
    assert_eq!(house.done(), [tell(fence, Word::Began)]);
    assert_eq!(house.standings("t/a"), [Whereabouts::Begun]);
    house.staged(fence, Stage::Done(json!({ "a": 1 })));
    let result = br#"{"a":1}"#.to_vec();
    assert_eq!(house.done(), [tell(fence, Word::Done { result: result.clone() })]);
    assert_eq!(house.standings("t/a"), [Whereabouts::Over]);
    assert_eq!(
        house.asked(),
        [("t/a".into(), 1)],
        "it need not wait for the queue to hear of it"
    );
    house.hands.unheard(fence);
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), [tell(fence, Word::Done { result })]);
    house.hands.heard(fence, true, false, &mut house.effects);
    assert_eq!(house.standings("t/a"), []);
}

#[test]
fn an_answer_to_what_was_told_before_does_not_let_the_last_word_be_forgotten() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.staged(fence, Stage::Done(json!(1)));
    house.done();
    house.hands.heard(fence, false, false, &mut house.effects);
    assert_eq!(
        house.standings("t/a"),
        [Whereabouts::Over],
        "that was heard of its begin"
    );
    house.hands.unheard(fence);
    house.hands.tell_again(&mut house.effects);
    let word = Word::Done { result: b"1".to_vec() };
    assert_eq!(house.done(), [tell(fence, word)]);
}

#[test]
fn the_next_life_tells_again_what_nobody_knows_the_queue_has_heard() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Done(json!(1)));
    house.done();
    house.begins_anew();
    house.hands.tell_again(&mut house.effects);
    let word = Word::Done { result: b"1".to_vec() };
    assert_eq!(house.done(), [tell(fence, word)]);
}

#[test]
fn a_result_that_the_queue_will_never_take_fails_the_task() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Done(json!(1)));
    house.done();
    house
        .hands
        .misfit(fence, "it is too large".to_owned(), &mut house.effects);
    let word = Word::Failed {
        why: "it is too large".to_owned(),
        mend: Mend::Hopeless,
    };
    assert_eq!(house.done(), [tell(fence, word)]);
}

#[test]
fn what_is_kept_ahead_follows_as_soon_as_there_is_a_hand_for_it() {
    let mut house = House::of(&[taker("t/a", 1, 2)]);
    house.asked();
    let fences = house.claimed("t/a", 3, 3);
    assert_eq!(house.done(), [hand("t/a", fences[0])]);
    let word = |mend| Word::Failed {
        why: "no ink".to_owned(),
        mend,
    };
    for (place, mend) in [Mend::Possible, Mend::Hopeless].into_iter().enumerate() {
        let stage = Stage::Failed("no ink".to_owned());
        house
            .hands
            .staged(fences[place], stage, mend, house.now, &mut house.effects);
        let next = hand("t/a", fences[place + 1]);
        assert_eq!(house.done(), [tell(fences[place], word(mend)), next]);
    }
    house.assert_sound();
}

#[test]
fn a_task_whose_agent_ended_may_be_why_and_one_that_it_never_saw_is_given_back() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.staged(fences[0], Stage::Delivered);
    house.done();
    house.staged(fences[0], Stage::Lost("killed".to_owned()));
    house.staged(fences[1], Stage::Lost("killed".to_owned()));
    assert_eq!(
        house.done(),
        [tell(fences[0], fell("killed")), tell(fences[1], Word::GivenBack)]
    );
}

#[test]
fn a_revoked_task_is_recalled_and_takes_room_until_its_agent_has_left_it() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.done();
    house.hands.revoked(fence, &mut house.effects);
    assert_eq!(house.done(), [Effect::Recall(fence)]);
    assert_eq!(house.asked(), []);
    house.hands.beat(|_| None, &mut house.effects);
    assert_eq!(house.done(), [], "its lease is nobody's business any more");
    house.staged(fence, Stage::Lost("it was recalled".to_owned()));
    assert_eq!(house.done(), []);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.assert_sound();
}

#[test]
fn one_that_never_leaves_a_recalled_task_gets_others_after_a_while() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.hands.revoked(fence, &mut house.effects);
    house.done();
    house.let_go(house.now);
    house.let_go(house.now + RECALL_GRACE / 2);
    assert_eq!(house.asked(), []);
    house.let_go(house.now + RECALL_GRACE);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.staged(fence, Stage::Done(json!(1)));
    assert_eq!(house.done(), [], "nobody waits for that any more");
    house.assert_sound();
}

#[test]
fn what_comes_of_a_recalled_task_all_the_same_is_told_to_be_kept_as_a_late_result() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.hands.revoked(fence, &mut house.effects);
    house.done();
    house.staged(fence, Stage::Done(json!(1)));
    assert_eq!(house.done(), [tell(fence, Word::Done { result: b"1".to_vec() })]);
    house.hands.heard(fence, true, true, &mut house.effects);
    assert_eq!((house.standings("t/a"), house.done()), (vec![], vec![]));
}

#[test]
fn a_lease_that_turns_out_to_be_over_is_as_good_as_revoked() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.done();
    house.hands.heard(fences[0], false, true, &mut house.effects);
    house.hands.heard(fences[1], false, true, &mut house.effects);
    assert_eq!(house.done(), [Effect::Recall(fences[0])]);
    assert_eq!(house.standings("t/a"), [Whereabouts::Recalled]);
}

#[test]
fn who_is_away_or_refuses_gives_back_what_it_has_not_begun() {
    let mut house = House::of(&[taker("t/a", 2, 1)]);
    house.asked();
    let fences = house.claimed("t/a", 3, 3);
    house.staged(fences[0], Stage::Delivered);
    house.done();
    house.hands.seen(&worker("t/a"), false, &mut house.effects);
    assert_eq!(
        house.done(),
        [
            tell(fences[1], Word::GivenBack),
            Effect::Recall(fences[1]),
            tell(fences[2], Word::GivenBack)
        ]
    );
    assert_eq!(house.asked(), []);
    house.staged(fences[0], Stage::Done(json!(1)));
    house.staged(fences[1], Stage::Lost("it was recalled".to_owned()));
    house.done();
    house.hands.seen(&worker("t/a"), true, &mut house.effects);
    assert_eq!(house.asked(), [("t/a".into(), 3)]);
    let fence = house.claimed("t/a", 3, 1)[0];
    house.done();
    house.hands.refused(claim(fence), false, &mut house.effects);
    assert_eq!(house.done(), [tell(fence, Word::GivenBack)]);
    assert_eq!(house.asked(), [], "until it is seen again");
    house.assert_sound();
}

#[test]
fn what_an_agent_has_that_leaves_the_roster_is_theirs_no_more_and_what_it_asked_for_is_given_back() {
    let mut house = House::of(&[taker("t/a", 2, 0), taker("t/b", 1, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 1, 1);
    house.staged(fences[0], Stage::Delivered);
    house.done();
    house
        .hands
        .staff(&[team(&[taker("t/b", 1, 0)])].into(), &mut house.effects);
    assert_eq!(
        house.done(),
        [
            Effect::Withdraw(worker("t/a")),
            tell(fences[0], abandoned("its agent takes tasks no more")),
            Effect::Recall(fences[0])
        ]
    );
    let late = house.claimed("t/a", 1, 1)[0];
    assert_eq!(house.done(), [tell(late, Word::GivenBack)]);
    house.staged(fences[0], Stage::Lost("it was recalled".to_owned()));
    assert!(!house.hands.knows(&worker("t/a")) && house.hands.knows(&worker("t/b")));
}

#[test]
fn one_that_can_do_other_things_than_before_asks_anew() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let able: Arc<[Capability]> = [Capability::new("paint").unwrap()].into();
    let painter = Taker {
        able,
        ..taker("t/a", 1, 0)
    };
    house
        .hands
        .staff(&[team(std::slice::from_ref(&painter))].into(), &mut house.effects);
    assert_eq!(house.done(), [Effect::Withdraw(worker("t/a"))]);
    house.claimed("t/a", 1, 0);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.hands.staff(&[team(&[painter])].into(), &mut house.effects);
    assert_eq!(house.done(), [], "it is who it was");
}

#[test]
fn leases_of_all_that_is_not_over_are_prolonged_with_how_far_it_is() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.done();
    let percent = |fence| (fence == fences[0]).then_some(40);
    house.hands.beat(percent, &mut house.effects);
    let alive = |percent| Word::Alive { lease: None, percent };
    assert_eq!(
        house.done(),
        [tell(fences[0], alive(Some(40))), tell(fences[1], alive(None))]
    );
    assert_eq!(house.hands.progress(fences[0], 50), None, "nobody has begun");
    house.staged(fences[0], Stage::Delivered);
    assert_eq!(
        house.hands.progress(fences[0], 50),
        Some(tell(fences[0], alive(Some(50))))
    );
}

#[path = "hands_hang_test.rs"]
mod hang;
#[path = "hands_left_test.rs"]
mod left;
#[path = "hands_many_test.rs"]
mod many;
#[path = "hands_model_test.rs"]
mod model;
#[path = "no_room_test.rs"]
mod no_room;
#[path = "ranking_test.rs"]
mod ranking;
#[path = "hands_staff_test.rs"]
mod staff;
#[path = "hands_steal_test.rs"]
mod steal;
#[path = "hands_withheld_test.rs"]
mod withheld;
