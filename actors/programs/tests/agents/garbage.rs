//! Programs that say what nobody understands.

use serde_json::json;
use triarch_teams::receipt::Stage;

use crate::fleet::{Fleet, python, until};

/// Says `garbage` before each answer.
fn with_garbage(garbage: &str) -> serde_json::Value {
    python(&format!(
        r#"
import json, os, random, sys
for line in sys.stdin:
    post = json.loads(line)
    sys.stdout.flush()
    {garbage}
    print(json.dumps({{"type": "reply", "id": post["id"], "body": post["body"]}}), flush=True)
"#
    ))
}

async fn faults(garbage: &str, fault: &str) {
    let fleet = Fleet::of_one(with_garbage(garbage), json!({})).await;
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)), "{garbage}");
    assert_eq!(fleet.ask(json!(2)).await, Stage::Done(json!(2)), "{garbage}");
    assert_eq!(fleet.count("triarch_program_line_faults_total", fault), 2, "{garbage}");
    assert_eq!(fleet.incarnation(), 1);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_line_is_skipped_and_counted() {
    faults("os.write(1, b'x' * 3000000 + b'\\n')", "too_long").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_counted() {
    faults(
        "os.write(1, b'{\"type\":\"log\",\"text\":\"\\xff\\xfe\"}\\n')",
        "not_utf8",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_beyond_all_depth_are_counted() {
    let deep = r#"os.write(1, b'{"type":"log","text":"x","body":' + b'[' * 100000 + b']' * 100000 + b'}\n')"#;
    faults(deep, "too_deep").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_nobody_are_counted() {
    faults(
        r#"print('{"type":"reply","id":"%032x","body":1}' % 7, flush=True)"#,
        "unknown_id",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_what_is_to_be_said_is_counted() {
    faults(r#"print('{"type":"done"}', flush=True)"#, "malformed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_on_both_streams_break_nothing() {
    let garbage = "os.write(1, random.randbytes(100000) + b'\\n'); os.write(2, random.randbytes(100000))";
    let fleet = Fleet::of_one(with_garbage(garbage), json!({})).await;
    for number in 0..20 {
        assert_eq!(fleet.ask(json!(number)).await, Stage::Done(json!(number)));
    }
    until("lines of its errors are read", || {
        fleet.count("triarch_program_lines_total", "stderr") > 0
    })
    .await;
    assert_eq!(fleet.incarnation(), 1);
    fleet.end().await;
}
