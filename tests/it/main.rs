//! The real binary: what it prints, what it answers, and how it ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a wrong outcome ends the test")]

mod bus;
mod bus_doors;
mod bus_sending;
mod by_hand;
mod command_line;
mod doing;
mod durable_topics;
mod guide;
mod hanging;
mod health;
mod hints;
mod life;
mod memory;
mod output;
mod past;
mod programs;
mod reloading;
mod rooms;
mod running;
mod scraping;
mod service;
mod settings;
mod stopping;
mod submitting;
mod tasks;
mod tasks_told;
mod warned;
mod watches;
mod watching;
mod whose_file;

use std::time::Duration;

use running::until;

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
