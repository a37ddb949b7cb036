//! One line: what it says, in words and as JSON.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use triarch_supervision::clock::Moment;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Fact, Observation};

use crate::config::Format;

/// How loud a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be, or for the first time.
    #[default]
    Info,
    /// Somebody should look when there is time.
    Warn,
    /// Somebody should look.
    Error,
}

impl Level {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) at: Moment,
    pub(super) level: Level,
    /// The path of whom it is about.
    pub(super) subject: Arc<str>,
    pub(super) fact: Fact,
    /// How many before it were held back.
    pub(super) held_back: u64,
}

#[derive(Serialize)]
struct Json<'a> {
    time: String,
    level: Level,
    subject: &'a str,
    #[serde(flatten)]
    fact: &'a Fact,
    held_back: u64,
}

impl Line {
    /// The line with its end, as of `time`.
    pub(super) fn written(&self, format: Format, time: SystemTime) -> String {
        let time = humantime::format_rfc3339_millis(time).to_string();
        let line = match format {
            Format::Text => self.text(&time),
            Format::Json => self.json(time),
        };
        line + "\n"
    }

    fn text(&self, time: &str) -> String {
        let words = words(&self.fact);
        let held_back = match self.held_back {
            0 => String::new(),
            many => format!(" ({many} before it held back)"),
        };
        let line = format!("{time} {:<5} {} {words}{held_back}", self.level.label(), self.subject);
        on_one_line(&line)
    }

    fn json(&self, time: String) -> String {
        let json = Json {
            time,
            level: self.level,
            subject: &self.subject,
            fact: &self.fact,
            held_back: self.held_back,
        };
        serde_json::to_string(&json).unwrap_or_else(|error| format!("{{\"error\":{:?}}}", error.to_string()))
    }
}

/// The line that stands for events that were missed, with its end.
pub(super) fn missed(count: u64, format: Format, time: SystemTime) -> String {
    let time = humantime::format_rfc3339_millis(time).to_string();
    let (level, subject) = (Level::Warn, "telemetry/lifecycle");
    let line = match format {
        Format::Text => format!(
            "{time} {:<5} {subject} missed {count} turns, more than are kept until they are written; events/events.jsonl may have them",
            level.label()
        ),
        Format::Json => {
            serde_json::json!({ "time": time, "level": level, "subject": subject, "missed": count }).to_string()
        }
    };
    line + "\n"
}

/// What an agent says of its failure may hold anything; on the screen it must stay one line and move no cursor.
fn on_one_line(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(shown).collect()
}

fn words(fact: &Fact) -> String {
    match fact {
        Fact::Decision(decision) => decided(decision),
        Fact::Observation(observation) => observed(observation),
        // What a later tree tells is better written as it is than not at all.
        other => format!("{other:?}"),
    }
}

fn decided(decision: &Decision) -> String {
    match decision {
        Decision::Started { incarnation, .. } => format!("started, life {incarnation}"),
        Decision::Ignored { .. } => "declined to start".to_owned(),
        Decision::Ended {
            incarnation, reason, ..
        } => format!("life {incarnation} {reason}"),
        Decision::Restarting {
            reason,
            delay,
            siblings,
            restarts,
            allowed,
            ..
        } => {
            let along = if *siblings > 0 {
                format!(" with {siblings} others")
            } else {
                String::new()
            };
            let when = when(*delay);
            format!("is restarted {when}{along}, restart {restarts} of {allowed} allowed: it {reason}")
        }
        Decision::LetGo { reason, .. } => format!("is not restarted: it {reason}"),
        Decision::Quarantined { reason, .. } => format!("stays down until somebody restarts it: it {reason}"),
        Decision::Killed { incarnation, cause, .. } => format!("life {incarnation} is killed: {cause}"),
        Decision::Unkillable { incarnation, .. } => format!("life {incarnation} was killed and still holds a thread"),
        Decision::Escalated(escalation) => escalation.to_string(),
        Decision::AutoShutdown { child } => format!("ends because its significant child {child} ended"),
        other => format!("{other:?}"),
    }
}

fn observed(observation: &Observation) -> String {
    match observation {
        Observation::Stuck {
            incarnation,
            running_for,
            budget,
            ..
        } => {
            let so_far = in_millis(*running_for);
            format!("life {incarnation} is at one message for {so_far:?}, longer than {budget:?}")
        }
        Observation::Resumed {
            incarnation, failure, ..
        } => format!("life {incarnation} goes on after a failure: {failure}"),
        other => format!("{other:?}"),
    }
}

/// A wait in whole milliseconds: chance has a say in it, and nobody needs its nanoseconds.
/// As exactly as people care for.
fn in_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn when(delay: Duration) -> String {
    match delay.as_millis() {
        0 => "at once".to_owned(),
        millis => format!("in {millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::name::Name;
    use triarch_supervision::reason::{ExitReason, Failure};

    use super::*;

    fn line(failure: &str, held_back: u64) -> Line {
        let decision = Decision::Restarting {
            child: Name::new("echo").unwrap(),
            reason: ExitReason::Error(Failure::new(failure)),
            attempt: 1,
            delay: Duration::from_micros(250_900),
            siblings: 2,
            restarts: 1,
            allowed: 5,
        };
        Line {
            at: Moment::default(),
            level: Level::Warn,
            subject: Arc::from("team/echo"),
            fact: Fact::Decision(decision),
            held_back,
        }
    }

    fn time() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_234)
    }

    #[test]
    fn a_line_of_text_has_time_level_path_and_words() {
        assert_eq!(
            line("out of ink", 0).written(Format::Text, time()),
            "1970-01-01T00:00:01.234Z warn  team/echo is restarted in 250 ms with 2 others, restart 1 of 5 allowed: \
             it failed: out of ink\n"
        );
        assert!(
            line("out of ink", 3)
                .written(Format::Text, time())
                .ends_with("out of ink (3 before it held back)\n")
        );
    }

    #[test]
    fn a_line_of_json_is_one_object_with_all_that_the_event_told() {
        let written = line("out of\nink", 3).written(Format::Json, time());
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(written.lines().count(), 1);
        assert_eq!(value["time"], "1970-01-01T00:00:01.234Z");
        assert_eq!(
            (&value["level"], &value["subject"]),
            (&"warn".into(), &"team/echo".into())
        );
        assert_eq!(
            (&value["decision"], &value["attempt"]),
            (&"restarting".into(), &1.into())
        );
        assert_eq!(
            (&value["reason"]["error"], &value["held_back"]),
            (&"out of\nink".into(), &3.into())
        );
    }

    #[test]
    fn what_was_missed_is_a_line_too() {
        assert_eq!(
            missed(7, Format::Text, time()),
            "1970-01-01T00:00:01.234Z warn  telemetry/lifecycle missed 7 turns, more than are kept until they are \
             written; events/events.jsonl may have them\n"
        );
        let value: serde_json::Value = serde_json::from_str(&missed(7, Format::Json, time())).unwrap();
        assert_eq!((&value["missed"], &value["level"]), (&7.into(), &"warn".into()));
    }

    #[test]
    fn a_failure_cannot_break_the_line_or_move_the_cursor() {
        let written = line("first\nsecond\u{1b}[2J", 0).written(Format::Text, time());
        assert!(
            written.ends_with("it failed: first\\nsecond\\u{1b}[2J\n"),
            "{written:?}"
        );
    }
}
