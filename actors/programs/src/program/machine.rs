//! Which posts are with the program, and what follows from what it says.
//!
//! ```text
//!   take ──▶ waiting ──wrote──▶ with the program ──hear──▶ done, failed
//!             │  line not yet     │  delivered              (remembered for a while)
//!             │  all written      │
//!             ▼                   ▼
//!   end:   carried over        failed, with the reason
//!          to the next life
//! ```
//!
//! A line of which the program got less than all is no line to it, so its post goes to the next life of the agent as
//! if it had never been taken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use triarch_supervision::clock::Moment;
use triarch_teams::{EVENT, Post, PostId, RECALL, Receipt};

use super::message::{self, Fault, Said, Term};
use super::recent::{Past, Recent};
use crate::records::InHand;
use crate::services::Wish;

/// Why nothing is done for a post whose sender wants it no more.
pub(super) const RECALLED: &str = "it was recalled";

/// Why nothing is done for a post that nobody needs any more.
const OVER: &str = "its deadline passed before it was delivered";

/// How old what a line says of the time that is left may be when it is written.
const TERM_AGE_MAX: Duration = Duration::from_millis(100);

/// Whether a post only tells that another is recalled. Whoever waits for an answer has sent no notice, whatever it is called.
pub(super) fn is_notice(post: &Post) -> bool {
    *post.kind == *RECALL && !post.receipt.is_wanted()
}

/// What bounds the posts that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How many may be with the program unanswered.
    pub(super) unanswered_max: usize,
    /// How long a line to it may be.
    pub(super) line: usize,
    /// Whether it answers at all.
    pub(super) answers: bool,
}

/// What follows from something that a program said.
#[derive(Debug)]
pub(super) enum Effect<'a> {
    /// Nothing.
    Nothing,
    /// Say that it accepted a post.
    Accept(&'a Receipt),
    /// Say what came of a post that was delivered then.
    End(Open, Result<Value, String>),
    /// Send a post of its own.
    Send { to: String, kind: String, body: Value },
    /// It wishes for something.
    Wish(Wish),
    /// It is in another state than before.
    Show(&'a str),
    /// Write a line to its log.
    Log { level: Option<String>, text: String },
    /// Count something that is wrong, and write it to its log.
    Blame(Fault),
}

/// A post that is with the program.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) receipt: Receipt,
    kind: Arc<str>,
    /// When all of its line was written.
    pub(super) since: Moment,
    is_accepted: bool,
}

/// Posts whose lines no program has seen, with the lines.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    lines: Vec<u8>,
    posts: VecDeque<Waiting>,
}

/// A line that the program has not got all of.
#[derive(Debug)]
struct Waiting {
    /// The post that it tells of; without one it answers a wish.
    post: Option<(PostId, Told)>,
    bytes: usize,
    /// Whether nothing is answered to it.
    is_notice: bool,
    /// Whether it tells of an event, of which the bus wants to know that it is done.
    is_event: bool,
    /// What its line says of the time that is left, where that grows less while it waits.
    term: Option<Term>,
}

/// What is kept of a post whose line waits.
#[derive(Debug)]
struct Told {
    receipt: Receipt,
    kind: Arc<str>,
}

/// What becomes of a line that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is written.
    Written,
    /// Its post is wanted no more.
    Recalled,
    /// Its post is needed no more.
    Over,
}

/// The posts between the mailbox and their ends.
#[derive(Debug)]
pub(super) struct Machine {
    bounds: Bounds,
    /// Lines to the program; those before `written` are with it.
    out: Vec<u8>,
    written: usize,
    /// How much of the first waiting line is written.
    of_first: usize,
    waiting: VecDeque<Waiting>,
    open: BTreeMap<PostId, Open>,
    /// How many of these were wanted no more when that was last counted, but for those that have ended since.
    recalled: usize,
    ended: Recent,
    state: Option<String>,
    /// Bytes of answers to wishes among the lines that are not written.
    answers: usize,
    /// When the lines that wait are to be looked through: one of them may be needed no more, or says too much of the time that is
    /// left.
    revised_at: Option<Moment>,
}

impl Machine {
    /// Goes on with what the last life could not write.
    pub(super) fn new(bounds: Bounds, carried: Carried) -> Self {
        let has_terms = carried.posts.iter().any(|waiting| waiting.term.is_some());
        Self {
            // At the first that is written.
            revised_at: has_terms.then(Moment::default),
            bounds,
            answers: 0,
            out: carried.lines,
            written: 0,
            of_first: 0,
            waiting: carried.posts,
            open: BTreeMap::new(),
            recalled: 0,
            ended: Recent::default(),
            state: None,
        }
    }

    /// Takes a post to write its line; one that nobody needs any more, or that is too long, fails at once.
    pub(super) fn take(&mut self, post: Post, now: Moment) {
        if post.deadline.is_some_and(|deadline| deadline < now) {
            return post.receipt.failed(OVER);
        }
        if post.receipt.is_recalled() {
            return post.receipt.lost(RECALLED);
        }
        let begin = self.out.len();
        message::write(&post, now, &mut self.out);
        let bytes = self.out.len() - begin;
        if bytes > self.bounds.line {
            self.out.truncate(begin);
            let most = self.bounds.line;
            return post
                .receipt
                .failed(format!("its line has {bytes} bytes; the program takes {most}"));
        }
        let (is_notice, is_event) = (is_notice(&post), *post.kind == *EVENT);
        let term = Term::of(&post);
        let Post { id, receipt, kind, .. } = post;
        let post = Some((id, Told { receipt, kind }));
        let waiting = Waiting {
            post,
            bytes,
            is_notice,
            is_event,
            term,
        };
        self.revised_at = [self.revised_at, waiting.revised_at(now)].into_iter().flatten().min();
        self.waiting.push_back(waiting);
    }

    /// Leaves off the lines that nobody needs any more, and has the others say how much time is left, where it is time for that.
    /// A line that is partly written stays as it is.
    pub(super) fn revise(&mut self, now: Moment) {
        let (lines, waiting) = (std::mem::take(&mut self.out), std::mem::take(&mut self.waiting));
        let mut revised = Carried::default();
        let mut begin = self.written - self.of_first;
        for (place, waiting) in waiting.into_iter().enumerate() {
            let line = lines.get(begin..begin + waiting.bytes).unwrap_or_default();
            begin += waiting.bytes;
            let is_begun = place == 0 && self.of_first > 0;
            let fate = if is_begun { Fate::Written } else { waiting.fate(now) };
            match fate {
                Fate::Written => revised.push(waiting, line, now, is_begun),
                _ => waiting.leave(fate),
            }
        }
        let revisable = revised.posts.iter().skip(usize::from(self.of_first > 0));
        self.revised_at = revisable.filter_map(|waiting| waiting.revised_at(now)).min();
        self.written = self.of_first;
        self.out = revised.lines;
        self.waiting = revised.posts;
    }

    /// When that is to be done, if ever.
    pub(super) fn revised_at(&self) -> Option<Moment> {
        self.revised_at
    }

    /// Tells what came of a wish.
    pub(super) fn tell(&mut self, line: &[u8]) {
        self.out.extend_from_slice(line);
        let bytes = line.len();
        self.answers += bytes;
        self.waiting.push_back(Waiting {
            post: None,
            bytes,
            is_notice: false,
            is_event: false,
            term: None,
        });
    }

    /// How many bytes of answers to wishes the program has yet to read.
    pub(super) fn answers(&self) -> usize {
        self.answers
    }

    /// What is to be written.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.out[self.written..]
    }

    /// Whether as many posts are with the program as may be. Those that are wanted no more keep nothing from it, least of all
    /// that they are; but of these too it has no more.
    pub(super) fn is_full(&self) -> bool {
        let most = self.bounds.unanswered_max;
        self.open.len() + self.waiting.len() >= most + self.recalled.min(most)
    }

    /// Counts those that are wanted no more, which is to be done now and then.
    pub(super) fn count_recalled(&mut self) {
        let recalled = self.open.values().filter(|open| open.receipt.is_recalled());
        self.recalled = recalled.count();
    }

    /// How many posts wait for their line to be written, and how many are with the program.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.waiting.len(), self.open.len())
    }

    /// Since when it has had the oldest of the posts that it has.
    pub(super) fn asked_since(&self) -> Option<Moment> {
        self.open.values().map(|open| open.since).min()
    }

    /// The post that it has had for longest.
    pub(super) fn oldest(&self) -> Option<InHand> {
        let oldest = self.open.values().min_by_key(|open| open.since)?;
        Some(InHand {
            kind: Arc::clone(&oldest.kind),
            since: oldest.since,
        })
    }

    /// How long a line may be.
    pub(super) fn line_max(&self) -> usize {
        self.bounds.line
    }

    /// What the program last said of itself.
    pub(super) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// `bytes` more of what was to be written are; returns how many posts were delivered by that.
    pub(super) fn wrote(&mut self, bytes: usize, now: Moment) -> usize {
        self.written += bytes;
        self.of_first += bytes;
        let mut delivered = 0;
        while let Some(first) = self.waiting.pop_front() {
            if first.bytes > self.of_first {
                self.waiting.push_front(first);
                break;
            }
            self.of_first -= first.bytes;
            match first.post {
                Some((id, told)) if first.is_notice => {
                    told.receipt.done(Value::Null);
                    self.ended.remember(id, Past::Notice);
                }
                Some((id, told)) => {
                    delivered += 1;
                    self.deliver(id, told, first.is_event, now);
                }
                None => self.answers -= first.bytes,
            }
        }
        self.forget_written();
        delivered
    }

    fn deliver(&mut self, id: PostId, Told { receipt, kind }: Told, is_event: bool, now: Moment) {
        receipt.delivered();
        if self.bounds.answers {
            let open = Open {
                receipt,
                kind,
                since: now,
                is_accepted: false,
            };
            self.open.insert(id, open);
        } else if is_event {
            // It would be brought again and again, and nobody waits for more.
            receipt.done(Value::Null);
        }
        // Of a program that never answers nobody will ever say more: the receipt is dropped, which says so.
    }

    /// All but what is written of a line that is not whole yet: the next life may have to write that again.
    fn forget_written(&mut self) {
        let done = self.written - self.of_first;
        if done == self.out.len() {
            self.out.clear();
            self.written = 0;
        } else if done > self.out.len() / 2 {
            self.out.drain(..done);
            self.written -= done;
        }
    }

    /// The program said something.
    pub(super) fn hear(&mut self, said: Said) -> Effect<'_> {
        match said {
            Said::Accepted(id) => self.accepted(id),
            Said::Reply(id, body) => self.answered(id, Ok(body)),
            // After a reply it says nothing new.
            Said::Progress(id, percent) => self.progressed(id, percent),
            Said::Done(id, Ok(_)) if !self.open.contains_key(&id) && self.ended.has(id).is_some() => Effect::Nothing,
            Said::Done(id, outcome) => self.answered(id, outcome),
            Said::Send { to, kind, body } => Effect::Send { to, kind, body },
            Said::Wish(wish) => Effect::Wish(wish),
            // Whatever it says is a sign of life, which is noted where it is read.
            Said::Heartbeat => Effect::Nothing,
            Said::Status(state) => self.shows(state),
            Said::Log { level, text } => Effect::Log { level, text },
        }
    }

    fn accepted(&mut self, id: PostId) -> Effect<'_> {
        let past = self.ended.has(id);
        match self.open.get_mut(&id) {
            Some(open) if open.is_accepted => Effect::Nothing,
            Some(open) => {
                open.is_accepted = true;
                Effect::Accept(&open.receipt)
            }
            None => unasked(past),
        }
    }

    fn progressed(&mut self, id: PostId, percent: u8) -> Effect<'_> {
        match self.open.get(&id) {
            Some(open) => {
                open.receipt.progress(percent);
                Effect::Nothing
            }
            None => unasked(self.ended.has(id)),
        }
    }

    fn answered(&mut self, id: PostId, outcome: Result<Value, String>) -> Effect<'_> {
        match self.open.remove(&id) {
            Some(open) => {
                self.recalled = self.recalled.saturating_sub(usize::from(open.receipt.is_recalled()));
                self.ended.remember(id, Past::Answered);
                Effect::End(open, outcome)
            }
            None => unasked(self.ended.has(id)),
        }
    }

    fn shows(&mut self, state: String) -> Effect<'_> {
        if self.state.as_ref() == Some(&state) {
            return Effect::Nothing;
        }
        Effect::Show(self.state.insert(state))
    }

    /// The program is gone: what it never saw, and the posts it had.
    pub(super) fn end(&mut self, now: Moment) -> (Carried, Vec<Receipt>) {
        // The first line is written anew from its beginning.
        let begin = self.written - self.of_first;
        let carried = Carried::of(&self.out[begin..], std::mem::take(&mut self.waiting), now);
        (self.answers, self.recalled, self.revised_at) = (0, 0, None);
        self.out.clear();
        (self.written, self.of_first) = (0, 0);
        let open = std::mem::take(&mut self.open);
        (carried, open.into_values().map(|open| open.receipt).collect())
    }
}

impl Waiting {
    fn fate(&self, now: Moment) -> Fate {
        match &self.post {
            Some((_, told)) if told.receipt.is_recalled() => Fate::Recalled,
            _ if self.term.is_some_and(|term| term.deadline < now) => Fate::Over,
            _ => Fate::Written,
        }
    }

    /// When it is needed no more, or its line says too much.
    fn revised_at(&self, now: Moment) -> Option<Moment> {
        let soon = now + TERM_AGE_MAX;
        self.term.map(|term| term.deadline.min(soon))
    }

    /// Its line is written by nobody. A notice has nobody left to tell it to, and is no loss.
    fn leave(self, fate: Fate) {
        match self.post {
            Some((_, told)) if self.is_notice => told.receipt.done(Value::Null),
            Some((_, told)) if fate == Fate::Over => told.receipt.failed(OVER),
            Some((_, told)) => told.receipt.lost(RECALLED),
            None => {}
        }
    }
}

impl Carried {
    /// What of that another life is to see, which has wished for nothing, and has nothing to leave off.
    fn of(lines: &[u8], posts: VecDeque<Waiting>, now: Moment) -> Self {
        let (mut begin, mut carried) = (0, Self::default());
        for waiting in posts {
            let line = begin..begin + waiting.bytes;
            begin = line.end;
            let fate = waiting.fate(now);
            if fate == Fate::Written && waiting.post.is_some() && !waiting.is_notice {
                carried.push(waiting, lines.get(line).unwrap_or_default(), now, false);
            } else {
                waiting.leave(fate);
            }
        }
        carried
    }

    /// One more, whose line says how much time is left, unless it is begun.
    fn push(&mut self, mut waiting: Waiting, line: &[u8], now: Moment, is_begun: bool) {
        let begin = self.lines.len();
        self.lines.extend_from_slice(line);
        if let Some(term) = waiting.term.filter(|_| !is_begun) {
            message::write_anew(&mut self.lines, begin, term, now);
        }
        waiting.bytes = self.lines.len() - begin;
        self.posts.push_back(waiting);
    }

    /// Without what somebody has recalled since it was left, or needs no more.
    pub(super) fn wanted(self, now: Moment) -> Self {
        Self::of(&self.lines, self.posts, now)
    }

    /// How many posts there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.posts.len()
    }
}

/// What an answer leads to whose post is not with the program.
fn unasked<'a>(past: Option<Past>) -> Effect<'a> {
    match past {
        Some(Past::Answered) => Effect::Blame(Fault::Late),
        // Nobody asked for an answer, and many a program answers whatever it is told.
        Some(Past::Notice) => Effect::Nothing,
        None => Effect::Blame(Fault::UnknownId),
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
