//! Erlang plays the scenarios: one `erl` for all of them.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::scenario::Scenario;

const SOURCE: &str = include_str!("otp_player.erl");

/// What it wrote down, step by step of each; `None` where there is no Erlang.
pub(crate) fn play(scenarios: &[Scenario]) -> Option<Vec<Vec<String>>> {
    if !["erl", "erlc"].into_iter().all(is_on_path) {
        return None;
    }
    let folder = Folder::new();
    fs::write(folder.0.join("otp_player.erl"), SOURCE).unwrap();
    let lines: Vec<_> = scenarios.iter().map(ToString::to_string).collect();
    fs::write(folder.0.join("scenarios"), lines.join("\n")).unwrap();
    run(&folder, "erlc", &["otp_player.erl"]);
    let told = run(
        &folder,
        "erl",
        &[
            "-noshell",
            "+S",
            "1:1",
            "-kernel",
            "logger_level",
            "none",
            "-s",
            "otp_player",
        ],
    );
    let played = told
        .split("played\n")
        .map(|steps| steps.lines().map(str::to_owned).collect());
    let mut played: Vec<Vec<String>> = played.collect();
    assert_eq!(
        played.pop().as_deref(),
        Some(&[][..]),
        "Erlang did not come to its end: {told}"
    );
    Some(played)
}

fn is_on_path(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|path| path.join(program).is_file())
}

fn run(folder: &Folder, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(&folder.0)
        .env("ERL_CRASH_DUMP_BYTES", "0")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} failed: {told}{complaint}");
    told
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("triarch-otp-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_over = fs::remove_dir_all(&self.0);
    }
}
