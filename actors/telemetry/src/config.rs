//! What may be set, its meaning and its default.

use std::time::Duration;

use crate::error::Error;
use crate::files::Bounds;
use crate::lifecycle::Level;

/// The settings of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How a line is written.
    pub format: Format,
    /// The least that is worth a line.
    pub level: Level,
    /// How often events are looked for.
    pub look_every: Duration,
    /// How loud lines are, and how many are written.
    pub limits: Limits,
    /// How much is kept of the events on disk, beside one file of what is kept of those before.
    pub events: Bounds,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, path and words.
    #[default]
    Text,
    /// For programs: one JSON object.
    Json,
}

/// How loud the lines about one child are, and how many of them are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For how long lines and restarts are remembered.
    pub within: Duration,
    /// How many lines are written within that time without a pause between them.
    pub free: usize,
    /// The pause before each further line.
    pub pause: Duration,
    /// From how many restarts within that time lines are warnings.
    pub warn_from: usize,
    /// From how many restarts within that time lines are errors.
    pub error_from: usize,
    /// How many children are told apart; those beyond share the allowance of their supervisor.
    pub children: usize,
    /// How the paths of those begin whose ordinary coming and going is no news, such as connections: nobody's.
    pub passers_by: &'static [&'static str],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Format::default(),
            level: Level::default(),
            look_every: Duration::from_millis(50),
            limits: Limits::default(),
            events: Bounds {
                file_bytes: 8 << 20,
                files: 4,
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            within: Duration::from_mins(1),
            free: 5,
            pause: Duration::from_secs(1),
            warn_from: 2,
            error_from: 5,
            children: 4096,
            passers_by: &[],
        }
    }
}

impl Config {
    /// Refuses settings that contradict each other.
    pub fn validated(self) -> Result<Self, Error> {
        let first = self.faults().into_iter().next();
        first.map_or(Ok(self), |(_, fault)| Err(fault))
    }

    /// All settings that contradict each other, by the key to change.
    pub fn faults(&self) -> Vec<(&'static str, Error)> {
        let Limits {
            within,
            pause,
            warn_from,
            error_from,
            ..
        } = self.limits;
        let mut faults = Vec::new();
        if self.look_every.is_zero() {
            faults.push(("look_every", Error::NoPauseBetweenLooks));
        }
        if pause > within {
            faults.push(("limits.pause", Error::PauseTooLong { pause, within }));
        }
        if warn_from > error_from {
            faults.push(("limits.warn_from", Error::LevelsReversed { warn_from, error_from }));
        }
        if self.events.file_bytes == 0 || self.events.files == 0 {
            faults.push(("events.files", Error::NoRoomForEvents));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config
            .validated()
            .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(refused(|_| {}), "accepted");
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_a_remedy() {
        assert_eq!(
            refused(|config| config.look_every = Duration::ZERO),
            "events are looked for without a pause; give look_every more than 0"
        );
        assert_eq!(
            refused(|config| config.limits.pause = Duration::from_secs(61)),
            "the pause of 61s between lines is longer than the 60s they are remembered for; shorten it"
        );
        assert_eq!(
            refused(|config| config.limits.warn_from = 6),
            "errors begin at 5 restarts and warnings only at 6; let warnings begin first"
        );
        assert_eq!(
            refused(|config| config.events.files = 0),
            "events have no room; give events.file_bytes and events.files more than 0"
        );
    }

    #[test]
    fn all_faults_are_told_by_their_keys() {
        let mut config = Config {
            look_every: Duration::ZERO,
            ..Config::default()
        };
        config.limits.warn_from = 6;
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["look_every", "limits.warn_from"]);
    }
}
