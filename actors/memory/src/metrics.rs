//! What the room counts.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::metrics::{
    Buckets, Counter, Family, Fan, Gauge, Histogram, InstrumentError, Instruments, Label, Labelled, Section,
};
use triarch_supervision::sync::lock;

use crate::config::{Durability, Rules};
use crate::error::Error;
use crate::name::Namespace;
use crate::space::Extent;
use crate::store::Store;

/// The label of a namespace: open, since they come and go; those beyond the bound are folded.
const NAMESPACE: Label = Label::open("namespace", 6);

/// Writes by what came of them.
pub const WRITES: Family = Family::counter(
    "triarch_memory_writes_total",
    &[Label::closed(
        "outcome",
        &["done", "conflict", "full", "refused", "disk", "failed"],
    )],
    "Writes to the store, by what came of them; a batch is one.",
);

/// How long writes take.
pub const WRITE_SECONDS: Family = Family::histogram(
    "triarch_memory_write_seconds",
    Buckets::FAST,
    &[Label::closed("durability", &["memory", "journal", "relaxed"])],
    "Time from a write's call to its acknowledgement; of journal the disk is part, of others about one in eight is timed.",
);

/// How long searches take.
pub const SEARCH_SECONDS: Family = Family::histogram(
    "triarch_memory_search_seconds",
    Buckets::FAST,
    &[],
    "Time of one search.",
);

/// What is held.
pub const ENTRIES: Family = Family::gauge("triarch_memory_entries", &[NAMESPACE], "Entries held.");

/// How much is held.
pub const BYTES: Family = Family::gauge(
    "triarch_memory_size_bytes",
    &[NAMESPACE],
    "Bytes held, as quotas count: keys, values, labels and overhead.",
);

/// How full it is.
pub const QUOTA_USED: Family = Family::gauge(
    "triarch_memory_quota_used_ratio",
    &[NAMESPACE],
    "The fuller of a namespace's two quotas, entries and bytes; 1 is full.",
);

/// What the index takes.
pub const INDEX_BYTES: Family = Family::gauge("triarch_memory_index_bytes", &[], "Bytes of all search indexes, about.");

/// What went without anybody deleting it.
pub const REMOVED: Family = Family::counter(
    "triarch_memory_removed_total",
    &[Label::closed("cause", &["expired", "evicted", "retained"])],
    "Entries that went by their time, to make room, or by retention.",
);

/// Who was not let through.
pub const REFUSED: Family = Family::counter(
    "triarch_memory_refused_total",
    &[],
    "Times somebody asked for what the namespace's access does not allow them.",
);

/// When there was a snapshot.
pub const LAST_SNAPSHOT: Family = Family::gauge(
    "triarch_memory_last_snapshot_timestamp_seconds",
    &[],
    "When the last snapshot was taken, in seconds since the Unix epoch.",
);

/// How long it took to begin.
pub const RECOVERY_SECONDS: Family = Family::gauge(
    "triarch_memory_recovery_seconds",
    &[],
    "How long it took to read the store from disk, the last time.",
);

/// The section of the store in a catalogue.
pub const MEMORY: Section = Section {
    title: "Memory",
    families: &[
        WRITES,
        WRITE_SECONDS,
        SEARCH_SECONDS,
        ENTRIES,
        BYTES,
        QUOTA_USED,
        INDEX_BYTES,
        REMOVED,
        REFUSED,
        LAST_SNAPSHOT,
        RECOVERY_SECONDS,
    ],
};

/// The instruments of the room.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Labelled<Gauge, 1>,
    bytes: Labelled<Gauge, 1>,
    quota_used: Labelled<Gauge, 1>,
    /// Where each namespace shows; those beyond the bound of the label share a place.
    places: Mutex<BTreeMap<Namespace, [Arc<Gauge>; 3]>>,
    writes: Fan<Counter>,
    write_seconds: Fan<Histogram>,
    search_seconds: Arc<Histogram>,
    index_bytes: Arc<Gauge>,
    removed: Fan<Counter>,
    refused: Arc<Counter>,
    last_snapshot: Arc<Gauge>,
    recovery_seconds: Arc<Gauge>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self(Arc::new(Inner {
            entries: instruments.labelled(&ENTRIES)?,
            bytes: instruments.labelled(&BYTES)?,
            quota_used: instruments.labelled(&QUOTA_USED)?,
            places: Mutex::default(),
            writes: instruments.fans(&WRITES)?.with([]),
            write_seconds: instruments.fans(&WRITE_SECONDS)?.with([]),
            search_seconds: instruments.single(&SEARCH_SECONDS)?,
            index_bytes: instruments.single(&INDEX_BYTES)?,
            removed: instruments.fans(&REMOVED)?.with([]),
            refused: instruments.single(&REFUSED)?,
            last_snapshot: instruments.single(&LAST_SNAPSHOT)?,
            recovery_seconds: instruments.single(&RECOVERY_SECONDS)?,
        })))
    }

    /// A write ended; how long it took, where somebody looked.
    pub(crate) fn wrote(&self, durability: Durability, outcome: Result<(), &Error>, took: Option<Duration>) {
        self.0
            .writes
            .at(outcome.map_or_else(outcome_of, |()| "done"))
            .increment();
        if let Some(took) = took {
            self.0.write_seconds.at(durability.label()).observe(took);
        }
    }

    pub(crate) fn searched(&self, took: Duration) {
        self.0.search_seconds.observe(took);
    }

    pub(crate) fn recovered(&self, took: Duration) {
        self.0.recovery_seconds.set(took.as_secs_f64());
    }

    /// A snapshot was taken at that time of the world, in milliseconds.
    pub(crate) fn kept(&self, wall: u64) {
        self.0.last_snapshot.set(Duration::from_millis(wall).as_secs_f64());
    }

    /// How the store is now.
    pub(crate) fn sample(&self, store: &Store) {
        let spaces = store.spaces();
        let mut places = lock(&self.0.places);
        let mut sums = Sums::default();
        // A namespace that is gone holds nothing any more.
        places.values().flatten().for_each(|gauge| sums.at(gauge).add(0.0));
        places.retain(|name, _| spaces.iter().any(|space| space.name() == name));
        let mut index_bytes = 0;
        for space in &spaces {
            let place = places
                .entry(space.name().clone())
                .or_insert_with(|| self.place(space.name()));
            let (extent, [entries, bytes, used]) = (space.extent(), &*place);
            sums.at(entries).add(float(extent.entries));
            sums.at(bytes).add(float(extent.bytes));
            sums.at(used)
                .raise(space.with_rules(|rules| used_ratio(&extent, rules)));
            index_bytes += extent.index_bytes;
        }
        sums.show();
        self.0.index_bytes.set(float(index_bytes));
        self.0.refused.advance_to(store.refused());
        let counts = store.counts();
        for (cause, counter) in [
            ("expired", &counts.expired),
            ("evicted", &counts.evicted),
            ("retained", &counts.retained),
        ] {
            self.0.removed.at(cause).advance_to(counter.load(Ordering::Relaxed));
        }
    }

    fn place(&self, namespace: &Namespace) -> [Arc<Gauge>; 3] {
        let Inner {
            entries,
            bytes,
            quota_used,
            ..
        } = &*self.0;
        [entries, bytes, quota_used].map(|family| family.with([namespace.as_str()]))
    }
}

/// What gauges are to show that several namespaces may share.
#[derive(Default)]
struct Sums(BTreeMap<usize, Sum>);

struct Sum {
    gauge: Arc<Gauge>,
    shown: f64,
}

impl Sums {
    fn at(&mut self, gauge: &Arc<Gauge>) -> &mut Sum {
        self.0.entry(Arc::as_ptr(gauge).addr()).or_insert_with(|| Sum {
            gauge: Arc::clone(gauge),
            shown: 0.0,
        })
    }

    fn show(self) {
        self.0.into_values().for_each(|sum| sum.gauge.set(sum.shown));
    }
}

impl Sum {
    fn add(&mut self, more: f64) {
        self.shown += more;
    }

    fn raise(&mut self, to: f64) {
        self.shown = self.shown.max(to);
    }
}

fn used_ratio(extent: &Extent, rules: &Rules) -> f64 {
    let of = |used, limit: u64| float(used) / float(limit.max(1));
    of(extent.entries, rules.quota.entries).max(of(extent.bytes, rules.quota.bytes))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is read by people")]
fn float(count: u64) -> f64 {
    count as f64
}

fn outcome_of(error: &Error) -> &'static str {
    match error {
        Error::Conflict { .. } => "conflict",
        Error::Full { .. } => "full",
        Error::Refused { .. } => "refused",
        Error::Disk { .. } | Error::Unanswered { .. } => "disk",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::metrics::{Value as Shown, Values};

    use super::*;
    use crate::access::Identity;
    use crate::config::Quota;
    use crate::name::Key;
    use crate::op::{Op, Put};
    use crate::time::Clock;
    use crate::value::Value;

    /// What a family shows, by namespace.
    fn shown(instruments: &Instruments, family: &Family) -> BTreeMap<String, f64> {
        let reading = instruments
            .read()
            .into_iter()
            .find(|reading| reading.family.name == family.name)
            .unwrap();
        let of = |value: &Shown| match value {
            Shown::Level(level) => *level,
            other => panic!("{other:?}"),
        };
        let samples = reading.samples.iter();
        samples
            .map(|sample| (sample.labels().next().unwrap().1.to_owned(), of(&sample.value)))
            .collect()
    }

    #[test]
    fn namespaces_beyond_the_bound_show_together_and_one_that_is_gone_shows_nothing() {
        let instruments = Instruments::with_tree(&[MEMORY]).unwrap();
        let metrics = Metrics::new(&instruments).unwrap();
        let store = Store::new(Clock::by_hand(), u64::MAX);
        let quota = Quota {
            entries: 4,
            ..Quota::default()
        };
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let rules = Rules {
                quota,
                ..Rules::default()
            };
            store.define(&Namespace::new(name).unwrap(), rules).unwrap();
        }
        let put = |name: &str, count: usize| {
            let space = store.space(name).unwrap();
            for key in 0..count {
                let put = Put::new(Key::new(&key.to_string()).unwrap(), Value::bytes(*b"x"));
                space
                    .write_one(&Identity::system(), &Op::Put(put), store.clock().now())
                    .unwrap();
            }
        };
        put("a", 1);
        put("g", 3);
        put("h", 2);
        metrics.sample(&store);
        metrics.sample(&store);
        let entries = shown(&instruments, &ENTRIES);
        assert_eq!((entries["a"], entries["other"]), (1.0, 5.0), "{entries:?}");
        let used = shown(&instruments, &QUOTA_USED)["other"];
        assert!((0.75..0.76).contains(&used), "the fuller of two: {used}");
        for name in ["a", "g"] {
            store.forget(&Namespace::new(name).unwrap());
        }
        metrics.sample(&store);
        let entries = shown(&instruments, &ENTRIES);
        assert_eq!((entries["a"], entries["other"]), (0.0, 2.0), "{entries:?}");
    }

    #[test]
    fn every_outcome_has_its_word() {
        let Values::Closed(words) = WRITES.labels[0].values else {
            panic!("open")
        };
        let namespace = Namespace::new("a").unwrap();
        let disk = Error::Disk {
            namespace: namespace.clone(),
            fault: String::new(),
        };
        let refused = Error::Refused {
            who: String::new(),
            verb: "read",
            namespace: namespace.clone(),
            level: "team",
        };
        for error in [disk, refused, Error::NoJournal { namespace }] {
            assert!(words.contains(&outcome_of(&error)), "{error}");
        }
    }
}
