//! Who takes tasks, and who of them is there.

use super::*;
use crate::dispatcher::Taking;

#[test]
fn one_that_takes_more_at_once_than_before_asks_for_more() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    assert_eq!(house.asked(), [("t/a".to_owned(), 1)]);
    house
        .hands
        .staff(&[team(&[taker("t/a", 3, 0)])].into(), &mut house.effects);
    house.assert_sound();
    assert_eq!(house.asked(), [("t/a".to_owned(), 2)]);
}

#[test]
fn one_that_has_less_room_than_before_asks_for_no_more_than_that() {
    for (at_once, ahead, is_withdrawn) in [(1, 0, true), (1, 8, true), (1, 9, false), (2, 9, false)] {
        let mut house = House::of(&[taker("t/a", 1, 9)]);
        assert_eq!(house.asked(), [("t/a".to_owned(), 10)]);
        let then = [team(&[taker("t/a", at_once, ahead)])];
        house.hands.staff(&then.into(), &mut house.effects);
        let withdrawn = is_withdrawn.then(|| Effect::Withdraw(worker("t/a")));
        assert_eq!(house.done(), Vec::from_iter(withdrawn), "{at_once} and {ahead}");
        if is_withdrawn {
            house.claimed("t/a", 10, 0);
            assert_eq!(house.asked(), [("t/a".to_owned(), (at_once + ahead) as usize)]);
        }
        house.assert_sound();
    }
}

#[test]
fn one_that_is_the_same_as_before_stays_as_it_is() {
    let takers = [taker("t/a", 1, 0), taker("t/b", 1, 0)];
    let mut house = House::of(&takers);
    assert_eq!(house.asked().len(), 2);
    house.hands.staff(&[team(&takers)].into(), &mut house.effects);
    house.assert_sound();
    assert!(house.asked().is_empty() && house.done().is_empty());
}

#[test]
fn what_is_kept_ready_for_one_that_can_do_less_or_has_less_room_than_before_goes_to_others() {
    let able: Arc<[Capability]> = ["deploy", "read"].map(|word| Capability::new(word).unwrap()).into();
    let less: Arc<[Capability]> = able[1..].into();
    let of = |able: &Arc<[Capability]>, ahead| Taker {
        able: Arc::clone(able),
        ..taker("t/a", 1, ahead)
    };
    for (then, is_given_back) in [(of(&able, 9), false), (of(&less, 9), true), (of(&able, 1), true)] {
        let mut house = House::of(&[of(&able, 2)]);
        house.asked();
        let fences = house.claimed("t/a", 3, 3);
        house.done();
        house.hands.staff(&[team(&[then])].into(), &mut house.effects);
        let given_back: Vec<_> = fences[1..].iter().map(|fence| tell(*fence, Word::GivenBack)).collect();
        let expected = if is_given_back { given_back } else { Vec::new() };
        assert_eq!(house.done(), expected);
        house.assert_sound();
    }
}

#[test]
fn those_who_are_there_are_looked_for_one_behind_the_other() {
    let mut house = House::of(&["t/a", "t/b", "t/c"].map(|name| taker(name, 1, 0)));
    house.hands.seen(&worker("t/b"), false, &mut house.effects);
    let all: Vec<_> = house
        .hands
        .takers()
        .map(|(worker, is_here)| (worker.to_string(), is_here))
        .collect();
    let known = [("t/a", true), ("t/b", false), ("t/c", true)];
    assert_eq!(all, known.map(|(name, is_here)| (name.to_owned(), is_here)));
    let after = |last: Option<&str>, most| house.hands.here_after(last.map(worker).as_ref(), most);
    assert_eq!(after(None, 9), [worker("t/a"), worker("t/c")]);
    assert_eq!(after(None, 1), [worker("t/a")]);
    assert_eq!(after(Some("t/a"), 9), [worker("t/c")]);
    assert!(after(Some("t/c"), 9).is_empty());
}

#[test]
fn a_lease_is_held_from_when_it_is_given_and_work_is_counted_from_when_it_is_begun() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    assert!(fences.iter().all(|fence| house.hands.holds(*fence)));
    assert!(!house.hands.holds(Fence::new(99)));
    assert_eq!(house.hands.count_at_work(&worker("t/a")), 0);
    for (begun, fence) in (1..).zip(fences) {
        house.staged(fence, Stage::Delivered);
        assert_eq!(house.hands.count_at_work(&worker("t/a")), begun);
    }
}

#[test]
fn it_is_known_of_each_who_takes_tasks_whether_it_is_given_any_and_why_not() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    let seat = worker("t/a");
    let taking = |house: &House| house.hands.taking(&seat);
    assert_eq!(taking(&house), Some(Taking::Free));
    assert_eq!(house.hands.taking(&worker("t/nobody")), None);
    house.asked();
    assert_eq!(taking(&house), Some(Taking::Free), "it waits for those it asked for");
    let fences = house.claimed("t/a", 2, 2);
    assert_eq!(taking(&house), Some(Taking::Full));
    house.staged(fences[0], Stage::Lost("it is a dead letter: full".to_owned()));
    assert_eq!(taking(&house), Some(Taking::PutOff));
    house.hands.seen(&seat, true, &mut house.effects);
    house.let_go(house.now);
    house.let_go(house.now + BEGIN_GRACE);
    assert_eq!(taking(&house), Some(Taking::StandsStill));
    house.hands.seen(&seat, false, &mut house.effects);
    assert_eq!(taking(&house), Some(Taking::Away));
    house.hands.staff(&Arc::from([]), &mut house.effects);
    assert_eq!(taking(&house), Some(Taking::Leaving));
}
