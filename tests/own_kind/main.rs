//! The example of a kind of one's own, as a binary of its own: described, run, asked, shown, measured and stopped.
//!
//! This very binary is the runtime where the environment says so, and else the test that looks at it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a wrong outcome ends the test")]
#![expect(clippy::print_stdout, reason = "it says what it tried, as the usual tests do")]

#[path = "../../examples/own_agent.rs"]
mod example;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../it/running.rs"]
mod running;

use std::process::{Command, ExitCode, Output};
use std::time::Duration;

use running::House;

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

/// Set for the one that is to be the runtime.
const IS_RUNTIME: &str = "OWN_KIND_IS_RUNTIME";

const TEAM: &str = r#"
[[team]]
name = "door"

  [[team.agent]]
  name = "host"
  kind = "greeter"
  greeting = "Hello"
"#;

fn main() -> ExitCode {
    if std::env::var_os(IS_RUNTIME).is_some() {
        return example::main();
    }
    for (name, test) in TESTS {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

const TESTS: [(&str, fn()); 2] = [
    (
        "a_kind_of_ones_own_is_run_asked_shown_and_measured",
        a_kind_of_ones_own_is_run_asked_shown_and_measured,
    ),
    (
        "what_a_kind_of_ones_own_does_not_know_is_told_with_its_place",
        what_a_kind_of_ones_own_does_not_know_is_told_with_its_place,
    ),
];

/// This binary as the runtime, with those arguments.
fn command(house: &House, arguments: &[&str]) -> Command {
    let like = house.command(arguments);
    let mut command = Command::new(std::env::current_exe().unwrap());
    let environment = like.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .env(IS_RUNTIME, "1")
        .current_dir(house.path());
    command
}

fn run(house: &House, arguments: &[&str]) -> Output {
    command(house, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn a_kind_of_ones_own_is_run_asked_shown_and_measured() {
    let house = House::new();
    house.write("triarch.toml", TEAM);
    let mut runtime = House::up_by(command(&house, &["up"]));
    let asked = run(&house, &["agent", "ask", "host", "\"world\""]);
    assert_eq!(text(&asked.stdout), "Hello, world!\n", "{}", text(&asked.stderr));
    let shown = text(&run(&house, &["agent", "show", "host"]).stdout);
    assert!(shown.contains("greeter") && shown.contains("1 handled"), "{shown}");
    let tree = text(&run(&house, &["tree"]).stdout);
    assert!(tree.contains("host"), "{tree}");
    let (_, page) = house.get("/metrics");
    let is_counted = |line: &str| {
        line.starts_with("triarch_messages_handled_total") && line.contains("\"Greeter\"") && line.contains("\"ok\"")
    };
    let counted = page.lines().find(|line| is_counted(line));
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
    assert!(run(&house, &["down"]).status.success());
    assert_eq!(runtime.end(PATIENCE), Some(0));
}

fn what_a_kind_of_ones_own_does_not_know_is_told_with_its_place() {
    let house = House::new();
    house.write("triarch.toml", &TEAM.replace("greeting", "greetin"));
    let checked = run(&house, &["config", "check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = text(&checked.stderr);
    assert!(
        told.contains("greetin") && told.contains("greeting") && told.contains("triarch.toml:8"),
        "{told}"
    );
}
