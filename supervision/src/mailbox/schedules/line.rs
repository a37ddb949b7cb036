//! Senders that are held back.

use std::sync::{Arc, Mutex};

use shuttle::future::block_on;
use shuttle::thread;

use super::*;

type Letters = Subject<Letter>;

fn full(capacity: u64) -> Arc<Letters> {
    let subject = Subject::new(capacity);
    for number in 0..capacity {
        subject.try_send(plain(letter(0, number))).expect("there is room");
    }
    subject
}

/// A sender that counts as held back from the start, and notes its place when it is admitted.
fn held_back(subject: &Arc<Letters>, from: usize, admitted: &Arc<Mutex<Vec<(u64, Place)>>>) -> JoinHandle<()> {
    let (subject, admitted) = (Arc::clone(subject), Arc::clone(admitted));
    thread::spawn(move || {
        let mut waiting = subject.in_line(plain(letter(from, 0)));
        let mut place = None;
        let number = block_on(poll_fn(|cx| {
            let polled = Pin::new(&mut waiting).poll(cx);
            place = waiting.place.or(place);
            polled
        }));
        if let (Ok(number), Some(place)) = (number, place) {
            admitted.lock().unwrap().push((number, place));
        }
    })
}

/// The places of those held back, in the order they were admitted.
fn places_in_order_of_admission(capacity: u64, senders: usize) -> Vec<Place> {
    let subject = full(capacity);
    let admitted = Arc::new(Mutex::new(Vec::new()));
    let waiting: Vec<_> = (1..=senders).map(|from| held_back(&subject, from, &admitted)).collect();
    let mut taker = Taker::new(&subject);
    block_on(taker.next_many(capacity + senders as u64));
    join(waiting);
    subject.assert_room_is_whole(&mut taker.notes);
    let mut admitted = std::mem::take(&mut *admitted.lock().unwrap());
    admitted.sort_by_key(|(number, _)| *number);
    admitted.into_iter().map(|(_, place)| place).collect()
}

#[test]
fn held_back_senders_are_all_admitted() {
    explore(|| {
        places_in_order_of_admission(8, 4);
    });
}

#[test]
fn held_back_senders_are_admitted_in_the_order_they_came() {
    explore(|| {
        let places = places_in_order_of_admission(1, 4);
        assert!(places.is_sorted(), "{places:?}");
    });
}

#[test]
fn whoever_is_admitted_before_earlier_ones_leaves_them_their_room_set_aside() {
    explore(|| {
        let places = places_in_order_of_admission(2, 4);
        for (index, place) in places.iter().enumerate() {
            let passed = places[index..].iter().filter(|later| *later < place).count();
            assert!(passed <= 1, "of two rooms one at most is set aside: {places:?}");
        }
    });
}

/// Polls once, as somebody that is held back.
fn starts_waiting(waiting: &mut InLine<'_, Letter>) {
    let polled = block_on(poll_fn(|cx| Poll::Ready(Pin::new(&mut *waiting).poll(cx).is_pending())));
    assert!(polled, "there is no room");
}

#[test]
fn newcomers_take_neither_room_set_aside_nor_room_a_bundle_waits_for() {
    for size in [1, 2] {
        explore(move || {
            let subject = full(2);
            let mut waiting = subject.in_line(bundle(vec![letter(1, 0); size]));
            starts_waiting(&mut waiting);
            let newcomer = Arc::clone(&subject);
            let newcomer = thread::spawn(move || {
                (0..3)
                    .filter(|&number| newcomer.try_send(plain(letter(2, number))).is_ok())
                    .count()
            });
            let mut notes = Notes::default();
            assert!(subject.take(&mut notes).is_some());
            assert_eq!(newcomer.join().unwrap(), 0);
            assert!(subject.take(&mut notes).is_some());
            block_on(waiting).expect("nobody closes it");
            assert_eq!(subject.empty(&mut notes).len(), size);
        });
    }
}

#[test]
fn who_joins_while_the_taker_releases_for_the_last_time_is_admitted() {
    explore(|| {
        let subject = full(1);
        let joining = sender(&subject, 1, 1);
        let mut notes = Notes::default();
        assert!(subject.take(&mut notes).is_some());
        join([joining]);
    });
}

#[test]
fn a_taker_that_rests_first_gives_back_all_the_room_it_has() {
    explore(|| {
        // Room is given back two by two, and there are seven.
        let subject = Subject::<Letter>::new(8);
        let large = Arc::clone(&subject);
        for number in 0..7 {
            subject.try_send(plain(letter(0, number))).expect("there is room");
        }
        let large = thread::spawn(move || {
            let batch = (0..8).map(|number| letter(1, number)).collect();
            block_on(large.send(bundle(batch))).map(drop).expect("nobody closes it");
        });
        let mut taker = Taker::new(&subject);
        block_on(taker.next_many(15));
        join([large]);
    });
}

#[test]
fn several_given_room_at_once_are_all_admitted() {
    explore(|| {
        let subject = full(8);
        let joining: Vec<_> = (1..4).map(|from| sender(&subject, from, 1)).collect();
        let mut notes = Notes::default();
        for _ in 0..4 {
            assert!(subject.take(&mut notes).is_some());
        }
        join(joining);
        assert_eq!(subject.empty(&mut notes).len(), 7);
        subject.assert_room_is_whole(&mut notes);
    });
}

#[test]
fn room_next_to_what_is_set_aside_is_not_forgotten() {
    explore(|| {
        let subject = full(4);
        // One waits, three are released: one is set aside for it, two are anybody's.
        let joining: Vec<_> = (1..4).map(|from| sender(&subject, from, 1)).collect();
        let mut notes = Notes::default();
        for _ in 0..3 {
            assert!(subject.take(&mut notes).is_some());
        }
        join(joining);
        assert_eq!(subject.empty(&mut notes).len(), 4);
        subject.assert_room_is_whole(&mut notes);
    });
}

#[test]
fn a_bundle_as_large_as_the_mailbox_gets_its_turn() {
    explore(|| {
        let subject = full(4);
        let small = sender(&subject, 1, 2);
        let large = Arc::clone(&subject);
        let large = thread::spawn(move || {
            let batch = (0..4).map(|number| letter(2, number)).collect();
            block_on(large.send(bundle(batch))).map(drop).expect("nobody closes it");
        });
        let mut taker = Taker::new(&subject);
        block_on(taker.next_many(10));
        join([small, large]);
        subject.assert_room_is_whole(&mut taker.notes);
    });
}

/// Polls a waiting sender `polls` times at most, then gives up.
fn impatient(subject: &Arc<Letters>, from: usize, polls: usize) -> JoinHandle<bool> {
    let subject = Arc::clone(subject);
    thread::spawn(move || {
        let mut waiting = subject.in_line(plain(letter(from, 0)));
        (0..polls).any(|_| {
            let polled = block_on(poll_fn(|cx| Poll::Ready(Pin::new(&mut waiting).poll(cx).is_ready())));
            thread::yield_now();
            polled
        })
    })
}

#[test]
fn a_sender_that_gives_up_leaves_no_hole_and_passes_its_room_on() {
    explore(|| {
        let subject = full(2);
        let gives_up = [1, 2].map(|from| impatient(&subject, from, 2));
        let patient = sender(&subject, 3, 1);
        let mut notes = Notes::default();
        for _ in 0..2 {
            assert!(subject.take(&mut notes).is_some());
        }
        let queued: usize = gives_up
            .into_iter()
            .map(|waiting| usize::from(waiting.join().unwrap()))
            .sum();
        // The taker takes once more only where those who gave up were quicker.
        let mut taker = Taker::taking_over(&subject, notes);
        let taken = block_on(taker.next_many(queued as u64 + 1));
        join([patient]);
        assert!(taken.contains(&letter(3, 0)), "{taken:?}");
        subject.assert_room_is_whole(&mut taker.notes);
    });
}

#[test]
fn room_set_aside_for_one_that_gives_up_goes_to_the_next_without_another_release() {
    explore(|| {
        let subject = full(1);
        let gives_up = impatient(&subject, 1, 1);
        let patient = sender(&subject, 2, 1);
        let mut notes = Notes::default();
        assert!(subject.take(&mut notes).is_some());
        if gives_up.join().unwrap() {
            let mut taker = Taker::taking_over(&subject, notes);
            block_on(taker.next());
            join([patient]);
            return;
        }
        join([patient]);
        assert_eq!(subject.empty(&mut notes), [letter(2, 0)]);
        subject.assert_room_is_whole(&mut notes);
    });
}

#[test]
fn a_large_bundle_that_gives_up_lets_the_small_ones_behind_it_in() {
    explore(|| {
        let subject = full(3);
        let large = Arc::clone(&subject);
        let large = thread::spawn(move || {
            let batch = (0..3).map(|number| letter(1, number)).collect();
            let mut waiting = large.in_line(bundle(batch));
            block_on(poll_fn(|cx| Poll::Ready(drop(Pin::new(&mut waiting).poll(cx)))));
            waiting.parcel.is_none()
        });
        let small = [2, 3].map(|from| sender(&subject, from, 1));
        let mut notes = Notes::default();
        for _ in 0..2 {
            assert!(subject.take(&mut notes).is_some());
        }
        assert!(!large.join().unwrap(), "there is never room for three");
        join(small);
        assert_eq!(subject.empty(&mut notes).len(), 3);
        subject.assert_room_is_whole(&mut notes);
    });
}
