//! What happens to the reader's end: closing, taking over, pausing, displacing.

use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::sync::Mutex;
use shuttle::thread;

use super::*;

/// Sends letters until it is sent away; returns how many were queued, and the letter it got back.
fn until_closed(subject: &Arc<Subject<Letter>>, from: usize) -> JoinHandle<(u64, Letter)> {
    let subject = Arc::clone(subject);
    thread::spawn(move || {
        let mut queued = 0;
        loop {
            match block_on(subject.send(plain(letter(from, queued)))) {
                Ok(_) => queued += 1,
                Err(back) => return (queued, message(back)),
            }
        }
    })
}

/// Empties a closed queue as the mailbox does when it buries one.
fn bury(subject: &Subject<Letter>, notes: &mut Notes<Letter>) -> Vec<Letter> {
    let mut taken = Vec::new();
    while let Some(parcel) = subject.take(notes) {
        taken.push(message(parcel));
    }
    taken
}

#[test]
fn closing_sends_every_waiting_sender_away_with_its_message() {
    explore(|| {
        let subject = Subject::<Letter>::new(2);
        let sending = [0, 1, 2].map(|from| until_closed(&subject, from));
        let mut notes = Notes::default();
        let mut taken = Vec::new();
        if let Some(parcel) = subject.take(&mut notes) {
            taken.push(message(parcel));
        }
        assert!(subject.queue.close());
        taken.extend(bury(&subject, &mut notes));
        for (from, sending) in sending.into_iter().enumerate() {
            let (queued, back) = sending.join().unwrap();
            assert_eq!(back, letter(from, queued));
            let numbers = taken
                .iter()
                .filter(|letter| letter.from == from)
                .map(|letter| letter.number);
            assert!(numbers.eq(0..queued), "{from} queued {queued}: {taken:?}");
        }
        assert_eq!(taken.len() as u64, subject.queue.admitted());
    });
}

#[test]
fn who_was_given_room_when_it_closes_gets_its_message_back() {
    explore(|| {
        let subject = Subject::<Letter>::new(1);
        subject.try_send(plain(letter(0, 0))).expect("there is room");
        let waiting = [1, 2].map(|from| until_closed(&subject, from));
        let closing = Arc::clone(&subject);
        let closing = thread::spawn(move || assert!(closing.queue.close()));
        let mut notes = Notes::default();
        let mut taken = Vec::from_iter(match subject.take(&mut notes) {
            Some(parcel) => Some(message(parcel)),
            _ => None,
        });
        join([closing]);
        taken.extend(bury(&subject, &mut notes));
        let queued: u64 = waiting.into_iter().map(|waiting| waiting.join().unwrap().0).sum();
        assert_eq!(taken.len() as u64, queued + 1);
    });
}

/// Two incarnations, one after the other, each on its own thread.
fn take_over<const LANES: bool>(first_takes: u64) {
    let subject = Subject::<Letter<LANES>>::new(2);
    let sending = [0, 1].map(|from| sender(&subject, from, 3));
    let seat = Arc::new(Mutex::new(Some((Notes::default(), Vec::new()))));
    for takes in [first_takes, 6 - first_takes] {
        let (subject, seat) = (Arc::clone(&subject), Arc::clone(&seat));
        let incarnation = thread::spawn(move || {
            let (notes, mut taken) = seat.lock().unwrap().take().expect("one reader at a time");
            let mut taker = Taker::taking_over(&subject, notes);
            taken.extend(block_on(taker.next_many(takes)));
            *seat.lock().unwrap() = Some((taker.stand_up(), taken));
        });
        join([incarnation]);
    }
    join(sending);
    let (mut notes, taken) = seat.lock().unwrap().take().unwrap();
    assert_each_in_order(&taken, 2, 3);
    subject.assert_room_is_whole(&mut notes);
}

#[test]
fn a_new_incarnation_takes_over_without_loss_and_in_order() {
    for first_takes in [1, 3] {
        explore(move || take_over::<false>(first_takes));
    }
}

#[test]
fn a_new_incarnation_takes_over_lanes_without_loss_and_in_order() {
    explore(|| take_over::<true>(2));
}

#[test]
fn a_bundle_half_taken_passes_to_the_next_incarnation() {
    explore(|| {
        let subject = Subject::<Letter>::new(3);
        let many = Arc::clone(&subject);
        let many = thread::spawn(move || {
            for round in 0..2 {
                let batch = (0..3).map(|number| letter(0, round * 3 + number)).collect();
                block_on(many.send(bundle(batch))).map(drop).expect("nobody closes it");
            }
        });
        let mut first = Taker::new(&subject);
        let mut taken = block_on(first.next_many(1));
        let mut second = Taker::taking_over(&subject, first.stand_up());
        taken.extend(block_on(second.next_many(5)));
        join([many]);
        assert_each_in_order(&taken, 1, 6);
        subject.assert_room_is_whole(&mut second.notes);
    });
}

#[test]
fn a_paused_agents_mailbox_fills_to_its_bound_and_goes_on() {
    explore(|| {
        let subject = Subject::<Letter>::new(8);
        let sending = [0, 1].map(|from| sender(&subject, from, 5));
        let mut taker = Taker::new(&subject);
        let mut taken = block_on(taker.next_many(1));
        taker.pause();
        // Nine more come, and eight have room while the agent is paused.
        while subject.queue.admitted() < 9 {
            thread::yield_now();
        }
        taken.extend(block_on(taker.next_many(9)));
        join(sending);
        assert_each_in_order(&taken, 2, 5);
        subject.assert_room_is_whole(&mut taker.notes);
    });
}

// ---- displacing ----

type Displacing<const LANES: bool> = JoinHandle<(Vec<Letter<LANES>>, Vec<Letter<LANES>>)>;

/// Displaces `count` times; returns what was evicted, and what came back from a closed queue.
fn displacer<const LANES: bool>(subject: &Arc<Subject<Letter<LANES>>>, from: usize, count: u64) -> Displacing<LANES> {
    let subject = Arc::clone(subject);
    thread::spawn(move || {
        let (mut evicted, mut back) = (Vec::new(), Vec::new());
        for number in 0..count {
            match subject.queue.displace(plain(letter(from, number))) {
                Ok((_, oldest)) => evicted.extend(oldest.map(message)),
                Err(parcel) => back.push(message(parcel)),
            }
        }
        (evicted, back)
    })
}

/// Every letter of `senders` times `count` is in exactly one of the three.
fn assert_conserved<const LANES: bool>(senders: usize, count: u64, found: impl IntoIterator<Item = Letter<LANES>>) {
    let mut found: Vec<_> = found.into_iter().map(|letter| (letter.from, letter.number)).collect();
    found.sort_unstable();
    let all = (0..senders).flat_map(|from| (0..count).map(move |number| (from, number)));
    assert!(found.iter().copied().eq(all), "{found:?}");
}

fn displacing_conserves<const LANES: bool>(capacity: u64) {
    let subject = Subject::<Letter<LANES>>::evicting(capacity);
    let sending = [0, 1].map(|from| displacer(&subject, from, 4));
    let mut notes = Notes::default();
    let mut found = Vec::new();
    for _ in 0..3 {
        if let Some(parcel) = subject.take(&mut notes) {
            found.push(message(parcel));
        }
        assert!(subject.queue.depth() <= capacity);
    }
    for (evicted, back) in sending.map(|sending| sending.join().unwrap()) {
        assert!(back.is_empty());
        found.extend(evicted);
    }
    let left = subject.empty(&mut notes);
    assert!(left.len() as u64 <= capacity);
    found.extend(left);
    assert_conserved(2, 4, found);
    subject.assert_room_is_whole(&mut notes);
}

#[test]
fn displacing_conserves_what_was_admitted() {
    explore(|| displacing_conserves::<false>(2));
}

#[test]
fn displacing_conserves_what_was_admitted_over_lanes() {
    explore(|| displacing_conserves::<true>(3));
}

#[test]
fn what_is_displaced_is_the_oldest_of_the_least_urgent_lane() {
    explore(|| {
        let subject = Subject::<Letter<true>>::evicting(3);
        for from in [0, 4, 4] {
            subject.try_send(plain(letter(from, 0))).expect("there is room");
        }
        let sending = [1, 2].map(|from| displacer(&subject, from, 1));
        for (evicted, _) in sending.map(|sending| sending.join().unwrap()) {
            assert_eq!(evicted, [letter(4, 0)]);
        }
        let left: Vec<_> = subject
            .empty(&mut Notes::default())
            .into_iter()
            .map(|letter| letter.from)
            .collect();
        assert_eq!(left, [0, 1, 2], "the most urgent first");
    });
}

#[test]
fn what_is_displaced_is_the_oldest() {
    explore(|| {
        let subject = Subject::<Letter>::evicting(2);
        let sending = displacer(&subject, 0, 6);
        let mut notes = Notes::default();
        let mut taken = Vec::new();
        for _ in 0..2 {
            if let Some(parcel) = subject.take(&mut notes) {
                taken.push(message(parcel).number);
            }
        }
        let (evicted, _) = sending.join().unwrap();
        let evicted: Vec<_> = evicted.into_iter().map(|letter| letter.number).collect();
        let left: Vec<_> = subject
            .empty(&mut notes)
            .into_iter()
            .map(|letter| letter.number)
            .collect();
        assert!(evicted.is_sorted() && taken.is_sorted(), "{evicted:?} {taken:?}");
        assert!(
            left.iter().copied().eq(6 - left.len() as u64..6),
            "the latest stay: {left:?}"
        );
    });
}

#[test]
fn a_taker_at_rest_is_rung_by_one_that_displaces() {
    explore(|| {
        let subject = Subject::<Letter>::evicting(1);
        let sending = displacer(&subject, 0, 3);
        let mut taker = Taker::new(&subject);
        // The last one is never displaced.
        while block_on(taker.next()).number < 2 {}
        sending.join().unwrap();
        subject.assert_room_is_whole(&mut taker.notes);
    });
}

#[test]
fn displacing_goes_on_while_the_agent_is_paused() {
    explore(|| {
        let subject = Subject::<Letter>::evicting(1);
        subject.try_send(plain(letter(0, 0))).expect("there is room");
        let mut taker = Taker::new(&subject);
        taker.pause();
        let (evicted, _) = displacer(&subject, 1, 3).join().unwrap();
        assert_eq!(evicted, [letter(0, 0), letter(1, 0), letter(1, 1)], "the oldest first");
        assert_eq!(block_on(taker.next()), letter(1, 2));
    });
}

#[test]
fn closing_while_somebody_displaces_loses_nothing() {
    explore(|| {
        let subject = Subject::<Letter>::evicting(1);
        let sending = [0, 1].map(|from| displacer(&subject, from, 3));
        let mut notes = Notes::default();
        subject.queue.close();
        let mut found = bury(&subject, &mut notes);
        for (evicted, back) in sending.map(|sending| sending.join().unwrap()) {
            found.extend(evicted);
            found.extend(back);
        }
        assert_conserved(2, 3, found);
    });
}

#[test]
fn who_displaces_waits_for_nobody_whose_room_is_set_aside() {
    explore(|| {
        let subject = Subject::<Letter>::evicting(1);
        subject.try_send(plain(letter(1, 0))).expect("there is room");
        let mut waiting = Box::pin(subject.in_line(plain(letter(2, 0))));
        let poll =
            |waiting: &mut Pin<Box<InLine<'_, _>>>| waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll(&mut waiting).is_pending());
        let sending = displacer(&subject, 0, 3);
        let mut notes = Notes::default();
        let mut found: Vec<_> = (0..2).filter_map(|_| subject.take(&mut notes)).map(message).collect();
        // Until here it has not come, whatever it was given.
        found.extend(sending.join().unwrap().0);
        found.extend(subject.empty(&mut notes));
        assert!(poll(&mut waiting).is_ready());
        found.extend(subject.empty(&mut notes));
        let (of_others, of_three): (Vec<_>, Vec<_>) = found.into_iter().partition(|letter| letter.from > 0);
        assert_conserved(1, 3, of_three);
        assert_eq!(of_others.len(), 2, "{of_others:?}");
        subject.assert_room_is_whole(&mut notes);
    });
}
