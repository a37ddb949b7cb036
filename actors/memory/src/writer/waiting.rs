//! How much waits for the writer: bounded by bytes, as its mailbox is by their number.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::group::weight;
use crate::error::Error;
use crate::op::Write;
use crate::space::Space;

/// So many bytes wait for the writer before whoever brings more is held back.
const BYTES_MAX: usize = 64 << 20;

/// The room of what waits for the writer. Cloned, it is the same room.
#[derive(Clone, Debug)]
pub(crate) struct Waiting(Arc<Semaphore>);

/// What one write takes of it, until the writer has it in hand.
#[derive(Debug)]
pub(crate) struct Taken {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BYTES_MAX)))
    }

    /// Takes room for a write once there is some; one that never goes to disk at once is refused before it waits.
    pub(crate) async fn take(&self, space: &Space, write: &Write) -> Result<Taken, Error> {
        // What is there already is weighed by the writer: it takes no room here.
        let (bytes, most) = (weight(write, |_| None), space.bytes_max());
        if bytes > most {
            return Err(Error::BatchTooLarge { bytes, most });
        }
        let bytes = u32::try_from(bytes.min(BYTES_MAX)).unwrap_or(u32::MAX);
        // Where there is room writes keep the order in which they come: nobody yields.
        let permit = match Arc::clone(&self.0).try_acquire_many_owned(bytes) {
            Ok(permit) => Some(permit),
            // Nobody ever closes it.
            Err(_) => Arc::clone(&self.0).acquire_many_owned(bytes).await.ok(),
        };
        Ok(Taken { _permit: permit })
    }
}
