//! What is submitted, and what is told where that goes wrong.

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::running::{House, until};
use crate::tasks::{FLEET, crew, crew_of};
use crate::text;

const HOUR: u64 = 3_600_000;

impl House {
    /// With which exit code it is not submitted, and what is said of it.
    fn not_submitted(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let refused = self.run(&[&["task", "submit"], arguments].concat());
        (refused.status.code(), text(&refused.stderr))
    }
}

#[test]
fn a_task_that_fails_is_tried_again_no_sooner_than_was_asked_for() {
    let (house, _runtime) = crew();
    let options = ["--needs", "python", "--retries", "3", "--retry-after", "1h"];
    let submitted = house.submit(&[&["print", "fail"], &options[..]].concat());
    let line = r#"{"kind":"print","body":"fail","needs":["python"],"retry":{"retries":3,"first_ms":3600000}}"#;
    house.write("one", line);
    let from_file = house.submit(&["--file", "one"]);
    for task in [submitted, from_file] {
        let begins_in = || house.json(&["task", "show", &task])["begins_in_ms"].as_u64();
        until("it failed once", || begins_in().is_some());
        let begins_in = begins_in().unwrap();
        assert!((HOUR * 7 / 10..=HOUR).contains(&begins_in), "{begins_in}");
    }
    house.write("two", &line.replace("3600000", "3600000,\"longest_ms\":5"));
    let (code, said) = house.not_submitted(&["--file", "two"]);
    assert!(
        code == Some(2) && said.contains("line 1 has a first wait that is longer than its longest"),
        "{said}"
    );
}

#[test]
fn what_was_submitted_is_told_where_it_is_not_waited_for_to_the_end() {
    let (house, mut runtime) = crew();
    let mut waits = house.begin(&["task", "submit", "fly", "--needs", "wings", "--wait"]);
    waits.line_with("waits for task 1", PATIENCE);
    waits.line_with("no agent", PATIENCE);
    runtime.signal("TERM");
    waits.line_with("1 task submitted: 1; then: ", PATIENCE);
    assert_eq!(waits.end(PATIENCE), Some(1));
    runtime.end(PATIENCE);
}

#[test]
fn why_nothing_is_submitted_is_told_by_the_line_and_by_the_exit_code() {
    let (house, _runtime) = crew_of(&format!("{FLEET}\n[work]\ninputs_bytes_max = \"1KiB\"\n"));
    let gone = house.submit(&["build", "--needs", "echo"]);
    let failed = house.submit(&["print", "fail", "--needs", "python"]);
    assert_eq!(house.ended(&gone)["state"], "done");
    assert_eq!(house.ended(&failed)["state"], "failed");
    house.json(&["task", "drop", &gone]);
    assert_eq!(house.not_submitted(&["build", "--after", &gone]).0, Some(4));
    assert_eq!(house.not_submitted(&["build", "--parent", &gone]).0, Some(4));
    assert_eq!(house.not_submitted(&["build", "--for", "crew/nobody"]).0, Some(4));
    assert_eq!(house.not_submitted(&["build", "--after", &failed]).0, Some(5));
    for (named, code, why) in [
        (r#""after":[{"task":1}]"#, 4, "line 3: there is no task 1"),
        (r#""after":[{"task":2}]"#, 5, "line 3: task 2 is failed"),
        (r#""parent":1"#, 4, "line 3: there is no task 1"),
        (
            r#""after":[{"task":9}]"#,
            2,
            "line 3 has a prerequisite that there is not",
        ),
        (
            r#""after":[{"place":0}]},{"kind":"b","after":[{"place":0}]},{"kind":"b","after":[{"place":0}]"#,
            5,
            "results that tasks wait for may take 1024 bytes",
        ),
    ] {
        let late = format!("{{\"kind\":\"a\"}}\n\n{{\"kind\":\"a\",{named}}}").replace("},{", "}\n{");
        house.write("late", &late);
        let (found, said) = house.not_submitted(&["--file", "late"]);
        assert!(
            found == Some(code) && said.contains(why) && said.contains("nothing was submitted"),
            "{named}: {found:?} {said}"
        );
    }
    assert_eq!(house.json(&["task", "list", "--open"]), Value::Array(Vec::new()));
    let stats = house.json(&["task", "stats"]);
    assert_eq!((&stats["submitted"], &stats["inputs_bytes"]), (&json!(2), &json!(0)));
}
