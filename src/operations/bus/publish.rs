//! Publishing, now or later.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{Bus, Daily, Draft, PublishError, ScheduleId, Topic, When};
use triarch_teams::Span;

use super::super::posts::SENDER;
use super::super::{Code, Operation, Trouble};
use super::words::{Marks, Words};
use crate::fleet::Fleet;

/// Publishes on a topic; on a durable one it returns once it is on disk.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusPublish {
    /// The topic, such as plant.pump.
    pub(crate) topic: String,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) words: Words,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) marks: Marks,
    /// After which time it is published; where the topic is not durable, it ends with the runtime.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub(crate) after: Option<Span>,
    /// In which steps it comes again, until `bus cancel`; where the topic is not durable, until the runtime ends.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub(crate) every: Option<Span>,
    /// At which times of day it comes, such as "06:30,18:00 mon-fri +02:00"; UTC where no offset is said.
    #[arg(long, value_name = "TIMES", conflicts_with_all = ["after", "every"])]
    #[serde(default)]
    pub(crate) daily: Option<String>,
}

impl BusPublish {
    /// When it comes; nothing where that is now.
    fn when(&self) -> Result<Option<When>, Trouble> {
        match (&self.daily, self.after, self.every) {
            (None, None, None) => Ok(None),
            (None, after, every) => when(after, every).map(Some),
            (Some(daily), None, None) => Ok(Some(When::Daily(Daily::new(daily)?))),
            (Some(_), ..) => {
                let remedy = "leave out after and every, or daily";
                Err(Trouble::new(Code::Usage, "daily says when it comes already", remedy))
            }
        }
    }
}

/// What became of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublishedSeen {
    pub(crate) topic: String,
    /// Its id, where it is published.
    pub(crate) id: Option<String>,
    /// How many subscriptions it was for at once.
    pub(crate) matched: Option<usize>,
    /// How many read it from the log, where the topic is durable; not told to programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) readers: Option<usize>,
    /// Its place in the log, where the topic is durable.
    pub(crate) offset: Option<u64>,
    /// What it is called off by, where it is to come later.
    pub(crate) schedule: Option<u64>,
}

impl Operation for BusPublish {
    const NAME: &'static str = "bus.publish";
    type Output = PublishedSeen;

    async fn perform(self, fleet: &Fleet) -> Result<PublishedSeen, Trouble> {
        let bus = fleet.bus()?;
        let seen = publish(bus, SENDER, self).await?;
        let readers = match seen.offset {
            Some(_) => Some(bus.readers(&Topic::new(&seen.topic)?)),
            None => None,
        };
        Ok(PublishedSeen { readers, ..seen })
    }
}

/// Publishes for `from`.
pub(crate) async fn publish(bus: &Bus, from: &str, asked: BusPublish) -> Result<PublishedSeen, Trouble> {
    let topic = Topic::new(&asked.topic)?;
    let (draft, when) = (asked.marks.on(asked.words.draft()), asked.when()?);
    let seen = PublishedSeen {
        topic: asked.topic,
        ..PublishedSeen::default()
    };
    if let Some(when) = when {
        let schedule = plan(bus, from, &topic, draft, when).await?;
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
