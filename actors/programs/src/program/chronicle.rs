//! What a program says for people: its log, and its last lines for the record of its end.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ends::{self, Life};
use super::lines::Line;
use super::message::Fault;
use super::plan::Links;
use crate::logs::{Notebook, Source};
use crate::metrics::Metrics;
use crate::records::{EndReason, ExitRecord, LINES_KEPT};
use crate::settings::Mode;
use crate::sys::Exit;

/// So much of each of the last lines is kept.
const KEPT_BYTES: usize = 500;

/// The log of one process and its last lines.
#[derive(Debug)]
pub(super) struct Chronicle {
    pub(super) notebook: Notebook,
    last: VecDeque<String>,
    metrics: Metrics,
}

impl Chronicle {
    pub(super) fn new(notebook: Notebook, metrics: Metrics) -> Self {
        Self {
            notebook,
            last: VecDeque::new(),
            metrics,
        }
    }

    /// How it ended, for those who ask now and those who ask the next runtime.
    pub(super) fn ended(&mut self, links: &Links, path: &Arc<str>, record: ExitRecord) {
        self.notebook.ended(record.clone());
        self.notebook.flush();
        links.records.add(path, record);
    }

    /// How it ended where its agent was killed, which could not stop it; the process sees to that when it is dropped.
    pub(super) fn killed(&mut self, links: &Links, path: &Arc<str>, life: Life, mode: Mode, posts: usize) {
        let said = "its agent was killed, and so is the program with all that it started";
        self.notebook.event(said);
        links.records.end(path, life.incarnation);
        links.metrics.exited(EndReason::Killed);
        let record = ExitRecord {
            posts,
            lines: self.last_lines(),
            ..ends::record(life, mode, EndReason::Killed, Exit::UNSEEN, None)
        };
        self.ended(links, path, record);
    }

    /// Its last lines, oldest first.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    /// A line of its standard error.
    pub(super) fn line_of_err(&mut self, line: Line<'_>) {
        match line {
            Line::Whole(line) => {
                if std::str::from_utf8(line).is_err() {
                    self.metrics.fault(Fault::NotUtf8);
                }
                self.note(Source::Err, line);
            }
            Line::TooLong { bytes, head } => self.skipped(Source::Err, bytes, head),
        }
    }

    /// A line as it is, whatever its bytes.
    pub(super) fn note(&mut self, source: Source, line: &[u8]) {
        self.say(source, None, String::from_utf8_lossy(line).into_owned());
    }

    /// A line that was too long.
    pub(super) fn skipped(&mut self, source: Source, bytes: u64, head: &[u8]) {
        self.metrics.fault(Fault::TooLong);
        let head = String::from_utf8_lossy(head);
        let words = format!("a line of {bytes} bytes is skipped, it begins with {head:?}");
        self.say(source, Some("error".to_owned()), words);
    }

    /// A line of its log.
    pub(super) fn say(&mut self, source: Source, level: Option<String>, text: String) {
        if self.last.len() == LINES_KEPT {
            self.last.pop_front();
        }
        let end = text.floor_char_boundary(KEPT_BYTES);
        self.last.push_back(text[..end].to_owned());
        self.notebook.note(source, level, text);
    }
}
