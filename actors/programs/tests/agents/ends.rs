//! Programs that end: by themselves, by force, and in order.

use std::cell::RefCell;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use triarch_programs::EndReason;
use triarch_supervision::prelude::*;
use triarch_teams::receipt::{Stage, Stages};

use crate::fleet::{ECHO, Fleet, bash, last, next, python, until, within};

const FRAGILE: &str = r#"
import json, os, sys
for line in sys.stdin:
    post = json.loads(line)
    if post["body"] == "die":
        print("I am going down", file=sys.stderr)
        os._exit(3)
    print(json.dumps({"type": "reply", "id": post["id"], "body": os.getpid()}))
"#;

fn is_alive(pid: i32) -> bool {
    std::fs::exists(format!("/proc/{pid}")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_fails_the_post_in_hand_and_the_next_life_serves_the_rest() {
    let fleet = Fleet::of_one(python(FRAGILE), json!({ "unanswered_max": 1 })).await;
    let first = fleet.ask(json!(1)).await;
    let deadly = fleet.post("a", json!("die")).await;
    let mut rest = Vec::new();
    for number in 0..50 {
        rest.push(fleet.post("a", json!(number)).await);
    }
    let expected = "the program ended with code 3";
    assert!(matches!(last(&deadly).await, Stage::Lost(why) if why.starts_with(expected)));
    for stages in &rest {
        let stage = last(stages).await;
        assert!(matches!(&stage, Stage::Done(_)) && stage != first, "{stage:?}");
    }
    assert_eq!(fleet.incarnation(), 2);
    let node = fleet.tree.observer().node("team/a").unwrap();
    let Some(ExitReason::Error(failure)) = node.last_exit else {
        panic!("{:?}", node.last_exit)
    };
    assert_eq!(
        failure.to_string(),
        "the program ended with code 3; it last said: I am going down"
    );
    let records = fleet.programs.records().of("team/a");
    assert_eq!((records.len(), records[0].code, records[0].posts), (1, Some(3), 1));
    assert_eq!(records[0].lines, ["I am going down"]);
    assert!(records[0].usage.unwrap().memory_bytes_max > 0);
    assert_eq!(fleet.count("triarch_program_exits_total", "code"), 1);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_somebody_kills_is_started_again() {
    let fleet = Fleet::of_one(json!([ECHO]), json!({})).await;
    let records = fleet.programs.records();
    for life in 1..6 {
        assert_eq!(fleet.ask(json!(life)).await, Stage::Done(json!(life)));
        let pid = records.running("team/a").unwrap().pid;
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        until("the end is seen", || records.of("team/a").len() == life).await;
    }
    assert_eq!(fleet.ask(json!(7)).await, Stage::Done(json!(7)));
    assert!(records.of("team/a").iter().all(|record| record.signal == Some(9)));
    assert_eq!(fleet.count("triarch_program_exits_total", "signal"), 5);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_post_disappears_while_the_program_is_killed_again_and_again() {
    let fleet = Fleet::of_one(json!([ECHO]), json!({})).await;
    let records = fleet.programs.records();
    let mut all = Vec::new();
    for number in 0..5_000 {
        all.push(fleet.post("a", json!(number)).await);
        if number % 1_000 == 999
            && let Some(pid) = records.running("team/a").and_then(|running| Pid::from_raw(running.pid))
        {
            let _ended_already = kill_process(pid, Signal::KILL);
        }
    }
    let (mut done, mut failed) = (0, 0);
    for (number, stages) in all.iter().enumerate() {
        match last(stages).await {
            Stage::Done(body) => {
                assert_eq!(body, json!(number));
                done += 1;
            }
            Stage::Lost(why) => {
                assert!(why.contains("ended by signal 9"), "{why}");
                failed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(done + failed, 5_000);
    assert!(done >= 1_000, "{done}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_with_code_0_is_no_failure() {
    let fleet = Fleet::of_one(bash("exit 0"), json!({ "restart": "transient" })).await;
    let records = fleet.programs.records();
    until("it has ended", || !records.of("team/a").is_empty()).await;
    let node = || fleet.tree.observer().node("team/a").unwrap();
    until("the node knows", || node().last_exit.is_some()).await;
    assert_eq!(node().last_exit, Some(ExitReason::Normal));
    assert_eq!(
        (fleet.incarnation(), records.of("team/a")[0].reason),
        (1, EndReason::Ended)
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_says_last_counts_also_without_a_line_end() {
    let script = r#"read -r line; printf '{"type":"reply","id":"%s","body":1}' "${line:7:32}"; exit 4"#;
    let fleet = Fleet::of_one(bash(script), json!({})).await;
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_it_takes_its_helpers_along_even_those_in_sessions_of_their_own() {
    let script = r#"
setsid sleep 1000 & echo "{\"type\":\"status\",\"state\":\"$!\"}"
trap '' TERM
read -r line; read -r line; sleep 1000
"#;
    let fleet = Fleet::of_one(bash(script), json!({ "shutdown": "2s" })).await;
    let records = fleet.programs.records();
    let state = || records.running("team/a").and_then(|running| running.state);
    until("the sleeper is there", || state().is_some()).await;
    let sleeper: i32 = state().unwrap().parse().unwrap();
    assert!(fleet.programs.processes("team/a").await.len() >= 2);
    assert!(is_alive(sleeper));
    let stages = fleet.post("a", json!(1)).await;
    assert_eq!(next(&stages).await, Stage::Delivered);
    fleet.end().await;
    until("the sleeper is gone", || !is_alive(sleeper)).await;
    let record = records.of("team/a").pop().unwrap();
    assert_eq!(
        (record.reason, record.survivors, record.posts),
        (EndReason::Stopped, Some(0), 1)
    );
    assert!(record.processes >= Some(2), "{record:?}");
    assert!(matches!(last(&stages).await, Stage::Lost(why) if why.starts_with("the program was stopped")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_answers_while_it_stops_counts() {
    let script = r#"
import json, signal, sys, time
held = []
def bye(*_):
    for id in held:
        print(json.dumps({"type": "reply", "id": id, "body": "late but true"}))
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
for line in sys.stdin:
    held.append(json.loads(line)["id"])
    print(json.dumps({"type": "accepted", "id": held[-1]}))
time.sleep(1000)
"#;
    let fleet = Fleet::of_one(python(script), json!({})).await;
    let stages = fleet.post("a", json!(1)).await;
    assert_eq!(next(&stages).await, Stage::Delivered);
    assert_eq!(next(&stages).await, Stage::Accepted);
    fleet.end().await;
    assert_eq!(last(&stages).await, Stage::Done(json!("late but true")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_closes_its_output_goes_on_until_it_ends() {
    let script = "exec 1>&-; read -r line; exit 5";
    let fleet = Fleet::of_one(bash(script), json!({ "restart": "temporary" })).await;
    let stages = fleet.post("a", json!(1)).await;
    assert!(matches!(last(&stages).await, Stage::Lost(why) if why.contains("code 5")));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_closes_its_input_and_goes_on_has_failed() {
    let fleet = Fleet::of_one(bash("exec 0<&-; sleep 1000"), json!({ "restart": "temporary" })).await;
    let records = fleet.programs.records();
    until("it runs", || records.running("team/a").is_some()).await;
    within("the end", async {
        while records.of("team/a").is_empty() {
            let (post, _stages) = fleet.office.registered("me", "greet", json!(1));
            let _left = fleet.tree.observer().send_to("team/a", post).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(records.of("team/a")[0].survivors, Some(0));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_runs_longer_than_it_may_is_ended() {
    let more = json!({ "restart": "temporary", "limits": { "wall": "50ms" } });
    let fleet = Fleet::of_one(bash("sleep 1000"), more).await;
    let records = fleet.programs.records();
    until("it has ended", || !records.of("team/a").is_empty()).await;
    assert_eq!(records.of("team/a")[0].reason, EndReason::Wall);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_gone_for_a_while_is_started_once_it_is_back_and_its_posts_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("echo"), folder.path().join("away"));
    std::fs::copy(ECHO, &here).unwrap();
    let fleet = Fleet::of_one(json!([here]), json!({})).await;
    let records = fleet.programs.records();
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)));
    std::fs::rename(&here, &away).unwrap();
    let pid = records.running("team/a").unwrap().pid;
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    until("starts have failed", || {
        fleet.count("triarch_program_exits_total", "launch_failed") > 2
    })
    .await;
    let waiting = [fleet.post("a", json!(2)).await, fleet.post("a", json!(3)).await];
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(last(&waiting[0]).await, Stage::Done(json!(2)));
    assert_eq!(last(&waiting[1]).await, Stage::Done(json!(3)));
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_begin_keeps_no_more_posts_than_it_may_have_life_after_life() {
    let folder = tempfile::tempdir().unwrap();
    let echo = folder.path().join("echo");
    std::fs::copy(ECHO, &echo).unwrap();
    let more = json!({ "unanswered_max": 4, "mailbox": { "capacity": 4 } });
    let fleet = Fleet::of_one(json!([echo]), more).await;
    assert_eq!(fleet.ask(json!(1)).await, Stage::Done(json!(1)));
    std::fs::remove_file(&echo).unwrap();
    let pid = fleet.programs.records().running("team/a").unwrap().pid;
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let lives = || fleet.count("triarch_program_exits_total", "launch_failed");
    until("starts have failed", || lives() > 1).await;
    let taken = RefCell::new(Vec::new());
    until("it has had twenty lives more than one for each post", || {
        let (post, stages) = fleet.office.registered("me", "greet", json!(1));
        if fleet.tree.observer().try_send_to("team/a", post).is_ok() {
            taken.borrow_mut().push(stages);
        }
        lives() > 31
    })
    .await;
    let are_told = |stages: &Vec<Stages>| stages.iter().filter(|stages| !stages.is_empty()).count();
    let taken = taken.into_inner();
    let waiting = taken.len() - are_told(&taken);
    assert!(taken.len() > 9 && waiting <= 4 + 4 + 1, "{waiting} of {}", taken.len());
    let told = taken.iter().find_map(|stages| stages.try_recv().ok()).unwrap().1;
    let expected = "4 posts wait already for its program, which cannot begin: ";
    assert!(
        matches!(&told, Stage::Failed(why) if why.starts_with(expected)),
        "{told:?}"
    );
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_leaves_no_process_behind() {
    let script = r#"
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"type": "status", "state": str(os.getpid())}))
time.sleep(1000)
"#;
    let fleet = Fleet::of_one(python(script), json!({ "shutdown": "100ms" })).await;
    let records = fleet.programs.records();
    let state = || records.running("team/a").and_then(|running| running.state);
    until("it runs", || state().is_some()).await;
    let pid: i32 = state().unwrap().parse().unwrap();
    // It is not given the time to stop anything.
    let team = fleet.tree.observer().supervisor("team").unwrap();
    team.kill_child("a").await.unwrap();
    until("it is gone", || !is_alive(pid)).await;
    until("its end is told", || !records.of("team/a").is_empty()).await;
    let record = records.of("team/a").remove(0);
    assert_eq!(record.reason, EndReason::Killed);
    assert_eq!(
        (record.processes, record.survivors),
        (None, None),
        "nobody looked for what was left"
    );
    let _end = fleet.tree.stop().await;
}
