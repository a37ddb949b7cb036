//! What every map, cache and namespace is asked for alike: numbered keys with values that say their number.

/// `key-0000000000`.
pub(crate) const KEY_BYTES: usize = 14;
pub(crate) const VALUE_BYTES: usize = 100;

/// A place for entries that whoever asks reads and writes on their own thread.
pub(crate) trait Shelf: Sync + Sized {
    /// One for so many keys, with nothing in it.
    fn new(keys: usize) -> Self;

    /// The number that the value under the `n`-th key says.
    fn get(&self, n: usize) -> u64;

    /// Puts a new value that says `n` under the `n`-th key.
    fn put(&self, n: usize);

    /// One with a value under each key.
    fn full(keys: usize) -> Self {
        let shelf = Self::new(keys);
        (0..keys).for_each(|n| shelf.put(n));
        shelf
    }
}

pub(crate) fn key(n: usize) -> String {
    format!("key-{n:010}")
}

pub(crate) fn value(n: usize) -> [u8; VALUE_BYTES] {
    let mut value = [7; VALUE_BYTES];
    value[..8].copy_from_slice(&(n as u64).to_le_bytes());
    value
}

/// The number that a value says.
pub(crate) fn number(value: &[u8]) -> u64 {
    let number = value.first_chunk().expect("a value of its length");
    u64::from_le_bytes(*number)
}

/// Numbers below `most` as they come, the same in each run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: usize) -> Self {
        Self(seed as u64 * 2 + 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("48 bits") % most
    }
}
