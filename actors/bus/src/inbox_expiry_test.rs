//! What nobody needs any more, while it waits.

use super::*;

#[test]
fn what_nobody_needs_any_more_keeps_no_place_from_others() {
    let until = Some(Moment::from_nanos(1) + MS);
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter] {
        for class in [Class::AtMostOnce, Class::AtLeastOnce] {
            let mut bench = Bench::new(Terms::of(class).bound(3).when_full(when_full));
            bench.offer(plain(1));
            bench.offer(item(2, Priority::Low, until));
            bench.offer(item(3, Priority::High, until));
            assert_eq!(bench.ends(), [""; 0]);
            // Nobody has looked meanwhile.
            bench.now = bench.now + MS;
            bench.offer(plain(4));
            assert_eq!(bench.ends(), ["expired"; 2], "{when_full:?}");
            assert_eq!(bench.inbox.waiting(), 2);
        }
    }
}

#[test]
fn what_nobody_needs_any_more_ends_in_time_though_nobody_takes_anything() {
    let mut bench = Bench::new(acknowledged());
    for milliseconds in 1..=1_000u32 {
        let until = Moment::from_nanos(1) + MS * milliseconds;
        bench.offer(item(milliseconds.into(), Priority::Normal, Some(until)));
    }
    bench.offer(plain(0));
    let mut looks = 0;
    while let Some(due) = bench.inbox.next_due(bench.now) {
        looks += 1;
        bench.advance(due.since(bench.now));
    }
    assert_eq!(bench.ends(), ["expired"; 1_000]);
    assert!((1..=20).contains(&looks), "{looks}");
    assert!(bench.now < Moment::from_nanos(1) + 2 * Duration::from_secs(1));
    assert_eq!(number(&bench.hand_out().unwrap().item), 0);
}

#[test]
fn what_comes_back_when_it_is_over_ends_soon() {
    let until = Some(Moment::from_nanos(1) + MS);
    let mut bench = Bench::new(acknowledged());
    bench.offer(item(1, Priority::Normal, until));
    let handed = bench.hand_out().unwrap();
    bench.advance(MS * 5);
    assert!(bench.inbox.take_back(handed.token));
    let due = bench.inbox.next_due(bench.now).unwrap();
    assert!(due > bench.now && due <= bench.now + MS * 5);
    bench.advance(due.since(bench.now));
    assert_eq!(bench.ends(), ["expired"]);
}

#[test]
fn where_many_wait_those_with_little_time_that_come_between_are_looked_for_together() {
    let mut bench = Bench::new(acknowledged().bound(20_000));
    for number in 0..10_000 {
        bench.offer(plain(number));
    }
    let (mut looks, mut ended) = (0, 0);
    for number in 10_000..10_100 {
        bench.offer(item(number, Priority::Normal, Some(bench.now + MS)));
        bench.advance(MS);
        let ends = bench.ends();
        looks += usize::from(!ends.is_empty());
        ended += ends.len();
    }
    bench.advance(MS * 200);
    assert_eq!(ended + bench.ends().len(), 100);
    assert!((2..=15).contains(&looks), "{looks}");
}
