//! How a talk ends: the program is stopped, and what it says meanwhile counts.
//!
//! It is held to the bounds that hold while it lives, so that a flood is no larger for its end. But nobody else keeps it from
//! ending: when half of its time is over it is listened to whatever waits, and what goes beyond the bounds is refused.

use std::future::poll_fn;
use std::task::{self, Poll};
use std::time::Duration;

use tokio::time::timeout_at;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Observer;

use super::super::ends;
use super::super::hearing::Hearing;
use super::super::outbox::Waits;
use super::super::pipes::{self, Pipes};
use super::super::plan::Parts;
use super::super::waits::{Timer, until_end};
use super::super::wishes::Wishes;
use super::{Cause, Talk};
use crate::records::{EndReason, ExitRecord};
use crate::settings::Mode;
use crate::sys::{Process, Survey};

/// How long the last wishes of a program that has ended may take.
const LAST_WISHES: Duration = Duration::from_secs(2);

/// A program that is about to end, but for its process.
struct Leaving<'a> {
    plan: &'a Parts,
    tree: &'a Observer,
    pipes: &'a mut Pipes,
    hearing: &'a mut Hearing,
    wishes: &'a mut Wishes,
    timer: &'a mut Timer,
}

impl Leaving<'_> {
    /// Hears what it says. From `late` on nobody who holds it up is waited for.
    fn poll(&mut self, late: Option<Moment>, cx: &mut task::Context<'_>) -> Poll<()> {
        let is_late = late.is_some_and(|late| late <= Moment::now());
        let waits = if is_late { Waits::Few } else { Waits::All };
        if is_late {
            self.wishes.turn_down(self.hearing);
        }
        let seen_to = self.see_to(waits, late.filter(|_| !is_late), cx);
        let is_held_up = self.hearing.outbox.are_many() || self.wishes.are_many(self.hearing);
        let Self { pipes, hearing, .. } = self;
        let out = if is_late || !is_held_up {
            pipes::poll_read(&mut pipes.stdout, cx, |chunk| hearing.hear_out(chunk, Moment::now()))
        } else {
            Poll::Pending
        };
        let err = pipes::poll_read(&mut pipes.stderr, cx, |chunk| hearing.hear_err(chunk));
        hearing.chronicle.notebook.flush();
        let is_any = [seen_to, out, err].iter().any(Poll::is_ready);
        if is_any { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Does what it wishes for and sends what it posts; ready when that is to be done again, `next` at the latest.
    fn see_to(&mut self, waits: Waits, next: Option<Moment>, cx: &mut task::Context<'_>) -> Poll<()> {
        let Parts { links, path, .. } = self.plan;
        self.wishes.see_to_unheard(self.hearing, &links.services, path, cx);
        self.hearing.send_posts(self.tree, waits);
        let next = self.hearing.outbox.retry().into_iter().chain(next).min();
        next.map_or(Poll::Pending, |at| self.timer.poll(at, cx))
    }

    /// Sees to the last of it no longer than `until`; what takes longer is given up.
    async fn see_to_last(&mut self, until: Moment) {
        let for_wishes = until.min(Moment::now() + LAST_WISHES);
        let last = poll_fn(|cx| {
            loop {
                let waits_for_wishes = Some(for_wishes).filter(|until| *until > Moment::now());
                let seen_to = self.see_to(Waits::All, waits_for_wishes, cx);
                let are_wishes_over = waits_for_wishes.is_none() || self.wishes.are_none(self.hearing);
                if are_wishes_over && self.hearing.outbox.is_empty() {
                    return Poll::Ready(());
                }
                if seen_to.is_pending() {
                    return Poll::Pending;
                }
            }
        });
        let _given_up = timeout_at(until.instant(), last).await;
        self.wishes.turn_down(self.hearing);
        self.hearing.send_posts(self.tree, Waits::None);
    }
}

impl Talk {
    /// Ends the program and all it started, and listens to it meanwhile.
    pub(in crate::program) async fn finish(&mut self, reason: &ExitReason, tree: &Observer) {
        let (is_failure, since) = (reason.is_failure(), Moment::now());
        let asked = self.hearing.machine.asked_since();
        self.pipes.stdin = None;
        let patience = if is_failure || self.exit.is_some() {
            Duration::ZERO
        } else {
            self.plan.patience
        };
        if is_failure {
            self.hearing.vigil.fails();
        }
        let survey = self.stop_listening(patience, tree).await;
        let exit = self.process.ended().await;
        let was_stopped = self.exit.is_none();
        if was_stopped {
            self.exited(exit);
        }
        self.hearing.vigil.ends(is_failure, asked, since);
        let (_gone, mut leaving) = self.parted(tree);
        leaving.see_to_last(since + leaving.plan.last_words).await;
        let reason = match self.cause {
            Some(Cause::Wall(_)) => EndReason::Wall,
            Some(Cause::Silent(_)) => EndReason::Silent,
            _ if was_stopped => EndReason::Stopped,
            _ => ends::reason(exit),
        };
        let clue = self.clue.take().filter(|_| !was_stopped);
        let force = ends::force(patience, exit, survey);
        if let Some(how) = &force {
            self.plan.links.records.add_forced(&self.plan.path, how);
        }
        let more = force.or(clue);
        let said = ends::said(reason, exit, survey, more.as_deref());
        self.hearing.chronicle.notebook.event(&*said);
        let posts = self.settle(&format!("{said}, before it answered"));
        self.plan.links.metrics.exited(reason);
        self.plan.links.metrics.survivors.add(survey.survivors as u64);
        let record = ends::record(self.life, Mode::Lines, reason, exit, Some(survey));
        let lines = self.hearing.chronicle.last_lines();
        let record = ExitRecord {
            posts,
            lines,
            why: more,
            ..record
        };
        let Parts { links, path, .. } = &*self.plan;
        self.hearing.chronicle.ended(links, path, record);
    }

    async fn stop_listening(&mut self, patience: Duration, tree: &Observer) -> Survey {
        // What is killed at once says no more than lies in its pipe.
        let late = (!patience.is_zero()).then(|| Moment::now() + patience / 2);
        let (process, mut leaving) = self.parted(tree);
        leaving.wishes.ask_no_more();
        until_end(process.stop(patience), |cx| leaving.poll(late, cx)).await
    }

    fn parted<'a>(&'a mut self, tree: &'a Observer) -> (&'a mut Process, Leaving<'a>) {
        let leaving = Leaving {
            plan: &self.plan,
            tree,
            pipes: &mut self.pipes,
            hearing: &mut self.hearing,
            wishes: &mut self.wishes,
            timer: &mut self.timer,
        };
        (&mut self.process, leaving)
    }

    /// Tells what becomes of the posts that are left; returns how many the program had.
    fn settle(&mut self, why: &str) -> usize {
        if std::mem::replace(&mut self.is_over, true) {
            return 0;
        }
        let (carried, open) = self.hearing.machine.end(Moment::now());
        self.plan.carry(carried);
        self.plan.links.records.end(&self.plan.path, self.life.incarnation);
        let count = open.len();
        for receipt in open {
            receipt.lost(why);
        }
        count
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // What comes for it is of no use to the next life, which has not asked for it.
        self.plan.links.services.ended(&self.plan.path);
        if self.is_over {
            return;
        }
        let asked = self.hearing.machine.asked_since();
        self.hearing.vigil.ends(true, asked, Moment::now());
        self.hearing.lose_posts("its agent was killed");
        let posts = self.settle("its agent was killed before the program answered");
        let Parts { links, path, .. } = &*self.plan;
        let chronicle = &mut self.hearing.chronicle;
        chronicle.killed(links, path, self.life, Mode::Lines, posts);
    }
}
