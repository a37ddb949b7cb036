//! Waiting for what a test states, with a deadline. On the paused clock it costs nothing.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Events, Fact, NodeView};

pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) const MILLI: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            sleep(MILLI).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "waited in vain: {what}");
}

/// The value of a future that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let value = timeout(PATIENCE, Box::pin(future)).await;
    // When patience ends the future is looked at once more, which must not be what its lost waking needed.
    assert!(begun.elapsed() < PATIENCE, "nobody was woken: {what}");
    value.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Lets everything that can happen happen: on the paused clock, time passes only when nobody has anything to do.
pub(crate) async fn quiet() {
    sleep(10 * MILLI).await;
}

/// A future that must not be ready yet; the rest of it is given back.
pub(crate) async fn not_yet<T: Debug, F: Future<Output = T> + Unpin>(future: &mut F) {
    let early = timeout(10 * MILLI, future).await;
    assert!(early.is_err(), "came too early: {early:?}");
}

/// Waits for a node to be as stated.
pub(crate) async fn node_until(tree: &Tree, path: &str, is_so: impl Fn(&NodeView) -> bool) -> NodeView {
    let observer = tree.observer();
    until(path, || observer.node(path).is_ok_and(|node| is_so(&node))).await;
    observer.node(path).unwrap()
}

/// All decisions that are there already.
pub(crate) fn decisions(events: &mut Events) -> Vec<Decision> {
    std::iter::from_fn(|| events.try_next())
        .filter_map(|event| match event.fact {
            Fact::Decision(decision) => Some(decision),
            _ => None,
        })
        .collect()
}
