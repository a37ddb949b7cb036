//! Programs as agents, and that nothing is left of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::PATIENCE;
use crate::running::{House, Running, until};
use crate::text;

/// Replies to each post, and keeps a helper in a session of its own that ignores being asked to end.
const STUBBORN: &str = r#"
import json, os, signal, subprocess, sys
helper = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", helper, sys.argv[1]], start_new_session=True)
for line in sys.stdin:
    post = json.loads(line)
    if post["body"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"type": "reply", "id": post["id"], "body": post["body"]}), flush=True)
"#;

/// A house with a team of two such programs.
fn house() -> House {
    let house = House::new();
    let script = house.write("stubborn.py", STUBBORN);
    let marker = house.path().join("marker");
    let fleet = format!(
        r#"
[[team]]
name = "tools"
backoff = {{ first = "1ms", max = "10ms" }}

  [[team.agent]]
  name = "py"
  kind = "program"
  command = ["python3", "-u", "{}", "{}"]
  replicas = 2
  shutdown = "200ms"
  sandbox = {{ kind = "none" }}
"#,
        script.display(),
        marker.display()
    );
    house.write("triarch.toml", &fleet);
    house
}

/// How many processes have something of the house in their command line, found by looking at all there are.
fn alive(house: &House) -> usize {
    let marker = house.path().join("marker").display().to_string();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let is_ours = |path: &Path| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&marker)
    };
    entries.filter(|entry| is_ours(&entry.path())).count()
}

/// Waits until so many processes are alive.
fn until_alive(house: &House, count: usize) {
    until(&format!("{count} are alive"), || alive(house) == count);
}

fn up(house: &House) -> Running {
    let running = house.up(&[]);
    for agent in ["py-1", "py-2"] {
        assert_eq!(house.ask(agent, "hello"), "hello");
        assert_eq!(house.json(&["agent", "show", agent])["kind"], "program");
    }
    // Two programs, and a helper of each.
    until_alive(house, 4);
    running
}

#[test]
fn nothing_is_left_of_programs_and_their_helpers_when_the_runtime_stops() {
    let house = house();
    let mut runtime = up(&house);
    house.json(&["down"]);
    assert_eq!(runtime.end(PATIENCE), Some(0));
    assert_eq!(alive(&house), 0);
}

#[test]
fn programs_are_counted_as_programs() {
    let house = house();
    let _runtime = up(&house);
    let (_, page) = house.get("/metrics");
    let idle = r#"triarch_agents{kind="program",state="idle"} 2"#;
    let entered = r#"triarch_agent_transitions_total{kind="program",to="idle"} 2"#;
    assert!(page.contains(idle) && page.contains(entered), "{page}");
}

#[test]
fn a_program_that_dies_is_started_again_without_what_it_left_behind() {
    let house = house();
    let _runtime = up(&house);
    let failed = house.run(&["agent", "ask", "py-1", "die"]);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stderr));
    assert_eq!(house.ask("py-1", "again"), "again");
    until_alive(&house, 4);
    let why = house.json(&["why", "py-1"]);
    assert_eq!(
        (&why["incarnation"], &why["ends"][0]["signal"]),
        (&2.into(), &9.into()),
        "{why}"
    );
    assert!(text(&house.run(&["logs", "py-1"]).stdout).contains("ended by signal 9"));
    house.json(&["down"]);
    assert_eq!(alive(&house), 0);
}

#[test]
fn what_a_killed_runtime_left_running_is_gone_when_the_next_one_runs() {
    let house = house();
    let mut runtime = up(&house);
    runtime.kill();
    let mut next = up(&house);
    house.json(&["down"]);
    assert_eq!(next.end(PATIENCE), Some(0));
    assert_eq!(alive(&house), 0);
}

#[test]
fn a_team_that_is_stopped_or_taken_out_of_the_description_leaves_nothing() {
    let house = house();
    let _runtime = up(&house);
    house.json(&["team", "stop", "tools"]);
    assert_eq!(alive(&house), 0);
    house.json(&["team", "start", "tools"]);
    assert_eq!(house.ask("py-2", "back"), "back");
    house.write("triarch.toml", "");
    let reloaded = house.json(&["reload", "--empty"]);
    assert_eq!(reloaded["needs_restart"].as_array().unwrap().len(), 0, "{reloaded}");
    assert_eq!(alive(&house), 0);
    assert_eq!(house.json(&["team", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn each_program_of_a_team_that_is_split_shows_its_process() {
    let house = house();
    let described = fs::read_to_string(house.path().join("triarch.toml")).unwrap();
    house.write("triarch.toml", &format!("[runtime]\nspan = 1\n{described}"));
    let _runtime = up(&house);
    for agent in ["tools/py-1", "tools.1/py-2", "tools/py-2"] {
        assert!(house.json(&["agent", "show", agent])["pid"].is_u64(), "{agent}");
    }
    let listed = house.json(&["agent", "list"]);
    assert!(
        listed.as_array().unwrap().iter().all(|agent| agent["pid"].is_u64()),
        "{listed}"
    );
}

/// A fleet in a folder of its own, whose program tells what it can reach: its own file, one beside the fleet, and the state.
fn prying(house: &House, folder: &str) {
    fs::create_dir_all(house.path().join(folder)).unwrap();
    house.write("secret", "sesame");
    let [secret, state] = ["secret", "state"].map(|name| house.path().join(name).display().to_string());
    let script = format!(
        "cat own || echo kept; cat {secret} || echo kept; ls {state} > /dev/null && echo open || echo kept; \
         touch {state}/mark && echo open || echo kept"
    );
    house.write(&format!("{folder}/pry.sh"), &script);
    house.write(&format!("{folder}/own"), "own\n");
    let fleet = "[[team]]\nname = \"tools\"\n[[team.agent]]\nname = \"pry\"\nkind = \"program\"\nmode = \"exec\"\n\
                 command = [\"sh\", \"pry.sh\"]\n";
    house.write(&format!("{folder}/triarch.toml"), fleet);
}

/// Whether this machine holds anybody to folders; where it does not, the log says so.
fn has_landlock(house: &House, agent: &str) -> bool {
    let log = || text(&house.run(&["logs", agent]).stdout);
    until("it has begun", || log().contains("has begun as process"));
    !log().contains("no Landlock")
}

#[test]
fn wherever_a_runtime_is_begun_programs_reach_the_folder_of_their_description_and_no_more() {
    let house = House::new();
    prying(&house, "fleet");
    let description = house.path().join("fleet/triarch.toml");
    for begun in [Path::new("/"), house.path()] {
        let mut command = house.command(&["--config", description.to_str().unwrap(), "up"]);
        command.current_dir(begun);
        let running = House::up_by(command);
        let told = house.ask("pry", "1");
        if has_landlock(&house, "pry") {
            assert_eq!(told, "own\nkept\nkept\nkept", "begun in {}", begun.display());
        } else {
            assert!(told.as_str().unwrap().starts_with("own\n"), "{told}");
        }
        drop(running);
    }
}

#[test]
fn a_fleet_in_the_home_folder_is_kept_out_of_it_and_the_log_says_what_to_do() {
    let house = House::new();
    prying(&house, ".");
    let running = house.up(&[]);
    let asked = house.run(&["agent", "ask", "pry", "1", "--within", "30s"]);
    if has_landlock(&house, "pry") {
        let said = text(&asked.stderr) + &text(&asked.stdout);
        let log = text(&house.run(&["logs", "pry"]).stdout);
        let expected = "is not open to it, since it is the home folder; name a folder of its own with dir";
        assert!(said.contains(expected), "{said}");
        assert!(log.contains(expected), "{log}");
        assert!(!said.contains("sesame"), "{said}");
        let why = text(&house.run(&["why", "pry"]).stdout);
        assert!(why.contains("a run in life 1 ended"), "{why}");
    }
    drop(running);
    let fleet = fs::read_to_string(house.path().join("triarch.toml")).unwrap();
    house.write("triarch.toml", &format!("{fleet}dir = \"~\"\nline_max = \"1B\"\n"));
    let checked = house.run(&["config", "check"]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(
        said.contains("is the home folder, and the sandbox would open it to the program")
            && said.contains("lines of 1B cannot be had"),
        "{said}"
    );
}

#[test]
fn of_a_log_the_last_lines_are_shown_and_all_since_a_time_or_of_a_life() {
    let house = House::new();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"tools\"\n[[team.agent]]\nname = \"wordy\"\nkind = \"program\"\n\
         command = [\"sh\", \"-c\", \"seq 250 >&2; read line\"]\nsandbox = { kind = \"none\" }\n",
    );
    let _runtime = house.up(&[]);
    let lines = |more: &[&str]| {
        let shown = text(&house.run(&[&["logs", "wordy"], more].concat()).stdout);
        (shown.lines().count(), shown.contains("250"))
    };
    until("it has said all", || lines(&[]).1);
    assert_eq!(lines(&[]), (100, true));
    assert!(lines(&["--since", "1h"]).0 > 250);
    assert!(lines(&["--since", "2026-01-01T00:00:00Z"]).0 > 250);
    assert!(lines(&["--incarnation", "1"]).0 > 250);
    assert_eq!(lines(&["--since", "1h", "--last", "7"]), (7, true));
}

#[test]
fn what_one_failed_with_is_not_laid_to_the_one_in_its_place() {
    let house = House::new();
    let failing = "exit $(cat)";
    let describe = |more: &str| {
        let agent = format!(
            "[[team]]\nname = \"tools\"\n[[team.agent]]\nname = \"a\"\nkind = \"program\"\nmode = \"exec\"\n\
             command = [\"sh\", \"-c\", {failing:?}]\nsandbox = {{ kind = \"none\" }}\n{more}"
        );
        house.write("triarch.toml", &agent);
    };
    describe("");
    let _runtime = house.up(&[]);
    let ask = |code: &str| drop(house.run(&["agent", "ask", "a", code]));
    let figures = || {
        let mailbox = &house.json(&["agent", "show", "a"])["mailbox"];
        (mailbox["handled"].as_u64(), mailbox["failed"].as_u64())
    };
    ["3", "3", "3"].into_iter().for_each(ask);
    assert_eq!(figures(), (Some(0), Some(3)));
    describe("env = { A = \"b\" }\n");
    house.json(&["reload"]);
    ["0", "0"].into_iter().for_each(ask);
    until("both are handled", || figures() == (Some(2), Some(0)));
}

#[test]
fn a_restart_of_one_whose_program_is_gone_is_told_as_not_done() {
    let house = house();
    let _triarch = house.up(&[]);
    let described = fs::read_to_string(house.path().join("triarch.toml")).unwrap();
    let there = house.write("py", "#!/bin/sh\nexec sleep 600\n");
    fs::set_permissions(&there, fs::Permissions::from_mode(0o755)).unwrap();
    let own = r#"
  [[team.agent]]
  name = "own"
  kind = "program"
  command = ["./py"]
  sandbox = { kind = "none" }
"#;
    house.write("triarch.toml", &(described + own));
    house.json(&["reload"]);
    fs::remove_file(there).unwrap();
    let restarted = house.run(&["agent", "restart", "tools/own"]);
    let said = text(&restarted.stderr);
    assert_eq!(restarted.status.code(), Some(1), "{said}{}", text(&restarted.stdout));
    assert!(
        said.contains("tools/own does not start") && said.contains("./py"),
        "{said}"
    );
}
