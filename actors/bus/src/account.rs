//! How envelopes end, and the account of all of them.

use serde::{Deserialize, Serialize};

/// Why an envelope was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// It made room for a newer one.
    Lagged,
    /// There was no room for it.
    Full,
    /// Nobody needed it any more.
    Expired,
    /// Its subscription ended.
    Closed,
    /// Its id was taken in before.
    Duplicate,
}

/// Why an envelope is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The subscriber said so each time.
    Failed,
    /// Its last handler ended without a word.
    Crashed,
    /// Its last acknowledgement was late.
    Unacknowledged,
    /// Nobody needs it any more.
    Expired,
    /// There was no room for it.
    Full,
    /// Its subscription ended.
    Closed,
    /// It failed so often that it is quarantined.
    Poison,
}

impl Dropped {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Lagged, Self::Full, Self::Expired, Self::Closed, Self::Duplicate];

    /// The word used in metrics and screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Lagged => "lagged",
            Self::Full => "full",
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::Duplicate => "duplicate",
        }
    }
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Crashed,
        Self::Unacknowledged,
        Self::Expired,
        Self::Full,
        Self::Closed,
        Self::Poison,
    ];

    /// The word used in metrics and screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Crashed => "crashed",
            Self::Unacknowledged => "unacknowledged",
            Self::Expired => "expired",
            Self::Full => "full",
            Self::Closed => "closed",
            Self::Poison => "poison",
        }
    }
}

/// What became of everything offered so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// What matched.
    pub offered: u64,
    /// What was handed out, or acknowledged where that is asked for.
    pub delivered: u64,
    /// What was dropped.
    pub dropped: u64,
    /// What became a dead letter.
    pub dead: u64,
    /// What is still to be settled.
    pub waiting: u64,
}

impl Tally {
    /// Whether everything is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.offered == self.delivered + self.dropped + self.dead + self.waiting
    }

    pub(crate) fn subtract(&mut self, other: Self) {
        self.offered -= other.offered;
        self.delivered -= other.delivered;
        self.dropped -= other.dropped;
        self.dead -= other.dead;
        self.waiting -= other.waiting;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.dead += other.dead;
        self.waiting += other.waiting;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_balanced_where_each_that_was_offered_is_somewhere() {
        let tally = Tally {
            offered: 10,
            delivered: 1,
            dropped: 2,
            dead: 3,
            waiting: 4,
        };
        assert!(tally.is_balanced());
        for offered in [9, 11] {
            assert!(!Tally { offered, ..tally }.is_balanced());
        }
    }
}
