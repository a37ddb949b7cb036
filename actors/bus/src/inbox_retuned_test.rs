//! Inboxes that go on under other terms.

use super::*;

#[test]
fn terms_that_bear_less_let_go_what_is_more_as_they_say() {
    for (when_full, left, told) in [
        (WhenFull::DropOldest, [3, 4], "lagged"),
        (WhenFull::DropNewest, [1, 2], "full"),
        (WhenFull::DeadLetter, [1, 2], "full"),
    ] {
        let mut bench = once(9, WhenFull::DropOldest);
        (1..=4).for_each(|number| bench.offer(plain(number)));
        let terms = Terms::default().bound(2).when_full(when_full);
        bench.inbox.retune(terms, bench.now, &mut bench.effects);
        assert_eq!(bench.ends(), [told; 2]);
        assert!(bench.inbox.tally().is_balanced() && bench.inbox.is_full());
        assert_eq!(bench.lent(9), left, "{when_full:?}");
    }
}

#[test]
fn what_lies_in_a_log_stays_under_terms_that_bear_less() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter] {
        let mut bench = once(9, WhenFull::DropOldest);
        for number in 1..=6u64 {
            let place = number.is_multiple_of(2).then_some(Place::Log(number));
            bench.offer(Item { place, ..plain(number) });
        }
        let terms = Terms::default().bound(2).when_full(when_full);
        bench.inbox.retune(terms, bench.now, &mut bench.effects);
        assert_eq!((bench.ends().len(), bench.inbox.room()), (3, 0), "{when_full:?}");
        assert_eq!(bench.lent(9), [2, 4, 6], "{when_full:?}");
        assert!(bench.inbox.tally().is_balanced() && bench.inbox.room() == 2);
    }
}

#[test]
fn what_is_in_hand_stays_there_under_other_terms_and_is_due_no_later_than_they_say() {
    let mut bench = Bench::new(acknowledged());
    (1..=3).for_each(|number| bench.offer(plain(number)));
    let first = bench.hand_out().unwrap();
    let mut terms = acknowledged();
    terms.ack_within = Duration::from_secs(1);
    bench.inbox.retune(terms, bench.now, &mut bench.effects);
    assert_eq!(bench.inbox.next_due(bench.now), Some(bench.now + terms.ack_within));
    assert!(bench.acknowledge(first.token));
    let second = bench.hand_out().unwrap();
    // Under terms that ask for no acknowledgement too.
    bench.inbox.retune(Terms::default(), bench.now, &mut bench.effects);
    assert!(bench.acknowledge(second.token));
    assert_eq!(bench.lent(9), [3]);
    assert_eq!(bench.inbox.tally().delivered, 3);
}

#[test]
fn a_breaker_stays_as_it_is_until_its_own_terms_change() {
    let mut bench = Bench::new(acknowledged());
    (0..5).for_each(|number| bench.offer(plain(number)));
    while let Some(handed) = bench.hand_out() {
        bench.fail(handed.token);
    }
    let mut terms = acknowledged().bound(7);
    bench.inbox.retune(terms, bench.now, &mut bench.effects);
    assert_eq!(bench.inbox.breaker(), BreakerState::Open);
    terms.breaker.failures = 9;
    bench.inbox.retune(terms, bench.now, &mut bench.effects);
    assert_eq!(bench.inbox.breaker(), BreakerState::Closed);
}
