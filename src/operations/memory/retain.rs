//! What goes because it is old, unread, or too much.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_memory::{Key, Namespace, Retained};

use super::super::{Operation, Trouble};
use super::{meant, namespace, open};
use crate::fleet::Fleet;

/// Takes away what the retention of namespaces says, now.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryRetain {
    /// The parts of the store; without any, all that have a retention.
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    #[serde(default)]
    pub(crate) namespaces: Vec<Namespace>,
    /// Only tells what would go.
    #[arg(long)]
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// What went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetainedSeen {
    pub(crate) is_dry: bool,
    pub(crate) namespaces: BTreeMap<Namespace, Gone>,
}

/// What of a namespace went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone {
    pub(crate) entries: u64,
    pub(crate) size_bytes: u64,
    /// Of these, by which rule: an entry that fits several counts for the first.
    pub(crate) max_age: u64,
    pub(crate) unaccessed_for: u64,
    pub(crate) max_entries: u64,
    pub(crate) max_size: u64,
    /// The first of them.
    pub(crate) keys: Vec<Key>,
}

impl RetainedSeen {
    /// What went wrong beside that.
    fn so_far(&self, trouble: Trouble) -> Trouble {
        let gone: u64 = self.namespaces.values().map(|gone| gone.entries).sum();
        if gone == 0 || self.is_dry {
            return trouble;
        }
        let message = format!("{gone} entries went, but: {}", trouble.message);
        Trouble { message, ..trouble }
    }
}

impl From<Retained> for Gone {
    fn from(retained: Retained) -> Self {
        Self {
            entries: retained.entries(),
            size_bytes: retained.bytes,
            max_age: retained.by_age,
            unaccessed_for: retained.unaccessed,
            max_entries: retained.by_entries,
            max_size: retained.by_bytes,
            keys: retained.keys,
        }
    }
}

impl Operation for MemoryRetain {
    const NAME: &'static str = "memory.retain";
    type Output = RetainedSeen;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<RetainedSeen, Trouble> {
        let client = fleet.memory()?;
        // One that is not there is told before anything goes.
        for namespace in &self.namespaces {
            open(client, namespace.as_str())?;
        }
        let mut seen = RetainedSeen {
            is_dry: self.dry_run,
            ..RetainedSeen::default()
        };
        let mut trouble = None;
        for shown in client.namespaces() {
            let (name, rules) = (shown.namespace, shown.rules.retention);
            let is_asked = self.namespaces.contains(&name) || self.namespaces.is_empty() && !rules.is_nothing();
            if is_asked {
                let retained = client.retain(&name, &rules, self.dry_run).await;
                match retained {
                    Ok(retained) => drop(seen.namespaces.insert(name, retained.into())),
                    // What is wrong with one hinders no other.
                    Err(error) => trouble = trouble.or(Some(meant(client, error))),
                }
            }
        }
        match trouble {
            None => Ok(seen),
            Some(trouble) => Err(seen.so_far(trouble)),
        }
    }
}
