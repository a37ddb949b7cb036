//! Teams and agents as a person describes them.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use triarch_supervision::policy::{Backoff, Intensity};
use triarch_supervision::prelude::*;

use crate::span::Span;

/// The most replicas of an agent: whoever means more than one machine bears has probably mistyped.
pub const REPLICAS_MAX: u32 = 100_000;

/// A team: rules for all, and its agents in the order they start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamConfig {
    /// Its name: a-z, 0-9, _ and -, up to 63 of them.
    pub name: String,
    /// Which agents restart together.
    #[serde(default)]
    pub strategy: TeamStrategy,
    /// How many restarts the team bears before it fails itself; 5 within 30s where nothing is said.
    #[serde(default)]
    pub intensity: IntensityConfig,
    /// How long an agent waits before it is started again.
    #[serde(default)]
    pub backoff: BackoffConfig,
    /// Which of its agents gets the next task that several are able to do.
    #[serde(default)]
    pub dispatch: DispatchConfig,
    /// Its agents.
    #[serde(default, rename = "agent")]
    pub agents: Vec<AgentConfig>,
}

/// Which agents of a team restart when one of them ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamStrategy {
    /// Only that one.
    #[default]
    OneForOne,
    /// All of the team.
    OneForAll,
    /// That one and those after it.
    RestForOne,
}

/// How tasks are spread over the agents of a team that are able to do them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchConfig {
    /// One after the other.
    RoundRobin,
    /// Whoever has least.
    LeastLoaded,
    /// The one of two drawn ones that has less.
    #[default]
    RandomOfTwo,
    /// In proportion to their weights.
    Weighted,
    /// Whoever is able to do least else.
    Capability,
    /// Where it is expected to be finished first, by how long tasks took there.
    Predictive,
}

/// How many restarts are borne within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntensityConfig {
    /// How many. Where a team says nothing of `intensity`, 5; else both keys are to be there.
    pub restarts: u32,
    /// Within which time. Where a team says nothing of `intensity`, `30s`.
    pub within: Span,
}

/// The waits between restarts of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// The wait before the first restart.
    pub first: Span,
    /// By what each further wait grows.
    #[schemars(range(min = 1))]
    pub factor: f64,
    /// The longest wait.
    pub max: Span,
    /// The share of a wait that chance adds or takes: 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub jitter: f64,
}

/// One agent, or several alike. What its kind asks for besides stands among these keys.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentConfig {
    /// Its name: a-z, 0-9, _ and -, up to 63 of them.
    pub name: String,
    /// What it is, such as `program`.
    pub kind: String,
    /// How many of it there are: `name-1`, `name-2` and so on. Without it there is one, of its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = REPLICAS_MAX))]
    pub replicas: Option<NonZeroU32>,
    /// What holds for an agent of any kind.
    #[serde(flatten)]
    pub rules: Rules,
    /// The settings of its kind.
    #[serde(flatten)]
    #[schemars(skip)]
    pub settings: Map<String, Value>,
}

/// What its kind asks for may have secrets, which no panic and no log is to show.
impl fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings: Vec<_> = self.settings.keys().collect();
        f.debug_struct("AgentConfig")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("replicas", &self.replicas)
            .field("rules", &self.rules)
            .field("settings", &settings)
            .finish()
    }
}

/// What holds for an agent of any kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rules {
    /// When it is started again.
    #[serde(default)]
    pub restart: RestartConfig,
    /// How long it may take to stop before it is killed.
    #[serde(default = "shutdown")]
    pub shutdown: Span,
    /// How long it may take to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_within: Option<Span>,
    /// How long it may take over one post before it is reported as stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle_within: Option<Span>,
    /// Its mailbox.
    #[serde(default)]
    pub mailbox: MailboxConfig,
    /// The waits between its restarts, where they are not those of its team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffConfig>,
    /// What happens when it fails more often than its team bears.
    #[serde(default)]
    pub on_limit: OnLimitConfig,
    /// What it can do, in words of the user's choice. One that has any takes tasks that need no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Which tasks it takes; without this it takes one at a time where it has capabilities, and none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskRules>,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role: String,
}

/// How many tasks an agent takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskRules {
    /// How many it may have in hand at once; 0 for none.
    #[schemars(range(max = TASKS_MAX))]
    pub at_once: u32,
    /// How many more are kept ready for it, so that it need not wait for the next. Of them those of its team take who are idle and able to do all that it is; nobody of another team does.
    #[schemars(range(max = TASKS_MAX))]
    pub ahead: u32,
    /// How much of the work it is to get beside others, where a team spreads tasks by weight.
    pub weight: u32,
}

/// The most tasks of one agent, in hand and ahead.
pub const TASKS_MAX: u32 = 1_000;

/// When an agent is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartConfig {
    /// Always.
    #[default]
    Permanent,
    /// When it failed.
    Transient,
    /// Never.
    Temporary,
}

/// What happens to an agent that fails more often than its team bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLimitConfig {
    /// The agent alone stays down until somebody restarts it.
    #[default]
    Quarantine,
    /// The team fails and is started again; with the second failure of a team within 5s, of all teams together, the whole runtime ends.
    Escalate,
}

/// The mailbox of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MailboxConfig {
    /// How many posts may wait.
    pub capacity: NonZeroUsize,
    /// What happens when it is full.
    pub overflow: OverflowConfig,
}

/// What happens when a mailbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverflowConfig {
    /// The sender is held back.
    #[default]
    Wait,
    /// The sender is refused.
    Reject,
    /// The post becomes a dead letter.
    DropNewest,
    /// The oldest post becomes a dead letter.
    DropOldest,
}

const fn seconds(seconds: u64) -> Span {
    Span(std::time::Duration::from_secs(seconds))
}

fn shutdown() -> Span {
    seconds(5)
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            restart: RestartConfig::default(),
            shutdown: shutdown(),
            start_within: None,
            handle_within: None,
            mailbox: MailboxConfig::default(),
            backoff: None,
            on_limit: OnLimitConfig::default(),
            capabilities: Vec::new(),
            tasks: None,
            role: String::new(),
        }
    }
}

impl Default for TaskRules {
    fn default() -> Self {
        Self {
            at_once: 1,
            ahead: 0,
            weight: 1,
        }
    }
}

impl Rules {
    /// How many tasks it takes.
    pub fn tasks(&self) -> Option<TaskRules> {
        let able = (!self.capabilities.is_empty()).then(TaskRules::default);
        self.tasks.or(able).filter(|tasks| tasks.at_once > 0)
    }
}

impl Default for IntensityConfig {
    fn default() -> Self {
        Self {
            restarts: 5,
            within: seconds(30),
        }
    }
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            first: Span(std::time::Duration::from_millis(100)),
            factor: 2.0,
            max: seconds(30),
            jitter: 0.2,
        }
    }
}

impl Default for MailboxConfig {
    fn default() -> Self {
        Self {
            capacity: NonZeroUsize::MIN.saturating_add(1023),
            overflow: OverflowConfig::Wait,
        }
    }
}

impl From<TeamStrategy> for Strategy {
    fn from(strategy: TeamStrategy) -> Self {
        match strategy {
            TeamStrategy::OneForOne => Self::OneForOne,
            TeamStrategy::OneForAll => Self::OneForAll,
            TeamStrategy::RestForOne => Self::RestForOne,
        }
    }
}

impl From<IntensityConfig> for Intensity {
    fn from(config: IntensityConfig) -> Self {
        Self::new(config.restarts, config.within.0)
    }
}

impl From<BackoffConfig> for Backoff {
    fn from(config: BackoffConfig) -> Self {
        Self {
            first: config.first.0,
            factor: config.factor,
            max: config.max.0,
            jitter: config.jitter,
            reset_after: config.max.0,
        }
    }
}

impl From<RestartConfig> for Restart {
    fn from(config: RestartConfig) -> Self {
        match config {
            RestartConfig::Permanent => Self::Permanent,
            RestartConfig::Transient => Self::Transient,
            RestartConfig::Temporary => Self::Temporary,
        }
    }
}

impl From<OnLimitConfig> for OnLimit {
    fn from(config: OnLimitConfig) -> Self {
        match config {
            OnLimitConfig::Quarantine => Self::Quarantine,
            OnLimitConfig::Escalate => Self::Escalate,
        }
    }
}

impl From<OverflowConfig> for Overflow {
    fn from(config: OverflowConfig) -> Self {
        match config {
            OverflowConfig::Wait => Self::Wait,
            OverflowConfig::Reject => Self::Reject,
            OverflowConfig::DropNewest => Self::DropNewest,
            OverflowConfig::DropOldest => Self::DropOldest,
        }
    }
}
