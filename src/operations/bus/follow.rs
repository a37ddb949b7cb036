//! Hearing what is published, from the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use triarch_bus::{Bus, Class, Envelope, Filter, Pattern, Pick, Start, Subscribe, Terms, Timestamp, codec};

use super::super::posts::SENDER;
use super::super::{Operation, Trouble};
use super::by_word;
use super::time::{Time, written};
use crate::fleet::Fleet;

/// Prints what is published, as it comes.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusSubscribe {
    /// Which topics: a topic, or with `*` for one part of it and `**` for all that follow.
    pub(crate) pattern: String,
    /// Only what that says is meant, such as "payload.celsius gt 30".
    #[arg(long)]
    #[serde(default)]
    pub(crate) filter: Option<String>,
    /// Where in a log it begins: first, next, a number, or a time: 2026-11-22T08:00:00Z, or 1h for an hour ago.
    #[arg(long, value_name = "PLACE")]
    #[serde(default)]
    pub(crate) from: Option<Place>,
    /// Goes on where the last that had this name left off, on durable topics.
    #[arg(long)]
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// One of all that have the same pattern and group gets each.
    #[arg(long)]
    #[serde(default)]
    pub(crate) group: Option<String>,
    /// How the group finds that one, where this founds it: `round_robin`, `least_busy` or `random`.
    #[arg(long, value_parser = by_word::<Pick>, requires = "group")]
    #[serde(default)]
    pub(crate) pick: Option<Pick>,
    /// What is promised until it is sent here, printed or not: `at_most_once`, `at_least_once` or `effectively_once`.
    ///
    /// What came once is remembered by the last of them until this ends, and no longer.
    #[arg(long, default_value = "at_most_once", value_parser = by_word::<Class>)]
    #[serde(default)]
    pub(crate) class: Class,
    /// Ends after so many.
    #[arg(long)]
    #[serde(default)]
    pub(crate) count: Option<usize>,
}

/// Where in a log one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At that number.
    Offset(u64),
    /// With the first that was published then, or later.
    Time(Timestamp),
    /// At one of its ends.
    End(End),
}

/// The two ends of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the oldest that is kept.
    First,
    /// With what is published next.
    Next,
}

/// What may stand there.
const PLACES: &str =
    "first, next, the number of a place, or a time: in UTC such as 2026-11-22T08:00:00Z, or 1h for an hour ago";

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "first" => Ok(Self::End(End::First)),
            "next" => Ok(Self::End(End::Next)),
            number_or_time => {
                let number = number_or_time.parse().map(Self::Offset).ok();
                let place = number.or_else(|| number_or_time.parse().map(|Time(time)| Self::Time(time)).ok());
                place.ok_or_else(|| format!("{text:?} is no place in a log; write {PLACES}"))
            }
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Offset(offset) => serializer.serialize_u64(*offset),
            Self::Time(time) => serializer.serialize_str(&written(*time)),
            Self::End(End::First) => serializer.serialize_str("first"),
            Self::End(End::Next) => serializer.serialize_str("next"),
        }
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceWritten)
    }
}

struct PlaceWritten;

impl Visitor<'_> for PlaceWritten {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACES)
    }

    fn visit_u64<E: Error>(self, offset: u64) -> Result<Place, E> {
        Ok(Place::Offset(offset))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Place, E> {
        text.parse().map_err(E::custom)
    }
}

impl From<Place> for Start {
    fn from(place: Place) -> Self {
        match place {
            Place::Offset(offset) => Self::Offset(offset),
            Place::Time(time) => Self::Time(time),
            Place::End(End::First) => Self::First,
            Place::End(End::Next) => Self::Next,
        }
    }
}

/// How many were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventsTold {
    pub(crate) events: usize,
}

impl Operation for BusSubscribe {
    const NAME: &'static str = "bus.subscribe";
    type Output = EventsTold;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<EventsTold, Trouble> {
        let mut what = Subscribe::new(Pattern::new(&self.pattern)?, SENDER).terms(Terms::of(self.class));
        if let Some(group) = self.group {
            what = what.group(group, self.pick.unwrap_or_default());
        }
        if let Some(filter) = &self.filter {
            what = what.filter(Filter::new(filter)?);
        }
        if let Some(place) = self.from {
            what = what.from(place.into());
        }
        if let Some(name) = self.name {
            what = what.named(name);
        }
        follow(fleet, fleet.bus()?, what, self.count).await
    }
}

/// Prints what is published on any topic, and slows down nobody: of what comes faster than it can be shown the oldest is
/// left out.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusTap {
    /// Which topics.
    #[arg(default_value = "**")]
    #[serde(default = "all")]
    pub(crate) pattern: String,
    /// Ends after so many.
    #[arg(long)]
    #[serde(default)]
    pub(crate) count: Option<usize>,
}

fn all() -> String {
    "**".to_owned()
}

impl Operation for BusTap {
    const NAME: &'static str = "bus.tap";
    type Output = EventsTold;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<EventsTold, Trouble> {
        let what = Subscribe::new(Pattern::new(&self.pattern)?, SENDER);
        follow(fleet, fleet.bus()?, what, self.count).await
    }
}

/// Tells of each event, until there are enough or nobody listens any more.
async fn follow(fleet: &Fleet, bus: &Bus, what: Subscribe, count: Option<usize>) -> Result<EventsTold, Trouble> {
    let mut told = EventsTold { events: 0 };
    let mut listener = bus.listen(what)?;
    while count.is_none_or(|count| told.events < count) {
        let delivery = listener.next().await;
        fleet.tell(event(bus, &delivery.envelope)).await;
        delivery.acknowledge();
        told.events += 1;
    }
    Ok(told)
}

/// What is told of something that was published: what the codec of the bus has of it, in the words of posts.
pub(crate) fn event(bus: &Bus, envelope: &Envelope) -> Value {
    // An envelope has nothing that is not to be had in JSON.
    let mut event = codec::to_fields(envelope).unwrap_or_default();
    event.remove("time_us");
    event.insert("at".to_owned(), written(envelope.time).into());
    let body = event.remove("payload").unwrap_or_default();
    event.insert("body".to_owned(), body);
    if bus.is_asked(envelope) {
        event.insert("is_request".to_owned(), Value::Bool(true));
    }
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use triarch_bus::{Draft, Payload, Topic};
    use triarch_supervision::metrics::Instruments;

    use super::*;

    #[test]
    fn a_place_in_a_log_is_read_as_it_is_written() {
        let Time(time) = "2026-11-22T08:00:00Z".parse().unwrap();
        let time = Place::Time(time);
        for (text, place) in [
            ("first", Place::End(End::First)),
            ("next", Place::End(End::Next)),
            ("7", Place::Offset(7)),
            ("2026-11-22T08:00:00Z", time),
        ] {
            assert_eq!(text.parse(), Ok(place));
            assert_eq!(serde_json::from_value::<Place>(json!(place)).unwrap(), place, "{text}");
            assert_eq!(serde_json::from_value::<Place>(json!(text)).unwrap(), place, "{text}");
        }
    }

    #[test]
    fn an_event_tells_all_of_an_envelope_and_loses_no_byte() {
        let instruments = Instruments::with_tree(&[triarch_bus::metrics::BUS]).unwrap();
        let bus = Bus::new(triarch_bus::Config::default(), 1, &instruments).unwrap();
        let mut listener = bus
            .listen(Subscribe::new(Pattern::new("plant.**").unwrap(), "team/a"))
            .unwrap();
        let topic = Topic::new("plant.pump").unwrap();
        let mut told = |payload| {
            let draft = Draft::new("picture", payload).key("k-1").ttl(Duration::from_secs(1));
            bus.publish("team/b", &topic, draft).unwrap();
            event(&bus, &listener.try_next().unwrap().envelope)
        };
        let bytes = told(Payload::bytes([0x00, 0xff, b'a']));
        assert_eq!((&bytes["body"], &bytes["bytes"]), (&Value::Null, &json!("00ff61")));
        let mut said = told(Payload::json(&json!({ "n": 1 })));
        let event = said.as_object_mut().unwrap();
        assert!(event.remove("id").is_some_and(|id| id.is_string()));
        assert!(event.remove("at").is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
        let expected = json!({
            "topic": "plant.pump", "from": "team/b", "kind": "picture", "key": "k-1", "priority": "normal", "ttl_ms": 1000,
            "body": { "n": 1 },
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_no_place_is_told_what_may_stand_there() {
        for wrong in [json!("yesterday"), json!(true), json!(-1), json!({ "time": 7 })] {
            let told = serde_json::from_value::<Place>(wrong).unwrap_err().to_string();
            assert!(told.contains(PLACES), "{told}");
        }
    }
}
