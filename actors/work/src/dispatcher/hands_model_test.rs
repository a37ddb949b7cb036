//! Whatever happens to hands, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[derive(Clone, Debug)]
enum Move {
    Ask,
    Claim(usize, usize),
    Stage(usize, u8),
    Revoke(usize),
    Hear(usize, bool),
    /// The queue answers what was told before the last word.
    HearEarly(usize),
    See(usize, bool),
    Refuse(usize, bool),
    Staff(usize),
    /// It is tried who has room again.
    Look,
    /// A dispatcher ends, and those posts in three are nowhere then.
    Anew(u64),
    /// So many seconds pass.
    Pass(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => Just(Move::Ask),
        6 => (0..4usize, 0..3usize).prop_map(|(who, count)| Move::Claim(who, count)),
        10 => (any::<prop::sample::Index>(), 0..5u8).prop_map(|(which, stage)| Move::Stage(which.index(40), stage)),
        2 => (0..40usize).prop_map(Move::Revoke),
        6 => (0..40usize, any::<bool>()).prop_map(|(which, stale)| Move::Hear(which, stale)),
        2 => (0..40usize).prop_map(Move::HearEarly),
        2 => (0..4usize, any::<bool>()).prop_map(|(who, is_here)| Move::See(who, is_here)),
        1 => (0..40usize, any::<bool>()).prop_map(|(which, is_full)| Move::Refuse(which, is_full)),
        1 => Just(Move::Look),
        1 => (0..5usize).prop_map(Move::Staff),
        1 => (0..4u64).prop_map(Move::Anew),
        2 => (0..40u64).prop_map(Move::Pass),
    ]
}

/// The world around hands: what was asked for and not answered, which posts are with agents.
#[derive(Default)]
struct World {
    asked: BTreeMap<Worker, Vec<usize>>,
    posts: BTreeSet<Fence>,
    told: BTreeMap<Fence, Vec<Word>>,
}

impl World {
    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask { worker, most, .. } => self.asked.entry(worker).or_default().push(most),
                Effect::Hand { claim, .. } => assert!(self.posts.insert(claim.fence), "handed over twice"),
                Effect::Recall(fence) => assert!(self.posts.contains(&fence)),
                // What was asked for before may come all the same.
                Effect::Withdraw(_) | Effect::Rank { .. } => {}
                Effect::Tell { fence, word, .. } => self.told.entry(fence).or_default().push(word),
            }
        }
    }

    fn post(&self, which: usize) -> Option<Fence> {
        self.posts.iter().nth(which).copied()
    }
}

fn numbered(stage: u8) -> Stage {
    match stage {
        0 => Stage::Delivered,
        1 => Stage::Accepted,
        2 => Stage::Done(json!(1)),
        3 => Stage::Failed("x".to_owned()),
        _ => Stage::Lost("x".to_owned()),
    }
}

fn make(house: &mut House, world: &mut World, takers: &[Taker], next: &Move) {
    match *next {
        Move::Ask => house.hands.ask(&mut house.chance, &mut house.effects),
        Move::Claim(who, count) => {
            let name = takers[who].worker.clone();
            let Some(most) = world.asked.get_mut(&name).and_then(Vec::pop) else {
                return;
            };
            house.claimed(name.as_str(), most, count.min(most));
        }
        Move::Stage(which, stage) => {
            let Some(fence) = world.post(which) else { return };
            let stage = numbered(stage);
            if stage.is_last() {
                world.posts.remove(&fence);
            }
            house.staged(fence, stage);
        }
        Move::Revoke(which) => house.hands.revoked(Fence::new(which as u64), &mut house.effects),
        Move::Hear(which, is_stale) => {
            let fence = Fence::new(which as u64);
            if world.told.contains_key(&fence) {
                house.hands.heard(fence, true, is_stale, &mut house.effects);
            }
        }
        Move::HearEarly(which) => {
            let fence = Fence::new(which as u64);
            let before = house.hands.holds(fence);
            house.hands.heard(fence, false, false, &mut house.effects);
            assert_eq!(house.hands.holds(fence), before, "its last word is still to be heard");
        }
        Move::See(who, is_here) => house.hands.seen(&takers[who].worker, is_here, &mut house.effects),
        Move::Look => house.hands.try_full(),
        Move::Refuse(which, is_full) => {
            // A refusal follows at once on what is handed over.
            let last = house
                .hands
                .held
                .iter()
                .filter(|(_, held)| matches!(held.step, Step::Handed(_)))
                .nth(which);
            let Some(fence) = last.map(|(fence, _)| fence) else {
                return;
            };
            world.posts.remove(&fence);
            house.hands.refused(claim(fence), is_full, &mut house.effects);
        }
        Move::Staff(count) => house
            .hands
            .staff(&[team(&takers[..count.min(takers.len())])].into(), &mut house.effects),
        Move::Anew(lost) => {
            world.posts.retain(|fence| fence.number() % 3 != lost);
            let posts = world.posts.clone();
            house
                .hands
                .begins_anew(|fence| posts.contains(&fence), &mut house.effects);
            world.asked.clear();
        }
        Move::Pass(seconds) => {
            house.now = house.now + Duration::from_secs(seconds);
            house.let_go(house.now);
        }
    }
    let effects = house.done();
    world.perform(effects);
}

proptest! {
    #[test]
    fn whatever_happens_counts_agree_and_nothing_is_left_in_hand_in_the_end(
        moves in prop::collection::vec(any_move(), 1..120)
    ) {
        let takers = [taker("t/a", 1, 0), taker("t/b", 2, 3), taker("t/c", 1, 5), taker("t/d", 3, 0)];
        let (mut house, mut world) = (House::of(&takers), World::default());
        for next in &moves {
            make(&mut house, &mut world, &takers, next);
            house.assert_sound();
        }
        // Everybody leaves, every post ends, and the queue hears all.
        house.hands.staff(&Arc::default(), &mut house.effects);
        world.perform(house.done());
        for (worker, asked) in std::mem::take(&mut world.asked) {
            for most in asked {
                house.hands.claimed(&worker, most, Vec::new(), &mut house.effects);
            }
        }
        for fence in std::mem::take(&mut world.posts) {
            house.staged(fence, Stage::Lost("x".to_owned()));
        }
        let all: Vec<_> = house.hands.held.iter().map(|(fence, _)| fence).collect();
        for fence in all {
            house.hands.heard(fence, true, false, &mut house.effects);
        }
        prop_assert_eq!(house.hands.count(), 0);
        prop_assert!(house.hands.takers.is_empty(), "{:?}", house.hands.takers);
    }
}
