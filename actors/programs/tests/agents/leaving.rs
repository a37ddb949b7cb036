//! What a program posts and wishes for at its end, and while it is stopped.

use std::cell::Cell;

use serde_json::{Value, json};
use triarch_programs::{EndReason, ExitRecord};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::fleet::{Fleet, python, until};

/// What a turn reads beyond the bound of 64, of lines of 10,000 bytes, and some more.
const KEPT_MAX: u64 = 150;

/// Tells how many posts it has had, and what the last one said.
const HEARER: &str = r#"
import json, sys
for number, line in enumerate(sys.stdin):
    print(json.dumps({"type": "status", "state": "%d %s" % (number + 1, json.loads(line)["body"])}))
"#;

/// Says what stands in `LAST` when it is asked to stop.
/// It sleeps little, since Python oversleeps a signal that comes right before.
const LEAVER: &str = r#"
import json, signal, sys, time
padding = "x" * 10000
def say(**words): print(json.dumps(words), flush=True)
def send(**more): say(type="send", to="team/b", kind="note", **more)
def wish(): say(type="memory", waits=True)
def bye(*_):
    LAST
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
say(type="status", state="ready")
while True: time.sleep(0.01)
"#;

/// Posts once it is told to, and ends.
const ERRAND: &str = r#"
import json, sys
sys.stdin.readline()
print(json.dumps({"type": "send", "to": "team/b", "kind": "note", "body": "the rest"}))
"#;

/// Hears and says nothing of it.
const QUIET: &str = "import sys; sys.stdin.read()";

/// A program `a`, and `b` that hears of it.
async fn pair(script: &str, hearer: &str, shutdown: &str) -> Fleet {
    Fleet::of(json!([
        { "name": "a", "command": python(script), "shutdown": shutdown, "restart": "transient" },
        { "name": "b", "command": python(hearer), "mailbox": { "capacity": 4 }, "restart": "transient" },
    ]))
    .await
}

/// Such a pair, of which `a` says that when it is asked to stop.
async fn leaving(last: &str, shutdown: &str) -> Fleet {
    leaving_to(HEARER, last, shutdown).await
}

async fn leaving_to(hearer: &str, last: &str, shutdown: &str) -> Fleet {
    let fleet = pair(&LEAVER.replace("LAST", last), hearer, shutdown).await;
    until("it runs", || state(&fleet, "team/a").as_deref() == Some("ready")).await;
    fleet
}

fn state(fleet: &Fleet, path: &str) -> Option<String> {
    fleet.programs.records().running(path).and_then(|running| running.state)
}

async fn has_heard(fleet: &Fleet, what: &str) {
    until(what, || state(fleet, "team/b").as_deref() == Some(what)).await;
}

/// Has `b` take nothing, with no room for more.
async fn fill(fleet: &Fleet) {
    let tree = fleet.tree.observer();
    tree.pause("team/b").unwrap();
    until("it is paused", || tree.node("team/b").unwrap().state == Phase::Paused).await;
    loop {
        let (post, _stages) = fleet.office.registered("me", "greet", Value::Null);
        if tree.try_send_to("team/b", post).is_err() {
            return;
        }
    }
}

/// Stops `a` while `meanwhile` looks on.
async fn stop_a(fleet: &Fleet, meanwhile: impl Future<Output = ()>) {
    let team = fleet.tree.observer().supervisor("team").unwrap();
    let (stopped, ()) = tokio::join!(team.terminate_child("a"), meanwhile);
    stopped.unwrap();
}

async fn end_of_a(fleet: &Fleet) -> ExitRecord {
    let records = fleet.programs.records();
    until("its end is told", || !records.of("team/a").is_empty()).await;
    records.of("team/a").remove(0)
}

fn sends(fleet: &Fleet, label: &str) -> u64 {
    fleet.count("triarch_program_sends_total", label)
}

/// Waits until a number of at least `least` grows no more; returns it.
async fn comes_to_rest(least: u64, number: impl Fn() -> u64) -> u64 {
    let (most, looks) = (Cell::new(0), Cell::new(0));
    until("it grows no more", || {
        let now = number();
        let is_more = now > most.replace(now);
        looks.set(if is_more { 0 } else { looks.get() + 1 });
        now >= least && looks.get() >= 100
    })
    .await;
    most.get()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_posts_while_it_is_stopped_is_sent() {
    let fleet = leaving(r#"send(body="the rest")"#, "5s").await;
    stop_a(&fleet, async {}).await;
    has_heard(&fleet, "1 the rest").await;
    assert_eq!((sends(&fleet, "queued"), sends(&fleet, "refused")), (1, 0));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_posts_before_it_ends_by_itself_waits_for_room() {
    let fleet = pair(ERRAND, HEARER, "5s").await;
    fill(&fleet).await;
    let _stages = fleet.post("a", json!("go")).await;
    let phase = || fleet.tree.observer().node("team/a").unwrap().state;
    until("it ends", || matches!(phase(), Phase::Stopping | Phase::Stopped)).await;
    fleet.tree.observer().resume("team/b").unwrap();
    has_heard(&fleet, "5 the rest").await;
    assert_eq!((sends(&fleet, "queued"), sends(&fleet, "refused")), (1, 0));
    assert_eq!(end_of_a(&fleet).await.reason, EndReason::Ended);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_before_the_end_of_its_agent_is_counted_and_told() {
    let fleet = pair(ERRAND, HEARER, "2s").await;
    fill(&fleet).await;
    let _stages = fleet.post("a", json!("go")).await;
    assert_eq!(end_of_a(&fleet).await.reason, EndReason::Ended);
    assert_eq!((sends(&fleet, "queued"), sends(&fleet, "refused")), (0, 1));
    let last_exit = || fleet.tree.observer().node("team/a").unwrap().last_exit;
    until("the node knows", || last_exit().is_some()).await;
    assert_eq!(last_exit(), Some(ExitReason::Normal));
    let told = "a post of it to team/b is lost: its mailbox is full";
    fleet.until_said(told).await;
    fleet.tree.observer().resume("team/b").unwrap();
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_posts_hold_a_program_up_that_is_stopped_until_there_is_room() {
    let fleet = leaving("for _ in range(400): send(body=1, padding=padding)", "1m").await;
    fill(&fleet).await;
    let before = fleet.count("triarch_program_lines_total", "stdout");
    stop_a(&fleet, async {
        let heard = || fleet.count("triarch_program_lines_total", "stdout") - before;
        let heard = comes_to_rest(64, heard).await;
        assert!(heard < KEPT_MAX, "{heard}");
        fleet.tree.observer().resume("team/b").unwrap();
    })
    .await;
    has_heard(&fleet, "404 1").await;
    assert_eq!((sends(&fleet, "queued"), sends(&fleet, "refused")), (400, 0));
    assert_eq!(end_of_a(&fleet).await.code, Some(0));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_wishes_hold_a_program_up_that_is_stopped_until_they_are_fulfilled() {
    let fleet = leaving("for _ in range(400): wish()", "1m").await;
    stop_a(&fleet, async {
        let begun = comes_to_rest(64, || fleet.mirror.told().len() as u64).await;
        assert_eq!(begun, 64);
        fleet.mirror.gate.add_permits(1);
    })
    .await;
    let told = fleet.mirror.told();
    assert_eq!((told.len(), told[400].as_str()), (401, "team/a ended"));
    assert_eq!(end_of_a(&fleet).await.code, Some(0));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_keeps_a_program_that_is_stopped_from_its_end() {
    let last = "for _ in range(500): send(body=1, padding=padding); wish()";
    let fleet = leaving(last, "4s").await;
    fill(&fleet).await;
    stop_a(&fleet, async {}).await;
    let end = end_of_a(&fleet).await;
    assert_eq!((end.reason, end.code, end.signal), (EndReason::Stopped, Some(0), None));
    assert_eq!((sends(&fleet, "queued"), sends(&fleet, "refused")), (0, 500));
    let told = fleet.mirror.told();
    assert_eq!(told.iter().filter(|told| told.contains(" memory ")).count(), 64);
    fleet.tree.observer().resume("team/b").unwrap();
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_that_does_not_stop_no_more_is_kept_than_the_bound() {
    let fleet = leaving_to(QUIET, "while True: send(body=1, padding=padding)", "3s").await;
    let heard = || fleet.count("triarch_program_lines_total", "stdout");
    let before = heard();
    let (most, is_over) = (Cell::new(0), Cell::new(false));
    let stopped = async {
        stop_a(&fleet, async {}).await;
        is_over.set(true);
    };
    let looks = until("it is stopped", || {
        // What is sent between the two looks makes it less, never more.
        let now = heard() - before;
        let kept = now.saturating_sub(sends(&fleet, "queued") + sends(&fleet, "refused"));
        most.set(most.get().max(kept));
        is_over.get()
    });
    tokio::join!(stopped, looks);
    assert!(
        heard() - before > 2 * KEPT_MAX,
        "it was listened to while it was stopped"
    );
    assert!(most.get() < KEPT_MAX, "{}", most.get());
    assert_eq!(end_of_a(&fleet).await.signal, Some(9));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_has_not_sent_when_it_is_killed_is_counted() {
    let script = r#"
import json, sys, time
sys.stdin.readline()
for _ in range(3):
    print(json.dumps({"type": "send", "to": "team/b", "kind": "note", "body": 1}), flush=True)
time.sleep(1000)
"#;
    let fleet = pair(script, HEARER, "5s").await;
    fill(&fleet).await;
    let _stages = fleet.post("a", json!("go")).await;
    let heard = || fleet.count("triarch_program_lines_total", "stdout");
    until("it has posted", || heard() >= 3).await;
    let team = fleet.tree.observer().supervisor("team").unwrap();
    team.kill_child("a").await.unwrap();
    until("its end is told", || !fleet.programs.records().of("team/a").is_empty()).await;
    assert_eq!(sends(&fleet, "refused"), 3);
    fleet.tree.observer().resume("team/b").unwrap();
    let _end = fleet.tree.stop().await;
}
