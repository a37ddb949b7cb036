//! A measurement in a process of its own: this program again, which answers with one line.

use std::process::{Command, ExitCode, Stdio};

use crate::allocation;
use crate::bench::{Bench, scale};
use crate::case::{Entry, Place, Scale};

/// Measures `entry` in a fresh process.
pub fn ask(entry: &Entry, scale: &Scale) -> Result<Vec<f64>, String> {
    let program = std::env::current_exe().map_err(|wrong| format!("this program has no path: {wrong}"))?;
    let mut command = Command::new(program);
    command
        .args(["--child", entry.subject, entry.key()])
        .stderr(Stdio::inherit());
    if scale.is_quick {
        command.arg("--quick");
    }
    let output = command
        .output()
        .map_err(|wrong| format!("failed to start the child: {wrong}"))?;
    if !output.status.success() {
        return Err(format!("the child ended with {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|wrong| format!("the child gave no figures: {wrong}"))
}

/// Is that process: measures, and prints the figures as a line of JSON.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the line is the answer to whoever started this"
)]
pub fn answer(bench: &Bench, subject: &str, key: &str, is_quick: bool) -> ExitCode {
    let is_meant = |entry: &&Entry| entry.subject == subject && entry.key() == key;
    let Some(entry) = bench.entries.iter().find(is_meant) else {
        let name = bench.name;
        eprintln!("{name}: --child names {key} of {subject}, which does not exist; see --list");
        return ExitCode::from(2);
    };
    if entry.place == Place::CountedChild {
        allocation::switch_on();
    }
    println!("{:?}", (entry.run)(&scale(is_quick)));
    ExitCode::SUCCESS
}
