//! What may be set, its meaning and its default. What a room or a team asks for is told by its own crate.

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use triarch_bus as bus;
use triarch_gateway as gateway;
use triarch_memory as memory;
use triarch_programs as programs;
use triarch_teams::{SettingError, Size, Span, TeamConfig};
use triarch_telemetry as telemetry;
use triarch_work as work;

/// All settings of a runtime, in the order of its tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The runtime as a whole.
    pub runtime: RuntimeConfig,
    /// The log of what happens to agents.
    pub telemetry: TelemetryConfig,
    /// Topics that agents publish on and subscribe to.
    pub bus: bus::Config,
    /// The store that agents share.
    pub memory: memory::Settings,
    /// Durable tasks.
    pub work: work::Config,
    /// Agents that are programs.
    pub programs: programs::Config,
    /// The doors: HTTP, and the socket of the command line.
    pub gateway: gateway::Config,
    /// Teams, in the order they start.
    #[serde(rename = "team")]
    pub teams: Vec<TeamConfig>,
}

/// The runtime as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeConfig {
    /// The folder of what outlives the process; `~/` stands for the home of its user, and a relative path is seen from the folder of the description.
    #[schemars(length(min = 1))]
    pub state_dir: String,
    /// How many agents one supervisor has before a team is split.
    pub span: NonZeroUsize,
    /// How long all teams together may take to stop when the runtime does; what is left of them then is killed.
    pub stop_within: Span,
    /// What the process logs.
    pub log: LogConfig,
}

/// What the process logs, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How a line is written.
    pub format: LogFormat,
    /// The least that is worth a line.
    pub level: LogLevel,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// The least that is worth a line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may come to fail.
    Warn,
    /// What happens.
    #[default]
    Info,
}

impl From<LogLevel> for telemetry::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
        }
    }
}

/// How loud the log is about one agent, and how much of it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// How often events are looked for.
    pub look_every: Span,
    /// How many lines are written, and how loud they are.
    pub limits: LineLimits,
    /// How much is kept of all events, in the folder `events` of the state folder.
    pub events: EventLimits,
}

/// How much is kept of all events on disk. What makes way there leaves the last 100 events of each agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventLimits {
    /// The size at which a file of events makes way for a new one.
    pub file_bytes: Size,
    /// How many such files there are, the newest among them.
    pub files: usize,
}

/// How many lines about one agent are written, and how loud they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LineLimits {
    /// For how long lines and restarts are remembered.
    pub within: Span,
    /// How many lines are written within that time without a pause between them.
    pub free: usize,
    /// The pause before each further line.
    pub pause: Span,
    /// From how many restarts within that time lines are warnings.
    pub warn_from: usize,
    /// From how many restarts within that time lines are errors.
    pub error_from: usize,
    /// How many agents are told apart; those beyond share the allowance of their team.
    pub children: usize,
}

const SPAN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9);

/// Well within what service managers allow.
const STOP_WITHIN: Span = Span(Duration::from_secs(45));

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            state_dir: "~/.local/state/triarch".to_owned(),
            span: SPAN,
            stop_within: STOP_WITHIN,
            log: LogConfig::default(),
        }
    }
}

impl RuntimeConfig {
    /// The folder of what outlives the process, for a user with this home.
    pub fn state_folder(&self, home: &Path) -> PathBuf {
        match self.state_dir.strip_prefix('~') {
            Some("") => home.to_owned(),
            Some(rest) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(&self.state_dir),
        }
    }
}

impl Default for LineLimits {
    fn default() -> Self {
        Self::from(telemetry::Limits::default())
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        let config = telemetry::Config::default();
        Self {
            look_every: Span(config.look_every),
            limits: LineLimits::from(config.limits),
            events: EventLimits::from(config.events),
        }
    }
}

impl TelemetryConfig {
    /// What the room is built from, with such a log.
    pub fn room(&self, log: LogConfig) -> telemetry::Config {
        telemetry::Config {
            level: log.level.into(),
            format: match log.format {
                LogFormat::Text => telemetry::Format::Text,
                LogFormat::Json => telemetry::Format::Json,
            },
            look_every: self.look_every.0,
            limits: self.limits.into(),
            events: self.events.into(),
        }
    }

    /// Settings that contradict each other, by their keys.
    pub(super) fn faults(&self) -> Vec<SettingError> {
        let faults = self.room(LogConfig::default()).faults().into_iter();
        faults.map(|(key, fault)| told(key, &fault)).collect()
    }
}

/// What a room says of one of its settings: what is wrong, and what to do.
pub(super) fn told(key: &str, fault: &impl Error) -> SettingError {
    let text = fault.to_string();
    let (problem, remedy) = text.rsplit_once("; ").unwrap_or((&text, "change it"));
    SettingError::of(key, problem, remedy)
}

impl Default for EventLimits {
    fn default() -> Self {
        Self::from(telemetry::Config::default().events)
    }
}

impl From<telemetry::files::Bounds> for EventLimits {
    fn from(bounds: telemetry::files::Bounds) -> Self {
        Self {
            file_bytes: Size(bounds.file_bytes),
            files: bounds.files,
        }
    }
}

impl From<EventLimits> for telemetry::files::Bounds {
    fn from(limits: EventLimits) -> Self {
        Self {
            file_bytes: limits.file_bytes.0,
            files: limits.files,
        }
    }
}

impl From<telemetry::Limits> for LineLimits {
    fn from(limits: telemetry::Limits) -> Self {
        Self {
            within: Span(limits.within),
            free: limits.free,
            pause: Span(limits.pause),
            warn_from: limits.warn_from,
            error_from: limits.error_from,
            children: limits.children,
        }
    }
}

impl From<LineLimits> for telemetry::Limits {
    fn from(limits: LineLimits) -> Self {
        Self {
            within: limits.within.0,
            free: limits.free,
            pause: limits.pause.0,
            warn_from: limits.warn_from,
            error_from: limits.error_from,
            children: limits.children,
            passers_by: triarch_gateway::CONNECTIONS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_room_and_have_no_fault() {
        let config = Config::default();
        let mut room = telemetry::Config::default();
        room.limits.passers_by = triarch_gateway::CONNECTIONS;
        assert_eq!(config.telemetry.room(LogConfig::default()), room);
        assert_eq!(config.telemetry.faults(), []);
        assert!(config.gateway.faults().is_empty());
    }

    #[test]
    fn a_tilde_stands_for_the_home_of_the_user() {
        let folder = |state_dir: &str| {
            let runtime = RuntimeConfig {
                state_dir: state_dir.to_owned(),
                ..RuntimeConfig::default()
            };
            runtime.state_folder(Path::new("/h"))
        };
        assert_eq!(folder("~/state"), Path::new("/h/state"));
        assert_eq!(folder("~"), Path::new("/h"));
        assert_eq!(folder("~other/state"), Path::new("~other/state"));
        assert_eq!(folder("/var/lib/triarch"), Path::new("/var/lib/triarch"));
    }
}
