//! Which description a command goes by, and what one that is not meant must not do.

use std::fs;
use std::process::Command;

use crate::PATIENCE;
use crate::running::{House, beside};
use crate::text;

const TEAM: &str = r#"
[[team]]
name = "tools"

  [[team.agent]]
  name = "echo"
  kind = "echo"
"#;

#[test]
fn the_demo_leaves_alone_what_was_done_by_hand_to_another_fleet() {
    let house = House::new();
    let file = house.write("fleet.toml", TEAM);
    let fleet = ["--config", file.to_str().unwrap()];
    let mut runtime = house.up(&fleet);
    house.json(&["agent", "spawn", "tools", "new", "--kind", "echo"]);
    house.json(&["team", "stop", "tools"]);
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let kept = house.path().join("state/deviations.json");
    let before = fs::read_to_string(&kept).unwrap();

    let mut demo = house.up(&[]);
    demo.line_with("deviations.json", PATIENCE);
    house.json(&["agent", "stop", "worker-1"]);
    house.json(&["down"]);
    demo.end(PATIENCE);
    assert_eq!(fs::read_to_string(&kept).unwrap(), before);

    let mut demo = house.up(&["--as-described"]);
    house.json(&["down"]);
    demo.end(PATIENCE);
    assert_eq!(fs::read_to_string(&kept).unwrap(), before);

    let _runtime = house.up(&fleet);
    assert_eq!(house.json(&["agent", "show", "tools/new"])["state"], "stopped");
}

#[test]
fn what_does_not_fit_a_description_is_set_aside_and_said() {
    let house = House::new();
    house.write("triarch.toml", TEAM);
    let mut runtime = house.up(&[]);
    house.json(&["agent", "spawn", "tools", "new", "--kind", "echo"]);
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let kept = house.path().join("state/deviations.json");
    let before = fs::read_to_string(&kept).unwrap();
    house.write("triarch.toml", &TEAM.replace("tools", "others"));
    let mut runtime = house.up(&[]);
    runtime.line_with("tools/new is not added again: its team is gone", PATIENCE);
    let line = runtime.line_with("deviations.earlier.json", PATIENCE);
    assert!(line.contains("set aside"), "{line}");
    let aside = kept.with_file_name("deviations.earlier.json");
    assert_eq!(fs::read_to_string(aside).unwrap(), before);
}

#[test]
fn a_folder_without_a_description_has_nothing_to_check_and_says_so() {
    let house = House::new();
    let checked = house.run(&["config", "check"]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{said}{}", text(&checked.stdout));
    assert!(
        said.contains("there is no description") && said.contains("`triarch config init`"),
        "{said}"
    );
    assert_eq!(house.run(&["config", "show"]).status.code(), Some(0));
}

#[test]
fn a_reload_of_another_file_than_the_one_in_use_is_refused() {
    let house = House::new();
    let first = house.write("a.toml", TEAM);
    house.write("b.toml", &TEAM.replace("echo\"\n  kind", "other\"\n  kind"));
    let _runtime = house.up(&["--config", first.to_str().unwrap()]);
    let refused = house.run(&["--config", "b.toml", "reload"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}{}", text(&refused.stdout));
    assert!(
        said.contains("the runtime was started with") && said.contains("a.toml"),
        "{said}"
    );
    house.write("a.toml", &TEAM.replace("echo\"\n  kind", "more\"\n  kind"));
    // The same file by another way, and no file named.
    assert_eq!(house.run(&["--config", "./a.toml", "reload"]).status.code(), Some(0));
    assert_eq!(house.json(&["agent", "show", "more"])["state"], "idle");
    assert_eq!(house.run(&["reload"]).status.code(), Some(0));
}

#[test]
fn the_demo_has_no_file_that_a_reload_could_be_told() {
    let house = House::new();
    let _runtime = house.up(&[]);
    house.write("b.toml", TEAM);
    let refused = house.run(&["--config", "b.toml", "reload"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("the built-in demo"), "{said}");
}

/// As somebody types it who says nothing of a state folder: that of the home, which all fleets of a user share.
fn typed(house: &House, folder: &str, arguments: &[&str]) -> Command {
    let mut command = house.command(arguments);
    command.env_remove("TRIARCH_RUNTIME__STATE_DIR");
    command.current_dir(house.path().join(folder));
    command
}

#[test]
fn who_misspells_a_description_or_stands_in_the_folder_of_another_fleet_stops_nobody() {
    let house = House::new();
    for folder in ["a", "b"] {
        fs::create_dir(house.path().join(folder)).unwrap();
        house.write(&format!("{folder}/triarch.toml"), TEAM);
    }
    let mut runtime = House::up_by(typed(&house, "a", &["up"]));
    let refused = |folder: &str, arguments: &[&str]| {
        let output = typed(&house, folder, arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {said}{}",
            text(&output.stdout)
        );
        said
    };
    for verb in ["down", "status", "reload"] {
        let said = refused("a", &["--config", "triach.toml", verb]);
        assert!(said.contains("triach.toml cannot be read"), "{verb}: {said}");
    }
    let used = house.path().join("a/triarch.toml");
    for verb in ["down", "reload"] {
        let said = refused("b", &[verb]);
        let this_one = format!("`triarch --config {} {verb}`", used.display());
        assert!(said.contains("b/triarch.toml") && said.contains(&this_one), "{said}");
    }
    let seen = typed(&house, "b", &["status", "--json"]).output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen["described_in"], used.display().to_string());
    let stopped = typed(&house, "b", &["--config", "../a/triarch.toml", "down"])
        .status()
        .unwrap();
    assert!(stopped.success());
    assert_eq!(runtime.end(PATIENCE), Some(0));
}

#[test]
fn a_state_folder_beside_a_description_is_the_same_from_everywhere() {
    let house = House::new();
    fs::create_dir(house.path().join("a")).unwrap();
    house.write("a/triarch.toml", &format!("[runtime]\nstate_dir = \"state\"\n{TEAM}"));
    let mut runtime = House::up_by(typed(&house, ".", &["--config", "a/triarch.toml", "up"]));
    assert!(house.path().join("a/state").is_dir());
    assert!(typed(&house, "a", &["status"]).status().unwrap().success());
    assert!(typed(&house, "a", &["down"]).status().unwrap().success());
    assert_eq!(runtime.end(PATIENCE), Some(0));
}

#[test]
fn a_description_that_comes_by_a_pipe_is_followed() {
    let house = House::new();
    let pipe = house.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let written = pipe.clone();
    beside(move || fs::write(written, TEAM).unwrap());
    let _runtime = house.up(&["--config", pipe.to_str().unwrap()]);
    assert_eq!(house.json(&["agent", "show", "tools/echo"])["state"], "idle");
}
