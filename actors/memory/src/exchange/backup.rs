//! Backup and restore: the whole store in one file, verified before it counts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};

use serde::Serialize;

use super::{Conflicts, Exported, Incoming, Placing};
use crate::client::Client;
use crate::clocks;
use crate::config::{Durability, Rules};
use crate::disk::{Dump, DumpError, DumpReader, Held, Recovering, Recovery, Seal};
use crate::error::Error;
use crate::name::Namespace;
use crate::space::cut_together;
use crate::store::Store;
use crate::time::Anchor;

/// Why something does not get in or out of the store as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The backup.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The file fails.
    #[error("the file cannot be read or written; see its disk")]
    Io(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
    /// A line behind which none is to be found.
    #[error("line {number} is no entry: {fault}; mend it, nothing behind it was taken")]
    Line {
        /// Which, from 1.
        number: u64,
        /// Why.
        fault: String,
    },
    /// Some were left out, and all others taken up.
    #[error("{fault} ({count} in all); all others were taken up")]
    LeftOut {
        /// How many.
        count: u64,
        /// Which is the first, and why.
        fault: String,
    },
    /// A restore ended early, or left something out.
    #[error("{fault}")]
    Midway {
        /// Why.
        fault: Box<Self>,
        /// What was taken up before, or would have been.
        taken: Box<RestoreReport>,
    },
    /// A snapshot.
    #[error("the snapshot was not taken: {fault}; the journal has everything meanwhile")]
    Snapshot {
        /// Why.
        fault: String,
    },
}

/// A backup that was written, and read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// How many entries are in it.
    pub entries: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// What a restore did, or would do, by namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// Namespaces that were not there.
    pub defined: Vec<Namespace>,
    /// Entries by what became of them.
    pub namespaces: BTreeMap<Namespace, Exported>,
    /// Namespaces that did not take all that was to go in, each with why.
    pub incomplete: BTreeMap<Namespace, String>,
}

impl RestoreReport {
    /// What went wrong after that.
    fn after(self, fault: ExchangeError) -> ExchangeError {
        ExchangeError::Midway {
            fault: Box::new(fault),
            taken: Box::new(self),
        }
    }
}

/// Writes all namespaces to a file, as of one instant of them all, syncs it, and reads it again.
pub(crate) fn back_up(store: &Store, mut file: &File, seal: &Seal) -> Result<BackedUp, ExchangeError> {
    let mut to = BufWriter::new(file);
    let entries = write_down(store, &mut to, seal)?;
    drop(to);
    file.sync_all()?;
    let bytes = file.stream_position()?;
    file.seek(SeekFrom::Start(0))?;
    DumpReader::begin(BufReader::new(file), seal)?.each(|_| Ok(()))?;
    Ok(BackedUp { entries, bytes })
}

/// All namespaces as of one instant of them all, while writers go on; tells how many entries there were.
fn write_down(store: &Store, to: &mut dyn Write, seal: &Seal) -> Result<u64, DumpError> {
    let cuts = cut_together(&store.spaces());
    let anchor = Anchor {
        time: store.clock().now(),
        reading: clocks::reading(),
    };
    let mut dump = Dump::begin(to, seal, anchor.clone())?;
    cuts.into_iter().try_for_each(|cut| dump.cut(cut, &anchor))?;
    dump.end()
}

/// A backup as it was read: all of it, and verified.
pub(crate) struct Restoring(Recovery);

/// Reads a backup whole.
pub(crate) fn restore(file: &mut File, seal: &Seal) -> Result<Restoring, ExchangeError> {
    let mut recovering = Recovering::new(seal);
    DumpReader::begin(BufReader::new(file), seal)?.each(|record| recovering.take(record))?;
    Ok(Restoring(recovering.end()))
}

impl Restoring {
    /// Makes the namespaces that are not there, and takes up the entries.
    pub(crate) async fn take_up(
        self,
        client: &Client,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<RestoreReport, ExchangeError> {
        let mut report = RestoreReport::default();
        let (then, mut refused, mut left_out) = (self.0.anchor, None, None);
        for (name, held) in self.0.spaces {
            let taking = take_up_one(client, (&name, held), &then, (conflicts, is_dry), &mut report);
            let taken = Box::pin(taking).await;
            let Err(fault) = taken else { continue };
            if !matches!(fault, ExchangeError::LeftOut { .. }) && !is_its_own(&fault) {
                return Err(report.after(fault));
            }
            report.incomplete.insert(name, fault.to_string());
            if is_its_own(&fault) {
                refused = refused.or(Some(fault));
            } else {
                left_out = left_out.or(Some(fault));
            }
        }
        match refused.or(left_out) {
            None => Ok(report),
            Some(fault) => Err(report.after(fault)),
        }
    }
}

/// Whether it is the fault of one namespace, and others may go in.
fn is_its_own(fault: &ExchangeError) -> bool {
    let ExchangeError::Store(fault) = fault else {
        return false;
    };
    matches!(
        fault,
        Error::Full { .. } | Error::OtherDurability { .. } | Error::NoJournal { .. } | Error::TooManyNamespaces { .. }
    )
}

async fn take_up_one(
    client: &Client,
    (name, held): (&Namespace, Held),
    then: &Anchor,
    (conflicts, is_dry): (Conflicts, bool),
    report: &mut RestoreReport,
) -> Result<(), ExchangeError> {
    let is_there = match client.store().space(name.as_str()) {
        // What was to outlive the runtime is not taken for kept where nothing does.
        Ok(space) if space.durability() != held.rules.durability => {
            return Err(space.other_durability(held.rules.durability).into());
        }
        there => there.is_ok(),
    };
    let mut placing = if !is_there && is_dry {
        may_define(client, report.defined.len(), (name, &held.rules))?;
        report.defined.push(name.clone());
        Placing::into_none(client, name, &held.rules, conflicts)
    } else {
        if !is_there {
            client.define(name, held.rules).await?;
            report.defined.push(name.clone());
        }
        Placing::new(client, name, conflicts, is_dry)?
    };
    let mut entries: Vec<_> = held.entries.into_entries().collect();
    entries.sort_by_key(|(_, entry)| entry.version());
    let mut placed = Ok(());
    for (number, (key, entry)) in (1..).zip(entries) {
        let incoming = Incoming::of(key, &entry, then, client.store().clock());
        placed = placing.take(number, incoming.ok_or(())).await;
        if placed.is_err() {
            break;
        }
    }
    if placed.is_ok() {
        placed = placing.write().await;
    }
    report.namespaces.insert(name.clone(), placing.taken());
    placed?;
    let refused = placing.take_refused();
    refused.first.into_iter().next().map_or(Ok(()), |first| {
        Err(ExchangeError::LeftOut {
            count: refused.count,
            fault: format!("an entry of {name} is left out: {}", first.fault),
        })
    })
}

/// Whether a namespace would be made so, beside so many others that would.
fn may_define(client: &Client, others: usize, (name, rules): (&Namespace, &Rules)) -> Result<(), Error> {
    if rules.durability != Durability::Memory && !client.has_journal() {
        return Err(Error::NoJournal {
            namespace: name.clone(),
        });
    }
    client.store().may_define_beside(others, name, rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Identity;
    use crate::name::Key;
    use crate::op::{Op, Put};
    use crate::time::{Clock, StoreTime};
    use crate::value::Value;

    const KEYS: usize = 4_000;

    fn key(number: usize) -> Key {
        Key::new(&format!("k{number:06}")).unwrap()
    }

    fn write(store: &Store, namespace: &str, op: &Op) {
        let space = store.space(namespace).unwrap();
        space.write_one(&Identity::system(), op, StoreTime::default()).unwrap();
    }

    fn put(store: &Store, namespace: &str, number: usize, text: &str) {
        let put = Put::new(key(number), Value::bytes(text.as_bytes()));
        write(store, namespace, &Op::Put(put));
    }

    /// A file whose every write is a chance for somebody else to write to the store.
    struct Meddled<'a> {
        store: &'a Store,
        bytes: Vec<u8>,
        times: usize,
    }

    impl Write for Meddled<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            for namespace in ["a", "b"] {
                self.times += 1;
                put(self.store, namespace, self.times * 37 % KEYS, "later");
                put(self.store, namespace, KEYS + self.times, "later");
                let gone = key(self.times * 101 % KEYS);
                write(self.store, namespace, &Op::Delete(gone, None));
            }
            self.bytes.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writers_go_on_while_a_backup_is_written_and_it_has_the_instant_of_all_namespaces() {
        let store = Store::new(Clock::by_hand(), u64::MAX);
        let mut then = BTreeMap::new();
        for namespace in ["a", "b"] {
            let name = Namespace::new(namespace).unwrap();
            store.define(&name, Rules::default()).unwrap();
            (0..KEYS).for_each(|number| put(&store, namespace, number, "then"));
            let entries = store.space(namespace).unwrap().all().into_iter();
            let versions: BTreeMap<_, _> = entries.map(|(key, entry)| (key, entry.version())).collect();
            then.insert(name, versions);
        }
        let mut to = Meddled {
            store: &store,
            bytes: Vec::new(),
            times: 0,
        };
        let entries = write_down(&store, &mut to, &Seal::none()).unwrap();
        assert!(to.times > 20, "{} writes went on meanwhile", to.times);
        assert_eq!(entries, 2 * KEYS as u64);

        let (seal, bytes) = (Seal::none(), to.bytes);
        let mut recovering = Recovering::new(&seal);
        let mut reader = DumpReader::begin(&bytes[..], &seal).unwrap();
        reader.each(|record| recovering.take(record)).unwrap();
        let spaces = recovering.end().spaces.into_iter();
        let restored: BTreeMap<_, BTreeMap<_, _>> = spaces
            .map(|(name, held)| {
                let entries = held.entries.into_entries();
                (name, entries.map(|(key, entry)| (key, entry.version())).collect())
            })
            .collect();
        assert_eq!(restored, then);
    }
}
