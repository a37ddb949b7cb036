//! Pausing, resuming, and looking at state.

use triarch_supervision::tree::Phase;

use crate::agents::{Log, Puppet, Say, grow, kill_agent, one, pause, puppet, team};
use crate::patience::{SECOND, node_until, quiet, soon, until};

#[tokio::test(start_paused = true)]
async fn a_paused_agent_handles_nothing_until_it_is_resumed() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    tree.observer().pause("team/a").unwrap();
    address.send(Say::Note(1)).await.unwrap();
    quiet().await;
    assert_eq!(
        (log.count("a note"), tree.observer().node("team/a").unwrap().state),
        (0, Phase::Paused)
    );
    tree.observer().resume("team/a").unwrap();
    until("it is handled", || log.has("a note 1")).await;
    node_until(&tree, "team/a", |node| node.state == Phase::Idle).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn looking_at_a_paused_agent_makes_it_handle_nothing() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    pause(&tree).await;
    for number in 0..3 {
        address.send(Say::Note(number)).await.unwrap();
    }
    for _ in 0..3 {
        tree.observer().request_state("team/a").unwrap();
        quiet().await;
    }
    assert_eq!(
        tree.observer().last_state("team/a"),
        Ok(Some(serde_json::json!({ "life": 1 })))
    );
    assert_eq!(log.count("a note"), 0, "{:?}", log.lines());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_outlasts_a_restart() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    pause(&tree).await;
    address.send(Say::Note(1)).await.unwrap();
    kill_agent(&tree).await;
    node_until(&tree, "team/a", |node| {
        node.incarnation == 2 && node.state == Phase::Paused
    })
    .await;
    quiet().await;
    assert_eq!(log.count("a note"), 0);
    tree.observer().resume("team/a").unwrap();
    until("it is handled", || log.has("a note 1")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_agent_is_stopped_at_once() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log))).await;
    pause(&tree).await;
    let end = soon("the tree stops", tree.stop()).await;
    assert!(end.is_orderly(), "{end:?}");
    assert!(log.has("a stopped"));
}

#[tokio::test(start_paused = true)]
async fn state_is_shown_between_two_messages_and_by_the_present_life() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let observer = tree.observer();
    assert_eq!(observer.last_state("team/a"), Ok(None));
    observer.request_state("team/a").unwrap();
    until("its state", || {
        observer.last_state("team/a") == Ok(Some(serde_json::json!({ "life": 1 })))
    })
    .await;
    address.send(Say::Panic).await.unwrap();
    node_until(&tree, "team/a", |node| node.incarnation == 2).await;
    observer.request_state("team/a").unwrap();
    until("its new state", || {
        observer.last_state("team/a") == Ok(Some(serde_json::json!({ "life": 2 })))
    })
    .await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn timers_rest_while_the_agent_is_paused() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let set = Say::act(|_: &mut Puppet, ctx| {
        ctx.send_after(SECOND, Say::Note(7));
        Box::pin(async { Ok(()) })
    });
    address.send(set).await.unwrap();
    quiet().await;
    pause(&tree).await;
    tokio::time::advance(5 * SECOND).await;
    tree.observer().request_state("team/a").unwrap();
    quiet().await;
    assert_eq!(log.count("a note"), 0);
    tree.observer().resume("team/a").unwrap();
    until("the timer fires late", || log.has("a note 7")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_agents_can_be_paused() {
    let tree = grow(team()).await;
    assert_eq!(
        tree.observer().pause("team/a").unwrap_err().to_string(),
        "nothing in the tree is called team/a; its snapshot lists what there is"
    );
    assert!(tree.observer().pause("team").is_err(), "a supervisor goes on deciding");
    assert_eq!(tree.observer().node("team").unwrap().state, Phase::Idle);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_begins_paused_has_handled_nothing_when_it_is_resumed() {
    let log = Log::default();
    let child = puppet("a", &log).paused();
    child.address().send(Say::Note(1)).await.unwrap();
    let (tree, _address) = one(child).await;
    quiet().await;
    let node = tree.observer().node("team/a").unwrap();
    assert_eq!(
        (log.count("a note"), node.state, node.incarnation),
        (0, Phase::Paused, 1)
    );
    tree.observer().resume("team/a").unwrap();
    until("it is handled", || log.has("a note 1")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dormant_does_not_begin_until_somebody_restarts_it() {
    let log = Log::default();
    let team = team().child(puppet("a", &log).dormant()).child(puppet("b", &log));
    let tree = grow(team).await;
    quiet().await;
    let state = |path: &str| tree.observer().node(path).unwrap().state;
    assert_eq!((state("team/a"), state("team/b")), (Phase::Stopped, Phase::Idle));
    assert_eq!(log.count("a "), 0, "{:?}", log.lines());
    let handle = tree.observer().supervisor("team").unwrap();
    handle.restart_child("a").await.unwrap();
    quiet().await;
    assert_eq!(state("team/a"), Phase::Idle);
    assert!(log.count("a ") > 0, "it has begun");
    kill_agent(&tree).await;
    node_until(&tree, "team/a", |node| {
        node.state == Phase::Idle && node.incarnation == 3
    })
    .await;
    tree.stop().await;
}
