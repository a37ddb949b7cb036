//! Whether the disk has room for what rooms write down: journals go on while it has none, and only count what it refuses.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Map, Value, json};
use triarch_journal::metrics::{FAILURES, OWNERS, RECORDS};
use triarch_supervision::clock::Moment;
use triarch_supervision::metrics::{Counter, Instruments};
use triarch_supervision::sync::lock;

use crate::operations::{ago, span};

/// Of one room it is told again after that time at the soonest, with how much was refused meanwhile.
const QUIET_FOR: Duration = Duration::from_mins(1);

/// What the journal of a room has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) room: &'static str,
    /// Writes for which the disk had no room.
    refused: u64,
    /// Records that are on disk.
    written: u64,
}

impl Counted {
    /// What the journals of all rooms have counted.
    pub(crate) fn all(instruments: &Instruments) -> Vec<Self> {
        let failures = instruments.fans::<Counter, 1>(&FAILURES);
        let records = instruments.labelled::<Counter, 1>(&RECORDS);
        let (Ok(failures), Ok(records)) = (failures, records) else {
            return Vec::new();
        };
        let of = |room| Self {
            room,
            refused: failures.with([room]).at("full").get(),
            written: records.with([room]).get(),
        };
        OWNERS.map(of).into()
    }
}

/// What the disk has refused for want of room, by the room whose journal it was.
#[derive(Debug, Default)]
pub(crate) struct FullDisks(Mutex<BTreeMap<&'static str, Seen>>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    refused: u64,
    written: u64,
    full: Option<Full>,
    /// When that was last told, and how often it was since.
    told: Option<Moment>,
    untold: u64,
}

/// A disk that has no room.
#[derive(Clone, Copy, Debug)]
struct Full {
    since: Moment,
    refused: u64,
    /// Once more than these records are on disk it has room again.
    written: u64,
}

impl FullDisks {
    /// Takes note of what was counted up to `now`. Returns what there is to tell of it in the log.
    pub(crate) fn look(&self, counted: &[Counted], now: Moment) -> Vec<String> {
        let mut rooms = lock(&self.0);
        let told = counted.iter().filter_map(|counted| {
            let seen = rooms.entry(counted.room).or_default();
            seen.look(*counted, now).then(|| seen.told_at(counted.room, now))
        });
        told.collect()
    }

    /// The rooms that the disk has no room for, in words.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let rooms = lock(&self.0);
        let full = rooms.iter().filter_map(|(room, seen)| Some((room, seen.full?)));
        full.map(|(room, full)| {
            let (refused, since) = (full.refused, span(ago(full.since)));
            format!("the disk has no room for {room}: {refused} writes refused in {since}; see `triarch doctor`")
        })
        .collect()
    }

    /// What an agent shows of itself, with what the disk refused where it is one that has its room's journal written.
    pub(crate) fn beside(&self, shown: Option<Value>, path: &str) -> Option<Value> {
        let room = match path {
            "bus/archivist" | "bus/scribe" => "bus",
            "memory/writer" | "memory/scribe" => "memory",
            "work/queue" | "work/scribe" => "work",
            _ => return shown,
        };
        let Some(full) = lock(&self.0).get(room).and_then(|seen| seen.full) else {
            return shown;
        };
        let mut shown = match shown {
            Some(Value::Object(shown)) => shown,
            _ => Map::new(),
        };
        let full = json!({ "writes_refused": full.refused, "for_ms": ago(full.since) });
        shown.insert("disk_full".to_owned(), full);
        Some(shown.into())
    }
}

impl Seen {
    /// Whether there is something to tell.
    fn look(&mut self, counted: Counted, now: Moment) -> bool {
        let refused = counted.refused.saturating_sub(self.refused);
        self.full = match self.full {
            Some(full) if refused == 0 => (counted.written == full.written).then_some(full),
            // What was written meanwhile was so before, when it fills up, and after, when there is room again.
            None if refused > 0 => Some(Full {
                since: now,
                refused,
                written: counted.written,
            }),
            Some(full) => Some(Full {
                refused: full.refused + refused,
                written: self.written,
                ..full
            }),
            None => None,
        };
        (self.refused, self.written) = (counted.refused, counted.written);
        self.untold += refused;
        let is_quiet = self.told.is_some_and(|told| now.since(told) < QUIET_FOR);
        self.untold > 0 && !is_quiet
    }

    fn told_at(&mut self, room: &str, now: Moment) -> String {
        self.told = Some(now);
        let count = std::mem::take(&mut self.untold);
        format!(
            "the disk has no room for what {room} is to write down: {count} writes were refused, and nothing of them is written; `triarch doctor` tells how much room there is"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(refused: u64, written: u64) -> [Counted; 1] {
        let room = "work";
        [Counted { room, refused, written }]
    }

    #[test]
    fn a_full_disk_is_told_once_a_minute_and_shown_until_something_is_written() {
        let (disks, begun) = (FullDisks::default(), Moment::now());
        let lines = |refused, written, seconds| {
            let now = begun + Duration::from_secs(seconds);
            (
                disks.look(&counted(refused, written), now).len(),
                disks.troubles().len(),
            )
        };
        assert_eq!(lines(0, 7, 0), (0, 0));
        assert_eq!(lines(2, 8, 1), (1, 1), "what was written was so before");
        assert_eq!((lines(5, 8, 2), lines(5, 8, 3)), ((0, 1), (0, 1)), "once a minute");
        let trouble = &disks.troubles()[0];
        assert!(
            trouble.starts_with("the disk has no room for work: 5 writes refused in "),
            "{trouble}"
        );
        let told = disks.look(&counted(6, 8), begun + QUIET_FOR + Duration::from_secs(2));
        assert!(
            told[0].contains("no room for what work is to write down: 4 writes were refused"),
            "{told:?}"
        );
        assert_eq!(
            lines(7, 9, 70),
            (0, 1),
            "what was written may have been so before or after"
        );
        assert_eq!(lines(7, 9, 71), (0, 0), "it was after");
        assert_eq!(
            (lines(8, 9, 72), lines(8, 10, 73)),
            ((0, 1), (0, 0)),
            "it is written again"
        );
    }

    #[test]
    fn whoever_has_a_journal_written_shows_what_the_disk_refused() {
        let disks = FullDisks::default();
        let own = json!({ "closed": null });
        assert_eq!(disks.beside(Some(own.clone()), "work/queue"), Some(own.clone()));
        disks.look(&counted(3, 0), Moment::now());
        let shown = disks.beside(Some(own.clone()), "work/queue").unwrap();
        assert_eq!(
            (&shown["closed"], &shown["disk_full"]["writes_refused"]),
            (&json!(null), &json!(3))
        );
        assert_eq!(disks.beside(Some(own.clone()), "memory/writer"), Some(own));
        assert_eq!(disks.beside(None, "crew/a"), None);
    }
}
