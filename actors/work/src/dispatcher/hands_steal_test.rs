//! Who has nothing takes of whoever has most ahead, and of nobody while the queue has something for it.

use super::*;

/// `t/a` has one in hand and eight ahead, and `t/b` has one in hand.
fn uneven() -> (House, Vec<Fence>, Fence) {
    let mut house = House::of(&[taker("t/a", 1, 8), taker("t/b", 1, 8)]);
    house.asked();
    let own = house.claimed("t/b", 1, 1)[0];
    let fences = house.claimed("t/a", 1, 9);
    house.staged(own, Stage::Delivered);
    house.done();
    (house, fences, own)
}

/// The tail of nine, half of what is not in hand.
fn tail(fences: &[Fence]) -> Vec<Effect> {
    (5..9).rev().map(|place| tell(fences[place], Word::GivenBack)).collect()
}

#[test]
fn an_idle_worker_gets_the_tail_of_the_heaviest_sibling_once_there_is_nothing_else_for_it() {
    let (mut house, fences, own) = uneven();
    house.staged(own, Stage::Done(json!(1)));
    house.asked();
    assert_eq!(
        house.done(),
        [tell(own, Word::Done { result: b"1".to_vec() })],
        "there may be something in the queue"
    );
    assert_eq!(house.tried, ["t/b"]);
    house.in_vain("t/b");
    assert_eq!(house.done(), tail(&fences));
    house.assert_sound();
}

#[test]
fn whoever_gets_something_of_the_queue_takes_nothing_of_others() {
    let (mut house, _, own) = uneven();
    house.staged(own, Stage::Done(json!(1)));
    house.asked();
    house.done();
    let next = house.claimed("t/b", 1, 1)[0];
    assert_eq!(house.done(), [hand("t/b", next)]);
    house.in_vain("t/b");
    assert_eq!(house.done(), []);
}

#[test]
fn who_comes_later_or_comes_back_takes_its_part_though_it_never_was_at_a_task() {
    let comes = |house: &mut House| {
        let both = [taker("t/a", 1, 8), taker("t/b", 1, 8)];
        house.hands.staff(&[team(&both)].into(), &mut house.effects);
        house.hands.seen(&worker("t/b"), true, &mut house.effects);
    };
    let mut house = House::of(&[taker("t/a", 1, 8)]);
    house.asked();
    let fences = house.claimed("t/a", 9, 9);
    house.done();
    comes(&mut house);
    house.asked();
    assert_eq!(house.tried, ["t/b"], "once, however many it asks for");
    house.in_vain("t/b");
    assert_eq!(house.done(), tail(&fences));
    house.assert_sound();

    let (mut house, fences, own) = uneven();
    house.staged(own, Stage::Lost("killed".to_owned()));
    house.asked();
    house.done();
    house.in_vain("t/b");
    assert_eq!(house.done(), [], "it may be gone");
    house.hands.seen(&worker("t/b"), true, &mut house.effects);
    house.asked();
    assert_eq!(house.tried, ["t/b"]);
    house.in_vain("t/b");
    assert_eq!(house.done(), tail(&fences));
}

#[test]
fn who_has_waited_from_one_look_to_the_next_is_helped_and_nobody_sooner() {
    let mut house = House::of(&[taker("t/a", 1, 8), taker("t/b", 1, 8)]);
    house.asked();
    assert_eq!(house.tried, [""; 0], "nobody has anything to take");
    let fences = house.claimed("t/a", 1, 9);
    house.done();
    house.hands.relieve(&mut house.effects);
    assert_eq!(house.done(), [], "it may have asked just now");
    house.hands.relieve(&mut house.effects);
    assert_eq!(house.done(), tail(&fences));

    let (mut house, fences, own) = uneven();
    house.staged(own, Stage::Done(json!(1)));
    house.hands.relieve(&mut house.effects);
    let next = house.claimed("t/b", 1, 1)[0];
    house.staged(next, Stage::Done(json!(1)));
    house.done();
    house.hands.relieve(&mut house.effects);
    assert_eq!(house.done(), [], "meanwhile it got one");
    house.hands.relieve(&mut house.effects);
    assert_eq!(house.done(), tail(&fences));
    house.assert_sound();
}

#[test]
fn of_many_who_wait_each_has_its_turn_to_be_helped() {
    let painter: Arc<[Capability]> = [Capability::new("paint").unwrap()].into();
    let full = Taker {
        able: Arc::clone(&painter),
        ..taker("t/full", 1, 8)
    };
    let mut takers: Vec<_> = (0..40).map(|number| taker(&format!("t/{number:02}"), 1, 0)).collect();
    takers.push(full);
    takers.push(Taker {
        able: painter,
        ..taker("t/last", 1, 0)
    });
    let mut house = House::of(&takers);
    house.asked();
    let fences = house.claimed("t/full", 1, 9);
    house.done();
    for _ in 0..6 {
        house.hands.relieve(&mut house.effects);
    }
    assert_eq!(house.done(), tail(&fences)[..4]);
}

#[test]
fn the_tail_of_a_sibling_that_can_do_more_stays_where_it_is() {
    let able: Arc<[Capability]> = [Capability::new("paint").unwrap()].into();
    let painter = Taker {
        able,
        ..taker("t/a", 1, 8)
    };
    let mut house = House::of(&[painter, taker("t/b", 1, 8)]);
    house.asked();
    house.claimed("t/a", 1, 9);
    house.done();
    house.in_vain("t/b");
    assert_eq!(house.done(), []);
}

#[test]
fn what_is_kept_for_a_sibling_alone_stays_with_it() {
    let mut house = House::of(&[taker("t/a", 1, 8), taker("t/b", 1, 8)]);
    house.asked();
    let claims = (1..10).map(|number| Claim {
        is_reserved: number % 2 == 0,
        ..claim(Fence::new(number))
    });
    house
        .hands
        .claimed(&worker("t/a"), 1, claims.collect(), &mut house.effects);
    house.done();
    house.in_vain("t/b");
    let given_back = [9, 7].map(|number| tell(Fence::new(number), Word::GivenBack));
    assert_eq!(house.done(), given_back, "half of 3, 5, 7 and 9");
    house.in_vain("t/b");
    house.in_vain("t/b");
    assert_eq!(
        house.done(),
        [tell(Fence::new(5), Word::GivenBack)],
        "a single one only changes places"
    );
    house.assert_sound();
}
