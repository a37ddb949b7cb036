//! An envelope as it waits, with what it has been through and how it ends.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use triarch_supervision::clock::Moment;

use crate::account::{Cause, Dropped};
use crate::envelope::{Destination, Envelope};

/// An envelope as it waits for one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) envelope: Arc<Envelope>,
    /// When nobody needs it any more.
    pub(crate) until: Option<Moment>,
    /// When it was published.
    pub(crate) at: Moment,
    /// What its topic is counted under.
    pub(crate) label: u16,
    /// Its place in a log, where it comes from one.
    pub(crate) offset: Option<u64>,
}

/// An item and what it has been through.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) item: Item,
    /// How often it was handed out since it came, or came again.
    pub(crate) tries: u32,
    /// How often that failed, ever.
    pub(crate) failures: u32,
}

impl Waiting {
    pub(crate) fn new(item: Item) -> Self {
        Self::again(item, 0)
    }

    /// One that failed before, and is tried anew.
    pub(crate) fn again(item: Item, failures: u32) -> Self {
        Self {
            item,
            tries: 0,
            failures,
        }
    }
}

/// What was handed out, to be acknowledged.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) item: Item,
    /// Names it to the inbox.
    pub(crate) token: u64,
    /// Which try it is, from 1.
    pub(crate) attempt: u32,
}

/// What happened to an envelope for good, to be counted and kept outside.
#[derive(Debug)]
pub(crate) enum Effect {
    Delivered {
        label: u16,
        at: Moment,
        offset: Option<u64>,
    },
    Dropped {
        label: u16,
        why: Dropped,
        count: u64,
        offset: Option<u64>,
    },
    Dead {
        waiting: Waiting,
        cause: Cause,
        why: Option<Arc<str>>,
    },
}

impl Effect {
    /// The place in its log of what came to its end.
    pub(crate) fn offset(&self) -> Option<u64> {
        match self {
            Self::Delivered { offset, .. } | Self::Dropped { offset, .. } => *offset,
            Self::Dead { waiting, .. } => waiting.item.offset,
        }
    }
}

/// Gives the places of each sender and topic to its own, in the order of their ids.
pub(crate) fn put_in_order(lane: &mut VecDeque<Waiting>) {
    let mut places: HashMap<(Arc<str>, Destination), Vec<usize>, RandomState> = HashMap::default();
    for (place, waiting) in lane.iter().enumerate() {
        let envelope = &waiting.item.envelope;
        let key = (Arc::clone(&envelope.from), envelope.to.clone());
        places.entry(key).or_default().push(place);
    }
    let mut all: Vec<_> = std::mem::take(lane).into_iter().map(Some).collect();
    let mut ordered: Vec<Option<Waiting>> = Vec::new();
    ordered.resize_with(all.len(), || None);
    for places in places.into_values() {
        let mut own: Vec<_> = places.iter().filter_map(|place| all.get_mut(*place)?.take()).collect();
        own.sort_by_key(|waiting| waiting.item.envelope.id);
        for (place, waiting) in places.into_iter().zip(own) {
            if let Some(slot) = ordered.get_mut(place) {
                *slot = Some(waiting);
            }
        }
    }
    lane.extend(ordered.into_iter().flatten());
}
