//! What was taken in lately, so that it is not taken in twice.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use triarch_supervision::clock::Moment;

use crate::envelope::{Destination, Envelope, EnvelopeId};
use crate::terms::{REMEMBERED_MAX, Terms};

/// The keys that were taken in lately.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    keys: HashSet<Key, RandomState>,
    order: VecDeque<(Moment, Key)>,
}

/// What tells envelopes apart: a key is its sender's own, and counts on one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    from: Arc<str>,
    to: Destination,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    Key(Arc<str>),
    Id(EnvelopeId),
}

impl Key {
    fn of(envelope: &Envelope) -> Self {
        Self {
            from: Arc::clone(&envelope.from),
            to: envelope.to.clone(),
            what: envelope
                .key
                .as_ref()
                .map_or(What::Id(envelope.id), |key| What::Key(Arc::clone(key))),
        }
    }
}

impl Seen {
    /// Whether it was taken in within the time that is remembered.
    pub(crate) fn knows(&mut self, envelope: &Envelope, now: Moment, terms: &Terms) -> bool {
        while let Some((at, _)) = self.order.front()
            && (now.since(*at) >= terms.remember || self.order.len() > REMEMBERED_MAX)
        {
            if let Some((_, old)) = self.order.pop_front() {
                self.keys.remove(&old);
            }
        }
        self.keys.contains(&Key::of(envelope))
    }

    pub(crate) fn remember(&mut self, envelope: &Envelope, now: Moment) {
        let key = Key::of(envelope);
        if self.keys.insert(key.clone()) {
            self.order.push_back((now, key));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.keys.len(), self.order.len());
        self.keys.len()
    }
}
