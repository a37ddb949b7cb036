//! What the scribe is sent, and what programs send it by.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use triarch_supervision::prelude::*;

use super::backlog::{Backlog, Waiting};
use super::line::{LogLine, Source};
use crate::metrics::Metrics;
use crate::records::ExitRecord;

/// Write lines to the log of an agent.
#[derive(Debug)]
pub(crate) struct Write {
    /// Its path.
    pub(crate) agent: Arc<str>,
    pub(crate) lines: Vec<LogLine>,
    /// How a process of it ended.
    pub(crate) end: Option<Box<ExitRecord>>,
    /// Let go when the lines are written.
    pub(super) waiting: Option<Waiting>,
}

impl Message for Write {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// The log of one incarnation of an agent: gathers lines and hands them over.
#[derive(Debug)]
pub(crate) struct Notebook {
    scribe: Address<Write>,
    metrics: Metrics,
    agent: Arc<str>,
    incarnation: u64,
    backlog: Backlog,
    lines: Vec<LogLine>,
    end: Option<Box<ExitRecord>>,
}

impl Notebook {
    pub(crate) fn new(
        scribe: Address<Write>,
        metrics: Metrics,
        agent: Arc<str>,
        incarnation: u64,
        backlog: Backlog,
    ) -> Self {
        Self {
            scribe,
            metrics,
            agent,
            incarnation,
            backlog,
            lines: Vec::new(),
            end: None,
        }
    }

    /// Notes a line.
    pub(crate) fn note(&mut self, source: Source, level: Option<String>, text: String) {
        let line = LogLine::new(wall_clock(), self.incarnation, source, text);
        self.lines.push(line.at_level(level));
    }

    /// Notes something that happened.
    pub(crate) fn event(&mut self, text: impl Into<String>) {
        self.note(Source::Event, None, text.into());
    }

    /// Notes how the process ended.
    pub(crate) fn ended(&mut self, record: ExitRecord) {
        self.end = Some(Box::new(record));
    }

    /// Hands over what was noted. Nobody waits: where there is no room the lines are counted and gone.
    pub(crate) fn flush(&mut self) {
        if self.lines.is_empty() && self.end.is_none() {
            return;
        }
        let mut write = Write {
            agent: Arc::clone(&self.agent),
            waiting: self.backlog.admit(&self.lines),
            lines: std::mem::take(&mut self.lines),
            end: self.end.take(),
        };
        if write.waiting.is_none() {
            // How a process ended is little, and is kept though there are too many lines.
            self.metrics.dropped_busy.add(write.lines.len() as u64);
            write.lines = Vec::new();
            if write.end.is_none() {
                return;
            }
        }
        let (lines, ends) = (write.lines.len() as u64, u64::from(write.end.is_some()));
        if self.scribe.try_send(write).is_err() {
            self.metrics.dropped_busy.add(lines);
            self.metrics.ends_dropped_busy.add(ends);
        }
    }
}

impl Drop for Notebook {
    fn drop(&mut self) {
        self.flush();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log is the edge where lines get the time of the world"
)]
pub(crate) fn wall_clock() -> SystemTime {
    let now = SystemTime::now();
    // As exact as it is written, so that what is read again is the same.
    let beyond = now.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos() % 1000;
    now - Duration::from_nanos(beyond.into())
}
