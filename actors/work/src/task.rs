//! What a task is, as it is submitted and as it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
/// How soon a task is claimed among those that are ready: as messages are handled, and yet `Background` is never left for good.
pub use triarch_supervision::message::Priority;

use crate::words::{Capability, Fence, Key, Kind, Tag, TaskId, Worker};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for other tasks, or for its time.
    Blocked,
    /// Whoever is able to may claim it.
    Ready,
    /// A worker has it, and has not begun.
    Claimed,
    /// A worker has begun.
    Running,
    /// It was done.
    Done,
    /// It failed, and was not to be tried again.
    Failed,
    /// Somebody called it off, or a task that it waited for did not succeed.
    Cancelled,
    /// Its deadline passed.
    Expired,
    /// It failed, or was lost, as often as it may.
    Dead,
}

impl State {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Blocked,
        Self::Ready,
        Self::Claimed,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Dead,
    ];

    /// The word for it in metrics and screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Claimed => "claimed",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Dead => "dead",
        }
    }

    /// Whether nothing more happens to it by itself.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Blocked | Self::Ready | Self::Claimed | Self::Running)
    }

    /// Whether somebody may have it tried again.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Failed | Self::Dead)
    }
}

/// Times in texts that people write: milliseconds.
mod as_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(crate::time::millis(*time))
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Duration, Serializer};

        #[expect(clippy::ref_option, reason = "serde passes what stands in the field")]
        pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => serializer.serialize_some(&crate::time::millis(*time)),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
        }
    }
}

/// How often a failed task is tried again, and after which wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RetryAsked")]
pub struct Retry {
    /// So often after the first attempt.
    pub retries: u16,
    /// The wait after the first failure; it doubles with each.
    #[serde(rename = "first_ms", with = "as_millis")]
    pub first: Duration,
    /// The longest wait; the first is no longer than it.
    #[serde(rename = "longest_ms", with = "as_millis")]
    pub longest: Duration,
    /// Up to so many hundredths of a wait are left off by chance.
    pub jitter_percent: u8,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 0,
            first: Duration::from_secs(1),
            longest: Duration::from_mins(5),
            jitter_percent: 25,
        }
    }
}

impl Retry {
    /// So often after the first attempt, and at first after that wait, however long it is.
    pub fn after(first: Duration, retries: u16) -> Self {
        let usual = Self::default();
        Self {
            retries,
            first,
            longest: usual.longest.max(first),
            ..usual
        }
    }
}

/// The same as people write it: of the two waits, what is not said gives way to what is.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetryAsked {
    retries: u16,
    #[serde(rename = "first_ms", with = "as_millis::optional")]
    first: Option<Duration>,
    #[serde(rename = "longest_ms", with = "as_millis::optional")]
    longest: Option<Duration>,
    jitter_percent: Option<u8>,
}

impl From<RetryAsked> for Retry {
    fn from(asked: RetryAsked) -> Self {
        let usual = Self::default();
        let first = asked.first.unwrap_or(usual.first);
        let most = asked.longest.filter(|_| asked.first.is_none());
        Self {
            retries: asked.retries,
            first: first.min(most.unwrap_or(first)),
            longest: asked.longest.unwrap_or(usual.longest.max(first)),
            jitter_percent: asked.jitter_percent.unwrap_or(usual.jitter_percent),
        }
    }
}

/// Whom a task would rather have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affinity {
    /// This worker.
    pub worker: Worker,
    /// For so long it is kept for that worker once it is ready; without end where nothing is said.
    #[serde(rename = "hold_ms", with = "as_millis::optional", default)]
    pub hold: Option<Duration>,
}

/// A task that is to be done before another, which gets its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// The task of that number.
    Task(TaskId),
    /// The task with that key, of the same batch or an earlier one.
    Key(Key),
    /// The task at that place of the same batch, from 0.
    Place(u32),
}

/// A task as it is submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// What sort of work it is.
    pub kind: Kind,
    /// What is to be done.
    #[serde(default, with = "as_json", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
    /// How soon it is claimed.
    #[serde(default)]
    pub priority: Priority,
    /// Within which time it is to be done.
    #[serde(rename = "deadline_ms", with = "as_millis::optional", default)]
    pub deadline: Option<Duration>,
    /// Whether a missed deadline ends it.
    #[serde(default)]
    pub cancel_when_missed: bool,
    /// After which time it may begin.
    #[serde(rename = "not_before_ms", with = "as_millis::optional", default)]
    pub not_before: Option<Duration>,
    /// How long one attempt may take, from when a worker begins.
    #[serde(rename = "timeout_ms", with = "as_millis::optional", default)]
    pub timeout: Option<Duration>,
    /// How often it is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// What must be done before.
    #[serde(default)]
    pub after: Vec<After>,
    /// What a worker must be able to do.
    #[serde(default)]
    pub needs: Vec<Capability>,
    /// Whom it would rather have.
    #[serde(default)]
    pub affinity: Option<Affinity>,
    /// What makes it the same task however often it is submitted, for as long as the task is kept.
    #[serde(default)]
    pub key: Option<Key>,
    /// What people find it by.
    #[serde(default)]
    pub labels: BTreeMap<Tag, Tag>,
    /// What it may cost, in units of those who do it.
    #[serde(default)]
    pub budget: Option<u64>,
    /// The task it is a part of.
    #[serde(default)]
    pub parent: Option<TaskId>,
}

impl Submission {
    /// A task of that kind, with nothing more said of it.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            body: Vec::new(),
            priority: Priority::default(),
            deadline: None,
            cancel_when_missed: false,
            not_before: None,
            timeout: None,
            retry: Retry::default(),
            after: Vec::new(),
            needs: Vec::new(),
            affinity: None,
            key: None,
            labels: BTreeMap::new(),
            budget: None,
            parent: None,
        }
    }
}

/// A body in a text that people write is any JSON; what is no JSON is a text.
mod as_json {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text = || Value::String(String::from_utf8_lossy(body).into_owned());
        let value = serde_json::from_slice(body).unwrap_or_else(|_| text());
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(Value::deserialize(deserializer)?.to_string().into_bytes())
    }
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Its task.
    pub task: TaskId,
    /// Whether there was a task with its key already, which this is.
    pub is_known: bool,
}

/// A task in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Which.
    pub task: TaskId,
    /// The number of the lease, to be shown with all that is said of the task.
    pub fence: Fence,
    /// What sort of work it is.
    pub kind: Kind,
    /// What is to be done.
    pub body: Vec<u8>,
    /// The results of the tasks it waited for, in the order they were named.
    pub inputs: Vec<Input>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// For how long it is claimed, unless heartbeats prolong it.
    pub lease: Duration,
    /// How long the attempt may take from its begin, where that is limited: what tells of no begin is bound by its lease alone.
    pub timeout: Option<Duration>,
    /// How much time there is until its deadline.
    pub deadline: Option<Duration>,
    /// What it may cost.
    pub budget: Option<u64>,
    /// Whether it was kept for this worker alone, and would be again.
    pub is_reserved: bool,
}

/// What an earlier task hands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// The earlier task.
    pub task: TaskId,
    /// Its result, shared by all who get it.
    pub result: Arc<[u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_one_line_of_json() {
        let line = r#"{"kind":"build","body":{"b":1,"a":[2]},"deadline_ms":1500,"after":[{"task":3},{"key":"x"},{"place":0}]}"#;
        let submission: Submission = serde_json::from_str(line).unwrap();
        assert_eq!(submission.body, br#"{"b":1,"a":[2]}"#);
        assert_eq!(submission.deadline, Some(Duration::from_millis(1_500)));
        assert_eq!(submission.after[0], After::Task(TaskId::new(3)));
        assert_eq!(submission.after[2], After::Place(0));
        let again = serde_json::to_string(&submission).unwrap();
        assert_eq!(serde_json::from_str::<Submission>(&again).unwrap(), submission);
    }

    #[test]
    fn of_the_waits_of_retries_what_is_not_said_gives_way_to_what_is() {
        for (line, first, longest) in [
            ("{}", 1, 300),
            (r#"{"first_ms":3600000}"#, 3_600, 3_600),
            (r#"{"first_ms":2000}"#, 2, 300),
            (r#"{"longest_ms":0}"#, 0, 0),
            (r#"{"longest_ms":3600000}"#, 1, 3_600),
            (r#"{"first_ms":9000,"longest_ms":5000}"#, 9, 5),
        ] {
            let retry: Retry = serde_json::from_str(line).unwrap();
            let waits = [retry.first, retry.longest].map(|wait| wait.as_secs());
            assert_eq!(waits, [first, longest], "{line}");
        }
        assert!(serde_json::from_str::<Retry>(r#"{"first":1}"#).is_err());
        let usual = Retry::default();
        assert_eq!(Retry::after(usual.first, usual.retries), usual);
    }

    #[test]
    fn what_nobody_knows_in_a_submission_is_refused() {
        for line in [
            r#"{"kind":"build","prio":1}"#,
            r#"{"kind":"Bad kind"}"#,
            r#"{"body":1}"#,
        ] {
            assert!(serde_json::from_str::<Submission>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn words_of_states_and_priorities_are_those_of_their_texts() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.label());
        }
        for (index, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(priority).unwrap(), priority.label());
            assert_eq!(priority as usize, index);
        }
    }
}
