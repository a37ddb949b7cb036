//! What people are told of why a program failed, stopped, or was not understood.

use serde_json::{Value, json};
use tempfile::TempDir;
use triarch_programs::{LogLine, Query, Source};
use triarch_teams::receipt::Stage;

use crate::fleet::{Fleet, bash, last, next, python, until, within};

fn events(lines: &[LogLine]) -> Vec<&str> {
    let events = lines.iter().filter(|line| line.source == Source::Event);
    events.map(|line| line.text.as_str()).collect()
}

/// A tool that is found by a script, which runs what lies beside it, as version managers of languages have it.
fn shim() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("shims/tool", "#!/bin/sh\nexec \"${0%/*}/../libexec/tool\"\n"),
        ("libexec/tool", "#!/bin/sh\necho 1\n"),
    ] {
        let path = home.path().join(name);
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    home
}

fn with_shim(home: &TempDir, own: &TempDir, sandbox: &Value) -> Value {
    let path = format!("{}/shims:/usr/bin:/bin", home.path().display());
    json!({ "mode": "exec", "dir": own.path(), "env": { "PATH": path }, "sandbox": sandbox })
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_sandbox_may_be_why_a_program_failed_it_is_named() {
    let (home, own) = (shim(), tempfile::tempdir().unwrap());
    let fleet = Fleet::of_one(json!(["tool"]), with_shim(&home, &own, &json!({ "kind": "standard" }))).await;
    let told = fleet.ask(json!(1)).await;
    let lines = fleet.until_said("the program ended with").await;
    let shim = home.path().canonicalize().unwrap().join("shims/tool");
    let outlier = format!("{} lies outside what the sandbox opens", shim.display());
    assert!(events(&lines).iter().any(|text| text.contains(&outlier)), "{lines:#?}");
    let has_landlock = !events(&lines).iter().any(|text| text.contains("no Landlock"));
    if has_landlock {
        let Stage::Failed(why) = told else { panic!("{told:?}") };
        assert!(why.starts_with("the program ended with code 126"), "{why}");
        let clue = "the sandbox may be why: what is outside the system's folders must be named under sandbox.read";
        assert!(why.contains(clue), "{why}");
        let end = events(&lines)
            .into_iter()
            .find(|text| text.starts_with("the program ended with"))
            .unwrap();
        assert!(end.contains(clue), "{end}");
    }
    fleet.end().await;
    let opened = json!({ "kind": "standard", "read": [home.path()] });
    let fleet = Fleet::of_one(json!(["tool"]), with_shim(&home, &own, &opened)).await;
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)));
    let lines = fleet.until_said("the program ended with").await;
    assert!(
        !events(&lines).iter().any(|text| text.contains("lies outside")),
        "{lines:#?}"
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_126_without_a_sandbox_does_not_name_one() {
    let fleet = Fleet::of_one(bash("exit 126"), json!({ "mode": "exec" })).await;
    let expected = "the program ended with code 126".to_owned();
    assert_eq!(fleet.ask(json!(1)).await, Stage::Failed(expected));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_held_is_said_once_in_a_life_however_many_runs_it_has() {
    let own = tempfile::tempdir().unwrap();
    let more = json!({ "mode": "exec", "sandbox": { "kind": "standard" }, "dir": own.path() });
    let fleet = Fleet::of_one(json!(["cat"]), more).await;
    for number in 0..3 {
        assert_eq!(fleet.ask(json!(number)).await, Stage::Done(json!(number)));
    }
    let logs = fleet.programs.logs();
    within("the end", fleet.tree.stop()).await;
    let lines = logs.read("team/a", Query::default()).await.unwrap();
    let events = events(&lines);
    assert_eq!(
        events
            .iter()
            .filter(|text| text.contains("has begun as process"))
            .count(),
        3
    );
    for text in events.iter().filter(|text| text.starts_with("not enforced")) {
        assert_eq!(events.iter().filter(|other| *other == text).count(), 1, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_used_more_than_its_memory_is_told_so() {
    let script = "import sys; sys.stdin.readline(); x = bytearray(400 << 20); x[::4096] = b'1' * len(x[::4096])";
    for mode in ["lines", "exec"] {
        let more = json!({ "mode": mode, "limits": { "memory": "48MiB" }, "restart": "temporary" });
        let fleet = Fleet::of_one(python(script), more).await;
        let told = fleet.ask(json!(1)).await;
        let lines = fleet.until_said("the program ").await;
        let is_held = !events(&lines)
            .iter()
            .any(|text| text.starts_with("not enforced: memory"));
        let (Stage::Failed(why) | Stage::Lost(why)) = told else {
            panic!("{told:?}")
        };
        if is_held {
            assert!(why.contains("it used more than limits.memory"), "{mode}: {why}");
            fleet.until_said("it used more than limits.memory").await;
        }
        fleet.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_used_up_its_processor_time_is_told_so_in_its_answer_its_log_and_its_record() {
    let script = "import sys; sys.stdin.readline()\nwhile True: pass";
    for mode in ["lines", "exec"] {
        let more = json!({ "mode": mode, "limits": { "cpu": "1s" } });
        let fleet = Fleet::of_one(python(script), more).await;
        let expected = "it used up limits.cpu, which is 1s of processor time";
        let told = fleet.ask(json!(1)).await;
        let (Stage::Failed(why) | Stage::Lost(why)) = told else {
            panic!("{told:?}")
        };
        assert!(why.contains(expected), "{mode}: {why}");
        fleet.until_said(expected).await;
        let records = fleet.programs.records();
        until("its end is kept", || !records.of("team/a").is_empty()).await;
        assert_eq!(records.of("team/a")[0].why.as_deref(), Some(expected), "{mode}");
        if mode == "lines" {
            let last_exit = || fleet.tree.observer().node("team/a").unwrap().last_exit;
            until("its end is known", || last_exit().is_some()).await;
            let told = last_exit().map(|reason| reason.to_string()).unwrap_or_default();
            assert!(told.contains(expected), "{told}");
        }
        fleet.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_that_a_program_fails_or_ends_with_are_counted_as_failed_and_no_others() {
    let talks = r#"
import json, sys
for line in sys.stdin:
    post = json.loads(line)
    if post["body"] == 2:
        sys.exit(3)
    answer = {"type": "failed", "error": "no ink"} if post["body"] == 1 else {"type": "done", "body": 0}
    print(json.dumps({"id": post["id"], **answer}), flush=True)
"#;
    let runs = "import sys; sys.exit(int(sys.stdin.read()))";
    for (mode, script) in [("lines", talks), ("exec", runs)] {
        let fleet = Fleet::of_one(python(script), json!({ "mode": mode })).await;
        for body in [0, 1, 2, 0] {
            fleet.ask(json!(body)).await;
        }
        assert_eq!(fleet.programs.records().failures("team/a"), 2, "{mode}");
        fleet.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_end_in_its_time_is_said_to_have_been_killed() {
    let script = "trap '' TERM; echo ready; read -r line; while :; do sleep 1000; done";
    let fleet = Fleet::of_one(bash(script), json!({ "shutdown": "1s" })).await;
    let logs = fleet.programs.logs();
    fleet.until_said("ready").await;
    within("the end", fleet.tree.stop()).await;
    let lines = logs.read("team/a", Query::default()).await.unwrap();
    let expected = "the program was stopped: it did not end within 750ms and was killed (";
    assert!(
        events(&lines).iter().any(|text| text.starts_with(expected)),
        "{lines:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_is_one_process() {
    let fleet = Fleet::of_one(json!(["sleep", "1000"]), json!({})).await;
    let (logs, records) = (fleet.programs.logs(), fleet.programs.records());
    until("it runs", || records.running("team/a").is_some()).await;
    within("the end", fleet.tree.stop()).await;
    let lines = logs.read("team/a", Query::default()).await.unwrap();
    let expected = "the program was stopped (1 process, 0 survivors)";
    assert!(events(&lines).contains(&expected), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_can_follow_are_told_in_the_log_and_not_without_end() {
    let script = r#"
import json, sys
def say(**message):
    print(json.dumps(message), flush=True)
for line in sys.stdin:
    id = json.loads(line)["id"]
    say(type="reply", id="nope", body=1)
    say(type="frobnicate", id=id, body=1)
    say(type="reply", body=1)
    say(type="reply", id=id, body=2)
    say(type="reply", id=id, body=3)
    for number in range(1000):
        say(type="reply", id="again", body=number)
    say(type="status", state="through")
"#;
    let fleet = Fleet::of_one(python(script), json!({})).await;
    let stages = fleet.post("a", json!(1)).await;
    assert_eq!(next(&stages).await, Stage::Delivered);
    assert_eq!(last(&stages).await, Stage::Done(json!(2)));
    let lines = fleet.until_said("is through").await;
    let events = events(&lines);
    let told = |text: &str| events.iter().filter(|event| event.contains(text)).count();
    assert_eq!(told("answers no post that it has: id \"nope\""), 1, "{events:#?}");
    assert_eq!(
        told(
            "type \"frobnicate\" is none of accepted, progress, reply, done, failed, send, heartbeat, status, log, publish, request, subscribe, unsubscribe, memory, submit"
        ),
        1,
        "{events:#?}"
    );
    assert_eq!(told("lacks what belongs to its type \"reply\""), 1, "{events:#?}");
    assert_eq!(told("answers a post for the second time: id "), 1, "{events:#?}");
    let again = told("id \"again\"");
    assert!((1..=20).contains(&again), "{again}");
    assert_eq!(fleet.count("triarch_program_line_faults_total", "unknown_id"), 1001);
    fleet.end().await;
}
