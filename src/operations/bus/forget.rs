//! Forgetting the name of a subscription, and logs that the description names no more.

use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_bus::{Bus, CursorView, LogView};

use super::super::{Code, Operation, Trouble};
use crate::fleet::Fleet;

/// Forgets a named subscription that nobody uses any more, or a log that the description names no more. Whoever subscribes under
/// that name later begins anew; what is in that log is gone.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusForget {
    /// The name, as `bus show` tells it, or the topics of the log.
    pub(crate) name: String,
    /// Whose name it is, where several have one like it.
    #[arg(long)]
    #[serde(default)]
    pub(crate) subscriber: Option<String>,
}

/// What is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForgottenSeen {
    /// Whose name it was; unknown of a log.
    pub(crate) subscriber: Option<String>,
    pub(crate) name: String,
    /// How many places lay between where it was and the end of its log; of a log, how many were kept.
    pub(crate) lag: u64,
}

impl Operation for BusForget {
    const NAME: &'static str = "bus.forget";
    type Output = ForgottenSeen;

    async fn perform(self, fleet: &Fleet) -> Result<ForgottenSeen, Trouble> {
        let bus = fleet.bus()?;
        let is_wanted = |subscriber: &str| self.subscriber.as_deref().is_none_or(|wanted| wanted == subscriber);
        let mut found = bus.cursors();
        found.retain(|cursor| *cursor.name == *self.name && is_wanted(&cursor.subscriber));
        if let [_, _, ..] = &found[..] {
            let whose: Vec<_> = found.iter().map(|cursor| &*cursor.subscriber).collect();
            let message = format!(
                "{} subscribers have the name {:?}: {}",
                found.len(),
                self.name,
                whose.join(", ")
            );
            return Err(Trouble::new(Code::Usage, message, "say whose with --subscriber"));
        }
        match found.pop() {
            Some(cursor) => self.forget(bus, &cursor).await,
            None => self.forget_log(bus).await,
        }
    }
}

impl BusForget {
    async fn forget(&self, bus: &Bus, cursor: &CursorView) -> Result<ForgottenSeen, Trouble> {
        let is_forgotten = bus
            .forget(Arc::clone(&cursor.subscriber), Arc::clone(&cursor.name))
            .await?;
        if !is_forgotten {
            return Err(self.unknown());
        }
        Ok(ForgottenSeen {
            subscriber: Some(cursor.subscriber.to_string()),
            name: cursor.name.to_string(),
            lag: cursor.lag,
        })
    }

    async fn forget_log(&self, bus: &Bus) -> Result<ForgottenSeen, Trouble> {
        let is_it = |log: &LogView| self.subscriber.is_none() && log.topics.as_str() == self.name;
        let log = bus.logs().into_iter().find(is_it).ok_or_else(|| self.unknown())?;
        if !bus.forget_log(&log.topics).await? {
            return Err(self.unknown());
        }
        Ok(ForgottenSeen {
            subscriber: None,
            name: self.name.clone(),
            lag: log.next - log.first,
        })
    }

    fn unknown(&self) -> Trouble {
        let message = format!("no subscription and no log has the name {:?}", self.name);
        let remedy = "`triarch bus show` with a durable topic shows those there are";
        Trouble::new(Code::NotFound, message, remedy)
    }
}
