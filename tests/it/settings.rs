//! Every setting there is, changed while the runtime runs: it is taken up or said to need a restart, and never ignored.

use serde_json::{Value, json};

use crate::running::House;
use crate::text;

/// What follows from a change of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Follows {
    /// It counts at once, and stops nobody.
    Live,
    /// It counts when the runtime is started again.
    AtRestart,
    /// The agent is replaced by one that begins with it, and nobody else is.
    Replaced,
    /// The whole team is.
    TeamReplaced,
    /// The tests set it by the environment, which goes before the file: nothing changes.
    Shadowed,
}

use Follows::{AtRestart, Live, Replaced, Shadowed, TeamReplaced};

/// A key, a line that gives it another value, and what follows.
type Setting = (&'static str, &'static str, Follows);

/// Each key of each section.
const SETTINGS: &[(&str, &[Setting])] = &[
    (
        "`[runtime]`",
        &[
            ("state_dir", "state_dir = \"/other\"", Shadowed),
            ("span", "span = 7", AtRestart),
            ("stop_within", "stop_within = \"9s\"", Live),
            ("log.format", "log.format = \"json\"", Live),
            ("log.level", "log.level = \"warn\"", Live),
        ],
    ),
    (
        "`[telemetry]`",
        &[
            ("look_every", "look_every = \"9ms\"", Live),
            ("limits.within", "limits.within = \"9m\"", Live),
            ("limits.free", "limits.free = 9", Live),
            ("limits.pause", "limits.pause = \"9s\"", Live),
            ("limits.warn_from", "limits.warn_from = 3", Live),
            ("limits.error_from", "limits.error_from = 9", Live),
            ("limits.children", "limits.children = 9", Live),
            ("events.file_bytes", "events.file_bytes = \"64KiB\"", AtRestart),
            ("events.files", "events.files = 9", AtRestart),
        ],
    ),
    (
        "`[bus]`",
        &[
            ("payload_max", "payload_max = \"2MiB\"", AtRestart),
            ("counted", "counted = [\"a.*\"]", AtRestart),
            ("dead_letters", "dead_letters = 9", AtRestart),
            ("dead_letters_bytes", "dead_letters_bytes = \"65MiB\"", AtRestart),
            ("delayed", "delayed = 9", AtRestart),
            ("delayed_bytes", "delayed_bytes = \"65MiB\"", AtRestart),
            ("requests", "requests = 9", AtRestart),
            ("subscriptions", "subscriptions = 9", AtRestart),
            ("access", "access = [{ topics = \"a.*\", teams = [\"t\"] }]", AtRestart),
            ("durable", "durable = [{ topics = \"a.*\" }]", AtRestart),
        ],
    ),
    (
        "`[memory]`",
        &[
            ("flush_every", "flush_every = \"9s\"", AtRestart),
            ("retain_every", "retain_every = \"9s\"", AtRestart),
            ("snapshot_every", "snapshot_every = \"9m\"", AtRestart),
            ("snapshot_after", "snapshot_after = \"9MiB\"", AtRestart),
            ("sealed_by", "sealed_by = { env = \"KEY\" }", AtRestart),
        ],
    ),
    (
        "`[work]`",
        &[
            ("lease", "lease = \"9s\"", AtRestart),
            ("patience", "patience = \"9s\"", AtRestart),
            ("lapses", "lapses = 9", AtRestart),
            ("deaths", "deaths = 9", AtRestart),
            ("open_max", "open_max = 9", AtRestart),
            ("body_bytes_max", "body_bytes_max = \"9MiB\"", AtRestart),
            ("needs_max", "needs_max = 9", AtRestart),
            ("ended_max", "ended_max = 9", AtRestart),
            ("dead_max", "dead_max = 9", AtRestart),
            ("ended_bytes_max", "ended_bytes_max = \"9MiB\"", AtRestart),
            ("inputs_bytes_max", "inputs_bytes_max = \"9MiB\"", AtRestart),
            ("late_max", "late_max = 9", AtRestart),
            ("events", "events = true", AtRestart),
            ("snapshot_after", "snapshot_after = \"9MiB\"", AtRestart),
        ],
    ),
    (
        "`[programs]`",
        &[
            ("log_file_bytes", "log_file_bytes = \"1MiB\"", AtRestart),
            ("log_files", "log_files = 9", AtRestart),
        ],
    ),
    (
        "`[gateway]`",
        &[
            ("listen", "listen = \"127.0.0.1:1\"", Shadowed),
            ("insecure", "insecure = true", AtRestart),
            ("http", "http = false", AtRestart),
            ("hosts", "hosts = [\"fleet.local:1\"]", AtRestart),
            ("http_connections", "http_connections = 9", Live),
            ("socket_connections", "socket_connections = 9", Live),
        ],
    ),
    (
        "`[[team]]`",
        &[
            ("name", "name = \"other\"", TeamReplaced),
            ("strategy", "strategy = \"rest_for_one\"", TeamReplaced),
            (
                "intensity.restarts",
                "intensity = { restarts = 9, within = \"30s\" }",
                Live,
            ),
            (
                "intensity.within",
                "intensity = { restarts = 5, within = \"9s\" }",
                Live,
            ),
            ("backoff.first", "backoff.first = \"9ms\"", Live),
            ("backoff.factor", "backoff.factor = 9.0", Live),
            ("backoff.max", "backoff.max = \"9s\"", Live),
            ("backoff.jitter", "backoff.jitter = 0.9", Live),
            ("dispatch", "dispatch = \"least_loaded\"", Live),
        ],
    ),
    (
        "`[[team.agent]]`",
        &[
            ("name", "name = \"other\"", Replaced),
            ("kind", "kind = \"timer\"\nto = [\"t/b\"]\nevery = \"1h\"", Replaced),
            ("replicas", "replicas = 1", Replaced),
            ("restart", "restart = \"transient\"", Replaced),
            ("shutdown", "shutdown = \"9s\"", Replaced),
            ("start_within", "start_within = \"9s\"", Replaced),
            ("handle_within", "handle_within = \"9s\"", Replaced),
            ("mailbox.capacity", "mailbox.capacity = 9", Replaced),
            ("mailbox.overflow", "mailbox.overflow = \"reject\"", Replaced),
            ("backoff.first", "backoff.first = \"9ms\"", Replaced),
            ("backoff.factor", "backoff.factor = 9.0", Replaced),
            ("backoff.max", "backoff.max = \"9s\"", Replaced),
            ("backoff.jitter", "backoff.jitter = 0.9", Replaced),
            ("on_limit", "on_limit = \"escalate\"", Replaced),
            ("capabilities", "capabilities = [\"echo\"]", Live),
            ("tasks.at_once", "tasks = { at_once = 9 }", Live),
            ("tasks.ahead", "tasks = { ahead = 9 }", Live),
            ("tasks.weight", "tasks = { weight = 9 }", Live),
            ("role", "role = \"echoes\"", Live),
        ],
    ),
    (
        "Agents of kind `echo`",
        &[
            ("delay", "delay = \"1ms\"", Replaced),
            ("fail_every", "fail_every = 99", Replaced),
        ],
    ),
    (
        "Agents of kind `program`",
        &[
            ("command", "command = [\"cat\", \"-\"]", Replaced),
            ("mode", "mode = \"exec\"", Replaced),
            ("dir", "dir = \"/var/tmp\"", Replaced),
            ("env", "env = { A = \"b\" }", Replaced),
            ("inherit", "inherit = [\"PATH\"]", Replaced),
            ("secrets", "secrets = { KEY = { env = \"HOME\" } }", Replaced),
            ("limits.memory", "limits.memory = \"1GiB\"", Replaced),
            ("limits.cpu", "limits.cpu = \"1h\"", Replaced),
            ("limits.open_files", "limits.open_files = 99", Replaced),
            ("limits.processes", "limits.processes = 9999", Replaced),
            ("limits.wall", "limits.wall = \"1h\"", Replaced),
            ("sandbox.kind", "sandbox.kind = \"none\"", Replaced),
            ("sandbox.read", "sandbox.read = [\"/usr\"]", Replaced),
            ("sandbox.write", "sandbox.write = [\"/tmp\"]", Replaced),
            ("line_max", "line_max = \"2MiB\"", Replaced),
            ("unanswered_max", "unanswered_max = 9", Replaced),
            ("heartbeat.every", "heartbeat.every = \"9s\"", Replaced),
            ("heartbeat.degraded", "heartbeat.degraded = \"3s\"", Replaced),
            ("heartbeat.critical", "heartbeat.critical = \"9s\"", Replaced),
            ("heartbeat.failed", "heartbeat.failed = \"9s\"", Replaced),
            ("answers", "answers = false", Replaced),
        ],
    ),
];

/// The keys that the page of settings has below a heading.
fn documented(heading: &str) -> Vec<&'static str> {
    let page = include_str!("../../docs/CONFIG.md");
    let lines = page
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading);
    let rows = lines.skip(1).take_while(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect()
}

#[test]
fn every_section_of_the_page_is_walked_and_every_key_of_it() {
    for (heading, settings) in SETTINGS {
        let walked: Vec<_> = settings.iter().map(|(key, ..)| *key).collect();
        assert_eq!(walked, documented(heading), "{heading}");
    }
    let page = include_str!("../../docs/CONFIG.md");
    let sections = page.lines().filter_map(|line| line.strip_prefix("## "));
    // A list of tables in a section is one of its keys.
    let is_own = |heading: &&str| !heading.starts_with("`[[") || heading.starts_with("`[[team");
    let sections = sections.filter(is_own);
    let walked: Vec<_> = SETTINGS
        .iter()
        .map(|(heading, _)| *heading)
        .filter(|heading| heading.starts_with('`'))
        .collect();
    assert_eq!(
        sections.collect::<Vec<_>>(),
        walked,
        "what agents of further kinds may set replaces them too"
    );
}

/// A team of the agent that is changed and one beside it, with a line put where `heading` says.
fn description(heading: &str, line: &str) -> String {
    let section = heading.trim_matches('`');
    let at = |here: &str| if section == here { line } else { "" };
    let named = |here: &str, name: &str| {
        let is_named = at(here).starts_with("name");
        if is_named {
            String::new()
        } else {
            format!("name = \"{name}\"")
        }
    };
    let kind = match heading {
        _ if line.starts_with("kind") => "",
        "Agents of kind `program`" if line.starts_with("command") => "kind = \"program\"",
        "Agents of kind `program`" => "kind = \"program\"\ncommand = [\"cat\"]",
        _ => "kind = \"echo\"",
    };
    let of_kind = if heading.starts_with("Agents") { line } else { "" };
    let rooms = [
        "[runtime]",
        "[telemetry]",
        "[bus]",
        "[memory]",
        "[work]",
        "[programs]",
        "[gateway]",
    ];
    let rooms = rooms.map(|room| format!("{room}\n{}\n", at(room))).concat();
    format!(
        "{rooms}[[team]]\n{}\n{}\n[[team.agent]]\n{}\n{kind}\n{}\n{of_kind}\n[[team.agent]]\nname = \"b\"\nkind = \"echo\"\n",
        named("[[team]]", "t"),
        at("[[team]]"),
        named("[[team.agent]]", "a"),
        at("[[team.agent]]"),
    )
}

/// How many posts an agent's mailbox has taken in, which one that was replaced does not remember; `None` where there is no such agent.
fn taken_in(house: &House, agent: &str) -> Option<u64> {
    let output = house.run(&["agent", "show", agent, "--json"]);
    let shown: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    shown?["mailbox"]["enqueued"].as_u64()
}

fn assert_followed(house: &House, heading: &str, (key, line, follows): Setting) {
    let what = format!("{heading} {key}");
    for agent in ["t/a", "t/b"] {
        house.json(&["agent", "send", agent, "1"]);
    }
    let before = taken_in(house, "t/b");
    house.write("triarch.toml", &description(heading, line));
    let output = house.run(&["reload", "--json"]);
    let reloaded: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{what}: {}", text(&output.stderr)));
    assert_eq!(reloaded["failed"], json!([]), "{what}");
    let section = heading.trim_matches(['`', '[', ']']);
    let (changed, later) = (reloaded["changed"].as_array().unwrap(), &reloaded["needs_restart"]);
    let is_replaced = |agent: &str, before: Option<u64>| taken_in(house, agent) < before;
    let later_key = later[0].as_str().unwrap_or_default();
    let is_it = later_key.strip_prefix(&format!("{section}.{key}"));
    let is_later =
        later.as_array().unwrap().len() == 1 && is_it.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let seen = match (changed.is_empty(), is_later) {
        (true, true) => AtRestart,
        (true, false) => Shadowed,
        (false, _) if is_replaced("t/b", before) => TeamReplaced,
        (false, _) if is_replaced("t/a", Some(1)) => Replaced,
        (false, _) => Live,
    };
    assert_eq!(seen, follows, "{what}: {reloaded}");
    let again = house.json(&["reload"]);
    assert_eq!(
        (&again["changed"], &again["needs_restart"]),
        (&json!([]), later),
        "{what} is done once"
    );
}

fn walk(heading: &str) {
    let house = House::new();
    let (_, settings) = SETTINGS.iter().find(|(one, _)| *one == heading).unwrap();
    house.write("triarch.toml", &description(heading, ""));
    let _runtime = house.up(&[]);
    for setting in *settings {
        assert_followed(&house, heading, *setting);
        house.write("triarch.toml", &description(heading, ""));
        assert_eq!(house.json(&["reload"])["needs_restart"], json!([]));
    }
}

#[test]
fn settings_of_the_runtime_and_its_rooms_count_at_once_or_are_said_to_need_a_restart() {
    SETTINGS[..4].iter().for_each(|(heading, _)| walk(heading));
}

#[test]
fn settings_of_a_team_stop_nobody_but_for_its_strategy() {
    walk("`[[team]]`");
}

#[test]
fn settings_of_an_agent_replace_it_and_nobody_else() {
    walk("`[[team.agent]]`");
    walk("Agents of kind `echo`");
}

#[test]
fn settings_of_a_program_replace_it_and_nobody_else() {
    walk("Agents of kind `program`");
}
