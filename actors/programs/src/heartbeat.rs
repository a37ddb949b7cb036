//! How often a program that declares it gives a sign of life, and what follows where none comes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::{SettingError, Span};

use crate::settings::Mode;

/// The quickest heartbeat: what is quicker tells of the machine more than of the program.
const EVERY_MIN: Span = Span(Duration::from_millis(10));
/// The slowest.
const EVERY_MAX: Span = Span(Duration::from_hours(24));

/// Looks between two of its limits.
const LOOKS: u32 = 4;
/// The longest time between two looks.
const PACE_MAX: Duration = Duration::from_secs(1);

/// That a program says of itself that it lives, and how long it may say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeartbeatSettings {
    /// How often it says something at least: `{"type":"heartbeat"}`, or anything else.
    pub every: Span,
    /// After how long without a word it is degraded; without this after twice `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Span>,
    /// After how long it is critical; without this after five times `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<Span>,
    /// After how long it has failed: it is killed, and started again as after any failure; without this after ten times `every`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Span>,
}

impl Default for HeartbeatSettings {
    fn default() -> Self {
        Self {
            every: Span(Duration::from_secs(1)),
            degraded: None,
            critical: None,
            failed: None,
        }
    }
}

/// How long a program may say nothing, and how often that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) degraded: Duration,
    pub(crate) critical: Duration,
    pub(crate) failed: Duration,
    /// The time from one look to the next.
    pub(crate) pace: Duration,
}

impl HeartbeatSettings {
    pub(crate) fn limits(&self) -> Limits {
        let after = |given: Option<Span>, times: u32| given.map_or(self.every.0.saturating_mul(times), |span| span.0);
        let degraded = after(self.degraded, 2);
        Limits {
            degraded,
            critical: after(self.critical, 5),
            failed: after(self.failed, 10),
            pace: (degraded / LOOKS).min(PACE_MAX),
        }
    }

    /// All that cannot be followed.
    pub(crate) fn faults(&self, mode: Mode) -> Vec<SettingError> {
        if mode == Mode::Exec {
            return vec![SettingError::of(
                "heartbeat",
                "a program in mode exec runs for one post only, and has nothing to say between two",
                "remove it, or let mode be \"lines\"; limits.wall bounds one run",
            )];
        }
        if !(EVERY_MIN..=EVERY_MAX).contains(&self.every) {
            let problem = format!("a heartbeat every {} cannot be had", self.every);
            let remedy = format!("give {EVERY_MIN} to {EVERY_MAX}");
            return vec![SettingError::of("heartbeat.every", problem, remedy)];
        }
        let limits = self.limits();
        let steps = [
            ("heartbeat.degraded", limits.degraded, "every", self.every.0),
            ("heartbeat.critical", limits.critical, "degraded", limits.degraded),
            ("heartbeat.failed", limits.failed, "critical", limits.critical),
        ];
        let wrong = steps.into_iter().filter(|(_, limit, _, before)| limit <= before);
        wrong
            .map(|(key, limit, word, before)| {
                let problem = format!("{} is no more than {word}, which is {}", Span(limit), Span(before));
                SettingError::of(key, problem, format!("give more than {}", Span(before)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> HeartbeatSettings {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_limits_are_two_five_and_ten_seconds_or_as_many_beats() {
        let seconds = |limits: Limits| [limits.degraded, limits.critical, limits.failed].map(|limit| limit.as_secs());
        assert_eq!(seconds(read(json!({})).limits()), [2, 5, 10]);
        assert_eq!(seconds(read(json!({ "every": "30s" })).limits()), [60, 150, 300]);
        assert_eq!(
            seconds(read(json!({ "every": "30s", "failed": "1h" })).limits()),
            [60, 150, 3600]
        );
        assert_eq!(read(json!({})).limits().pace, Duration::from_millis(500));
        assert_eq!(read(json!({ "every": "30s" })).limits().pace, PACE_MAX);
    }

    #[test]
    fn limits_that_make_no_sense_name_the_key_and_the_remedy() {
        let table = [
            (
                json!({ "every": "1ms" }),
                vec!["heartbeat.every: a heartbeat every 1ms cannot be had; give 10ms to 1day"],
            ),
            (
                json!({ "degraded": "1s" }),
                vec!["heartbeat.degraded: 1s is no more than every, which is 1s; give more than 1s"],
            ),
            (
                json!({ "critical": "2s", "failed": "1s" }),
                vec![
                    "heartbeat.critical: 2s is no more than degraded, which is 2s; give more than 2s",
                    "heartbeat.failed: 1s is no more than critical, which is 2s; give more than 2s",
                ],
            ),
            (json!({ "every": "100ms", "failed": "600ms" }), vec![]),
        ];
        for (settings, expected) in table {
            let faults = read(settings).faults(Mode::Lines);
            let told = faults
                .iter()
                .map(|fault| format!("{}: {fault}", fault.key.as_deref().unwrap_or_default()));
            assert_eq!(told.collect::<Vec<_>>(), expected);
        }
        assert_eq!(read(json!({})).faults(Mode::Exec).len(), 1);
    }
}
