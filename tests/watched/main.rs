//! The runtime as its real watchers see it: Prometheus, Alertmanager, and whoever they tell.
//!
//! They are Debian's packages `prometheus` and `prometheus-alertmanager`, so this is built for the feature `watched` alone:
//! `bash tests/run.sh watched` installs them and runs it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a wrong outcome ends the test")]

mod boards;
mod crash_loop;
mod panels;
mod prometheus;
#[path = "../it/running.rs"]
#[expect(
    dead_code,
    reason = "what is written for all tests of the binary is more than these need"
)]
mod running;
mod service;
mod webhook;

use std::io::{self, Write as _};
use std::time::Duration;

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_mins(3);

/// What the repository has for those who watch.
const GRAFANA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana");

/// Shows a figure to whoever reads the test's output, captured or not.
fn tell(line: &str) {
    writeln!(io::stderr().lock(), "{line}").unwrap();
}

/// `text` with `from` replaced wherever it stands, which has to be somewhere.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no {from:?} in:\n{text}");
    text.replace(from, to)
}
