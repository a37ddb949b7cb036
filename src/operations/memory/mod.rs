//! What can be asked for of the store, in the name of the runtime.

mod entries;
mod forget;
mod kept;
mod retain;
mod search;
mod seen;
mod turns;
mod watch;
pub(super) mod when;
mod whole;

use triarch_memory::{Client, Drawer, Error, ExchangeError, Key, Namespace};

use super::{Code, Trouble, caused};
use crate::config::nearest;

pub(crate) use super::given::warn_of_slip;
pub(crate) use entries::{
    Kept, MemoryCount, MemoryDelete, MemoryExists, MemoryGet, MemoryIncrement, MemoryList, MemoryPut, count, delete,
    exists, get, increment, list, put,
};
pub(crate) use forget::{MemoryForget, NamespaceLeft, left_namespaces};
pub(crate) use retain::{Gone, MemoryRetain, RetainedSeen};
pub(crate) use search::{MemorySearch, SHOWN_MAX, Sought, search};
pub(crate) use seen::{
    CountSeen, EntrySeen, ExistsSeen, FoundSeen, GroupSeen, ListedSeen, NamespaceSeen, NumberSeen, RefusalSeen,
    StoreSeen, WrittenSeen,
};
pub(crate) use watch::{MemoryWatch, StoreChange};
pub(crate) use whole::{
    BackupSeen, MemoryBackup, MemoryCompact, MemoryExport, MemoryImport, MemoryNamespaces, MemoryRestore, MemoryStats,
    TakenUp,
};

/// So many bytes of entries are told in one answer, or in one part of it, unless a single one is larger.
const ANSWER_BYTES: u64 = 1 << 20;

/// The namespace of that name; where there is none, the one that was probably meant.
pub(crate) fn open(client: &Client, name: &str) -> Result<Drawer, Trouble> {
    client.open(name).map_err(|error| meant(client, error))
}

/// What went wrong, with the namespace that was probably meant.
pub(crate) fn meant(client: &Client, error: Error) -> Trouble {
    let Error::NoSuchNamespace { namespace } = &error else {
        return error.into();
    };
    let known = client.namespaces();
    let near = nearest(namespace, known.iter().map(|known| known.namespace.as_str()));
    let message = format!("there is no namespace {namespace:?}");
    let remedy = near.map_or_else(
        || "`triarch memory namespaces` shows those there are".to_owned(),
        |near| format!("write {near}, or see `triarch memory namespaces`"),
    );
    Trouble::new(Code::NotFound, message, remedy)
}

pub(crate) fn key(text: &str) -> Result<Key, String> {
    Key::new(text).map_err(|error| error.to_string())
}

pub(crate) fn namespace(text: &str) -> Result<Namespace, String> {
    Namespace::new(text).map_err(|error| error.to_string())
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NoSuchNamespace { .. } => Code::NotFound,
            Error::Namespace { .. }
            | Error::Key { .. }
            | Error::TooLarge { .. }
            | Error::NotANumber { .. }
            | Error::NotJson { .. }
            | Error::BatchTooLong { .. }
            | Error::BatchTooLarge { .. }
            | Error::WatchTooLarge { .. } => Code::Usage,
            Error::OtherDurability { .. }
            | Error::TooManyNamespaces { .. }
            | Error::Refused { .. }
            | Error::Conflict { .. }
            | Error::Full { .. }
            | Error::TooManyWatchers { .. } => Code::Refused,
            _ => Code::Failed,
        };
        Self::new(code, caused(&error), "")
    }
}

impl From<ExchangeError> for Trouble {
    fn from(error: ExchangeError) -> Self {
        let code = match error {
            ExchangeError::Store(error) => return error.into(),
            ExchangeError::Line { .. } | ExchangeError::LeftOut { .. } => Code::Usage,
            _ => Code::Failed,
        };
        Self::new(code, caused(&error), "")
    }
}
