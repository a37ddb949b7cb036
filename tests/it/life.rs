//! How it begins, and how it ends.

use crate::PATIENCE;
use crate::running::House;
use crate::{text, until};

/// A team of one that fails at each second post.
const FRAGILE: &str = r#"
[[team]]
name = "glass"
backoff = { first = "1ms", max = "1ms" }

  [[team.agent]]
  name = "vase"
  kind = "echo"
  fail_every = 2
"#;

#[test]
fn it_says_where_it_listens_and_what_it_runs() {
    let house = House::new();
    let output = house.run(&["up", "--for", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("triarch 0.1.0 runs "), "{said}");
    assert!(
        said.contains(&format!("http://127.0.0.1:{}/metrics", house.port)),
        "{said}"
    );
    assert!(said.contains("described in the built-in demo"), "{said}");
}

#[test]
fn a_signal_stops_it_in_order() {
    for signal in ["TERM", "INT"] {
        let house = House::new();
        let mut triarch = house.up(&[]);
        triarch.signal(signal);
        assert_eq!(triarch.end(PATIENCE), Some(0), "{signal}");
    }
}

#[test]
fn down_returns_when_the_runtime_is_gone() {
    let house = House::new();
    let mut triarch = house.up(&[]);
    let pid = triarch.pid();
    assert_eq!(house.json(&["down"])["pid"], pid);
    assert_eq!(house.run(&["status"]).status.code(), Some(69));
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

#[test]
fn a_second_one_on_the_same_folder_is_refused_and_names_the_first() {
    let house = House::new();
    let triarch = house.up(&[]);
    let refused = house.run(&["up"]);
    assert_eq!(refused.status.code(), Some(5));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("pid {}", triarch.pid())), "{said}");
    assert_eq!(house.json(&["status"])["pid"], triarch.pid(), "the first is left alone");
}

#[test]
fn after_a_kill_the_next_one_starts() {
    let house = House::new();
    let mut triarch = house.up(&[]);
    triarch.kill();
    let next = house.up(&[]);
    assert_eq!(house.json(&["status"])["pid"], next.pid());
}

#[test]
fn an_agent_that_fails_is_restarted_and_the_log_tells_it() {
    let house = House::new();
    let config = house.write("triarch.toml", FRAGILE);
    let mut triarch = house.up(&["--config", config.to_str().unwrap()]);
    assert_eq!(house.json(&["agent", "ask", "vase", "1"])["result"], 1);
    assert_eq!(house.run(&["agent", "ask", "vase", "2"]).status.code(), Some(1));
    triarch.line_with("glass/vase started, life 2", PATIENCE);
    assert_eq!(house.json(&["agent", "ask", "vase", "3"])["result"], 3);
    assert_eq!(house.json(&["agent", "show", "vase"])["restarts"], 1);
}

#[test]
fn nobody_reading_its_log_is_no_reason_to_fail() {
    let house = House::new();
    let mut triarch = house.up(&[]);
    triarch.stop_reading();
    house.json(&["agent", "kill", "worker-1"]);
    until("it is restarted", || {
        house.json(&["agent", "show", "worker-1"])["restarts"] != 0
    });
    triarch.signal("TERM");
    assert_eq!(triarch.end(PATIENCE), Some(0));
}
