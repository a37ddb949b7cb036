//! What the runtime remembers across its own ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;

use crate::running::House;
use crate::until;

/// A team of one that fails at each post it is told to, and of a program that ends with code 3 at each post.
const TEAM: &str = r#"
[telemetry.events]
file_bytes = "16KiB"
files = 2

[[team]]
name = "glass"
intensity = { restarts = 1000, within = "1h" }
backoff = { first = "1ms", max = "1ms" }

  [[team.agent]]
  name = "vase"
  kind = "echo"
  fail_every = 1

  [[team.agent]]
  name = "bottle"
  kind = "program"
  command = ["sh", "-c", "read line; echo gone to pieces >&2; exit 3"]
  sandbox = { kind = "none" }

  [[team.agent]]
  name = "table"
  kind = "echo"
"#;

fn house() -> House {
    let house = House::new();
    house.write("triarch.toml", TEAM);
    house
}

/// Has an agent fail, and waits until it lives again.
fn fail(house: &House, agent: &str) {
    let life = |house: &House| house.json(&["agent", "show", agent])["incarnation"].as_u64().unwrap();
    let before = life(house);
    assert_eq!(house.run(&["agent", "ask", agent, "1"]).status.code(), Some(1));
    until("it lives again", || life(house) > before);
}

fn events(house: &House) -> PathBuf {
    house.path().join("state/events/events.jsonl")
}

/// The changes that `why` tells of, those of earlier runtimes alone or the others, oldest first.
fn changes(why: &Value, is_of_earlier_runtime: bool) -> Vec<String> {
    let all = why["history"].as_array().unwrap().iter().rev();
    let wanted = all.filter(|change| change["is_of_earlier_runtime"] == is_of_earlier_runtime);
    wanted
        .map(|change| format!("{} {}", change["incarnation"], change["to"].as_str().unwrap()))
        .collect()
}

#[test]
fn after_a_kill_the_next_runtime_knows_how_agents_and_their_programs_ended_before() {
    let house = house();
    let mut first = house.up(&[]);
    fail(&house, "vase");
    fail(&house, "bottle");
    let second_lives = |house: &House| {
        let text = fs::read_to_string(events(house)).unwrap_or_default();
        text.matches(r#""to":"idle","incarnation":2"#).count()
    };
    until("all of it is written", || second_lives(&house) == 2);
    first.kill();
    // It was killed in the middle of a line.
    let mut text = fs::read(events(&house)).unwrap();
    text.extend(br#"{"time":"2026-"#);
    fs::write(events(&house), text).unwrap();

    let mut second = house.up(&[]);
    let why = house.json(&["why", "vase"]);
    assert_eq!(
        changes(&why, true),
        ["1 idle", "1 stopped", "1 backoff", "2 idle"],
        "{why}"
    );
    assert_eq!(changes(&why, false), ["1 starting", "1 idle"], "{why}");
    let why = house.json(&["why", "bottle"]);
    let end = &why["ends"][0];
    assert_eq!(
        (&end["code"], &end["lines"][0]),
        (&3.into(), &"gone to pieces".into()),
        "{why}"
    );
    assert_eq!(end["is_of_earlier_runtime"], true, "{why}");
    assert_eq!(house.json(&["agent", "show", "bottle"])["ends"], why["ends"]);
    fail(&house, "bottle");
    let why = house.json(&["why", "bottle"]);
    let of_earlier = |index: usize| why["ends"][index]["is_of_earlier_runtime"].as_bool();
    assert_eq!((of_earlier(0), of_earlier(1)), (Some(false), Some(true)), "{why}");
    let told = crate::text(&house.run(&["why", "bottle"]).stdout);
    assert!(
        told.contains("\nlife 1 ended at ") && told.contains("\nlife 1 of an earlier runtime ended at "),
        "{told}"
    );
    let told = crate::text(&house.run(&["why", "vase"]).stdout);
    assert!(
        told.contains("life 1 of an earlier runtime stopped: it failed"),
        "{told}"
    );
    fail(&house, "vase");
    until("that is written too", || second_lives(&house) == 4);
    second.kill();

    house.write("triarch.toml", &TEAM.replace("bottle", "jar"));
    let _third = house.up(&[]);
    let why = house.json(&["why", "vase"]);
    assert!(changes(&why, true).starts_with(&["1 idle".into(), "1 stopped".into()]));
    assert!(
        changes(&why, true).len() >= 8,
        "what followed half a line is there: {why}"
    );
    let entries = fs::read_dir(house.path().join("state/logs/glass")).unwrap();
    let left = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(
        !left.into_iter().any(|name| name.starts_with("bottle.ends")),
        "who is gone is forgotten"
    );
}

#[test]
fn a_crash_storm_takes_no_more_of_the_disk_than_is_allowed() {
    let house = house();
    let _runtime = house.up(&[]);
    let folder = house.path().join("state/events");
    let sizes = || -> Vec<u64> {
        let entries = fs::read_dir(&folder).unwrap();
        entries
            .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
            .collect()
    };
    until("files have made way for good", || {
        house.run(&["agent", "ask", "vase", "1"]);
        folder.join("kept.jsonl").exists()
    });
    for _ in 0..20 {
        fail(&house, "vase");
        assert!(sizes().iter().sum::<u64>() <= 4 * (16 << 10), "{:?}", sizes());
    }
    house.json(&["down"]);
    let _next = house.up(&[]);
    let table = house.json(&["why", "table"]);
    assert!(
        changes(&table, true).contains(&"1 idle".to_owned()),
        "the quiet one keeps its past: {table}"
    );
    assert!(changes(&house.json(&["why", "vase"]), true).len() > 20);
}

#[test]
fn a_full_disk_costs_events_and_nothing_else_and_they_go_on_when_there_is_room() {
    let house = house();
    let _runtime = house.up(&[]);
    until("events are kept", || events(&house).exists());
    let aside = house.path().join("aside");
    fs::rename(events(&house), &aside).unwrap();
    symlink("/dev/full", events(&house)).unwrap();
    fail(&house, "vase");
    let is_nothing_lost = || {
        house
            .get("/metrics")
            .1
            .contains("\ntriarch_telemetry_lost_events_total 0\n")
    };
    until("what is lost is counted", || !is_nothing_lost());
    let shown = house.json(&["why", "telemetry/events"])["shown"].clone();
    assert!(
        shown["last_error"].as_str().unwrap().contains("No space left"),
        "{shown}"
    );
    let why = house.json(&["why", "vase"]);
    assert_eq!(why["incarnation"], 2, "{why}");

    fs::remove_file(events(&house)).unwrap();
    fail(&house, "vase");
    until("events are kept again", || {
        fs::read_to_string(events(&house)).is_ok_and(|text| text.contains(r#""incarnation":3"#))
    });
    assert_eq!(house.json(&["agent", "show", "telemetry/events"])["incarnation"], 1);
    assert_eq!(house.json(&["agent", "show", "table"])["restarts"], 0);
}

#[test]
fn what_reached_no_handler_is_listed_with_whom_it_was_for_and_why_the_latest_first() {
    let house = house();
    let _runtime = house.up(&[]);
    assert_eq!(house.json(&["agent", "dead"]), serde_json::json!([]));
    fail(&house, "vase");
    assert_eq!(
        house.run(&["agent", "dead", "nobody"]).status.code(),
        Some(4),
        "nobody of that name is there, and nothing was for one"
    );
    fail(&house, "vase");
    let dead = house.json(&["agent", "dead", "vase"]);
    let letters = dead.as_array().unwrap();
    let numbers: Vec<_> = letters
        .iter()
        .map(|letter| letter["letter"].as_u64().unwrap())
        .collect();
    assert_eq!((numbers.len(), numbers[0] > numbers[1]), (2, true), "{dead}");
    for letter in letters {
        assert_eq!(
            (&letter["to"], &letter["reason"]),
            (&"glass/vase".into(), &"crashed".into()),
            "{dead}"
        );
        assert!(letter["cause"].as_str().unwrap().starts_with("failed"), "{dead}");
    }
    assert_eq!(
        house.json(&["agent", "dead", "--last", "1"]).as_array().unwrap().len(),
        1
    );
    assert_eq!(house.json(&["agent", "dead", "table"]), serde_json::json!([]));
    let told = crate::text(&house.run(&["agent", "dead"]).stdout);
    assert!(
        told.contains("glass/vase") && told.contains("crashed: it failed"),
        "{told}"
    );
}

#[test]
fn posts_that_its_program_ends_with_are_failed_and_starts_by_hand_are_no_restarts() {
    let house = house();
    let _runtime = house.up(&[]);
    fail(&house, "bottle");
    let shown = house.json(&["agent", "show", "bottle"]);
    assert_eq!(
        (
            &shown["mailbox"]["handled"],
            &shown["mailbox"]["failed"],
            &shown["restarts"]
        ),
        (&0.into(), &1.into(), &1.into()),
        "{shown}"
    );
    for agent in ["bottle", "table"] {
        house.json(&["agent", "restart", agent]);
    }
    let of = |agent| house.json(&["agent", "show", agent]);
    assert_eq!(
        (&of("bottle")["restarts"], &of("bottle")["incarnation"]),
        (&1.into(), &3.into())
    );
    assert_eq!(
        (&of("table")["restarts"], &of("table")["incarnation"]),
        (&0.into(), &2.into())
    );
}

#[test]
fn who_waits_for_its_restart_says_when_it_comes_and_what_follows_the_next() {
    let house = House::new();
    house.write(
        "triarch.toml",
        &TEAM.replace(r#"first = "1ms", max = "1ms""#, r#"first = "1h", max = "1h""#),
    );
    let _runtime = house.up(&[]);
    let next = |why: &Value| why["next"].as_str().unwrap().to_owned();
    let why = house.json(&["why", "vase"]);
    assert_eq!(
        next(&why),
        "if it ends: restart 1 of the 1000 that glass bears within 1h, then it stays down until somebody restarts it"
    );
    assert_eq!(why["restart_in_ms"], Value::Null);
    assert_eq!(house.run(&["agent", "ask", "vase", "1"]).status.code(), Some(1));
    until("it waits", || house.json(&["why", "vase"])["state"] == "backoff");
    let why = house.json(&["why", "vase"]);
    assert!(why["restart_in_ms"].as_u64().unwrap() > 1_000_000, "{why}");
    assert!(next(&why).starts_with("starts again in "), "{why}");
    assert!(
        next(&why).ends_with(
            ": restart 1 of the 1000 that glass bears within 1h, then it stays down until somebody restarts it"
        ),
        "{why}"
    );
}

#[test]
fn one_that_is_in_quarantine_since_others_had_used_up_the_restarts_says_whose_they_are() {
    let house = House::new();
    house.write("triarch.toml", &TEAM.replace("restarts = 1000", "restarts = 1"));
    let _runtime = house.up(&[]);
    fail(&house, "vase");
    assert_eq!(house.run(&["agent", "ask", "bottle", "1"]).status.code(), Some(1));
    until("it stays down", || house.json(&["why", "bottle"])["state"] == "failed");
    let why = house.json(&["why", "bottle"]);
    assert_eq!(
        (&why["restarts"], why["next"].as_str().unwrap()),
        (
            &Value::from(0),
            "stays down until somebody restarts it; restarts that glass bears within 1h, for all of its agents together: 1"
        )
    );
}
