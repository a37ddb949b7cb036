//! What a namespace was at an instant, while writers go on.
//!
//! ```text
//!   keys in order   ▯▯▯▯▯▯▯▯▯▯▯▯▯▯▯▯▯▯▯
//!                   told already │ to come: what changes here is saved as it was, the first time it changes
//!                              cursor
//! ```
//!
//! Whoever pinned it takes it page by page, each under the order for as long as a page takes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::Space;
use super::order::Order;
use crate::config::Rules;
use crate::entry::Entry;
use crate::name::{Key, Namespace};
use crate::op::Change;

/// So many keys at most are looked at under one hold of the order.
const PAGE: usize = if cfg!(test) { 3 } else { 512 };

/// The instants that somebody still takes pages of.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    pins: Vec<Pin>,
    last: u64,
}

/// One instant, as far as it has not been told.
#[derive(Debug)]
struct Pin {
    number: u64,
    /// All up to this key has been told.
    cursor: Option<Key>,
    /// What was there, of what has changed since and was not told before; nothing where nothing was there.
    saved: BTreeMap<Key, Option<Arc<Entry>>>,
}

/// A namespace as of an instant. Dropped, nothing is saved for it any more.
#[derive(Debug)]
pub(crate) struct Cut {
    space: Arc<Space>,
    pub(crate) rules: Arc<Rules>,
    /// The number of the last change at that instant.
    pub(crate) revision: u64,
    number: u64,
}

impl Pins {
    fn add(&mut self) -> u64 {
        self.last += 1;
        self.pins.push(Pin {
            number: self.last,
            cursor: None,
            saved: BTreeMap::new(),
        });
        self.last
    }

    /// How much is saved; nothing where nobody reads an instant.
    #[cfg(test)]
    pub(crate) fn saved(&self) -> Option<usize> {
        let saved = self.pins.iter().map(|pin| pin.saved.len());
        saved.reduce(|all, more| all + more)
    }

    /// A key changes.
    #[inline]
    pub(crate) fn save(&mut self, change: &Change) {
        for pin in &mut self.pins {
            pin.save(&change.key, change.before.as_ref(), change.after.is_some());
        }
    }

    /// All that is there goes at once, with what there is under each key.
    pub(crate) fn save_all<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k Key>,
        held: impl Fn(&Key) -> Option<Arc<Entry>>,
    ) {
        if self.pins.is_empty() {
            return;
        }
        for key in keys {
            let before = held(key);
            for pin in &mut self.pins {
                pin.save(key, before.as_ref(), false);
            }
        }
    }
}

impl Pin {
    fn save(&mut self, key: &Key, before: Option<&Arc<Entry>>, is_there: bool) {
        if self.cursor.as_ref().is_some_and(|cursor| key <= cursor) {
            return;
        }
        match self.saved.get(key) {
            None => drop(self.saved.insert(key.clone(), before.cloned())),
            // As it was then: nothing is to be known of it, however often such keys come and go.
            Some(None) if !is_there => drop(self.saved.remove(key)),
            Some(_) => {}
        }
    }

    /// The next entries, and whether there may be more.
    fn page(&mut self, order: &std::collections::BTreeSet<Key>, held: impl Fn(&Key) -> Option<Arc<Entry>>) -> Page {
        let from = self.cursor.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut there = order.range::<Key, _>((from, Bound::Unbounded)).peekable();
        let mut page = Page::default();
        for _ in 0..PAGE {
            let saved = self.saved.first_key_value().map(|(key, _)| key);
            let is_saved = match (saved, there.peek()) {
                (None, None) => return page,
                (Some(saved), Some(key)) => saved <= *key,
                (saved, _) => saved.is_some(),
            };
            if !is_saved {
                let Some(key) = there.next() else { continue };
                page.entries.extend(held(key).map(|entry| (key.clone(), entry)));
                self.cursor = Some(key.clone());
            } else if let Some((key, before)) = self.saved.pop_first() {
                there.next_if(|key_now| **key_now == key);
                page.entries.extend(before.map(|entry| (key.clone(), entry)));
                self.cursor = Some(key);
            }
        }
        page.may_go_on = true;
        page
    }
}

/// Entries of an instant, by their keys.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<(Key, Arc<Entry>)>,
    pub(crate) may_go_on: bool,
}

/// Namespaces as of one and the same instant. They are in the order of their names, so that nobody waits in a circle.
pub(crate) fn cut_together(spaces: &[Arc<Space>]) -> Vec<Cut> {
    let mut orders: Vec<_> = spaces.iter().map(|space| (space, space.order())).collect();
    orders.iter_mut().map(|(space, order)| Cut::of(space, order)).collect()
}

impl Cut {
    /// A namespace as of an instant, for a snapshot that may come to its disk.
    pub(crate) fn to_keep(space: &Arc<Space>) -> Self {
        let order = &mut *space.order();
        if let Some(unflushed) = &mut order.unflushed {
            unflushed.cut(order.published);
        }
        Self::of(space, order)
    }

    fn of(space: &Arc<Space>, order: &mut Order) -> Self {
        Self {
            rules: Arc::clone(&order.rules),
            revision: order.published,
            number: order.pins.add(),
            space: Arc::clone(space),
        }
    }

    pub(crate) fn name(&self) -> &Namespace {
        self.space.name()
    }

    /// The next of what was there, in the order of their keys.
    pub(crate) fn page(&mut self) -> Page {
        let mut order = self.space.order();
        let Order { pins, keys, .. } = &mut *order;
        let pin = pins.pins.iter_mut().find(|pin| pin.number == self.number);
        let held = self.space.held.pin();
        pin.map(|pin| pin.page(keys, |key| held.get(key).cloned()))
            .unwrap_or_default()
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let gone: Vec<Pin> = {
            let mut order = self.space.order();
            order
                .pins
                .pins
                .extract_if(.., |pin| pin.number == self.number)
                .collect()
        };
        // What it saved is let go of without the order.
        drop(gone);
    }
}
