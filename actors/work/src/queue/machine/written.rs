//! Where a task stands, as a snapshot has it: also as earlier releases wrote it.

use serde::{Deserialize, Serialize, Serializer};

use crate::time::TaskTime;
use crate::words::{Fence, Worker};

use super::kept::{Condition, End, Lease};

/// The order of the variants is part of the format: new ones are added at the end.
#[derive(Serialize, Deserialize)]
pub(super) enum Written<E, L> {
    Blocked {
        unmet: u32,
        until: TaskTime,
    },
    Waiting {
        until: TaskTime,
    },
    Ready {
        since: TaskTime,
        is_reserved: bool,
    },
    /// Up to version 3: since when it had been ready was forgotten with the claim.
    Former(Former),
    Ended(E),
    Held(L),
}

/// A lease as versions 1 to 3 wrote it.
#[derive(Serialize, Deserialize)]
pub(super) struct Former {
    fence: Fence,
    worker: Worker,
    claimed: TaskTime,
    until: TaskTime,
    gives_up: TaskTime,
    began: Option<TaskTime>,
    percent: Option<u8>,
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written: Written<&End, &Lease> = match self {
            Self::Blocked { unmet, until } => Written::Blocked {
                unmet: *unmet,
                until: *until,
            },
            Self::Waiting { until } => Written::Waiting { until: *until },
            Self::Ready { since, is_reserved } => Written::Ready {
                since: *since,
                is_reserved: *is_reserved,
            },
            Self::Held(lease) => Written::Held(lease),
            Self::Ended(end) => Written::Ended(end),
        };
        written.serialize(serializer)
    }
}

impl From<Written<Box<End>, Box<Lease>>> for Condition {
    fn from(written: Written<Box<End>, Box<Lease>>) -> Self {
        match written {
            Written::Blocked { unmet, until } => Self::Blocked { unmet, until },
            Written::Waiting { until } => Self::Waiting { until },
            Written::Ready { since, is_reserved } => Self::Ready { since, is_reserved },
            Written::Former(lease) => Self::Held(Box::new(lease.into())),
            Written::Ended(end) => Self::Ended(end),
            Written::Held(lease) => Self::Held(lease),
        }
    }
}

impl From<Former> for Lease {
    fn from(former: Former) -> Self {
        Self {
            fence: former.fence,
            worker: former.worker,
            claimed: former.claimed,
            since: former.claimed,
            until: former.until,
            gives_up: former.gives_up,
            began: former.began,
            percent: former.percent,
        }
    }
}
