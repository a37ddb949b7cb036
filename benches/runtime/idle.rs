//! The runtime alone: how soon it is ready, what it needs to do nothing, and how large it is.

use std::process::Command;
use std::time::Duration;

use triarch_benches::figure::percentiles;
use triarch_benches::{Scale, machine};

use crate::cases::STARTS;
use crate::house::House;
use crate::processes::{pause, processor_time};
use crate::tools;

/// How long it settles down before anything is looked at.
const SETTLING: Duration = Duration::from_secs(2);
/// How long it is looked at. The kernel counts in steps of ten milliseconds, a twentieth of a per cent of this.
const LOOKED_AT: Duration = Duration::from_secs(20);

/// From the start of `triarch up` without agents to the line that says that it runs, in milliseconds: p50.
pub(crate) fn ready(scale: &Scale) -> Vec<f64> {
    let times = STARTS.of(scale);
    let took = (0..times.all()).map(|_| House::described("").up().took);
    let recorded = took.skip(times.unrecorded);
    let nanos = recorded.map(|took| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    percentiles(nanos.collect(), [50], 1e6)
}

/// What it keeps resident, and its share of a core in per cent, without agents.
pub(crate) fn idle(scale: &Scale) -> Vec<f64> {
    let share = if scale.is_quick { 10 } else { 1 };
    let running = House::described("").up();
    pause(SETTLING / share);
    let before = processor_time(running.pid());
    pause(LOOKED_AT / share);
    let used = processor_time(running.pid()).saturating_sub(before);
    let per_cent = 100.0 * used.as_secs_f64() / (LOOKED_AT / share).as_secs_f64();
    vec![machine::resident_bytes_of(running.pid()) as f64, per_cent]
}

/// The bytes of the binary without its symbols.
pub(crate) fn binary_size(_: &Scale) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let stripped = folder.path().join("triarch");
    let status = Command::new("strip")
        .arg("-o")
        .args([&stripped, &tools::get().triarch])
        .status()
        .expect("strip is installed; it is part of binutils");
    assert!(status.success(), "strip ended with {status}");
    vec![stripped.metadata().expect("strip wrote a file").len() as f64]
}
