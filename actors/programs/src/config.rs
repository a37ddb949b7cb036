//! What may be set, its meaning and its default.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use triarch_teams::Size;

/// The settings of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The size at which a file of an agent's log makes way for a new one.
    pub log_file_bytes: Size,
    /// How many files of an agent's log are kept, the newest among them.
    pub log_files: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log_file_bytes: Size(4 << 20),
            log_files: 4,
        }
    }
}

impl Config {
    /// Refuses settings that leave no room.
    pub fn validated(self) -> Result<Self, Error> {
        let first = self.faults().into_iter().next();
        first.map_or(Ok(self), |(_, fault)| Err(fault))
    }

    /// All that leaves no room, by the key to change.
    pub fn faults(&self) -> Vec<(&'static str, Error)> {
        let amounts = [
            ("log_file_bytes", self.log_file_bytes.0),
            ("log_files", self.log_files as u64),
        ];
        let none = amounts.into_iter().filter(|(_, amount)| *amount == 0);
        none.map(|(key, _)| (key, Error::NoRoomForLogs)).collect()
    }

    /// Where logs lie below the state folder.
    pub(crate) fn logs(state_dir: &std::path::Path) -> PathBuf {
        state_dir.join("logs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_need_room() {
        assert!(Config::default().validated().is_ok());
        let config = Config {
            log_file_bytes: Size(0),
            log_files: 0,
        };
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["log_file_bytes", "log_files"]);
        assert_eq!(
            config.validated().unwrap_err().to_string(),
            "logs have no room; give log_file_bytes and log_files more than 0"
        );
    }
}
