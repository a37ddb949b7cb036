//! What is said to others over the bus, whichever way it goes.

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{Draft, EnvelopeId, Payload};
use triarch_supervision::message::Priority;
use triarch_teams::Span;

use super::super::given::body;
use super::super::posts::{Body, kind};
use super::{by_word, time};

/// What is said, and how urgent it is.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Words {
    /// What it says: JSON, or text; `-` for what comes by the standard input.
    #[arg(default_value = "null", hide_default_value = true, value_parser = body)]
    #[serde(default)]
    pub(crate) body: Body,
    /// What it is, in a word of the sender's choice.
    #[arg(long, default_value = "message")]
    #[serde(default = "kind")]
    pub(crate) kind: String,
    /// Which goes first among those that wait: critical, high, normal, low or background.
    #[arg(long, default_value = "normal", value_parser = by_word::<Priority>)]
    #[serde(default)]
    pub(crate) priority: Priority,
}

/// What else may be known of it. Beside [`Words`] and not around them, since what is unknown is refused only one level deep.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// What it is told from others of its sender by.
    #[arg(long)]
    #[serde(default)]
    pub(crate) key: Option<String>,
    /// For how long anybody needs it from when it is sent.
    #[arg(long, value_name = "TIME")]
    #[serde(default, alias = "ttl_ms", deserialize_with = "time::span")]
    pub(crate) ttl: Option<Span>,
    /// The id of what began the exchange that it belongs to.
    #[arg(long, value_name = "ID")]
    #[serde(default)]
    pub(crate) correlation: Option<EnvelopeId>,
    /// The id of what it came of.
    #[arg(long, value_name = "ID")]
    #[serde(default)]
    pub(crate) causation: Option<EnvelopeId>,
}

impl Words {
    pub(super) fn draft(&self) -> Draft {
        Draft::new(&*self.kind, Payload::json(&self.body.0)).priority(self.priority)
    }
}

impl Marks {
    pub(super) fn on(&self, mut draft: Draft) -> Draft {
        if let Some(key) = &self.key {
            draft = draft.key(&**key);
        }
        if let Some(Span(ttl)) = self.ttl {
            draft = draft.ttl(ttl);
        }
        if let Some(first) = self.correlation {
            draft = draft.correlated(first);
        }
        if let Some(cause) = self.causation {
            draft = draft.caused_by(cause);
        }
        draft
    }
}
