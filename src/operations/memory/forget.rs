//! Forgetting parts of the store that the description names no more.

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_memory::{Client, Namespace, SHARED};

use super::super::{Code, Operation, Trouble};
use super::{meant, namespace, open};
use crate::fleet::Fleet;
use crate::reload::Running;

/// Forgets a part of the store that the description names no more, with all that is in it.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryForget {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
}

/// What is forgotten, or would be if somebody said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamespaceLeft {
    pub(crate) namespace: Namespace,
    pub(crate) entries: u64,
    pub(crate) size_bytes: u64,
}

/// Parts of the store that the description does not name: they stay until somebody says otherwise.
pub(crate) fn left_namespaces(client: &Client, running: &Running) -> Vec<NamespaceLeft> {
    // A description that runs has been read, and this cannot be.
    let Ok(described) = running.settings.memory.namespaces() else {
        return Vec::new();
    };
    let is_left = |name: &Namespace| !described.iter().any(|(described, _)| described == name);
    let left = client
        .namespaces()
        .into_iter()
        .filter(|shown| is_left(&shown.namespace));
    left.map(|shown| {
        let extent = shown.extent.unwrap_or_default();
        NamespaceLeft {
            namespace: shown.namespace,
            entries: extent.entries,
            size_bytes: extent.bytes,
        }
    })
    .collect()
}

impl Operation for MemoryForget {
    const NAME: &'static str = "memory.forget";
    type Output = NamespaceLeft;

    async fn perform(self, fleet: &Fleet) -> Result<NamespaceLeft, Trouble> {
        let client = fleet.memory()?;
        open(client, self.namespace.as_str())?;
        let left = left_namespaces(client, &fleet.ground().running());
        let left = left.into_iter().find(|left| left.namespace == self.namespace);
        let Some(left) = left else {
            let message = match self.namespace.as_str() {
                SHARED => format!("each runtime has the namespace {SHARED}"),
                described => format!("the description has the namespace {described}"),
            };
            let remedy = if self.namespace.as_str() == SHARED {
                "it is there without a word of it; `triarch memory delete` takes entries out of it"
            } else {
                "take it out of `memory.namespace`, start anew, and forget it then"
            };
            return Err(Trouble::new(Code::Refused, message, remedy));
        };
        let forgotten = client.forget(&self.namespace).await;
        forgotten.map_err(|error| meant(client, error))?;
        Ok(left)
    }
}
