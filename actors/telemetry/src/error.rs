//! What can go wrong in this room.

use std::io;
use std::time::Duration;

use triarch_supervision::metrics::InstrumentError;

use crate::files::Refused;

/// Why the room cannot be built, or a line not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A beat of no length.
    #[error("events are looked for without a pause; give look_every more than 0")]
    NoPauseBetweenLooks,
    /// A pause that outlives the memory of the line before it.
    #[error("the pause of {pause:?} between lines is longer than the {within:?} they are remembered for; shorten it")]
    PauseTooLong {
        /// The pause.
        pause: Duration,
        /// How long lines are remembered.
        within: Duration,
    },
    /// Levels in the wrong order.
    #[error("errors begin at {error_from} restarts and warnings only at {warn_from}; let warnings begin first")]
    LevelsReversed {
        /// Where warnings begin.
        warn_from: usize,
        /// Where errors begin.
        error_from: usize,
    },
    /// The instruments do not know the room's metrics.
    #[error("the room's metrics cannot be had; put its section into the catalogue")]
    Instrument(#[from] InstrumentError),
    /// No room for events.
    #[error("events have no room; give events.file_bytes and events.files more than 0")]
    NoRoomForEvents,
    /// The disk refused events.
    #[error("events are lost")]
    Refused(#[source] Refused),
    /// The output refused a line.
    #[error("lines cannot be written; see where they go")]
    Write(#[from] io::Error),
}
