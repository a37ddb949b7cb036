//! Dead letters: envelopes that could not be delivered, with their causes, until somebody looks or there is no room.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::account::Cause;
use crate::envelope::{Envelope, Timestamp};
use crate::filter::Filter;
use crate::topic::Pattern;

/// An envelope that could not be delivered to one subscriber.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Names it.
    pub number: u64,
    /// When it died, by the clock of the world.
    pub time: Timestamp,
    /// Whose it was.
    pub subscriber: Arc<str>,
    /// The subscription that it was for.
    pub subscription: SubscriptionId,
    /// Why.
    pub cause: Cause,
    /// What the subscriber said last, where it said something.
    pub why: Option<Arc<str>>,
    /// How often its handling failed, ever.
    pub failures: u32,
    /// The envelope.
    pub envelope: Arc<Envelope>,
}

impl DeadLetter {
    /// Whether it is set apart: it is replayed only by its number.
    pub fn is_quarantined(&self) -> bool {
        self.cause == Cause::Poison
    }
}

/// Names a subscription within one life of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub(crate) u64);

impl std::fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which dead letters are meant; all of them where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of this cause.
    pub cause: Option<Cause>,
    /// Of topics that this pattern stands for.
    pub pattern: Option<Pattern>,
    /// Of this subscriber.
    pub subscriber: Option<Arc<str>>,
    /// Of envelopes that this accepts.
    pub filter: Option<Filter>,
}

impl Query {
    fn accepts(&self, letter: &DeadLetter) -> bool {
        let is_of_topic = |pattern: &Pattern| letter.envelope.topic().is_some_and(|topic| pattern.matches(topic));
        self.cause.is_none_or(|cause| cause == letter.cause)
            && self.subscriber.as_ref().is_none_or(|who| *who == letter.subscriber)
            && self.pattern.as_ref().is_none_or(is_of_topic)
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.accepts(&letter.envelope))
    }
}

/// The dead letters that are kept.
#[derive(Debug)]
pub(crate) struct DeadBox {
    letters: BTreeMap<u64, DeadLetter>,
    most: usize,
    next: u64,
    forgotten: u64,
}

impl DeadBox {
    /// One that keeps the last `most`.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            letters: BTreeMap::new(),
            most,
            next: 1,
            forgotten: 0,
        }
    }

    /// Keeps a letter, whatever number it has; the oldest makes room.
    pub(crate) fn keep(&mut self, letter: DeadLetter) {
        let number = self.next;
        self.next += 1;
        self.letters.insert(number, DeadLetter { number, ..letter });
        self.make_room();
    }

    fn make_room(&mut self) {
        if self.letters.len() > self.most {
            self.letters.pop_first();
            self.forgotten += 1;
        }
    }

    /// Keeps a letter that was taken out under the number it had.
    pub(crate) fn put_back(&mut self, letter: DeadLetter) {
        self.letters.insert(letter.number, letter);
        self.make_room();
    }

    /// Up to `most` letters after the one of number `after`, oldest first.
    pub(crate) fn find(&self, query: &Query, after: u64, most: usize) -> Vec<DeadLetter> {
        let later = self.letters.range(after.saturating_add(1)..).map(|(_, letter)| letter);
        later
            .filter(|letter| query.accepts(letter))
            .take(most)
            .cloned()
            .collect()
    }

    /// Takes out one.
    pub(crate) fn take(&mut self, number: u64) -> Option<DeadLetter> {
        self.letters.remove(&number)
    }

    /// Takes out all that a query means, but for those in quarantine.
    pub(crate) fn take_all(&mut self, query: &Query) -> Vec<DeadLetter> {
        let is_meant = |_: &u64, letter: &mut DeadLetter| !letter.is_quarantined() && query.accepts(letter);
        self.letters
            .extract_if(.., is_meant)
            .map(|(_, letter)| letter)
            .collect()
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// How many made room.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::message::Priority;

    use super::*;
    use crate::envelope::{Destination, EnvelopeId, Payload};
    use crate::topic::Topic;

    fn letter(topic: &str, subscriber: &str, cause: Cause) -> DeadLetter {
        let envelope = Envelope {
            id: EnvelopeId::new(1, 1),
            time: Timestamp(0),
            from: "a".into(),
            to: Destination::Topic(Topic::new(topic).unwrap()),
            kind: "k".into(),
            key: None,
            priority: Priority::Normal,
            ttl_ms: None,
            correlation: None,
            causation: None,
            payload: Payload::bytes([]),
        };
        DeadLetter {
            number: 0,
            time: Timestamp(0),
            subscriber: subscriber.into(),
            subscription: SubscriptionId(1),
            cause,
            why: None,
            failures: 0,
            envelope: Arc::new(envelope),
        }
    }

    fn filled() -> DeadBox {
        let mut dead = DeadBox::new(4);
        dead.keep(letter("a.gone", "team/x", Cause::Failed));
        dead.keep(letter("a.one", "team/x", Cause::Failed));
        dead.keep(letter("a.two", "team/y", Cause::Expired));
        dead.keep(letter("b.one", "team/x", Cause::Poison));
        dead.keep(letter("b.two", "team/y", Cause::Failed));
        dead
    }

    fn numbers(letters: &[DeadLetter]) -> Vec<u64> {
        letters.iter().map(|letter| letter.number).collect()
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let dead = filled();
        assert_eq!((dead.len(), dead.forgotten()), (4, 1));
        assert_eq!(numbers(&dead.find(&Query::default(), 0, 99)), [2, 3, 4, 5]);
        assert_eq!(numbers(&dead.find(&Query::default(), 3, 1)), [4]);
    }

    #[test]
    fn one_that_is_put_back_makes_no_more_of_them_than_there_may_be() {
        let mut dead = filled();
        let taken = dead.take(5).unwrap();
        dead.keep(letter("b.three", "team/y", Cause::Failed));
        dead.put_back(taken);
        assert_eq!((dead.len(), dead.forgotten()), (4, 2));
        assert_eq!(numbers(&dead.find(&Query::default(), 0, 99)), [3, 4, 5, 6]);
    }

    #[test]
    fn letters_are_found_by_cause_topic_subscriber_and_filter() {
        let dead = filled();
        let all = Query::default;
        let found = |query: Query| numbers(&dead.find(&query, 0, 99));
        assert_eq!(
            found(Query {
                cause: Some(Cause::Failed),
                ..all()
            }),
            [2, 5]
        );
        assert_eq!(
            found(Query {
                pattern: Some(Pattern::new("a.*").unwrap()),
                ..all()
            }),
            [2, 3]
        );
        assert_eq!(
            found(Query {
                subscriber: Some("team/y".into()),
                ..all()
            }),
            [3, 5]
        );
        let filter = Filter::new("topic matches \"one$\"").unwrap();
        assert_eq!(
            found(Query {
                filter: Some(filter),
                ..all()
            }),
            [2, 4]
        );
    }

    #[test]
    fn those_in_quarantine_are_taken_by_their_number_alone() {
        let mut dead = filled();
        assert_eq!(numbers(&dead.take_all(&Query::default())), [2, 3, 5]);
        assert_eq!(dead.take(4).map(|letter| letter.is_quarantined()), Some(true));
        assert!(dead.take(4).is_none() && dead.len() == 0);
    }
}
