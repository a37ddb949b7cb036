//! Programs that do not read, do not answer, or say too much.

use serde_json::json;
use triarch_teams::RECALL;
use triarch_teams::receipt::{DROPPED, Stage};

use crate::fleet::{ECHO, Fleet, bash, last, next, python, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_read_holds_posts_back_in_the_mailbox() {
    let more = json!({ "unanswered_max": 100_000, "mailbox": { "capacity": 64 }, "shutdown": "2s" });
    let fleet = Fleet::of_one(bash("exec sleep 1000"), more).await;
    let body = json!("x".repeat(10_000));
    let address = fleet.tree.observer().address("team/a").unwrap();
    let mut queued = 0;
    // The pipe, what is gathered for it and the mailbox take some; then nothing more.
    let full = loop {
        let post = fleet.office.post("me", "greet", body.clone());
        match address.try_send(post) {
            Ok(()) => queued += 1,
            Err(full) => {
                let node = fleet.tree.observer().node("team/a").unwrap();
                if node.mailbox.unwrap().depth >= 64 {
                    break full;
                }
            }
        }
        tokio::task::yield_now().await;
        assert!(queued < 200, "{queued} were taken");
    };
    drop(full);
    // Held back, it still hears that it is to stop.
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_answers_gets_no_more_than_it_may_have() {
    let script = r#"
import json, sys
for number, line in enumerate(sys.stdin):
    print(json.dumps({"type": "status", "state": str(number + 1)}))
"#;
    let fleet = Fleet::of_one(python(script), json!({ "unanswered_max": 5 })).await;
    for number in 0..20 {
        fleet.post("a", json!(number)).await;
    }
    let records = fleet.programs.records();
    let running = || records.running("team/a").unwrap();
    until("it has five", || running().state.as_deref() == Some("5")).await;
    assert_eq!(running().posts_unanswered, 5);
    let waiting = fleet.tree.observer().node("team/a").unwrap().mailbox.unwrap().depth;
    assert!(waiting >= 14, "{waiting}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_has_as_many_as_it_may_hears_that_one_of_them_is_wanted_no_more() {
    // However much it says meanwhile.
    let script = r#"
import json, sys, threading, time
def chatter():
    while True:
        print("at work", file=sys.stderr, flush=True)
        time.sleep(0.02)
threading.Thread(target=chatter, daemon=True).start()
for line in sys.stdin:
    print(json.dumps({"type": "status", "state": json.loads(line)["kind"]}))
"#;
    let fleet = Fleet::of_one(python(script), json!({ "unanswered_max": 1 })).await;
    let (mut post, stages) = fleet.office.registered("me", "task", json!(1));
    let (id, errand) = (post.id, post.errand());
    let tree = fleet.tree.observer();
    tree.send_to("team/a", post).await.unwrap();
    assert_eq!(next(&stages).await, Stage::Delivered);
    errand.recall();
    let notice = fleet.office.post("me", RECALL, json!({ "id": id.to_string() }));
    tree.send_to("team/a", notice).await.unwrap();
    fleet.until_said("is cancel").await;
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_says_so_gets_all_posts_though_it_never_answers() {
    let script = r#"
import json, sys
for number, line in enumerate(sys.stdin):
    print(json.dumps({"type": "status", "state": str(number + 1)}))
"#;
    let fleet = Fleet::of_one(python(script), json!({ "unanswered_max": 5, "answers": false })).await;
    let mut all = Vec::new();
    for number in 0..50 {
        all.push(fleet.post("a", json!(number)).await);
    }
    for stages in &all {
        assert_eq!(
            (next(stages).await, next(stages).await),
            (Stage::Delivered, Stage::Lost(DROPPED.to_owned()))
        );
    }
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_writes_much_before_it_reads_is_read_while_it_is_written_to() {
    // Each answer is much longer than a pipe holds, and comes before the next post is read.
    let script = r#"
import json, sys
for line in sys.stdin:
    post = json.loads(line)
    print(json.dumps({"type": "reply", "id": post["id"], "body": "y" * 300000}))
"#;
    let fleet = Fleet::of_one(python(script), json!({})).await;
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(fleet.post("a", json!("x".repeat(50_000))).await);
    }
    for stages in &all {
        assert!(matches!(last(stages).await, Stage::Done(_)));
    }
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_holds_up_no_answer() {
    let script = r#"
import json, sys
for line in sys.stdin:
    post = json.loads(line)
    print("noise\n" * 100000)
    print("more noise\n" * 100000, file=sys.stderr)
    print(json.dumps({"type": "reply", "id": post["id"], "body": 1}))
"#;
    let fleet = Fleet::of_one(python(script), json!({})).await;
    for _ in 0..3 {
        assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)));
    }
    let counted = || {
        fleet.count("triarch_program_log_lines_total", "") + fleet.count("triarch_program_log_lines_dropped_total", "")
    };
    until("each line is written or counted as dropped", || counted() >= 600_000).await;
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_flood_each_other_do_not_hold_each_other_up_for_ever() {
    let script = r#"
import json, os, sys
for line in sys.stdin:
    post = json.loads(line)
    if post["kind"] == "greet":
        for number in range(2000):
            print(json.dumps({"type": "send", "to": os.environ["OTHER"], "kind": "ball", "body": "x" * 1000}))
    print(json.dumps({"type": "done", "id": post["id"]}))
"#;
    let fleet = Fleet::of(json!([
        { "name": "a", "command": python(script), "env": { "OTHER": "team/b" }, "mailbox": { "capacity": 4 } },
        { "name": "b", "command": python(script), "env": { "OTHER": "team/a" }, "mailbox": { "capacity": 4 } },
    ]))
    .await;
    let (one, other) = (fleet.post("a", json!(1)).await, fleet.post("b", json!(1)).await);
    assert_eq!(last(&one).await, Stage::Done(json!(null)));
    assert_eq!(last(&other).await, Stage::Done(json!(null)));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_agent_hears_its_program_and_gives_it_nothing() {
    let fleet = Fleet::of_one(json!([ECHO]), json!({})).await;
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)));
    fleet.tree.observer().pause("team/a").unwrap();
    let node = || fleet.tree.observer().node("team/a").unwrap().state;
    until("it is paused", || node() == triarch_supervision::tree::Phase::Paused).await;
    let stages = fleet.post("a", json!(2)).await;
    assert!(stages.is_empty());
    fleet.tree.observer().resume("team/a").unwrap();
    assert_eq!(within("the answer", last(&stages)).await, Stage::Done(json!(2)));
    fleet.end().await;
}
