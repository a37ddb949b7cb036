//! Once tasks are withheld, what is in hands stays there, and nobody gets anything.

use super::*;

#[test]
fn once_tasks_are_withheld_what_is_ahead_stays_ahead() {
    let mut house = House::of(&[taker("t/a", 1, 2)]);
    house.asked();
    let fences = house.claimed("t/a", 3, 2);
    assert_eq!(house.done(), [hand("t/a", fences[0])]);
    house.hands.withheld.begin();
    house.staged(fences[0], Stage::Delivered);
    house.staged(fences[0], Stage::Done(json!(1)));
    let result = b"1".to_vec();
    let told = [Word::Began, Word::Done { result }].map(|word| tell(fences[0], word));
    assert_eq!(house.done(), told);
    let late = house.claimed("t/a", 1, 1);
    house.hands.seen(&worker("t/a"), true, &mut house.effects);
    assert_eq!((house.done(), house.asked()), (vec![], vec![]));
    assert_eq!(
        house.standings("t/a"),
        [Whereabouts::Over, Whereabouts::Ahead, Whereabouts::Ahead]
    );
    house.hands.seen(&worker("t/a"), false, &mut house.effects);
    let given_back = [fences[1], late[0]].map(|fence| tell(fence, Word::GivenBack));
    assert_eq!(house.done(), given_back, "its agent is gone");
    house.assert_sound();
}

#[test]
fn a_post_that_did_not_go_out_before_tasks_were_withheld_does_not_go_out() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.done();
    house.hands.withheld.begin();
    house.hands.unsent(claim(fences[0]), &mut house.effects);
    house.hands.hand_out(&worker("t/a"), &mut house.effects);
    assert_eq!(house.standings("t/a"), [Whereabouts::Ahead; 2]);
    assert_eq!((house.done(), house.asked()), (vec![], vec![]));
    house.assert_sound();
}

#[test]
fn once_tasks_are_withheld_nobody_is_given_what_others_have_ahead() {
    let mut house = House::of(&[taker("t/a", 1, 8), taker("t/b", 1, 8)]);
    house.asked();
    house.claimed("t/a", 9, 9);
    house.done();
    house.hands.withheld.begin();
    house.in_vain("t/b");
    assert_eq!(house.done(), []);
}
