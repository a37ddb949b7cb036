//! What is told again, what comes back unread, and what a dispatcher leaves that fell amid a change.

use super::*;

#[test]
fn that_a_task_has_begun_is_told_again_where_the_queue_did_not_take_it() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.done();
    house.hands.unheard(fence);
    house.hands.unheard(fence);
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), [tell(fence, Word::Began)], "once");
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), []);
    house.begins_anew();
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), [tell(fence, Word::Began)]);
    assert_eq!(house.standings("t/a"), [Whereabouts::Begun]);
}

#[test]
fn what_was_not_begun_when_it_was_recalled_is_not_told_as_begun() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.hands.revoked(fence, &mut house.effects);
    house.done();
    house.hands.unheard(fence);
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), [tell(fence, Word::GivenBack)], "which the queue knows");
    house.staged(fence, Stage::Delivered);
    house.hands.unheard(fence);
    house.hands.tell_again(&mut house.effects);
    assert_eq!(
        house.done(),
        [tell(fence, Word::GivenBack)],
        "its agent came to it too late"
    );
}

#[test]
fn who_has_a_task_come_back_unread_is_looked_for_before_it_gets_the_next() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.done();
    house.staged(fences[0], Stage::Lost("it is a dead letter: full".to_owned()));
    assert_eq!(house.done(), [tell(fences[0], Word::GivenBack)]);
    assert_eq!(house.asked(), []);
    house.assert_sound();
    house.hands.seen(&worker("t/a"), true, &mut house.effects);
    assert_eq!(house.done(), [hand("t/a", fences[1])]);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.assert_sound();
}

#[test]
fn who_ends_at_a_task_is_looked_for_before_it_gets_the_next() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.done();
    house.staged(fence, Stage::Lost("code 3".to_owned()));
    assert_eq!(house.done(), [tell(fence, fell("code 3"))]);
    assert_eq!(house.asked(), [], "nothing lies with it until it is back");
    house.hands.seen(&worker("t/a"), true, &mut house.effects);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.assert_sound();
}

#[test]
fn of_several_tasks_at_which_an_agent_ended_none_is_known_to_be_the_one() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    for fence in &fences {
        house.staged(*fence, Stage::Delivered);
    }
    house.done();
    for fence in fences {
        house.staged(fence, Stage::Lost("code 3".to_owned()));
        assert_eq!(house.done(), [tell(fence, abandoned("code 3"))]);
    }
}

#[test]
fn no_task_is_charged_with_an_end_that_one_that_was_recalled_may_have_made() {
    for recalled_first in [true, false] {
        let mut house = House::of(&[taker("t/a", 2, 0)]);
        house.asked();
        let fences = house.claimed("t/a", 2, 2);
        for fence in &fences {
            house.staged(*fence, Stage::Delivered);
        }
        house.hands.revoked(fences[0], &mut house.effects);
        house.done();
        let order = if recalled_first { [0, 1] } else { [1, 0] };
        for of in order {
            house.staged(fences[of], Stage::Lost("code 3".to_owned()));
        }
        assert!(
            house.done().contains(&tell(fences[1], abandoned("code 3"))),
            "{order:?}"
        );
    }
}

#[test]
fn one_that_began_after_a_recalled_one_was_lost_is_charged_with_its_own_end() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let recalled = house.claimed("t/a", 1, 1)[0];
    house.staged(recalled, Stage::Delivered);
    house.hands.revoked(recalled, &mut house.effects);
    house.staged(recalled, Stage::Lost("it was called off".to_owned()));
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.done();
    house.staged(fence, Stage::Lost("code 3".to_owned()));
    assert_eq!(house.done(), [tell(fence, fell("code 3"))]);
}

#[test]
fn after_a_fall_of_the_dispatcher_it_is_told_again_what_was_taken_back() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.staged(fences[1], Stage::Delivered);
    for fence in &fences {
        house.hands.revoked(*fence, &mut house.effects);
    }
    house.done();
    house.hands.begins_anew(|_| true, &mut house.effects);
    house.hands.tell_again(&mut house.effects);
    let why = "its agent takes tasks no more";
    assert_eq!(
        house.done(),
        [tell(fences[0], Word::GivenBack), tell(fences[1], abandoned(why))]
    );
}

#[test]
fn one_that_is_away_besides_has_all_taken_back_that_it_has_not_begun() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.staged(fences[0], Stage::Lost("it is a dead letter: full".to_owned()));
    house.done();
    house.hands.seen(&worker("t/a"), false, &mut house.effects);
    assert_eq!(
        house.done(),
        [tell(fences[1], Word::GivenBack), Effect::Recall(fences[1])]
    );
    house.assert_sound();
}

#[test]
fn a_task_whose_post_is_nowhere_keeps_no_agent_from_the_next() {
    let mut house = House::of(&[taker("t/a", 3, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 3, 3);
    house.staged(fences[1], Stage::Delivered);
    house.hands.revoked(fences[2], &mut house.effects);
    house.done();
    house.hands.begins_anew(|_| false, &mut house.effects);
    house.assert_sound();
    house.hands.tell_again(&mut house.effects);
    let why = "what became of it was lost with the dispatcher";
    assert_eq!(
        house.done(),
        [tell(fences[0], Word::GivenBack), tell(fences[1], abandoned(why))]
    );
    assert_eq!(house.asked(), [("t/a".into(), 3)]);
}

#[test]
fn sums_that_a_panic_left_half_made_are_reckoned_anew() {
    let mut house = House::of(&[taker("t/a", 2, 2), taker("t/b", 1, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 4, 4);
    house.staged(fences[0], Stage::Delivered);
    house.done();
    let hands = &mut house.hands;
    (hands.asking, hands.hungry) = (7, BTreeSet::from(["elsewhere".into()]));
    let of_a = hands.takers.get_mut(&worker("t/a")).unwrap();
    (of_a.asking, of_a.busy_with) = (5, 0);
    of_a.ahead = Ahead::default();
    hands.takers.get_mut(&worker("t/b")).unwrap().busy_with = 1;
    house.begins_anew();
    house.assert_sound();
    assert_eq!(house.done(), [], "what is kept ready waits for its turn");
    let standings = [
        Whereabouts::Begun,
        Whereabouts::Handed,
        Whereabouts::Ahead,
        Whereabouts::Ahead,
    ];
    assert_eq!(house.standings("t/a"), standings);
    assert_eq!(house.asked(), [("t/b".into(), 1)]);
    house.staged(fences[0], Stage::Done(json!(1)));
    let word = Word::Done { result: b"1".to_vec() };
    assert_eq!(house.done(), [tell(fences[0], word), hand("t/a", fences[2])]);
    house.assert_sound();
}

#[test]
fn what_was_taken_back_before_its_post_was_refused_is_not_kept_for_later() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.done();
    house.hands.refused(claim(fences[0]), false, &mut house.effects);
    house.hands.refused(claim(fences[1]), false, &mut house.effects);
    let told: Vec<_> = fences.iter().map(|fence| tell(*fence, Word::GivenBack)).collect();
    let mut done = house.done();
    done.retain(|effect| matches!(effect, Effect::Tell { .. }));
    assert_eq!(done, told);
    house.hands.seen(&worker("t/a"), true, &mut house.effects);
    assert_eq!(house.done(), [], "it is somebody else's by now");
    house.assert_sound();
}

#[test]
fn what_the_queue_has_yet_to_hear_of_an_end_keeps_its_lease_for_as_long_as_that_takes() {
    let alive = |fence| {
        let (lease, percent) = (None, None);
        tell(fence, Word::Alive { lease, percent })
    };
    let refused = Stage::Failed("no ink".to_owned());
    for stage in [Stage::Done(json!(1)), refused, Stage::Lost("killed".to_owned())] {
        let mut house = House::of(&[taker("t/a", 1, 0)]);
        house.asked();
        let fence = house.claimed("t/a", 1, 1)[0];
        house.staged(fence, Stage::Delivered);
        house.staged(fence, stage);
        house.hands.unheard(fence);
        house.done();
        house.hands.beat(|_| None, &mut house.effects);
        assert_eq!(house.done(), [alive(fence)]);
    }
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Lost("killed".to_owned()));
    house.done();
    house.hands.beat(|_| None, &mut house.effects);
    assert_eq!(house.done(), [], "what is given back is for others at once");
}
