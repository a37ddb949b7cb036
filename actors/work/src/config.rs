//! What may be set, its meaning and its default.

use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::{Size, Span};

use crate::error::Error;

/// How long a lease may be.
pub(crate) const LEASES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(24);

/// The settings of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// For how long a claim holds without a heartbeat: at least 10 ms, at most 24 h.
    #[serde(with = "triarch_teams::as_span")]
    #[schemars(with = "Span")]
    pub lease: Duration,
    /// How much sooner than the one below it a class of priority is served, most urgent first: so long must a task have
    /// been ready longer to be served as soon. 1 s, 10 s, 1 min, 10 min.
    #[serde(skip)]
    pub head_starts: [Duration; 4],
    /// A task without a deadline is ordered within its class as if it had one so long after it became ready.
    #[serde(with = "triarch_teams::as_span")]
    #[schemars(with = "Span")]
    pub patience: Duration,
    /// After so many lapsed leases, one at least, a task is dead.
    pub lapses: u16,
    /// After so many agents, one at least, that fell at it a task is dead. One that was stopped, or killed by hand, or was at others too, does not count.
    pub deaths: u16,
    /// The most open tasks.
    pub open_max: usize,
    /// The most bytes of the bodies of open tasks, and of what is said of them besides: labels, keys, workers, prerequisites.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub body_bytes_max: usize,
    /// The most sets of capabilities that open tasks need.
    pub needs_max: usize,
    /// So many ended tasks are kept, those that died apart.
    pub ended_max: usize,
    /// So many dead tasks are kept.
    pub dead_max: usize,
    /// The most bytes of ended tasks that are kept, and as many of dead ones.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub ended_bytes_max: usize,
    /// The most bytes of results that open tasks wait for. Each counts 384 bytes more, and one that is still to come
    /// counts 512 for each task that waits for it. A task whose result would have no room, and to whose end no other would make some, fails.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub inputs_bytes_max: usize,
    /// So many late results are kept.
    pub late_max: usize,
    /// Whether what happens to tasks is published on the bus: on `triarch.task.submitted`, `claimed`, `missed`, `done` and so on.
    pub events: bool,
    /// After so many bytes of records a snapshot is taken.
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
        let first = self.faults().into_iter().next();
        first.map_or(Ok(self), |(_, fault)| Err(fault))
    }

    /// All with which no task could be done, by the key to change.
    pub fn faults(&self) -> Vec<(&'static str, Error)> {
        let mut faults = Vec::new();
        if !LEASES.contains(&self.lease) {
            faults.push(("lease", Error::Lease { lease: self.lease }));
        }
        let least_one = [
            ("lapses", usize::from(self.lapses)),
            ("deaths", usize::from(self.deaths)),
            ("open_max", self.open_max),
            ("body_bytes_max", self.body_bytes_max),
            ("needs_max", self.needs_max),
            ("snapshot_after", self.snapshot_after),
        ];
        let none = least_one.into_iter().filter(|(_, most)| *most == 0);
        faults.extend(none.map(|(setting, _)| (setting, Error::NoRoom { setting })));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &Config) -> Vec<&'static str> {
        config.faults().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn settings_with_which_no_task_could_be_done_are_refused_with_their_keys() {
        assert!(Config::default().validated().is_ok());
        let nothing = Config {
            lapses: 0,
            deaths: 0,
            open_max: 0,
            body_bytes_max: 0,
            needs_max: 0,
            snapshot_after: 0,
            ..Config::default()
        };
        let all = [
            "lapses",
            "deaths",
            "open_max",
            "body_bytes_max",
            "needs_max",
            "snapshot_after",
        ];
        assert_eq!(refused(&nothing), all);
        assert_eq!(
            nothing.validated().unwrap_err().to_string(),
            "the setting lapses leaves no room for any task; raise it, or leave it out"
        );
    }

    #[test]
    fn a_lease_under_which_nothing_could_be_claimed_is_refused() {
        let with = |lease| Config {
            lease,
            ..Config::default()
        };
        for lease in [Duration::from_millis(9), Duration::from_secs(24 * 3_600 + 1)] {
            assert_eq!(refused(&with(lease)), ["lease"], "{lease:?}");
        }
        for lease in [Duration::from_millis(10), Duration::from_hours(24)] {
            assert_eq!(refused(&with(lease)), [""; 0], "{lease:?}");
        }
        let refused = with(Duration::ZERO).validated().unwrap_err();
        assert_eq!(refused.to_string(), "a lease of 0ns cannot be; set 10 ms to 24 h");
    }
}
