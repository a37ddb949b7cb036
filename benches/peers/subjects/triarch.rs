//! Triarch itself: the one file to fill in when `triarch-supervision` has agents. Its model is `ractor.rs`.

use triarch_benches::Entry;

/// The cases Triarch has.
pub(crate) const fn entries() -> Vec<Entry> {
    Vec::new()
}
