//! The queue against a naive model, one step at a time.
//!
//! 1. What is offered is admitted exactly where the model has room and nobody waits, and numbered in order.
//! 2. What is taken is what the model takes, in the same order, lanes by turns; `Empty` where it has nothing.
//! 3. Those in line are woken, and admitted when they ask, in the order they came, as far as the room goes.
//! 4. Who gives up leaves no hole: its room is the next one's at once.
//! 5. What is displaced is the oldest of the least urgent lane, and only where there is no room; where nothing lies there, all room
//!    is set aside, and one is queued beyond it.
//! 6. A closed queue admits nobody, sends all in line away with their message, and keeps what lies in it; it may be
//!    opened again.
//! 7. The figures are the model's: admitted, depth, and high water between what was seen and the capacity.
//! 8. The oldest stamp never goes back while messages are taken in their order.
//! 9. Exactly every message whose number divides by 256 is sampled.
//! 10. Coming to rest succeeds exactly where nothing waits, and the next admitted rings; to look ahead there is to rest.
//! 11. At the end admitted = taken + evicted + waiting, and the room is whole.

mod steps;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::collection::vec;
use proptest::prelude::*;

use self::steps::{Step, step};
use super::parcel::Plain;
use super::queue::SAMPLE_EVERY;
use super::{Notes, Parcel, Place, Queue, Refused, Stamp};
use crate::message::{Message, Priority};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Item<const LANES: bool> {
    number: u64,
    lane: usize,
}

impl<const LANES: bool> Message for Item<LANES> {
    const PRIORITY: Option<fn(&Self) -> Priority> = if LANES {
        Some(|item| Priority::ALL[item.lane])
    } else {
        None
    };
}

/// Counts how often it was rung or woken.
#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Waiting<const LANES: bool> {
    items: Vec<Item<LANES>>,
    parcel: Option<Parcel<Item<LANES>>>,
    place: Option<Place>,
    woken: Arc<Count>,
}

/// The queue, and beside it what everybody would write who had one thread and no hurry.
struct Pair<const LANES: bool> {
    queue: Queue<Item<LANES>>,
    notes: Notes<Item<LANES>>,
    bell: Arc<Count>,
    evicts: bool,
    capacity: u64,
    made: u64,
    lanes: Vec<VecDeque<Item<LANES>>>,
    /// What the taker has hold of beyond its turn: an unpacked bundle, a message it looked at.
    ahead: VecDeque<Item<LANES>>,
    turn: usize,
    admitted: u64,
    taken: u64,
    evicted: u64,
    told: u64,
    most_seen: u64,
    oldest: u32,
    is_closed: bool,
    is_idle: bool,
    line: Vec<Waiting<LANES>>,
    rings: u64,
}

impl<const LANES: bool> Pair<LANES> {
    fn new(capacity: u64, evicts: bool) -> Self {
        let (queue, bell) = (Queue::new(capacity, evicts), Arc::new(Count::default()));
        queue.bell.answer_with(&Waker::from(Arc::clone(&bell)));
        Self {
            queue,
            notes: Notes::default(),
            bell,
            evicts,
            capacity,
            made: 0,
            lanes: vec![VecDeque::new(); if LANES { Priority::COUNT } else { 1 }],
            ahead: VecDeque::new(),
            turn: 0,
            admitted: 0,
            taken: 0,
            evicted: 0,
            told: 0,
            most_seen: 0,
            oldest: 0,
            is_closed: false,
            is_idle: true,
            line: Vec::new(),
            rings: 0,
        }
    }

    // ---- the model ----

    fn make(&mut self, lane: usize) -> Item<LANES> {
        self.made += 1;
        Item {
            number: self.made,
            lane,
        }
    }

    /// What the taker told is room again; what is queued beyond the limit takes none of it.
    fn room(&self) -> u64 {
        self.capacity + self.queue.beyond() - (self.admitted - self.told - self.evicted)
    }

    /// How many may be there: one that displaces finds nothing to drop where all room is set aside.
    fn most(&self) -> u64 {
        self.capacity + u64::from(self.evicts)
    }

    fn admit(&mut self, items: &[Item<LANES>]) -> u64 {
        for item in items {
            self.lanes[if LANES { item.lane } else { 0 }].push_back(*item);
        }
        self.rings += u64::from(std::mem::take(&mut self.is_idle));
        let number = self.admitted;
        self.admitted += items.len() as u64;
        assert!(self.admitted - self.taken - self.evicted <= self.most(), "the bound");
        number
    }

    fn next(&mut self) -> Option<Item<LANES>> {
        if let Some(item) = self.ahead.pop_front() {
            return Some(item);
        }
        let favoured = match self.turn {
            3 => 1,
            7 => 2,
            11 => 3,
            15 => 4,
            _ => 0,
        };
        let favoured = self.lanes.get_mut(favoured).and_then(VecDeque::pop_front);
        let item = favoured.or_else(|| self.lanes.iter_mut().find_map(VecDeque::pop_front))?;
        self.turn = (self.turn + 1) % 16;
        Some(item)
    }

    fn tell(&mut self) {
        if self.told != self.taken {
            self.see_depth();
            self.told = self.taken;
        }
    }

    fn see_depth(&mut self) {
        self.most_seen = self.most_seen.max(self.depth());
    }

    /// As it is told: nobody hears of the one beyond the bound.
    fn depth(&self) -> u64 {
        (self.admitted - self.told - self.evicted).min(self.capacity)
    }

    // ---- both, side by side ----

    fn offer(&mut self, items: &[Item<LANES>]) {
        let has_room = !self.is_closed && self.wanted(self.line.len()) + items.len() as u64 <= self.room();
        let offered = match items {
            [item] => {
                let offered = self.queue.offer_plain(*item);
                offered.map_err(|(refused, item)| (refused, Parcel::plain(item)))
            }
            _ => self.queue.offer(parcel(items)),
        };
        match offered {
            Ok(number) => {
                assert!(has_room, "1: {items:?} admitted");
                assert_eq!(number, self.admit(items), "1");
            }
            Err((refused, back)) => {
                assert!(!has_room || !self.line.is_empty(), "1: {items:?} refused");
                if !self.is_closed {
                    self.see_depth();
                }
                assert_eq!(
                    refused,
                    if self.is_closed { Refused::Closed } else { Refused::Full },
                    "1"
                );
                assert_eq!(unpacked(back), items, "1");
            }
        }
    }

    fn wait(&mut self, items: Vec<Item<LANES>>) {
        let parcel = Some(parcel(&items));
        self.line.push(Waiting {
            items,
            parcel,
            place: None,
            woken: Arc::default(),
        });
        self.poll_waiting(self.line.len() - 1);
    }

    /// What the first `count` in line want.
    fn wanted(&self, count: usize) -> u64 {
        self.line[..count]
            .iter()
            .map(|waiting| waiting.items.len() as u64)
            .sum()
    }

    /// Whether there is room for the one at `index` and all before it. Only of the first it is certain that the
    /// queue lets it in then: others may have to wait until those before them have come.
    fn has_room(&self, index: usize) -> bool {
        self.wanted(index + 1) <= self.room()
    }

    fn poll_waiting(&mut self, index: usize) {
        let has_room = self.has_room(index);
        let waiting = &mut self.line[index];
        let waker = Waker::from(Arc::clone(&waiting.woken));
        let polled = self
            .queue
            .poll_offer(&mut waiting.parcel, &mut waiting.place, &Context::from_waker(&waker));
        match polled {
            Poll::Pending => {
                assert!(
                    !self.is_closed && (!has_room || index > 0),
                    "3: {index} is still held back"
                );
                waiting.woken.0.store(0, Ordering::Relaxed);
            }
            Poll::Ready(Ok(number)) => {
                assert!(has_room && !self.is_closed, "3: {index} came in before its turn");
                let items = self.line.remove(index).items;
                assert_eq!(number, self.admit(&items), "3");
            }
            Poll::Ready(Err(())) => {
                assert!(self.is_closed, "3: {index} was sent away");
                let mut waiting = self.line.remove(index);
                assert_eq!(waiting.parcel.take().map(unpacked), Some(waiting.items), "6");
            }
        }
    }

    fn give_up(&mut self, index: usize) {
        if let Some(place) = self.line.remove(index).place {
            self.queue.leave(place);
        }
    }

    fn take(&mut self) {
        match self.queue.take(&mut self.notes) {
            Some(Parcel::Plain(Plain { stamp, message, .. })) => {
                assert_eq!(self.next(), Some(message), "2");
                let number = self.taken;
                self.took_one();
                self.queue.note_oldest(stamp);
                self.check_oldest(stamp);
                assert_eq!(
                    self.queue.sampled(&self.notes).is_some(),
                    number.is_multiple_of(SAMPLE_EVERY),
                    "9"
                );
            }
            Some(other) => panic!("2: {other:?}"),
            None => assert_eq!(self.next(), None, "2"),
        }
    }

    fn took_one(&mut self) {
        let often = if LANES || self.evicts {
            1
        } else {
            (self.capacity / 4).clamp(1, 256)
        };
        self.taken += 1;
        if self.taken - self.told >= often {
            self.tell();
        }
    }

    /// As an agent does: plain messages for as long as they lie ready.
    fn take_row(&mut self, most: u8) {
        let most = u64::from(most).min(self.queue.plain_run(&self.notes));
        for _ in 0..most {
            let Some(message) = self.notes.take_plain() else {
                break;
            };
            assert_eq!(self.next(), Some(message), "2");
            assert!(
                !self.taken.is_multiple_of(SAMPLE_EVERY),
                "9: a sampled message lies in no row"
            );
            self.took_one();
        }
        self.queue.release_in_steps(&mut self.notes);
    }

    fn check_oldest(&mut self, stamp: Stamp) {
        if !LANES {
            assert!(stamp.bits() >= self.oldest, "8: {} after {}", stamp.bits(), self.oldest);
            self.oldest = stamp.bits();
            assert_eq!(self.queue.oldest(), Some(stamp), "8");
        }
    }

    fn rest(&mut self) {
        while self.admitted > self.taken + self.evicted {
            self.take();
        }
        self.take();
        assert!(self.queue.rest(&mut self.notes), "10");
        self.tell();
        self.is_idle = true;
        assert!(self.queue.is_idle(), "10");
    }

    fn look_ahead(&mut self) {
        self.queue.look_ahead(&mut self.notes);
        self.tell();
        self.is_idle |= self.admitted == self.taken + self.evicted;
        assert_eq!(self.queue.is_idle(), self.is_idle, "10");
        if !LANES
            && !self.evicts
            && let Some(item) = self.next()
        {
            self.ahead.push_front(item);
        }
    }

    fn displace(&mut self, item: Item<LANES>) {
        let has_room = self.wanted(self.line.len()) < self.room();
        match self.queue.displace(parcel(&[item])) {
            Ok((number, Some(oldest))) => {
                assert!(!self.is_closed, "6");
                assert!(
                    !has_room || !self.line.is_empty(),
                    "5: {oldest:?} made room where there was some"
                );
                let expected = self.lanes.iter_mut().rev().find_map(VecDeque::pop_front);
                assert_eq!(Some(unpacked(oldest)), expected.map(|item| vec![item]), "5");
                self.evicted += 1;
                assert_eq!(number, self.admit(&[item]), "5");
            }
            Ok((number, None)) => {
                assert!(!self.is_closed, "6");
                assert!(
                    has_room || self.lanes.iter().all(VecDeque::is_empty),
                    "5: nothing made room"
                );
                assert_eq!(number, self.admit(&[item]), "5");
            }
            Err(back) => {
                assert!(self.is_closed, "6");
                assert_eq!(unpacked(back), [item], "6");
            }
        }
    }

    fn close(&mut self) {
        assert_eq!(self.queue.close(), !std::mem::replace(&mut self.is_closed, true), "6");
        for waiting in &self.line {
            assert!(waiting.woken.0.load(Ordering::Relaxed) > 0, "6: nobody is left waiting");
        }
        while !self.line.is_empty() {
            self.poll_waiting(self.line.len() - 1);
        }
    }

    fn check(&self) {
        assert_eq!(self.queue.capacity(), self.capacity, "7");
        assert_eq!(self.queue.admitted(), self.admitted, "7");
        assert_eq!(self.queue.depth(), self.depth(), "7");
        assert!((self.most_seen..=self.capacity).contains(&self.queue.high_water()), "7");
        assert_eq!(self.queue.is_idle(), self.is_idle, "10");
        assert_eq!(self.bell.0.load(Ordering::Relaxed), self.rings, "10");
        assert_eq!(self.queue.is_closed(), self.is_closed, "6");
        if let Some(first) = self.line.first()
            && self.has_room(0)
        {
            assert!(
                first.woken.0.load(Ordering::Relaxed) > 0,
                "4: the first has room and was not told"
            );
        }
    }

    fn finish(&mut self) {
        while !self.line.is_empty() {
            self.give_up(0);
        }
        let waiting = self.lanes.iter().map(VecDeque::len).sum::<usize>() + self.ahead.len();
        assert_eq!(self.admitted, self.taken + self.evicted + waiting as u64, "11");
        self.rest();
        if !self.is_closed {
            let made = self.make(0);
            let room = (0..=self.capacity)
                .take_while(|_| self.queue.offer(parcel(&[made])).is_ok())
                .count();
            assert_eq!(room as u64, self.capacity, "11");
        }
    }
}

fn parcel<const LANES: bool>(items: &[Item<LANES>]) -> Parcel<Item<LANES>> {
    match *items {
        [message] => Parcel::plain(message),
        _ => Parcel::many(items.to_vec()),
    }
}

fn unpacked<const LANES: bool>(parcel: Parcel<Item<LANES>>) -> Vec<Item<LANES>> {
    parcel.into_content().into_messages()
}

fn compare<const LANES: bool>(capacity: u64, evicts: bool, steps: Vec<Step>) {
    let mut pair = Pair::<LANES>::new(capacity, evicts);
    for step in steps {
        pair.run(step);
        pair.check();
    }
    pair.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_without_lanes_is_its_model(capacity in 1u64..24, steps in vec(step(), 1..120)) {
        compare::<false>(capacity, false, steps);
    }

    #[test]
    fn a_queue_with_lanes_is_its_model(capacity in 1u64..24, steps in vec(step(), 1..120)) {
        compare::<true>(capacity, false, steps);
    }

    #[test]
    fn a_queue_that_drops_its_oldest_is_its_model(capacity in 1u64..24, steps in vec(step(), 1..120)) {
        compare::<false>(capacity, true, steps);
    }

    #[test]
    fn a_queue_with_lanes_that_drops_its_oldest_is_its_model(capacity in 1u64..24, steps in vec(step(), 1..120)) {
        compare::<true>(capacity, true, steps);
    }
}

#[test]
fn what_is_queued_beyond_the_limit_is_made_good_before_the_next_in_line_has_room() {
    let mut pair = Pair::<false>::new(1, true);
    let one = || Step::Wait(vec![0]);
    for step in [Step::Offer(0), one(), one(), one(), Step::Take(1)] {
        pair.run(step);
        pair.check();
    }
    for step in [Step::Displace(0), Step::Take(1), Step::Displace(0)] {
        pair.run(step);
        pair.check();
    }
    pair.poll_waiting(0);
    pair.poll_waiting(0);
    assert_eq!(pair.line.len(), 2, "the first of three had room, and no other");
    pair.finish();
}
