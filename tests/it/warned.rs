//! What is done, and told to be most likely a slip: on standard error, and in the log.

use std::fs;

use crate::PATIENCE;
use crate::running::{House, until};
use crate::tasks::crew;
use crate::text;

/// What a command says beside its data; it has to succeed.
fn said(house: &House, arguments: &[&str]) -> String {
    let output = house.run(arguments);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn a_task_that_nobody_takes_is_told_when_it_is_submitted_and_while_somebody_waits() {
    let (house, _runtime) = crew();
    assert_eq!(said(&house, &["task", "submit", "build", "--needs", "echo"]), "");
    let told = said(&house, &["task", "submit", "read", "1", "--needs", "raed"]);
    let words = "no agent takes task 2 now: it waits for one that can raed; `triarch task cancel 2` calls it off";
    assert!(told.contains(words), "{told}");
    let waited = house.run(&["task", "wait", "2", "--within", "2s"]);
    assert_eq!(waited.status.code(), Some(3));
    assert!(text(&waited.stderr).contains(words), "{}", text(&waited.stderr));
    let mut waits = house.begin(&["task", "submit", "read", "--needs", "raed", "--wait"]);
    waits.line_with("no agent takes task 3 now", PATIENCE);
    house.json(&["task", "cancel", "3"]);
    assert_eq!(waits.end(PATIENCE), Some(1));
    house.write(
        "tasks.jsonl",
        "{\"kind\":\"a\",\"needs\":[\"echo\"]}\n{\"kind\":\"b\",\"needs\":[\"fly\"]}\n{\"kind\":\"c\",\"needs\":[\"fly\"]}\n",
    );
    let told = said(&house, &["task", "submit", "--file", "tasks.jsonl"]);
    let lines: Vec<_> = told.lines().collect();
    assert!(
        lines.len() == 1 && lines[0].contains("no agent takes task 5 now: it waits for one that can fly"),
        "{told}"
    );
}

#[test]
fn a_task_whose_only_taker_is_away_until_somebody_does_something_is_told_with_what_brings_it_back() {
    let (house, _runtime) = crew();
    let away = [
        (
            &["agent", "pause", "crew/python"][..],
            "it is paused: `triarch agent resume crew/python`",
        ),
        (
            &["agent", "stop", "crew/python"],
            "it was stopped: `triarch agent restart crew/python`",
        ),
        (
            &["team", "stop", "crew"],
            "its team was stopped: `triarch team start crew`",
        ),
    ];
    for (number, (deed, words)) in (1_u32..).zip(away) {
        house.json(deed);
        let told = said(&house, &["task", "submit", "x", "1", "--needs", "python"]);
        let expected = format!("no agent takes task {number} now: crew/python can, but {words}");
        assert!(told.contains(&expected), "{told}");
        let shown = text(&house.run(&["task", "show", &number.to_string()]).stdout);
        assert!(shown.contains(words), "{shown}");
        let waited = house.run(&["task", "wait", &number.to_string(), "--within", "2s"]);
        assert!(text(&waited.stderr).contains(&expected), "{}", text(&waited.stderr));
    }
    let wanted = said(&house, &["task", "submit", "x", "1", "--for", "crew/shell"]);
    assert!(wanted.contains("crew/shell can, but its team was stopped"), "{wanted}");
    house.json(&["team", "start", "crew"]);
    let told = said(&house, &["task", "submit", "x", "1", "--needs", "echo"]);
    assert_eq!(told, "", "who is there takes it");
}

#[test]
fn an_agent_that_waits_for_its_next_task_has_room() {
    let (house, _runtime) = crew();
    until("it is there, and waits for a task", || {
        house.json(&["why", "crew/shell"])["taking"] == "free"
    });
    let shown = text(&house.run(&["why", "crew/shell"]).stdout);
    assert!(
        shown.contains("it has room, and gets the next that it can do"),
        "{shown}"
    );
}

#[test]
fn the_latest_tasks_are_listed_first_and_those_that_are_open_alone_where_that_is_asked_for() {
    let (house, _runtime) = crew();
    for _ in 0..3 {
        house.submit(&["build", "--needs", "echo"]);
    }
    house.json(&["task", "wait"]);
    let open = house.submit(&["fly", "--needs", "wings"]);
    let listed = |arguments: &[&str]| {
        let listed = house.json(&[&["task", "list"], arguments].concat());
        let numbers = listed.as_array().unwrap().iter().map(|task| task["task"].to_string());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--newest", "--most", "2"]), ["4", "3"]);
    assert_eq!(listed(&["--newest", "--before", "3"]), ["2", "1"]);
    assert_eq!(listed(&["--open"]), [open]);
    let both = house.run(&["task", "list", "--open", "--state", "done"]);
    assert_eq!(both.status.code(), Some(2), "{}", text(&both.stderr));
}

#[test]
fn what_begins_as_json_does_and_is_none_is_taken_as_text_with_a_word() {
    let (house, _runtime) = crew();
    let slip = "{\"text\":";
    let told = said(&house, &["agent", "ask", "echo-1", slip]);
    let words = "the body begins as JSON does and is none, so it is taken as text: EOF while parsing a value";
    assert!(told.contains(words), "{told}");
    assert_eq!(house.json(&["agent", "ask", "echo-1", slip])["result"], slip);
    let told = said(&house, &["memory", "put", "shared", "a", slip]);
    assert!(told.contains("the value begins as JSON does and is none"), "{told}");
    for fit in ["{\"text\":1}", "page {7}", "12 apples"] {
        assert_eq!(said(&house, &["agent", "ask", "echo-1", fit]), "");
        assert_eq!(said(&house, &["memory", "put", "shared", "a", fit]), "");
    }
}

#[test]
fn a_check_warns_of_names_that_nobody_bears_and_secrets_that_are_not_there_and_passes() {
    let house = House::new();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"crew\"\n[[team.agent]]\nname = \"clock\"\nkind = \"timer\"\nevery = \"1s\"\nto = [\"clok\"]\n\
         [[team.agent]]\nname = \"shell\"\nkind = \"program\"\ncommand = [\"cat\"]\nsecrets.KEY.env = \"NO_SUCH_KEY\"\n",
    );
    let told = said(&house, &["config", "check"]);
    for words in [
        "warning: triarch.toml:7:7: the team \"crew\" has no agent \"clok\"",
        "  7 | to = [\"clok\"]\n    |       ^^^^^^\n  write \"clock\"",
        "triarch.toml:12:19: `secrets.KEY` is to be in the variable NO_SUCH_KEY, which is not set here",
    ] {
        assert!(told.contains(words), "{told}");
    }
    let seen = house.json(&["config", "check"]);
    let seen = seen.as_array().unwrap().iter();
    let seen: Vec<_> = seen
        .map(|one| (one["line"].as_u64(), one["is_warning"].as_bool()))
        .collect();
    assert_eq!(seen, [(Some(7), Some(true)), (Some(12), Some(true))]);
}

#[test]
fn a_name_that_nobody_bears_shows_in_the_log_once_and_not_at_each_beat() {
    let house = House::new();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"crew\"\n[[team.agent]]\nname = \"clock\"\nkind = \"timer\"\nevery = \"20ms\"\nto = [\"fragil\"]\n",
    );
    let mut runtime = house.up(&[]);
    let words =
        "a message was for crew/fragil, where nobody stands; see whether it is misspelt, and `triarch agent list`";
    runtime.line_with(words, PATIENCE);
    let refused = || house.json(&["why", "clock"])["shown"]["posts"]["refused"].as_u64();
    let before = refused();
    // The log is looked after each second.
    until("a hundred more are refused", || {
        refused() > before.map(|before| before + 100)
    });
    house.json(&["down"]);
    runtime.end(PATIENCE);
    assert_eq!(runtime.rest_with("crew/fragil, where nobody stands"), None);
}

const README: &str = include_str!("../../README.md");

/// The words of a command of the README, of which some are quoted.
fn words(command: &str) -> Vec<&str> {
    let command = command.split("  ").next().unwrap_or_default();
    let pieces = command.split('\'').enumerate();
    let words = pieces.flat_map(|(number, piece)| match number % 2 {
        0 => piece.split_whitespace().collect::<Vec<_>>(),
        _ => vec![piece],
    });
    words.collect()
}

#[test]
fn what_the_readme_shows_of_what_agents_share_can_be_done_with_the_demo_and_with_its_own_fleet() {
    let fleet = README
        .split("```")
        .find_map(|piece| piece.strip_prefix("toml\n# triarch.toml\n"));
    let (_, shown) = README.split_once("## What agents share").unwrap();
    let commands = shown.lines().filter_map(|line| line.strip_prefix("$ triarch "));
    let commands: Vec<_> = commands.map(words).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for fleet in [None, fleet] {
        let house = House::new();
        let mut up = house.command(&["up"]);
        if let Some(fleet) = fleet {
            // No program gets at the home folder.
            fs::create_dir_all(house.path().join("fleet")).unwrap();
            house.write("fleet/echo.py", include_str!("../../examples/agents/echo.py"));
            let description = house.write("fleet/triarch.toml", fleet);
            up.arg("--config").arg(description).env("PATH", "/usr/bin:/bin");
        }
        let _runtime = House::up_by(up);
        for command in &commands {
            let code = house.begin(command).end(PATIENCE);
            assert_eq!(code, Some(0), "{command:?} with {fleet:?}");
        }
    }
}
