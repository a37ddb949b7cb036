//! Entries as readers see them, who wait for no writer.

use std::sync::Arc;

use super::{Barred, Space};
use crate::entry::Entry;
use crate::name::Key;
use crate::time::Clock;

impl Space {
    /// The entry as it is now, and somebody read it: not whoever is not let through.
    #[inline]
    pub(crate) fn read<R>(
        &self,
        key: &str,
        clock: &Clock,
        is_let: impl FnOnce(&Arc<Entry>) -> bool,
        look: impl FnOnce(&Arc<Entry>) -> R,
    ) -> Result<Option<R>, Barred> {
        self.glance(key, clock, is_let, |entry| {
            entry.touch(clock.coarse());
            look(entry)
        })
    }

    /// The same without a mark that it was read.
    #[inline]
    pub(crate) fn glance<R>(
        &self,
        key: &str,
        clock: &Clock,
        is_let: impl FnOnce(&Arc<Entry>) -> bool,
        look: impl FnOnce(&Arc<Entry>) -> R,
    ) -> Result<Option<R>, Barred> {
        let held = self.held.pin();
        let Some(entry) = held.get(key) else { return Ok(None) };
        if entry.expires().is_some() && entry.has_expired(clock.now()) {
            return Ok(None);
        }
        if !is_let(entry) {
            return Err(Barred);
        }
        Ok(Some(look(entry)))
    }

    /// The entry as it is held, without a mark that it was read.
    pub(crate) fn peek(&self, key: &str) -> Option<Arc<Entry>> {
        self.held.pin().get(key).cloned()
    }

    /// All entries as they are held, in no order.
    pub(crate) fn all(&self) -> Vec<(Key, Arc<Entry>)> {
        let held = self.held.pin();
        held.iter()
            .map(|(key, entry)| (key.clone(), Arc::clone(entry)))
            .collect()
    }

    /// Several entries as of one instant between two writes, where whoever reads is let through.
    pub(crate) fn read_many(
        &self,
        keys: &[Key],
        clock: &Clock,
        is_let: impl Fn(&Arc<Entry>) -> bool,
    ) -> Vec<Option<Arc<Entry>>> {
        let _order = self.order();
        keys.iter()
            .map(|key| {
                let read = self.read(key.as_str(), clock, &is_let, Arc::clone);
                read.unwrap_or_default()
            })
            .collect()
    }
}
