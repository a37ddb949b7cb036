//! What may be set, its meaning and its default.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_teams::{Size, Span};

use crate::access::{Access, Limit};
use crate::archivist::Retention;
use crate::envelope::{PAYLOAD_LIMIT, PAYLOAD_MAX};
use crate::error::Error;
use crate::metrics::COUNTED_MAX;
use crate::topic::Pattern;

/// The settings of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The largest payload. It is at most `4032KiB`.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub payload_max: usize,
    /// Patterns of topics that metrics count each for itself, up to 4; all others are counted together.
    pub counted: Vec<String>,
    /// How many dead letters are kept, those of durable topics on disk too; the oldest make room.
    pub dead_letters: usize,
    /// The most bytes of dead letters that are kept: of their payloads, and of the reasons why they died.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub dead_letters_bytes: u64,
    /// How many envelopes may wait to be published later.
    pub delayed: usize,
    /// The most bytes of payloads that may wait to be published later.
    #[serde(with = "triarch_teams::as_size")]
    #[schemars(with = "Size")]
    pub delayed_bytes: u64,
    /// How many requests may wait for their answers.
    pub requests: usize,
    /// How many subscriptions there may be.
    pub subscriptions: usize,
    /// Topics that some teams have to themselves.
    pub access: Vec<AccessConfig>,
    /// Topics whose envelopes are on disk before they are acknowledged, and can be read again. Of two that stand for a topic
    /// the first counts.
    pub durable: Vec<DurableConfig>,
}

/// Topics that are durable, in one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DurableConfig {
    /// A pattern: which topics.
    pub topics: String,
    /// How many envelopes are kept.
    pub messages: u64,
    /// How many bytes are kept, in memory and on disk.
    #[schemars(with = "Size")]
    #[serde(with = "triarch_teams::as_size")]
    pub bytes: u64,
    /// For how long an envelope is kept, of the time in which a runtime runs; `0s` is for as long as there is room.
    #[serde(with = "triarch_teams::as_span")]
    #[schemars(with = "Span")]
    pub age: Duration,
}

impl Default for DurableConfig {
    fn default() -> Self {
        Self {
            topics: String::new(),
            messages: 1_000_000,
            bytes: 256 << 20,
            age: Duration::ZERO,
        }
    }
}

/// Topics that some teams have to themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// A pattern: which topics.
    pub topics: String,
    /// The teams that may publish and subscribe there.
    pub teams: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            payload_max: PAYLOAD_MAX,
            counted: Vec::new(),
            dead_letters: 10_000,
            dead_letters_bytes: 64 << 20,
            delayed: 65_536,
            delayed_bytes: 64 << 20,
            requests: 65_536,
            subscriptions: 1_000_000,
            access: Vec::new(),
            durable: Vec::new(),
        }
    }
}

impl Config {
    /// Refuses what cannot be followed.
    pub fn validated(self) -> Result<Self, Error> {
        let first = self.faults().into_iter().next();
        first.map_or(Ok(self), |(_, fault)| Err(fault))
    }

    /// All that cannot be followed, by the key to change.
    pub fn faults(&self) -> Vec<(&'static str, Error)> {
        let mut faults = Vec::new();
        for (key, value) in [
            ("payload_max", self.payload_max),
            ("dead_letters", self.dead_letters),
            ("subscriptions", self.subscriptions),
        ] {
            if value == 0 {
                faults.push((key, Error::Zero { key }));
            }
        }
        if self.payload_max > PAYLOAD_LIMIT {
            let found = self.payload_max;
            faults.push(("payload_max", Error::LargePayloads { found }));
        }
        for (key, found) in [
            ("dead_letters_bytes", self.dead_letters_bytes),
            ("delayed_bytes", self.delayed_bytes),
        ] {
            if found < self.payload_max as u64 {
                let payload = self.payload_max;
                faults.push((key, Error::NoRoomForOne { key, found, payload }));
            }
        }
        if self.counted.len() > COUNTED_MAX {
            faults.push((
                "counted",
                Error::TooManyCounted {
                    found: self.counted.len(),
                },
            ));
        }
        faults.extend(self.counted().err().map(|fault| ("counted", fault)));
        faults.extend(self.access().err().map(|fault| ("access", fault)));
        faults.extend(self.durable().err().map(|fault| ("durable", fault)));
        faults
    }

    pub(crate) fn counted(&self) -> Result<Vec<Pattern>, Error> {
        let patterns = self.counted.iter().map(Pattern::new);
        Ok(patterns.collect::<Result<_, _>>()?)
    }

    pub(crate) fn durable(&self) -> Result<Vec<(Pattern, Retention)>, Error> {
        let rules = self.durable.iter().map(|one| {
            if one.messages == 0 || one.bytes == 0 {
                return Err(Error::Zero {
                    key: "durable.messages or bytes",
                });
            }
            let retention = Retention {
                messages: one.messages,
                bytes: one.bytes,
                age: (!one.age.is_zero()).then_some(one.age),
            };
            Ok((Pattern::new(&one.topics)?, retention))
        });
        rules.collect()
    }

    pub(crate) fn access(&self) -> Result<Access, Error> {
        let limits = self.access.iter().map(|limit| {
            let topics = Pattern::new(&limit.topics)?;
            let teams = limit.teams.iter().map(|team| team.as_str().into()).collect();
            Ok(Limit { topics, teams })
        });
        limits.collect::<Result<_, Error>>().map(Access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(config: &Config) -> Vec<&'static str> {
        config.faults().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_can_be_followed() {
        assert!(Config::default().validated().is_ok());
    }

    #[test]
    fn times_and_amounts_are_read_as_people_write_them() {
        let text = r#"{"payload_max": "64KiB", "durable": [{"topics": "a.**", "bytes": "1MiB", "age": "2h"}]}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!((config.payload_max, config.durable[0].bytes), (64 << 10, 1 << 20));
        assert_eq!(config.durable[0].age, Duration::from_hours(2));
        let large = Config {
            payload_max: PAYLOAD_LIMIT + 1,
            ..config
        };
        assert_eq!(keys(&large), ["payload_max"]);
        let none = Config {
            payload_max: 0,
            ..Config::default()
        };
        assert_eq!(keys(&none), ["payload_max"]);
    }

    #[test]
    fn every_fault_is_told_with_its_key() {
        let access = AccessConfig {
            topics: "a..b".to_owned(),
            teams: Vec::new(),
        };
        let config = Config {
            payload_max: PAYLOAD_LIMIT + 1,
            dead_letters: 0,
            dead_letters_bytes: 7,
            delayed_bytes: 7,
            subscriptions: 0,
            counted: vec!["**.a".to_owned(); 17],
            access: vec![access],
            durable: vec![DurableConfig {
                topics: "a.**".to_owned(),
                messages: 0,
                ..DurableConfig::default()
            }],
            ..Config::default()
        };
        let expected = [
            "dead_letters",
            "subscriptions",
            "payload_max",
            "dead_letters_bytes",
            "delayed_bytes",
            "counted",
            "counted",
            "access",
            "durable",
        ];
        assert_eq!(keys(&config), expected);
        assert!(config.validated().is_err());
    }
}
