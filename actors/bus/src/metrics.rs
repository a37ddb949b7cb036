//! What the room counts.

use std::sync::Arc;

use triarch_supervision::metrics::{
    Buckets, Counter, Family, Fan, Gauge, Histogram, InstrumentError, Instruments, Label, Section,
};

use crate::account::{Cause, Dropped};
use crate::topic::{Pattern, Topic};

/// How many patterns of topics can be counted each for itself.
pub const COUNTED_MAX: usize = 4;

/// The patterns of the configuration, and `other`.
const TOPIC: Label = Label::open("topic", COUNTED_MAX);
const OTHER: &str = "other";
/// What everything else is counted under.
pub(crate) const UNCOUNTED: u16 = u16::MAX;
const NO_SUBSCRIBER: &str = "no_subscriber";

/// What is published.
pub const PUBLISHED: Family = Family::counter("triarch_bus_published_total", &[TOPIC], "Envelopes published.");

/// What is delivered.
pub const DELIVERED: Family = Family::counter(
    "triarch_bus_delivered_total",
    &[TOPIC],
    "Envelopes handed to subscribers, or acknowledged by them where that is asked for.",
);

/// What is lost.
pub const DROPPED: Family = Family::counter(
    "triarch_bus_dropped_total",
    &[
        TOPIC,
        Label::closed(
            "reason",
            &["lagged", "full", "expired", "closed", "duplicate", NO_SUBSCRIBER],
        ),
    ],
    "Envelopes that did not reach a subscriber and are kept nowhere, by reason; no_subscriber where there was none. What a log keeps is never among the latter.",
);

/// Who subscribes.
pub const SUBSCRIBERS: Family = Family::gauge(
    "triarch_bus_subscribers",
    &[TOPIC],
    "Subscriptions, under each counted pattern that has topics in common with theirs; under other where none has.",
);

/// How far the slowest is behind.
pub const LAG: Family = Family::gauge(
    "triarch_bus_lag_messages",
    &[TOPIC],
    "Envelopes that wait for the slowest subscription that is counted there, in its inbox or in the log that it reads.",
);

/// How long delivery takes.
pub const DELIVERY_SECONDS: Family = Family::histogram(
    "triarch_bus_delivery_seconds",
    Buckets::FAST,
    &[],
    "Publication to hand-out for the first of each batch that a subscriber takes, and to acknowledgement where that is asked for; of what is read from a log, from when it was read there: how far a reader is behind is its lag.",
);

/// How much is published.
pub const PAYLOAD_BYTES: Family = Family::counter(
    "triarch_bus_payload_bytes_total",
    &[TOPIC],
    "Bytes of the payloads published.",
);

/// What could not be delivered.
pub const DEAD: Family = Family::counter(
    "triarch_bus_dead_letters_total",
    &[Label::closed(
        "cause",
        &[
            "failed",
            "crashed",
            "unacknowledged",
            "expired",
            "full",
            "closed",
            "poison",
        ],
    )],
    "Envelopes that could not be delivered and became dead letters, by cause.",
);

/// What of that is kept.
pub const DEAD_KEPT: Family = Family::gauge(
    "triarch_bus_dead_letters_kept",
    &[],
    "Dead letters that can be replayed.",
);

/// What was not let in.
pub const REFUSED: Family = Family::counter(
    "triarch_bus_refused_total",
    &[Label::closed(
        "reason",
        &["access", "size", "form", "no_such_agent", "full"],
    )],
    "Publications and subscriptions that were refused, by reason.",
);

/// What filters cannot read.
pub const UNREADABLE: Family = Family::counter(
    "triarch_bus_unreadable_total",
    &[],
    "Envelopes that a filter did not accept because their payload, which is said to be JSON, cannot be read.",
);

/// What is to be published later.
pub const DELAYED: Family = Family::gauge(
    "triarch_bus_delayed_messages",
    &[],
    "Envelopes that are to be published later.",
);

/// Who is left alone.
pub const BREAKERS_OPEN: Family = Family::gauge(
    "triarch_bus_breakers_open",
    &[],
    "Subscriptions that get nothing for a while because they failed again and again.",
);

/// The section of the bus in a catalogue.
pub const BUS: Section = Section {
    title: "Bus",
    families: &[
        PUBLISHED,
        DELIVERED,
        DROPPED,
        SUBSCRIBERS,
        LAG,
        DELIVERY_SECONDS,
        PAYLOAD_BYTES,
        DEAD,
        DEAD_KEPT,
        REFUSED,
        UNREADABLE,
        DELAYED,
        BREAKERS_OPEN,
    ],
};

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Access,
    Size,
    Form,
    NoSuchAgent,
    Full,
}

impl Refusal {
    const fn label(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Size => "size",
            Self::Form => "form",
            Self::NoSuchAgent => "no_such_agent",
            Self::Full => "full",
        }
    }
}

/// The instruments of one topic, or of several that are counted together.
#[derive(Debug)]
pub(crate) struct OfTopic {
    pub(crate) published: Arc<Counter>,
    pub(crate) delivered: Arc<Counter>,
    dropped: Fan<Counter>,
    pub(crate) subscribers: Arc<Gauge>,
    pub(crate) lag: Arc<Gauge>,
    pub(crate) payload_bytes: Arc<Counter>,
}

impl OfTopic {
    fn new(instruments: &Instruments, topic: &str) -> Result<Self, InstrumentError> {
        Ok(Self {
            published: instruments.labelled(&PUBLISHED)?.with([topic]),
            delivered: instruments.labelled(&DELIVERED)?.with([topic]),
            dropped: instruments.fans(&DROPPED)?.with([topic]),
            subscribers: instruments.labelled(&SUBSCRIBERS)?.with([topic]),
            lag: instruments.labelled(&LAG)?.with([topic]),
            payload_bytes: instruments.labelled(&PAYLOAD_BYTES)?.with([topic]),
        })
    }

    pub(crate) fn dropped(&self, why: Dropped, count: u64) {
        self.dropped.at(why.label()).add(count);
    }

    pub(crate) fn without_subscriber(&self) {
        self.dropped.at(NO_SUBSCRIBER).increment();
    }
}

/// Where a subscription is counted: a bit for each of [`Metrics::all`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places(u8);

impl Places {
    pub(crate) const fn has(self, place: u8) -> bool {
        (self.0 >> place) & 1 == 1
    }

    /// What is told of it once is counted under this label.
    pub(crate) fn first(self) -> u16 {
        u16::try_from(self.0.trailing_zeros()).unwrap_or(UNCOUNTED)
    }
}

/// The instruments of the room.
#[derive(Debug)]
pub(crate) struct Metrics {
    counted: Vec<Pattern>,
    /// In the order of `counted`, and then `other`.
    topics: Vec<OfTopic>,
    other: OfTopic,
    dead: Fan<Counter>,
    refused: Fan<Counter>,
    pub(crate) seconds: Arc<Histogram>,
    pub(crate) unreadable: Arc<Counter>,
    pub(crate) dead_kept: Arc<Gauge>,
    pub(crate) delayed: Arc<Gauge>,
    pub(crate) breakers_open: Arc<Gauge>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments, counted: Vec<Pattern>) -> Result<Self, InstrumentError> {
        let topics = counted
            .iter()
            .map(|pattern| OfTopic::new(instruments, pattern.as_str()));
        Ok(Self {
            topics: topics.collect::<Result<_, _>>()?,
            other: OfTopic::new(instruments, OTHER)?,
            counted,
            dead: instruments.fans(&DEAD)?.with([]),
            refused: instruments.fans(&REFUSED)?.with([]),
            seconds: instruments.single(&DELIVERY_SECONDS)?,
            unreadable: instruments.single(&UNREADABLE)?,
            dead_kept: instruments.single(&DEAD_KEPT)?,
            delayed: instruments.single(&DELAYED)?,
            breakers_open: instruments.single(&BREAKERS_OPEN)?,
        })
    }

    /// What a topic is counted under: the first pattern that stands for it.
    pub(crate) fn label(&self, topic: &Topic) -> u16 {
        self.position(|pattern| pattern.matches(topic))
    }

    /// Where a subscription is counted: with its one topic, or wherever it may hear something.
    pub(crate) fn places_of(&self, wanted: &Pattern) -> Places {
        if let Ok(topic) = Topic::new(wanted.as_str()) {
            let place = usize::from(self.label(&topic)).min(self.counted.len());
            return Places(1 << place);
        }
        let met = self
            .counted
            .iter()
            .zip(0..)
            .filter(|(pattern, _)| pattern.meets(wanted));
        match met.fold(0, |places, (_, place)| places | 1 << place) {
            0 => self.elsewhere(),
            places => Places(places),
        }
    }

    /// The place of what is counted nowhere for itself.
    pub(crate) fn elsewhere(&self) -> Places {
        Places(1 << self.counted.len())
    }

    fn position(&self, is_it: impl Fn(&Pattern) -> bool) -> u16 {
        let index = self.counted.iter().position(is_it);
        index.and_then(|index| u16::try_from(index).ok()).unwrap_or(UNCOUNTED)
    }

    pub(crate) fn of(&self, label: u16) -> &OfTopic {
        self.topics.get(usize::from(label)).unwrap_or(&self.other)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &OfTopic> {
        self.topics.iter().chain([&self.other])
    }

    pub(crate) fn dead(&self, cause: Cause) {
        self.dead.at(cause.label()).increment();
    }

    pub(crate) fn refused(&self, why: Refusal) {
        self.refused.at(why.label()).increment();
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::metrics::Values;

    use super::*;

    fn has(label: &Label, word: &str) -> bool {
        matches!(label.values, Values::Closed(words) if words.contains(&word))
    }

    #[test]
    fn every_reason_and_every_cause_has_its_word() {
        for why in Dropped::ALL {
            assert!(has(&DROPPED.labels[1], why.label()), "{why:?}");
        }
        for cause in Cause::ALL {
            assert!(has(&DEAD.labels[0], cause.label()), "{cause:?}");
        }
        for why in [
            Refusal::Access,
            Refusal::Size,
            Refusal::Form,
            Refusal::NoSuchAgent,
            Refusal::Full,
        ] {
            assert!(has(&REFUSED.labels[0], why.label()), "{why:?}");
        }
    }

    #[test]
    fn a_topic_is_counted_under_the_first_pattern_that_stands_for_it() {
        let instruments = Instruments::with_tree(&[BUS]).unwrap();
        let counted = ["a.*", "a.**"].map(|text| Pattern::new(text).unwrap()).to_vec();
        let metrics = Metrics::new(&instruments, counted).unwrap();
        for (topic, label) in [("a.b", 0), ("a", 1), ("a.b.c", 1), ("b", UNCOUNTED)] {
            assert_eq!(metrics.label(&Topic::new(topic).unwrap()), label, "{topic}");
        }
        metrics.of(7).published.add(2);
        assert_eq!(metrics.other.published.get(), 2);
        assert_eq!(metrics.all().count(), 3);
    }

    #[test]
    fn a_subscription_is_counted_wherever_it_may_hear_something() {
        let instruments = Instruments::with_tree(&[BUS]).unwrap();
        let counted = ["plant.**", "news.*"].map(|text| Pattern::new(text).unwrap()).to_vec();
        let metrics = Metrics::new(&instruments, counted).unwrap();
        for (pattern, places) in [
            ("plant.**", [true, false, false]),
            ("plant.*", [true, false, false]),
            ("plant.pump", [true, false, false]),
            ("*.pump", [true, true, false]),
            ("**", [true, true, false]),
            ("news.a.b", [false, false, true]),
            ("other.*", [false, false, true]),
        ] {
            let found = metrics.places_of(&Pattern::new(pattern).unwrap());
            assert_eq!([0, 1, 2].map(|place| found.has(place)), places, "{pattern}");
        }
        assert!(metrics.elsewhere().has(2));
    }
}
