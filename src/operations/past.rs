//! What an agent has been through, in this runtime and in those before it.

use std::io;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_programs::ExitRecord;
use triarch_supervision::tree::{Change, HISTORY_LENGTH};
use triarch_telemetry::PastChange;

use super::Trouble;
use super::seen::{Place, ago, millis, time_of};
use crate::fleet::Fleet;
use crate::wall_clock::wall_clock;

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

/// How a life of a program ended.
#[derive(Debug, Serialize)]
struct EndSeen<'a> {
    #[serde(flatten)]
    end: &'a ExitRecord,
    /// Whether it was in a runtime before this one, whose lives were numbered from 1 too.
    is_of_earlier_runtime: bool,
}

impl<'a> EndSeen<'a> {
    /// One of all that are known, where `own` are those of this runtime.
    fn of(end: &'a ExitRecord, own: &[ExitRecord]) -> Self {
        Self {
            end,
            is_of_earlier_runtime: !own.contains(end),
        }
    }
}

impl Past {
    /// The past of the agent there.
    pub(crate) async fn of(fleet: &Fleet, place: &Place) -> Result<Self, Trouble> {
        let path = place.plain();
        let now = wall_clock();
        let mut unreadable = Unreadable::default();
        let before = unreadable.or_nothing(fleet.ground().events.before(&path).await);
        let programs = fleet.programs();
        // Only the last are kept, so that an old one may go and a new one come while the others are read.
        let mut own = programs.records().of(&path);
        let mut ends = match programs.ends(&path).await {
            Ok(ends) => ends,
            Err(error) => {
                unreadable.note(&error);
                programs.records().of(&path)
            }
        };
        ends.reverse();
        own.extend(programs.records().of(&path));
        let ends: Vec<_> = ends.iter().map(|end| EndSeen::of(end, &own)).collect();
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
        Self {
            at: time_of(change.at, now),
            ago_ms: ago(change.at),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
