//! Dead letters, redelivery and poison.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join;
use triarch_supervision::dead_letter::{DeadReason, KEPT_LETTERS, ReplayError};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Say, grow, one, pause, puppet, team};
use crate::patience::{SECOND, node_until, quiet, soon, until};

/// A message of which a copy is kept while it is handled.
#[derive(Clone, Debug)]
struct Work {
    number: u32,
    /// How many more times handling it goes wrong.
    crashes: Arc<AtomicU32>,
}

impl Message for Work {
    const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::cloned(2));
}

struct Worker(Log);

impl Agent for Worker {
    type Message = Work;
    type Spec = Log;
    async fn start(log: Log, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(log))
    }
    async fn handle(&mut self, work: Work, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.0
            .write(format!("life {} takes {}", ctx.incarnation(), work.number));
        let left = work.crashes.load(Ordering::SeqCst);
        if left > 0 {
            work.crashes.store(left - 1, Ordering::SeqCst);
            return Err(Failure::new("cannot digest it"));
        }
        Ok(())
    }
}

fn work(number: u32, crashes: u32) -> Work {
    Work {
        number,
        crashes: Arc::new(AtomicU32::new(crashes)),
    }
}

struct Shop {
    log: Log,
    tree: Tree,
    address: Address<Work>,
}

async fn shop(shape: impl FnOnce(Child<Worker>) -> Child<Worker>) -> Shop {
    let log = Log::default();
    let child = shape(Child::of::<Worker>("worker", log.clone()));
    let address = child.address();
    Shop {
        tree: grow(team().child(child)).await,
        log,
        address,
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_handling_crashed_is_handed_out_again_before_all_others() {
    let shop = shop(|child| child).await;
    shop.address.send_many(vec![work(1, 2), work(2, 0)]).await.unwrap();
    until("both are done", || shop.log.has("life 3 takes 2")).await;
    assert_eq!(
        shop.log.lines(),
        ["life 1 takes 1", "life 2 takes 1", "life 3 takes 1", "life 3 takes 2"]
    );
    assert_eq!(shop.tree.observer().dead_letters().total(), 0);
    shop.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn so_is_one_in_the_middle_of_many() {
    let shop = shop(|child| child).await;
    let batch = (0..20).map(|number| work(number, u32::from(number == 5))).collect();
    shop.address.send_many(batch).await.unwrap();
    until("all are done", || shop.log.has("life 2 takes 19")).await;
    assert!(shop.log.has("life 1 takes 5") && shop.log.has("life 2 takes 5"));
    assert_eq!(shop.tree.observer().dead_letters().total(), 0);
    shop.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn poison_is_set_aside_with_its_cause_after_the_last_delivery_and_can_be_replayed() {
    let shop = shop(|child| child).await;
    shop.address.send_many(vec![work(1, 3), work(2, 0)]).await.unwrap();
    until("the queue behind it goes on", || shop.log.has("life 4 takes 2")).await;
    assert_eq!(
        shop.log.lines().len(),
        4,
        "three deliveries, then the next: {:?}",
        shop.log.lines()
    );
    let observer = shop.tree.observer();
    let letters = observer.dead_letters();
    let letter = letters.list().pop().unwrap();
    assert_eq!(
        (letter.reason, &*letter.to, letter.can_replay),
        (DeadReason::Poison, "team/worker", true)
    );
    assert_eq!(letter.cause.unwrap().to_string(), "failed: cannot digest it");
    assert!(letter.message_type.ends_with("Work"));
    assert_eq!(letters.replay(letter.number), Ok(()));
    until("the replayed one is handled", || shop.log.has("life 4 takes 1")).await;
    assert_eq!((letters.list().len(), letters.count(DeadReason::Poison)), (0, 1));
    let letter = letter.number;
    assert_eq!(letters.replay(letter), Err(ReplayError::NotFound { letter }));
    shop.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_behind_poison_waits_one_backoff_step_for_each_delivery() {
    let backoff = Backoff {
        jitter: 0.0,
        factor: 1.0,
        ..Backoff::exponential(SECOND, SECOND)
    };
    let shop = shop(|child| child.backoff(backoff)).await;
    let begun = tokio::time::Instant::now();
    shop.address.send_many(vec![work(1, 9), work(2, 0)]).await.unwrap();
    until("the queue behind it goes on", || shop.log.has("life 4 takes 2")).await;
    assert_eq!(begun.elapsed().as_secs(), 3);
    shop.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_in_the_hand_of_a_killed_agent_is_handed_out_again() {
    let shop = shop(|child| child).await;
    let observer = shop.tree.observer();
    shop.address.send(work(1, 0)).await.unwrap();
    until("it is handled", || shop.log.has("life 1 takes 1")).await;
    observer.supervisor("team").unwrap().kill_child("worker").await.unwrap();
    node_until(&shop.tree, "team/worker", |node| node.incarnation == 2).await;
    quiet().await;
    assert_eq!(
        shop.log.lines().len(),
        1,
        "a message that was handled well is not handed out again"
    );
    shop.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_type_keeps_no_copy_is_a_dead_letter_when_it_crashes() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    address.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/a", |node| node.incarnation == 2).await;
    let observer = tree.observer();
    let letters = observer.dead_letters();
    let letter = letters.list().pop().unwrap();
    assert_eq!((letter.reason, letter.can_replay), (DeadReason::Crashed, false));
    assert!(
        letter
            .cause
            .unwrap()
            .to_string()
            .starts_with("panicked: told to panic (supervision/tests/")
    );
    let error = letters.replay(letter.number).unwrap_err();
    assert!(matches!(&error, ReplayError::NotKept { path, .. } if **path == *"team/a"));
    let said = "dead letter 1 to team/a is kept without its message: ";
    assert!(error.to_string().starts_with(said), "{error}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_a_mailbox_that_closes_becomes_dead_letters() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    pause(&tree).await;
    address.send_many((0..5).map(Say::Note).collect()).await.unwrap();
    let team = tree.observer().supervisor("team").unwrap();
    team.terminate_child("a").await.unwrap();
    assert_eq!(tree.observer().dead_letters().total(), 0, "it may be started again");
    team.delete_child("a").await.unwrap();
    assert_eq!(tree.observer().dead_letters().count(DeadReason::Closed), 5);
    assert_eq!(address.figures().depth, 0);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_to_nobody_comes_back_and_is_counted() {
    let tree = grow(team()).await;
    let refused = tree.observer().send_to("team/ghost", Say::Note(1)).await.unwrap_err();
    assert!(matches!(refused.message, Say::Note(1)));
    let observer = tree.observer();
    let letters = observer.dead_letters();
    assert_eq!(letters.count(DeadReason::NoSuchAgent), 1);
    assert_eq!(&*letters.list()[0].to, "team/ghost");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn all_dead_letters_are_counted_and_the_last_are_kept_for_display() {
    let (tree, address) = one(puppet("a", &Log::default()).capacity(1).overflow(Overflow::DropNewest)).await;
    pause(&tree).await;
    for number in 0..2001 {
        address.try_send(Say::Note(number)).unwrap();
    }
    let observer = tree.observer();
    let letters = observer.dead_letters();
    assert_eq!(
        (letters.count(DeadReason::Full), letters.list().len()),
        (2000, KEPT_LETTERS)
    );
    assert_eq!(letters.list()[0].number, 2000 - KEPT_LETTERS as u64 + 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_finds_no_room_or_nobody_keeps_the_letter() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(1).overflow(Overflow::DropNewest)).await;
    pause(&tree).await;
    for number in 0..2 {
        address.try_send(Say::Note(number)).unwrap();
    }
    let observer = tree.observer();
    let letters = observer.dead_letters();
    let number = letters.list()[0].number;
    let full = ReplayError::Full {
        letter: number,
        path: Arc::from("team/a"),
    };
    assert_eq!(letters.replay(number), Err(full), "no room");
    tree.observer().resume("team/a").unwrap();
    until("there is room", || log.has("a note 0")).await;
    assert_eq!(letters.replay(number), Ok(()));
    until("it is handled", || log.has("a note 1")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_letter_waits_for_its_addressee_to_come_back() {
    let log = Log::default();
    let tree = grow(team()).await;
    let team = tree.observer().supervisor("team").unwrap();
    let shape = |child: Child<_>| {
        child
            .capacity(1)
            .overflow(Overflow::DropNewest)
            .restart(Restart::Temporary)
    };
    let (address, _) = team.start_child(shape(puppet("a", &log))).await.unwrap();
    pause(&tree).await;
    for number in 0..2 {
        address.try_send(Say::Note(number)).unwrap();
    }
    team.terminate_child("a").await.unwrap();
    let observer = tree.observer();
    let letters = observer.dead_letters();
    let number = letters.list()[0].number;
    let closed = ReplayError::Closed {
        letter: number,
        path: Arc::from("team/a"),
    };
    assert_eq!(letters.replay(number), Err(closed), "nobody is there");
    team.start_child(shape(puppet("a", &log))).await.unwrap();
    assert_eq!(letters.replay(number), Ok(()));
    until("it is handled", || log.has("a note 1")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_gone_keeps_no_message_alive() {
    struct Token(#[expect(dead_code, reason = "held, not read")] Arc<()>);
    impl Message for Token {}
    struct Sink;
    impl Agent for Sink {
        type Message = Token;
        type Spec = ();
        async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self)
        }
        async fn handle(&mut self, _: Token, _: &mut Context<Self>) -> Result<(), Failure> {
            Ok(())
        }
    }
    let token = Arc::new(());
    let (tree, address) = one(Child::of::<Sink>("sink", ()).handle_within(SECOND, OnStuck::Report)).await;
    tree.observer().pause("team/sink").unwrap();
    quiet().await;
    address.send(Token(Arc::clone(&token))).await.unwrap();
    soon("it stops", tree.stop()).await;
    assert_eq!(
        (tree.observer().dead_letters().total(), Arc::strong_count(&token)),
        (1, 2)
    );
    drop((tree, address));
    until("all is let go", || Arc::strong_count(&token) == 1).await;
}

/// A question of which a copy is kept while it is handled; the copies share its reply.
#[derive(Clone)]
struct Riddle {
    reply: Arc<Mutex<Option<Reply<u32>>>>,
    crashes: u32,
}

impl Riddle {
    fn new(crashes: u32) -> impl FnOnce(Reply<u32>) -> Self {
        move |reply| Self {
            reply: Arc::new(Mutex::new(Some(reply))),
            crashes,
        }
    }
}

impl Message for Riddle {
    const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::cloned(2));
}

/// Fails at a riddle as often as the riddle says, and answers with the number of its life.
struct Solver;

impl Agent for Solver {
    type Message = Riddle;
    type Spec = ();
    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }
    async fn handle(&mut self, riddle: Riddle, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if ctx.incarnation() <= u64::from(riddle.crashes) {
            return Err(Failure::new("too hard"));
        }
        let reply = riddle.reply.lock().unwrap().take().unwrap();
        reply.send(u32::try_from(ctx.incarnation()).unwrap());
        Ok(())
    }
}

fn unanswered(why: NoAnswer) -> Result<u32, AskError> {
    let from = Arc::from("team/solver");
    Err(AskError::NotAnswered { from, why })
}

/// What becomes of a riddle that is too hard for so many lives.
async fn riddle(crashes: u32) -> Result<u32, AskError> {
    let (tree, address) = one(Child::of::<Solver>("solver", ())).await;
    let answer = soon("an answer", address.ask(Riddle::new(crashes))).await;
    tree.stop().await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_copy_kept_the_reply_is_answered_by_a_later_life() {
    assert_eq!(riddle(0).await, Ok(1));
    assert_eq!(riddle(2).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn an_asker_whose_question_is_poison_is_told_so() {
    assert_eq!(riddle(3).await, unanswered(NoAnswer::Poison));
}

#[tokio::test(start_paused = true)]
async fn an_asker_whose_question_waits_to_be_handed_out_again_is_told_when_the_mailbox_closes() {
    let backoff = Backoff::exponential(SECOND, SECOND);
    let (tree, address) = one(Child::of::<Solver>("solver", ()).backoff(backoff)).await;
    let stop = async {
        node_until(&tree, "team/solver", |node| node.state == Phase::Backoff).await;
        tree.stop().await
    };
    let (answer, _) = soon("an answer", join(address.ask(Riddle::new(9)), stop)).await;
    assert_eq!(answer, unanswered(NoAnswer::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_question_nobody_waits_for_any_more_is_not_handed_out_again() {
    let backoff = Backoff::exponential(SECOND, SECOND);
    let (tree, address) = one(Child::of::<Solver>("solver", ()).backoff(backoff)).await;
    let error = address.ask_within(SECOND / 10, Riddle::new(1)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    node_until(&tree, "team/solver", |node| node.state == Phase::Idle).await;
    quiet().await;
    let letters = tree.observer().dead_letters();
    assert_eq!(letters.count(DeadReason::Expired), 1);
    assert_eq!(letters.total(), 1);
    tree.stop().await;
}
