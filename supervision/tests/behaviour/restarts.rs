//! Supervisors: who restarts with whom, how often, after which wait.

use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{ChildState, Decision};
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Say, Script, Start, grow, one, puppet, scripted, team};
use crate::patience::{MILLI, SECOND, decisions, node_until, quiet, soon, until};

struct Three {
    log: Log,
    tree: Tree,
    addresses: [Address<Say>; 3],
}

impl Three {
    async fn lives(&self) -> [u64; 3] {
        quiet().await;
        let life = |name| self.tree.observer().node(&format!("team/{name}")).unwrap().incarnation;
        ["a", "b", "c"].map(life)
    }
}

async fn three(strategy: Strategy) -> Three {
    let log = Log::default();
    let children = ["a", "b", "c"].map(|name| puppet(name, &log));
    let addresses = [0, 1, 2].map(|index| children[index].address());
    Three {
        tree: grow(team().strategy(strategy).children(children)).await,
        log,
        addresses,
    }
}

#[tokio::test(start_paused = true)]
async fn one_for_one_restarts_that_one() {
    let three = three(Strategy::OneForOne).await;
    three.addresses[1].send(Say::Fail).await.unwrap();
    assert_eq!(three.lives().await, [1, 2, 1]);
    three.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_for_all_restarts_all_stopping_right_to_left_and_starting_left_to_right() {
    let three = three(Strategy::OneForAll).await;
    three.log.clear();
    three.addresses[1].send(Say::Panic).await.unwrap();
    assert_eq!(three.lives().await, [2, 2, 2]);
    let expected = [
        "b drops 1",
        "c stops: was asked to stop",
        "c stopped",
        "c drops 1",
        "a stops: was asked to stop",
        "a stopped",
        "a drops 1",
        "a starts 2",
        "b starts 2",
        "c starts 2",
    ];
    assert_eq!(three.log.lines(), expected);
    three.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_counts_for_whoever_ended_and_neither_for_siblings_nor_for_a_start_by_hand() {
    let three = three(Strategy::OneForAll).await;
    three.addresses[1].send(Say::Fail).await.unwrap();
    assert_eq!(three.lives().await, [2, 2, 2]);
    let observer = three.tree.observer();
    let restarts = || ["team/a", "team/b", "team/c"].map(|path| observer.node(path).unwrap().restarts);
    assert_eq!(restarts(), [0, 1, 0]);
    let team = observer.supervisor("team").unwrap();
    team.terminate_child("c").await.unwrap();
    team.restart_child("c").await.unwrap();
    assert_eq!(three.lives().await, [2, 2, 3]);
    assert_eq!(restarts(), [0, 1, 0]);
    three.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_restarts_that_one_and_those_after_it() {
    let three = three(Strategy::RestForOne).await;
    three.log.clear();
    three.addresses[1].send(Say::Panic).await.unwrap();
    assert_eq!(three.lives().await, [1, 2, 2]);
    let expected = [
        "b drops 1",
        "c stops: was asked to stop",
        "c stopped",
        "c drops 1",
        "b starts 2",
        "c starts 2",
    ];
    assert_eq!(three.log.lines(), expected);
    three.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_restart_counts_once_and_leaves_temporary_siblings_out() {
    let log = Log::default();
    let (a, b) = (puppet("a", &log), puppet("b", &log).restart(Restart::Temporary));
    let (bad, gone) = (a.address(), b.address());
    let group = Supervisor::named("team")
        .strategy(Strategy::OneForAll)
        .intensity(Intensity::new(1, SECOND));
    let tree = grow(group.child(a).child(b).child(puppet("c", &log))).await;
    let mut events = tree.observer().events();
    bad.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/c", |node| node.incarnation == 2).await;
    quiet().await;
    let restarting = decisions(&mut events).into_iter().find_map(|decision| match decision {
        Decision::Restarting {
            restarts,
            allowed,
            siblings,
            ..
        } => Some(((restarts, allowed), siblings)),
        _ => None,
    });
    assert_eq!(restarting, Some(((1, 1), 1)));
    assert!(gone.is_closed() && tree.observer().node("team/b").is_err());
    assert_eq!(tree.observer().node("team").unwrap().incarnation, 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn permanent_transient_and_temporary_children_are_restarted_as_they_say() {
    type Case = (Restart, fn() -> Say, bool);
    let cases: [Case; 6] = [
        (Restart::Permanent, || Say::Stop, true),
        (Restart::Permanent, || Say::Fail, true),
        (Restart::Transient, || Say::Stop, false),
        (Restart::Transient, || Say::Panic, true),
        (Restart::Temporary, || Say::Stop, false),
        (Restart::Temporary, || Say::Fail, false),
    ];
    for (restart, end, comes_back) in cases {
        let log = Log::default();
        let child = puppet("a", &log).restart(restart);
        let address = child.address();
        let tree = grow(team().child(child)).await;
        address.send(end()).await.unwrap();
        until("it ends", || log.has("a drops 1")).await;
        quiet().await;
        assert_eq!(log.has("a starts 2"), comes_back, "{restart:?}");
        assert_eq!(
            address.is_closed(),
            restart == Restart::Temporary,
            "a temporary one leaves the tree"
        );
        tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn restarts_beyond_the_intensity_end_the_supervisor_and_escalate_to_the_root() {
    let log = Log::default();
    let child = puppet("a", &log);
    let address = child.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(2, 5 * SECOND))
        .child(child);
    let tree = Root::new()
        .intensity(Intensity::new(1, 60 * SECOND))
        .supervisor(team)
        .start()
        .await
        .unwrap();
    for _ in 0..2 {
        address.send(Say::Fail).await.unwrap();
    }
    assert_eq!(soon("within the intensity", address.ask(Say::Life)).await, Ok(3));
    assert_eq!(tree.observer().node("team").unwrap().incarnation, 1);
    address.send(Say::Fail).await.unwrap();
    assert_eq!(soon("the next team's first", address.ask(Say::Life)).await, Ok(4));
    let exit = tree.observer().node("team").unwrap().last_exit.unwrap();
    assert_eq!(
        exit.to_string(),
        "gave up after 2 restarts within 5s: child a failed: told to fail"
    );
    for _ in 0..3 {
        address.send(Say::Fail).await.unwrap();
    }
    let end = soon("the root gives up", tree.wait()).await;
    assert_eq!((end.exit_code(), end.is_orderly()), (70, false));
    let text = "gave up after 1 restart within 60s: child team gave up after 2 restarts within 5s: child a failed: told to fail";
    assert_eq!(end.reason.to_string(), text);
    assert!(address.is_closed());
    assert_eq!(log.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_window_slides() {
    let child = puppet("a", &Log::default());
    let address = child.address();
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(2, 5 * SECOND))
            .child(child),
    )
    .await;
    for _ in 0..10 {
        address.send(Say::Fail).await.unwrap();
        tokio::time::sleep(3 * SECOND).await;
    }
    assert_eq!(
        (
            address.ask(Say::Life).await,
            tree.observer().node("team").unwrap().incarnation
        ),
        (Ok(11), 1)
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn waits_between_restarts_grow_to_a_maximum_and_begin_anew_after_a_quiet_time() {
    let log = Log::default();
    let backoff = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(SECOND, 4 * SECOND)
    };
    let (tree, address) = one(puppet("a", &log).backoff(backoff)).await;
    for (life, expected) in (2..).zip([1, 2, 4, 4, 1]) {
        let begun = tokio::time::Instant::now();
        address.send(Say::Fail).await.unwrap();
        assert_eq!(soon("the next life", address.ask(Say::Life)).await, Ok(life));
        let waited = begun.elapsed();
        let expected = expected * SECOND;
        assert!(
            (expected..expected + 10 * MILLI).contains(&waited),
            "life {life}: {waited:?}"
        );
        if life == 5 {
            tokio::time::sleep(4 * SECOND).await;
        }
    }
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_window_counts_restarts_and_not_waits() {
    let backoff = Backoff {
        jitter: 0.0,
        factor: 1.0,
        ..Backoff::exponential(3 * SECOND, 3 * SECOND)
    };
    let child = puppet("a", &Log::default());
    let address = child.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(2, 5 * SECOND))
        .backoff(backoff)
        .child(child);
    let tree = grow(team).await;
    for life in 2..8 {
        address.send(Say::Fail).await.unwrap();
        assert_eq!(soon("the next life", address.ask(Say::Life)).await, Ok(life));
    }
    assert_eq!(
        tree.observer().node("team").unwrap().incarnation,
        1,
        "three seconds apart, two in five are allowed"
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn jitter_comes_from_the_seed() {
    let mut waits = Vec::new();
    for seed in [7, 7, 8] {
        let child = puppet("a", &Log::default()).backoff(Backoff::exponential(10 * SECOND, 60 * SECOND));
        let address = child.address();
        let tree = Root::new()
            .seed(seed)
            .supervisor(team().child(child))
            .start()
            .await
            .unwrap();
        let begun = tokio::time::Instant::now();
        address.send(Say::Fail).await.unwrap();
        soon("the next life", address.ask(Say::Life)).await.unwrap();
        waits.push(begun.elapsed().as_millis() / 10);
        tree.stop().await;
    }
    assert!(waits[0] == waits[1] && waits[0] != waits[2], "{waits:?}");
    assert!(waits.iter().all(|wait| (800..=1201).contains(wait)), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_child_in_quarantine_stays_down_visible_until_it_is_retried() {
    let log = Log::default();
    let children = ["bad", "good"].map(|name| puppet(name, &log).on_limit(OnLimit::Quarantine));
    let [bad, good] = [children[0].address(), children[1].address()];
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(1, SECOND))
            .children(children),
    )
    .await;
    let team = tree.observer().supervisor("team").unwrap();
    for _ in 0..2 {
        bad.send(Say::Fail).await.unwrap();
    }
    let node = node_until(&tree, "team/bad", |node| node.state == Phase::Failed).await;
    assert_eq!(node.last_exit.unwrap().to_string(), "failed: told to fail");
    assert_eq!(good.ask(Say::Life).await, Ok(1), "its siblings go on");
    bad.send(Say::Note(1)).await.unwrap();
    let mut kept = Box::pin(bad.ask(Say::Life));
    crate::patience::not_yet(&mut kept).await;
    assert_eq!(team.which_children().await.unwrap()[0].state, ChildState::Quarantined);
    assert_eq!(
        team.retry_child("good").await.unwrap_err().to_string(),
        "child good is not in quarantine; restart it instead"
    );
    team.retry_child("bad").await.unwrap();
    assert_eq!(soon("it is back with its queue", kept).await, Ok(3));
    assert!(log.has("bad note 1"));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_retry_fails_is_shown_in_quarantine_until_its_team_is_stopped() {
    let log = Log::default();
    let lives_once = |life| if life == 1 { Start::Well } else { Start::Fails };
    let bad = scripted("bad", Script::new(&log).starts(lives_once)).on_limit(OnLimit::Quarantine);
    let address = bad.address();
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(0, SECOND))
            .child(bad),
    )
    .await;
    let team = tree.observer().supervisor("team").unwrap();
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/bad", |node| node.state == Phase::Failed).await;
    let mut events = tree.observer().events();
    let error = team.retry_child("bad").await.unwrap_err().to_string();
    let expected = "child bad did not start: failed: no luck today; see to that, then start it again";
    assert_eq!(error, expected);
    assert_eq!(tree.observer().node("team/bad").unwrap().state, Phase::Failed);
    let told = decisions(&mut events).pop();
    assert!(matches!(told, Some(Decision::Quarantined { .. })), "{told:?}");
    let root = tree.observer().supervisor("root").unwrap();
    root.terminate_child("team").await.unwrap();
    assert_eq!(tree.observer().node("team/bad").unwrap().state, Phase::Stopped);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_fails_to_start_is_tried_again_and_each_try_counts() {
    let log = Log::default();
    let script = Script::new(&log).starts(|life| {
        if (2..5).contains(&life) {
            Start::Fails
        } else {
            Start::Well
        }
    });
    let child = scripted("a", script);
    let address = child.address();
    let tree = grow(
        Supervisor::named("team")
            .intensity(Intensity::new(4, SECOND))
            .child(child),
    )
    .await;
    let mut events = tree.observer().events();
    address.send(Say::Fail).await.unwrap();
    assert_eq!(soon("the fifth life", address.ask(Say::Life)).await, Ok(5));
    let windows: Vec<_> = decisions(&mut events)
        .into_iter()
        .filter_map(|decision| match decision {
            Decision::Restarting { restarts, .. } => Some(restarts),
            _ => None,
        })
        .collect();
    assert_eq!(windows, [1, 2, 3, 4]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn between_tries_calls_are_served_and_the_child_shows_as_restarting() {
    let log = Log::default();
    let backoff = Backoff {
        jitter: 0.0,
        factor: 1.0,
        ..Backoff::exponential(SECOND, SECOND)
    };
    let script = Script::new(&log).starts(|life| if life > 1 { Start::Fails } else { Start::Well });
    let (tree, address) = one(scripted("a", script).backoff(backoff)).await;
    let team = tree.observer().supervisor("team").unwrap();
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/a", |node| {
        node.state == Phase::Backoff && node.incarnation > 2
    })
    .await;
    assert_eq!(team.which_children().await.unwrap()[0].state, ChildState::Restarting);
    assert_eq!(team.count_children().await.unwrap().restarting, 1);
    let present = team.start_child(puppet("a", &log)).await.unwrap_err().to_string();
    assert_eq!(
        present,
        "child a is already specified but down; restart it, or delete it first"
    );
    let restarting = "child a is being restarted; wait, or terminate it first";
    assert_eq!(team.restart_child("a").await.unwrap_err().to_string(), restarting);
    assert_eq!(team.delete_child("a").await.unwrap_err().to_string(), restarting);
    team.terminate_child("a").await.unwrap();
    team.delete_child("a").await.unwrap();
    assert!(address.is_closed());
    assert!(soon("it stops", tree.stop()).await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_answers_while_a_child_starts_slowly() {
    let log = Log::default();
    let slow = scripted(
        "slow",
        Script::new(&log).starts(|life| if life > 1 { Start::Hangs } else { Start::Well }),
    );
    let address = slow.address();
    let tree = grow(
        team()
            .child(slow.start_within(Duration::from_hours(1)))
            .child(puppet("b", &log)),
    )
    .await;
    let team = tree.observer().supervisor("team").unwrap();
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/slow", |node| {
        node.incarnation == 2 && node.state == Phase::Starting
    })
    .await;
    assert_eq!(team.which_children().await.unwrap()[0].state, ChildState::Starting);
    team.start_child(puppet("c", &log)).await.unwrap();
    let begun = tokio::time::Instant::now();
    let end = soon("it stops", tree.stop()).await;
    assert_eq!(begun.elapsed().as_secs(), 5, "the slow one has its shutdown time");
    assert_eq!((&*end.late[0].supervisor, end.late[0].child.as_str()), ("team", "slow"));
}

#[tokio::test(start_paused = true)]
async fn a_group_restart_in_which_another_fails_to_start_is_tried_again() {
    for (strategy, lives) in [(Strategy::OneForAll, [3, 3, 2]), (Strategy::RestForOne, [2, 3, 2])] {
        let log = Log::default();
        let a = puppet("a", &log);
        let b = scripted(
            "b",
            Script::new(&log).starts(|life| if life == 2 { Start::Fails } else { Start::Well }),
        );
        let address = a.address();
        let tree = grow(team().strategy(strategy).child(a).child(b).child(puppet("c", &log))).await;
        address.send(Say::Fail).await.unwrap();
        node_until(&tree, "team/c", |node| {
            node.incarnation == 2 && node.state == Phase::Idle
        })
        .await;
        let life = |name| tree.observer().node(&format!("team/{name}")).unwrap().incarnation;
        assert_eq!(["a", "b", "c"].map(life), lives, "{strategy:?}");
        tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn auto_shutdown_follows_ends_that_the_supervisor_did_not_cause() {
    for (auto_shutdown, ends_with_first) in [
        (AutoShutdown::AnySignificant, true),
        (AutoShutdown::AllSignificant, false),
    ] {
        let log = Log::default();
        let children = ["a", "b"].map(|name| puppet(name, &log).restart(Restart::Transient).significant());
        let [a, b] = [children[0].address(), children[1].address()];
        let group = team()
            .auto_shutdown(auto_shutdown)
            .restart(Restart::Temporary)
            .children(children);
        let tree = grow(group).await;
        let team = tree.observer().supervisor("team").unwrap();
        team.terminate_child("a").await.unwrap();
        quiet().await;
        assert!(tree.observer().node("team").is_ok(), "the supervisor itself ended it");
        team.restart_child("a").await.unwrap();
        a.send(Say::Stop).await.unwrap();
        quiet().await;
        assert_eq!(
            tree.observer().node("team").is_err(),
            ends_with_first,
            "{auto_shutdown:?}"
        );
        if !ends_with_first {
            b.send(Say::Stop).await.unwrap();
            until("the last one ends it", || tree.observer().node("team").is_err()).await;
        }
        assert!(b.is_closed());
        assert_eq!(tree.stop().await.exit_code(), 0);
    }
}
