//! Hearing what is published, from the command line.

use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use triarch_bus::{Bus, Envelope, Filter, Pattern, Start, Subscribe};

use super::super::posts::SENDER;
use super::super::{Operation, Trouble};
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
    /// Where in the log of durable topics it begins: first, next, or the number of a place.
    #[arg(long, value_name = "PLACE")]
    #[serde(default)]
    pub(crate) from: Option<Place>,
    /// Goes on where the last that had this name left off, on durable topics.
    #[arg(long)]
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Ends after so many.
    #[arg(long)]
    #[serde(default)]
    pub(crate) count: Option<usize>,
}

/// Where in a log one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Place {
    /// At that number.
    Offset(u64),
    /// At one of its ends.
    End(End),
}

/// The two ends of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// With the oldest that is kept.
    First,
    /// With what is published next.
    Next,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "first" => Ok(Self::End(End::First)),
            "next" => Ok(Self::End(End::Next)),
            number => number
                .parse()
                .map(Self::Offset)
                .map_err(|_| format!("{text:?} is no place in a log; write first, next or a number")),
        }
    }
}

impl From<Place> for Start {
    fn from(place: Place) -> Self {
        match place {
            Place::Offset(offset) => Self::Offset(offset),
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

    async fn perform(self, fleet: &Fleet) -> Result<EventsTold, Trouble> {
        let mut what = Subscribe::new(Pattern::new(&self.pattern)?, SENDER);
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
        fleet.tell(event(&delivery.envelope)).await;
        delivery.acknowledge();
        told.events += 1;
    }
    Ok(told)
}

/// What is told of something that was published.
pub(crate) fn event(envelope: &Envelope) -> Value {
    let at = UNIX_EPOCH + Duration::from_micros(envelope.time.0);
    let mut event = json!({
        "topic": envelope.to.as_str(), "from": &*envelope.from, "kind": &*envelope.kind,
        "at": humantime::format_rfc3339_micros(at).to_string(), "body": body(envelope),
    });
    if let Some(key) = &envelope.key {
        event["key"] = Value::String(key.to_string());
    }
    event
}

/// What an envelope says; bytes as a text.
pub(super) fn body(envelope: &Envelope) -> Value {
    let payload = &envelope.payload;
    let text = || Value::String(String::from_utf8_lossy(payload.as_bytes()).into_owned());
    payload.value().cloned().unwrap_or_else(text)
}
