//! Mailboxes: the order of messages.

use std::sync::{Arc, Mutex};

use triarch_supervision::prelude::*;

use crate::agents::{Log, Say, grow, one, puppet, team};
use crate::patience::{quiet, until};

type Seen = Arc<Mutex<Vec<(Priority, u32)>>>;

#[derive(Debug)]
struct Letter(Priority, u32);

impl Message for Letter {
    const PRIORITY: Option<fn(&Self) -> Priority> = Some(|letter| letter.0);
}

struct Clerk(Seen);

impl Agent for Clerk {
    type Message = Letter;
    type Spec = Seen;
    async fn start(seen: Seen, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(seen))
    }
    async fn handle(&mut self, Letter(priority, number): Letter, _: &mut Context<Self>) -> Result<(), Failure> {
        self.0.lock().unwrap().push((priority, number));
        Ok(())
    }
}

fn clerk() -> (Child<Clerk>, Address<Letter>, Seen) {
    let seen = Seen::default();
    let child = Child::of::<Clerk>("clerk", Arc::clone(&seen)).capacity(4096);
    let address = child.address();
    (child, address, seen)
}

#[tokio::test(start_paused = true)]
async fn one_senders_messages_are_handled_in_their_order_whatever_the_way_they_were_sent() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(3)).await;
    let mut next = 0..;
    let mut number = || next.next().unwrap();
    for _ in 0..40 {
        address.send(Say::Note(number())).await.unwrap();
        address
            .send_before(Moment::now() + crate::patience::SECOND, Say::Note(number()))
            .await
            .unwrap();
        let batch = (0..7).map(|_| Say::Note(number())).collect();
        address.send_many(batch).await.unwrap();
        if let Err(back) = address.try_send(Say::Note(number())) {
            address.send(back.message).await.unwrap();
        }
        assert_eq!(address.ask(|reply| Say::Echo(1, reply)).await, Ok(1));
    }
    let expected: Vec<_> = (0..400).map(|number| number.to_string()).collect();
    assert_eq!(log.after("a note "), expected);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn higher_lanes_go_first_and_equal_priorities_keep_their_order() {
    let (child, address, seen) = clerk();
    for number in 0..3 {
        for priority in Priority::ALL.into_iter().rev() {
            address.send(Letter(priority, number)).await.unwrap();
        }
    }
    let tree = grow(team().child(child)).await;
    until("all are handled", || seen.lock().unwrap().len() == 15).await;
    let seen = seen.lock().unwrap();
    for priority in Priority::ALL {
        let numbers: Vec<_> = seen
            .iter()
            .filter(|(lane, _)| *lane == priority)
            .map(|(_, number)| *number)
            .collect();
        assert_eq!(numbers, [0, 1, 2], "{priority:?}");
    }
    let place = |priority| {
        seen.iter()
            .position(|(lane, number)| *lane == priority && *number == 2)
            .unwrap()
    };
    let last: Vec<_> = Priority::ALL.into_iter().map(place).collect();
    assert!(last.is_sorted(), "{last:?}");
    assert!(
        seen[..3].iter().all(|(lane, _)| *lane == Priority::Critical),
        "{seen:?}"
    );
    drop(tree);
}

#[tokio::test(start_paused = true)]
async fn no_lane_starves_each_is_served_once_in_sixteen() {
    let (child, address, seen) = clerk();
    for number in 0..600 {
        address.send(Letter(Priority::Critical, number)).await.unwrap();
    }
    for priority in &Priority::ALL[1..] {
        for number in 0..30 {
            address.send(Letter(*priority, number)).await.unwrap();
        }
    }
    let tree = grow(team().child(child)).await;
    until("all are handled", || seen.lock().unwrap().len() == 720).await;
    let seen = seen.lock().unwrap();
    for priority in Priority::ALL {
        let places: Vec<_> = (0..)
            .zip(&*seen)
            .filter(|(_, (lane, _))| *lane == priority)
            .map(|(place, _)| place)
            .collect();
        let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(places[0] < 16 && widest <= 16, "{priority:?}: {widest}");
    }
    assert!(
        seen[..32]
            .iter()
            .filter(|(lane, _)| *lane == Priority::Critical)
            .count()
            >= 20
    );
    drop(tree);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_message_overtakes_those_that_came_while_the_agent_was_paused() {
    let (child, address, seen) = clerk();
    let tree = grow(team().child(child)).await;
    tree.observer().pause("team/clerk").unwrap();
    quiet().await;
    address.send(Letter(Priority::Background, 1)).await.unwrap();
    tree.observer().request_state("team/clerk").unwrap();
    quiet().await;
    address.send(Letter(Priority::Critical, 2)).await.unwrap();
    tree.observer().resume("team/clerk").unwrap();
    until("both are handled", || seen.lock().unwrap().len() == 2).await;
    assert_eq!(seen.lock().unwrap()[0].0, Priority::Critical);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_travels_in_its_lanes() {
    let (child, address, seen) = clerk();
    let batch = [
        (Priority::Low, 1),
        (Priority::High, 1),
        (Priority::Low, 2),
        (Priority::High, 2),
    ];
    address
        .send_many(batch.map(|(priority, number)| Letter(priority, number)).into())
        .await
        .unwrap();
    let tree = grow(team().child(child)).await;
    until("all are handled", || seen.lock().unwrap().len() == 4).await;
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (Priority::High, 1),
            (Priority::High, 2),
            (Priority::Low, 1),
            (Priority::Low, 2)
        ]
    );
    tree.stop().await;
}
