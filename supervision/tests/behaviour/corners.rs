//! Where several rare things meet.

use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Say, Script, Start, grow, kill_agent, one, one_in, pause, puppet, scripted, team};
use crate::patience::{SECOND, node_until, quiet, soon, until};

const HOUR: Duration = Duration::from_hours(1);

// ---- copies ----

type Shared = Arc<Mutex<Option<Reply<u32>>>>;

#[derive(Clone)]
enum Job {
    Note(u32),
    /// Fails in its timer's message.
    Later,
    Fail,
    Ask(Shared),
    NoCopy(Shared),
}

impl Message for Job {
    const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::new(2, |job| {
        assert!(!matches!(job, Self::NoCopy(_)), "there is no copy of it");
        Some(job.clone())
    }));
}

struct Jobber(Log);

impl Agent for Jobber {
    type Message = Job;
    type Spec = Log;
    async fn start(log: Log, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(log))
    }
    async fn handle(&mut self, job: Job, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match job {
            Job::Note(number) => self.0.write(format!("note {number}")),
            Job::Later => {
                self.0.write("later");
                ctx.send_after(SECOND, Job::Fail);
            }
            Job::Fail => return Err(Failure::new("told to")),
            Job::Ask(reply) | Job::NoCopy(reply) => drop(reply),
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_crashes_its_handler_brings_no_message_back_that_was_handled() {
    let log = Log::default();
    let (tree, address) = one(Child::of::<Jobber>("a", log.clone())).await;
    address.send(Job::Later).await.unwrap();
    node_until(&tree, "team/a", |node| node.incarnation == 2).await;
    quiet().await;
    assert_eq!(log.lines(), ["later"]);
    let figures = address.figures();
    assert_eq!((figures.enqueued, figures.handled, figures.failed), (2, 1, 1));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_with_a_shared_reply_hears_that_it_was_not_used() {
    let (tree, address) = one(Child::of::<Jobber>("a", Log::default())).await;
    let ask = |reply| Job::Ask(Arc::new(Mutex::new(Some(reply))));
    let answer = address.ask_within(HOUR, ask).await;
    let Err(AskError::NotAnswered { why, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(why, NoAnswer::Unanswered);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_what_cannot_be_copied_hears_of_the_crash() {
    let (tree, address) = one(Child::of::<Jobber>("a", Log::default())).await;
    let ask = |reply| Job::NoCopy(Arc::new(Mutex::new(Some(reply))));
    let answer = address.ask_within(HOUR, ask).await;
    let Err(AskError::NotAnswered { why, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(why, NoAnswer::Crashed);
    address.send(Job::Note(1)).await.unwrap();
    quiet().await;
    let figures = address.figures();
    assert_eq!((figures.enqueued, figures.handled, figures.failed), (2, 1, 1));
    tree.stop().await;
}

// ---- drops that panic ----

/// Panics when the last of its clones is dropped, once armed.
#[derive(Clone)]
struct Mine {
    _charge: Arc<Charge>,
}

struct Charge(Arc<AtomicBool>);

impl Drop for Charge {
    fn drop(&mut self) {
        assert!(!self.0.load(Ordering::SeqCst), "the specification goes off");
    }
}

struct Miner;

impl Agent for Miner {
    type Message = Say;
    type Spec = Mine;
    async fn start(_: Mine, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }
    async fn handle(&mut self, _: Say, _: &mut Context<Self>) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_specification_whose_drop_panics_harms_no_supervisor() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log))).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let mine = Mine {
        _charge: Arc::new(Charge(Arc::clone(&armed))),
    };
    let child = Child::of::<Miner>("m", mine).restart(Restart::Temporary);
    handle.start_child(child).await.unwrap();
    quiet().await;
    armed.store(true, Ordering::SeqCst);
    handle.terminate_child("m").await.unwrap();
    quiet().await;
    assert_eq!(log.lines(), ["a starts 1"]);
    let team = tree.observer().node("team").unwrap();
    assert_eq!(team.incarnation, 1);
    tree.stop().await;
}

/// Panics with itself when it is dropped.
struct Grenade(bool);

impl Drop for Grenade {
    fn drop(&mut self) {
        if self.0 {
            panic_any(Grenade(false));
        }
    }
}

/// A payload whose drop panics.
fn blow_up() -> ! {
    panic_any(Grenade(true))
}

#[tokio::test(start_paused = true)]
async fn a_panic_whose_payload_panics_is_told_as_a_panic() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    address.send(Say::act(|_, _| blow_up())).await.unwrap();
    let node = node_until(&tree, "team/a", |node| node.incarnation == 2).await;
    assert!(
        matches!(node.last_exit, Some(ExitReason::Panic(_))),
        "{:?}",
        node.last_exit
    );
    tree.stop().await;
}

/// Its drop panics with what panics when dropped.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            blow_up();
        }
    }
}

impl Message for Trap {}

struct Trapper;

impl Agent for Trapper {
    type Message = Trap;
    type Spec = ();
    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }
    async fn handle(&mut self, trap: Trap, _: &mut Context<Self>) -> Result<(), Failure> {
        std::mem::forget(trap);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_drop_panics_twice_harms_no_supervisor() {
    use triarch_supervision::dead_letter::KEPT_LETTERS;
    let log = Log::default();
    let child = Child::of::<Trapper>("t", ());
    let address = child.address();
    let tree = grow(team().child(puppet("a", &log)).child(child)).await;
    tree.observer().pause("team/t").unwrap();
    quiet().await;
    for _ in 0..=KEPT_LETTERS.min(1000) {
        std::mem::forget(address.try_send(Trap));
    }
    let handle = tree.observer().supervisor("team").unwrap();
    handle.terminate_child("t").await.unwrap();
    handle.delete_child("t").await.unwrap();
    // More letters push these out.
    for _ in 0..2 * KEPT_LETTERS {
        drop(tree.observer().send_to("team/nobody", Say::Note(1)).await);
    }
    quiet().await;
    assert_eq!(log.lines(), ["a starts 1"]);
    assert_eq!(tree.observer().node("team").unwrap().incarnation, 1);
    tree.stop().await;
}

// ---- figures ----

#[tokio::test(start_paused = true)]
async fn a_wait_without_end_between_restarts_is_none_that_ends_the_supervisor() {
    let log = Log::default();
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(Duration::MAX, Duration::MAX)
    };
    let child = puppet("a", &log).backoff(backoff);
    let (tree, address) = one(child).await;
    address.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    assert_eq!(tree.observer().node("team").unwrap().incarnation, 1);
    assert!(tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_of_an_agent_that_is_down_tells_the_age_of_what_came_since() {
    let log = Log::default();
    let waits = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(HOUR, HOUR)
    };
    let (tree, address) = one(puppet("a", &log).backoff(waits)).await;
    address.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    tokio::time::sleep(HOUR / 4).await;
    assert_eq!(address.figures().oldest_age, None);
    address.send(Say::Note(1)).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let age = address.figures().oldest_age.unwrap();
    assert!(age < 2 * SECOND, "{age:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_of_a_paused_agent_tells_the_age_of_what_came_since() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let pausing = tree.observer();
    address
        .send(Say::act(move |_, _| {
            pausing.pause("team/a").unwrap();
            Box::pin(async { Ok(()) })
        }))
        .await
        .unwrap();
    tokio::time::sleep(HOUR / 4).await;
    assert_eq!(address.figures().oldest_age, None);
    address.send(Say::Note(1)).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let age = address.figures().oldest_age.unwrap();
    assert!(age < 2 * SECOND, "{age:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_and_the_largest_mailbox_there_are_can_be_asked_for() {
    let log = Log::default();
    let child = puppet("a", &log)
        .capacity(usize::MAX)
        .start_within(Duration::MAX)
        .shutdown(Shutdown::Within(Duration::MAX))
        .handle_within(Duration::MAX, OnStuck::Restart);
    let (tree, address) = one_in(team().intensity(Intensity::new(u32::MAX, Duration::MAX)), child).await;
    let set = Say::act(|_, ctx| {
        ctx.send_after(Duration::MAX, Say::Note(1));
        ctx.send_every(Duration::MAX, || Say::Note(2));
        Box::pin(async { Ok(()) })
    });
    address.send(set).await.unwrap();
    let far = Moment::from_nanos(u64::MAX);
    address.send_before(far, Say::Note(3)).await.unwrap();
    address.send_many((4..2000).map(Say::Note).collect()).await.unwrap();
    assert_eq!(address.ask_within(Duration::MAX, Say::Life).await, Ok(1));
    tokio::time::sleep(1000 * HOUR).await;
    kill_agent(&tree).await;
    assert_eq!(soon("it is back", address.ask(Say::Life)).await, Ok(2));
    assert_eq!(log.count("a note"), 1997);
    assert!(tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_a_time() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log).capacity(1)).await;
    let set = Say::act(|_, ctx| {
        ctx.send_after(Duration::ZERO, Say::Note(1));
        Box::pin(async { Ok(()) })
    });
    address.send(set).await.unwrap();
    quiet().await;
    assert!(log.has("a note 1"));
    pause(&tree).await;
    assert!(
        address
            .ask_within(Duration::ZERO, Say::Life)
            .await
            .unwrap_err()
            .is_timeout()
    );
    let past = Moment::from_nanos(0);
    let late = soon("it is refused", address.send_before(past, Say::Note(2))).await;
    assert_eq!(late.unwrap_err().why, Refusal::Expired);
    tree.observer().resume("team/a").unwrap();
    assert_eq!(soon("it goes on", address.ask(Say::Life)).await, Ok(1));
    assert!(!log.has("a note 2"));
    tree.stop().await;
}

// ---- what outlives what ----

#[test]
fn an_address_of_a_child_that_nobody_took_is_closed() {
    let log = Log::default();
    let child = puppet("a", &log);
    let address = child.address();
    drop(child);
    assert!(address.is_closed());
    let error = address.try_send(Say::Note(1)).unwrap_err();
    assert_eq!(error.why, Refusal::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_an_earlier_life_names_none_of_this_one() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let kept = Arc::new(Mutex::new(None));
    let set = |kept: &Arc<Mutex<Option<TimerId>>>| {
        let kept = Arc::clone(kept);
        Say::act(move |_, ctx| {
            kept.lock().unwrap().get_or_insert(ctx.send_after(SECOND, Say::Note(7)));
            Box::pin(async { Ok(()) })
        })
    };
    address.send(set(&kept)).await.unwrap();
    address.send(Say::Panic).await.unwrap();
    address.send(set(&kept)).await.unwrap();
    let id = Arc::clone(&kept);
    let cancel = Say::act(move |_, ctx| {
        let id = id.lock().unwrap().unwrap();
        assert!(!ctx.cancel(id), "it is another's");
        Box::pin(async { Ok(()) })
    });
    address.send(cancel).await.unwrap();
    until("the timer of this life fires", || log.has("a note 7")).await;
    assert_eq!(tree.observer().node("team/a").unwrap().incarnation, 2);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tree_whose_start_nobody_waits_for_any_more_ends() {
    let log = Log::default();
    let slow = scripted("a", Script::new(&log).start(Start::Takes(10 * SECOND)));
    let starting = Root::new().supervisor(team().child(slow)).start();
    assert!(tokio::time::timeout(SECOND, starting).await.is_err());
    tokio::time::sleep(HOUR).await;
    assert_eq!(log.alive(), 0, "{:?}", log.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_as_a_thread_does_is_not_put_to_sleep_by_its_task() {
    let log = Log::default();
    let (one, other) = (puppet("a", &log), puppet("b", &log).capacity(1 << 16));
    let (address, full) = (one.address(), other.address());
    let tree = grow(team().child(one).child(other)).await;
    let sends = Say::act(move |_, _| {
        for number in 0..40_000 {
            full.blocking_send(Say::Note(number)).unwrap();
        }
        Box::pin(async { Ok(()) })
    });
    address.send(sends).await.unwrap();
    assert_eq!(soon("it sleeps for ever", address.ask(Say::Life)).await, Ok(1));
    tree.stop().await;
}

/// News that come slowly.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn news_for_an_earlier_life_reach_no_later_one() {
    let log = Log::default();
    let (one, other) = (puppet("a", &log), puppet("b", &log));
    let (address, watched) = (one.address(), other.address());
    let tree = grow(team().child(one).child(other)).await;
    let (begun, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (telling, may_tell) = (Arc::clone(&begun), Arc::clone(&go_on));
    let target = watched.clone();
    let watch = Say::act(move |_, ctx| {
        ctx.watch(&target, move |_| {
            telling.store(true, Ordering::SeqCst);
            while !may_tell.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            Say::Note(7)
        });
        Box::pin(async { Ok(()) })
    });
    address.send(watch).await.unwrap();
    assert_eq!(address.ask(Say::Life).await, Ok(1));
    watched.send(Say::Panic).await.unwrap();
    until("the news are on their way", || begun.load(Ordering::SeqCst)).await;
    address.send(Say::Panic).await.unwrap();
    assert_eq!(soon("the next life", address.ask(Say::Life)).await, Ok(2));
    go_on.store(true, Ordering::SeqCst);
    assert_eq!(soon("the watched one is back", watched.ask(Say::Life)).await, Ok(2));
    tokio::time::sleep(SECOND / 20).await;
    address.ask(Say::Life).await.unwrap();
    assert!(!log.has("a note 7"), "{:?}", log.lines());
    tree.stop().await;
}
