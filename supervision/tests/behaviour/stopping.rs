//! Starting in order, stopping in order, and naming who did not stop in time.

use std::sync::mpsc;
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::reason::KillCause;
use triarch_supervision::tree::Phase;

use crate::agents::{Log, Puppet, Say, Script, Start, Stop, grow, kill_team, one, puppet, scripted, team};
use crate::patience::{MILLI, SECOND, node_until, not_yet, quiet, soon, until};

#[tokio::test(start_paused = true)]
async fn children_start_left_to_right_each_finished_before_the_next_and_stop_right_to_left() {
    let log = Log::default();
    let child = |name| {
        scripted(
            name,
            Script::new(&log).start(Start::Takes(SECOND)).stop(Stop::Takes(SECOND)),
        )
    };
    let begun = tokio::time::Instant::now();
    let left = Supervisor::named("left").children(["a", "b"].map(child));
    let right = Supervisor::named("right").children(["c", "d"].map(child));
    let tree = Root::new().supervisor(left).supervisor(right).start().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 4);
    tree.stop().await;
    assert_eq!(begun.elapsed().as_secs(), 8);
    let lines = log.lines();
    let firsts: String = lines.iter().map(|line| &line[..1]).collect();
    assert_eq!(firsts, "abcddddcccbbbaaa", "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn children_start_in_parallel_where_declared() {
    let log = Log::default();
    let child = |number| scripted(&format!("a{number}"), Script::new(&log).start(Start::Takes(SECOND)));
    let begun = tokio::time::Instant::now();
    let tree = grow(team().parallel_start().children((0..10_000).map(child))).await;
    assert_eq!((begun.elapsed().as_secs(), log.alive()), (1, 10_000));
    soon("it stops", tree.stop()).await;
    assert_eq!(log.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failing_start_undoes_those_started_and_tells_the_nested_reason() {
    let log = Log::default();
    let [a, b, d] = ["a", "b", "d"].map(|name| puppet(name, &log));
    let address = a.address();
    let c = scripted("c", Script::new(&log).start(Start::Fails));
    let first = Supervisor::named("first").child(puppet("z", &log));
    let error = Root::new()
        .supervisor(first)
        .supervisor(team().child(a).child(b).child(c).child(d))
        .start()
        .await
        .unwrap_err();
    let text = "the tree did not start, and nothing of it runs: child team did not start: child c did not start: failed: no luck today; \
        see to that, then start it again";
    assert_eq!(error.to_string(), text);
    let starts = ["z starts 1", "a starts 1", "b starts 1", "c starts 1"];
    assert_eq!(log.lines()[..4], starts);
    let stopped: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line.ends_with("stopped"))
        .collect();
    assert_eq!(stopped, ["b stopped", "a stopped", "z stopped"]);
    assert!(address.is_closed() && log.alive() == 0 && log.count("d") == 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_declines_is_listed_without_a_life_and_not_kept_if_temporary() {
    let log = Log::default();
    let declines = || Script::new(&log).start(Start::Ignores);
    let kept = scripted("kept", declines());
    let tree = grow(
        team()
            .child(kept)
            .child(scripted("gone", declines()).restart(Restart::Temporary)),
    )
    .await;
    let team = tree.observer().supervisor("team").unwrap();
    let children = team.which_children().await.unwrap();
    assert_eq!(
        (children.len(), children[0].name.as_str(), children[0].incarnation),
        (1, "kept", None)
    );
    assert!(tree.observer().node("team/gone").is_err());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_stop_in_time_is_killed_and_named() {
    let log = Log::default();
    let stuck = scripted("stuck", Script::new(&log).stop(Stop::Hangs)).shutdown(Shutdown::Within(3 * SECOND));
    let hangs = puppet("hangs", &log);
    let address = hangs.address();
    let tree = grow(team().child(puppet("good", &log)).child(stuck).child(hangs)).await;
    address.send(Say::Hang).await.unwrap();
    quiet().await;
    let begun = tokio::time::Instant::now();
    let end = soon("it stops", tree.stop()).await;
    assert_eq!(begun.elapsed().as_secs(), 5 + 3);
    let late: Vec<_> = end
        .late
        .iter()
        .map(|late| (late.child.as_str(), late.waited, late.ended))
        .collect();
    assert_eq!(late, [("hangs", 5 * SECOND, true), ("stuck", 3 * SECOND, true)]);
    assert!(!end.is_orderly() && log.has("good stopped") && log.alive() == 0);
    assert_eq!(end.exit_code(), 0, "it was asked to end");
}

#[tokio::test(start_paused = true)]
async fn brutal_kill_asks_nobody_and_is_not_late() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log).shutdown(Shutdown::BrutalKill))).await;
    let begun = tokio::time::Instant::now();
    let end = soon("it stops", tree.stop()).await;
    assert!(end.is_orderly() && begun.elapsed() < 10 * MILLI && log.count("a stops") == 0);
    assert_eq!(log.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn infinity_waits_as_long_as_it_takes() {
    let log = Log::default();
    let hour = Duration::from_hours(1);
    let child = scripted("a", Script::new(&log).stop(Stop::Takes(hour))).shutdown(Shutdown::Infinity);
    let tree = grow(team().child(child)).await;
    let end = tree.stop().await;
    assert!(end.is_orderly() && log.has("a stopped"));
}

#[tokio::test(start_paused = true)]
async fn a_child_is_stopped_with_its_time_when_its_parent_stops_or_gives_up() {
    let log = Log::default();
    let slow = scripted("slow", Script::new(&log).stop(Stop::Takes(2 * SECOND)));
    let bad = puppet("bad", &log);
    let address = bad.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(0, SECOND))
        .child(slow)
        .child(bad);
    let tree = grow(team).await;
    address.send(Say::Panic).await.unwrap();
    until("the sibling is stopped, not killed", || log.has("slow stopped")).await;
    assert_eq!(soon("the next team", address.ask(Say::Life)).await, Ok(2));
    assert_eq!(log.most_alive(), 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn exits_during_shutdown_disturb_nothing_and_restart_nobody() {
    let log = Log::default();
    let slow = scripted("slow", Script::new(&log).stop(Stop::Takes(3 * SECOND)));
    let bad = puppet("bad", &log);
    let address = bad.address();
    let tree = grow(team().child(bad).child(slow)).await;
    let mut stop = Box::pin(tree.stop());
    not_yet(&mut stop).await;
    address.send(Say::Panic).await.unwrap();
    until("it fails meanwhile", || log.has("bad drops 1")).await;
    assert!(soon("it stops", stop).await.is_orderly());
    assert_eq!(log.count("bad starts"), 1);
}

#[tokio::test(start_paused = true)]
async fn dynamic_children_are_shut_down_in_parallel() {
    let log = Log::default();
    let tree = grow(Supervisor::dynamic("team").intensity(Intensity::new(9, SECOND))).await;
    let team = tree.observer().supervisor("team").unwrap();
    for number in 0..200 {
        let hangs = scripted(&format!("a{number}"), Script::new(&log).stop(Stop::Hangs));
        team.start_child(hangs.shutdown(Shutdown::Within(3 * SECOND)))
            .await
            .unwrap();
    }
    let begun = tokio::time::Instant::now();
    let end = soon("it stops", tree.stop()).await;
    assert_eq!((begun.elapsed().as_secs(), end.late.len(), log.alive()), (3, 200, 0));
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_and_later_waits_tell_the_same_end() {
    let tree = grow(team().child(puppet("a", &Log::default()))).await;
    let (one, other) = tokio::join!(tree.stop(), tree.stop());
    assert_eq!(one, other);
    assert_eq!(tree.stop().await, tree.wait().await);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_still_starts_can_be_stopped_by_giving_its_start_up() {
    let log = Log::default();
    let team = team()
        .child(puppet("a", &log))
        .child(scripted("b", Script::new(&log).start(Start::Hangs)));
    let start = tokio::time::timeout(SECOND, Root::new().supervisor(team).start());
    assert!(start.await.is_err());
    until("what had started is stopped again", || log.has("a stopped")).await;
    until("nobody is left", || log.alive() == 0).await;
}

/// Blocks its thread until the test lets it go, as code that never awaits does.
pub(crate) fn blocks(release: mpsc::Receiver<()>) -> Say {
    Say::act(move |puppet: &mut Puppet, _| {
        puppet.write("blocks");
        // The end of the channel is as good as a word.
        let _released = release.recv();
        Box::pin(async { Ok(()) })
    })
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_unwanted_before_it_has_started_stops_whoever_has_in_its_order() {
    let log = Log::default();
    let slow = scripted("slow", Script::new(&log).start(Start::Takes(60 * SECOND)));
    let root = Root::new().supervisor(team().child(puppet("quick", &log)).child(slow));
    let tree = root.start_unless(tokio::time::sleep(SECOND)).await.unwrap();
    let end = soon("it ends by itself", tree.wait()).await;
    assert_eq!(end.exit_code(), 0, "{end:?}");
    assert_eq!((log.alive(), log.has("quick stopped")), (0, true), "{:?}", log.lines());
    let wanted = Root::new().supervisor(team().child(puppet("quick", &log)));
    let tree = wanted.start_unless(std::future::pending()).await.unwrap();
    assert_eq!(tree.stop().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_restart_when_its_team_stops_waits_no_more() {
    let log = Log::default();
    let late = Backoff::exponential(60 * SECOND, 60 * SECOND);
    let (tree, address) = one(puppet("a", &log).backoff(late)).await;
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team/a", |node| node.state == Phase::Backoff).await;
    tree.observer()
        .supervisor("root")
        .unwrap()
        .terminate_child("team")
        .await
        .unwrap();
    let node = tree.observer().node("team/a").unwrap();
    assert_eq!((node.state, node.restart_at), (Phase::Stopped, None));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_stop_of_an_agent_that_ends_unasked_has_its_shutdown_time_too() {
    let overdue = ExitReason::Killed(KillCause::Overdue);
    for (shutdown, end, seconds, reason) in [
        (Shutdown::Within(3 * SECOND), Say::Stop, 3, &overdue),
        (Shutdown::Within(3 * SECOND), Say::Fail, 3, &overdue),
        (Shutdown::BrutalKill, Say::Stop, 5, &overdue),
        (Shutdown::Infinity, Say::Stop, 10, &ExitReason::Normal),
    ] {
        let log = Log::default();
        let script = Script::new(&log).stop(Stop::Takes(10 * SECOND));
        let child = scripted("a", script).shutdown(shutdown).restart(Restart::Transient);
        let address = child.address();
        let tree = grow(team().child(child)).await;
        let begun = tokio::time::Instant::now();
        address.send(end).await.unwrap();
        until("it has ended", || log.has("a drops 1")).await;
        assert_eq!(begun.elapsed().as_secs(), seconds, "{shutdown:?}");
        let last = tree.observer().node("team/a").unwrap().last_exit;
        assert_eq!(last.as_ref(), Some(reason), "{shutdown:?}");
        quiet().await;
        assert_eq!(log.has("a starts 2"), reason.is_failure(), "{shutdown:?}");
        soon("the tree ends", tree.stop()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_late_when_its_supervisor_ended_before_is_not_told_again() {
    let log = Log::default();
    let slow = scripted("slow", Script::new(&log).stop(Stop::Hangs)).shutdown(Shutdown::Within(MILLI));
    let rash = puppet("rash", &log);
    let address = rash.address();
    let tree = grow(team().intensity(Intensity::new(0, SECOND)).child(slow).child(rash)).await;
    address.send(Say::Fail).await.unwrap();
    node_until(&tree, "team", |node| node.incarnation == 2 && node.state == Phase::Idle).await;
    let end = soon("it stops", tree.stop()).await;
    let late: Vec<_> = end.late.iter().map(|late| late.incarnation).collect();
    assert_eq!(late, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_blocks_a_thread_and_cannot_be_killed_is_named_and_the_rest_ends() {
    let log = Log::default();
    let (good, bad) = (
        puppet("good", &log),
        puppet("bad", &log).shutdown(Shutdown::Within(MILLI)),
    );
    let address = bad.address();
    let tree = grow(team().child(good).child(bad)).await;
    let (release, released) = mpsc::sync_channel(1);
    address.send(blocks(released)).await.unwrap();
    until("it blocks", || log.has("bad blocks")).await;
    let end = soon("the rest ends", tree.stop()).await;
    assert_eq!(
        (end.late.len(), end.late[0].child.as_str(), end.late[0].ended),
        (1, "bad", false)
    );
    assert!(log.has("good stopped"));
    release.send(()).unwrap();
    until("it is gone at last", || log.alive() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_killed_supervisor_comes_back_only_when_its_blocking_child_is_gone() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    let (release, released) = mpsc::sync_channel(1);
    address.send(blocks(released)).await.unwrap();
    until("it blocks", || log.has("a blocks")).await;
    kill_team(&tree).await;
    let mut back = Box::pin(node_until(&tree, "team", |node| node.incarnation == 2));
    not_yet(&mut back).await;
    release.send(()).unwrap();
    soon("the next life", back).await;
    assert_eq!(soon("its child's next life", address.ask(Say::Life)).await, Ok(2));
    assert_eq!((log.most_alive(), log.count("a starts")), (1, 2));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_significant_supervisors_ends_the_whole_tree() {
    for (auto_shutdown, ends_with_first) in [
        (AutoShutdown::AnySignificant, true),
        (AutoShutdown::AllSignificant, false),
    ] {
        let log = Log::default();
        let children = ["a", "b"].map(|name| puppet(name, &log).restart(Restart::Transient).significant());
        let [a, b] = children.each_ref().map(Child::address);
        let job = |name, child| {
            Supervisor::named(name)
                .auto_shutdown(AutoShutdown::AllSignificant)
                .restart(Restart::Transient)
                .significant()
                .child(child)
        };
        let [first, second] = children;
        let tree = Root::new()
            .auto_shutdown(auto_shutdown)
            .supervisor(job("first", first))
            .supervisor(job("second", second))
            .supervisor(team().child(puppet("c", &log)))
            .start()
            .await
            .unwrap();
        a.send(Say::Stop).await.unwrap();
        quiet().await;
        assert_eq!(b.is_closed(), ends_with_first, "{auto_shutdown:?}");
        if !ends_with_first {
            b.send(Say::Stop).await.unwrap();
        }
        let end = soon("the tree ends by itself", tree.wait()).await;
        assert!(end.is_orderly(), "{end:?}");
        assert!(log.has("c stopped"), "the insignificant are stopped along");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_tree_ends_though_of_a_killed_supervisor_something_is_left_that_blocks_a_thread() {
    for stops_first in [false, true] {
        let log = Log::default();
        let bad = puppet("bad", &log);
        let address = bad.address();
        let tree = grow(team().child(bad.shutdown(Shutdown::Infinity))).await;
        let (release, released) = mpsc::sync_channel(1);
        address.send(blocks(released)).await.unwrap();
        until("it blocks", || log.has("bad blocks")).await;
        let root = tree.observer().supervisor("root").unwrap();
        let kill = async { root.kill_child("team").await.unwrap() };
        let end = if stops_first {
            let mut end = Box::pin(tree.stop());
            not_yet(&mut end).await;
            kill.await;
            soon("the tree ends", end).await
        } else {
            kill.await;
            soon("the tree ends", tree.stop()).await
        };
        let late: Vec<_> = end.late.iter().map(|late| (&*late.supervisor, late.ended)).collect();
        assert_eq!(late, [("root", false)]);
        assert_eq!(end.late[0].child.as_str(), "team");
        release.send(()).unwrap();
        until("it is gone at last", || log.alive() == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_does_not_stop_in_its_time_is_killed_with_its_agents_and_named() {
    let log = Log::default();
    let script = Script::new(&log).stop(Stop::Hangs);
    let children = ["a", "b"].map(|name| scripted(name, script.clone()).shutdown(Shutdown::Infinity));
    let tree = grow(team().shutdown(Shutdown::Within(2 * SECOND)).children(children)).await;
    let begun = tokio::time::Instant::now();
    let end = soon("the tree ends", tree.stop()).await;
    assert_eq!(begun.elapsed().as_secs(), 2);
    let late: Vec<_> = end
        .late
        .iter()
        .map(|late| (&*late.supervisor, late.child.as_str(), late.ended))
        .collect();
    assert_eq!(late, [("root", "team", true)]);
    assert_eq!(
        (log.count("b stops"), log.count("a stops")),
        (1, 0),
        "{:?}",
        log.lines()
    );
    assert_eq!(log.alive(), 0, "its agents are gone with it");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_to_be_killed_is_not_asked_and_nor_are_its_agents() {
    let log = Log::default();
    let tree = grow(team().shutdown(Shutdown::BrutalKill).child(puppet("a", &log))).await;
    let end = soon("the tree ends", tree.stop()).await;
    assert!(end.is_orderly(), "{end:?}");
    assert_eq!((log.count("a stops"), log.alive()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_is_waited_for_without_limit_where_nothing_is_said() {
    let day = 24 * 3600 * SECOND;
    let log = Log::default();
    let slow = scripted("a", Script::new(&log).stop(Stop::Takes(day))).shutdown(Shutdown::Infinity);
    let tree = grow(team().child(slow)).await;
    assert!(tree.stop().await.is_orderly());
    assert!(log.has("a stopped"));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_does_not_start_in_its_time_has_not_started_and_leaves_nobody() {
    let log = Log::default();
    let slow = |name| scripted(name, Script::new(&log).start(Start::Takes(2 * SECOND)));
    let late = team().start_within(3 * SECOND).children(["a", "b"].map(slow));
    let started = Root::new().supervisor(late).start();
    let begun = tokio::time::Instant::now();
    let error = soon("the start fails", started).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the tree did not start, and nothing of it runs: child team did not start: did not start within 3s; allow its start \
         more by start_within, or have it do less before it runs; see to that, then start it again"
    );
    assert_eq!((begun.elapsed().as_secs(), log.alive()), (3, 0));
    let patient = team()
        .start_within(Duration::MAX)
        .shutdown(Shutdown::Within(Duration::MAX))
        .children(["a", "b"].map(slow));
    let tree = grow(patient).await;
    assert!(tree.stop().await.is_orderly());
}
