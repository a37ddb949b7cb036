//! What one can ask of a supervisor, and what its events tell.

use futures_util::future::join_all;
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{CallError, ChildState, Decision, Started};
use triarch_supervision::tree::{Fact, Phase};

use crate::agents::{Log, Say, Script, Start, grow, one, puppet, scripted, team};
use crate::patience::{SECOND, decisions, node_until, not_yet, quiet, soon, until};

#[tokio::test(start_paused = true)]
async fn a_started_child_runs_at_the_right_end_and_is_listed() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log))).await;
    let team = tree.observer().supervisor("team").unwrap();
    let (address, _) = team.start_child(puppet("b", &log)).await.unwrap();
    assert_eq!((&*address.path(), address.ask(Say::Life).await), ("team/b", Ok(1)));
    let names: Vec<_> = team
        .which_children()
        .await
        .unwrap()
        .into_iter()
        .map(|child| child.name.to_string())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let counts = team.count_children().await.unwrap();
    assert_eq!((counts.specified, counts.active, counts.down), (2, 2, 0));
    assert_eq!(team.child_policy("b").await.unwrap().restart, Restart::Permanent);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_terminated_child_stays_down_with_its_specification_until_it_is_restarted() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let team = tree.observer().supervisor("team").unwrap();
    team.terminate_child("a").await.unwrap();
    team.terminate_child("a").await.unwrap();
    assert!(log.has("a stopped"));
    let counts = team.count_children().await.unwrap();
    assert_eq!((counts.specified, counts.active, counts.down), (1, 0, 1));
    assert!(!address.is_closed());
    address.send(Say::Note(1)).await.unwrap();
    assert_eq!(team.restart_child("a").await, Ok(Started::Running(2)));
    until("what waited is handled", || log.has("a note 1")).await;
    assert_eq!(
        team.restart_child("a").await.unwrap_err().to_string(),
        "child a runs; terminate it first"
    );
    assert_eq!(
        team.delete_child("a").await.unwrap_err().to_string(),
        "child a runs; terminate it first"
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_childs_address_is_closed_and_its_name_is_free() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let team = tree.observer().supervisor("team").unwrap();
    team.terminate_child("a").await.unwrap();
    team.delete_child("a").await.unwrap();
    assert_eq!(address.try_send(Say::Note(1)).unwrap_err().why, Refusal::Closed);
    assert!(tree.observer().address::<Say>("team/a").is_err());
    let (next, _) = team.start_child(puppet("a", &log)).await.unwrap();
    assert!(next != address);
    assert_eq!((next.ask(Say::Life).await, address.is_closed()), (Ok(1), true));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_is_free_again_when_its_start_fails() {
    let log = Log::default();
    let tree = grow(team()).await;
    let team = tree.observer().supervisor("team").unwrap();
    for start in [Start::Fails, Start::Panics, Start::Hangs] {
        let child = scripted("a", Script::new(&log).start(start)).start_within(SECOND);
        let address = child.address();
        let error = soon("it fails", team.start_child(child)).await.unwrap_err().to_string();
        assert!(error.starts_with("child a did not start: "), "{error}");
        assert!(address.is_closed() && tree.observer().node("team/a").is_err());
    }
    let (address, _) = team.start_child(puppet("a", &log)).await.unwrap();
    assert_eq!(address.ask(Say::Life).await, Ok(1));
    assert_eq!(team.count_children().await.unwrap().specified, 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_terminated_in_its_backoff_shows_as_stopped() {
    let log = Log::default();
    let minute = Backoff::exponential(60 * SECOND, 60 * SECOND);
    let (tree, address) = one(puppet("a", &log).backoff(minute)).await;
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    let team = tree.observer().supervisor("team").unwrap();
    team.terminate_child("a").await.unwrap();
    assert_eq!(tree.observer().node("team/a").unwrap().state, Phase::Stopped);
    team.restart_child("a").await.unwrap();
    assert_eq!(address.ask(Say::Life).await, Ok(2));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_without_limit_takes_as_long_as_it_likes() {
    let log = Log::default();
    let tree = grow(team()).await;
    let team = tree.observer().supervisor("team").unwrap();
    let slow = scripted("a", Script::new(&log).start(Start::Takes(3600 * SECOND)));
    let begun = tokio::time::Instant::now();
    let (address, _) = team.start_child(slow.start_without_limit()).await.unwrap();
    assert_eq!((begun.elapsed().as_secs(), address.ask(Say::Life).await), (3600, Ok(1)));
    assert_eq!(team.child_policy("a").await.unwrap().start_within, None);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_or_stops_a_child_is_not_kept_away_by_those_that_wait_for_long() {
    let log = Log::default();
    let tree = grow(team().child(puppet("old", &log))).await;
    let team = tree.observer().supervisor("team").unwrap();
    let slow = |number| {
        let script = Script::new(&log).start(Start::Hangs);
        team.start_child(scripted(&format!("a{number}"), script).start_without_limit())
    };
    let mut starts = Box::pin(join_all((0..1_100).map(slow)));
    not_yet(&mut starts).await;
    let counts = soon("it is counted", team.count_children()).await.unwrap();
    assert_eq!(counts.active, 1);
    assert!(soon("they are listed", team.which_children()).await.unwrap().len() > 1);
    soon("it stops", team.terminate_child("old")).await.unwrap();
    assert!(log.has("old stopped"));
    not_yet(&mut starts).await;
    drop(starts);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_double_leaves_the_present_child_alone() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let double = puppet("a", &log);
    let other = double.address();
    tree.observer()
        .supervisor("team")
        .unwrap()
        .start_child(double)
        .await
        .unwrap_err();
    assert!(other.is_closed() && !address.is_closed());
    assert!(tree.observer().address::<Say>("team/a").unwrap() == address);
    assert_eq!(address.ask(Say::Life).await, Ok(1));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_keeps_nobody_who_is_dead() {
    let log = Log::default();
    let tree = grow(Supervisor::dynamic("team").intensity(Intensity::new(1000, SECOND))).await;
    let team = tree.observer().supervisor("team").unwrap();
    for number in 0..500 {
        let child = puppet(&format!("a{number}"), &log).restart(Restart::Temporary);
        let (address, _) = team.start_child(child).await.unwrap();
        address
            .send(if number % 2 == 0 { Say::Stop } else { Say::Panic })
            .await
            .unwrap();
    }
    until("all have left", || tree.observer().snapshot().len() == 2).await;
    assert_eq!(team.count_children().await.unwrap().specified, 0);
    let transient = puppet("t", &log).restart(Restart::Transient);
    let (address, _) = team.start_child(transient).await.unwrap();
    address.send(Say::Fail).await.unwrap();
    assert_eq!(address.ask(Say::Life).await, Ok(2));
    address.send(Say::Stop).await.unwrap();
    until("it has left", || address.is_closed()).await;
    team.start_child(puppet("p", &log)).await.unwrap();
    team.terminate_child("p").await.unwrap();
    assert_eq!(team.count_children().await.unwrap().specified, 0);
    let text = "child p belongs to a dynamic supervisor, which keeps no specification of a child that is down; \
        start it as a new one";
    assert_eq!(team.restart_child("p").await.unwrap_err().to_string(), text);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_done_all_the_same_and_harms_nobody() {
    let log = Log::default();
    let tree = grow(team()).await;
    let team = tree.observer().supervisor("team").unwrap();
    let mut call = Box::pin(team.start_child(scripted("a", Script::new(&log).start(Start::Takes(SECOND)))));
    not_yet(&mut call).await;
    drop(call);
    node_until(&tree, "team/a", |node| node.state == Phase::Idle).await;
    assert_eq!(team.count_children().await.unwrap().active, 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn calls_to_a_supervisor_that_ends_are_answered() {
    let log = Log::default();
    let slow = scripted("slow", Script::new(&log).stop(crate::agents::Stop::Takes(3 * SECOND)));
    let tree = grow(team().child(slow)).await;
    let team = tree.observer().supervisor("team").unwrap();
    let mut stop = Box::pin(tree.stop());
    not_yet(&mut stop).await;
    let error = soon("an answer", team.start_child(puppet("b", &log)))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the supervisor is ending; ask its parent instead");
    assert_eq!(
        team.which_children().await.unwrap()[0].state,
        ChildState::Stopping,
        "observation goes on"
    );
    stop.await;
    assert!(matches!(
        team.which_children().await.unwrap_err(),
        CallError::Down { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_split_group_is_several_supervisors_of_at_most_its_span() {
    let log = Log::default();
    let children: Vec<_> = (0..5).map(|number| puppet(&format!("a{number}"), &log)).collect();
    let addresses: Vec<_> = children.iter().map(Child::address).collect();
    let group = Supervisor::named("team")
        .intensity(Intensity::new(0, SECOND))
        .span(2)
        .children(children);
    let tree = grow(group).await;
    let paths: Vec<_> = addresses.iter().map(|address| address.path().to_string()).collect();
    assert_eq!(paths, ["team/a0", "team/a1", "team.1/a2", "team.1/a3", "team.2/a4"]);
    addresses[2].send(Say::Panic).await.unwrap();
    node_until(&tree, "team.1", |node| node.incarnation == 2).await;
    assert_eq!(
        tree.observer().node("team").unwrap().incarnation,
        1,
        "a part fails alone"
    );
    assert_eq!(tree.observer().node("team.1").unwrap().children_count, 2);
    tree.stop().await;
}

fn word(decision: &Decision) -> String {
    let text = format!("{decision:?}");
    text.split([' ', '(']).next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn every_decision_is_an_event_with_its_reason() {
    let log = Log::default();
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(SECOND, SECOND)
    };
    let bad = puppet("bad", &log).backoff(backoff).on_limit(OnLimit::Quarantine);
    let once = puppet("once", &log).restart(Restart::Temporary);
    let stiff = scripted("stiff", Script::new(&log).stop(crate::agents::Stop::Hangs));
    let (a, b) = (bad.address(), once.address());
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(1, 60 * SECOND))
            .child(bad)
            .child(once)
            .child(stiff),
    )
    .await;
    let (mut events, team) = (tree.observer().events(), tree.observer().supervisor("team").unwrap());
    let mut told = Vec::new();
    a.send(Say::Fail).await.unwrap();
    assert_eq!(a.ask(Say::Life).await, Ok(2));
    a.send(Say::Fail).await.unwrap();
    quiet().await;
    b.send(Say::Stop).await.unwrap();
    quiet().await;
    team.terminate_child("stiff").await.unwrap();
    team.start_child(scripted("shy", Script::new(&log).start(Start::Ignores)))
        .await
        .unwrap();
    while let Some(event) = events.try_next() {
        assert_eq!(&*event.supervisor, "team");
        if let Fact::Decision(decision) = event.fact {
            told.push(word(&decision));
        }
    }
    let expected = [
        "Ended",
        "Restarting",
        "Started",
        "Ended",
        "Quarantined",
        "Ended",
        "LetGo",
        "Killed",
        "Ended",
        "Ignored",
    ];
    assert_eq!(told, expected);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn escalation_and_its_reason_are_events_of_both_levels() {
    let log = Log::default();
    let child = puppet("a", &log);
    let address = child.address();
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(0, SECOND))
            .child(child),
    )
    .await;
    let mut events = tree.observer().events();
    address.send(Say::Panic).await.unwrap();
    assert_eq!(address.ask(Say::Life).await, Ok(2));
    let told: Vec<_> = std::iter::from_fn(|| events.try_next())
        .filter_map(|event| match event.fact {
            Fact::Decision(decision) => Some(format!("{} {}", event.supervisor, word(&decision))),
            _ => None,
        })
        .collect();
    let expected = [
        "team Ended",
        "team Escalated",
        "root Ended",
        "root Restarting",
        "team Started",
        "root Started",
    ];
    assert_eq!(told, expected);
    assert!(decisions(&mut events).is_empty());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_of_a_child_that_is_not_there_says_how_to_have_it_back() {
    let log = Log::default();
    let quarantined = puppet("bad", &log).on_limit(OnLimit::Quarantine);
    let bad = quarantined.address();
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(0, SECOND))
            .child(puppet("a", &log))
            .child(quarantined),
    )
    .await;
    let team = tree.observer().supervisor("team").unwrap();
    team.terminate_child("a").await.unwrap();
    bad.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/bad", |node| node.state == Phase::Failed).await;
    assert_eq!(
        team.kill_child("a").await.unwrap_err().to_string(),
        "child a is down; restart it"
    );
    assert_eq!(
        team.kill_child("bad").await.unwrap_err().to_string(),
        "child bad is in quarantine; retry it"
    );
    assert_eq!(team.restart_child("a").await, Ok(Started::Running(2)));
    assert_eq!(team.retry_child("bad").await, Ok(Started::Running(2)));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_of_a_child_that_waits_for_its_restart_says_so() {
    let (tree, address) = one(puppet("a", &Log::default()).backoff(Backoff::exponential(SECOND, SECOND))).await;
    let team = tree.observer().supervisor("team").unwrap();
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    assert_eq!(
        team.kill_child("a").await.unwrap_err().to_string(),
        "child a is being restarted; wait, or terminate it first"
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_starts_again_though_the_child_it_waited_for_was_deleted() {
    let log = Log::default();
    let a = puppet("a", &log);
    let address = a.address();
    let patient = team()
        .strategy(Strategy::OneForAll)
        .backoff(Backoff::exponential(SECOND, SECOND));
    let tree = grow(patient.child(a).child(puppet("b", &log))).await;
    let team = tree.observer().supervisor("team").unwrap();
    address.send(Say::Fail).await.unwrap();
    quiet().await;
    team.terminate_child("a").await.unwrap();
    team.delete_child("a").await.unwrap();
    until("the rest of the group starts", || log.has("b starts 2")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_slow_starts_keeps_nobody_from_looking_and_from_taking_away() {
    let log = Log::default();
    let tree = grow(team()).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let slow = |number| {
        let script = Script::new(&log).start(Start::Hangs);
        let child = scripted(&format!("a{number}"), script).start_without_limit();
        child.shutdown(Shutdown::BrutalKill)
    };
    let starts = (0..1100).map(|number| handle.start_child(slow(number)));
    let mut starts = join_all(starts);
    not_yet(&mut starts).await;
    let listed = soon("they are listed", handle.which_children()).await.unwrap();
    assert_eq!(listed.len(), 1024);
    assert_eq!(
        soon("they are counted", handle.count_children())
            .await
            .unwrap()
            .starting,
        1024
    );
    soon("one is taken away", handle.terminate_child("a7")).await.unwrap();
    soon("the tree ends", tree.stop()).await;
}
