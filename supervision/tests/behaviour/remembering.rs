//! Changes made while a supervisor runs, and what its next life knows of them.

use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{CallError, Decision, SupervisorHandle};
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Say, Script, Start, Stop, grow, puppet, scripted, team};
use crate::patience::{SECOND, decisions, node_until, not_yet, quiet, until};

async fn names(handle: &SupervisorHandle) -> Vec<String> {
    let children = handle.which_children().await.unwrap();
    children.iter().map(|child| child.name.to_string()).collect()
}

/// The team starts again, as after an escalation.
async fn begin_again(tree: &Tree) {
    let root = tree.observer().supervisor("root").unwrap();
    root.terminate_child("team").await.unwrap();
    root.restart_child("team").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_remembers_starts_again_with_what_was_added_and_without_what_was_deleted() {
    let log = Log::default();
    let tree = grow(team().remembers().child(puppet("a", &log)).child(puppet("b", &log))).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let (added, _) = handle.start_child(puppet("c", &log)).await.unwrap();
    handle.terminate_child("a").await.unwrap();
    handle.delete_child("a").await.unwrap();
    let root = tree.observer().supervisor("root").unwrap();
    root.terminate_child("team").await.unwrap();
    added.try_send(Say::Note(7)).unwrap();
    root.restart_child("team").await.unwrap();
    assert_eq!(names(&handle).await, ["b", "c"]);
    until("its mailbox was kept", || log.has("c note 7")).await;
    assert_eq!(added.ask(Say::Life).await, Ok(2));
    assert!(tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_remember_starts_again_as_it_was_described() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log))).await;
    let handle = tree.observer().supervisor("team").unwrap();
    handle.start_child(puppet("c", &log)).await.unwrap();
    handle.terminate_child("a").await.unwrap();
    handle.delete_child("a").await.unwrap();
    begin_again(&tree).await;
    assert_eq!(names(&handle).await, ["a"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_start_failed_is_not_remembered_and_one_that_is_killed_with_its_team_is() {
    let log = Log::default();
    let tree = grow(team().remembers().backoff(Backoff::none())).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let unlucky = scripted("unlucky", Script::new(&log).start(Start::Fails));
    handle.start_child(unlucky).await.unwrap_err();
    handle.start_child(puppet("lucky", &log)).await.unwrap();
    tree.observer()
        .supervisor("root")
        .unwrap()
        .kill_child("team")
        .await
        .unwrap();
    node_until(&tree, "team/lucky", |node| node.incarnation == 2).await;
    quiet().await;
    assert_eq!(names(&handle).await, ["lucky"]);
    assert!(tree.stop().await.is_orderly());
    assert_eq!(log.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_that_was_taken_away_does_not_come_back() {
    let log = Log::default();
    let temporary = |name| puppet(name, &log).restart(Restart::Temporary);
    let all = ["terminated", "stays", "ended"].map(temporary);
    let tree = grow(team().remembers().span(1).children(all)).await;
    let handle = tree.observer().supervisor("team").unwrap();
    handle.terminate_child("terminated").await.unwrap();
    tree.observer().try_send_to("team.2/ended", Say::Stop).unwrap();
    until("it has left", || tree.observer().node("team.2/ended").is_err()).await;
    handle.delete_child("ended").await.unwrap();
    begin_again(&tree).await;
    assert_eq!(names(&handle).await, ["stays"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_temporary_child_waits_through_a_stop_of_its_team() {
    let log = Log::default();
    let child = puppet("a", &log).restart(Restart::Temporary);
    let address = child.address();
    let tree = grow(team().child(child)).await;
    let root = tree.observer().supervisor("root").unwrap();
    root.terminate_child("team").await.unwrap();
    assert_eq!(tree.observer().node("team/a").unwrap().state, Phase::Stopped);
    address.try_send(Say::Note(7)).unwrap();
    root.restart_child("team").await.unwrap();
    until("its mailbox was kept", || log.has("a note 7")).await;
    tree.stop().await;
    assert!(address.try_send(Say::Note(8)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_temporary_child_that_is_taken_away_while_its_team_ends_is_gone_for_good() {
    let log = Log::default();
    let slow = Script::new(&log).stop(Stop::Takes(2 * SECOND));
    let child = scripted("a", slow).restart(Restart::Temporary);
    let tree = grow(team().remembers().child(child)).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let root = tree.observer().supervisor("root").unwrap();
    let (terminated, ended) = tokio::join!(handle.terminate_child("a"), root.terminate_child("team"));
    assert!(ended.is_ok(), "{terminated:?} {ended:?}");
    assert!(tree.observer().node("team/a").is_err());
    root.restart_child("team").await.unwrap();
    assert_eq!(names(&handle).await, [""; 0]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_to_be_started_in_a_dynamic_team_waits_no_more_once_that_has_ended() {
    let log = Log::default();
    let tree = grow(Supervisor::dynamic("team").remembers()).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let waits = puppet("a", &log).backoff(Backoff::exponential(10 * SECOND, 10 * SECOND));
    let (address, _) = handle.start_child(waits).await.unwrap();
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    let root = tree.observer().supervisor("root").unwrap();
    root.terminate_child("team").await.unwrap();
    let node = tree.observer().node("team/a").unwrap();
    assert_eq!((node.state, node.restart_at), (Phase::Stopped, None));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_temporary_team_leaves_with_its_root() {
    let log = Log::default();
    let tree = grow(team().restart(Restart::Temporary).child(puppet("a", &log))).await;
    let observer = tree.observer();
    tree.stop().await;
    assert!(observer.node("team").is_err() && observer.node("team/a").is_err());
}

#[tokio::test(start_paused = true)]
async fn children_start_in_the_order_they_were_arranged_in() {
    let log = Log::default();
    let tree = grow(
        team()
            .remembers()
            .children(["a", "b", "c"].map(|name| puppet(name, &log))),
    )
    .await;
    let handle = tree.observer().supervisor("team").unwrap();
    handle.arrange_children(&["c", "a"]).await.unwrap();
    assert_eq!(names(&handle).await, ["a", "b", "c"], "nobody is moved while it runs");
    begin_again(&tree).await;
    assert_eq!(names(&handle).await, ["c", "a", "b"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_bears_as_much_as_it_was_told_last_and_still_does_in_its_next_life() {
    let log = Log::default();
    let children = ["a", "b", "c"].map(|name| puppet(name, &log).on_limit(OnLimit::Quarantine));
    let tree = grow(team().span(2).children(children)).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let mut events = tree.observer().events();
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(SECOND, SECOND)
    };
    handle.adjust(Intensity::new(1, 60 * SECOND), backoff).await.unwrap();
    for life in [1, 3] {
        for agent in ["team/a", "team.1/c"] {
            node_until(&tree, agent, |node| node.incarnation == life).await;
            tree.observer().try_send_to(agent, Say::Fail).unwrap();
            node_until(&tree, agent, |node| node.incarnation == life + 1).await;
            tree.observer().try_send_to(agent, Say::Fail).unwrap();
            until("once too often", || {
                tree.observer()
                    .node(agent)
                    .is_ok_and(|node| node.state.label() == "failed")
            })
            .await;
            let (supervisor, _) = agent.split_once('/').unwrap();
            let budget = tree.observer().restart_budget(supervisor).unwrap().unwrap();
            assert_eq!((budget.allowed, budget.period), (1, 60 * SECOND), "as it is shown");
        }
        begin_again(&tree).await;
    }
    let told = decisions(&mut events);
    let waits: Vec<_> = told
        .iter()
        .filter_map(|decision| match decision {
            Decision::Restarting { delay, allowed, .. } => Some((*delay, *allowed)),
            _ => None,
        })
        .collect();
    assert_eq!(waits, [(SECOND, 1); 4]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn limits_that_cannot_be_are_refused() {
    let tree = grow(team()).await;
    let handle = tree.observer().supervisor("team").unwrap();
    let refused = handle
        .adjust(Intensity::new(1, std::time::Duration::ZERO), Backoff::none())
        .await;
    assert!(matches!(refused, Err(CallError::Build(_))), "{refused:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_the_name_of_a_temporary_child_that_has_ended_takes_its_place() {
    let log = Log::default();
    let temporary = || puppet("a", &log).restart(Restart::Temporary);
    let tree = grow(team().remembers().children([temporary(), puppet("b", &log)])).await;
    let handle = tree.observer().supervisor("team").unwrap();
    tree.observer().try_send_to("team/a", Say::Stop).unwrap();
    until("it has left", || tree.observer().node("team/a").is_err()).await;
    let (added, _) = handle.start_child(temporary()).await.unwrap();
    begin_again(&tree).await;
    assert_eq!(names(&handle).await, ["a", "b"]);
    assert_eq!(added.ask(Say::Life).await, Ok(2));
    assert!(tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_supervisor_that_remembers_brings_back_who_is_there_and_nobody_who_has_gone() {
    let log = Log::default();
    let tree = grow(
        Supervisor::dynamic("team")
            .remembers()
            .intensity(Intensity::new(9, SECOND)),
    )
    .await;
    let handle = tree.observer().supervisor("team").unwrap();
    let mut addresses = Vec::new();
    for name in ["stays", "terminated", "ended"] {
        let child = puppet(name, &log).restart(Restart::Transient);
        addresses.push(handle.start_child(child).await.unwrap().0);
    }
    handle.terminate_child("terminated").await.unwrap();
    addresses[2].send(Say::Stop).await.unwrap();
    until("it has left", || addresses[2].is_closed()).await;
    for life in [2, 3] {
        begin_again(&tree).await;
        assert_eq!(names(&handle).await, ["stays"]);
        assert_eq!(addresses[0].ask(Say::Life).await, Ok(life));
    }
    assert!(tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn one_that_was_terminated_while_it_started_is_remembered_if_it_is_kept() {
    let log = Log::default();
    let tree = grow(team().remembers()).await;
    let handle = tree.observer().supervisor("team").unwrap();
    for (name, restart) in [("kept", Restart::Permanent), ("gone", Restart::Temporary)] {
        let slow = scripted(name, Script::new(&log).start(Start::Takes(SECOND))).restart(restart);
        let mut started = Box::pin(handle.start_child(slow));
        not_yet(&mut started).await;
        handle.terminate_child(name).await.unwrap();
        assert!(started.await.is_err());
    }
    assert_eq!(names(&handle).await, ["kept"]);
    begin_again(&tree).await;
    assert_eq!(names(&handle).await, ["kept"]);
    assert!(tree.stop().await.is_orderly());
}
