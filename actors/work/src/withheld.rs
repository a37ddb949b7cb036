//! That nobody is given a task any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether tasks are withheld, as they are from the wish to stop on: nobody gets another one, and what is in hands stays there.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Withheld(Arc<AtomicBool>);

impl Withheld {
    /// From now on nobody is given a task, but for one that was just on its way.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
