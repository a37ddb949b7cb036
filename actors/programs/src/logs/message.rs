//! What the scribe is sent, and what programs send it by.

use std::sync::Arc;
use std::time::SystemTime;

use triarch_supervision::prelude::*;

use super::backlog::{Backlog, Waiting};
use super::line::{LogLine, Source};
use crate::metrics::Metrics;

/// Write lines to the log of an agent.
#[derive(Debug)]
pub(crate) struct Write {
    /// Its path.
    pub(crate) agent: Arc<str>,
    pub(crate) lines: Vec<LogLine>,
    /// Let go when they are written.
    pub(super) waiting: Waiting,
}

impl Message for Write {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// The log of one incarnation of an agent: gathers lines and hands them over.
#[derive(Debug)]
pub(crate) struct Journal {
    scribe: Address<Write>,
    metrics: Metrics,
    agent: Arc<str>,
    incarnation: u64,
    backlog: Backlog,
    lines: Vec<LogLine>,
}

impl Journal {
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
        }
    }

    /// Notes a line.
    pub(crate) fn note(&mut self, source: Source, level: Option<String>, text: String) {
        let mut line = LogLine::new(wall_clock(), self.incarnation, source, text);
        line.level = level;
        self.lines.push(line);
    }

    /// Notes something that happened.
    pub(crate) fn event(&mut self, text: impl Into<String>) {
        self.note(Source::Event, None, text.into());
    }

    /// Hands over what was noted. Nobody waits: where there is no room the lines are counted and gone.
    pub(crate) fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let (agent, count) = (Arc::clone(&self.agent), lines.len() as u64);
        let is_taken = self.backlog.admit(&lines).is_some_and(|waiting| {
            let write = Write { agent, lines, waiting };
            self.scribe.try_send(write).is_ok()
        });
        if !is_taken {
            self.metrics.dropped_busy.add(count);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.flush();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log is the edge where lines get the time of the world"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
