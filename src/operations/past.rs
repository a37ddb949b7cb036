//! What an agent has been through, in this runtime and in those before it.

use std::io;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_supervision::tree::{Change, HISTORY_LENGTH};
use triarch_telemetry::PastChange;

use super::Trouble;
use super::seen::{Place, ago, millis};
use crate::fleet::Fleet;

/// What is kept of an agent's past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// Its last changes of state, the latest first.
    pub(crate) history: Vec<ChangeSeen>,
    /// How its program's last lives ended, the latest first.
    pub(crate) ends: Vec<Value>,
    /// Why something of earlier runtimes is missing, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable: Option<String>,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeSeen {
    pub(crate) at: String,
    pub(crate) ago_ms: u64,
    pub(crate) to: String,
    pub(crate) incarnation: u64,
    /// Whether it was in a runtime before this one, whose lives were numbered from 1 too.
    pub(crate) is_of_earlier_runtime: bool,
    pub(crate) reason: Option<String>,
}

impl Past {
    /// The past of the agent there.
    pub(crate) async fn of(fleet: &Fleet, place: &Place) -> Result<Self, Trouble> {
        let path = place.plain();
        let now = wall_clock();
        let mut unreadable = Unreadable::default();
        let before = unreadable.or_nothing(fleet.ground().events.before(&path).await);
        let programs = fleet.programs();
        let mut ends = match programs.ends(&path).await {
            Ok(ends) => ends,
            Err(error) => {
                unreadable.note(&error);
                programs.records().of(&path)
            }
        };
        ends.reverse();
        Ok(Self {
            history: joined(before, &fleet.observer().history(&place.path)?, now),
            ends: values(&ends),
            unreadable: unreadable.0,
        })
    }
}

/// The latest first, and no more than are kept of each agent.
fn joined(before: Vec<PastChange>, since: &[Change], now: SystemTime) -> Vec<ChangeSeen> {
    let before = before.into_iter().map(|change| ChangeSeen::earlier(change, now));
    let since = since.iter().map(|change| ChangeSeen::of_now(change, now));
    let all: Vec<_> = before.chain(since).collect();
    all.into_iter().rev().take(HISTORY_LENGTH).collect()
}

impl ChangeSeen {
    fn of_now(change: &Change, now: SystemTime) -> Self {
        let ago_ms = ago(change.at);
        let at = now.checked_sub(Duration::from_millis(ago_ms)).unwrap_or(now);
        Self {
            at: humantime::format_rfc3339_millis(at).to_string(),
            ago_ms,
            to: change.to.label().to_owned(),
            incarnation: change.incarnation,
            is_of_earlier_runtime: false,
            reason: change.reason.as_ref().map(ToString::to_string),
        }
    }

    fn earlier(change: PastChange, now: SystemTime) -> Self {
        Self {
            at: humantime::format_rfc3339_millis(change.at).to_string(),
            // A clock that was set back since makes the past the present.
            ago_ms: millis(now.duration_since(change.at).unwrap_or_default()),
            to: change.to,
            incarnation: change.incarnation,
            is_of_earlier_runtime: true,
            reason: change.reason,
        }
    }
}

/// What could not be read, in words.
#[derive(Default)]
struct Unreadable(Option<String>);

impl Unreadable {
    fn note(&mut self, error: &io::Error) {
        self.0 = Some(format!("what earlier runtimes kept cannot be read: {error}"));
    }

    fn or_nothing<T: Default>(&mut self, read: io::Result<T>) -> T {
        read.unwrap_or_else(|error| {
            self.note(&error);
            T::default()
        })
    }
}

pub(super) fn values<T: Serialize>(listed: &[T]) -> Vec<Value> {
    listed
        .iter()
        .filter_map(|value| serde_json::to_value(value).ok())
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "people are told in the time of the world when something was"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_goes_on_from_runtime_to_runtime_and_only_its_end_is_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let change = |number: u64| PastChange {
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(number),
            to: "idle".to_owned(),
            incarnation: number,
            reason: None,
        };
        let shown = joined((0..150).map(change).collect(), &[], now);
        assert_eq!(shown.len(), HISTORY_LENGTH);
        assert_eq!((shown[0].incarnation, shown[0].ago_ms), (149, 851_000));
        assert_eq!(shown[0].at, "1970-01-01T00:02:29.000Z");
        assert!(shown.iter().all(|change| change.is_of_earlier_runtime));
        assert_eq!(shown[HISTORY_LENGTH - 1].incarnation, 50);
    }
}
