//! Tasks from their submission until it is acknowledged that they are done.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use triarch_benches::runtime::on_two_workers;
use triarch_journal::RealDisk;
use triarch_work::config::Config;
use triarch_work::{TaskAddress, Word};

use super::house::{open, request, task};
use crate::cases::{RESULT, folder, rate};

/// So many parties, each of which submits a batch, claims as many tasks and tells of each that it is done, so many times.
#[derive(Clone, Copy)]
pub(crate) struct Cycles {
    pub(crate) parties: usize,
    pub(crate) batch: usize,
    pub(crate) times: usize,
}

impl Cycles {
    pub(crate) const fn tasks(self) -> usize {
        self.parties * self.batch * self.times
    }
}

pub(crate) fn cycle(cycles: Cycles) -> Vec<f64> {
    let folder = folder();
    let disk = Arc::new(RealDisk::at(folder.path()).expect("a folder"));
    let rate = on_two_workers(async move {
        let house = open(disk, Config::default()).await;
        let begun = Instant::now();
        let mut parties = JoinSet::new();
        for party in 0..cycles.parties {
            parties.spawn(live(house.tasks.clone(), party, cycles));
        }
        let _all = parties.join_all().await;
        let rate = rate(cycles.tasks(), begun);
        let overview = house.tasks.overview().await.expect("an overview");
        let ended: u64 = overview.totals.ended.iter().sum();
        assert_eq!((ended, overview.open), (cycles.tasks() as u64, 0));
        house.tree.stop().await;
        rate
    });
    drop(folder);
    rate
}

async fn live(tasks: TaskAddress, party: usize, cycles: Cycles) {
    for _ in 0..cycles.times {
        let batch = vec![task(); cycles.batch];
        tasks.submit(batch).await.expect("they are on disk");
        let claims = tasks.claim(request(party, cycles.batch)).await;
        let claims = claims.expect("the claims are on disk");
        assert_eq!(claims.len(), cycles.batch);
        let told = claims.into_iter().map(|claim| {
            let result = RESULT.to_vec();
            tasks.tell(claim.task, claim.fence, Word::Done { result })
        });
        for told in join_all(told).await {
            told.expect("it is on disk that it is done");
        }
    }
}
