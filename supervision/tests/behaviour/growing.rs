//! Supervisors that come and go while the tree runs.

use futures_util::FutureExt as _;
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{CallError, Started};

use crate::agents::{Log, Say, Script, Start, grow, puppet, scripted, team};
use crate::patience::{SECOND, not_yet, quiet, until};

fn more(log: &Log) -> Supervisor {
    let children: Vec<_> = ["b0", "b1", "b2"].map(|name| puppet(name, log)).into();
    Supervisor::named("more").span(2).children(children)
}

fn paths(tree: &Tree) -> Vec<String> {
    let nodes = tree.observer().snapshot();
    nodes.iter().map(|node| node.path.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_added_has_all_its_parts_and_stops_with_the_tree() {
    let log = Log::default();
    let tree = grow(team()).await;
    let started = tree.observer().start_supervisor(more(&log)).await.unwrap();
    assert_eq!(started, Started::Running(1));
    assert_eq!(
        paths(&tree),
        ["root", "more", "more/b0", "more/b1", "more.1", "more.1/b2", "team"]
    );
    let handle = tree.observer().supervisor("more").unwrap();
    assert_eq!(handle.count_children().await.unwrap().active, 3);
    assert!(tree.stop().await.is_orderly());
    assert_eq!(log.after("").iter().filter(|line| line.ends_with("stopped")).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_away_by_the_handle_of_the_root_and_may_come_again() {
    let log = Log::default();
    let tree = grow(team()).await;
    let root = tree.observer().supervisor("root").unwrap();
    for _ in 0..2 {
        tree.observer().start_supervisor(more(&log)).await.unwrap();
        let address = tree.observer().address::<Say>("more/b0").unwrap();
        root.terminate_child("more").await.unwrap();
        root.delete_child("more").await.unwrap();
        assert_eq!(paths(&tree), ["root", "team"]);
        let refused = address.send(Say::Note(1)).await.unwrap_err();
        assert_eq!(refused.why, Refusal::Closed);
    }
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_with_a_name_that_is_taken_is_refused_and_leaves_the_first_alone() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log))).await;
    let refused = tree.observer().start_supervisor(team().child(puppet("b", &log))).await;
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    assert_eq!(paths(&tree), ["root", "team", "team/a"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_last_part_does_not_start_nothing_is_kept() {
    let log = Log::default();
    let tree = grow(team()).await;
    let failing = Script::new(&log).start(Start::Fails);
    let broken = Supervisor::named("more")
        .span(1)
        .child(puppet("b0", &log))
        .child(scripted("b1", failing));
    let refused = tree.observer().start_supervisor(broken).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(paths(&tree), ["root", "team"]);
    until("the first part has stopped", || log.has("b0 stopped")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_is_restarted_with_its_children_like_any_other() {
    let log = Log::default();
    let tree = grow(team()).await;
    let fragile = Supervisor::named("more")
        .intensity(Intensity::new(0, SECOND))
        .child(puppet("b0", &log));
    tree.observer().start_supervisor(fragile).await.unwrap();
    let address = tree.observer().address::<Say>("more/b0").unwrap();
    let more = tree.observer().supervisor("more").unwrap();
    more.kill_child("b0").await.unwrap();
    until("it is back", || log.has("b0 starts 2")).await;
    address.send(Say::Note(7)).await.unwrap();
    until("its address still leads to it", || log.has("b0 note 7")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_built_is_refused_before_anything_starts() {
    let tree = grow(team()).await;
    let refused = tree.observer().start_supervisor(Supervisor::named("No")).await;
    assert!(matches!(refused, Err(CallError::Build(_))), "{refused:?}");
    tree.stop().await;
    let refused = tree.observer().start_supervisor(Supervisor::named("late")).await;
    assert!(matches!(refused, Err(CallError::Down { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_adding_was_given_up_no_part_is_kept() {
    let log = Log::default();
    let tree = grow(team()).await;
    let parts = || {
        let slow = scripted("b1", Script::new(&log).start(Start::Hangs));
        let children = Supervisor::named("more").span(1).child(puppet("b0", &log));
        children.child(slow.start_without_limit())
    };
    for _ in 0..2 {
        let observer = tree.observer();
        let mut adding = Box::pin(observer.start_supervisor(parts()));
        not_yet(&mut adding).await;
        assert_eq!(paths(&tree), ["root", "more", "more/b0", "more.1", "more.1/b1", "team"]);
        drop(adding);
        until("no part is left", || paths(&tree) == ["root", "team"]).await;
        assert_eq!(log.alive(), 0);
    }
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_one_that_is_taken_away_while_it_is_added_no_part_is_kept() {
    let log = Log::default();
    let tree = grow(team()).await;
    let observer = tree.observer();
    let root = observer.supervisor("root").unwrap();
    let slow = scripted("b1", Script::new(&log).start(Start::Hangs)).start_without_limit();
    let parts = Supervisor::named("more").span(1).child(puppet("b0", &log)).child(slow);
    let mut adding = Box::pin(observer.start_supervisor(parts));
    not_yet(&mut adding).await;
    // Whoever takes it away may find some of it gone already.
    let (_taken, added) = tokio::join!(root.terminate_child("more"), adding);
    assert!(matches!(added, Err(CallError::Refused(_))), "{added:?}");
    until("no part is left", || paths(&tree) == ["root", "team"]).await;
    assert_eq!(
        observer.start_supervisor(more(&log)).await.unwrap(),
        Started::Running(1)
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_bears_the_name_of_what_was_not_added_after_all_is_left_in_peace() {
    let log = Log::default();
    let tree = grow(team().child(puppet("a", &log))).await;
    let observer = tree.observer();
    {
        let another = team().child(puppet("b", &log));
        let mut adding = Box::pin(observer.start_supervisor(another));
        assert!((&mut adding).now_or_never().is_none(), "it is not answered at once");
    }
    quiet().await;
    assert_eq!(paths(&tree), ["root", "team", "team/a"]);
    assert_eq!(observer.node("team").unwrap().incarnation, 1);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_that_are_added_at_once_the_parts_of_each_stand_side_by_side() {
    let log = Log::default();
    let tree = grow(team()).await;
    let observer = tree.observer();
    let split = |name: &str| {
        let children: Vec<_> = ["0", "1", "2"]
            .map(|number| puppet(&format!("{name}{number}"), &log))
            .into();
        Supervisor::named(name).span(1).parallel_stop().children(children)
    };
    let (first, second) = tokio::join!(
        observer.start_supervisor(split("x")),
        observer.start_supervisor(split("y"))
    );
    assert_eq!((first, second), (Ok(Started::Running(1)), Ok(Started::Running(1))));
    let children = observer.supervisor("root").unwrap().which_children().await.unwrap();
    let names: Vec<_> = children.iter().map(|child| child.name.to_string()).collect();
    assert_eq!(names, ["team", "x", "x.1", "x.2", "y", "y.1", "y.2"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_second_part_of_three_does_not_start_nothing_is_kept_and_its_names_are_free() {
    let log = Log::default();
    let tree = grow(team()).await;
    let broken = |start| {
        let failing = scripted("b1", Script::new(&log).start(start));
        let children = Supervisor::named("more").span(1).child(puppet("b0", &log));
        children.child(failing).child(puppet("b2", &log))
    };
    let refused = tree.observer().start_supervisor(broken(Start::Fails)).await;
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    assert_eq!(paths(&tree), ["root", "team"]);
    assert!(!log.has("b2 starts 1"), "its turn never came");
    let added = tree.observer().start_supervisor(more(&log)).await;
    assert_eq!(added, Ok(Started::Running(1)));
    tree.stop().await;
}
