//! What programs said, as it is read back.

use serde_json::json;
use triarch_programs::{LogError, LogLine, Query, Source};
use triarch_teams::receipt::Stage;

use crate::fleet::{ECHO, Fleet, python, until, within};

const TALKER: &str = r#"
import json, os, sys
print("begun")
for line in sys.stdin:
    post = json.loads(line)
    print(json.dumps({"type": "log", "level": "warn", "text": "got %s" % post["body"]}))
    print("oh", file=sys.stderr)
    print(json.dumps({"type": "reply", "id": post["id"], "body": 1}))
    if post["body"] == "die":
        sys.exit(3)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn output_errors_and_events_stand_in_one_log_in_order() {
    let fleet = Fleet::of_one(python(TALKER), json!({})).await;
    assert_eq!(fleet.ask(json!("die")).await, Stage::Done(json!(1)));
    until("it has ended", || !fleet.programs.records().of("team/a").is_empty()).await;
    assert_eq!(fleet.ask(json!("again")).await, Stage::Done(json!(1)));
    let lines = fleet.until_said("got again").await;
    assert!(lines.is_sorted_by_key(|line| line.time));
    let said = |source: Source, text: &str| {
        let found = lines
            .iter()
            .find(|line| line.source == source && line.text.contains(text));
        found.unwrap_or_else(|| panic!("{text} is not in {lines:#?}")).clone()
    };
    assert_eq!(said(Source::Out, "begun").incarnation, 1);
    assert_eq!(said(Source::Out, "got die").level.as_deref(), Some("warn"));
    assert_eq!(said(Source::Err, "oh").incarnation, 1);
    assert_eq!(said(Source::Event, "the program has begun as process").incarnation, 1);
    assert_eq!(said(Source::Event, "the program ended with code 3").incarnation, 1);
    assert_eq!(said(Source::Event, "is restarted").incarnation, 1);
    assert_eq!(said(Source::Out, "got again").incarnation, 2);
    let second = Query {
        incarnation: Some(2),
        ..Query::default()
    };
    let lines = fleet.until_read(second, "got again").await;
    assert!(lines.iter().all(|line| line.incarnation == 2));
    let last = Query {
        last: Some(1),
        ..Query::default()
    };
    assert_eq!(fleet.programs.logs().read("team/a", last).await.unwrap().len(), 1);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_as_it_grows() {
    let fleet = Fleet::of_one(python(TALKER), json!({})).await;
    fleet.until_said("begun").await;
    let mut following = fleet.programs.logs().follow("team/a", Query::default()).unwrap();
    let mut seen = Vec::new();
    for number in 0..5 {
        fleet.ask(json!(number)).await;
        let text = format!("got {number}");
        while !seen.iter().any(|line: &LogLine| line.text == text) {
            seen.extend(within(&text, following.next()).await.unwrap());
        }
    }
    assert_eq!(seen.iter().filter(|line| line.text.starts_with("got")).count(), 5);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_none_says_so() {
    let fleet = Fleet::of_one(json!([ECHO]), json!({})).await;
    let logs = fleet.programs.logs();
    let error = logs.read("team/b", Query::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no log of team/b; only programs that were started have one"
    );
    let error = logs.read("../../etc/passwd", Query::default()).await.unwrap_err();
    assert!(matches!(error, LogError::NoPath { .. }), "{error}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let canary = "canary-5f1c";
    std::fs::write(folder.path().join("key"), canary).unwrap();
    let more = json!({ "secrets": { "KEY": { "file": folder.path().join("key") } } });
    let fleet = Fleet::of_one(python(TALKER), more).await;
    fleet.ask(json!("die")).await;
    until("it has ended", || !fleet.programs.records().of("team/a").is_empty()).await;
    fleet.ask(json!("again")).await;
    let lines = fleet.until_said("got again").await;
    let shown = format!(
        "{lines:?} {:?} {:?}",
        fleet.programs.records().of("team/a"),
        fleet.programs
    );
    assert!(!shown.contains(canary));
    fleet.tree.observer().request_state("team/a").unwrap();
    let state = || fleet.tree.observer().last_state("team/a").unwrap();
    until("it shows its state", || state().is_some()).await;
    assert!(!state().unwrap().to_string().contains(canary));
    fleet.end().await;
}
