//! Which events become lines, how loud they are, and which are held back.
//!
//! ```text
//!   restarts of a child within a minute:   1 ─▶ info     2 … 4 ─▶ warn     5 … ─▶ error
//!   lines about a child within a minute:   1 … 5 ─▶ written    then one a second, the rest counted
//! ```
//!
//! The last of those held back is written after all once the child is quiet, so that the log ends with how it is.
//! What asks for a person (given up, quarantined, cannot be killed) is written whatever the limit: it is rare by
//! nature and must not drown.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use triarch_supervision::clock::Moment;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Fact};

use super::line::{Level, Line};
use crate::config::Limits;

/// What happens to the machine.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// The tree told something.
    Seen(Event),
    /// Time has passed.
    Look,
    /// Nothing more will come.
    End,
}

/// What is known of each child's recent lines and restarts.
#[derive(Debug)]
pub(super) struct Machine {
    limits: Limits,
    records: BTreeMap<Arc<str>, Record>,
    /// Each record once, with a moment since when its child may have been quiet; about the oldest first.
    ages: VecDeque<(Moment, Arc<str>)>,
    /// Those of whom a line is held back.
    holding: BTreeSet<Arc<str>>,
}

/// How loud an event is in itself.
#[derive(Clone, Copy)]
enum Tone {
    Steady(Level),
    /// Louder with each restart; this many come on top of those that are known.
    Rising(usize),
    /// An error, written whatever the limit.
    Grave,
}

#[derive(Debug, Default)]
struct Record {
    restarts: VecDeque<Moment>,
    written: VecDeque<Moment>,
    /// The last line held back, as loud as the loudest before it.
    held_back: Option<Line>,
    seen: Moment,
}

impl Machine {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            records: BTreeMap::new(),
            ages: VecDeque::new(),
            holding: BTreeSet::new(),
        }
    }

    /// Other limits from now on; what is known of everybody stays.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The lines that follow from `input` at `now`.
    pub(super) fn step(&mut self, input: Input, now: Moment) -> Vec<Line> {
        match input {
            Input::Seen(event) => self.see(event, now).into_iter().collect(),
            Input::Look => self.look(now),
            Input::End => self.told(now, |_| true),
        }
    }

    fn see(&mut self, event: Event, now: Moment) -> Option<Line> {
        let limits = self.limits;
        let subject = event.subject();
        let tone = tone(&event.fact);
        if !is_news(&event.fact) && limits.passers_by.iter().any(|path| subject.starts_with(path)) {
            return None;
        }
        // Whoever has been quiet for long makes room for others, whether or not anybody looked meanwhile.
        self.forget(now);
        let key = self.key(&subject, &event.supervisor);
        let record = self.record(&key, now);
        record.seen = now;
        if matches!(event.fact, Fact::Decision(Decision::Restarting { .. })) {
            remember(&mut record.restarts, now, limits.error_from);
        }
        record.forget(now, &limits);
        let line = Line {
            at: event.at,
            level: record.level(tone, &limits),
            subject,
            fact: event.fact,
            held_back: record.held_back.as_ref().map_or(0, |last| last.held_back + 1),
        };
        if matches!(tone, Tone::Grave) || record.allows(now, &limits) {
            record.write(now, &limits);
            self.holding.remove(&key);
            Some(line)
        } else {
            record.hold_back(line);
            self.holding.insert(key);
            None
        }
    }

    /// Whose record it is: the child's; where there are too many, its supervisor's.
    fn key(&self, subject: &Arc<str>, supervisor: &Arc<str>) -> Arc<str> {
        let is_known = self.records.contains_key(subject);
        let has_room = self.records.len() < self.limits.children;
        Arc::clone(if is_known || has_room { subject } else { supervisor })
    }

    fn record(&mut self, key: &Arc<str>, now: Moment) -> &mut Record {
        self.records.entry(Arc::clone(key)).or_insert_with(|| {
            self.ages.push_back((now, Arc::clone(key)));
            Record::default()
        })
    }

    /// Whether a line is held back that a later look may tell.
    pub(super) fn holds_back(&self) -> bool {
        !self.holding.is_empty()
    }

    /// Forgets who has been quiet for long, and tells what was held back of those who have gone quiet.
    fn look(&mut self, now: Moment) -> Vec<Line> {
        let limits = self.limits;
        self.forget(now);
        self.told(now, |record| record.is_quiet(now, &limits))
    }

    /// Looks at those alone who were quiet for long when last looked at: there may be thousands, and a look is taken often.
    fn forget(&mut self, now: Moment) {
        for _ in 0..self.ages.len() {
            let Some((since, key)) = self.ages.pop_front() else {
                return;
            };
            if now.since(since) < self.limits.within {
                return self.ages.push_front((since, key));
            }
            let record = self.records.get(&key);
            let keeps = |record: &&Record| record.held_back.is_some() || now.since(record.seen) < self.limits.within;
            match record.filter(keeps) {
                Some(record) if record.held_back.is_none() => self.ages.push_back((record.seen, key)),
                Some(_) => self.ages.push_back((now, key)),
                None => drop(self.records.remove(&key)),
            }
        }
    }

    /// What is held back of those of whom it is due.
    fn told(&mut self, now: Moment, is_due: impl Fn(&Record) -> bool) -> Vec<Line> {
        let (limits, mut lines) = (self.limits, Vec::new());
        self.holding.retain(|key| {
            let record = self.records.get_mut(key).filter(|record| is_due(record));
            let line = record.and_then(|record| record.write(now, &limits));
            let stays = line.is_none();
            lines.extend(line);
            stays
        });
        lines
    }
}

impl Record {
    fn forget(&mut self, now: Moment, limits: &Limits) {
        for past in [&mut self.restarts, &mut self.written] {
            while past.front().is_some_and(|at| now.since(*at) >= limits.within) {
                past.pop_front();
            }
        }
    }

    fn level(&self, tone: Tone, limits: &Limits) -> Level {
        match tone {
            Tone::Steady(level) => level,
            Tone::Grave => Level::Error,
            Tone::Rising(more) if self.restarts.len() + more >= limits.error_from => Level::Error,
            Tone::Rising(more) if self.restarts.len() + more >= limits.warn_from => Level::Warn,
            Tone::Rising(_) => Level::Info,
        }
    }

    fn allows(&self, now: Moment, limits: &Limits) -> bool {
        let paused = self.written.back().is_none_or(|last| now.since(*last) >= limits.pause);
        self.written.len() < limits.free || paused
    }

    fn is_quiet(&self, now: Moment, limits: &Limits) -> bool {
        now.since(self.seen) >= limits.pause && self.allows(now, limits)
    }

    fn hold_back(&mut self, mut line: Line) {
        let loudest = self.held_back.as_ref().map(|last| last.level);
        line.level = line.level.max(loudest.unwrap_or_default());
        self.held_back = Some(line);
    }

    /// A line is written: another one, or the last one held back, which is returned.
    fn write(&mut self, now: Moment, limits: &Limits) -> Option<Line> {
        remember(&mut self.written, now, limits.free);
        self.held_back.take()
    }
}

/// Notes `now`, and no more moments than matter: the last one at least.
fn remember(past: &mut VecDeque<Moment>, now: Moment, most: usize) {
    if past.len() >= most.max(1) {
        past.pop_front();
    }
    past.push_back(now);
}

/// Whether an event is more than the coming and going of somebody who comes and goes.
pub(crate) fn is_news(fact: &Fact) -> bool {
    !matches!(tone(fact), Tone::Steady(Level::Info))
}

fn tone(fact: &Fact) -> Tone {
    let Fact::Decision(decision) = fact else {
        // What the tree sees of an agent by itself is nothing good.
        return Tone::Steady(Level::Warn);
    };
    match decision {
        Decision::Ended { reason, .. } if reason.is_failure() => Tone::Rising(1),
        Decision::Restarting { .. } => Tone::Rising(0),
        Decision::LetGo { reason, .. } if reason.is_failure() => Tone::Steady(Level::Warn),
        Decision::Killed { .. } => Tone::Steady(Level::Warn),
        Decision::Quarantined { .. } | Decision::Unkillable { .. } | Decision::Escalated(_) => Tone::Grave,
        _ => Tone::Steady(Level::Info),
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
