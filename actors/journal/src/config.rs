//! How a journal is kept.

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::format::{FRAME, RECORD_MAX};

/// What a record counts in a queue beside its own bytes.
pub(crate) const RECORD_WEIGHT: usize = 128;

/// Bounds of a journal and of its scribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A segment of so many bytes is followed by the next one.
    pub segment_bytes: u64,
    /// The most bytes of one record; of a batch too, which counts 24 more for each record but the first.
    pub record_bytes_max: usize,
    /// With so many bytes gathered a commit waits for no more.
    pub gather_bytes: usize,
    /// The most bytes that writers may have handed over without an acknowledgement, each record counted with 128 more.
    pub queued_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            record_bytes_max: 4 << 20,
            gather_bytes: 1 << 20,
            queued_bytes_max: 64 << 20,
        }
    }
}

impl Config {
    /// Whether a journal can be kept so.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.record_bytes_max == 0 || self.record_bytes_max > RECORD_MAX {
            return Err(ConfigError::Record {
                asked: self.record_bytes_max,
                most: RECORD_MAX,
            });
        }
        let least = self.record_bytes_max + RECORD_WEIGHT;
        if self.queued_bytes_max < least || self.queued_bytes_max > u32::MAX as usize {
            return Err(ConfigError::Queued {
                asked: self.queued_bytes_max,
                least,
            });
        }
        if self.segment_bytes == 0 || self.gather_bytes == 0 {
            return Err(ConfigError::Nothing);
        }
        Ok(())
    }

    /// Whether a record of so many bytes is taken. Whoever owns a journal asks before it decides anything that it could
    /// not write: what is too large is refused each time.
    pub const fn fits(&self, bytes: usize) -> bool {
        bytes <= self.record_bytes_max
    }

    /// The same of a batch, by the sizes of its records.
    pub fn fits_together(&self, sizes: impl IntoIterator<Item = usize>) -> bool {
        self.fits(together(sizes))
    }

    /// The most bytes that are gathered for one commit.
    pub(crate) fn buffer_max(&self) -> usize {
        self.gather_bytes.saturating_add(self.record_bytes_max + FRAME)
    }
}

/// What records count that are written together.
pub(crate) fn together(sizes: impl IntoIterator<Item = usize>) -> usize {
    let whole = sizes
        .into_iter()
        .fold(0, |sum: usize, bytes| sum.saturating_add(bytes.saturating_add(FRAME)));
    whole.saturating_sub(FRAME)
}
