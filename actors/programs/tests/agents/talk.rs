//! Posts to a program, and what it says of them.

use serde_json::{Value, json};
use triarch_supervision::dead_letter::DeadReason;
use triarch_teams::receipt::Stage;

use crate::fleet::{ECHO, Fleet, bash, example, last, next, python, until, within};

async fn echoes(command: Value) {
    let fleet = Fleet::of_one(command, json!({})).await;
    for body in [
        json!("hello"),
        json!({"a": [1, null, "x\ny"], "b": "ü\"}"}),
        json!(null),
    ] {
        let stages = fleet.post("a", body.clone()).await;
        assert_eq!(next(&stages).await, Stage::Delivered);
        assert_eq!(next(&stages).await, Stage::Done(body));
    }
    assert_eq!(
        fleet.programs.records().running("team/a").unwrap().state.as_deref(),
        Some("ready")
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_in_python_answers() {
    echoes(json!(["/usr/bin/python3", "-u", example("echo.py")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_in_bash_answers() {
    echoes(json!(["bash", example("echo.sh")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_in_node_answers() {
    echoes(json!(["node", example("echo.js")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_in_rust_answers() {
    echoes(json!([ECHO])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_posts_at_once_are_all_answered() {
    let fleet = Fleet::of_one(json!([ECHO]), json!({})).await;
    let mut all = Vec::new();
    for number in 0..20_000 {
        all.push(fleet.post("a", json!(number)).await);
    }
    for (number, stages) in all.iter().enumerate() {
        assert_eq!(last(stages).await, Stage::Done(json!(number)));
    }
    assert_eq!(fleet.count("triarch_program_lines_total", "stdin"), 20_000);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_accepts_and_fails_is_told() {
    let script = r#"
import json, sys
for line in sys.stdin:
    id = json.loads(line)["id"]
    print(json.dumps({"type": "accepted", "id": id}))
    print(json.dumps({"type": "done", "id": id, "ok": False, "error": "no ink"}))
"#;
    let fleet = Fleet::of_one(python(script), json!({})).await;
    let stages = fleet.post("a", json!(1)).await;
    assert_eq!(next(&stages).await, Stage::Delivered);
    assert_eq!(next(&stages).await, Stage::Accepted);
    assert_eq!(next(&stages).await, Stage::Failed("no ink".to_owned()));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_writes_to_others_by_their_paths() {
    let script = r#"
import json, sys
for line in sys.stdin:
    post = json.loads(line)
    print(json.dumps({"type": "send", "to": post["body"], "kind": "note", "body": 7}))
    print(json.dumps({"type": "publish", "topic": "news", "body": 1}))
    print(json.dumps({"type": "done", "id": post["id"]}))
"#;
    let seen = r#"
import json, sys
for line in sys.stdin:
    post = json.loads(line)
    print(json.dumps({"type": "status", "state": "%s %s %s" % (post["from"], post["kind"], post["body"])}))
"#;
    let fleet = Fleet::of(json!([
        { "name": "a", "command": python(script) },
        { "name": "b", "command": python(seen) },
    ]))
    .await;
    assert_eq!(fleet.ask(json!("team/b")).await, Stage::Done(json!(null)));
    assert_eq!(fleet.ask(json!("team/nobody")).await, Stage::Done(json!(null)));
    let records = fleet.programs.records();
    until("b has the post", || {
        records.running("team/b").and_then(|running| running.state).as_deref() == Some("team/a note 7")
    })
    .await;
    until("the other is refused", || {
        fleet.count("triarch_program_sends_total", "refused") == 1
    })
    .await;
    assert_eq!(fleet.count("triarch_program_sends_total", "queued"), 1);
    assert_eq!(fleet.count("triarch_program_publishes_total", ""), 2);
    let letters = fleet.tree.observer().dead_letters().list();
    let letters: Vec<_> = letters.iter().map(|letter| (&*letter.to, letter.reason)).collect();
    assert_eq!(letters, [("team/nobody", DeadReason::NoSuchAgent)]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_the_environment_that_was_given_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "sesame\n").unwrap();
    let script = r#"
read -r line; id=${line:7:32}
printf '{"type":"reply","id":"%s","body":"%s %s %s %s %s"}\n' "$id" "$GIVEN" "$KEY" "${CARGO_MANIFEST_DIR-none}" "$TRIARCH_AGENT" "$PWD"
read -r line
"#;
    let more = json!({
        "env": { "GIVEN": "x" },
        "secrets": { "KEY": { "file": folder.path().join("key") } },
        "dir": folder.path(),
    });
    let fleet = Fleet::of_one(bash(script), more).await;
    let dir = folder.path().canonicalize().unwrap();
    let expected = format!("x sesame none team/a {}", dir.display());
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(expected)));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn within_the_standard_sandbox_a_program_works_and_reaches_only_its_own_folder() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let script = r#"
read -r line; id=${line:7:32}
echo x > mine && mine=yes
echo x 2>/dev/null > "$OTHER/theirs" && theirs=yes
printf '{"type":"reply","id":"%s","body":"%s %s"}\n' "$id" "${mine-no}" "${theirs-no}"
read -r line
"#;
    let more = json!({
        "sandbox": { "kind": "standard" }, "dir": own.path(), "env": { "OTHER": other.path() },
    });
    let fleet = Fleet::of_one(bash(script), more).await;
    let answer = fleet.ask(json!(1)).await;
    let enforced = !std::fs::exists(other.path().join("theirs")).unwrap();
    let expected = if enforced { "yes no" } else { "yes yes" };
    assert_eq!(answer, Stage::Done(json!(expected)));
    within("the end", fleet.tree.stop()).await;
}
