//! A program that runs for as long as its agent: lines go both ways.
//!
//! ```text
//!   take ──▶ machine ──lines──▶ stdin        written together, when nothing more comes or there is much
//!   turn: stdout ──▶ hearing ──▶ receipts, posts to others, log
//!         stderr ──▶ log
//!         exit   ──▶ verdict: an end, or a failure
//! ```
//!
//! Everything it reads or is about to write lies in fields, so that a turn may be dropped at each of its waits.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_teams::{Post, Span};

use super::actor::Program;
use super::begin;
use super::ends::{self, Life};
use super::hearing::Hearing;
use super::knock::Knock;
use super::outbox::Waits;
use super::pipes::{self, Pipes, Wrote};
use super::plan::Parts;
use super::waits::{StopWatch, Timer, is_paused};
use super::wishes::Wishes;
use crate::error::ProgramError;
use crate::records::Present;
use crate::sys::{Exit, Process};

mod farewell;

/// From so many unwritten bytes on they are written although more may come.
const MUCH: usize = 64 << 10;

/// How long a program may go on after it has closed its standard input.
const DEAF_PATIENCE: Duration = Duration::from_secs(2);

/// Why a program is about to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Wall(Span),
    Deaf,
    Silent(Duration),
}

/// What a turn was woken by.
#[derive(Clone, Copy, Debug)]
enum Woken {
    Exit(Exit),
    Lines,
    Room,
    Outgoing,
    Answers,
    Wall,
    Deaf,
    Look,
}

/// A program at work.
#[derive(Debug)]
pub(super) struct Talk {
    plan: Arc<Parts>,
    life: Life,
    process: Process,
    pipes: Pipes,
    hearing: Hearing,
    present: Arc<Present>,
    /// When its time is over.
    until: Option<Moment>,
    deaf_since: Option<Moment>,
    cause: Option<Cause>,
    exit: Option<Exit>,
    /// What may be why it failed.
    clue: Option<String>,
    knock: Knock,
    timer: Timer,
    is_over: bool,
    /// What the program wished for, and is at work.
    wishes: Wishes,
    /// Whether it is time to look for signs of life.
    is_to_look: bool,
}

impl Talk {
    pub(super) async fn begin(plan: Arc<Parts>, incarnation: u64) -> Result<Self, ProgramError> {
        let mut notebook = plan.notebook(incarnation);
        let mut process = begin::begin(&plan, incarnation, &[], true, &mut notebook).await?;
        let hearing = Hearing::of(&plan, incarnation, notebook);
        let mut talk = Self {
            pipes: Pipes::of(&mut process),
            present: plan.links.records.begin(&plan.path, incarnation, process.pid()),
            until: plan.wall.map(|wall| Moment::now() + wall.0),
            life: Life::begun(incarnation, process.pid()),
            process,
            hearing,
            deaf_since: None,
            cause: None,
            exit: None,
            clue: None,
            knock: Knock::default(),
            timer: Timer::default(),
            is_over: false,
            wishes: Wishes::default(),
            is_to_look: false,
            plan,
        };
        talk.show();
        Ok(talk)
    }

    /// Takes a post, and waits while the program does not read or has enough to answer.
    pub(super) async fn take(&mut self, post: Post, ctx: &mut Context<Program>) {
        // Only where it is to end is compared with the present.
        let before = self.hearing.outbox.last_sent();
        let is_timeless = post.deadline.is_none() && post.within.is_none();
        let now = if is_timeless { before } else { Moment::now() };
        self.hearing.machine.take(post, now);
        if self.hearing.machine.unwritten().len() >= MUCH {
            self.write();
        }
        if self.is_held_back() {
            let stop = StopWatch::of(ctx);
            // However often the program says something meanwhile, its time comes.
            let mut look = pin!(stop.look());
            while self.is_held_back() && !stop.is_asked() {
                tokio::select! {
                    biased;
                    () = &mut look => {
                        self.hearing.machine.count_recalled();
                        look.set(stop.look());
                    }
                    woken = self.wait() => self.follow(woken),
                }
                self.look(ctx);
                self.send_posts(ctx);
            }
        }
    }

    fn is_held_back(&mut self) -> bool {
        let is_over = self.exit.is_some() || self.cause.is_some();
        let has_enough = self.hearing.machine.is_full() || self.hearing.machine.unwritten().len() >= MUCH;
        !is_over && has_enough
    }

    /// Writes and reads what there is to write and to read, or waits for it. Cancel-safe.
    pub(super) async fn turn(&mut self, ctx: &mut Context<Program>) -> Result<(), Failure> {
        self.write();
        self.send_posts(ctx);
        if self.exit.is_none() && self.cause.is_none() {
            let woken = self.wait().await;
            self.follow(woken);
            self.look(ctx);
            self.send_posts(ctx);
        }
        self.verdict(ctx)
    }

    async fn wait(&mut self) -> Woken {
        self.write();
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Hears the program, and asks all else only where it has knocked. Who floods one of its two outputs does not keep
    /// the other from being heard, nor its own end.
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Woken> {
        let mut has_lines = false;
        if let Some(waker) = self.knock.heard(cx.waker()) {
            let cx = &mut task::Context::from_waker(&waker);
            let woken = self.poll_rare(cx);
            has_lines = self.poll_err(cx).is_ready();
            if woken.is_ready() || has_lines {
                self.knock.again();
            }
            if let Poll::Ready(Woken::Look) = woken {
                // What it has said by now is heard before it is judged.
                let _heard = self.poll_out(cx);
            }
            if woken.is_ready() {
                return woken;
            }
        }
        if self.poll_out(cx).is_ready() || has_lines {
            return Poll::Ready(Woken::Lines);
        }
        if self.hearing.machine.unwritten().is_empty() {
            return Poll::Pending;
        }
        pipes::poll_room(self.pipes.stdin.as_ref(), cx).map(|()| Woken::Room)
    }

    fn poll_rare(&mut self, cx: &mut task::Context<'_>) -> Poll<Woken> {
        if let Poll::Ready(exit) = self.process.poll_ended(cx) {
            return Poll::Ready(Woken::Exit(exit));
        }
        if self.wishes.poll(&mut self.hearing, cx) {
            return Poll::Ready(Woken::Answers);
        }
        let moments = [
            self.hearing.outbox.retry().map(|at| (at, Woken::Outgoing)),
            self.until.map(|at| (at, Woken::Wall)),
            self.deaf_since.map(|since| (since + DEAF_PATIENCE, Woken::Deaf)),
            self.hearing.vigil.next().map(|at| (at, Woken::Look)),
        ];
        match moments.into_iter().flatten().min_by_key(|(at, _)| *at) {
            Some((at, woken)) => self.timer.poll(at, cx).map(|()| woken),
            None => Poll::Pending,
        }
    }

    fn see_to_wishes(&mut self) {
        let Parts { links, path, .. } = &*self.plan;
        if self.wishes.begin(&mut self.hearing, &links.services, path) {
            self.knock.again();
        }
    }

    /// Looks for signs of life, where it is time to. Of who is paused, or waits for others, silence says nothing.
    fn look(&mut self, ctx: &Context<Program>) {
        if !std::mem::take(&mut self.is_to_look) {
            return;
        }
        let is_judged = !self.waits_for_others() && !is_paused(ctx);
        if let Some(limits) = self.plan.heartbeat.filter(|_| self.hearing.look(is_judged)) {
            self.cause = Some(Cause::Silent(limits.failed));
        }
    }

    /// One that does not read what it is answered is not listened to either.
    fn is_listened_to(&self) -> bool {
        !self.waits_for_others() && !self.leaves_answers()
    }

    fn waits_for_others(&self) -> bool {
        self.hearing.outbox.are_many() || self.wishes.are_many(&self.hearing)
    }

    fn leaves_answers(&self) -> bool {
        Wishes::are_left(&self.hearing)
    }

    fn follow(&mut self, woken: Woken) {
        self.see_to_wishes();
        self.hearing.note_signs();
        match woken {
            Woken::Exit(exit) => self.exited(exit),
            Woken::Lines | Woken::Room | Woken::Outgoing | Woken::Answers => {}
            Woken::Wall => self.cause = self.plan.wall.map(Cause::Wall),
            Woken::Deaf => self.cause = Some(Cause::Deaf),
            Woken::Look => self.is_to_look = true,
        }
        self.hearing.chronicle.notebook.flush();
        self.show();
    }

    /// Writes what there is room for.
    fn write(&mut self) {
        let leaves_answers = self.leaves_answers();
        let machine = &mut self.hearing.machine;
        if let Some(at) = machine.revised_at() {
            let now = Moment::now();
            if at <= now {
                machine.revise(now);
            }
        }
        self.write_all_there_is_room_for(leaves_answers);
        if leaves_answers && !self.leaves_answers() {
            // There may be answers that were not fetched.
            self.knock.again();
        }
    }

    fn write_all_there_is_room_for(&mut self, leaves_answers: bool) {
        let machine = &mut self.hearing.machine;
        let mut all_delivered = 0;
        while !machine.unwritten().is_empty() {
            match self.pipes.write(machine.unwritten()) {
                Wrote::Bytes(bytes) => {
                    let delivered = machine.wrote(bytes, Moment::now());
                    all_delivered += delivered;
                    self.plan.links.metrics.lines_in.add(delivered as u64);
                    // What it says is not heard meanwhile, but its pipe was full: it reads.
                    if leaves_answers {
                        self.hearing.vigil.heard();
                    }
                }
                Wrote::Nothing => break,
                Wrote::Closed => {
                    self.deaf_since = Some(Moment::now());
                    self.knock.again();
                    self.hearing.chronicle.notebook.event("closed its standard input");
                    break;
                }
            }
        }
        if all_delivered > 0 {
            self.show();
        }
    }

    fn poll_out(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        if !self.is_listened_to() {
            return Poll::Pending;
        }
        let Self { pipes, hearing, .. } = self;
        let heard = pipes::poll_read(&mut pipes.stdout, cx, |chunk| hearing.hear_out(chunk, Moment::now()));
        if heard.is_ready() && pipes.stdout.is_none() {
            hearing.chronicle.notebook.event("closed its standard output");
        }
        heard
    }

    fn poll_err(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let Self { pipes, hearing, .. } = self;
        pipes::poll_read(&mut pipes.stderr, cx, |chunk| hearing.hear_err(chunk))
    }

    /// What it said before its end counts.
    fn exited(&mut self, exit: Exit) {
        let (hearing, now) = (&mut self.hearing, Moment::now());
        pipes::read_last(&mut self.pipes.stdout, |chunk| hearing.hear_out(chunk, now));
        pipes::read_last(&mut self.pipes.stderr, |chunk| hearing.hear_err(chunk));
        hearing.end(now);
        self.clue = ends::clue(&self.plan.recipe, exit, || self.process.was_short_of_memory());
        self.exit = Some(exit);
    }

    /// Hands the program's own posts to whom they are for.
    fn send_posts(&mut self, ctx: &Context<Program>) {
        if self.hearing.outbox.is_empty() {
            return;
        }
        self.hearing.send_posts(&ctx.observer(), Waits::All);
        if self.hearing.outbox.retry().is_some() {
            self.knock.again();
        }
    }

    /// Whether the agent goes on, ends or fails.
    fn verdict(&mut self, ctx: &mut Context<Program>) -> Result<(), Failure> {
        let last = || self.hearing.chronicle.last_lines();
        let failed = match (self.cause, self.exit) {
            (Some(Cause::Wall(wall)), _) => ProgramError::Wall { wall },
            (Some(Cause::Deaf), _) => ProgramError::Deaf,
            (Some(Cause::Silent(limit)), _) => ProgramError::Silent { limit, last: last() },
            (None, None) => return Ok(()),
            (None, Some(exit)) => {
                let Some(failed) = ends::failure(exit, self.clue.clone(), last) else {
                    ctx.stop();
                    return Ok(());
                };
                failed
            }
        };
        Err(failed.into())
    }

    fn show(&mut self) {
        let (waiting, open) = self.hearing.machine.counts();
        let machine = &self.hearing.machine;
        self.present.show(waiting, open, machine.oldest(), machine.state());
    }

    pub(super) fn state(&self) -> serde_json::Value {
        let (waiting, open) = self.hearing.machine.counts();
        serde_json::json!({
            "mode": "lines",
            "pid": self.process.pid(),
            "state": self.hearing.machine.state(),
            "posts_waiting": waiting,
            "posts_unanswered": open,
            "outgoing": self.hearing.outbox.len(),
        })
    }
}
