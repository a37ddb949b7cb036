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
    if let Some(most) = recipe.cpu_most().filter(|most| has_used_up(*most, exit)) {
        let most = Span(most);
        return Some(format!("it used up limits.cpu, which is {most} of processor time"));
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

/// Whether a process was ended because its processor time was over, or the shell that waited for it says so. One that does not
/// heed the signal for that is killed a second later, as somebody else might kill it who had used less.
fn has_used_up(most: Duration, exit: Exit) -> bool {
    let by_shell = || exit.code.and_then(|code| code.checked_sub(ENDED_BY));
    match exit.signal.or_else(by_shell) {
        Some(libc::SIGXCPU) => true,
        Some(KILLED) => exit.cpu() >= most,
        _ => false,
    }
}

/// A shell whose last process was ended by a signal ends with this and the number of the signal.
const ENDED_BY: i32 = 128;

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

const KILLED: i32 = libc::SIGKILL;

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

/// The record of an end, with a survey where somebody has looked for what was left; posts, lines and what more is known are yet to
/// be added.
pub(super) fn record(life: Life, mode: Mode, reason: EndReason, exit: Exit, survey: Option<Survey>) -> ExitRecord {
    ExitRecord {
        incarnation: life.incarnation,
        mode,
        pid: life.pid,
        started: life.started,
        ended: wall_clock(),
        reason,
        code: exit.code,
        signal: exit.signal,
        why: None,
        usage: Usage::of(exit),
        posts: 0,
        processes: survey.map(|survey| survey.found),
        survivors: survey.map(|survey| survey.survivors),
        lines: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_used_up_its_processor_time_is_told_from_who_was_killed() {
        let exit = |code, signal, seconds| Exit {
            code,
            signal,
            cpu_user: Duration::from_secs(seconds),
            ..Exit::UNSEEN
        };
        let table = [
            (exit(None, Some(libc::SIGXCPU), 0), true),
            (exit(None, Some(KILLED), 2), true),
            (exit(None, Some(KILLED), 1), false),
            (exit(Some(128 + libc::SIGXCPU), None, 0), true),
            (exit(Some(128 + KILLED), None, 2), true),
            (exit(Some(128 + KILLED), None, 1), false),
            (exit(None, Some(libc::SIGTERM), 9), false),
            (exit(Some(1), None, 9), false),
            (exit(Some(i32::MIN), None, 9), false),
        ];
        for (exit, expected) in table {
            assert_eq!(has_used_up(Duration::from_secs(2), exit), expected, "{exit:?}");
        }
    }
}
