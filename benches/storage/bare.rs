//! A file, and one write and one `fdatasync` for each record.

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use crate::cases::{RECORD, folder, rate};

pub(crate) fn append(count: usize) -> Vec<f64> {
    let folder = folder();
    let mut file = File::create(folder.path().join("records")).expect("a file");
    let begun = Instant::now();
    for _ in 0..count {
        file.write_all(&RECORD).expect("it is written");
        file.sync_data().expect("it is on disk");
    }
    rate(count, begun)
}

/// What the machine could do of tasks, each of which is submitted, claimed and done with a sync of its own.
pub(crate) fn cycle(tasks: usize) -> Vec<f64> {
    append(3 * tasks).into_iter().map(|rate| rate / 3.0).collect()
}
