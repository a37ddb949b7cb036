//! What supervisors do, and instruments of one's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use triarch_supervision::metrics::families::TREE;
use triarch_supervision::metrics::{Catalogue, Counter, Family, Instruments, Section, Spread, TELEMETRY, Value};
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Phase;

use crate::kit::{Idler, SECOND, Say, Worker, check_balance, grow, lines, part, quiet, shown, team, tell};

/// A worker that has failed just now, and is started again after that.
async fn down_for_three_seconds() -> (Tree, Address<Say>) {
    let wait = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(3 * SECOND, 3 * SECOND)
    };
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let tree = grow(team().backoff(wait).child(worker)).await;
    tell(&address, [Say::Fail]).await;
    (tree, address)
}

fn restart_seconds(tree: &Tree) -> Spread {
    let mut readings = tree.instruments().read().into_iter();
    let restarts = readings.find(|reading| reading.family.name == "triarch_supervisor_restart_seconds");
    match restarts.unwrap().samples.remove(0).value {
        Value::Spread(spread) => *spread,
        value => panic!("{value:?} is no histogram"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_as_long_as_the_child_was_down_by_the_trees_clock() {
    let (tree, _worker) = down_for_three_seconds().await;
    let down = lines(&[
        ("agents{native,backoff}", 1.0),
        ("supervisor_children{root,running}", 1.0),
        ("supervisor_children{team,restarting}", 1.0),
    ]);
    assert_eq!(part(&shown(&tree), &["agents{", "supervisor_children"]), down);
    sleep(4 * SECOND).await;
    let spread = restart_seconds(&tree);
    let late = spread.sum().checked_sub(3 * SECOND).unwrap();
    assert!(spread.count() == 1 && late < 5 * Duration::from_millis(1), "{spread:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_waits_for_the_restart_of_its_group_is_restarting_and_one_terminated_meanwhile_is_down() {
    let wait = Backoff {
        jitter: 0.0,
        ..Backoff::exponential(3 * SECOND, 3 * SECOND)
    };
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let group = team().strategy(Strategy::OneForAll).backoff(wait);
    let others = ["a", "b"].map(|name| Child::of::<Idler>(name, ()));
    let tree = grow(group.child(worker).children(others)).await;
    tell(&address, [Say::Fail]).await;
    let children = |of_team: &[(&str, f64)]| {
        let mut all = lines(of_team);
        all.insert("supervisor_children{root,running}".to_owned(), 1.0);
        all
    };
    let waiting = children(&[("supervisor_children{team,restarting}", 3.0)]);
    assert_eq!(part(&shown(&tree), &["supervisor_children"]), waiting);
    tree.observer()
        .supervisor("team")
        .unwrap()
        .terminate_child("b")
        .await
        .unwrap();
    let one_less = children(&[
        ("supervisor_children{team,down}", 1.0),
        ("supervisor_children{team,restarting}", 2.0),
    ]);
    assert_eq!(part(&shown(&tree), &["supervisor_children"]), one_less);
    sleep(4 * SECOND).await;
    let back = children(&[
        ("supervisor_children{team,down}", 1.0),
        ("supervisor_children{team,running}", 2.0),
    ]);
    assert_eq!(part(&shown(&tree), &["supervisor_children"]), back);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_escalation_is_counted_and_the_roots_budget_fills_and_empties() {
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(1, SECOND))
        .child(worker);
    let root = Root::new().seed(1).intensity(Intensity::new(4, 10 * SECOND));
    let tree = root.supervisor(team).start().await.unwrap();
    tell(&address, [Say::Fail, Say::Fail]).await;
    let wanted = ["supervisor_", "actor_stops", "actors{"];
    let expected = lines(&[
        ("actor_stops_total{Supervisor,error}", 1.0),
        ("actor_stops_total{Worker,error}", 2.0),
        ("actors{Root}", 1.0),
        ("actors{Supervisor}", 1.0),
        ("actors{Worker}", 1.0),
        ("supervisor_children{root,running}", 1.0),
        ("supervisor_children{team,running}", 1.0),
        ("supervisor_escalations_total{team}", 1.0),
        ("supervisor_restart_budget_used_ratio{root}", 0.25),
        ("supervisor_restart_seconds{}", 2.0),
        ("supervisor_restarts_total{root,error}", 1.0),
        ("supervisor_restarts_total{team,error}", 1.0),
    ]);
    assert_eq!(part(&shown(&tree), &wanted), expected);
    sleep(11 * SECOND).await;
    assert_eq!(part(&shown(&tree), &["supervisor_restart_budget"]), BTreeMap::new());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_in_quarantine_is_counted_and_its_restarts_are_forgiven() {
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(0, SECOND))
        .on_limit(OnLimit::Quarantine)
        .child(worker);
    let root = Root::new().seed(1).intensity(Intensity::new(1, 10 * SECOND));
    let tree = root.supervisor(team).start().await.unwrap();
    tell(&address, [Say::Fail]).await;
    let [of_root, of_team] = ["root", "team"].map(|of| format!("supervisor_restart_budget_used_ratio{{{of}}}"));
    // Who bears no restart at all has used up what it bears from the beginning.
    let full = lines(&[(&of_root, 1.0), (&of_team, 1.0)]);
    assert_eq!(part(&shown(&tree), &["supervisor_restart_budget"]), full);
    tell(&address, [Say::Fail]).await;
    let found = shown(&tree);
    let expected = lines(&[
        ("supervisor_children{root,quarantined}", 1.0),
        ("supervisor_children{team,down}", 1.0),
        (&of_team, 1.0),
    ]);
    let wanted = ["supervisor_children", "supervisor_restart_budget"];
    assert_eq!(part(&found, &wanted), expected);
    check_balance(&found, &["Worker", "Supervisor", "Root"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_leaves_no_actor_uncounted() {
    let static_child = Child::of::<Worker>("static", ());
    let address = static_child.address();
    let tree = grow(team().child(static_child)).await;
    let team = tree.observer().supervisor("team").unwrap();
    team.start_child(Child::of::<Idler>("dynamic", ())).await.unwrap();
    tell(&address, [Say::Work, Say::Hang, Say::Work]).await;
    tree.observer()
        .supervisor("root")
        .unwrap()
        .kill_child("team")
        .await
        .unwrap();
    quiet().await;
    let found = shown(&tree);
    let expected = lines(&[
        ("actor_stops_total{Idler,killed}", 1.0),
        ("actor_stops_total{Supervisor,killed}", 1.0),
        ("actor_stops_total{Worker,killed}", 1.0),
        ("messages_enqueued_total{Worker,normal}", 3.0),
        ("messages_handled_total{Worker,error}", 1.0),
        ("messages_handled_total{Worker,ok}", 2.0),
        ("supervisor_restarts_total{root,killed}", 1.0),
    ]);
    assert_eq!(
        part(&found, &["actor_stops", "messages_", "supervisor_restarts"]),
        expected
    );
    check_balance(&found, &["Worker", "Idler", "Supervisor", "Root"]);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_split_group_count_under_its_name() {
    let workers: Vec<_> = (0..5)
        .map(|number| Child::of::<Worker>(format!("worker-{number}"), ()))
        .collect();
    let addresses: Vec<_> = workers.iter().map(Child::address).collect();
    let tree = grow(team().children(workers).span(2)).await;
    for address in &addresses {
        tell(address, [Say::Fail]).await;
    }
    let expected = lines(&[
        ("actors{Supervisor}", 3.0),
        ("supervisor_children{root,running}", 3.0),
        ("supervisor_children{team,running}", 5.0),
        ("supervisor_restarts_total{team,error}", 5.0),
    ]);
    let wanted = ["actors{S", "supervisor_children", "supervisor_restarts"];
    assert_eq!(part(&shown(&tree), &wanted), expected);
    tree.stop().await;
}

const CUPS: Family = Family::counter("triarch_cups_total", &[], "Cups poured.");
const TEA: Section = Section {
    title: "Tea",
    families: &[CUPS],
};

#[tokio::test(start_paused = true)]
async fn a_tree_counts_in_instruments_that_others_count_in_too() {
    let catalogue = Catalogue::new(&[&TREE[..], &[TEA, TELEMETRY]].concat()).unwrap();
    let instruments = Instruments::new(catalogue);
    let root = Root::new().instruments(instruments.clone()).supervisor(team());
    let tree = root.start().await.unwrap();
    instruments.single::<Counter>(&CUPS).unwrap().add(3);
    let found = shown(&tree);
    let both = lines(&[("actors{Supervisor}", 1.0), ("cups_total{}", 3.0)]);
    assert_eq!(part(&found, &["actors{S", "cups"]), both);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_time_that_somebody_kept_a_child_down_is_no_restart() {
    let (tree, address) = down_for_three_seconds().await;
    let handle = tree.observer().supervisor("team").unwrap();
    handle.terminate_child("worker").await.unwrap();
    sleep(3600 * SECOND).await;
    handle.restart_child("worker").await.unwrap();
    assert_eq!(part(&shown(&tree), &["supervisor_restart_seconds"]), BTreeMap::new());
    tell(&address, [Say::Fail]).await;
    sleep(4 * SECOND).await;
    let once = lines(&[("supervisor_restart_seconds{}", 1.0)]);
    assert_eq!(part(&shown(&tree), &["supervisor_restart_seconds"]), once);
    tree.stop().await;
}

/// Its second life declines to start.
struct Fickle;

impl Agent for Fickle {
    type Message = Say;
    type Spec = Arc<AtomicU64>;

    async fn start(lives: Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        if lives.fetch_add(1, Ordering::Relaxed) == 1 {
            return Err(Failure::ignore());
        }
        Ok(Self)
    }

    async fn handle(&mut self, _: Say, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        Err(Failure::new("whatever it is told"))
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_after_a_restart_that_was_declined_is_no_restart() {
    let fickle = Child::of::<Fickle>("fickle", Arc::default());
    let address = fickle.address();
    let tree = grow(team().child(fickle)).await;
    tell(&address, [Say::Work]).await;
    sleep(3600 * SECOND).await;
    let handle = tree.observer().supervisor("team").unwrap();
    handle.restart_child("fickle").await.unwrap();
    assert_eq!(part(&shown(&tree), &["supervisor_restart_seconds"]), BTreeMap::new());
    tree.stop().await;
}

/// Starts once and never again.
struct Once;

impl Agent for Once {
    type Message = Say;
    type Spec = Arc<AtomicU64>;

    async fn start(lives: Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        if lives.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(Failure::new("its disk is gone"));
        }
        Ok(Self)
    }

    async fn handle(&mut self, _: Say, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        Err(Failure::new("whatever it is told"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_is_given_up_is_one_that_took_too_long() {
    let once = Child::of::<Once>("once", Arc::default()).on_limit(OnLimit::Quarantine);
    let address = once.address();
    let tree = grow(team().intensity(Intensity::new(3, SECOND)).child(once)).await;
    tell(&address, [Say::Work]).await;
    sleep(SECOND).await;
    assert_eq!(tree.observer().node("team/once").unwrap().state, Phase::Failed);
    let spread = restart_seconds(&tree);
    let within = spread.cumulative().filter(|(edge, _)| edge.is_some());
    assert!(
        spread.count() == 1 && within.map(|(_, count)| count).all(|count| count == 0),
        "{spread:?}"
    );
    tree.stop().await;
}
