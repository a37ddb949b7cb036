//! What a reload leaves alone, what it does not forget, and that there is one change at a time.

use std::time::Duration;

use serde_json::{Value, json};
use triarch::gateway::{Client, socket_path};

use crate::running::{House, Running};
use crate::{PATIENCE, text, until};

fn said(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect()
}

/// The names of a team's agents.
fn agents(house: &House, team: &str) -> Vec<String> {
    let shown = house.json(&["team", "show", team]);
    let mut names: Vec<_> = shown["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| agent["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

const BEFORE: &str = r#"
[[team]]
name = "t"
  [[team.agent]]
  name = "goes"
  kind = "echo"
  [[team.agent]]
  name = "stays"
  kind = "echo"
  [[team.agent]]
  name = "changes"
  kind = "echo"
  replicas = 2
"#;

const AFTER: &str = r#"
[runtime.log]
level = "warn"
[[team]]
name = "t"
intensity = { restarts = 50, within = "1m" }
backoff = { first = "1ms" }
  [[team.agent]]
  name = "changes"
  kind = "echo"
  delay = "1ms"
  replicas = 3
  [[team.agent]]
  name = "comes"
  kind = "echo"
  [[team.agent]]
  name = "stays"
  kind = "echo"
  role = "echoes"
[[team]]
name = "u"
"#;

#[test]
fn who_is_described_as_before_keeps_life_and_mailbox_whatever_else_changes() {
    let house = House::new();
    house.write("triarch.toml", BEFORE);
    let _runtime = house.up(&[]);
    house.json(&["agent", "pause", "stays"]);
    for body in ["1", "2", "3"] {
        house.json(&["agent", "send", "stays", body]);
    }
    house.write("triarch.toml", AFTER);
    let reloaded = house.json(&["reload"]);
    assert_eq!(
        said(&reloaded["changed"]),
        [
            "runtime.log.level: \"info\" → \"warn\"",
            "team t: intensity, backoff",
            "agent t/goes goes",
            "agent t/changes: delay, replicas",
            "agent t/stays: role",
            "agent t/comes comes",
            "agents of team t start in another order, from its next start on",
            "team u comes",
        ]
    );
    let stays = house.json(&["agent", "show", "stays"]);
    assert_eq!(
        (&stays["incarnation"], &stays["mailbox"]["depth"], &stays["role"]),
        (&json!(1), &json!(3), &json!("echoes"))
    );
    house.json(&["agent", "resume", "stays"]);
    assert_eq!(house.json(&["agent", "ask", "stays", "4"])["result"], 4);
    let stays = house.json(&["agent", "show", "stays"]);
    assert_eq!(stays["mailbox"]["handled"], 4, "what waited was handled");
    assert_eq!(house.json(&["status"])["dead_letters"], 0);
    assert_eq!(
        agents(&house, "t"),
        ["changes-1", "changes-2", "changes-3", "comes", "stays"]
    );
    assert_eq!(house.json(&["reload"])["changed"], json!([]), "nothing is left to do");
}

#[test]
fn a_team_that_starts_again_has_what_it_had_last_in_the_order_that_is_described() {
    let house = House::new();
    house.write("triarch.toml", &two_teams(&[("x", ""), ("a", ""), ("b", "")], &[]));
    let mut runtime = house.up(&[]);
    house.write("triarch.toml", &two_teams(&[("c", ""), ("b", ""), ("a", "")], &[]));
    house.json(&["reload"]);
    house.json(&["team", "stop", "t"]);
    house.json(&["team", "start", "t"]);
    // Each is looked for after the one before it.
    for agent in ["c", "b", "a"] {
        runtime.line_with(&format!("t/{agent} started, life 2"), PATIENCE);
    }
    assert_eq!(agents(&house, "t"), ["a", "b", "c"]);
    assert_eq!(house.json(&["reload"])["changed"], json!([]));
}

/// Two teams, of the agents that these lines describe.
fn two_teams(t: &[(&str, &str)], u: &[(&str, &str)]) -> String {
    let team = |name: &str, agents: &[(&str, &str)]| {
        let agent = |(name, more): &(&str, &str)| format!("[[team.agent]]\nname = {name:?}\nkind = \"echo\"\n{more}\n");
        let agents: String = agents.iter().map(agent).collect();
        format!("[[team]]\nname = {name:?}\n{agents}")
    };
    format!("{}{}", team("t", t), team("u", u))
}

#[test]
fn what_fails_on_the_way_is_told_and_tried_again_and_the_rest_is_done() {
    let house = House::new();
    house.write(
        "triarch.toml",
        &two_teams(&[("a", ""), ("b", "")], &[("c", ""), ("d", "")]),
    );
    let _runtime = house.up(&[]);
    assert_eq!(house.json(&["agent", "ask", "b", "1"])["result"], 1);
    // Nobody comes to a team that is down, nor goes.
    house.json(&["team", "stop", "t"]);
    let new = two_teams(
        &[("a", "delay = \"1ms\""), ("b", ""), ("e", "fail_every = 3")],
        &[("d", ""), ("f", "")],
    );
    house.write("triarch.toml", &new);
    let output = house.run(&["reload", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let reloaded: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said(&reloaded["changed"]), ["agent u/c goes", "agent u/f comes"]);
    let failed: Vec<_> = reloaded["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["change"])
        .collect();
    assert_eq!(failed, ["agent t/a: delay", "agent t/e comes"]);
    assert_eq!(
        (&reloaded["failed"][0]["why"], &reloaded["failed"][0]["done"]),
        (&json!("team t is down"), &json!(0))
    );

    let again = house.run(&["reload"]);
    assert_eq!(again.status.code(), Some(1));
    let remedy = "failed: team t is down; start it with `triarch team start t`, and reload then";
    assert_eq!(
        text(&again.stdout),
        format!("agent t/a: delay: {remedy}\nagent t/e comes: {remedy}\n"),
        "only what failed is tried again"
    );

    // Mended, and otherwise than it was described: nothing of what failed is remembered as if it were so.
    house.json(&["team", "start", "t"]);
    house.write(
        "triarch.toml",
        &two_teams(&[("a", ""), ("b", ""), ("e", "")], &[("d", ""), ("f", "")]),
    );
    assert_eq!(said(&house.json(&["reload"])["changed"]), ["agent t/e comes"]);
    assert_eq!(agents(&house, "t"), ["a", "b", "e"]);
    assert_eq!(agents(&house, "u"), ["d", "f"]);
    let kept = house.json(&["agent", "show", "b"]);
    assert_eq!(
        (&kept["incarnation"], &kept["mailbox"]["handled"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(house.json(&["agent", "show", "d"])["incarnation"], 1);
}

#[test]
fn what_cannot_be_followed_is_refused_before_anything_is_done() {
    let house = House::new();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"a\"\nkind = \"echo\"\n",
    );
    let _runtime = house.up(&[]);
    let no_such_program =
        "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"b\"\nkind = \"program\"\ncommand = [\"no-such-program\"]\n";
    let agents_together = |agents: u32, span: u32| {
        format!(
            "[runtime]\nspan = {span}\n[[team]]\nname = \"u\"\nstrategy = \"one_for_all\"\n[[team.agent]]\nname = \"b\"\nkind = \"echo\"\nreplicas = {agents}\n"
        )
    };
    // The span that is in force is the one that the runtime was started with.
    for (refused, code) in [(no_such_program.to_owned(), 2), (agents_together(12, 20), 5)] {
        house.write("triarch.toml", &refused);
        let output = house.run(&["reload"]);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        assert_eq!(agents(&house, "t"), ["a"]);
        assert_eq!(house.json(&["team", "list"]).as_array().unwrap().len(), 1);
    }
}

#[test]
fn agents_that_were_spawned_stay_through_reloads_and_restarts_of_their_team() {
    let house = House::new();
    let team = |more: &str| format!("[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"a\"\nkind = \"echo\"\n{more}");
    house.write("triarch.toml", &team(""));
    let _runtime = house.up(&[]);
    house.json(&["agent", "spawn", "t", "s", "--kind", "echo"]);
    assert_eq!(house.json(&["agent", "ask", "s", "1"])["result"], 1);
    let twice = house.run(&["agent", "spawn", "t", "s", "--kind", "echo"]);
    assert_eq!(twice.status.code(), Some(5), "{}", text(&twice.stderr));
    house.write("triarch.toml", &team("delay = \"1ms\"\n"));
    assert_eq!(said(&house.json(&["reload"])["changed"]), ["agent t/a: delay"]);
    let spawned = house.json(&["agent", "show", "s"]);
    assert_eq!(
        (&spawned["incarnation"], &spawned["mailbox"]["handled"]),
        (&json!(1), &json!(1))
    );
    house.json(&["team", "stop", "t"]);
    house.json(&["team", "start", "t"]);
    assert_eq!(house.json(&["agent", "show", "s"])["incarnation"], 2);
    house.json(&["agent", "spawn", "t", "x", "--kind", "echo"]);
    assert_eq!(house.json(&["agent", "stop", "x", "--forget"])["state"], "stopped");
    assert_eq!(agents(&house, "t"), ["a", "s"]);
    let described = house.run(&["agent", "stop", "a", "--forget"]);
    assert_eq!(described.status.code(), Some(5), "{}", text(&described.stderr));
    let described = "[[team.agent]]\nname = \"s\"\nkind = \"echo\"\n";
    house.write("triarch.toml", &team(described));
    assert_eq!(
        said(&house.json(&["reload"])["changed"]),
        ["agent t/a: delay", "agent t/s stands in the description now"]
    );
    assert_eq!(house.json(&["agent", "show", "s"])["incarnation"], 2);
    house.write("triarch.toml", &team(""));
    assert_eq!(said(&house.json(&["reload"])["changed"]), ["agent t/s goes"]);
    assert_eq!(agents(&house, "t"), ["a"]);
}

/// How many commands are connected, this one among them.
fn connections(house: &House) -> usize {
    let nodes = house.json(&["tree", "gateway"]);
    let paths = nodes
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["path"].as_str());
    paths.filter(|path| path.starts_with("gateway/socket-")).count()
}

/// Stops when there is a file `go`, and no sooner. A shell may lose a wish to stop that comes while it starts a command.
const SLOW: &str = r#"
import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
open("ready", "w")
signal.sigwait({signal.SIGTERM})
open("asked", "w")
while not os.path.exists("go"):
    time.sleep(0.02)
"#;

#[test]
fn of_several_changes_at_once_each_waits_for_the_one_before_it() {
    let house = House::new();
    house.write("slow.py", SLOW);
    let team = |slow: &str, replicas: u32| {
        format!("[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"e\"\nkind = \"echo\"\nreplicas = {replicas}\n{slow}")
    };
    let slow = "[[team.agent]]\nname = \"slow\"\nkind = \"program\"\ncommand = [\"python3\", \"slow.py\"]\nshutdown = \"10m\"\nsandbox = { kind = \"none\" }\n";
    house.write("triarch.toml", &team(slow, 2));
    let _runtime = house.up(&[]);
    until("the program runs", || house.path().join("ready").exists());
    house.write("triarch.toml", &team("", 4));
    let mut first = house.begin(&["reload"]);
    until("the first reload is under way", || house.path().join("asked").exists());
    let mut others = [
        house.begin(&["team", "scale", "t", "e", "6"]),
        house.begin(&["reload"]),
        house.begin(&["agent", "spawn", "t", "s", "--kind", "echo"]),
    ];
    for other in &mut others {
        other.line_with("waits for its turn: `reload` is at work", PATIENCE);
    }
    // One that is given up before its turn is not made.
    let mut given_up = house.begin(&["agent", "spawn", "t", "never", "--kind", "echo"]);
    given_up.line_with("waits for its turn", PATIENCE);
    drop(given_up);
    // The four that wait, and the one that looks.
    until("the one that was given up has left", || connections(&house) == 5);
    // Who only looks waits for nobody.
    assert_eq!(house.json(&["agent", "show", "slow"])["state"], "stopping");
    house.write("go", "");
    assert_eq!(first.said(), "agent t/slow goes\nagent t/e: replicas: 2 → 4");
    for other in &mut others {
        other.said();
        assert_eq!(other.end(PATIENCE), Some(0));
    }
    let reloaded = house.json(&["reload"]);
    assert_eq!(reloaded["failed"], json!([]), "{reloaded}");
    assert_eq!(agents(&house, "t"), ["e-1", "e-2", "e-3", "e-4", "s"]);
}

/// One program, `t/slow`, that ends when it may.
fn with_a_slow_program() -> (House, Running) {
    let house = House::new();
    house.write("slow.py", SLOW);
    let slow = "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"slow\"\nkind = \"program\"\ncommand = [\"python3\", \"slow.py\"]\nshutdown = \"10m\"\nsandbox = { kind = \"none\" }\n";
    house.write("triarch.toml", slow);
    let runtime = house.up(&[]);
    until("the program runs", || house.path().join("ready").exists());
    (house, runtime)
}

#[test]
fn a_restart_whose_asker_has_gone_is_carried_through() {
    let (house, _runtime) = with_a_slow_program();
    let asker = house.begin(&["agent", "restart", "t/slow"]);
    until("the program is to end", || house.path().join("asked").exists());
    drop(asker);
    // Longer than it takes to see that nobody waits.
    std::thread::park_timeout(Duration::from_millis(400));
    house.write("go", "");
    until("it is there again", || {
        let seen = house.json(&["agent", "show", "t/slow"]);
        seen["incarnation"] == 2 && seen["state"] == "idle"
    });
}

#[test]
fn a_reload_whose_asker_has_gone_is_carried_through() {
    let (house, _runtime) = with_a_slow_program();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"e\"\nkind = \"echo\"\n",
    );
    let asker = house.begin(&["reload"]);
    until("the reload is under way", || house.path().join("asked").exists());
    drop(asker);
    house.write("go", "");
    let reloaded = house.json(&["reload"]);
    assert_eq!((&reloaded["changed"], &reloaded["failed"]), (&json!([]), &json!([])));
    assert_eq!(agents(&house, "t"), ["e"]);
}

#[test]
fn a_hundred_wishes_to_reload_lose_no_post_and_disturb_nobody() {
    let house = House::new();
    let team = |level: &str| {
        format!(
            "[runtime.log]\nlevel = \"{level}\"\n[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"e\"\nkind = \"echo\"\n"
        )
    };
    house.write("triarch.toml", &team("warn"));
    let mut runtime = house.up(&[]);
    let mut client = Client::connect(&socket_path(&house.path().join("state"))).unwrap();
    for round in 0..100 {
        // What is written in one go is never read half.
        let next = house.write("next.toml", &team(["info", "warn"][round % 2]));
        std::fs::rename(next, house.path().join("triarch.toml")).unwrap();
        runtime.signal("HUP");
        for post in 0..5 {
            let body = round * 5 + post;
            let asked = json!({ "agent": "t/e", "body": body, "within": "30s" });
            let answer: Value = client.request("agent.ask", &asked, |_| {}).unwrap();
            assert_eq!(answer["result"], body, "{answer}");
        }
    }
    runtime.line_with("reloaded: runtime.log.level: ", PATIENCE);
    let shown = house.json(&["agent", "show", "e"]);
    assert_eq!(
        (&shown["incarnation"], &shown["mailbox"]["handled"]),
        (&json!(1), &json!(500))
    );
    let status = house.json(&["status"]);
    assert_eq!((&status["dead_letters"], &status["restarts"]), (&json!(0), &json!(0)));
    // The last wish is never lost: what it found is in force.
    until("the last description is in force", || {
        house.json(&["reload"])["changed"] == json!([])
    });
}

#[test]
fn a_wish_to_stop_is_heard_while_a_reload_is_under_way() {
    let house = House::new();
    house.write("slow.py", SLOW);
    let slow = "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"slow\"\nkind = \"program\"\ncommand = [\"python3\", \"slow.py\"]\nshutdown = \"10m\"\nsandbox = { kind = \"none\" }\n";
    house.write("triarch.toml", slow);
    let mut runtime = house.up(&[]);
    until("the program runs", || house.path().join("ready").exists());
    house.write("triarch.toml", "[[team]]\nname = \"u\"\n");
    runtime.signal("HUP");
    until("the reload is under way", || house.path().join("asked").exists());
    runtime.signal("TERM");
    // Impatience is heard only by one who has heard the wish to stop; two signals at once are one.
    until("the wish is heard", || {
        house.get("/health/ready").1.contains("draining")
    });
    assert_eq!(runtime.insist("TERM"), Some(130));
    house.write("go", "");
}

#[test]
fn the_level_and_format_of_the_log_change_while_it_is_written() {
    let house = House::new();
    let log = |log: &str| {
        format!(
            "[runtime]\nlog = {log}\n[telemetry]\nlook_every = \"10ms\"\n[[team]]\nname = \"t\"\nbackoff = {{ first = \"1ms\" }}\n[[team.agent]]\nname = \"e\"\nkind = \"echo\"\n"
        )
    };
    house.write("triarch.toml", &log("{ level = \"error\" }"));
    let mut runtime = house.up(&[]);
    house.json(&["agent", "restart", "e"]);
    house.write("triarch.toml", &log("{ level = \"info\" }"));
    house.json(&["reload"]);
    house.json(&["agent", "restart", "e"]);
    runtime.line_with("t/e started, life 3", PATIENCE);
    assert!(runtime.read_with("life 2 was asked").is_some());
    assert_eq!(runtime.read_with("t/e started, life 2"), None, "it was below the level");
    house.write("triarch.toml", &log("{ format = \"json\" }"));
    house.json(&["reload"]);
    house.json(&["agent", "restart", "e"]);
    let line = runtime.line_with("\"started\"", PATIENCE);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["incarnation"], 4, "{line}");
    house.write("triarch.toml", &log("{ level = \"error\" }"));
    house.json(&["reload"]);
    house.json(&["agent", "restart", "e"]);
    house.json(&["down"]);
    assert_eq!(runtime.end(PATIENCE), Some(0));
    assert_eq!(runtime.rest_with("life 5"), None);
}

#[test]
fn a_file_that_was_emptied_stops_nobody_unless_that_is_asked_for() {
    let house = House::new();
    house.write("triarch.toml", BEFORE);
    let mut runtime = house.up(&[]);
    let before = agents(&house, "t");
    for empty in ["", "[runtime.log]\nlevel = \"warn\"\n"] {
        house.write("triarch.toml", empty);
        runtime.signal("HUP");
        runtime.line_with("describes no team, and a reload would stop all that run", PATIENCE);
        let refused = house.run(&["reload"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(5), "{said}");
        assert!(said.contains("triarch reload --empty"), "{said}");
        assert_eq!(agents(&house, "t"), before);
    }
    let reloaded = house.json(&["reload", "--empty"]);
    assert!(said(&reloaded["changed"]).contains(&"team t goes"), "{reloaded}");
    assert_eq!(house.json(&["agent", "list"]), json!([]));
    house.json(&["reload"]);
    house.write("triarch.toml", BEFORE);
    house.json(&["reload"]);
    assert_eq!(agents(&house, "t"), before);
}

#[test]
fn what_an_agent_heard_is_not_brought_to_one_of_another_kind_in_its_place() {
    let house = House::new();
    let team =
        |team: &str, kind: &str| format!("[[team]]\nname = \"{team}\"\n[[team.agent]]\nname = \"a\"\nkind = {kind}\n");
    let traffic = "\"traffic\"\nevery = \"1h\"\ntopic = \"news\"";
    house.write("triarch.toml", &[team("t", traffic), team("u", traffic)].concat());
    let _runtime = house.up(&[]);
    let matched = || house.json(&["bus", "publish", "news", "1"])["matched"].clone();
    until("both hear it", || matched() == 2);
    let rules = "strategy = \"one_for_all\"\n[[team.agent]]";
    let of_another_strategy = team("u", "\"echo\"").replace("[[team.agent]]", rules);
    house.write("triarch.toml", &[team("t", "\"echo\""), of_another_strategy].concat());
    house.json(&["reload"]);
    assert_eq!(matched(), 0);
}
