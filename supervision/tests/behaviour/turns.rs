//! Who shares a thread with an agent has its turn, whatever the agent asks of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use triarch_supervision::prelude::*;

use crate::agents::{Log, Say, grow, one, puppet, team};
use crate::patience::{SECOND, soon, until};

/// Runs a story on a runtime of one thread, which must not be hogged by anybody in it.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread that is hogged can only be left behind"
)]
fn on_one_thread(story: impl AsyncFnOnce() + Send + 'static) {
    let (done, is_done) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(story());
        done.send(()).unwrap();
    });
    assert!(is_done.recv_timeout(10 * SECOND).is_ok(), "somebody hogs the thread");
}

enum Busy {
    /// Sets a timer of no time, again and again.
    Timer,
    Ask(Reply<()>),
}

impl Message for Busy {}

struct Restless {
    is_idle_busy: bool,
}

impl Agent for Restless {
    type Message = Busy;
    type Spec = bool;
    async fn start(is_idle_busy: bool, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        if !is_idle_busy {
            ctx.send_after(Duration::ZERO, Busy::Timer);
        }
        Ok(Self { is_idle_busy })
    }
    async fn handle(&mut self, busy: Busy, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match busy {
            Busy::Timer if !self.is_idle_busy => {
                ctx.send_after(Duration::ZERO, Busy::Timer);
            }
            Busy::Timer => {}
            Busy::Ask(reply) => reply.send(()),
        }
        Ok(())
    }
    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if self.is_idle_busy {
            let _sent = ctx.address().try_send(Busy::Timer);
        }
        Ok(())
    }
}

#[test]
fn an_agent_whose_timers_never_end_lets_others_run_and_hears_its_mailbox() {
    on_one_thread(async || {
        let (tree, address) = one(Child::of::<Restless>("a", false)).await;
        soon("it answers", address.ask(Busy::Ask)).await.unwrap();
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn an_agent_that_gives_itself_work_when_idle_lets_others_run() {
    on_one_thread(async || {
        let (tree, address) = one(Child::of::<Restless>("a", true)).await;
        soon("it answers", address.ask(Busy::Ask)).await.unwrap();
        assert!(tree.stop().await.is_orderly());
    });
}

enum Heard {
    Watch(Address<Say>),
    Down,
    Ask(Reply<()>),
}

impl Message for Heard {}

struct Loyal(Option<Address<Say>>);

impl Agent for Loyal {
    type Message = Heard;
    type Spec = ();
    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(None))
    }
    async fn handle(&mut self, news: Heard, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match news {
            Heard::Ask(reply) => {
                reply.send(());
                return Ok(());
            }
            Heard::Watch(other) => self.0 = Some(other),
            Heard::Down => {}
        }
        if let Some(other) = &self.0 {
            ctx.watch(other, |_| Heard::Down);
        }
        Ok(())
    }
}

#[test]
fn an_agent_that_watches_again_what_has_left_lets_others_run() {
    on_one_thread(async || {
        let watching = Child::of::<Loyal>("w", ());
        let (watched, address) = (puppet("b", &Log::default()), watching.address());
        let other = watched.address();
        let tree = grow(team().child(watching).child(watched)).await;
        let handle = tree.observer().supervisor("team").unwrap();
        handle.terminate_child("b").await.unwrap();
        handle.delete_child("b").await.unwrap();
        address.send(Heard::Watch(other)).await.unwrap();
        soon("it answers", address.ask(Heard::Ask)).await.unwrap();
        assert!(tree.stop().await.is_orderly());
    });
}

struct Ranked(Arc<AtomicU32>);

impl Message for Ranked {
    const PRIORITY: Option<fn(&Self) -> Priority> = Some(|ranked| {
        assert!(ranked.0.fetch_add(1, Ordering::SeqCst) != 1, "asked twice");
        Priority::Normal
    });
}

struct Ranker(Log);

impl Agent for Ranker {
    type Message = Ranked;
    type Spec = Log;
    async fn start(log: Log, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(log))
    }
    async fn handle(&mut self, _: Ranked, _: &mut Context<Self>) -> Result<(), Failure> {
        self.0.write("ranked");
        Ok(())
    }
}

#[test]
fn a_message_that_panics_when_asked_for_its_priority_leaves_the_mailbox_whole() {
    on_one_thread(async || {
        let log = Log::default();
        let (tree, address) = one(Child::of::<Ranker>("a", log.clone())).await;
        let calls = Arc::new(AtomicU32::new(0));
        let sending = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| address.try_send(Ranked(calls))));
        assert!(sending.is_err());
        address.send(Ranked(Arc::new(AtomicU32::new(2)))).await.unwrap();
        until("the other is handled", || log.has("ranked")).await;
        assert_eq!(address.figures().enqueued, 1);
        assert!(tree.stop().await.is_orderly());
    });
}
