//! A table by numbers that are given one after the other.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table whose keys are numbers given in a row. Neighbours in number lie beside each other in memory, so that whoever
/// goes through a crowd in the order it came reads memory in its order too.
pub(crate) type Numbered<K, V> = HashMap<K, V, BuildHasherDefault<InOrder>>;

/// The number itself; its lowest bits once more at the top, by which the table tells neighbours apart.
#[derive(Debug, Default)]
pub(crate) struct InOrder(u64);

const TOP: u32 = 57;

impl Hasher for InOrder {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 << TOP)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}
