//! When the oldest message was queued, by a clock the test moves.

use std::time::Duration;

use super::{Notes, Parcel, Queue, SAMPLE_EVERY, Stamp};
use crate::clock::Moment;
use crate::message::Message;

const HOUR: Duration = Duration::from_hours(1);
/// What is lost to the stamps' steps.
const SLACK: Duration = Duration::from_millis(1);

#[derive(Debug)]
struct Tick;

impl Message for Tick {}

fn tick() -> Parcel<Tick> {
    Parcel::plain(Tick)
}

fn oldest_age<M: Message>(queue: &Queue<M>) -> Duration {
    queue.oldest().expect("something waits").age(Moment::now())
}

fn assert_about(age: Duration, said: Duration) {
    assert!(
        (said.saturating_sub(SLACK)..=said + SLACK).contains(&age),
        "{age:?} is not about {said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_message_after_rest_is_as_old_as_it_is_however_many_were_dropped_before() {
    let (queue, mut notes) = (Queue::new(1, true), Notes::default());
    for _ in 0..100 {
        queue.displace(tick()).expect("nobody closes it");
    }
    while queue.take(&mut notes).is_some() {}
    assert!(queue.rest(&mut notes));
    tokio::time::advance(HOUR).await;
    queue.offer(tick()).expect("there is room");
    assert_about(oldest_age(&queue), Duration::ZERO);
    tokio::time::advance(HOUR).await;
    assert_about(oldest_age(&queue), HOUR);
}

#[tokio::test(start_paused = true)]
async fn the_message_ahead_tells_its_age_while_nobody_takes_it() {
    let (queue, mut notes) = (Queue::new(8, false), Notes::default());
    queue.offer(tick()).expect("there is room");
    tokio::time::advance(HOUR).await;
    queue.offer(tick()).expect("there is room");
    assert!(queue.take(&mut notes).is_some());
    queue.look_ahead(&mut notes);
    tokio::time::advance(2 * HOUR).await;
    assert_about(oldest_age(&queue), 2 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_at_rest_has_no_oldest_message() {
    let (queue, mut notes) = (Queue::new(8, false), Notes::default());
    assert_eq!(queue.oldest(), None);
    queue.offer(tick()).expect("there is room");
    assert!(queue.take(&mut notes).is_some());
    assert!(queue.oldest().is_some(), "it is in hand");
    assert!(queue.rest(&mut notes));
    assert_eq!(queue.oldest(), None);
}

#[tokio::test(start_paused = true)]
async fn what_comes_next_is_looked_at_where_nothing_is_at_hand() {
    let (queue, mut notes) = (Queue::new(8, false), Notes::default());
    queue.offer(tick()).expect("there is room");
    assert!(queue.take(&mut notes).is_some());
    tokio::time::advance(HOUR).await;
    queue.offer(tick()).expect("there is room");
    tokio::time::advance(HOUR).await;
    queue.look_ahead(&mut notes);
    assert_about(oldest_age(&queue), HOUR);
}

#[tokio::test(start_paused = true)]
async fn where_many_wait_one_in_so_many_is_stamped_by_the_clock_and_the_others_as_the_latest() {
    let (queue, mut notes) = (Queue::new(300, false), Notes::default());
    for _ in 0..300 {
        queue.offer(tick()).expect("there is room");
        tokio::time::advance(HOUR).await;
    }
    let now = Moment::now();
    for number in 0..300 {
        let stamp = queue.take(&mut notes).expect("it waits").stamp();
        let stamped_at = match number {
            0..=16 => number,
            17..128 => 16,
            128..256 => 128,
            _ => 256,
        };
        // A stamp wraps after three days.
        let age = u32::try_from(300 - stamped_at).expect("it is small") * HOUR;
        assert_eq!(stamp, Stamp::at(now - age), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_measured_message_tells_when_it_was_queued() {
    let (queue, mut notes) = (Queue::new(4, false), Notes::default());
    for number in 0..600u64 {
        let at = Moment::now();
        queue.offer(tick()).expect("there is room");
        tokio::time::advance(HOUR).await;
        assert!(queue.take(&mut notes).is_some());
        let measured = number.is_multiple_of(SAMPLE_EVERY).then_some(Some(at));
        assert_eq!(queue.sampled(&notes), measured, "{number}");
    }
}

/// What was measured of each message whose number divides by 256, where `is_asked` says of which it is asked.
fn measured(queue: &Queue<Tick>, many: u64, is_asked: impl Fn(u64) -> bool) -> Vec<Option<bool>> {
    let mut notes = Notes::default();
    let taken = (0..many).map_while(|number| {
        queue.take(&mut notes)?;
        let is_measured = number.is_multiple_of(SAMPLE_EVERY) && is_asked(number);
        let known = is_measured.then(|| queue.sampled(&notes)).flatten();
        Some(known.map(|at| at.is_some()))
    });
    let found: Vec<_> = taken.collect();
    found.into_iter().step_by(256).collect()
}

#[test]
fn one_message_is_measured_at_a_time() {
    let queue = Queue::new(1024, false);
    (0..1024).for_each(|_| drop(queue.offer(tick())));
    let known = [Some(true), Some(false), Some(false), Some(false)];
    assert_eq!(
        measured(&queue, 1024, |_| true),
        known,
        "the others found its place taken"
    );
}

#[test]
fn what_was_measured_of_one_nobody_asked_about_is_not_told_of_a_later_one() {
    let queue = Queue::new(1024, false);
    (0..600).for_each(|_| drop(queue.offer(tick())));
    assert_eq!(
        measured(&queue, 600, |number| number > 0),
        [None, Some(false), Some(false)]
    );
}

#[test]
fn a_message_measured_ahead_stays_so_until_its_turn() {
    let (queue, mut notes) = (Queue::new(1024, false), Notes::default());
    queue.offer(tick()).expect("there is room");
    assert!(queue.take(&mut notes).is_some());
    assert!(queue.sampled(&notes).flatten().is_some());
    // Number 256 lies within it, and is not measured.
    queue
        .offer(Parcel::many((0..300).map(|_| Tick).collect()))
        .expect("there is room");
    (301..600).for_each(|_| drop(queue.offer(tick())));
    let mut known = Vec::new();
    while queue.take(&mut notes).is_some() {
        known.extend(queue.sampled(&notes).map(|at| at.is_some()));
    }
    assert_eq!(known, [false, true], "of 256 and of 512");
}

#[test]
fn nothing_is_known_of_what_may_be_passed_or_pushed_out() {
    let queue = Queue::new(8, true);
    for _ in 0..8 {
        queue.offer(tick()).expect("there is room");
    }
    assert_eq!(measured(&queue, 8, |_| true), [Some(false)]);
}
