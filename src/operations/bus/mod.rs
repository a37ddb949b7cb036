//! What can be asked for of the bus.

mod follow;
mod forget;
mod seen;

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{
    ArchiveError, Bus, Draft, FilterError, ForgetError, Payload, PublishError, Query, ReplayError, ScheduleId,
    SubscribeError, Topic, TopicError, When,
};
use triarch_teams::Span;

use super::posts::{Body, SENDER, kind, span};
use super::{Code, Operation, Trouble, caused};
use crate::fleet::Fleet;

pub(crate) use follow::{BusSubscribe, BusTap, End, Place, event};
pub(crate) use forget::{BusForget, ForgottenSeen};
pub(crate) use seen::{BusDead, BusShow, BusTopics, DeadSeen, TopicSeen, TopicShown};

/// Publishes on a topic; on a durable one it returns once it is on disk.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusPublish {
    /// The topic, such as plant.pump.
    pub(crate) topic: String,
    /// What it says: JSON, or text.
    #[arg(default_value = "null", hide_default_value = true)]
    #[serde(default)]
    pub(crate) body: Body,
    /// What it is, in a word of the publisher's choice.
    #[arg(long, default_value = "message")]
    #[serde(default = "kind")]
    pub(crate) kind: String,
    /// What it is told from others of its sender on its topic by.
    #[arg(long)]
    #[serde(default)]
    pub(crate) key: Option<String>,
    /// After which time it is published; where the topic is not durable, it ends with the runtime.
    #[arg(long, value_name = "TIME", value_parser = span)]
    #[serde(default)]
    pub(crate) after: Option<Span>,
    /// In which steps it comes again, until `bus cancel`; where the topic is not durable, until the runtime ends.
    #[arg(long, value_name = "TIME", value_parser = span)]
    #[serde(default)]
    pub(crate) every: Option<Span>,
}

/// What became of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublishedSeen {
    pub(crate) topic: String,
    /// Its id, where it is published.
    pub(crate) id: Option<String>,
    /// How many subscriptions it was for at once.
    pub(crate) matched: Option<usize>,
    /// Its place in the log, where the topic is durable.
    pub(crate) offset: Option<u64>,
    /// What it is called off by, where it is to come later.
    pub(crate) schedule: Option<u64>,
}

impl Operation for BusPublish {
    const NAME: &'static str = "bus.publish";
    type Output = PublishedSeen;

    async fn perform(self, fleet: &Fleet) -> Result<PublishedSeen, Trouble> {
        publish(fleet.bus()?, SENDER, self).await
    }
}

/// Publishes for `from`.
pub(crate) async fn publish(bus: &Bus, from: &str, asked: BusPublish) -> Result<PublishedSeen, Trouble> {
    let topic = Topic::new(&asked.topic)?;
    let draft = Draft::new(asked.kind, Payload::json(&asked.body.0));
    let draft = match asked.key {
        Some(key) => draft.key(key),
        None => draft,
    };
    let seen = PublishedSeen {
        topic: asked.topic,
        ..PublishedSeen::default()
    };
    if asked.after.is_some() || asked.every.is_some() {
        let schedule = plan(bus, from, &topic, draft, when(asked.after, asked.every)?).await?;
        return Ok(PublishedSeen {
            schedule: Some(schedule.number()),
            ..seen
        });
    }
    match bus.publish(from, &topic, draft.clone()) {
        Ok(published) => Ok(PublishedSeen {
            id: Some(published.id.to_string()),
            matched: Some(published.matched),
            ..seen
        }),
        Err(PublishError::Durable { .. }) => {
            let stored = bus.publish_durably(from, &topic, draft).await?;
            Ok(PublishedSeen {
                id: Some(stored.id.to_string()),
                matched: Some(stored.matched),
                offset: Some(stored.offset),
                ..seen
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Plans it; where the topic is durable it is on disk when this returns.
async fn plan(bus: &Bus, from: &str, topic: &Topic, draft: Draft, when: When) -> Result<ScheduleId, Trouble> {
    let planned = match when.clone() {
        When::Every { first, every } => bus.publish_every(from, topic, draft.clone(), first, every),
        When::After(after) => bus.publish_after(from, topic, draft.clone(), after),
        When::Daily(daily) => bus.publish_daily(from, topic, draft.clone(), daily),
    };
    match planned {
        Err(PublishError::Durable { .. }) => Ok(bus.publish_later_durably(from, topic, draft, when).await?),
        planned => Ok(planned?),
    }
}

fn when(after: Option<Span>, every: Option<Span>) -> Result<When, Trouble> {
    let Some(Span(every)) = every else {
        return Ok(When::After(after.map_or(Duration::ZERO, |Span(after)| after)));
    };
    if every < LEAST_STEP {
        let message = format!("{} is too short a step", Span(every));
        let remedy = format!("publish again each {} or more seldom", Span(LEAST_STEP));
        return Err(Trouble::new(Code::Usage, message, remedy));
    }
    let first = after.map_or(every, |Span(after)| after);
    Ok(When::Every { first, every })
}

/// Nothing is published again in shorter steps.
const LEAST_STEP: Duration = Duration::from_millis(10);

/// Calls off what was to be published later.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct BusCancel {
    /// The number that `bus publish` told.
    pub(crate) schedule: u64,
}

/// What is published no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CancelledSeen {
    pub(crate) schedule: u64,
}

impl Operation for BusCancel {
    const NAME: &'static str = "bus.cancel";
    type Output = CancelledSeen;

    async fn perform(self, fleet: &Fleet) -> Result<CancelledSeen, Trouble> {
        let schedule = self.schedule;
        if fleet.bus()?.cancel(ScheduleId::new(schedule)).await? {
            return Ok(CancelledSeen { schedule });
        }
        let message = format!("nothing of the number {schedule} is to be published later");
        let remedy = "it came already, or was called off before; `triarch bus publish` tells the number";
        Err(Trouble::new(Code::NotFound, message, remedy))
    }
}

/// Hands dead letters to their subscriptions again.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BusReplay {
    /// The numbers of the dead letters.
    #[arg(required_unless_present = "all", value_name = "LETTER")]
    #[serde(default)]
    pub(crate) letters: Vec<u64>,
    /// All there are, but for those that failed so often that they are set apart.
    #[arg(long, conflicts_with = "letters")]
    #[serde(default)]
    pub(crate) all: bool,
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
        if self.all {
            let replayed = bus.replay_all(&Query::default());
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

macro_rules! told_as_they_are {
    ($($error:ty: $code:expr),+ $(,)?) => {
        $(
            impl From<$error> for Trouble {
                fn from(error: $error) -> Self {
                    let code: fn(&$error) -> Code = $code;
                    Self::new(code(&error), caused(&error), "")
                }
            }
        )+
    };
}

told_as_they_are! {
    TopicError: |_| Code::Usage,
    FilterError: |_| Code::Usage,
    PublishError: |error| match error {
        PublishError::TooLarge(_) | PublishError::Form(_) => Code::Usage,
        PublishError::NotAllowed(_) | PublishError::AgendaFull(_) => Code::Refused,
        _ => Code::Failed,
    },
    SubscribeError: |error| match error {
        SubscribeError::NotAllowed(_) | SubscribeError::Full { .. } => Code::Refused,
        SubscribeError::Archive(ArchiveError::NotOneLog { .. }) => Code::Usage,
        SubscribeError::Archive(_) => Code::Failed,
        _ => Code::Usage,
    },
    ArchiveError: |_| Code::Failed,
    ForgetError: |error| match error {
        ForgetError::Attended { .. } => Code::Refused,
        _ => Code::Failed,
    },
    ReplayError: |error| match error {
        ReplayError::NoSuchLetter(_) => Code::NotFound,
        _ => Code::Refused,
    },
}
