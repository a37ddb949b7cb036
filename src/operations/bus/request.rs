//! Asking whoever hears a topic.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_bus::{Bus, Envelope, PublishError, RequestError, Topic, codec};
use triarch_teams::Span;

use super::super::posts::SENDER;
use super::super::{Code, Operation, QUICK, Trouble};
use super::time::{self, written};
use super::words::Words;
use crate::fleet::Fleet;

/// Nobody waits longer for an answer. A question keeps its place, at whoever asks too, until it is answered or nobody waits for it.
const WITHIN_MAX: Duration = Duration::from_hours(24);

/// Asks whoever hears a topic, and waits for the first answer.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusRequest {
    /// The topic, such as plant.pump; a durable one is not asked.
    pub(crate) topic: String,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) words: Words,
    /// How long to wait for the answer; nobody hears the question after that.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    #[serde(default, alias = "timeout_ms", deserialize_with = "time::span")]
    pub(crate) within: Option<Span>,
}

/// What somebody answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnswerSeen {
    /// The id of the answer.
    pub(crate) id: String,
    /// The id of the question.
    pub(crate) correlation: Option<String>,
    /// Who answered.
    pub(crate) from: String,
    pub(crate) at: String,
    pub(crate) body: Value,
    /// Where it is bytes, two digits for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<String>,
}

impl From<&Envelope> for AnswerSeen {
    fn from(answer: &Envelope) -> Self {
        let (body, bytes) = codec::shown(&answer.payload);
        Self {
            id: answer.id.to_string(),
            correlation: answer.correlation.map(|id| id.to_string()),
            from: answer.from.to_string(),
            at: written(answer.time),
            body,
            bytes,
        }
    }
}

impl BusRequest {
    fn patience(&self) -> Duration {
        self.within.map_or(QUICK, |Span(within)| within)
    }
}

impl Operation for BusRequest {
    const NAME: &'static str = "bus.request";
    type Output = AnswerSeen;

    fn answered_within(&self) -> Option<Duration> {
        Some(self.patience().saturating_add(QUICK))
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<AnswerSeen, Trouble> {
        request(fleet.bus()?, SENDER, self).await
    }
}

/// Asks for `from`.
pub(crate) async fn request(bus: &Bus, from: &str, asked: BusRequest) -> Result<AnswerSeen, Trouble> {
    let (topic, within) = (Topic::new(&asked.topic)?, asked.patience());
    if within > WITHIN_MAX {
        let message = format!("nobody waits for an answer for {}", Span(within));
        return Err(Trouble::new(
            Code::Usage,
            message,
            format!("wait for {} or less", Span(WITHIN_MAX)),
        ));
    }
    // What nobody waits for any more is not to be worked on.
    let draft = asked.words.draft().ttl(within);
    match bus.request(from, &topic, draft, within).await {
        Ok(answer) => Ok(AnswerSeen::from(&*answer)),
        Err(RequestError::NotPublished(PublishError::Durable { .. })) => {
            let message = format!("{topic} is a durable topic, and those are not asked");
            Err(Trouble::new(
                Code::Usage,
                message,
                "ask on another topic, or publish there",
            ))
        }
        Err(RequestError::NotPublished(refused)) => Err(refused.into()),
        Err(RequestError::Timeout { to, within }) => {
            let message = format!("no answer from {to} within {}", Span(within));
            let remedy = "allow more time, or see with `triarch bus show` who hears it";
            Err(Trouble::new(Code::NoReceipt, message, remedy))
        }
        Err(error) => Err(error.into()),
    }
}
