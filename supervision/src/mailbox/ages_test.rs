//! When the oldest message was queued, by a clock the test moves.

use std::time::Duration;

use super::{Notes, Parcel, Queue};
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
