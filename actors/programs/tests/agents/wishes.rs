//! What programs wish for beyond posts.

use std::cell::Cell;

use serde_json::{Value, json};
use triarch_teams::receipt::Stage;

use triarch_programs::EndReason;

use crate::fleet::{Fleet, bash, last, python, until};

/// Wishes for what each post says, and replies with what it hears of that.
const WISHER: &str = r#"
import json, sys
asked = {}
for line in sys.stdin:
    heard = json.loads(line)
    if "kind" in heard:
        asked[heard["id"]] = heard["id"]
        print(json.dumps({"type": "memory", "id": heard["id"], **heard["body"]}))
    else:
        print(json.dumps({"type": "reply", "id": asked.pop(heard["id"]), "body": heard}))
"#;

fn seen(fleet: &Fleet) -> Vec<String> {
    fleet.mirror.told()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_with_an_id_is_answered_and_what_is_wrong_with_it_told() {
    let fleet = Fleet::of_one(python(WISHER), json!({})).await;
    let Stage::Done(mut heard) = fleet.ask(json!({ "op": "get", "key": "a" })).await else {
        panic!("no reply")
    };
    heard.as_object_mut().unwrap().remove("id");
    let expected = json!({ "type": "memory", "ok": true, "result": { "key": "a", "op": "get" } });
    assert_eq!(heard, expected);
    let Stage::Done(heard) = fleet.ask(json!({ "bad": "no such namespace; name another" })).await else {
        panic!("no reply")
    };
    assert_eq!(
        (&heard["ok"], &heard["error"]),
        (&json!(false), &json!("no such namespace; name another"))
    );
    assert_eq!(seen(&fleet)[0], r#"team/a memory {"key":"a","op":"get"}"#);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_wish_holds_nothing_else_up_and_very_many_hold_the_program_up() {
    let fleet = Fleet::of_one(python(WISHER), json!({})).await;
    let slow = fleet.post("a", json!({ "waits": true })).await;
    assert!(matches!(fleet.ask(json!({ "op": "get" })).await, Stage::Done(_)));
    let mut all = vec![slow];
    for _ in 0..200 {
        all.push(fleet.post("a", json!({ "waits": true })).await);
    }
    let (most, looks) = (Cell::new(0), Cell::new(0));
    until("no more are listened to", || {
        let now = seen(&fleet).len();
        let is_more = now > most.replace(now);
        looks.set(if is_more { 0 } else { looks.get() + 1 });
        now >= 65 && looks.get() >= 100
    })
    .await;
    // One of them is fulfilled, and the program has as many as may be.
    assert_eq!(most.get(), 1 + 64);
    fleet.mirror.gate.add_permits(1);
    for stages in &all {
        assert!(matches!(last(stages).await, Stage::Done(_)));
    }
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_answers_that_a_program_does_not_read_no_more_are_fetched_than_it_may_leave() {
    let folder = tempfile::tempdir().unwrap();
    let may_read = folder.path().join("may read");
    let script = r#"
import json, os, sys, time
wish = lambda number: json.dumps({"type": "memory", "id": str(number), "long": 900_000}) + "\n"
sys.stdout.write("".join(map(wish, range(300))))
while not os.path.exists("MAY_READ"): time.sleep(0.002)
while '"id":"299"' not in sys.stdin.readline(): pass
print(json.dumps({"type": "status", "state": "through"}))
time.sleep(3600)
"#;
    let script = script.replace("MAY_READ", may_read.to_str().unwrap());
    let fleet = Fleet::of_one(python(&script), json!({})).await;
    let (most, looks) = (Cell::new(0), Cell::new(0));
    until("no more are fetched", || {
        let now = seen(&fleet).len();
        let is_more = now > most.replace(now);
        looks.set(if is_more { 0 } else { looks.get() + 1 });
        now >= 2 && looks.get() >= 100
    })
    .await;
    assert_eq!(most.get(), 2, "the second is beyond what it may leave");
    std::fs::write(may_read, "").unwrap();
    let records = fleet.programs.records();
    let state = || records.running("team/a").and_then(|running| running.state);
    until("it has read all", || state().is_some()).await;
    assert_eq!(seen(&fleet).len(), 300);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_longer_than_a_line_may_be_is_told_to_be_so() {
    let fleet = Fleet::of_one(python(WISHER), json!({ "line_max": "1KiB" })).await;
    let Stage::Done(heard) = fleet.ask(json!({ "long": 2_000 })).await else {
        panic!("no reply")
    };
    let told = heard["error"].as_str().unwrap_or_default();
    let expected = "bytes, and the program takes 1024; ask for less, or raise `line_max`";
    assert!(heard["ok"] == json!(false) && told.ends_with(expected), "{heard}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_wishes_for_at_its_end_is_fulfilled_in_the_order_it_was_said() {
    let script = r#"for i in $(seq 200); do echo "{\"type\":\"publish\",\"number\":$i}"; done"#;
    let fleet = Fleet::of_one(bash(script), json!({ "restart": "temporary" })).await;
    let end = || seen(&fleet).last().is_some_and(|last| last == "team/a ended");
    until("it has ended", end).await;
    let expected: Vec<_> = (1..=200)
        .map(|number| format!(r#"team/a publish {{"number":{number}}}"#))
        .chain(["team/a ended".to_owned()])
        .collect();
    assert_eq!(seen(&fleet), expected);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_wishes_of_a_program_are_fulfilled_and_then_its_end_is_told() {
    let script = r#"echo '{"type":"publish","topic":"news","body":1}'; echo '{"type":"submit","bad":"x"}'"#;
    let fleet = Fleet::of_one(bash(script), json!({ "restart": "temporary" })).await;
    until("it has ended", || seen(&fleet).len() == 3).await;
    let expected = [
        r#"team/a publish {"body":1,"topic":"news"}"#,
        r#"team/a submit {"bad":"x"}"#,
        "team/a ended",
    ];
    assert_eq!(seen(&fleet), expected);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_earlier_life_is_not_told_to_the_next() {
    let script = r#"
import json, os, sys
for line in sys.stdin:
    heard = json.loads(line)
    if "kind" not in heard:
        print(json.dumps({"type": "status", "state": "heard of another's wish"}))
    elif heard["body"] == "die":
        print(json.dumps({"type": "memory", "id": "mine", "waits": True}), flush=True)
        os._exit(3)
    else:
        print(json.dumps({"type": "reply", "id": heard["id"], "body": 1}))
"#;
    let fleet = Fleet::of_one(python(script), json!({})).await;
    let deadly = fleet.post("a", json!("die")).await;
    until("it has wished", || !seen(&fleet).is_empty()).await;
    fleet.mirror.gate.add_permits(1);
    assert!(matches!(last(&deadly).await, Stage::Lost(_)));
    assert_eq!(fleet.ask(json!("live")).await, Stage::Done(json!(1)));
    let state = fleet
        .programs
        .records()
        .running("team/a")
        .and_then(|running| running.state);
    assert_eq!(state.map(Value::from), None);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_answers_while_it_is_ended_for_a_failure_is_no_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    // What its first life answers lies unread until it is ended, since very many wishes of it are open.
    let script = r#"
import json, os, sys, time
def there(name): return os.path.exists("FOLDER/" + name)
def wait_for(name):
    while not there(name): time.sleep(0.002)
def reply(line): print(json.dumps({"type": "reply", "id": json.loads(line)["id"], "body": 1}))
if not there("wished"):
    line = sys.stdin.readline()
    for wish in range(64): print(json.dumps({"type": "memory", "id": str(wish), "waits": True}))
    wait_for("wished")
    reply(line)
    os.close(0)
    open("FOLDER/deaf", "w").close()
    time.sleep(3600)
for line in sys.stdin:
    wait_for("may answer")
    reply(line)
"#;
    let script = script.replace("FOLDER", folder.path().to_str().unwrap());
    let fleet = Fleet::of_one(python(&script), json!({})).await;
    let recoveries = || fleet.count("triarch_program_recoveries_total", "");
    let first = fleet.post("a", json!(1)).await;
    until("it has wished", || seen(&fleet).len() == 64).await;
    std::fs::write(file("wished"), "").unwrap();
    until("it reads no more", || file("deaf").exists()).await;
    let second = fleet.post("a", json!(2)).await;
    let records = fleet.programs.records();
    until("its first life is over", || records.of("team/a").len() == 1).await;
    assert_eq!(last(&first).await, Stage::Done(json!(1)), "it was heard to the end");
    assert_eq!(recoveries(), 0);
    std::fs::write(file("may answer"), "").unwrap();
    assert_eq!(last(&second).await, Stage::Done(json!(1)));
    until("it has recovered", || recoveries() == 1).await;
    fleet.mirror.gate.add_permits(1);
    fleet.end().await;
}

/// Wishes for so much that it is not listened to before it has read most of the answers.
const MANY_ANSWERS: &str = r#"
import json, sys, time
def beat(): print(json.dumps({"type": "heartbeat"}))
beat()
for wish in range(30): print(json.dumps({"type": "memory", "id": str(wish), "long": 500000}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_hangs_with_answers_it_has_not_read_is_killed_for_its_silence() {
    let script = format!("{MANY_ANSWERS}time.sleep(3600)");
    let more = json!({ "heartbeat": { "every": "50ms" }, "restart": "temporary" });
    let fleet = Fleet::of_one(python(&script), more).await;
    let records = fleet.programs.records();
    until("it is killed", || !records.of("team/a").is_empty()).await;
    assert_eq!(records.of("team/a")[0].reason, EndReason::Silent);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_reads_its_many_answers_one_by_one_lives() {
    let rest = r#"
for answer in range(30):
    sys.stdin.readline()
    beat()
    time.sleep(0.4)
print(json.dumps({"type": "status", "state": "through"}))
time.sleep(3600)
"#;
    let script = format!("{MANY_ANSWERS}{rest}");
    // All answers together take it longer than it may be silent; a busy machine may hold it up for a while.
    let heartbeat = json!({ "every": "150ms", "degraded": "2s", "critical": "4s", "failed": "6s" });
    let fleet = Fleet::of_one(python(&script), json!({ "heartbeat": heartbeat })).await;
    let records = fleet.programs.records();
    let state = || records.running("team/a").and_then(|running| running.state);
    until("it is through", || state().as_deref() == Some("through")).await;
    assert_eq!((fleet.incarnation(), records.of("team/a")), (1, vec![]));
    fleet.end().await;
}
