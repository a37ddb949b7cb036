//! Mailboxes that are full, and results that the queue has no room for.

use super::super::super::crowd::{CROWD_BYTES, FULL, STALLED, TOLD_AGAIN};
use super::*;

#[test]
fn what_lies_in_a_full_mailbox_stays_there_and_what_it_refuses_goes_to_others() {
    let mut house = House::of(&[taker("t/a", 8, 4)]);
    house.asked();
    let fences = house.claimed("t/a", 12, 12);
    house.done();
    for fence in &fences[4..8] {
        house.hands.refused(claim(*fence), true, &mut house.effects);
        house.assert_sound();
    }
    let mut given_back = house.done();
    given_back.sort_by_key(|effect| format!("{effect:?}"));
    let mut expected: Vec<_> = fences[4..].iter().map(|fence| tell(*fence, Word::GivenBack)).collect();
    expected.sort_by_key(|effect| format!("{effect:?}"));
    assert_eq!(given_back, expected);
    assert_eq!(house.asked(), [], "it has as many as it has room for");
    house.staged(fences[0], Stage::Delivered);
    assert_eq!(house.asked(), []);
    house.staged(fences[0], Stage::Done(json!(1)));
    assert_eq!(house.asked(), [("t/a".into(), 1)], "as many as there was room for");
    house.claimed("t/a", 1, 0);
    for most in [2, 3, 4, 5, 9] {
        house.hands.try_full();
        assert_eq!(
            house.asked(),
            [("t/a".into(), most)],
            "one more with each look, and then as ever"
        );
        house.claimed("t/a", most, 0);
        house.assert_sound();
    }
}

#[test]
fn an_agent_whose_mailbox_stays_full_is_tried_with_one_task_a_look() {
    let mut house = House::of(&[taker("t/a", 1, 100)]);
    house.asked();
    for round in 0..5 {
        let most = if round == 0 { 101 } else { 1 };
        let fences = house.claimed("t/a", most, most);
        house.done();
        house.hands.refused(claim(fences[0]), true, &mut house.effects);
        assert_eq!(house.done().len(), most, "they are given back");
        assert_eq!(house.asked(), []);
        house.hands.try_full();
        assert_eq!(house.asked(), [("t/a".into(), 1)]);
        house.assert_sound();
    }
}

/// One agent that is through with so many tasks, each with a result of so many bytes.
fn results(count: u32, bytes: usize) -> (House, Vec<Fence>) {
    let mut house = House::of(&[taker("t/a", count, 0)]);
    house.asked();
    let fences = house.claimed("t/a", count as usize, count as usize);
    for fence in &fences {
        house.staged(*fence, Stage::Delivered);
        house.staged(*fence, Stage::Done("x".repeat(bytes - 2).into()));
    }
    house.done();
    (house, fences)
}

impl House {
    fn has_no_room(&mut self, fence: Fence, may_ease: bool, later: Duration) -> Vec<Effect> {
        let now = self.now + later;
        self.hands
            .has_no_room(fence, "no room".to_owned(), may_ease, now, &mut self.effects);
        self.done()
    }

    fn told_again(&mut self) -> Vec<Fence> {
        self.hands.tell_again(&mut self.effects);
        let told = self.done().into_iter().filter_map(|effect| match effect {
            Effect::Tell {
                fence,
                word: Word::Done { .. },
                ..
            } => Some(fence),
            _ => None,
        });
        told.collect()
    }
}

fn failed(fence: Fence) -> Effect {
    let (why, mend) = ("no room".to_owned(), Mend::Hopeless);
    tell(fence, Word::Failed { why, mend })
}

#[test]
fn a_result_without_room_is_given_up_after_a_while_in_which_nothing_could_make_any_and_the_next_waits_anew() {
    let (mut house, fences) = results(2, 10);
    let nearly = STALLED.saturating_sub(Duration::from_nanos(1));
    for later in [Duration::ZERO, nearly] {
        for fence in &fences {
            assert_eq!(house.has_no_room(*fence, false, later), []);
        }
        assert_eq!(house.told_again(), fences);
        assert_eq!(house.told_again(), [], "it has yet to answer");
    }
    assert_eq!(house.has_no_room(fences[0], false, STALLED), [failed(fences[0])]);
    assert_eq!(house.has_no_room(fences[1], false, STALLED), []);
    assert_eq!(house.has_no_room(fences[1], false, STALLED + nearly), []);
    house.hands.looked_away(house.now);
    assert_eq!(house.has_no_room(fences[1], false, STALLED * 2), [], "nobody looked");
    assert_eq!(house.has_no_room(fences[1], false, STALLED * 3), [failed(fences[1])]);
}

#[test]
fn a_result_waits_for_longer_while_somebody_is_at_work_who_makes_room_and_not_for_ever() {
    let (mut house, fences) = results(2, 10);
    let minutes = |minutes| Duration::from_mins(minutes);
    for minute in 0..60 {
        assert_eq!(house.has_no_room(fences[0], true, minutes(minute)), []);
    }
    assert_eq!(house.has_no_room(fences[1], true, minutes(59)), []);
    house.hands.heard(fences[1], true, false, &mut house.effects);
    assert_eq!(house.has_no_room(fences[0], true, FULL), [], "one was taken");
    assert_eq!(house.has_no_room(fences[0], true, FULL * 2), [failed(fences[0])]);
}

#[test]
fn while_many_results_have_no_room_nobody_asks_for_more_and_few_are_told_at_a_time() {
    let bytes = 1 << 20;
    let count = CROWD_BYTES / bytes;
    let (mut house, fences) = results(u32::try_from(count).unwrap(), bytes);
    for fence in &fences[1..] {
        house.has_no_room(*fence, false, Duration::ZERO);
    }
    assert_eq!(house.asked(), [("t/a".into(), count)]);
    house.claimed("t/a", count, 0);
    house.has_no_room(fences[0], false, Duration::ZERO);
    house.has_no_room(fences[0], false, Duration::ZERO);
    assert_eq!(house.asked(), []);
    house.has_no_room(fences[0], true, Duration::ZERO);
    assert_eq!(house.asked(), [("t/a".into(), count)], "some task makes room");
    house.claimed("t/a", count, 0);
    house.has_no_room(fences[0], false, Duration::ZERO);
    assert_eq!(house.hands.crowd(), (count, CROWD_BYTES));
    let mut told = Vec::new();
    for _ in 0..count / TOLD_AGAIN {
        let next = house.told_again();
        assert_eq!(next.len(), TOLD_AGAIN);
        for fence in &next {
            house.hands.unheard(*fence);
        }
        told.extend(next);
    }
    assert_eq!(told, fences, "each has its turn");
    house.hands.heard(fences[0], true, false, &mut house.effects);
    assert_eq!(house.asked(), [("t/a".into(), count)]);
}

#[test]
fn a_result_that_waits_for_room_under_a_lease_that_is_over_is_told_once_more_to_be_kept_as_late() {
    let (mut house, fences) = results(1, 10);
    house.has_no_room(fences[0], true, Duration::ZERO);
    house.hands.heard(fences[0], false, true, &mut house.effects);
    assert_eq!(house.done(), [], "a heartbeat has heard so");
    assert_eq!(house.told_again(), fences);
    house.hands.heard(fences[0], true, true, &mut house.effects);
    assert_eq!((house.hands.crowd(), house.hands.count()), ((0, 0), 0));
    assert_eq!(house.told_again(), []);
}
