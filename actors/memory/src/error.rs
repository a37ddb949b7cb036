//! What can go wrong in the store.

use crate::name::{Key, Namespace};

/// Why an operation was not done: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such name.
    #[error("{name:?} cannot name a namespace: {fault}")]
    Namespace {
        /// What was given.
        name: String,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// No such key.
    #[error("{key:?} cannot be a key: {fault}; take 1 to 512 bytes of text without control characters")]
    Key {
        /// How it begins.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The namespace is not there.
    #[error("there is no namespace {namespace}; describe it, or take one of `memory namespaces`")]
    NoSuchNamespace {
        /// Which.
        namespace: String,
    },
    /// The namespace is there, and is another.
    #[error(
        "the namespace {namespace} is of durability {has} for life, and is described as {wanted}; describe it as {has} again, or export it and import it into one of another name"
    )]
    OtherDurability {
        /// Which.
        namespace: Namespace,
        /// What it is.
        has: &'static str,
        /// What it is to be.
        wanted: &'static str,
    },
    /// Too many namespaces.
    #[error("the store has {most} namespaces, which is the most there may be; take one of them instead of {namespace}")]
    TooManyNamespaces {
        /// Which one more.
        namespace: Namespace,
        /// How many there are.
        most: usize,
    },
    /// Whoever asks may not.
    #[error("{who} may not {verb} in {namespace}, where that is {level}; ask its owner, or whoever administers it")]
    Refused {
        /// Who asked.
        who: String,
        /// What they wanted to do.
        verb: &'static str,
        /// Where.
        namespace: Namespace,
        /// To whom it is open.
        level: &'static str,
    },
    /// The entry is not as the writer thought.
    #[error("{namespace}/{key} is at version {found} and not as asked for ({wanted}); read it again and decide anew")]
    Conflict {
        /// Where.
        namespace: Namespace,
        /// Which entry.
        key: Key,
        /// What the writer thought.
        wanted: Wanted,
        /// What it is; 0 where there is none.
        found: u64,
    },
    /// The namespace is full.
    #[error(
        "{namespace} has no room for {key}: {used} of {limit} {unit} are taken and {needed} more are needed; delete something, raise its quota, or allow eviction"
    )]
    Full {
        /// Where.
        namespace: Namespace,
        /// For which entry.
        key: Key,
        /// Of what.
        unit: Unit,
        /// How much is taken.
        used: u64,
        /// How much there is.
        limit: u64,
        /// How much the entry needs.
        needed: u64,
    },
    /// The value is too large.
    #[error(
        "the value for {namespace}/{key} has {size} bytes and {limit} are allowed; split it, or raise value_size in the namespace's quota"
    )]
    TooLarge {
        /// Where.
        namespace: Namespace,
        /// For which entry.
        key: Key,
        /// How large it is.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// There is nothing to add to.
    #[error("{namespace}/{key} is no whole number in JSON, or would be beyond 64 bits; put one there first")]
    NotANumber {
        /// Where.
        namespace: Namespace,
        /// Which entry.
        key: Key,
    },
    /// The text is no JSON.
    #[error("the value cannot be kept as JSON: {fault}")]
    NotJson {
        /// Where and why.
        fault: String,
    },
    /// Too much in one go.
    #[error("a batch has at most {most} operations and this one has {given}; split it")]
    BatchTooLong {
        /// How many.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// Too many bytes in one go.
    #[error(
        "the write has about {bytes} bytes and {most} go to disk at once, whatever the quota; split it, or keep it in a namespace of durability memory"
    )]
    BatchTooLarge {
        /// How many.
        bytes: usize,
        /// How many there may be.
        most: usize,
    },
    /// Too many watch.
    #[error("{namespace} has {most} watchers, which is the most it bears; let one of them go")]
    TooManyWatchers {
        /// Where.
        namespace: Namespace,
        /// How many there are.
        most: usize,
    },
    /// Too much room for one watcher.
    #[error(
        "a watcher of {namespace} asked for room for {given} changes and may have {most}; ask for less, and look more often"
    )]
    WatchTooLarge {
        /// Where.
        namespace: Namespace,
        /// For how many.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// The disk did not take it.
    #[error("the write to {namespace} is not on disk: {fault}")]
    Disk {
        /// Where.
        namespace: Namespace,
        /// Why, and what to do.
        fault: String,
    },
    /// Nobody answered, so nobody knows.
    #[error(
        "the writer of {namespace} did not answer ({fault}), so the write may have been done or not; read before you write again"
    )]
    Unanswered {
        /// Where.
        namespace: Namespace,
        /// Why.
        fault: String,
    },
    /// The namespace is on disk, and the store has none.
    #[error(
        "{namespace} is to be on disk, and the store was opened without; open it with a journal, or define it with durability memory"
    )]
    NoJournal {
        /// Which.
        namespace: Namespace,
    },
}

/// What a writer asked an entry to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// At that version.
    Version(u64),
    /// Not there.
    Absent,
    /// There.
    Present,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Entries.
    Entries,
    /// Bytes.
    Bytes,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => write!(f, "version {version}"),
            Self::Absent => f.write_str("absent"),
            Self::Present => f.write_str("present"),
        }
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Entries => "entries",
            Self::Bytes => "bytes",
        })
    }
}
