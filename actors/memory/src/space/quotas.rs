//! Whether something fits, by arithmetic alone.

use std::sync::Arc;

use crate::config::{Durability, Quota, Rules};
use crate::error::{Error, Unit};
use crate::name::{Key, Namespace};

/// What there is too little of.
pub(crate) struct Lack {
    unit: Unit,
    used: u64,
    limit: u64,
    needed: i64,
}

impl Lack {
    /// What a namespace lacks that uses so many entries and bytes, where so many more of each are to go in.
    pub(crate) fn of(quota: &Quota, (entries, bytes): (u64, u64), more: (i64, i64)) -> Option<Self> {
        let of = |unit, used: u64, limit, needed: i64| {
            (used.saturating_add_signed(needed) > limit).then_some(Self {
                unit,
                used,
                limit,
                needed,
            })
        };
        of(Unit::Entries, entries, quota.entries, more.0).or_else(|| of(Unit::Bytes, bytes, quota.bytes, more.1))
    }

    /// As it is told.
    pub(crate) fn full(&self, namespace: &Namespace, key: &Key) -> Error {
        Error::Full {
            namespace: namespace.clone(),
            key: key.clone(),
            unit: self.unit,
            used: self.used,
            limit: self.limit,
            needed: u64::try_from(self.needed).unwrap_or(0),
        }
    }
}

/// Whether an entry is no larger than any may be; of one that goes to disk, labels count too.
pub(crate) fn may_hold(
    (namespace, key): (&Namespace, &Key),
    rules: &Rules,
    entry_bytes_max: u64,
    (value, whole): (u64, u64),
) -> Result<(), Error> {
    let (size, limit) = (value, rules.quota.value_bytes);
    if size > limit {
        return Err(Error::TooLarge {
            namespace: namespace.clone(),
            key: key.clone(),
            size,
            limit,
        });
    }
    if rules.durability != Durability::Memory && whole > entry_bytes_max {
        let of = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        return Err(Error::BatchTooLarge {
            bytes: of(whole),
            most: of(entry_bytes_max),
        });
    }
    Ok(())
}

pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a namespace would use while entries come in that nobody writes: a dry run.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) rules: Arc<Rules>,
    pub(crate) entry_bytes_max: u64,
    pub(crate) used: (u64, u64),
}

impl Tally {
    /// Takes an entry in, in the place of one of that size, or tells why none is written.
    pub(crate) fn take(
        &mut self,
        (namespace, key): (&Namespace, &Key),
        (value, whole): (u64, u64),
        before: Option<u64>,
    ) -> Result<(), Error> {
        may_hold((namespace, key), &self.rules, self.entry_bytes_max, (value, whole))?;
        let more = (
            i64::from(before.is_none()),
            signed(whole) - signed(before.unwrap_or_default()),
        );
        let quota = &self.rules.quota;
        let lack = Lack::of(quota, self.used, more).filter(|_| more.0 > 0 || more.1 > 0);
        // Others make room where the namespace has them do so.
        let is_full = |_: &Lack| self.rules.eviction.is_none() || whole > quota.bytes;
        if let Some(lack) = lack.filter(is_full) {
            return Err(lack.full(namespace, key));
        }
        let (entries, bytes) = self.used;
        self.used = (
            entries.saturating_add_signed(more.0).min(quota.entries.max(entries)),
            bytes.saturating_add_signed(more.1).min(quota.bytes.max(bytes)),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Eviction;

    fn tally(eviction: Option<Eviction>) -> Tally {
        let quota = Quota {
            entries: 2,
            bytes: 1_000,
            value_bytes: 500,
        };
        let rules = Rules {
            quota,
            eviction,
            ..Rules::default()
        };
        Tally {
            rules: Arc::new(rules),
            entry_bytes_max: u64::MAX,
            used: (1, 300),
        }
    }

    #[test]
    fn of_what_goes_to_disk_labels_count_and_of_what_does_not_the_value_alone() {
        let (namespace, key) = (Namespace::new("a").unwrap(), Key::new("k").unwrap());
        let largest = |durability, sizes| {
            let mut rules = Rules {
                durability,
                ..Rules::default()
            };
            rules.quota.value_bytes = 100;
            match may_hold((&namespace, &key), &rules, 150, sizes) {
                Ok(()) => None,
                Err(Error::TooLarge { size, limit, .. }) => Some((size, limit)),
                Err(Error::BatchTooLarge { bytes, most }) => Some((bytes as u64, most as u64)),
                Err(other) => panic!("{other}"),
            }
        };
        for durability in [Durability::Journal, Durability::Relaxed] {
            assert_eq!(largest(durability, (100, 150)), None);
            assert_eq!(largest(durability, (100, 151)), Some((151, 150)));
            assert_eq!(largest(durability, (101, 150)), Some((101, 100)));
        }
        assert_eq!(largest(Durability::Memory, (100, 151)), None);
        assert_eq!(largest(Durability::Memory, (101, 151)), Some((101, 100)));
    }

    #[test]
    fn what_goes_in_uses_room_until_there_is_none() {
        let (namespace, key) = (Namespace::new("a").unwrap(), Key::new("k").unwrap());
        let place = (&namespace, &key);
        let mut room = tally(None);
        room.take(place, (100, 300), None).unwrap();
        assert_eq!(room.used, (2, 600));
        let full = |taken| matches!(taken, Err(Error::Full { .. }));
        assert!(full(room.take(place, (1, 200), None)), "a third entry");
        room.take(place, (300, 500), Some(300)).unwrap();
        assert!(full(room.take(place, (500, 701), Some(500))), "more bytes");
        room.take(place, (1, 200), Some(500)).unwrap();
        assert_eq!(room.used, (2, 500));
        let large = room.take(place, (501, 700), Some(200));
        assert!(matches!(large, Err(Error::TooLarge { .. })), "{large:?}");
    }

    #[test]
    fn where_others_make_room_nothing_is_full_but_for_what_is_larger_than_all_of_it() {
        let (namespace, key) = (Namespace::new("a").unwrap(), Key::new("k").unwrap());
        let mut room = tally(Some(Eviction::Fifo));
        for _ in 0..9 {
            room.take((&namespace, &key), (300, 500), None).unwrap();
        }
        assert_eq!(room.used, (2, 1_000));
        assert!(room.take((&namespace, &key), (300, 1_001), None).is_err());
        room.take((&namespace, &key), (300, 1_000), None).unwrap();
    }

    #[test]
    fn where_there_is_more_than_the_quota_only_more_is_refused() {
        let (namespace, key) = (Namespace::new("a").unwrap(), Key::new("k").unwrap());
        let takes = |used: (u64, u64), whole: u64, before: Option<u64>| {
            let mut room = tally(None);
            room.used = used;
            room.take((&namespace, &key), (1, whole), before).is_ok()
        };
        for used in [(3, 300), (1, 1_200)] {
            assert!(takes(used, 299, Some(300)) && takes(used, 300, Some(300)), "{used:?}");
            assert!(!takes(used, 301, Some(300)), "{used:?}");
            assert!(!takes(used, 200, None), "{used:?}");
        }
    }
}
