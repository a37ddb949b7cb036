//! The real binary: what it prints, and how it ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a wrong outcome ends the test")]

mod running;

use std::process::Output;
use std::time::Duration;

use running::{Running, run};

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The paths in the first column of the tree.
fn paths(output: &Output) -> Vec<String> {
    let tree = text(&output.stdout);
    let lines = tree.lines().skip(1);
    lines
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn it_prints_a_tree_of_three_levels_once_and_nothing_else_to_standard_output() {
    let output = run(&["--for", "0"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        paths(&output),
        [
            "root",
            "demo",
            "demo/answerer",
            "demo/asker",
            "telemetry",
            "telemetry/health",
            "telemetry/heartbeat",
            "telemetry/lifecycle",
            "telemetry/upkeep"
        ]
    );
}

#[test]
fn it_tells_who_starts_and_who_stops_in_which_order() {
    let told = text(&run(&["--for", "0.2"]).stderr);
    let lines: Vec<_> = told.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let expected = [
        "info  telemetry/lifecycle started, life 1",
        "info  telemetry/health started, life 1",
        "info  telemetry/heartbeat started, life 1",
        "info  telemetry/upkeep started, life 1",
        "info  telemetry started, life 1",
        "info  demo/answerer started, life 1",
        "info  demo/asker started, life 1",
        "info  demo started, life 1",
        "info  demo/asker life 1 was asked to stop",
        "info  demo/answerer life 1 was asked to stop",
        "info  demo life 1 was asked to stop",
        "info  telemetry/upkeep life 1 was asked to stop",
        "info  telemetry/heartbeat life 1 was asked to stop",
        "info  telemetry/health life 1 was asked to stop",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn it_restarts_who_fails_and_stops_in_order_when_asked_to_terminate() {
    let mut triarch = Running::start(&[]);
    let failed = triarch.line_with("demo/answerer life 1 failed: tired after 31 answers", PATIENCE);
    let restarted = triarch.line_with("demo/answerer started, life 2", PATIENCE);
    assert!(failed < restarted, "the time stands first in a line");
    triarch.signal("TERM");
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

#[test]
fn an_interrupt_from_the_keyboard_stops_it_too() {
    let mut triarch = Running::start(&[]);
    triarch.line_with("demo started", PATIENCE);
    triarch.signal("INT");
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

#[test]
fn nobody_reading_its_log_is_no_reason_to_fail() {
    let mut triarch = Running::start(&["--for", "4"]);
    triarch.line_with("telemetry started", PATIENCE);
    triarch.stop_reading();
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

#[test]
fn arguments_that_cannot_be_followed_are_refused_with_code_2_and_nothing_is_started() {
    let table: [(&[&str], &str); 3] = [
        (&["--fro"], "triarch: unknown argument \"--fro\"; see triarch --help\n"),
        (&["--for"], "triarch: --for needs a number of seconds, as in --for 10\n"),
        (
            &["--for", "ever"],
            "triarch: --for needs a number of seconds, not \"ever\"\n",
        ),
    ];
    for (arguments, complaint) in table {
        let output = run(arguments);
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(2), complaint)
        );
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    assert!(text(&run(&["--help"]).stdout).contains("--for SECONDS"));
    let version = run(&["--version"]);
    assert_eq!(
        text(&version.stdout),
        format!("triarch {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(version.status.code(), Some(0));
}
