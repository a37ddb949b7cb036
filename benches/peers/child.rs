//! A measurement in a process of its own: this program again, which answers with one line.

use std::process::{Command, ExitCode, Stdio};

use triarch_benches::{Entry, Place, Scale, allocation};

use crate::subjects;

/// Measures `entry` in a fresh process.
pub(crate) fn ask(entry: &Entry, scale: &Scale) -> Result<Vec<f64>, String> {
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
pub(crate) fn answer(entries: &[Entry], subject: &str, key: &str, scale: Scale) -> ExitCode {
    let Some(entry) = entries
        .iter()
        .find(|entry| entry.subject == subject && entry.key() == key)
    else {
        eprintln!("peers: --child names {key} of {subject}, which does not exist; see --list");
        return ExitCode::from(2);
    };
    if entry.place == Place::CountedChild {
        allocation::switch_on();
    }
    println!("{:?}", (entry.run)(&scale));
    subjects::tidy_up();
    ExitCode::SUCCESS
}
