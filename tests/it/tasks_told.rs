//! What is told of tasks: why one is not tried again, and what happens to them, on the bus.

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::running::{Running, until};
use crate::tasks::{FLEET, crew, crew_of};
use crate::text;

#[test]
fn a_task_whose_answer_is_too_long_is_not_tried_again_and_names_the_limit() {
    let fleet = FLEET
        .replace("cat; echo", "head -c 5000 /dev/zero; echo")
        .replace(
            "capabilities = [\"shell\"]",
            "capabilities = [\"shell\"]\n  line_max = \"4KiB\"",
        )
        .replace(
            "capabilities = [\"python\"]",
            "capabilities = [\"python\"]\n  line_max = \"4KiB\"",
        );
    let (house, _runtime) = crew_of(&fleet);
    for agent in ["shell", "python"] {
        let submit = [
            "print",
            "long",
            "--needs",
            agent,
            "--retries",
            "2",
            "--retry-after",
            "10ms",
        ];
        let ended = house.ended(&house.submit(&submit));
        assert_eq!(
            (&ended["state"], &ended["attempts"]),
            (&json!("failed"), &json!(1)),
            "{ended}"
        );
        let why = ended["why"].as_str().unwrap();
        assert!(why.contains("4096"), "{why}");
    }
    let short = house.submit(&["print", "short", "--needs", "python"]);
    assert_eq!(house.ended(&short)["state"], "done", "the agent goes on");
}

#[test]
fn what_happens_to_tasks_is_published_where_that_is_wanted() {
    let (house, _runtime) = crew_of(&format!("work.events = true\n{FLEET}"));
    let mut heard = house.begin(&["bus", "subscribe", "triarch.task.*", "--json"]);
    until("somebody listens", || {
        house.json(&["bus", "publish", "triarch.task.none", "0"])["matched"] == 1
    });
    let next = |heard: &mut Running, word: &str| -> Value {
        let said = heard.said_with(&format!("triarch.task.{word}\""), PATIENCE);
        let event: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(
            (&event["from"], &event["kind"]),
            (&json!("work/herald"), &json!("task"))
        );
        event
    };
    house.submit(&["build", "1", "--needs", "echo", "--priority", "high"]);
    let submitted = next(&mut heard, "submitted");
    assert_eq!(
        submitted["body"],
        json!({ "task": 1, "kind": "build", "priority": "high" })
    );
    next(&mut heard, "claimed");
    let done = next(&mut heard, "done");
    assert_eq!((&done["body"]["task"], &done["key"]), (&json!(1), &Value::Null));
    assert!(done["body"]["took_ms"].is_u64(), "{done}");
    house.submit(&["fly", "--needs", "wings", "--deadline", "10ms"]);
    assert_eq!(next(&mut heard, "missed")["body"], json!({ "task": 2, "kind": "fly" }));
    house.json(&["task", "cancel", "2"]);
    assert_eq!(next(&mut heard, "cancelled")["body"]["task"], 2);
    let herald = house.json(&["agent", "show", "work/herald"]);
    assert_eq!(herald["state"], "idle", "{herald}");
}

#[test]
fn nobody_publishes_what_happens_to_tasks_where_that_is_not_wanted() {
    let (house, _runtime) = crew();
    let shown = house.run(&["agent", "show", "work/herald"]);
    assert_eq!(shown.status.code(), Some(4), "{}", text(&shown.stderr));
}
