//! Programs that say that they live, and what follows when they do not.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::running::{House, Running, until};
use crate::text;

/// Says that it lives twenty times in a second, or not at all; answers, and stops as a whole where it is told to. What it
/// says of itself it counts in a file beside it.
const BEATS: &str = r#"
import json, os, signal, sys, threading, time
def say(**words):
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()
def beat(words):
    while True:
        say(**words)
        with open(os.environ["TRIARCH_AGENT"].replace("/", "-"), "a") as beats:
            beats.write(".")
        time.sleep(0.05)
def begin(words):
    threading.Thread(target=beat, args=(words,), daemon=True).start()
if sys.argv[1] == "beats":
    begin({"type": "heartbeat"})
for line in sys.stdin:
    post = json.loads(line)
    if post["body"] == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif post["body"] == "work":
        begin({"type": "progress", "id": post["id"], "percent": 7})
    else:
        say(type="reply", id=post["id"], body=post["body"])
"#;

/// The limits are far apart: whoever looks has to see each of them, and a busy machine is to degrade nobody for long.
const FLEET: &str = r#"
[[team]]
name = "tools"
backoff = { first = "1ms", max = "10ms" }

  [[team.agent]]
  name = "beats"
  kind = "program"
  command = ["python3", "-u", "beats.py", "beats"]
  heartbeat = { every = "50ms", degraded = "3s", critical = "8s", failed = "16s" }
  sandbox = { kind = "none" }
  shutdown = "1s"

  [[team.agent]]
  name = "busy"
  kind = "program"
  command = ["python3", "-u", "beats.py", "works"]
  heartbeat = { every = "50ms", degraded = "3s", critical = "8s", failed = "16s" }
  sandbox = { kind = "none" }
  shutdown = "1s"

  [[team.agent]]
  name = "quiet"
  kind = "program"
  command = ["python3", "-u", "beats.py", "quiet"]
  sandbox = { kind = "none" }
  shutdown = "1s"
"#;

fn up() -> (House, Running) {
    let house = House::new();
    house.write("beats.py", BEATS);
    house.write("triarch.toml", FLEET);
    let running = house.up(&[]);
    for agent in ["beats", "busy", "quiet"] {
        house.json(&["agent", "ask", agent, "1", "--within", "30s"]);
    }
    until("it gives signs of life", || health(&house, "beats") == "healthy");
    (house, running)
}

fn why(house: &House, agent: &str) -> Value {
    house.json(&["why", agent])
}

fn health(house: &House, agent: &str) -> String {
    let why = why(house, agent);
    why["health"]["state"].as_str().unwrap_or_default().to_owned()
}

/// Waits until the program of `agent` has counted so many more beats, twenty of which make a second.
fn beats(house: &House, agent: &str, count: u64) {
    let file = house.path().join(format!("tools-{agent}"));
    let counted = || fs::metadata(&file).map_or(0, |beats| beats.len());
    let enough = counted() + count;
    until("it beats", || counted() >= enough);
}

fn lives(house: &House) -> Vec<u64> {
    let of = |agent| why(house, agent)["incarnation"].as_u64().unwrap();
    ["beats", "busy", "quiet"].map(of).into()
}

#[test]
fn a_program_that_hangs_is_degraded_then_critical_then_started_again_and_others_stay() {
    let (house, mut runtime) = up();
    house.json(&["agent", "send", "busy", "work"]);
    for agent in ["beats", "quiet"] {
        house.json(&["agent", "send", agent, "hang"]);
    }
    until("it is degraded", || health(&house, "beats") == "degraded");
    let reason = |house: &House| why(house, "beats")["health"]["reason"].to_string();
    let said = reason(&house);
    assert!(
        said.contains("no sign of life for ") && said.contains("killed after 16 s"),
        "{said}"
    );
    until("it is critical", || health(&house, "beats") == "critical");
    let status = house.json(&["status"])["troubles"].to_string();
    assert!(
        status.contains("tools/beats is critical: no sign of life for "),
        "{status}"
    );
    runtime.line_with("no sign of life for 16 s", PATIENCE);
    until("it runs again", || health(&house, "beats") == "healthy");
    house.json(&["agent", "ask", "beats", "1", "--within", "30s"]);
    let after = why(&house, "beats");
    assert_eq!(after["last_exit"], "failed: no sign of life for 16 s", "{after}");
    assert_eq!(after["ends"][0]["reason"], "silent", "{after}");
    let history = after["history"].to_string();
    assert!(history.contains("no sign of life for 16 s"), "{history}");
    assert!(after["health"]["recovered_in_ms"].as_u64().is_some(), "{after}");
    assert_eq!(
        lives(&house),
        [2, 1, 1],
        "who declares nothing, or works, is left alone"
    );
    until("all are healthy", || {
        ["quiet", "busy"].iter().all(|agent| health(&house, agent) == "healthy")
    });
    told_of_the_hang(&house);
}

/// What is said of the hang elsewhere.
fn told_of_the_hang(house: &House) {
    let log = text(&house.run(&["logs", "beats"]).stdout);
    for words in [
        "is degraded: no sign of life for ",
        "is critical: no sign of life for ",
        "the program gave no sign of life",
        "handles posts again, ",
    ] {
        assert!(log.contains(words), "{log}");
    }
    let shown = text(&house.run(&["why", "beats"]).stdout);
    assert!(
        shown.contains("\nlast sign ") && shown.contains("\nrecovered "),
        "{shown}"
    );
    for series in [
        "triarch_program_exits_total{reason=\"silent\"} 1\n",
        "triarch_program_recoveries_total 1\n",
        "triarch_program_agents{health=\"healthy\"} 3\n",
        "\ntriarch_program_heartbeat_age_seconds_max 0.",
    ] {
        until(series, || house.get("/metrics").1.contains(series));
    }
}

#[test]
fn neither_a_runtime_that_was_stopped_nor_a_pause_is_a_silence_of_the_program() {
    let (house, runtime) = up();
    house.json(&["agent", "send", "busy", "work"]);
    beats(&house, "busy", 1);
    runtime.signal("STOP");
    beats(&house, "beats", 160);
    runtime.signal("CONT");
    until("it is healthy", || health(&house, "beats") == "healthy");
    let pid = house.json(&["agent", "show", "beats"])["pid"].to_string();
    house.json(&["agent", "pause", "beats"]);
    assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    beats(&house, "busy", 160);
    assert_eq!(lives(&house), [1, 1, 1]);
    house.json(&["agent", "resume", "beats"]);
    until("it is judged again", || lives(&house) == [2, 1, 1]);
}

#[test]
fn who_is_longer_at_a_post_than_it_may_is_a_trouble_until_it_is_done() {
    let house = House::new();
    house.write(
        "triarch.toml",
        "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"slow\"\nkind = \"echo\"\ndelay = \"1h\"\nshutdown = \"2h\"\nhandle_within = \"50ms\"\n",
    );
    let _runtime = house.up(&[]);
    assert_eq!(house.json(&["status"])["troubles"], json!([]));
    assert!(house.json(&["why", "slow"]).get("stuck").is_none());
    house.json(&["agent", "send", "slow", "1"]);
    let is_told = |text: &Value| {
        text.as_str()
            .is_some_and(|text| text.contains("is at one message for "))
    };
    until("it is seen", || is_told(&house.json(&["status"])["troubles"][0]));
    assert!(is_told(&house.json(&["why", "slow"])["stuck"]));
    assert_eq!(house.json(&["team", "show", "t"])["troubles"], json!(["t/slow"]));
    house.json(&["agent", "kill", "slow"]);
    until("it is over", || house.json(&["status"])["troubles"] == json!([]));
}
