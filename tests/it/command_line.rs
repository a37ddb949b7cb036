//! What the verbs answer, for people and for programs, and their exit codes.

use serde_json::Value;

use crate::PATIENCE;
use crate::running::{House, until};
use crate::text;

#[test]
fn the_tree_is_shown_as_text_as_json_and_as_dot() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let tree = house.json(&["tree"]);
    let nodes = tree.as_array().unwrap();
    assert_eq!(
        (&nodes[0]["path"], &nodes[0]["level"]),
        (&Value::from("root"), &Value::from(1))
    );
    let worker = nodes.iter().find(|node| node["path"] == "demo/worker-1").unwrap();
    assert_eq!(
        (&worker["level"], &worker["kind"]),
        (&Value::from(3), &Value::from("native"))
    );
    assert_eq!(worker["mailbox"]["capacity"], 1024);
    for key in ["state", "incarnation", "restarts", "pid", "children_count"] {
        assert!(worker.get(key).is_some(), "{key} is missing");
    }
    let shown = text(&house.run(&["tree", "demo"]).stdout);
    assert!(shown.starts_with("path ") && shown.contains("demo/worker-1"), "{shown}");
    assert!(!shown.contains("telemetry"), "{shown}");
    let dot = text(&house.run(&["tree", "--format", "dot"]).stdout);
    assert!(dot.contains("\"demo\" -> \"demo/worker-1\";"), "{dot}");
}

#[test]
fn of_many_agents_each_is_listed_once_in_its_order() {
    let house = House::new();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"crowd\"\n[[team.agent]]\nname = \"echo\"\nkind = \"echo\"\nreplicas = 2500\n",
    );
    let _triarch = house.up(&[]);
    let listed = text(&house.run(&["agent", "list"]).stdout);
    let name = |line: &str| line.split_once('/').unwrap().1.split(' ').next().unwrap().to_owned();
    let names: Vec<_> = listed.lines().skip(1).map(name).collect();
    let all: Vec<_> = (1..=2500).map(|number| format!("echo-{number}")).collect();
    assert!(names == all, "{listed}");
    let as_json = house.json(&["agent", "list"]);
    assert_eq!(as_json.as_array().map(Vec::len), Some(2500));
    let tree = text(&house.run(&["tree", "crowd"]).stdout);
    assert_eq!(tree.lines().filter(|line| line.contains("/echo-")).count(), 2500);
}

#[test]
fn an_agent_can_be_stopped_restarted_paused_and_asked_why() {
    let house = House::new();
    let _triarch = house.up(&[]);
    assert_eq!(house.json(&["agent", "stop", "worker-1"])["state"], "stopped");
    let restarted = house.json(&["agent", "restart", "demo/worker-1"]);
    // The demo gives it work at any time.
    assert!(
        ["idle", "busy"].contains(&restarted["state"].as_str().unwrap()),
        "{restarted}"
    );
    assert_eq!(restarted["incarnation"], 2);
    assert_eq!(house.json(&["agent", "pause", "worker-1"])["state"], "paused");
    let late = house.run(&["agent", "ask", "worker-1", "1", "--within", "50ms"]);
    assert_eq!(late.status.code(), Some(3), "{}", text(&late.stderr));
    let said = text(&late.stderr);
    let remedy = "`triarch agent resume demo/worker-1`";
    assert!(
        said.contains("demo/worker-1 is paused") && said.contains(remedy),
        "{said}"
    );
    assert_ne!(house.json(&["agent", "resume", "worker-1"])["state"], "paused");
    let why = house.json(&["why", "worker-1"]);
    assert_eq!(why["path"], "demo/worker-1");
    assert!(
        why["history"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["to"] == "stopped"),
        "{why}"
    );
}

#[test]
fn a_team_can_be_scaled_stopped_and_started() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let agents = |team: &Value| team["agents"].as_array().unwrap().len();
    let before = agents(&house.json(&["team", "show", "demo"]));
    assert_eq!(
        agents(&house.json(&["team", "scale", "demo", "worker", "5"])),
        before + 2
    );
    assert_eq!(
        agents(&house.json(&["team", "scale", "demo", "worker", "1"])),
        before - 2
    );
    house.json(&["team", "stop", "demo"]);
    // It does not take the hour: nobody starts it meanwhile.
    let asked = house.run(&["agent", "ask", "worker-1", "1", "--within", "1h"]);
    let said = text(&asked.stderr);
    assert_eq!(asked.status.code(), Some(3), "{said}");
    assert!(
        said.contains("demo/worker-1 is stopped") && said.contains("`triarch team start demo`"),
        "{said}"
    );
    house.json(&["team", "start", "demo"]);
    assert_eq!(house.json(&["agent", "ask", "worker-1", "1"])["result"], 1);
    assert_eq!(house.json(&["team", "list"])[0]["name"], "demo");
}

#[test]
fn an_agent_that_was_spawned_is_there_with_its_settings() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let spawned = house.json(&["agent", "spawn", "demo", "more", "--kind", "echo", "--set", "delay=1ms"]);
    assert_eq!(spawned["path"], "demo/more");
    assert_eq!(house.json(&["agent", "ask", "more", "hello"])["result"], "hello");
    let refused = house.run(&["agent", "spawn", "demo", "less", "--kind", "ecko"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn what_any_agent_may_be_described_with_may_be_set_of_one_that_is_spawned() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let spawn = |name: &str, settings: [&str; 2]| {
        let [one, other] = settings;
        house.run(&[
            "agent", "spawn", "demo", name, "--kind", "echo", "--set", one, "--set", other,
        ])
    };
    let spawned = spawn("more", ["capabilities=[\"greet\"]", "mailbox.capacity=7"]);
    assert!(spawned.status.success(), "{}", text(&spawned.stderr));
    let shown = house.json(&["agent", "show", "more"]);
    assert_eq!(shown["capabilities"], serde_json::json!(["greet"]), "{shown}");
    assert_eq!(shown["mailbox"]["capacity"], 7, "{shown}");
    let done = house.run(&["task", "submit", "hello", "1", "--needs", "greet", "--wait"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for (settings, words) in [
        (["tasks.at_once=5000", "delay=1ms"], "1000 or fewer"),
        (["delay=1ms", "mailbox.capacity=lots"], "`mailbox.capacity=lots`: "),
        (["replicas=3", "delay=1ms"], "replicas"),
        (["restart=never", "delay=1ms"], "permanent"),
        (["capabilitys=[]", "delay=1ms"], "write capabilities"),
    ] {
        let refused = spawn("less", settings);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_setting_in_a_table_is_set_by_a_key_with_dots_and_one_that_is_mistyped_is_told_from_the_nearest() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let spawn = |name: &str, wall: &str| {
        let command = [
            "agent",
            "spawn",
            "demo",
            name,
            "--kind",
            "program",
            "--set",
            "command=[\"cat\"]",
        ];
        let more = ["--set", "sandbox.kind=none", "--set", "mode=exec", "--set", wall];
        house.run(&[&command[..], &more].concat())
    };
    let spawned = spawn("brief", "limits.wall=5s");
    assert!(spawned.status.success(), "{}", text(&spawned.stderr));
    assert_eq!(house.ask("brief", "7"), 7);
    let refused = spawn("briefer", "limits.wal=5s");
    assert_eq!(refused.status.code(), Some(2));
    let told = text(&refused.stderr);
    assert!(
        told.contains("unknown field `wal`") && told.contains("write limits.wall"),
        "{told}"
    );
}

#[test]
fn what_is_not_there_is_code_4_and_says_where_to_look() {
    let house = House::new();
    let _triarch = house.up(&[]);
    for arguments in [
        &["agent", "show", "nobody"][..],
        &["team", "show", "none"],
        &["tree", "nowhere"],
    ] {
        let output = house.run(arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains("`triarch "), "{said}");
    }
}

/// Each verb of the page, as it is written there, and whether it asks the runtime.
fn verbs_of_the_page() -> Vec<(Vec<&'static str>, bool)> {
    let sections = include_str!("../../docs/CLI.md").split("\n### `").skip(1);
    let usage = |section: &'static str| section.split("```text\ntriarch ").nth(1)?.lines().next();
    let words = |usage: &'static str| {
        let is_kept = |word: &&str| !word.starts_with('[');
        let filled = |word| {
            if [
                "<REPLICAS>",
                "<NAME>",
                "<TASK>",
                "<TASK>...",
                "<SCHEDULE>",
                "<NAMESPACE>",
            ]
            .contains(&word)
            {
                "7"
            } else {
                word
            }
        };
        usage.split(' ').filter(is_kept).map(filled).collect()
    };
    let verbs =
        sections.filter_map(|section| Some((words(usage(section)?), section.contains("\n- It asks the runtime."))));
    verbs.collect()
}

#[test]
fn without_a_runtime_a_verb_is_code_69_if_and_only_if_the_page_says_that_it_asks_one() {
    let house = House::new();
    let verbs = verbs_of_the_page();
    assert!(verbs.len() > 30, "{}", verbs.len());
    for (words, asks) in verbs {
        let more: &[&str] = match words[0] {
            "up" => &["--for", "1ms"],
            "task" if words[1] == "submit" => &["build"],
            "bus" if matches!(words[1], "replay" | "drop") => &["--all"],
            "memory" if words[1] == "put" => &["1"],
            "completions" => continue,
            _ => &[],
        };
        let output = house.run(&[&words, more].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code() == Some(69), asks, "{words:?}: {said}");
        assert_ne!(output.status.code(), Some(2), "{words:?}: {said}");
    }
}

#[test]
fn without_a_runtime_the_answer_is_code_69() {
    let output = House::new().run(&["status"]);
    assert_eq!(output.status.code(), Some(69));
    let said = text(&output.stderr);
    assert!(said.contains("start one with `triarch up`"), "{said}");
}

#[test]
fn what_cannot_be_followed_is_code_2() {
    let house = House::new();
    for arguments in [&["--fro"][..], &["up", "--for", "ever"], &["agent", "dance"]] {
        assert_eq!(house.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let config = house.write("broken.toml", "[runtime]\nspam = 1\n");
    let output = house.run(&["up", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("broken.toml:2:1") && said.contains("write `span`"),
        "{said}"
    );
}

#[test]
fn help_version_and_completions_go_to_standard_output() {
    let house = House::new();
    assert_eq!(text(&house.run(&["--version"]).stdout), "triarch 0.1.0\n");
    assert!(text(&house.run(&["--help"]).stdout).contains("Usage: triarch"));
    assert!(text(&house.run(&["completions", "bash"]).stdout).contains("_triarch"));
}

#[test]
fn a_description_can_be_begun_checked_and_shown() {
    let house = House::new();
    assert_eq!(house.run(&["config", "init"]).status.code(), Some(0));
    assert_ne!(
        house.run(&["config", "init"]).status.code(),
        Some(0),
        "it is not written over"
    );
    let checked = house.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&house.run(&["config", "show"]).stdout).contains("TRIARCH_GATEWAY__LISTEN"));
    let schema: Value = serde_json::from_slice(&house.run(&["config", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["team"].is_object());
}

#[test]
fn a_reload_takes_up_what_has_changed_and_says_what_needs_a_restart() {
    let house = House::new();
    let team = |replicas: u32, more: &str| {
        format!("[[team]]\nname = \"a\"\n[[team.agent]]\nname = \"e\"\nkind = \"echo\"\nreplicas = {replicas}\n{more}")
    };
    house.write("triarch.toml", &team(1, ""));
    let mut runtime = house.up(&[]);
    house.write(
        "triarch.toml",
        &format!("[runtime]\nspan = 3\n{}", team(3, "[[team]]\nname = \"b\"\n")),
    );
    let reloaded = house.json(&["reload"]);
    assert_eq!(reloaded["changed"].as_array().unwrap().len(), 2, "{reloaded}");
    assert_eq!(reloaded["needs_restart"], serde_json::json!(["runtime.span"]));
    assert_eq!(house.json(&["agent", "ask", "e-3", "1"])["result"], 1);
    assert_eq!(house.json(&["team", "list"]).as_array().unwrap().len(), 2);
    house.write("triarch.toml", "[[team]]\nnam = 1\n");
    let refused = house.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert_eq!(
        house.json(&["agent", "ask", "e-3", "1"])["result"],
        1,
        "nothing has changed"
    );
    house.write("triarch.toml", &team(2, ""));
    runtime.signal("HUP");
    runtime.line_with("a/e-3 life 1 was asked to stop", PATIENCE);
}

#[test]
fn the_doctor_finds_nothing_bad_where_a_runtime_runs_and_where_none_does() {
    let house = House::new();
    assert_eq!(house.run(&["doctor"]).status.code(), Some(0));
    assert_eq!(looked_at(&house, "runtime").1, "none runs with that folder");
    assert!(looked_at(&house, "address").1.ends_with("is free"));
    let _runtime = house.up(&[]);
    let findings = house.json(&["doctor"]);
    let findings = findings.as_array().unwrap();
    let subjects: Vec<_> = findings.iter().map(|finding| finding["subject"].clone()).collect();
    let all = [
        "description",
        "state folder",
        "disk",
        "runtime",
        "address",
        "open files",
        "control groups",
    ];
    assert_eq!(subjects, all);
    let is_bad = |finding: &Value| finding["verdict"] == "bad" || finding["found"] == "";
    assert!(!findings.iter().any(is_bad), "{findings:?}");
    assert_eq!(looked_at(&house, "runtime").1, "one runs and answers");
    assert!(looked_at(&house, "address").1.ends_with("is in use by the runtime"));
    assert!(looked_at(&house, "disk").1.ends_with("are free"));
    let config = house.write("broken.toml", "[runtime]\nspam = 1\n");
    let output = house.run(&["doctor", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
}

/// The verdict of the doctor on something, and what it found.
fn looked_at(house: &House, subject: &str) -> (String, String) {
    let output = house.run(&["doctor", "--json"]);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut findings = findings.as_array().unwrap().iter();
    let finding = findings.find(|finding| finding["subject"] == subject).unwrap();
    let is_bad = finding["verdict"] == "bad";
    assert!(!is_bad || output.status.code() == Some(1), "{finding}");
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    (text("verdict"), text("found"))
}

#[test]
fn the_doctor_sees_who_is_in_the_way() {
    let house = House::new();
    let stranger = std::net::TcpListener::bind(("127.0.0.1", house.port)).unwrap();
    assert_eq!(looked_at(&house, "address").0, "bad");
    house.write("triarch.toml", "[gateway]\nhttp = false\n");
    assert_eq!(looked_at(&house, "address").0, "well", "nobody wants it");
    let _runtime = house.up(&[]);
    house.write("triarch.toml", "");
    assert_eq!(looked_at(&house, "address").0, "bad", "the next start is to have it");
    assert_eq!(looked_at(&house, "runtime").0, "well");
    drop(stranger);
    assert_eq!(looked_at(&house, "address").0, "well");
    let key = house.write("key", &"0".repeat(64));
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    house.write("triarch.toml", "[memory]\nsealed_by = { file = \"key\" }\n");
    assert_eq!(looked_at(&house, "key of the store").0, "poor");
}

#[test]
fn the_demo_uses_what_agents_share() {
    let house = House::new();
    let _runtime = house.up(&[]);
    until("a turn was heard and its task done", || {
        let shown = house.json(&["agent", "show", "market/crier"])["shown"].clone();
        let done = house.json(&["task", "stats"])["done"].as_u64();
        shown["heard"].as_u64() > Some(0) && shown["refused"] == 0 && done > Some(0)
    });
    let counted = house.json(&["memory", "get", "shared", "market/crier"]);
    assert_eq!(counted["owner"], "market/crier", "{counted}");
}

#[test]
fn traffic_of_a_team_that_is_split_among_supervisors_is_known_by_its_team() {
    let house = House::new();
    let agent = |name: &str, kind: &str| format!("[[team.agent]]\nname = \"{name}\"\nkind = \"{kind}\"\n");
    let agents = [agent("one", "echo"), agent("two", "echo"), agent("crier", "traffic")].concat();
    let team = format!("[runtime]\nspan = 2\n[[team]]\nname = \"market\"\n{agents}");
    house.write("triarch.toml", &team);
    let _runtime = house.up(&[]);
    let entry = ["memory", "get", "shared", "market/crier"];
    until("it has counted", || house.run(&entry).status.success());
    let path = house.json(&["agent", "show", "crier"])["path"].clone();
    assert!(path.as_str().unwrap().starts_with("market."), "{path}");
}

#[test]
fn the_demo_tells_how_an_agent_that_was_killed_recovers() {
    let output = House::new().run(&["demo"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("handled in life 2: recovered "), "{said}");
}

#[test]
fn dashboards_and_rules_are_written_as_they_lie_in_the_repository() {
    let house = House::new();
    let output = house.run(&["dashboard", "export", "watch"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/dashboards/overview.json");
    let written = house.path().join("watch/dashboards/overview.json");
    assert_eq!(std::fs::read(written).unwrap(), std::fs::read(ours).unwrap());
}

#[test]
fn what_is_said_may_come_by_the_standard_input() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let given = house.write("given", "{\"long\": \"\u{e4}\"}\n");
    let said = |arguments: &[&str]| {
        let mut command = house.command(arguments);
        command.stdin(std::fs::File::open(&given).unwrap());
        let output = command.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let asked = said(&["agent", "ask", "worker-1", "-", "--json"]);
    assert_eq!(asked["result"], serde_json::json!({ "long": "\u{e4}" }));
    let task = said(&["task", "submit", "build", "-", "--json"])[0]["task"].clone();
    let shown = house.json(&["task", "show", &task.to_string()]);
    assert_eq!(shown["body"], serde_json::json!({ "long": "\u{e4}" }));
    let nothing = house.run(&["agent", "ask", "worker-1", "-", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&nothing.stdout).unwrap()["result"], "");
}

#[test]
fn a_broadcast_goes_to_all_who_take_it_and_names_who_does_not() {
    let house = House::new();
    let agent = |name: &str| format!("[[team.agent]]\nname = \"{name}\"\nkind = \"echo\"\nmailbox.capacity = 1\n");
    house.write(
        "triarch.toml",
        &format!("[[team]]\nname = \"t\"\n{}{}{}", agent("a"), agent("b"), agent("c")),
    );
    let _triarch = house.up(&[]);
    house.json(&["agent", "pause", "b"]);
    house.json(&["agent", "send", "b", "1"]);
    let in_vain = house.run(&["team", "broadcast", "t", "2", "--within", "100ms"]);
    let said = text(&in_vain.stderr);
    assert!(said.contains("2 of 3 agents got it, not t/b: "), "{said}");
    assert_ne!(in_vain.status.code(), Some(0));
    let handled = |agent: &str| house.json(&["agent", "show", agent])["mailbox"]["handled"].clone();
    until("the others handle it", || handled("a") == 1 && handled("c") == 1);
    house.json(&["agent", "resume", "b"]);
    until("what lay there is handled", || handled("b") == 1);
    assert_eq!(
        house.json(&["team", "broadcast", "t", "3"]).as_array().map(Vec::len),
        Some(3)
    );
}
