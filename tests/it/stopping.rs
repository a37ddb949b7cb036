//! How many stop: at once, and all of them within a time.

use std::path::Path;

use crate::running::House;
use crate::{PATIENCE, until};

const COUNT: usize = 30;
const TASKS: usize = 30;

/// A description of teams of programs that all run `script`.
fn described(runtime: &str, script: &str, teams: &[(&str, usize)], shutdown: &str) -> String {
    let team = |(name, replicas): &(&str, usize)| {
        format!(
            "[[team]]\nname = \"{name}\"\n[[team.agent]]\nname = \"{name}\"\nkind = \"program\"\nreplicas = {replicas}\n\
             command = [\"sh\", \"-c\", {script:?}]\nshutdown = \"{shutdown}\"\nsandbox = {{ kind = \"none\" }}\n"
        )
    };
    format!("[runtime]\n{runtime}\n{}", teams.iter().map(team).collect::<String>())
}

fn count(folder: &Path, mark: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(mark)).count()
}

/// The processes that leave such marks, with their numbers as the ends.
fn living(folder: &Path, mark: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pids = names.filter_map(|name| name.strip_prefix(mark).map(str::to_owned));
    // Of one that has ended, and was not waited for yet, the arguments are nothing.
    let lives = |pid: &String| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty());
    pids.filter(lives).count()
}

#[test]
fn programs_of_a_team_are_asked_to_stop_at_once_in_all_its_parts() {
    let house = House::new();
    // Each leaves only when all of them have been asked.
    let script =
        "trap 'echo > asked-$$' TERM; echo > ready-$$; until test $(ls | grep -c asked-) = 30; do sleep 0.1; done";
    house.write(
        "triarch.toml",
        &described("stop_within = \"1h\"", script, &[("t", COUNT)], "1h"),
    );
    let mut triarch = house.up(&[]);
    until("all run", || count(house.path(), "ready-") == COUNT);
    triarch.signal("TERM");
    assert_eq!(triarch.end(PATIENCE), Some(0));
    assert_eq!(count(house.path(), "asked-"), COUNT);
}

#[test]
fn thirty_programs_that_ignore_the_wish_to_stop_are_gone_within_one_grace_and_not_thirty() {
    let house = House::new();
    let script = "trap '' TERM; echo > ready-$$; while :; do sleep 1; done";
    // One after the other they would take twice the test's patience.
    house.write("triarch.toml", &described("", script, &[("t", COUNT)], "2s"));
    let mut triarch = house.up(&[]);
    until("all run", || count(house.path(), "ready-") == COUNT);
    triarch.signal("TERM");
    assert_eq!(triarch.end(PATIENCE), Some(0));
    assert_eq!(living(house.path(), "ready-"), 0);
}

#[test]
fn what_is_left_of_the_teams_when_their_time_is_over_is_killed_and_named() {
    let house = House::new();
    let script = "trap '' TERM; echo > ready-$$; while :; do sleep 1; done";
    let teams = [("left", 2), ("right", 2)];
    house.write("triarch.toml", &described("stop_within = \"1s\"", script, &teams, "1h"));
    let mut triarch = house.up(&[]);
    triarch.line_with("left/left-1 and 3 more may take longer to stop", PATIENCE);
    until("all run", || count(house.path(), "ready-") == 4);
    triarch.signal("TERM");
    let killed = "not all stopped within the 1s of runtime.stop_within; killed: left/left-1, left/left-2, right/right-1, right/right-2";
    triarch.line_with(killed, PATIENCE);
    assert_eq!(triarch.end(PATIENCE), Some(0));
    assert_eq!(living(house.path(), "ready-"), 0);
}

#[test]
fn while_one_is_slow_to_stop_that_is_told_and_so_is_that_it_was_killed() {
    let house = House::new();
    let script = "trap '' TERM; echo > ready-$$; while :; do sleep 1; done";
    house.write(
        "triarch.toml",
        &described("", script, &[("first", 1), ("deaf", 1)], "4s"),
    );
    let mut triarch = house.up(&[]);
    until("all run", || count(house.path(), "ready-") == 2);
    house.run(&["agent", "stop", "deaf/deaf-1"]);
    triarch.line_with(
        "deaf/deaf-1 was asked to stop: it did not end within 3s and was killed",
        PATIENCE,
    );
    triarch.signal("TERM");
    until("it stops", || {
        house.json(&["status"])["troubles"][0]
            == "the runtime is stopping: 1 of 2 agents are still there; `triarch tree` shows which"
    });
    let (_, health) = house.get("/health/ready");
    assert!(
        health.contains("was asked to stop") && !health.contains("by hand"),
        "{health}"
    );
    triarch.line_with(
        "first/first-1 was asked to stop: it did not end within 3s and was killed",
        PATIENCE,
    );
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

#[test]
fn from_the_wish_to_stop_on_nobody_gets_another_task_and_what_waits_is_done_by_the_next_life() {
    let house = House::new();
    // The team that stops first takes two seconds for that; the other one could do twenty tasks meanwhile.
    let slow = described(
        "",
        "trap '' TERM; echo > ready-$$; while :; do sleep 1; done",
        &[("slow", 1)],
        "2s",
    );
    let worker = "[[team]]\nname = \"crew\"\n[[team.agent]]\nname = \"worker\"\nkind = \"program\"\nmode = \"exec\"\n\
                  command = [\"sh\", \"-c\", \"cat >> begun; sleep 0.1\"]\ncapabilities = [\"build\"]\n\
                  sandbox = { kind = \"none\" }\n";
    let (runtime, slow) = slow.split_once("[[team]]").unwrap();
    house.write("triarch.toml", &format!("{runtime}{worker}[[team]]{slow}"));
    let begun = || std::fs::read_to_string(house.path().join("begun")).map_or(0, |text| text.lines().count());
    let mut triarch = house.up(&[]);
    until("it is ready", || count(house.path(), "ready-") == 1);
    let lines = "{\"kind\":\"build\",\"needs\":[\"build\"],\"body\":\"x\\n\"}\n".repeat(TASKS);
    house.write("tasks", &lines);
    house.json(&["task", "submit", "--file", "tasks"]);
    until("the first are done", || begun() > 2);
    triarch.signal("TERM");
    let at_the_wish = begun();
    assert_eq!(triarch.end(PATIENCE), Some(0));
    assert!(begun() <= at_the_wish + 2, "{} after {at_the_wish}", begun());
    assert!(begun() < TASKS, "nothing was left to do");
    let _next = house.up(&[]);
    until("all are done", || house.json(&["task", "stats"])["open"] == 0);
    assert_eq!(begun(), TASKS, "each was begun once");
}
