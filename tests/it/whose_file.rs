//! Which description a command goes by, and what one that is not meant must not do.

use std::fs;

use crate::PATIENCE;
use crate::running::House;
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
