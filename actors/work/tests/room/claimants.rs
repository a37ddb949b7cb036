//! Those who wait for tasks.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use triarch_journal::testing::SimDisk;
use triarch_work::Request;
use triarch_work::config::Config;
use triarch_work::task::{Affinity, Submission};
use triarch_work::words::{Capability, Worker};

use crate::house::*;

fn waiting(name: &str, able: &[&str]) -> Request {
    Request {
        worker: Worker::new(name).unwrap(),
        able: able.iter().map(|word| Capability::new(word).unwrap()).collect(),
        ..request(true)
    }
}

#[tokio::test(start_paused = true)]
async fn the_10_001st_who_waits_gets_a_task_too() {
    const MANY: usize = 10_001;
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let mut claimants = JoinSet::new();
    for number in 0..MANY {
        let tasks = house.tasks.clone();
        claimants.spawn(async move { tasks.claim(waiting(&format!("w{number}"), &[])).await.unwrap()[0].task });
    }
    for _ in 0..MANY {
        tokio::task::yield_now().await;
    }
    let mut submitted = BTreeSet::new();
    for part in 0..MANY.div_ceil(1_000) {
        let batch = (part * 1_000..MANY.min((part + 1) * 1_000)).map(|_| task()).collect();
        submitted.extend(house.tasks.submit(batch).await.unwrap().iter().map(|one| one.task));
    }
    let got: BTreeSet<_> = within(claimants.join_all()).await.into_iter().collect();
    assert_eq!(got, submitted);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_to_the_first_who_is_able_and_to_whom_it_is_reserved() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let mut claimants = JoinSet::new();
    for (name, able) in [
        ("a", &[][..]),
        ("b", &["gpu"]),
        ("c", &["net", "gpu"]),
        ("d", &["gpu", "net"]),
    ] {
        let (tasks, request) = (house.tasks.clone(), waiting(name, able));
        claimants.spawn(async move { (tasks.claim(request).await.unwrap()[0].task.number(), name) });
        // One after the other.
        house.tasks.overview().await.unwrap();
        house.tasks.overview().await.unwrap();
    }
    let needing = |words: &[&str]| Submission {
        needs: words.iter().map(|word| Capability::new(word).unwrap()).collect(),
        ..task()
    };
    let reserved = Submission {
        affinity: Some(Affinity {
            worker: Worker::new("d").unwrap(),
            hold: None,
        }),
        ..task()
    };
    for submission in [
        needing(&["disk"]),
        needing(&["net"]),
        needing(&["gpu"]),
        reserved,
        task(),
    ] {
        house.submit(submission).await;
    }
    let got: BTreeSet<_> = within(claimants.join_all()).await.into_iter().collect();
    assert_eq!(got, BTreeSet::from([(2, "c"), (3, "b"), (4, "d"), (5, "a")]));
    assert!(house.tree.stop().await.is_orderly());
}
