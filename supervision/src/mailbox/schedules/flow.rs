//! Senders and one taker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::future::block_on;
use shuttle::thread;

use super::*;

/// Senders of `count` letters each, and a taker on this thread that takes them all.
fn traffic<const LANES: bool>(senders: usize, count: u64, capacity: u64) -> Vec<Letter<LANES>> {
    let subject = Subject::new(capacity);
    let sending: Vec<_> = (0..senders).map(|from| sender(&subject, from, count)).collect();
    let mut taker = Taker::new(&subject);
    let taken = block_on(taker.next_many(senders as u64 * count));
    join(sending);
    subject.assert_room_is_whole(&mut taker.notes);
    taken
}

#[test]
fn a_taker_that_rests_is_always_rung() {
    explore(|| {
        traffic::<false>(2, 3, 16);
    });
}

#[test]
fn a_taker_that_rests_over_lanes_is_always_rung() {
    explore(|| {
        traffic::<true>(2, 3, 16);
    });
}

#[test]
fn no_message_is_lost_and_none_taken_twice() {
    explore(|| assert_eq!(traffic::<false>(3, 3, 8).len(), 9));
}

#[test]
fn each_senders_order_is_kept() {
    explore(|| assert_each_in_order(&traffic::<false>(2, 6, 8), 2, 6));
}

#[test]
fn each_senders_order_is_kept_where_the_room_is_for_one() {
    explore(|| assert_each_in_order(&traffic::<false>(3, 2, 1), 3, 2));
}

#[test]
fn each_senders_order_is_kept_in_its_lane() {
    explore(|| assert_each_in_order(&traffic::<true>(3, 3, 2), 3, 3));
}

#[test]
fn a_bundle_is_taken_in_its_order_and_whole() {
    explore(|| {
        let subject = Subject::<Letter>::new(4);
        let single = sender(&subject, 0, 2);
        let many = Arc::clone(&subject);
        let many = thread::spawn(move || {
            for round in 0..2 {
                let batch = (0..3).map(|number| letter(1, round * 3 + number)).collect();
                block_on(many.send(bundle(batch))).expect("nobody closes it");
            }
        });
        let mut taker = Taker::new(&subject);
        let taken = block_on(taker.next_many(8));
        join([single, many]);
        let numbers = |from| {
            taken
                .iter()
                .filter(move |letter| letter.from == from)
                .map(|letter| letter.number)
        };
        assert!(numbers(0).eq(0..2) && numbers(1).eq(0..6), "{taken:?}");
        for round in [0, 3] {
            let first = taken.iter().position(|found| *found == letter(1, round)).unwrap();
            assert!(
                taken[first..first + 3].iter().all(|letter| letter.from == 1),
                "{taken:?}"
            );
        }
        subject.assert_room_is_whole(&mut taker.notes);
    });
}

#[test]
fn bundles_over_lanes_lose_nothing() {
    explore(|| {
        let subject = Subject::<Letter<true>>::new(4);
        let sending = [0, 1].map(|from| {
            let subject = Arc::clone(&subject);
            thread::spawn(move || {
                for round in 0..2 {
                    let batch = (0..3).map(|number| letter(from, round * 3 + number)).collect();
                    block_on(subject.send(bundle(batch))).expect("nobody closes it");
                }
            })
        });
        let mut taker = Taker::new(&subject);
        assert_each_in_order(&block_on(taker.next_many(12)), 2, 6);
        join(sending);
        subject.assert_room_is_whole(&mut taker.notes);
    });
}

#[test]
fn without_a_taker_exactly_as_many_are_admitted_as_there_is_room() {
    explore(|| {
        let subject = Subject::<Letter>::new(3);
        let sending = [0, 1, 2].map(|from| {
            let subject = Arc::clone(&subject);
            thread::spawn(move || {
                (0..2)
                    .filter(|&number| subject.try_send(plain(letter(from, number))).is_ok())
                    .count()
            })
        });
        let admitted: usize = sending.into_iter().map(|sending| sending.join().unwrap()).sum();
        assert_eq!(admitted, 3);
    });
}

#[test]
fn the_figures_never_exceed_the_capacity() {
    explore(|| {
        let subject = Subject::<Letter>::new(2);
        let mut sending: Vec<_> = [0, 1].map(|from| sender(&subject, from, 3)).into();
        let watched = Arc::clone(&subject);
        sending.push(thread::spawn(move || {
            for _ in 0..4 {
                assert!(watched.queue.depth() <= 2);
            }
        }));
        let mut taker = Taker::new(&subject);
        block_on(taker.next_many(6));
        join(sending);
        assert!(subject.queue.high_water() <= 2, "{}", subject.queue.high_water());
    });
}

#[test]
fn what_is_left_when_the_last_sender_is_gone_is_still_taken() {
    explore(|| {
        let subject = Subject::<Letter>::new(2);
        let mut taker = Taker::new(&subject);
        let sending = sender(&subject, 0, 4);
        drop(subject);
        assert_each_in_order(&block_on(taker.next_many(4)), 1, 4);
        join([sending]);
        assert!(taker.subject.take(&mut taker.notes).is_none());
    });
}

/// Counts its drops; no scheduling points.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Message for Counted {}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn each_message_is_dropped_once_wherever_it_lies_when_the_mailbox_goes() {
    explore(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let subject = Subject::<Counted>::new(4);
        let sending = [1, 2].map(|count| {
            let (subject, dropped) = (Arc::clone(&subject), Arc::clone(&dropped));
            thread::spawn(move || {
                let batch = (0..count).map(|_| Counted(Arc::clone(&dropped))).collect();
                block_on(subject.send(bundle(batch)))
                    .map(drop)
                    .expect("nobody closes it");
            })
        });
        let mut taker = Taker::new(&subject);
        drop(block_on(taker.next()));
        taker.pause();
        join(sending);
        drop((taker, subject));
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
    });
}
