//! What may be set, its meaning and its default.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::{Size, Span};

use crate::error::Error;

/// The settings of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// For how long a claim holds without a heartbeat: 30 s.
    #[serde(with = "triarch_teams::as_span")]
    #[schemars(with = "Span")]
    pub lease: Duration,
    /// How much sooner than the one below it a class of priority is served, most urgent first: so long must a task have
    /// been ready longer to be served as soon. 1 s, 10 s, 1 min, 10 min.
    #[serde(skip)]
    pub head_starts: [Duration; 4],
    /// A task without a deadline is ordered within its class as if it had one so long after it became ready: 10 min.
    #[serde(with = "triarch_teams::as_span")]
    #[schemars(with = "Span")]
    pub patience: Duration,
    /// After so many lapsed leases, one at least, a task is dead: 16.
    pub lapses: u16,
    /// After so many agents, one at least, that fell at it a task is dead: 3. One that was stopped, or killed by hand, or was at others too, does not count.
    pub deaths: u16,
    /// The most open tasks: 2,000,000.
    pub open_max: usize,
    /// The most bytes of the bodies of open tasks: 1 GiB.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub body_bytes_max: usize,
    /// The most sets of capabilities that open tasks need: 1,024.
    pub needs_max: usize,
    /// So many ended tasks are kept, those that died apart: 10,000.
    pub ended_max: usize,
    /// So many dead tasks are kept: 10,000.
    pub dead_max: usize,
    /// The most bytes of ended tasks that are kept, and as many of dead ones: 64 MiB.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub ended_bytes_max: usize,
    /// The most bytes of results that open tasks wait for: 1 GiB. Each counts 384 bytes more, and one that is still to come
    /// counts 512 for each task that waits for it.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub inputs_bytes_max: usize,
    /// So many late results are kept: 256.
    pub late_max: usize,
    /// Whether what happens to tasks is published on the bus: on `triarch.task.submitted`, `claimed`, `missed`, `done` and so on.
    pub events: bool,
    /// After so many bytes of records a snapshot is taken: 64 MiB.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub snapshot_after: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            head_starts: [
                Duration::from_secs(1),
                Duration::from_secs(10),
                Duration::from_mins(1),
                Duration::from_mins(10),
            ],
            patience: Duration::from_mins(10),
            lapses: 16,
            deaths: 3,
            open_max: 2_000_000,
            body_bytes_max: 1 << 30,
            needs_max: 1_024,
            ended_max: 10_000,
            dead_max: 10_000,
            ended_bytes_max: 64 << 20,
            inputs_bytes_max: 1 << 30,
            late_max: 256,
            events: false,
            snapshot_after: 64 << 20,
        }
    }
}

impl Config {
    /// Refuses settings with which no task could be done.
    pub fn validated(self) -> Result<Self, Error> {
        let refused = [
            ("lease", self.lease < Duration::from_millis(10)),
            ("lapses", self.lapses == 0),
            ("deaths", self.deaths == 0),
            ("open_max", self.open_max == 0),
            ("body_bytes_max", self.body_bytes_max == 0),
            ("needs_max", self.needs_max == 0),
            ("snapshot_after", self.snapshot_after == 0),
        ];
        match refused.into_iter().find(|(_, is_refused)| *is_refused) {
            Some((setting, _)) => Err(Error::NoRoom { setting }),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_which_no_task_could_be_done_are_refused() {
        assert!(Config::default().validated().is_ok());
        let lease = Config {
            lease: Duration::ZERO,
            ..Config::default()
        };
        assert_eq!(
            lease.validated().unwrap_err().to_string(),
            "the setting lease leaves no room for any task; raise it, or leave it out"
        );
        let open = Config {
            open_max: 0,
            ..Config::default()
        };
        assert!(open.validated().is_err());
    }
}
