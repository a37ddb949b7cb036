//! How the end of a process is told.

use std::time::{Duration, SystemTime};

use triarch_teams::Span;

use crate::command::Recipe;
use crate::error::{ProgramError, SANDBOX};
use crate::logs::wall_clock;
use crate::records::{EndReason, ExitRecord, Usage};
use crate::settings::Mode;
use crate::sys::{Exit, Survey};
use crate::ways::Closed;

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

/// Why a process ended that nobody asked to end.
pub(super) fn reason(exit: Exit) -> EndReason {
    match (exit.code, exit.signal) {
        (Some(0), _) => EndReason::Ended,
        (Some(_), _) => EndReason::Code,
        (None, Some(_)) => EndReason::Signal,
        (None, None) => EndReason::Unknown,
    }
}

/// Why an end is a failure; one with code 0 is none.
pub(super) fn failure(exit: Exit, clue: Option<String>, last: impl FnOnce() -> Vec<String>) -> Option<ProgramError> {
    match (exit.code, exit.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(ProgramError::Code {
            code,
            last: last(),
            clue,
        }),
        (None, Some(signal)) => Some(ProgramError::Signal {
            signal,
            last: last(),
            clue,
        }),
        (None, None) => Some(ProgramError::Gone { last: last() }),
    }
}

/// What may be why a program failed that it cannot know itself: what it was kept from. To be asked before it is stopped.
pub(super) fn clue(recipe: &Recipe, exit: Exit, was_short_of_memory: impl FnOnce() -> bool) -> Option<String> {
    if exit.code == Some(0) {
        return None;
    }
    if recipe.limits_memory() && was_short_of_memory() {
        return Some("it used more than limits.memory".to_owned());
    }
    let Closed { folder, program } = recipe.closed();
    let clues = match exit.code {
        Some(NOT_RUN | NOT_FOUND) if recipe.is_in_sandbox() => [Some(SANDBOX), program.as_deref(), folder.as_deref()],
        // A program that cannot read its own script says so in its own words and codes.
        Some(_) => [None, None, folder.as_deref()],
        None => return None,
    };
    let clues: Vec<_> = clues.into_iter().flatten().collect();
    (!clues.is_empty()).then(|| clues.join("; "))
}

/// The codes with which shells say that a program may not be run, and that there is none.
const NOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// What is to be said of a stop that took force, where there was patience.
pub(super) fn force(patience: Duration, exit: Exit, survey: Survey) -> Option<String> {
    let who = match exit.signal {
        Some(KILLED) => "it",
        _ => "what it had started",
    };
    let patience = Span(patience);
    (survey.killed > 0 && !patience.0.is_zero()).then(|| format!("{who} did not end within {patience} and was killed"))
}

const KILLED: i32 = 9;

/// An end in words.
pub(super) fn said(reason: EndReason, exit: Exit, survey: Survey, more: Option<&str>) -> String {
    let how = match (reason, exit.code, exit.signal) {
        (EndReason::Stopped, ..) => "the program was stopped".to_owned(),
        (EndReason::Silent, ..) => "the program gave no sign of life".to_owned(),
        (EndReason::Wall, ..) => "the program's time was over".to_owned(),
        (_, Some(code), _) => format!("the program ended with code {code}"),
        (_, None, Some(signal)) => format!("the program was ended by signal {signal}"),
        (_, None, None) => "the program is gone".to_owned(),
    };
    let how = more.map_or(how.clone(), |more| format!("{how}: {more}"));
    match survey.found {
        0 => how,
        _ => format!("{how} ({survey})"),
    }
}

/// The record of an end; posts and lines are yet to be added.
pub(super) fn record(life: Life, mode: Mode, reason: EndReason, exit: Exit, survey: Survey) -> ExitRecord {
    ExitRecord {
        incarnation: life.incarnation,
        mode,
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
