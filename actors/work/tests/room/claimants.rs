//! Those who wait for tasks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_work::config::Config;
use triarch_work::task::{Affinity, Submission};
use triarch_work::words::{Capability, Worker};
use triarch_work::{Rank, Request};

use crate::house::*;

fn waiting(name: &str, able: &[&str]) -> Request {
    Request {
        worker: Worker::new(name).unwrap(),
        able: able.iter().map(|word| Capability::new(word).unwrap()).collect(),
        ..request(true)
    }
}

/// By the paused clock: before any lease lapses, by which those who wait would get something in any case.
async fn soon<T>(story: impl Future<Output = T>) -> T {
    let story = tokio::time::timeout(Duration::from_secs(20), story);
    story.await.expect("somebody waits in vain")
}

#[tokio::test(start_paused = true)]
async fn the_10_001st_who_waits_gets_a_task_too() {
    const MANY: usize = 10_001;
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let claimants = join_all((0..MANY).map(|number| house.tasks.claim(waiting(&format!("w{number}"), &[]))));
    let customer = async {
        let mut submitted = BTreeSet::new();
        for first in (0..MANY).step_by(1_000) {
            let batch = (first..MANY.min(first + 1_000)).map(|_| task()).collect();
            submitted.extend(house.tasks.submit(batch).await.unwrap().iter().map(|one| one.task));
        }
        submitted
    };
    let (claims, submitted) = soon(Box::pin(async { tokio::join!(claimants, customer) })).await;
    let got: BTreeSet<_> = claims.into_iter().map(|claims| claims.unwrap()[0].task).collect();
    assert_eq!(got, submitted);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_to_the_first_who_is_able_and_to_whom_it_is_reserved() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let able = [
        ("a", &[][..]),
        ("b", &["gpu"]),
        ("c", &["net", "gpu"]),
        ("d", &["gpu", "net"]),
    ];
    let claimants = join_all(able.map(|(name, able)| house.tasks.claim(waiting(name, able))));
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
    let customer = async {
        // By then all of them wait.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for submission in [
            needing(&["disk"]),
            needing(&["net"]),
            needing(&["gpu"]),
            reserved,
            task(),
        ] {
            house.submit(submission).await;
        }
    };
    let (claims, ()) = soon(Box::pin(async { tokio::join!(claimants, customer) })).await;
    let got: Vec<_> = claims
        .into_iter()
        .map(|claims| claims.unwrap()[0].task.number())
        .collect();
    assert_eq!(got, [5, 3, 2, 4]);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_team_gets_its_turn_as_others_do_and_gives_it_to_whom_it_ranks_first() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let ranked = |name: &str, team: &str, place| Request {
        rank: Some(Rank {
            team: team.into(),
            place,
        }),
        ..waiting(name, &[])
    };
    // In the order in which they come.
    let requests = [
        ranked("slow", "one", 9),
        ranked("other", "two", 50),
        waiting("nobodys", &[]),
        ranked("fast", "one", 2),
        ranked("middling", "one", 5),
    ];
    let claimants = join_all(requests.map(|request| house.tasks.claim(request)));
    let customer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..5 {
            house.submit(task()).await;
        }
    };
    let (claims, ()) = soon(Box::pin(async { tokio::join!(claimants, customer) })).await;
    let got: Vec<_> = claims
        .into_iter()
        .map(|claims| claims.unwrap()[0].task.number())
        .collect();
    assert_eq!(got, [5, 2, 3, 1, 4]);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn who_has_given_up_gets_nothing() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), house.tasks.claim(waiting("a", &["gpu"])));
    assert!(given_up.await.is_err());
    let customer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        house.submit(task()).await
    };
    let claimant = house.tasks.claim(waiting("b", &[]));
    let (claims, task) = soon(Box::pin(async { tokio::join!(claimant, customer) })).await;
    let claim = &claims.unwrap()[0];
    assert_eq!((claim.task, claim.attempt), (task, 1), "nobody had it before");
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_asker_goes_before_it_takes_it_is_given_back_at_once() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let mut asker = Box::pin(house.tasks.claim(waiting("a", &[])));
    assert!(futures_util::poll!(&mut asker).is_pending());
    let task = house.submit(task()).await;
    let is_claimed = async || (house.tasks.overview().await.unwrap().leases == 1).then_some(());
    until(is_claimed).await;
    drop(asker);
    let claims = soon(house.tasks.claim(waiting("b", &[]))).await.unwrap();
    assert_eq!(
        (claims[0].task, claims[0].attempt),
        (task, 1),
        "with no wait for the end of a lease"
    );
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn who_wants_no_task_does_not_wait_for_one() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let nothing = Request {
        most: 0,
        ..waiting("a", &[])
    };
    assert_eq!(soon(house.tasks.claim(nothing)).await.unwrap(), []);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_claim_was_not_written_goes_to_who_waits() {
    let disk = SimDisk::new(1);
    let house = open(Arc::new(disk.clone()), Config::default()).await;
    let id = house.submit(task()).await;
    disk.fail(Call::Write, 0, Fault::Full);
    let (refused, claims) = soon(Box::pin(async {
        tokio::join!(house.tasks.claim(request(false)), house.tasks.claim(waiting("b", &[])))
    }))
    .await;
    assert!(refused.is_err());
    assert_eq!(claims.unwrap()[0].task, id);
    assert!(house.tree.stop().await.is_orderly());
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_open_nothing_is_written() {
    let house = open(Arc::new(SimDisk::new(1)), Config::default()).await;
    let minute = Duration::from_mins(1);
    tokio::time::sleep(minute).await;
    let at_rest = house.written();
    tokio::time::sleep(minute).await;
    assert_eq!(house.written(), at_rest);
    house.submit(task()).await;
    tokio::time::sleep(minute).await;
    assert!(
        house.written() > at_rest + 5,
        "how long it is open has to be known after a crash"
    );
    assert!(house.tree.stop().await.is_orderly());
}
