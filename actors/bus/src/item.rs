//! An envelope as it waits, with what it has been through and how it ends.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use foldhash::fast::RandomState;
use triarch_supervision::clock::Moment;

use crate::account::{Cause, Dropped};
use crate::envelope::{Destination, Envelope};
use crate::metrics::UNCOUNTED;

/// Where an envelope stands on disk, for as long as that is where it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At an offset of the log that its subscription reads.
    Log(u64),
    /// Among the dead letters, under this number: it is replayed.
    Letter(u64),
}

/// An envelope on its way through this runtime, shared by all who get it.
#[derive(Clone)]
pub struct Sent(Arc<Stamped>);

/// What is known of it beside stands in the same place, so that what waits for each subscription is small.
struct Stamped {
    envelope: Envelope,
    until: Option<Moment>,
    at: Moment,
    label: u16,
}

impl Sent {
    pub(crate) fn new(envelope: Envelope, until: Option<Moment>, at: Moment, label: u16) -> Self {
        Self(Arc::new(Stamped {
            envelope,
            until,
            at,
            label,
        }))
    }

    /// One that is on its way to nobody.
    pub(crate) fn at_rest(envelope: Envelope) -> Self {
        Self::new(envelope, None, Moment::default(), UNCOUNTED)
    }

    /// When nobody needs it any more, where it is for a time.
    pub fn until(&self) -> Option<Moment> {
        self.0.until
    }

    /// When it set out.
    pub(crate) fn at(&self) -> Moment {
        self.0.at
    }

    /// What its topic is counted under.
    pub(crate) fn label(&self) -> u16 {
        self.0.label
    }
}

impl Deref for Sent {
    type Target = Envelope;

    fn deref(&self) -> &Envelope {
        &self.0.envelope
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.envelope.fmt(f)
    }
}

/// An envelope as it waits for one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) envelope: Sent,
    /// Where it stands on disk, where it comes from there.
    pub(crate) place: Option<Place>,
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

    /// Whether nobody needs it any more.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        self.item.envelope.until().is_some_and(|until| until <= now)
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

/// What happened to an envelope, to be counted and kept outside.
#[derive(Debug)]
pub(crate) enum Effect {
    Delivered {
        label: u16,
        at: Moment,
        place: Option<Place>,
    },
    Dropped {
        label: u16,
        why: Dropped,
        count: u64,
        place: Option<Place>,
    },
    /// It stands on disk no more, and goes on: how it ends is told later.
    Parted { place: Place },
    Dead {
        waiting: Waiting,
        cause: Cause,
        why: Option<Arc<str>>,
    },
}

impl Effect {
    /// Where on disk that stands which came to its end.
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Delivered { place, .. } | Self::Dropped { place, .. } => *place,
            Self::Parted { place } => Some(*place),
            Self::Dead { waiting, .. } => waiting.item.place,
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
