//! What a command that cannot be done says: its exit code, and a way on that leads somewhere.

use serde_json::json;

use crate::running::{House, until};
use crate::text;

/// The exit code, and what is said.
fn refused(house: &House, arguments: &[&str]) -> (Option<i32>, String) {
    let output = house.run(arguments);
    (output.status.code(), text(&output.stderr))
}

#[track_caller]
fn assert_refused(house: &House, arguments: &[&str], code: i32, words: &[&str]) {
    let (found, said) = refused(house, arguments);
    assert_eq!(found, Some(code), "{arguments:?}: {said}");
    for words in words {
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn in_a_team_that_was_stopped_agents_are_refused_with_5_and_why_tells_that_it_was() {
    let house = House::new();
    let _runtime = house.up(&[]);
    house.json(&["team", "stop", "demo"]);
    for verb in ["stop", "kill", "restart"] {
        assert_refused(&house, &["agent", verb, "worker-1"], 5, &["`triarch team start`"]);
    }
    let next = house.json(&["why", "worker-1"])["next"].clone();
    assert_eq!(next, "its team was stopped by hand: `triarch team start demo`");
}

#[test]
fn an_agent_that_was_stopped_by_hand_says_so_and_what_starts_it() {
    let house = House::new();
    let _runtime = house.up(&[]);
    house.json(&["agent", "stop", "worker-1"]);
    let next = house.json(&["why", "worker-1"])["next"].clone();
    assert_eq!(next, "was stopped by hand: `triarch agent restart demo/worker-1`");
}

#[test]
fn what_is_asked_of_a_replica_or_of_what_is_built_in_is_refused_with_what_can_be_done() {
    let house = House::new();
    let _runtime = house.up(&[]);
    let scale = [
        "demo/worker-1 is a replica of worker",
        "`triarch team scale demo worker 2`",
    ];
    assert_refused(&house, &["team", "scale", "demo", "worker-1", "2"], 2, &scale);
    let forget = ["each runtime has the namespace shared", "`triarch memory delete`"];
    assert_refused(&house, &["memory", "forget", "shared"], 5, &forget);
}

#[test]
fn of_an_agent_whose_group_waits_to_start_again_nobody_says_that_it_stays_down() {
    let house = House::new();
    let fleet = "[[team]]\nname = \"g\"\nstrategy = \"one_for_all\"\nbackoff = { first = \"10m\", max = \"10m\" }\n\
                 [[team.agent]]\nname = \"e\"\nkind = \"echo\"\nreplicas = 2\n";
    house.write("triarch.toml", fleet);
    let _runtime = house.up(&[]);
    house.json(&["agent", "kill", "g/e-1"]);
    let next = |agent: &str| house.json(&["why", agent])["next"].as_str().unwrap().to_owned();
    until("the group waits", || next("g/e-1").starts_with("starts again in "));
    until("its sibling waits with it", || {
        next("g/e-2").starts_with("starts again with its group, ")
    });
}

#[test]
fn what_was_done_by_hand_is_told_by_why_and_by_status_without_alarm() {
    let house = House::new();
    let _runtime = house.up(&[]);
    assert_eq!(house.json(&["status"])["by_hand"], json!([]));
    house.json(&["agent", "pause", "worker-1"]);
    let next = house.json(&["why", "worker-1"])["next"].clone();
    let next = next.as_str().unwrap();
    assert!(next.starts_with("paused by hand ") && next.contains(" ago"), "{next}");
    assert!(next.ends_with("`triarch agent resume` lets it go on"), "{next}");
    house.json(&["team", "stop", "demo"]);
    let status = house.json(&["status"]);
    assert_eq!(status["by_hand"], json!(["1 paused", "team demo stopped"]));
    assert_eq!(status["troubles"], json!([]));
    let shown = text(&house.run(&["status"]).stdout);
    assert!(
        shown.contains("by hand        1 paused, team demo stopped\n"),
        "{shown}"
    );
}

#[test]
fn a_name_that_is_nearly_right_is_helped_on() {
    let house = House::new();
    let _runtime = house.up(&[]);
    assert_refused(
        &house,
        &["team", "start", "demo"],
        5,
        &["team demo runs already", "`triarch team show demo`"],
    );
    assert_refused(
        &house,
        &["agent", "ask", "worker"],
        4,
        &["worker has replicas: demo/worker-1 … 3"],
    );
    assert_refused(
        &house,
        &["why", "demo"],
        4,
        &["demo is a team", "`triarch team show demo`"],
    );
    assert_refused(&house, &["why", "gateway"], 4, &["`triarch tree gateway`"]);
    assert_refused(&house, &["why", "wroker-1"], 4, &["worker-1"]);
    assert_refused(&house, &["why", "nobody"], 4, &["`triarch agent list`"]);
}

#[test]
fn a_state_that_there_is_not_is_refused_with_those_there_are() {
    let house = House::new();
    let _runtime = house.up(&[]);
    let list = ["agent", "list", "--state", "nosuchstate"];
    assert_refused(&house, &list, 2, &["backoff", "paused"]);
    assert_eq!(house.json(&["agent", "list", "--state", "paused"]), json!([]));
}

#[test]
fn the_doctor_finds_a_state_folder_that_has_no_name_and_still_looks_at_the_address() {
    let house = House::new();
    let mut doctor = house.command(&["doctor"]);
    let output = doctor
        .env_remove("HOME")
        .env_remove("TRIARCH_RUNTIME__STATE_DIR")
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = |subject: &str| said.lines().find(|line| line.contains(subject)).unwrap();
    assert!(
        line("state folder").starts_with("bad ") && line("state folder").contains("HOME is not set"),
        "{said}"
    );
    assert!(said.contains("set HOME, or TRIARCH_RUNTIME__STATE_DIR"), "{said}");
    assert!(line("address").contains("is free"), "{said}");
}

#[test]
fn the_doctor_finds_state_folders_that_cannot_be_had() {
    let house = House::new();
    let file = house.write("file", "");
    let long = house.path().join("x".repeat(120));
    let below = file.join("state");
    for folder in [file, long, below, "/proc/nowhere/state".into()] {
        let mut doctor = house.command(&["doctor"]);
        let output = doctor.env("TRIARCH_RUNTIME__STATE_DIR", &folder).output().unwrap();
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{}: {said}", folder.display());
        let line = said.lines().find(|line| line.contains("state folder")).unwrap();
        assert!(line.starts_with("bad "), "{line}");
    }
}
