//! What the kernel shows of a runtime, and what its state folder holds.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use triarch_benches::machine;

use crate::house::Running;
use crate::processes::Watch;

const MEBIBYTE: f64 = 1_048_576.0;

/// One look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Since the beginning.
    pub(crate) at: Duration,
    /// MiB.
    pub(crate) resident: f64,
    pub(crate) descriptors: f64,
    pub(crate) threads: f64,
    pub(crate) children: f64,
    /// MiB of the state folder.
    pub(crate) disk: f64,
}

impl Look {
    pub(crate) fn at(running: &Running, begun: Instant) -> Self {
        let pid = running.pid();
        let entries = |of: &str| fs::read_dir(format!("/proc/{pid}/{of}")).expect("it runs").count() as f64;
        Self {
            at: begun.elapsed(),
            resident: machine::resident_bytes_of(pid) as f64 / MEBIBYTE,
            descriptors: entries("fd"),
            threads: entries("task"),
            children: Watch::children_of(pid).seen(None).len() as f64,
            disk: bytes_below(&running.state()) as f64 / MEBIBYTE,
        }
    }
}

/// What has gone since it was listed counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    });
    bytes.sum()
}
