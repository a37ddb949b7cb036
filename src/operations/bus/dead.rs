//! Dead letters: listed, handed out again, forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_bus::{Cause, DeadLetter, Filter, Pattern, Query, ReplayError, codec};

use super::super::{Code, Operation, Trouble};
use super::time::{Time, written};
use super::{MOST, by_word, most};
use crate::fleet::Fleet;

/// The options that say which dead letters are meant.
const SOME: [&str; 7] = ["all", "cause", "topic", "subscriber", "filter", "after", "before"];

/// Which dead letters are meant.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Which {
    /// Only those of that cause: failed, crashed, unacknowledged, expired, full, closed or poison.
    #[arg(long, value_parser = by_word::<Cause>)]
    #[serde(default)]
    pub(crate) cause: Option<Cause>,
    /// Only those of that topic, or of those that a pattern stands for.
    #[arg(long, value_name = "PATTERN")]
    #[serde(default)]
    pub(crate) topic: Option<String>,
    /// Only those that were for that subscriber.
    #[arg(long, value_name = "PATH")]
    #[serde(default)]
    pub(crate) subscriber: Option<String>,
    /// Only those that a filter accepts, such as "payload.celsius gt 30".
    #[arg(long)]
    #[serde(default)]
    pub(crate) filter: Option<String>,
    /// Only those that died then or later, such as 2026-11-22T08:00:00Z, or 1h for an hour ago.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub(crate) after: Option<Time>,
    /// Only those that died earlier.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub(crate) before: Option<Time>,
    /// What says something else, which must not be taken for nothing where all are forgotten that are not excepted.
    #[arg(skip)]
    #[serde(flatten)]
    pub(crate) unknown: BTreeMap<String, Value>,
}

impl Which {
    fn query(&self) -> Result<Query, Trouble> {
        if let Some(key) = self.unknown.keys().next() {
            let message = format!("nothing says which dead letters are meant by {key:?}");
            let remedy = "say cause, topic, subscriber, filter, after or before";
            return Err(Trouble::new(Code::Usage, message, remedy));
        }
        Ok(Query {
            cause: self.cause,
            pattern: self.topic.as_ref().map(Pattern::new).transpose()?,
            subscriber: self.subscriber.as_deref().map(Arc::from),
            filter: self.filter.as_deref().map(Filter::new).transpose()?,
            since: self.after.map(|Time(time)| time),
            before: self.before.map(|Time(time)| time),
        })
    }

    /// The query, where those that are meant are not told by their numbers.
    fn meant(&self, all: bool, letters: &[u64]) -> Result<Option<Query>, Trouble> {
        let has_query = all || *self != Self::default();
        match (has_query, letters.is_empty()) {
            (true, true) => self.query().map(Some),
            (false, false) => Ok(None),
            (_, is_nothing) => {
                let what = if is_nothing {
                    "nothing says"
                } else {
                    "numbers and a query say"
                };
                let message = format!("{what} which dead letters are meant");
                let remedy = "name their numbers, or say all, cause, topic, subscriber, filter, after or before";
                Err(Trouble::new(Code::Usage, message, remedy))
            }
        }
    }
}

/// Lists dead letters of the bus: what could not be delivered, oldest first. Those of durable topics outlive the runtime.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusDead {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) which: Which,
    /// No more than so many.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    #[serde(default = "most")]
    pub(crate) most: usize,
}

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeadSeen {
    /// By which it is replayed.
    pub(crate) letter: u64,
    /// What it was known by when it was published or sent.
    #[serde(default)]
    pub(crate) id: String,
    /// The topic, or the path that it was sent to.
    pub(crate) topic: String,
    /// When it died.
    pub(crate) at: String,
    /// Whose it was.
    pub(crate) subscriber: String,
    /// The name it listened under, where it had one.
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) cause: String,
    /// What the subscriber said last.
    pub(crate) why: Option<String>,
    /// How often its handling failed.
    pub(crate) failures: u32,
    pub(crate) from: String,
    pub(crate) kind: String,
    pub(crate) body: Value,
    /// Where it is bytes, two digits for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<String>,
}

impl From<DeadLetter> for DeadSeen {
    fn from(letter: DeadLetter) -> Self {
        let envelope = &letter.envelope;
        let (body, bytes) = codec::shown(&envelope.payload);
        Self {
            letter: letter.number,
            id: envelope.id.to_string(),
            topic: envelope.to.as_str().to_owned(),
            at: written(letter.time),
            subscriber: letter.subscriber.to_string(),
            name: letter.name.as_ref().map(ToString::to_string),
            cause: letter.cause.label().to_owned(),
            why: letter.why.as_ref().map(ToString::to_string),
            failures: letter.failures,
            from: envelope.from.to_string(),
            kind: envelope.kind.to_string(),
            body,
            bytes,
        }
    }
}

impl Operation for BusDead {
    const NAME: &'static str = "bus.dead";
    type Output = Vec<DeadSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<DeadSeen>, Trouble> {
        let letters = fleet.bus()?.dead_letters(&self.which.query()?, 0, self.most);
        Ok(letters.into_iter().map(DeadSeen::from).collect())
    }
}

/// Hands dead letters to their subscriptions again.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusReplay {
    /// The numbers of the dead letters; or say which by the options below.
    #[arg(required_unless_present_any = SOME, conflicts_with_all = SOME, value_name = "LETTER")]
    #[serde(default)]
    pub(crate) letters: Vec<u64>,
    /// All there are, but for those that failed so often that they are set apart.
    #[arg(long)]
    #[serde(default)]
    pub(crate) all: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) which: Which,
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplayedSeen {
    /// Handed to their subscriptions again.
    pub(crate) sent: usize,
    /// Kept, since nobody takes them any more, or whoever does has no room.
    pub(crate) kept: usize,
}

impl Operation for BusReplay {
    const NAME: &'static str = "bus.replay";
    type Output = ReplayedSeen;

    async fn perform(self, fleet: &Fleet) -> Result<ReplayedSeen, Trouble> {
        let bus = fleet.bus()?;
        if let Some(query) = self.which.meant(self.all, &self.letters)? {
            if query.cause == Some(Cause::Poison) {
                let message = "those that failed so often are set apart, and not replayed at once";
                return Err(Trouble::new(Code::Usage, message, "replay each by its number"));
            }
            let replayed = bus.replay_all(&query);
            return Ok(ReplayedSeen {
                sent: replayed.sent,
                kept: replayed.kept,
            });
        }
        let mut replayed = ReplayedSeen::default();
        for number in self.letters {
            bus.replay(number).map_err(|error| partly(error, replayed.sent))?;
            replayed.sent += 1;
        }
        Ok(replayed)
    }
}

/// What went wrong after some were sent.
fn partly(error: ReplayError, sent: usize) -> Trouble {
    let trouble = Trouble::from(error);
    if sent == 0 {
        return trouble;
    }
    let message = format!("{sent} of them were sent, then: {}", trouble.message);
    Trouble { message, ..trouble }
}

/// Forgets dead letters. Those of durable topics are taken off the disk.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusDrop {
    /// The numbers of the dead letters; or say which by the options below.
    #[arg(required_unless_present_any = SOME, conflicts_with_all = SOME, value_name = "LETTER")]
    #[serde(default)]
    pub(crate) letters: Vec<u64>,
    /// All there are, those that failed so often that they are set apart among them.
    #[arg(long)]
    #[serde(default)]
    pub(crate) all: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) which: Which,
}

/// What is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DroppedSeen {
    pub(crate) dropped: usize,
}

impl Operation for BusDrop {
    const NAME: &'static str = "bus.drop";
    type Output = DroppedSeen;

    async fn perform(self, fleet: &Fleet) -> Result<DroppedSeen, Trouble> {
        let bus = fleet.bus()?;
        if let Some(query) = self.which.meant(self.all, &self.letters)? {
            let dropped = bus.discard_all(&query)?;
            return Ok(DroppedSeen { dropped });
        }
        let mut dropped = 0;
        for number in self.letters {
            if !bus.discard(number)? {
                return Err(partly_dropped(number, dropped));
            }
            dropped += 1;
        }
        Ok(DroppedSeen { dropped })
    }
}

/// One is not there, after some were dropped.
fn partly_dropped(number: u64, dropped: usize) -> Trouble {
    let message = match dropped {
        0 => format!("there is no dead letter {number}"),
        dropped => format!("{dropped} of them were dropped, then: there is no dead letter {number}"),
    };
    Trouble::new(Code::NotFound, message, "`triarch bus dead` shows those there are")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_that_says_nothing_of_letters_is_no_leave_to_take_all_of_them() {
        let meant = |input: Value| {
            let asked: BusDrop = serde_json::from_value(input).unwrap();
            asked
                .which
                .meant(asked.all, &asked.letters)
                .map(|query| query.is_some())
        };
        assert_eq!(meant(json!({ "all": true })).ok(), Some(true));
        assert_eq!(meant(json!({ "topic": "a.*" })).ok(), Some(true));
        assert_eq!(meant(json!({ "letters": [1] })).ok(), Some(false));
        for slip in [json!({ "all": true, "topc": "a.*" }), json!({ "letter": 1 })] {
            let refused = meant(slip).unwrap_err();
            assert!(
                refused.message.contains("\"topc\"") || refused.message.contains("\"letter\""),
                "{refused:?}"
            );
        }
    }
}
