//! What teams count.

use std::sync::Arc;

use triarch_supervision::metrics::{Counter, Family, Fan, InstrumentError, Instruments, Label, Section};

use crate::receipt::Stage;

/// Receipts of posts, by the stage that ended them.
pub const RECEIPTS: Family = Family::counter(
    "triarch_team_receipts_total",
    &[Label::closed("stage", &["done", "failed", "lost"])],
    "Posts whose story ended, by how: done, failed, or lost with nobody left to say more.",
);

/// The section of teams in a catalogue.
pub const TEAMS: Section = Section {
    title: "Teams",
    families: &[RECEIPTS],
};

/// The counters of receipts.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    receipts: Arc<Fan<Counter>>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            receipts: Arc::new(instruments.fans(&RECEIPTS)?.with([])),
        })
    }

    pub(crate) fn ended(&self, stage: &Stage) {
        self.receipts.at(stage.label()).increment();
    }

    #[cfg(test)]
    pub(crate) fn counts(&self) -> [u64; 3] {
        ["done", "failed", "lost"].map(|stage| self.receipts.at(stage).get())
    }
}
