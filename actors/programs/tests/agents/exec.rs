//! Programs that run once for each post.

use std::time::Duration;

use serde_json::{Value, json};
use triarch_programs::EndReason;
use triarch_supervision::clock::Moment;
use triarch_teams::receipt::Stage;

use crate::fleet::{ECHO, Fleet, bash, last, next, python, until};

async fn exec(command: Value, more: Value) -> Fleet {
    let mut all = more;
    all["mode"] = json!("exec");
    Fleet::of_one(command, all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_goes_in_and_the_reply_comes_out() {
    let fleet = exec(json!(["cat"]), json!({})).await;
    let stages = fleet.post("a", json!("plain text\n")).await;
    assert_eq!(next(&stages).await, Stage::Delivered);
    assert_eq!(next(&stages).await, Stage::Done(json!("plain text")));
    assert_eq!(fleet.ask(json!({"a": [1]})).await, Stage::Done(json!({"a": [1]})));
    assert_eq!(fleet.ask(json!(null)).await, Stage::Done(json!("")));
    assert_eq!(fleet.ask(json!("null")).await, Stage::Done(json!(null)));
    let long = json!("x".repeat(1_000_000));
    assert_eq!(fleet.ask(long.clone()).await, Stage::Done(long));
    assert_eq!(fleet.count("triarch_program_starts_total", "exec"), 5);
    assert_eq!(fleet.incarnation(), 1);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_read_what_it_is_given_has_begun_all_the_same() {
    let fleet = exec(bash("sleep 1000"), json!({ "shutdown": "2s" })).await;
    let stages = fleet.post("a", json!("x".repeat(1 << 20))).await;
    assert_eq!(next(&stages).await, Stage::Delivered);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_the_kind_cancel_whose_sender_waits_is_run_for_like_any_other() {
    let fleet = exec(bash("echo $TRIARCH_POST_KIND; cat"), json!({})).await;
    let (post, stages) = fleet.office.registered("me", "cancel", json!("my order"));
    fleet.tree.observer().send_to("team/a", post).await.unwrap();
    assert_eq!(last(&stages).await, Stage::Done(json!("cancel\nmy order")));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_code_than_0_fails_the_post_and_not_the_agent() {
    let fleet = exec(bash("echo no ink >&2; exit 7"), json!({})).await;
    for _ in 0..3 {
        let expected = "the program ended with code 7; it last said: no ink".to_owned();
        assert_eq!(fleet.ask(json!(1)).await, Stage::Failed(expected));
    }
    let records = fleet.programs.records();
    until("all three are recorded", || records.of("team/a").len() == 3).await;
    assert_eq!(records.of("team/a")[0].lines, ["no ink"]);
    assert_eq!(fleet.incarnation(), 1);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_there_is_not_fails_the_post_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gone");
    std::fs::copy(ECHO, &program).unwrap();
    // It is there when it is described, and gone when it is to run.
    let fleet = exec(json!([program]), json!({})).await;
    std::fs::remove_file(&program).unwrap();
    let Stage::Failed(why) = fleet.ask(json!(1)).await else {
        panic!("it did not fail")
    };
    assert!(
        why.starts_with("the program cannot begin: there is no program"),
        "{why}"
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_post_is_in_its_environment() {
    let fleet = exec(
        bash("echo $TRIARCH_POST_KIND $TRIARCH_POST_FROM ${#TRIARCH_POST}"),
        json!({}),
    )
    .await;
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!("greet me 32")));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_runs_too_long_or_says_too_much_fails() {
    let fleet = exec(bash("sleep 1000"), json!({ "limits": { "wall": "50ms" } })).await;
    let expected = "the program ran for 50ms, as long as its limits allow".to_owned();
    assert_eq!(fleet.ask(json!(1)).await, Stage::Failed(expected));
    fleet.end().await;
    let fleet = exec(bash("yes"), json!({ "line_max": "100KiB" })).await;
    let expected = "its reply is longer than 102400 bytes".to_owned();
    assert_eq!(fleet.ask(json!(1)).await, Stage::Failed(expected));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_read_its_input_may_answer_all_the_same() {
    let fleet = exec(bash("exec 0<&-; echo 1"), json!({})).await;
    assert_eq!(
        last(&fleet.post("a", json!("x".repeat(500_000))).await).await,
        Stage::Done(json!(1))
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_run_and_fails_its_post() {
    let fleet = exec(python("import time; time.sleep(1000)"), json!({ "shutdown": "3s" })).await;
    let stages = fleet.post("a", json!(1)).await;
    let records = fleet.programs.records();
    until("it runs", || records.running("team/a").is_some()).await;
    fleet.end().await;
    let expected = "the program was stopped before it ended".to_owned();
    assert_eq!(last(&stages).await, Stage::Lost(expected));
    assert_eq!(records.of("team/a")[0].survivors, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_post_is_recalled_is_stopped_and_one_that_has_not_begun_does_not_begin() {
    let fleet = exec(bash("sleep 1000"), json!({ "shutdown": "2s" })).await;
    let records = fleet.programs.records();
    let send = async || {
        let (mut post, stages) = fleet.office.registered("me", "greet", json!(1));
        let errand = post.errand();
        fleet.tree.observer().send_to("team/a", post).await.unwrap();
        (errand, stages)
    };
    let (running, first) = send().await;
    until("it runs", || records.running("team/a").is_some()).await;
    let (waiting, second) = send().await;
    waiting.recall();
    running.recall();
    for stages in [first, second] {
        assert_eq!(last(&stages).await, Stage::Lost("it was recalled".to_owned()));
    }
    assert_eq!(records.of("team/a").len(), 1, "only one was ever begun");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_ended_by_the_deadline_of_its_post_unless_that_may_take_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let script = "touch begun; until [ -e go ]; do sleep 0.01; done; echo 1";
    let fleet = exec(bash(script), json!({ "dir": folder.path() })).await;
    let file = |name: &str| folder.path().join(name);
    let send = async |takes_its_time| {
        let (post, stages) = fleet.office.registered("me", "greet", json!(1));
        let deadline = Moment::now() + Duration::from_millis(500);
        let mut post = post.before(deadline);
        post.takes_its_time = takes_its_time;
        fleet.tree.observer().send_to("team/a", post).await.unwrap();
        (deadline, stages)
    };
    let (_, stages) = send(false).await;
    assert!(matches!(last(&stages).await, Stage::Failed(_)));
    // On a busy machine it may be over before it is begun.
    let stages = loop {
        let _old = std::fs::remove_file(file("begun"));
        let (deadline, stages) = send(true).await;
        let later = deadline + Duration::from_millis(100);
        until("its deadline is well over", || Moment::now() > later).await;
        if file("begun").exists() {
            break stages;
        }
    };
    std::fs::write(file("go"), "").unwrap();
    assert_eq!(last(&stages).await, Stage::Done(json!(1)));
    fleet.end().await;
}

/// Does what stands in `LAST` when it is asked to stop; makes the file `ready` in its folder when it may be.
/// It sleeps little, since Python oversleeps a signal that comes right before.
const LEAVER: &str = r#"
import signal, sys, time
def bye(*_):
    LAST
signal.signal(signal.SIGTERM, bye)
open("ready", "w").close()
while True: time.sleep(0.01)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_is_read_to_its_end_and_has_not_done_its_post_whatever_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let last_words = "print('x' * 204800, flush=True); open('left', 'w').close(); sys.exit(0)";
    let script = LEAVER.replace("LAST", last_words);
    let fleet = exec(python(&script), json!({ "dir": folder.path() })).await;
    let stages = fleet.post("a", json!(1)).await;
    until("it runs", || folder.path().join("ready").exists()).await;
    fleet.end().await;
    let lost = Stage::Lost("the program was stopped before it ended".to_owned());
    assert_eq!(last(&stages).await, lost);
    assert!(folder.path().join("left").exists(), "nobody read it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_agent_is_killed_is_over_and_its_end_is_recorded() {
    let fleet = exec(bash("sleep 1000"), json!({ "shutdown": "100ms" })).await;
    let records = fleet.programs.records();
    let stages = fleet.post("a", json!(1)).await;
    until("it runs", || records.running("team/a").is_some()).await;
    let pid = records.running("team/a").unwrap().pid;
    let team = fleet.tree.observer().supervisor("team").unwrap();
    team.kill_child("a").await.unwrap();
    assert!(matches!(last(&stages).await, Stage::Lost(_)));
    until("its end is told", || !records.of("team/a").is_empty()).await;
    assert_eq!(records.running("team/a"), None);
    let end = records.of("team/a").pop().unwrap();
    assert_eq!((end.reason, end.pid, end.posts), (EndReason::Killed, pid, 1));
    assert_eq!(end.survivors, None, "nobody looked");
    assert_eq!(fleet.count("triarch_program_exits_total", "killed"), 1);
    until("it is gone", || !std::fs::exists(format!("/proc/{pid}")).unwrap()).await;
    let _end = fleet.tree.stop().await;
}
