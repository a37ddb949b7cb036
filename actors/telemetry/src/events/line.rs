//! One event as a line.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Fact, Observation, Phase};

/// A change of state in the life of an agent, as an earlier runtime kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChange {
    /// When.
    pub at: SystemTime,
    /// To what: the word of a state.
    pub to: String,
    /// In which life of that time; each runtime counts from 1.
    pub incarnation: u64,
    /// Why, in words.
    pub reason: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    time: String,
    runtime: u64,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    event: &'a Fact,
}

/// What is read of a line again.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    /// Which runtime wrote it, by when it began.
    pub(super) runtime: u64,
    #[serde(borrow)]
    pub(super) subject: Cow<'a, str>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    incarnation: Option<u64>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    /// What stands in a line of a file; nothing where somebody was stopped in the middle of it.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The change it tells, where it tells one. Where it does not say in which life, it was `life`.
    pub(super) fn change(&self, life: u64) -> Option<PastChange> {
        Some(PastChange {
            at: humantime::parse_rfc3339(&self.time).ok()?,
            to: self.to.as_deref()?.to_owned(),
            incarnation: self.incarnation.unwrap_or(life),
            reason: self.reason.as_deref().map(str::to_owned),
        })
    }

    pub(super) fn incarnation(&self) -> Option<u64> {
        self.incarnation
    }
}

/// Adds the line of an event, with its end.
pub(super) fn append(out: &mut Vec<u8>, event: &Event, time: SystemTime, runtime: u64) {
    let Told {
        to,
        incarnation,
        reason,
    } = told(&event.fact);
    let written = Written {
        time: humantime::format_rfc3339_micros(time).to_string(),
        runtime,
        subject: &event.subject(),
        to: to.map(Phase::label),
        incarnation,
        reason,
        event: &event.fact,
    };
    let begin = out.len();
    match serde_json::to_writer(&mut *out, &written) {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(begin),
    }
}

/// Adds the line that tells of events that came faster than they were taken.
pub(super) fn append_missed(out: &mut Vec<u8>, missed: u64, time: SystemTime, runtime: u64) {
    let time = humantime::format_rfc3339_micros(time);
    out.extend(format!("{{\"time\":\"{time}\",\"runtime\":{runtime},\"missed\":{missed}}}\n").into_bytes());
}

/// What an event says of the one it is about.
struct Told {
    to: Option<Phase>,
    incarnation: Option<u64>,
    reason: Option<String>,
}

fn told(fact: &Fact) -> Told {
    let (to, incarnation, reason) = match fact {
        Fact::Decision(Decision::Started { incarnation, .. }) => (Some(Phase::Idle), Some(*incarnation), None),
        Fact::Decision(Decision::Ended {
            incarnation, reason, ..
        }) => (Some(Phase::Stopped), Some(*incarnation), Some(reason.to_string())),
        Fact::Decision(Decision::Restarting { reason, delay, .. }) => {
            let waits = !delay.is_zero();
            (waits.then_some(Phase::Backoff), None, Some(reason.to_string()))
        }
        Fact::Decision(Decision::Quarantined { reason, .. }) => (Some(Phase::Failed), None, Some(reason.to_string())),
        Fact::Decision(Decision::LetGo { reason, .. }) => (None, None, Some(reason.to_string())),
        Fact::Decision(Decision::Killed { incarnation, cause, .. }) => {
            (None, Some(*incarnation), Some(cause.to_string()))
        }
        Fact::Decision(Decision::Escalated(escalation)) => (None, None, Some(escalation.to_string())),
        Fact::Observation(Observation::Resumed {
            incarnation, failure, ..
        }) => (None, Some(*incarnation), Some(failure.to_string())),
        Fact::Observation(Observation::Stuck { incarnation, .. }) => (None, Some(*incarnation), None),
        _ => (None, None, None),
    };
    Told {
        to,
        incarnation,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::clock::Moment;
    use triarch_supervision::name::Name;
    use triarch_supervision::reason::{ExitReason, Failure};

    use super::*;

    fn decision(decision: Decision) -> Event {
        Event::new(Moment::default(), "team.2", Fact::Decision(decision))
    }

    #[test]
    fn an_event_is_read_back_as_the_change_it_told() {
        let child = Name::new("a").unwrap();
        let reason = ExitReason::Error(Failure::new("out of\nink"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_234_567);
        let restarting = |delay| Decision::Restarting {
            child: child.clone(),
            reason: reason.clone(),
            attempt: 1,
            delay,
            siblings: 0,
            restarts: 1,
            allowed: 5,
        };
        let table = [
            (
                Decision::Started {
                    child: child.clone(),
                    incarnation: 3,
                },
                Some(("idle", 3, None)),
            ),
            (
                Decision::Ended {
                    child: child.clone(),
                    incarnation: 3,
                    reason: reason.clone(),
                },
                Some(("stopped", 3, Some("failed: out of\nink"))),
            ),
            (restarting(Duration::ZERO), None),
            (
                restarting(Duration::from_secs(1)),
                Some(("backoff", 9, Some("failed: out of\nink"))),
            ),
            (
                Decision::Quarantined {
                    child: child.clone(),
                    reason: reason.clone(),
                },
                Some(("failed", 9, Some("failed: out of\nink"))),
            ),
        ];
        for (what, expected) in table {
            let mut text = Vec::new();
            append(&mut text, &decision(what), time, 7);
            assert_eq!(memchr::memchr_iter(b'\n', &text).count(), 1);
            assert_eq!(
                Line::read(&text[..text.len() / 2]).map(|line| line.runtime),
                None,
                "half a line"
            );
            let line = Line::read(&text).unwrap();
            assert_eq!((line.runtime, &*line.subject), (7, "team.2/a"));
            let expected = expected.map(|(to, incarnation, reason)| PastChange {
                at: time,
                to: to.to_owned(),
                incarnation,
                reason: reason.map(str::to_owned),
            });
            assert_eq!(line.change(9), expected);
        }
    }

    #[test]
    fn that_events_were_missed_is_a_line_about_nobody() {
        let mut text = Vec::new();
        append_missed(&mut text, 12, SystemTime::UNIX_EPOCH, 7);
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&value["missed"], &value["runtime"]), (&12.into(), &7.into()));
        assert!(Line::read(&text).is_none());
    }
}
