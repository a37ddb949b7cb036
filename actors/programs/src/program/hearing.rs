//! What is done about the lines of a program.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use triarch_supervision::address::Refusal;
use triarch_supervision::clock::Moment;
use triarch_supervision::tree::Observer;
use triarch_teams::{Post, PostOffice};

use super::chronicle::Chronicle;
use super::lines::{Line, Lines};
use super::machine::{Effect, Machine};
use super::message::{self, Fault, Heard};
use super::outbox::{Lost, Outbox, Waits};
use super::plan::{Links, Parts};
use super::vigil::Vigil;
use crate::logs::{Notebook, Source};
use crate::metrics::Metrics;
use crate::pulse::time;
use crate::services::{REQUEST, Wish};

/// So many faults of one process are told in words.
const BLAMES_MAX: usize = 10;

/// What came of a wish.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) service: &'static str,
    pub(super) id: Option<String>,
    pub(super) outcome: Result<Value, String>,
}

/// One program's lines, and what follows from them.
#[derive(Debug)]
pub(super) struct Hearing {
    pub(super) machine: Machine,
    pub(super) chronicle: Chronicle,
    pub(super) vigil: Vigil,
    /// What it wishes for and nobody was told yet.
    pub(super) wishes: Vec<Wish>,
    /// Posts that have not been sent yet.
    pub(super) outbox: Outbox,
    out: Lines,
    err: Lines,
    metrics: Metrics,
    office: Arc<PostOffice>,
    path: Arc<str>,
    has_strange_types: bool,
    /// How many faults were told.
    blamed: usize,
}

impl Hearing {
    /// What one life of a program says, which goes on with what the last one could not write.
    pub(super) fn of(plan: &Parts, incarnation: u64, notebook: Notebook) -> Self {
        let Links { metrics, office, .. } = &plan.links;
        Self {
            machine: Machine::new(plan.bounds(), plan.take_carried()),
            chronicle: Chronicle::new(notebook, metrics.clone()),
            vigil: Vigil::of(plan, incarnation),
            wishes: Vec::new(),
            outbox: Outbox::new(Moment::now()),
            out: Lines::new(plan.line_max),
            err: Lines::new(plan.line_max),
            metrics: metrics.clone(),
            office: Arc::clone(office),
            path: Arc::clone(&plan.path),
            has_strange_types: false,
            blamed: 0,
        }
    }

    /// More of its standard output.
    pub(super) fn hear_out(&mut self, chunk: &[u8], now: Moment) {
        self.vigil.heard();
        let mut lines = std::mem::replace(&mut self.out, Lines::new(0));
        let mut count = 0;
        lines.feed(chunk, |line| {
            count += 1;
            self.line_of_out(line, now);
        });
        self.metrics.lines_out.add(count);
        self.out = lines;
    }

    /// More of its standard error.
    pub(super) fn hear_err(&mut self, chunk: &[u8]) {
        self.vigil.heard();
        let mut lines = std::mem::replace(&mut self.err, Lines::new(0));
        let mut count = 0;
        lines.feed(chunk, |line| {
            count += 1;
            self.chronicle.line_of_err(line);
        });
        self.metrics.lines_err.add(count);
        self.err = lines;
    }

    /// What it left without a line end is a line too.
    pub(super) fn end(&mut self, now: Moment) {
        let mut lines = std::mem::replace(&mut self.out, Lines::new(0));
        lines.end(|line| self.line_of_out(line, now));
        let mut lines = std::mem::replace(&mut self.err, Lines::new(0));
        lines.end(|line| self.chronicle.line_of_err(line));
    }

    fn line_of_out(&mut self, line: Line<'_>, now: Moment) {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong { bytes, head } => return self.too_long(bytes, head, now),
        };
        match message::read(line) {
            Heard::Said(said) => self.follow(said, line, now),
            Heard::Plain => self.plain(line),
            Heard::Faulty(fault) => self.blame(fault, line),
        }
    }

    /// What is said in a line that is too long is not read; a post that it answers has failed by that, and is waited for no more.
    fn too_long(&mut self, bytes: u64, head: &[u8], now: Moment) {
        self.chronicle.skipped(Source::Out, bytes, head);
        let Some((id, is_done)) = message::answered_by(head) else {
            return;
        };
        let most = self.machine.line_max();
        let why = format!("its answer is a line of {bytes} bytes, and one of at most {most} is read");
        if let Effect::End(open, _) = self.machine.hear(message::Said::Done(id, Err(String::new()))) {
            self.count_answer(now.since(open.since), true);
            if is_done {
                open.receipt.failed_for_good(why);
            } else {
                open.receipt.failed(why);
            }
        }
    }

    fn follow(&mut self, said: message::Said, line: &[u8], now: Moment) {
        match self.machine.hear(said) {
            Effect::Nothing => {}
            Effect::Accept(receipt) => receipt.accepted(),
            Effect::End(open, outcome) => {
                self.count_answer(now.since(open.since), outcome.is_err());
                match outcome {
                    Ok(result) => open.receipt.done(result),
                    Err(why) => open.receipt.failed(why),
                }
            }
            Effect::Send { to, kind, body } => {
                let post = self.office.post(Arc::clone(&self.path), kind, body);
                self.outbox.push(to, post, now);
            }
            Effect::Wish(wish) => {
                if matches!(wish.service, "publish" | REQUEST) {
                    self.metrics.publishes.increment();
                }
                self.wishes.push(wish);
            }
            Effect::Show(state) => self.chronicle.notebook.event(format!("is {state}")),
            Effect::Log { level, text } => self.chronicle.say(Source::Out, level, text),
            Effect::Blame(fault) => self.blame(fault, line),
        }
    }

    fn count_answer(&mut self, took: Duration, is_failure: bool) {
        self.metrics.roundtrip.observe(took);
        if let Some(after) = self.vigil.answered(took, is_failure) {
            self.metrics.recovered(after);
            let words = format!("handles posts again, {} after it fell", time(after));
            self.chronicle.notebook.event(words);
        }
    }

    /// Notes that it has said something, where it has.
    pub(super) fn note_signs(&mut self) {
        self.vigil.note(&mut self.chronicle.notebook);
    }

    /// Looks for signs of life; returns whether it has failed for want of them.
    pub(super) fn look(&mut self, is_judged: bool) -> bool {
        self.vigil.look(is_judged, &mut self.chronicle.notebook)
    }

    /// Hands its own posts to whom they are for, in their order.
    pub(super) fn send_posts(&mut self, tree: &Observer, waits: Waits) {
        let Self {
            outbox,
            metrics,
            chronicle,
            ..
        } = self;
        outbox.send(
            waits,
            |to, post| attempt(tree, to, post),
            |fate| match fate {
                Ok(()) => metrics.sent("queued"),
                Err((lost, why)) => lose(lost, &why.to_string(), metrics, chronicle),
            },
        );
    }

    /// Tells that nobody gets those of its posts that are left.
    pub(super) fn lose_posts(&mut self, why: &str) {
        for lost in self.outbox.take_all() {
            lose(lost, why, &self.metrics, &mut self.chronicle);
        }
    }

    /// Tells what came of a wish: the program where it wants to know, else its log where it came to nothing.
    pub(super) fn answer(&mut self, answered: Answered) {
        match (answered.id, answered.outcome) {
            (Some(id), outcome) => {
                let line = message::answer_line(answered.service, &id, &outcome, self.machine.line_max());
                self.machine.tell(&line);
            }
            (None, Ok(_)) => {}
            (None, Err(why)) => {
                let words = format!("wishes in vain for {}: {why}", answered.service);
                self.chronicle.notebook.event(words);
            }
        }
    }

    /// Programs log in JSON too, so that a type is none of ours is told once, and no fault.
    fn plain(&mut self, line: &[u8]) {
        if !self.has_strange_types
            && let Some(words) = message::strange_type(line)
        {
            self.has_strange_types = true;
            self.chronicle.notebook.event(words);
        }
        self.chronicle.note(Source::Out, line);
    }

    fn blame(&mut self, fault: Fault, line: &[u8]) {
        self.metrics.fault(fault);
        if self.blamed < BLAMES_MAX {
            self.blamed += 1;
            let words = message::blame(fault, line);
            let last = if self.blamed == BLAMES_MAX {
                "; what follows is counted only"
            } else {
                ""
            };
            self.chronicle.notebook.event(format!("{words}{last}"));
        }
        self.chronicle.note(Source::Out, line);
    }
}

/// Sends a post where there is room for it. A refused one comes back in a box: it is large, and seldom.
fn attempt(tree: &Observer, to: &str, post: Post) -> Result<(), (Refusal, Box<Post>)> {
    let sent = tree.try_send_to(to, post);
    sent.map_err(|refused| (refused.why, Box::new(refused.message)))
}

fn lose(Lost { to, receipt }: Lost, why: &str, metrics: &Metrics, chronicle: &mut Chronicle) {
    metrics.sent("refused");
    receipt.failed(why);
    chronicle.notebook.event(format!("a post of it to {to} is lost: {why}"));
}
