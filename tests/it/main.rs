//! The real binary: what it prints, what it answers, and how it ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a wrong outcome ends the test")]

mod by_hand;
mod command_line;
mod guide;
mod life;
mod past;
mod programs;
mod reloading;
mod running;
mod scraping;
mod settings;

use std::time::{Duration, Instant};

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a file is there, or an answer is as it should be.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
