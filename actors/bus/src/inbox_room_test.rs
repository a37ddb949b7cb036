//! Inboxes that are full by bytes.

use super::*;

fn of_bytes(bytes: usize, when_full: WhenFull) -> Bench {
    Bench::new(Terms::default().bound_bytes(bytes).when_full(when_full))
}

fn large(number: u64, bytes: usize) -> Item {
    sized(number, Priority::Normal, None, bytes)
}

#[test]
fn what_has_no_room_by_its_bytes_goes_as_what_is_one_too_many_does() {
    for (when_full, left, told) in [
        (WhenFull::DropOldest, vec![3, 4], vec!["lagged"; 2]),
        (WhenFull::DropNewest, vec![1, 2, 3], vec!["full"]),
        (WhenFull::DeadLetter, vec![1, 2, 3], vec!["full"]),
    ] {
        let mut bench = of_bytes(100, when_full);
        [30, 30, 40, 60]
            .into_iter()
            .zip(1..)
            .for_each(|(bytes, number)| bench.offer(large(number, bytes)));
        assert!(bench.inbox.is_full() && bench.inbox.room() > 1_000, "{when_full:?}");
        assert_eq!(bench.ends(), told, "{when_full:?}");
        assert!(bench.inbox.tally().is_balanced());
        assert_eq!(bench.lent(9), left, "{when_full:?}");
        assert_eq!(bench.inbox.room_in_bytes(), 100, "{when_full:?}");
    }
}

#[test]
fn what_is_larger_than_all_may_wait_by_itself() {
    let mut bench = of_bytes(100, WhenFull::DropNewest);
    bench.offer(large(1, 500));
    bench.offer(large(2, 1));
    assert_eq!(bench.ends(), ["full"]);
    assert_eq!(bench.lent(9), [1]);
    let mut bench = of_bytes(100, WhenFull::DropOldest);
    [90, 500, 1]
        .into_iter()
        .zip(1..)
        .for_each(|(bytes, number)| bench.offer(large(number, bytes)));
    assert_eq!(bench.ends(), ["lagged"; 2]);
    assert_eq!(bench.lent(9), [3]);
}

#[test]
fn nothing_goes_in_vain_for_what_has_no_room_beside_those_in_hand() {
    let terms = acknowledged().bound_bytes(100).when_full(WhenFull::DropOldest);
    let mut bench = Bench::new(terms);
    bench.offer(large(1, 80));
    let first = bench.hand_out().unwrap();
    bench.offer(large(2, 20));
    bench.offer(large(3, 30));
    assert_eq!(bench.ends(), ["full"], "those in hand wait too, and the second stays");
    bench.fail(first.token);
    bench.offer(large(4, 30));
    assert_eq!(bench.ends(), ["full"], "and those that rest");
    bench.advance(Duration::from_secs(1));
    let again = bench.hand_out().unwrap();
    assert!(number(&again.item) == 1 && bench.inbox.take_back(again.token));
    let again = bench.hand_out().unwrap();
    assert!(bench.acknowledge(again.token));
    assert_eq!((bench.ends(), bench.inbox.room_in_bytes()), (vec!["delivered"], 80));
}

#[test]
fn what_nobody_needs_any_more_makes_room_first() {
    let mut bench = of_bytes(100, WhenFull::DropNewest);
    let until = Some(bench.now + MS);
    bench.offer(sized(1, Priority::Normal, until, 100));
    bench.advance(MS * 200);
    bench.offer(large(2, 100));
    assert_eq!(bench.ends(), ["expired"]);
    assert_eq!(bench.lent(9), [2]);
}

#[test]
fn under_terms_that_bear_fewer_bytes_as_much_goes_as_is_too_much() {
    for (when_full, left) in [(WhenFull::DropOldest, [3, 4]), (WhenFull::DeadLetter, [1, 2])] {
        let mut bench = of_bytes(100, WhenFull::DropNewest);
        (1..=4).for_each(|number| bench.offer(large(number, 25)));
        let terms = Terms::default().bound_bytes(60).when_full(when_full);
        bench.inbox.retune(terms, bench.now, &mut bench.effects);
        assert_eq!(bench.inbox.room_in_bytes(), 10);
        assert_eq!(bench.lent(9), left, "{when_full:?}");
    }
    let mut bench = of_bytes(100, WhenFull::DropNewest);
    bench.offer(large(1, 100));
    bench
        .inbox
        .retune(Terms::default().bound_bytes(60), bench.now, &mut bench.effects);
    assert_eq!(bench.lent(9), [1], "one may wait by itself");
}

#[test]
fn what_its_log_brings_has_its_room_and_keeps_others_out() {
    let mut bench = of_bytes(100, WhenFull::DropNewest);
    for number in 1..=2 {
        let place = Some(Place::Log(number));
        bench.offer(Item {
            place,
            ..large(number, 80)
        });
    }
    bench.offer(large(3, 1));
    assert_eq!(bench.ends(), ["full"]);
    assert_eq!((bench.inbox.room_in_bytes(), bench.lent(9)), (0, vec![1, 2]));
}

#[test]
fn under_the_same_terms_what_an_agent_gave_back_stays_though_others_took_its_room() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter] {
        let mut bench = of_bytes(100, when_full);
        (1..=10).for_each(|number| bench.offer(large(number, 10)));
        let taken = bench.lend(10);
        (11..=20).for_each(|number| bench.offer(large(number, 10)));
        bench.inbox.give_back(taken);
        let terms = Terms::default().bound_bytes(100).when_full(when_full);
        bench.inbox.retune(terms, bench.now, &mut bench.effects);
        assert_eq!(bench.ends(), [""; 0], "{when_full:?}");
        assert_eq!(bench.lent(99), (1..=20).collect::<Vec<_>>(), "{when_full:?}");
    }
}

#[test]
fn under_terms_that_bear_fewer_bytes_nothing_goes_that_has_none() {
    let mut bench = of_bytes(1000, WhenFull::DropNewest);
    [0, 500, 0, 30]
        .into_iter()
        .zip(1..)
        .for_each(|(bytes, number)| bench.offer(large(number, bytes)));
    let terms = Terms::default().bound_bytes(100).when_full(WhenFull::DropNewest);
    bench.inbox.retune(terms, bench.now, &mut bench.effects);
    assert_eq!(bench.lent(9), [1, 2, 3], "the large one is alone with its bytes");
}
