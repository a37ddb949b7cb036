//! The handle of a team that was split: it reaches all parts.

use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{CallError, Started, SupervisorHandle};

use crate::agents::{Log, Say, Script, Start, Stop, puppet, scripted, team};
use crate::patience::{SECOND, node_until, quiet, soon, until};

struct Group {
    log: Log,
    tree: Tree,
    team: SupervisorHandle,
    root: SupervisorHandle,
}

/// A team of `a0` to `a4`, two to a supervisor.
async fn group() -> Group {
    let log = Log::default();
    let children: Vec<_> = (0..5).map(|number| puppet(&format!("a{number}"), &log)).collect();
    let root = Root::new().seed(1).intensity(Intensity::new(1000, SECOND));
    let tree = root
        .supervisor(team().span(2).children(children))
        .start()
        .await
        .unwrap();
    let [team, root] = ["team", "root"].map(|path| tree.observer().supervisor(path).unwrap());
    Group { log, tree, team, root }
}

async fn names(handle: &SupervisorHandle) -> Vec<String> {
    let children = handle.which_children().await.unwrap();
    children.iter().map(|child| child.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn all_children_are_listed_and_counted_from_left_to_right() {
    let group = group().await;
    assert_eq!(names(&group.team).await, ["a0", "a1", "a2", "a3", "a4"]);
    let counts = group.team.count_children().await.unwrap();
    assert_eq!((counts.specified, counts.active), (5, 5));
    for (path, own) in [
        ("team.0", &["a0", "a1"][..]),
        ("team.1", &["a2", "a3"]),
        ("team.2", &["a4"]),
    ] {
        let part = group.tree.observer().supervisor(path).unwrap();
        assert_eq!(names(&part).await, own, "{path} is a part alone");
    }
    group.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_for_a_child_reaches_the_part_that_has_it() {
    let Group { log, tree, team, .. } = group().await;
    team.terminate_child("a3").await.unwrap();
    assert!(log.has("a3 stopped"));
    assert_eq!(team.count_children().await.unwrap().down, 1);
    assert_eq!(team.restart_child("a3").await, Ok(Started::Running(2)));
    team.kill_child("a4").await.unwrap();
    until("it is back", || log.has("a4 starts 2")).await;
    assert_eq!(
        team.retry_child("a4").await.unwrap_err().to_string(),
        "child a4 is not in quarantine; restart it instead"
    );
    let temporary = puppet("t", &log).restart(Restart::Temporary);
    team.start_child(temporary).await.unwrap();
    assert_eq!(team.child_policy("t").await.unwrap().restart, Restart::Temporary);
    team.terminate_child("a3").await.unwrap();
    team.delete_child("a3").await.unwrap();
    assert_eq!(names(&team).await, ["a0", "a1", "a2", "a4", "t"]);
    assert_eq!(
        team.restart_child("a3").await.unwrap_err().to_string(),
        "no child is named a3; list the children to see who there is"
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_child_comes_to_the_part_with_the_fewest() {
    let Group { log, tree, team, .. } = group().await;
    let path = |(address, _): (Address<Say>, Started)| address.path().to_string();
    assert_eq!(path(team.start_child(puppet("b", &log)).await.unwrap()), "team.2/b");
    team.terminate_child("a1").await.unwrap();
    team.delete_child("a1").await.unwrap();
    assert_eq!(path(team.start_child(puppet("c", &log)).await.unwrap()), "team/c");
    assert_eq!(names(&team).await, ["a0", "c", "a2", "a3", "a4", "b"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_is_given_once_in_all_parts() {
    let Group { log, tree, team, .. } = group().await;
    assert_eq!(
        team.start_child(puppet("a2", &log)).await.unwrap_err().to_string(),
        "child a2 already runs; choose another name or terminate it first"
    );
    let slow = |log| scripted("b", Script::new(log).start(Start::Takes(SECOND)));
    let (first, second) = futures_util::join!(team.start_child(slow(&log)), team.start_child(slow(&log)));
    assert!(first.is_ok() && second.is_err(), "{second:?}");
    assert_eq!(names(&team).await.iter().filter(|name| *name == "b").count(), 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_down_is_named_and_the_others_go_on() {
    let Group { log, tree, team, root } = group().await;
    root.terminate_child("team.1").await.unwrap();
    let down = "supervisor team.1 is down or has left the tree; ask again if its parent restarts it";
    for error in [
        team.which_children().await.unwrap_err(),
        team.count_children().await.unwrap_err(),
        team.terminate_child("a2").await.unwrap_err(),
        team.start_child(puppet("a2", &log)).await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), down);
    }
    team.terminate_child("a4").await.unwrap();
    let (address, _) = team.start_child(puppet("b", &log)).await.unwrap();
    assert_ne!(address.path().split('/').next(), Some("team.1"));
    assert_eq!(root.restart_child("team.1").await, Ok(Started::Running(2)));
    assert_eq!(names(&team).await.len(), 6);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_that_stops_in_parallel_does_so_in_all_its_parts() {
    let log = Log::default();
    let slow = |name: String| scripted(&name, Script::new(&log).stop(Stop::Takes(SECOND)));
    let group = team()
        .span(2)
        .parallel_stop()
        .children((0..5).map(|number| slow(format!("a{number}"))));
    let other = Supervisor::named("other").child(slow("b".to_owned()));
    let tree = Root::new().supervisor(other).supervisor(group).start().await.unwrap();
    let root = tree.observer().supervisor("root").unwrap();
    let begun = tokio::time::Instant::now();
    root.terminate_child("team").await.unwrap();
    assert_eq!((begun.elapsed().as_secs(), log.alive()), (1, 1));
    root.restart_child("team").await.unwrap();
    tree.stop().await;
    assert_eq!(
        begun.elapsed().as_secs(),
        3,
        "its neighbour waits until all of it is gone"
    );
}

#[tokio::test(start_paused = true)]
async fn the_roots_handle_stops_and_restarts_a_group_as_a_whole() {
    let Group { log, tree, team, root } = group().await;
    root.terminate_child("team").await.unwrap();
    let stopped: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line.ends_with("stopped"))
        .collect();
    assert_eq!(
        stopped,
        ["a4 stopped", "a3 stopped", "a2 stopped", "a1 stopped", "a0 stopped"],
        "right to left, as within one supervisor"
    );
    assert!(team.which_children().await.is_err());
    assert_eq!(root.restart_child("team").await, Ok(Started::Running(2)));
    assert_eq!(team.count_children().await.unwrap().active, 5);
    assert_eq!(
        root.restart_child("team").await.unwrap_err().to_string(),
        "child team runs; terminate it first"
    );
    root.kill_child("team").await.unwrap();
    for path in ["team", "team.1", "team.2"] {
        node_until(&tree, path, |node| node.incarnation == 3).await;
    }
    root.terminate_child("team").await.unwrap();
    root.delete_child("team").await.unwrap();
    quiet().await;
    assert_eq!(tree.observer().snapshot().len(), 1, "nobody is left but the root");
    assert!(matches!(team.which_children().await, Err(CallError::Down { .. })));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_down_are_restarted_with_the_group_and_the_others_left_alone() {
    let Group { tree, team, root, .. } = group().await;
    root.terminate_child("team.2").await.unwrap();
    assert_eq!(
        soon("a part", root.restart_child("team")).await,
        Ok(Started::Running(2))
    );
    assert_eq!(team.count_children().await.unwrap().active, 5);
    root.terminate_child("team.0").await.unwrap();
    let first = tree.observer().supervisor("team.0").unwrap();
    assert!(matches!(first.which_children().await, Err(CallError::Down { .. })));
    assert_eq!(root.restart_child("team.0").await, Ok(Started::Running(2)));
    let lives = ["team", "team.1", "team.2"].map(|path| tree.observer().node(path).unwrap().incarnation);
    assert_eq!(lives, [2, 1, 2]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_any_part_is_found_by_the_name_of_its_team() {
    let Group { tree, .. } = group().await;
    let observer = tree.observer();
    assert_eq!(&*observer.node("team/a4").unwrap().path, "team.2/a4");
    let answer = observer
        .address::<Say>("team/a3")
        .unwrap()
        .ask(|reply| Say::Echo(7, reply))
        .await;
    assert_eq!(answer, Ok(7));
    for path in ["team/a9", "team.1/a4", "tea/a4", "team/"] {
        assert!(observer.node(path).is_err(), "{path}");
    }
    tree.stop().await;
}
