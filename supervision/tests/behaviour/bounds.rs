//! Mailboxes: their bound, and what happens at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Puppet, Say, Script, Start, grow, one, pause, puppet, scripted, team};
use crate::patience::{SECOND, node_until, not_yet, quiet, soon, until};

/// Sends until the mailbox is full; how many it took.
pub(crate) fn fill(address: &Address<Say>) -> u32 {
    (0..100_000)
        .find(|number| address.try_send(Say::Note(*number)).is_err())
        .unwrap()
}

/// Makes a puppet wait in its handler until the semaphore has a permit.
pub(crate) fn hold(gate: &Arc<Semaphore>) -> Say {
    let gate = Arc::clone(gate);
    Say::act(move |_, _| {
        Box::pin(async move {
            gate.acquire().await?.forget();
            Ok(())
        })
    })
}

fn notes(log: &Log) -> Vec<u32> {
    log.after("a note ")
        .iter()
        .map(|number| number.parse().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_holds_a_thousand_and_twenty_four_where_nothing_is_said() {
    let child = puppet("a", &Log::default());
    assert_eq!(fill(&child.address()), 1024);
}

#[tokio::test(start_paused = true)]
async fn messages_sent_before_the_tree_starts_wait_for_it() {
    let log = Log::default();
    let child = puppet("a", &log).capacity(4);
    let address = child.address();
    assert_eq!(fill(&address), 4);
    assert_eq!((&*address.path(), address.figures().depth), ("a", 4));
    let tree = grow(team().child(child)).await;
    until("all are handled", || notes(&log) == [0, 1, 2, 3]).await;
    assert_eq!(&*address.path(), "team/a");
    assert!(tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_holds_its_sender_back_and_fails_nobody() {
    let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
    let slow = puppet("a", &log).capacity(2);
    let sender = puppet("b", &log);
    let (to, from) = (slow.address(), sender.address());
    let tree = grow(team().child(slow).child(sender)).await;
    to.send(hold(&gate)).await.unwrap();
    quiet().await;
    let target = to.clone();
    let say = Say::act(move |puppet: &mut Puppet, _| {
        Box::pin(async move {
            for number in 0..5 {
                target.send(Say::Note(number)).await?;
            }
            puppet.write("is through");
            Ok(())
        })
    });
    from.send(say).await.unwrap();
    quiet().await;
    assert!(!log.has("b is through"), "room for two, five to send");
    assert_eq!(to.figures().depth, 2);
    gate.add_permits(1);
    until("the sender is through", || log.has("b is through")).await;
    until("all are handled", || notes(&log) == [0, 1, 2, 3, 4]).await;
    let node = node_until(&tree, "team/b", |_| true).await;
    assert_eq!((node.incarnation, node.last_exit), (1, None), "the sender did not fail");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_that_rejects_gives_the_message_back_and_says_why() {
    let child = puppet("a", &Log::default()).capacity(1).overflow(Overflow::Reject);
    let address = child.address();
    address.send(Say::Note(1)).await.unwrap();
    let refused = address.send(Say::Note(2)).await.unwrap_err();
    assert!(matches!(refused.message, Say::Note(2)));
    assert_eq!(refused.why, Refusal::Full);
    assert_eq!(
        refused.to_string(),
        "cannot send to a: its mailbox is full; send later, wait with `send`, or give it a larger capacity"
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_that_drops_the_newest_makes_dead_letters_of_what_comes() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(2).overflow(Overflow::DropNewest)).await;
    pause(&tree).await;
    for number in 0..5 {
        address.send(Say::Note(number)).await.unwrap();
    }
    assert_eq!(tree.observer().dead_letters().count(DeadReason::Full), 3);
    assert_eq!(address.figures().dropped, 3);
    tree.observer().resume("team/a").unwrap();
    until("the oldest are handled", || notes(&log) == [0, 1]).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_that_drops_the_oldest_keeps_the_newest() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(3).overflow(Overflow::DropOldest)).await;
    pause(&tree).await;
    address.send(Say::Note(0)).await.unwrap();
    tree.observer().request_state("team/a").unwrap();
    quiet().await;
    for number in 1..6 {
        address.try_send(Say::Note(number)).unwrap();
    }
    assert_eq!(tree.observer().dead_letters().count(DeadReason::Full), 3);
    tree.observer().resume("team/a").unwrap();
    until("the newest are handled", || notes(&log).len() == 3).await;
    assert_eq!(notes(&log), [3, 4, 5]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_of_one_that_drops_the_oldest_takes_a_newer_one_while_its_agent_is_down() {
    let log = Log::default();
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(SECOND, SECOND)
    };
    let (tree, address) = one(puppet("a", &log)
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .backoff(backoff))
    .await;
    let other = address.clone();
    let crash = Say::act(move |_, _| {
        Box::pin(async move {
            other.try_send(Say::Note(1))?;
            Err(Failure::new("with one waiting"))
        })
    });
    address.send(crash).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    address.try_send(Say::Note(2)).unwrap();
    until("the newer one is handled", || notes(&log) == [2]).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_while_the_agent_is_paused() {
    let (tree, address) = one(puppet("a", &Log::default()).capacity(4)).await;
    pause(&tree).await;
    let mut taken = fill(&address);
    quiet().await;
    taken += fill(&address);
    assert_eq!((taken, address.figures().depth), (4, 4));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_while_the_agent_is_in_its_handler() {
    let (tree, address) = one(puppet("a", &Log::default()).capacity(4)).await;
    let gate = Arc::new(Semaphore::new(0));
    address.send(hold(&gate)).await.unwrap();
    quiet().await;
    assert_eq!(fill(&address), 4, "the one in hand has left its room");
    quiet().await;
    assert_eq!(fill(&address), 0);
    gate.add_permits(1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_while_the_agent_restarts_and_the_whole_room_is_there() {
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(SECOND, SECOND)
    };
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(8).backoff(backoff)).await;
    address.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    assert_eq!((fill(&address), address.figures().depth), (8, 8));
    quiet().await;
    assert_eq!(fill(&address), 0);
    until("all are handled by the next life", || {
        notes(&log) == (0..8).collect::<Vec<_>>()
    })
    .await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_small_mailbox_does_not_lock_up_a_start_that_others_send_to() {
    let (log, sent) = (Log::default(), Arc::new(AtomicU32::new(0)));
    let child = scripted("a", Script::new(&log).start(Start::Takes(SECOND))).capacity(1);
    let address = child.address();
    let senders = join_all((0..50).map(|number| {
        let (address, sent) = (address.clone(), &sent);
        async move {
            address.send(Say::Note(number)).await.unwrap();
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let (tree, _) = soon("the start and all senders", join(grow(team().child(child)), senders)).await;
    until("all are handled", || notes(&log).len() == 50).await;
    assert_eq!(notes(&log), (0..50).collect::<Vec<_>>(), "first come, first served");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_overfills_its_own_small_mailbox_fails_and_names_the_circle() {
    struct Eager;
    impl Agent for Eager {
        type Message = Say;
        type Spec = ();
        async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
            for number in 0..3 {
                ctx.address().send(Say::Note(number)).await?;
            }
            Ok(Self)
        }
        async fn handle(&mut self, _: Say, _: &mut Context<Self>) -> Result<(), Failure> {
            Ok(())
        }
    }
    let started = Root::new()
        .supervisor(team().child(Child::of::<Eager>("eager", ()).capacity(2)))
        .start();
    let error = soon("the start fails", started).await.unwrap_err().to_string();
    assert!(
        error.contains("team/eager → team/eager; answer later, or send without waiting"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_overfills_a_later_siblings_mailbox_ends_with_its_time() {
    struct Chatty;
    impl Agent for Chatty {
        type Message = Say;
        type Spec = Address<Say>;
        async fn start(to: Address<Say>, _: &mut Context<Self>) -> Result<Self, Failure> {
            for number in 0..3 {
                to.send(Say::Note(number)).await?;
            }
            Ok(Self)
        }
        async fn handle(&mut self, _: Say, _: &mut Context<Self>) -> Result<(), Failure> {
            Ok(())
        }
    }
    let later = puppet("later", &Log::default()).capacity(1);
    let first = Child::of::<Chatty>("first", later.address()).start_within(SECOND);
    let started = Root::new().supervisor(team().child(first).child(later)).start();
    let error = soon("the start fails", started).await.unwrap_err().to_string();
    assert!(
        error.contains("child first did not start: did not start within 1s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sender_held_back_is_turned_away_when_the_agent_leaves_the_tree() {
    let (tree, address) = one(puppet("a", &Log::default()).capacity(1)).await;
    let team = tree.observer().supervisor("team").unwrap();
    pause(&tree).await;
    fill(&address);
    let mut held = Box::pin(address.send(Say::Note(9)));
    not_yet(&mut held).await;
    team.terminate_child("a").await.unwrap();
    not_yet(&mut held).await;
    let turned_away = async {
        let refused = soon("the sender is turned away", held).await.unwrap_err();
        assert!(matches!(
            (refused.message, refused.why),
            (Say::Note(9), Refusal::Closed)
        ));
    };
    let deleting = async {
        quiet().await;
        team.delete_child("a").await.unwrap();
    };
    // Unlike in a join, each is looked at only where it is woken itself.
    let both = FuturesUnordered::from_iter([turned_away.boxed_local(), deleting.boxed_local()]);
    assert_eq!(both.count().await, 2);
    assert!(address.is_closed());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn figures_tell_depth_high_water_and_the_oldest_age() {
    let (tree, address) = one(puppet("a", &Log::default()).capacity(16)).await;
    assert_eq!(address.figures().oldest_age, None);
    pause(&tree).await;
    for number in 0..3 {
        address.send(Say::Note(number)).await.unwrap();
    }
    tokio::time::advance(5 * SECOND).await;
    let figures = address.figures();
    assert_eq!(
        (figures.depth, figures.enqueued, figures.handled, figures.capacity),
        (3, 3, 0, 16)
    );
    let age = figures.oldest_age.unwrap();
    assert!(
        (Duration::from_millis(4990)..Duration::from_millis(5100)).contains(&age),
        "{age:?}"
    );
    tree.observer().resume("team/a").unwrap();
    until("all are handled", || address.figures().handled == 3).await;
    quiet().await;
    let figures = address.figures();
    assert_eq!((figures.depth, figures.high_water, figures.oldest_age), (0, 3, None));
    tree.stop().await;
}

/// Whose `idle` waits until the test lets it go.
struct Tidy(Arc<Semaphore>, Log);

enum Word {
    Said,
}

impl Message for Word {}

impl Agent for Tidy {
    type Message = Word;
    type Spec = (Arc<Semaphore>, Log);

    async fn start((leave, log): Self::Spec, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(leave, log))
    }

    async fn handle(&mut self, Word::Said: Word, _: &mut Context<Self>) -> Result<(), Failure> {
        self.1.write("heard");
        Ok(())
    }

    async fn idle(&mut self, _: &mut Context<Self>) -> Result<(), Failure> {
        self.1.write("tidies up");
        self.0.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_room_for_others_while_an_agent_with_an_empty_mailbox_tidies_up() {
    let (leave, log) = (Arc::new(Semaphore::new(1)), Log::default());
    let (tree, address) = one(Child::of::<Tidy>("a", (Arc::clone(&leave), log.clone())).capacity(8)).await;
    address.send(Word::Said).await.unwrap();
    until("it tidies up again", || log.count("tidies up") == 2).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!((address.figures().depth, address.figures().oldest_age), (0, None));
    for room in 0..8 {
        assert!(address.try_send(Word::Said).is_ok(), "room for {room}");
    }
    assert!(address.try_send(Word::Said).is_err());
    leave.add_permits(8);
    until("all are handled", || log.count("heard") == 9).await;
    tree.stop().await;
}
