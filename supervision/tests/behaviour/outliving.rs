//! Children that are still there when their supervisor wants them gone, and what is known of them then.

use std::sync::mpsc;

use futures_util::future::{Either, select};
use triarch_supervision::prelude::*;
use triarch_supervision::reason::KillCause;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Say, Script, Start, Stop, grow, kill_agent, kill_team, one, puppet, scripted, team};
use crate::patience::{MILLI, SECOND, decisions, node_until, not_yet, soon, until};
use crate::stopping::blocks;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_blocks_a_thread_and_is_killed_from_outside_is_told_as_unkillable_and_restarted_when_it_is_gone() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let mut events = tree.observer().events();
    let (release, released) = mpsc::sync_channel(1);
    address.send(blocks(released)).await.unwrap();
    until("it blocks", || log.has("a blocks")).await;
    kill_agent(&tree).await;
    let mut told = Vec::new();
    until("it is told", || {
        told.extend(decisions(&mut events));
        told.iter().any(|one| matches!(one, Decision::Unkillable { .. }))
    })
    .await;
    release.send(()).unwrap();
    assert_eq!(soon("the next life", address.ask(Say::Life)).await, Ok(2));
    let node = tree.observer().node("team/a").unwrap();
    assert_eq!(node.last_exit, Some(ExitReason::Killed(KillCause::Outside)));
    assert_eq!(log.most_alive(), 1);
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_child_that_outlives_its_supervisor_is_replaced_only_once_it_is_gone_and_nobody_is_blamed_for_it() {
    for is_asked in [false, true] {
        let log = Log::default();
        let rash = puppet("rash", &log);
        let stuck = puppet("stuck", &log).shutdown(Shutdown::Within(MILLI));
        let (cause, address) = (rash.address(), stuck.address());
        let team = team().intensity(Intensity::new(0, SECOND));
        let tree = grow(team.child(rash).child(stuck)).await;
        let (release, released) = mpsc::sync_channel(1);
        address.send(blocks(released)).await.unwrap();
        until("it blocks", || log.has("stuck blocks")).await;
        address.send(Say::Note(7)).await.unwrap();
        let root = tree.observer().supervisor("root").unwrap();
        if is_asked {
            root.terminate_child("team").await.unwrap();
        } else {
            cause.send(Say::Fail).await.unwrap();
        }
        let mut back = Box::pin(async {
            if is_asked {
                root.restart_child("team").await.unwrap();
            }
            node_until(&tree, "team", |node| node.incarnation == 2 && node.state == Phase::Idle).await
        });
        // Whoever can goes on meanwhile.
        let others = until("the others are back", || log.has("rash starts 2"));
        assert!(matches!(select(&mut back, Box::pin(others)).await, Either::Right(_)));
        not_yet(&mut back).await;
        assert_eq!(log.count("stuck starts"), 1, "{:?}", log.lines());
        release.send(()).unwrap();
        soon("its team is back", back).await;
        assert_eq!(soon("its next life", address.ask(Say::Life)).await, Ok(2));
        let lines: Vec<_> = log
            .lines()
            .into_iter()
            .filter(|line| line.starts_with("stuck"))
            .collect();
        assert_eq!(
            lines,
            [
                "stuck starts 1",
                "stuck blocks",
                "stuck drops 1",
                "stuck starts 2",
                "stuck note 7"
            ]
        );
        assert_eq!(
            (log.most_alive(), tree.observer().node("root").unwrap().incarnation),
            (1, 1)
        );
        tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_supervisor_that_was_killed_nobody_is_shown_as_starting_or_waiting() {
    let log = Log::default();
    let waiting = puppet("waiting", &log).backoff(Backoff::exponential(3600 * SECOND, 3600 * SECOND));
    let hangs_again = |life| if life == 2 { Start::Hangs } else { Start::Well };
    let starting = scripted("starting", Script::new(&log).starts(hangs_again)).backoff(Backoff::none());
    let addresses = [waiting.address(), starting.address()];
    let team = team().on_limit(OnLimit::Quarantine).child(waiting).child(starting);
    let root = Root::new()
        .seed(1)
        .intensity(Intensity::new(0, SECOND))
        .supervisor(team);
    let tree = root.start().await.unwrap();
    for address in addresses {
        address.send(Say::Fail).await.unwrap();
    }
    node_until(&tree, "team/waiting", |node| node.state == Phase::Backoff).await;
    node_until(&tree, "team/starting", |node| node.state == Phase::Starting).await;
    kill_team(&tree).await;
    node_until(&tree, "team", |node| node.state == Phase::Failed).await;
    let node = |path| tree.observer().node(path).unwrap();
    let (waiting, starting) = (node("team/waiting"), node("team/starting"));
    assert_eq!((waiting.state, waiting.restart_at), (Phase::Stopped, None));
    let killed = Some(ExitReason::Killed(KillCause::Outside));
    assert_eq!((starting.state, starting.last_exit), (Phase::Stopped, killed));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_supervisor_that_was_taken_away_nobody_is_named_as_late_in_the_end() {
    let log = Log::default();
    let tree = grow(team()).await;
    let root = tree.observer().supervisor("root").unwrap();
    for name in ["gone", "kept"] {
        let slow = scripted("slow", Script::new(&log).stop(Stop::Hangs)).shutdown(Shutdown::Within(MILLI));
        let job = Supervisor::named(name).child(slow);
        tree.observer().start_supervisor(job).await.unwrap();
        root.terminate_child(name).await.unwrap();
    }
    root.delete_child("gone").await.unwrap();
    let end = soon("it stops", tree.stop()).await;
    let late: Vec<_> = end.late.iter().map(|late| &*late.supervisor).collect();
    assert_eq!(late, ["kept"]);
}
