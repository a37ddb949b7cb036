//! Commands as people run them: a whole process each, its answer read to the end.

use std::process::{Command, Stdio};
use std::time::Instant;

use triarch_benches::Scale;
use triarch_benches::figure::percentiles;

use crate::cases::{RUNS, Times};
use crate::house::House;

/// `status`, `agent list` and `tree` among so many native agents: p50 and p95 of each, in milliseconds.
pub(crate) fn at(agents: usize, scale: &Scale) -> Vec<f64> {
    let running = with_echoes(agents).up();
    let figures = |arguments: &[&str], words: &str| {
        let figures = timed(RUNS.of(scale), || running.command(arguments), words);
        figures.into_iter()
    };
    let last = format!("/echo-{agents} ");
    let of_status = figures(&["status"], &format!("{agents} idle"));
    let of_list = figures(&["agent", "list"], &last);
    let of_tree = figures(&["tree"], &last);
    of_status.chain(of_list).chain(of_tree).collect()
}

/// A command that does nothing.
pub(crate) fn nothing(scale: &Scale) -> Vec<f64> {
    timed(RUNS.of(scale), || Command::new("true"), "")
}

/// A runtime with a team of so many native agents.
pub(crate) fn with_echoes(agents: usize) -> House {
    House::described(&format!(
        "[[team]]\nname = \"team\"\n\n  [[team.agent]]\n  name = \"echo\"\n  kind = \"echo\"\n  replicas = {agents}\n"
    ))
}

/// Runs a command so often; its answer has to have `words` in it. p50 and p95 in milliseconds.
pub(crate) fn timed(times: Times, command: impl Fn() -> Command, words: &str) -> Vec<f64> {
    let mut nanos = Vec::with_capacity(times.recorded);
    for run in 0..times.all() {
        let mut command = command();
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let output = command.output().expect("the command can be started");
        let elapsed = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{command:?} ended with {}", output.status);
        assert!(
            said.contains(words),
            "{command:?} does not say {words:?} in {} bytes",
            said.len()
        );
        if run >= times.unrecorded {
            nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    percentiles(nanos, [50, 95], 1e6)
}
