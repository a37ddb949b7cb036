//! Changes as they come.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_memory::{Change, Clock, Key, Namespace, Scope, Seen};

use super::super::{Operation, Trouble};
use super::{EntrySeen, namespace, open};
use crate::fleet::Fleet;

/// So many changes wait for whoever watches, before some are missed.
const ROOM: usize = 4_096;

/// Shows changes as they come, until it is stopped.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryWatch {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Only those whose keys begin so.
    #[arg(default_value = "", hide_default_value = true)]
    #[serde(default)]
    pub(crate) prefix: String,
}

/// How much was told until the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) changes: u64,
}

/// A change, or that some were missed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoreChange {
    /// Why: `put`, `deleted`, `expired`, `evicted`, `retained`, `missed`, or `over` where nothing more is told.
    pub(crate) change: String,
    /// How many were missed, where some were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Key>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// What is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<EntrySeen>,
}

impl StoreChange {
    /// What a watch has seen.
    pub(crate) fn seen(namespace: &Namespace, seen: &Seen, clock: &Clock) -> Self {
        match seen {
            Seen::Change(change) => Self::of(namespace, change, clock),
            Seen::Missed(count) => Self::missed(Some(*count)),
        }
    }

    /// Some changes may not have been told, and nobody knows how many.
    pub(crate) fn lacking() -> Self {
        Self::missed(None)
    }

    /// The namespace is gone, or who may see what in it has changed: nothing more is told.
    pub(crate) fn over() -> Self {
        Self {
            change: "over".to_owned(),
            ..Self::missed(None)
        }
    }

    fn of(namespace: &Namespace, change: &Change, clock: &Clock) -> Self {
        let entry = change.after.as_ref();
        Self {
            change: change.cause.label().to_owned(),
            missed: None,
            key: Some(change.key.clone()),
            version: Some(change.version),
            entry: entry.map(|entry| EntrySeen::of(namespace, change.key.clone(), entry, clock)),
        }
    }

    fn missed(count: Option<u64>) -> Self {
        Self {
            change: "missed".to_owned(),
            missed: count,
            key: None,
            version: None,
            entry: None,
        }
    }
}

impl Operation for MemoryWatch {
    const NAME: &'static str = "memory.watch";
    type Output = Watched;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<Watched, Trouble> {
        let client = fleet.memory()?;
        let drawer = open(client, self.namespace.as_str())?;
        let mut watch = drawer.watch(Scope::Prefix(self.prefix), ROOM)?;
        let mut watched = Watched::default();
        while let Some(seen) = watch.next().await {
            let told = StoreChange::seen(&self.namespace, &seen, client.store().clock());
            if let Ok(told) = serde_json::to_value(told) {
                fleet.tell(told).await;
                watched.changes += 1;
            }
        }
        Ok(watched)
    }
}
