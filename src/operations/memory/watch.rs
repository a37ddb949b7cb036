//! Changes as they come.

use std::future::Future;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_memory::{Change, Client, Clock, Key, Namespace, Scope, Seen, Watch};

use super::super::{Code, Operation, Trouble};
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
    /// It never succeeds: it goes on until whoever watches has enough, or nothing more is told.
    type Output = ();

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<(), Trouble> {
        let client = fleet.memory()?;
        let drawer = open(client, self.namespace.as_str())?;
        let watch = drawer.watch(Scope::Prefix(self.prefix), ROOM)?;
        Err(follow(&self.namespace, watch, client, |change| fleet.tell(change)).await)
    }
}

/// Tells what is seen until nothing more is, which it tells too; returns why.
async fn follow<F: Future<Output = ()>>(
    namespace: &Namespace,
    mut watch: Watch,
    client: &Client,
    tell: impl Fn(Value) -> F,
) -> Trouble {
    loop {
        let seen = watch.next().await;
        let change = seen.as_ref().map_or_else(StoreChange::over, |seen| {
            StoreChange::seen(namespace, seen, client.store().clock())
        });
        if let Ok(change) = serde_json::to_value(change) {
            tell(change).await;
        }
        if seen.is_none() {
            return over(open(client, namespace.as_str()).err());
        }
    }
}

/// Why nothing more is told. `is_gone` says it where the namespace is.
fn over(is_gone: Option<Trouble>) -> Trouble {
    is_gone.unwrap_or_else(|| {
        Trouble::new(
            Code::Failed,
            "nothing more is told: the namespace was made anew, or who may read it has changed",
            "list anew, and watch again",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::Mutex;

    use triarch_memory::{Config, Rules};
    use triarch_supervision::metrics::Instruments;
    use triarch_supervision::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_watch_that_is_over_says_so_and_has_failed_by_what_became_of_its_namespace() {
        let instruments = Instruments::new(crate::catalogue().unwrap());
        let namespace = Namespace::new("plans").unwrap();
        let described = vec![(namespace.clone(), Rules::default())];
        let (room, client) = triarch_memory::room(Config::default(), described, None, &instruments).unwrap();
        let tree = Root::new()
            .instruments(instruments)
            .supervisor(room)
            .start()
            .await
            .unwrap();
        let watch = || {
            let drawer = open(&client, "plans").unwrap();
            drawer.watch(Scope::Prefix(String::new()), ROOM).unwrap()
        };
        let told = Mutex::new(Vec::new());
        let tell = |change: Value| {
            told.lock().unwrap().push(change["change"].clone());
            ready(())
        };
        let gone = watch();
        assert!(client.forget(&namespace).await.unwrap());
        assert_eq!(follow(&namespace, gone, &client, tell).await.code, Code::NotFound);
        client.define(&namespace, Rules::default()).await.unwrap();
        let anew = watch();
        client.forget(&namespace).await.unwrap();
        client.define(&namespace, Rules::default()).await.unwrap();
        assert_eq!(follow(&namespace, anew, &client, tell).await.code, Code::Failed);
        assert_eq!(told.into_inner().unwrap(), ["over", "over"]);
        tree.stop().await;
    }
}
