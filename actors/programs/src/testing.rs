//! What this crate's own tests begin with.

use triarch_supervision::metrics::{Catalogue, Instruments, TELEMETRY};
use triarch_teams::PostOffice;

use crate::metrics::PROGRAMS;

pub(crate) fn instruments() -> Instruments {
    Instruments::new(Catalogue::new(&[PROGRAMS, triarch_teams::metrics::TEAMS, TELEMETRY]).unwrap())
}

/// An office whose ids are those of no other.
pub(crate) fn office() -> PostOffice {
    use std::sync::atomic::{AtomicU64, Ordering};
    static RUN: AtomicU64 = AtomicU64::new(1);
    PostOffice::new(RUN.fetch_add(1, Ordering::Relaxed), &instruments()).unwrap()
}
