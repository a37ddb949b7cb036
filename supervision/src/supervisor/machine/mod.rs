//! The decisions of a supervisor, free of I/O, clock and randomness: (state, input, now, chance) → (state, effects).

mod io;

pub use io::*;
