//! What the room counts.

use std::sync::Arc;

use triarch_supervision::metrics::{Counter, Family, Fan, InstrumentError, Instruments, Label, Section};

use crate::lifecycle::Level;

/// Lines that were written.
pub const LINES: Family = Family::counter(
    "triarch_telemetry_lines_total",
    &[Label::closed("level", &["info", "warn", "error"])],
    "Lines of the lifecycle log that were written, by level.",
);

/// Turns in a child's life that no line was written for.
pub const HELD_BACK: Family = Family::counter(
    "triarch_telemetry_held_back_total",
    &[],
    "Turns in the life of an agent that the lifecycle log held back because there were too many.",
);

/// Lines that could not be written.
pub const LOST: Family = Family::counter(
    "triarch_telemetry_lost_lines_total",
    &[],
    "Lines of the lifecycle log that the output refused.",
);

/// The room's part of a catalogue.
pub const LIFECYCLE: Section = Section {
    title: "Lifecycle log",
    families: &[LINES, HELD_BACK, LOST],
};

/// The room's counters.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    lines: Arc<Fan<Counter>>,
    pub(crate) held_back: Arc<Counter>,
    pub(crate) lost: Arc<Counter>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            lines: Arc::new(instruments.fans(&LINES)?.with([])),
            held_back: instruments.single(&HELD_BACK)?,
            lost: instruments.single(&LOST)?,
        })
    }

    pub(crate) fn lines(&self, level: Level) -> &Counter {
        self.lines.at(level.label())
    }
}
