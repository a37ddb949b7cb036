//! What was done by hand outlives the runtime.

use std::fs;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::running::{House, Running, until};

const FLEET: &str = r#"
[[team]]
name = "tools"

  [[team.agent]]
  name = "echo"
  kind = "echo"
  replicas = 2

  [[team.agent]]
  name = "noisy"
  kind = "program"
  command = ["sh", "-c", "echo begun >> begun; cat > /dev/null"]
  sandbox = { kind = "none" }

[[team]]
name = "others"

  [[team.agent]]
  name = "one"
  kind = "program"
  command = ["sh", "-c", "echo begun >> begun; cat > /dev/null"]
  sandbox = { kind = "none" }
"#;

fn begun(house: &House) -> usize {
    let text = fs::read_to_string(house.path().join("begun")).unwrap_or_default();
    text.lines().count()
}

fn states(house: &House) -> Vec<String> {
    let agents = house.json(&["agent", "list"]);
    let state = |agent: &Value| {
        format!(
            "{} {}",
            agent["path"].as_str().unwrap(),
            agent["state"].as_str().unwrap()
        )
    };
    let states = agents.as_array().unwrap().iter().map(state);
    // One that has not come to rest yet runs all the same.
    states.map(|state| state.replace(" busy", " idle")).collect()
}

/// Whether the runtime takes work, and what it says of that.
fn readiness(house: &House) -> (bool, String) {
    let (head, body) = house.get("/health/ready");
    (head.starts_with("HTTP/1.1 200 "), body)
}

#[test]
fn a_team_that_was_stopped_by_hand_leaves_the_runtime_ready_and_so_does_it_after_the_next_start() {
    let house = House::new();
    house.write("triarch.toml", FLEET);
    let mut runtime = house.up(&[]);
    until("it is ready", || readiness(&house).0);
    house.json(&["team", "stop", "tools"]);
    until("it is told", || readiness(&house).1.contains("tools"));
    let (is_ready, told) = readiness(&house);
    assert!(is_ready && told.contains("stopped by hand"), "{told}");
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let _next = house.up(&[]);
    until("it is ready again", || readiness(&house).0);
    let (_, told) = readiness(&house);
    assert!(told.contains("stopped by hand"), "{told}");
    house.json(&["team", "start", "tools"]);
    until("nothing is told any more", || {
        readiness(&house).1.contains("\"reasons\":[]")
    });
}

/// A fleet in which much was done by hand.
fn changed(house: &House) -> Running {
    house.write("triarch.toml", FLEET);
    let runtime = house.up(&[]);
    for change in [
        &["team", "scale", "tools", "echo", "3"][..],
        &["agent", "spawn", "tools", "new", "--kind", "echo", "--set", "delay=1ms"],
        &["agent", "stop", "noisy"],
        &["agent", "pause", "echo-2"],
        &["team", "stop", "others"],
        &["agent", "stop", "echo-1"],
        &["agent", "restart", "echo-1"],
    ] {
        house.json(change);
    }
    runtime
}

const CHANGED: [&str; 6] = [
    "others/one stopped",
    "tools/echo-1 idle",
    "tools/echo-2 paused",
    "tools/echo-3 idle",
    "tools/new idle",
    "tools/noisy stopped",
];

#[test]
fn after_a_kill_and_after_an_orderly_end_the_fleet_is_as_it_was_left() {
    let house = House::new();
    let mut runtime = changed(&house);
    assert_eq!(states(&house), CHANGED);
    let before = begun(&house);
    for end in ["KILL", "TERM"] {
        runtime.signal(end);
        runtime.end(PATIENCE);
        runtime = house.up(&[]);
        assert_eq!(states(&house), CHANGED, "after {end}");
    }
    assert_eq!(house.json(&["agent", "ask", "new", "1"])["result"], 1);
    assert_eq!(begun(&house), before, "nobody who was stopped has begun for a moment");
    house.json(&["agent", "restart", "noisy"]);
    house.json(&["team", "start", "others"]);
    house.json(&["agent", "resume", "echo-2"]);
    runtime.kill();
    let _last = house.up(&[]);
    assert!(
        states(&house).iter().all(|state| state.ends_with(" idle")),
        "{:?}",
        states(&house)
    );
}

/// Ends it as a loss of power would, and starts the next one.
fn again(house: &House, mut runtime: Running, arguments: &[&str]) -> Running {
    runtime.kill();
    house.up(arguments)
}

#[test]
fn a_start_says_what_is_not_as_described_and_can_be_told_to_forget_it() {
    let house = House::new();
    let mut runtime = changed(&house);
    runtime.kill();
    let mut runtime = house.begin(&["up"]);
    let said = runtime.said_with("by hand", PATIENCE);
    assert!(said.contains("1 added, 1 scaled, 2 stopped, 1 paused"), "{said}");
    runtime.said_with("triarch top", PATIENCE);
    let described = [
        "others/one idle",
        "tools/echo-1 idle",
        "tools/echo-2 idle",
        "tools/noisy idle",
    ];
    let runtime = again(&house, runtime, &["--as-described"]);
    assert_eq!(states(&house), described);
    let _last = again(&house, runtime, &[]);
    assert_eq!(states(&house), described, "for good");
}

#[test]
fn a_reload_forgets_only_what_was_scaled() {
    let house = House::new();
    let runtime = changed(&house);
    let reloaded = house.json(&["reload"]);
    assert_eq!(reloaded["changed"], json!(["agent tools/echo: replicas: 3 → 2"]));
    let mut left = CHANGED.to_vec();
    left.retain(|state| !state.starts_with("tools/echo-3"));
    assert_eq!(states(&house), left);
    let runtime = again(&house, runtime, &[]);
    assert_eq!(states(&house), left);
    assert_eq!(house.json(&["reload"])["changed"], json!([]));
    house.json(&["agent", "stop", "new", "--forget"]);
    left.retain(|state| !state.starts_with("tools/new"));
    let _last = again(&house, runtime, &[]);
    assert_eq!(states(&house), left, "forgotten for good");
}

#[test]
fn what_comes_anew_by_a_reload_is_as_described_after_a_start_too() {
    let house = House::new();
    let runtime = changed(&house);
    let restarted = FLEET.replace("name = \"others\"", "name = \"others\"\nstrategy = \"one_for_all\"");
    house.write(
        "triarch.toml",
        &restarted.replace("replicas = 2", "replicas = 2\n  delay = \"1ms\""),
    );
    house.json(&["reload"]);
    let expected = [
        "others/one idle",
        "tools/echo-1 idle",
        "tools/echo-2 idle",
        "tools/new idle",
        "tools/noisy stopped",
    ];
    assert_eq!(states(&house), expected);
    let _last = again(&house, runtime, &[]);
    assert_eq!(states(&house), expected);
}

#[test]
fn one_that_was_paused_and_stopped_is_both_after_a_start() {
    let house = House::new();
    house.write("triarch.toml", FLEET);
    let runtime = house.up(&[]);
    house.json(&["agent", "pause", "one"]);
    house.json(&["team", "stop", "others"]);
    let _last = again(&house, runtime, &[]);
    assert_eq!(states(&house)[0], "others/one stopped");
    house.json(&["team", "start", "others"]);
    assert_eq!(states(&house)[0], "others/one paused");
}

#[test]
fn what_does_not_fit_the_description_any_more_is_said_and_forgotten() {
    let house = House::new();
    let mut runtime = changed(&house);
    house.json(&["team", "start", "others"]);
    house.json(&["agent", "spawn", "others", "lost", "--kind", "echo"]);
    house.json(&["team", "stop", "others"]);
    runtime.kill();
    let (tools, _others) = FLEET.split_once("[[team]]\nname = \"others\"").unwrap();
    let described = "\n  [[team.agent]]\n  name = \"new\"\n  kind = \"echo\"\n";
    let tools = tools.replace("replicas = 2\n", "");
    house.write("triarch.toml", &(tools + described));
    let mut runtime = house.up(&[]);
    for line in [
        "tools/new is not added again: its name stands in the description",
        "others/lost is not added again",
        "tools/echo is not scaled again",
        "tools/echo-2 is not paused again",
        "others is not stopped again",
    ] {
        runtime.line_with(line, PATIENCE);
    }
    assert_eq!(
        states(&house),
        ["tools/echo idle", "tools/new idle", "tools/noisy stopped"]
    );
    house.write("triarch.toml", FLEET);
    let _last = again(&house, runtime, &[]);
    assert_eq!(
        states(&house),
        [
            "others/one idle",
            "tools/echo-1 idle",
            "tools/echo-2 idle",
            "tools/noisy stopped"
        ]
    );
}

#[test]
fn what_nobody_can_read_of_it_is_set_aside_and_said_and_the_description_counts() {
    let house = House::new();
    let mut runtime = changed(&house);
    let kept = house.path().join("state/deviations.json");
    let text = fs::read_to_string(&kept).unwrap();
    for torn in ["", "{", &text[..text.len() / 2], "\0\0\0\0"] {
        runtime.kill();
        fs::write(&kept, torn).unwrap();
        runtime = house.up(&[]);
        let line = runtime.line_with("what was done by hand is not known", PATIENCE);
        assert!(line.contains("deviations.unreadable"), "{line}");
        assert_eq!(fs::read_to_string(kept.with_extension("unreadable")).unwrap(), torn);
        assert_eq!(states(&house).len(), 4);
    }
}
