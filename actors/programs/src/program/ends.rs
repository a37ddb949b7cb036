//! How the end of a process is told.

use std::time::{Duration, SystemTime};

use crate::error::ProgramError;
use crate::logs::wall_clock;
use crate::records::{ExitRecord, Usage};
use crate::sys::{Exit, Survey};

/// What is known of a process from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) incarnation: u64,
    pid: i32,
    started: SystemTime,
}

impl Life {
    pub(super) fn begun(incarnation: u64, pid: i32) -> Self {
        Self {
            incarnation,
            pid,
            started: wall_clock(),
        }
    }

    pub(super) fn pid(self) -> i32 {
        self.pid
    }
}

/// The end of a process that nobody has seen.
pub(super) const UNSEEN: Exit = Exit {
    code: None,
    signal: None,
    cpu_user: Duration::ZERO,
    cpu_system: Duration::ZERO,
    max_rss: 0,
};

/// The closed word for the end of a process that nobody asked for.
pub(super) fn word(exit: Exit) -> &'static str {
    match (exit.code, exit.signal) {
        (Some(0), _) => "ended",
        (Some(_), _) => "code",
        (None, Some(_)) => "signal",
        (None, None) => "unknown",
    }
}

/// Why an end is a failure; one with code 0 is none.
pub(super) fn failure(exit: Exit, last: impl FnOnce() -> Vec<String>) -> Option<ProgramError> {
    match (exit.code, exit.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(ProgramError::Code { code, last: last() }),
        (None, Some(signal)) => Some(ProgramError::Signal { signal, last: last() }),
        (None, None) => Some(ProgramError::Gone { last: last() }),
    }
}

/// An end in words.
pub(super) fn said(word: &str, exit: Exit, survey: Survey) -> String {
    let how = match (word, exit.code, exit.signal) {
        ("stopped", ..) => "the program was stopped".to_owned(),
        ("wall", ..) => "the program's time was over".to_owned(),
        (_, Some(code), _) => format!("the program ended with code {code}"),
        (_, None, Some(signal)) => format!("the program was ended by signal {signal}"),
        (_, None, None) => "the program is gone".to_owned(),
    };
    match survey.found {
        0 => how,
        _ => format!("{how} ({survey})"),
    }
}

/// The record of an end; posts and lines are yet to be added.
pub(super) fn record(life: Life, reason: &'static str, exit: Exit, survey: Survey) -> ExitRecord {
    ExitRecord {
        incarnation: life.incarnation,
        pid: life.pid,
        started: life.started,
        ended: wall_clock(),
        reason,
        code: exit.code,
        signal: exit.signal,
        usage: Usage::of(exit),
        posts: 0,
        processes: survey.found,
        survivors: survey.survivors,
        lines: Vec::new(),
    }
}
