//! Posts to a program agent and back, within this process: what is measured is shorter than any command.
//!
//! The program is the example agent in Rust, in the standard sandbox, in a tree with the room `programs` before it, as the runtime
//! has it. A trip begins with the sender's stamp, before the post is made out, and ends when the sender has what came of it.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;
use triarch_benches::Scale;
use triarch_benches::figure::percentiles;
use triarch_benches::runtime::on_two_workers;
use triarch_programs::metrics::PROGRAMS;
use triarch_programs::{Config, room};
use triarch_supervision::metrics::{Catalogue, Instruments, TELEMETRY};
use triarch_supervision::prelude::*;
use triarch_teams::metrics::TEAMS;
use triarch_teams::receipt::Stage;
use triarch_teams::{Kinds, Post, PostOffice, TeamConfig};

use crate::cases::{PIPELINED_TRIPS, TRIPS, Times};
use crate::processes::PATIENCE;
use crate::tools;

/// How many posts are under way at once: as many as may be with the program, and as many as may wait for it.
const UNDER_WAY: usize = 2_048;
/// The stages of a post: delivered and done.
const STAGES: usize = 2;

/// A tree with one program agent.
struct Talk {
    tree: Tree,
    office: Arc<PostOffice>,
    address: Address<Post>,
    _folder: TempDir,
}

impl Talk {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let catalogue = Catalogue::new(&[PROGRAMS, TEAMS, TELEMETRY]).expect("sections that fit together");
        let instruments = Instruments::new(catalogue);
        let office = Arc::new(PostOffice::new(1, &instruments).expect("an office"));
        let [state, own] = ["state", "own"].map(|name| folder.path().join(name));
        std::fs::create_dir(&own).expect("a folder can be made");
        let (room, programs) = room(Config::default(), &state, Arc::clone(&office), &instruments).expect("a room");
        let team: TeamConfig = serde_json::from_value(json!({
            "name": "team",
            "agent": [{
                "name": "echo",
                "kind": "program",
                "command": [tools::get().echo],
                "dir": own,
            }],
        }))
        .expect("a description");
        let kinds = Kinds::new().with(programs);
        let team = triarch_teams::room(&team, &kinds, 10).expect("a team");
        let tree = Root::new()
            .supervisor(room)
            .supervisor(team)
            .start()
            .await
            .expect("a tree");
        let address = tree.observer().address::<Post>("team/echo").expect("its agent");
        Self {
            tree,
            office,
            address,
            _folder: folder,
        }
    }

    /// One post after the other: the nanoseconds of each.
    async fn trips(&self, times: Times) -> Vec<u64> {
        let mut nanos = Vec::with_capacity(times.recorded);
        for trip in 0..times.all() {
            let asked = Instant::now();
            let (post, stages) = self.office.registered("bench", "echo", json!(trip));
            self.address.send(post).await.expect("it takes posts");
            let done = loop {
                if let (_, Stage::Done(body)) = stages.recv_async().await.expect("it tells what became of a post") {
                    break body;
                }
            };
            let elapsed = asked.elapsed();
            assert!(done == json!(trip), "it gives back what it gets");
            if trip >= times.unrecorded {
                nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
            }
        }
        nanos
    }

    /// As many as may be under way at once; how many were done in a second.
    async fn rate(&self, trips: usize) -> f64 {
        let (sender, stages) = flume::bounded(UNDER_WAY * STAGES);
        let mut tally = Tally::default();
        let mut sent = 0;
        let begun = Instant::now();
        while tally.done < trips {
            while sent < trips && sent - tally.done < UNDER_WAY {
                let post = self.office.through(sender.clone(), "bench", "echo", json!(sent));
                self.address.send(post).await.expect("it takes posts");
                sent += 1;
            }
            let (_, stage) = stages.recv_async().await.expect("it tells what became of a post");
            tally.add(stage);
            stages.drain().for_each(|(_, stage)| tally.add(stage));
        }
        let elapsed = begun.elapsed();
        let expected: u64 = (0..trips as u64).sum();
        assert!(tally.sum == expected, "it gives back what it gets");
        trips as f64 / elapsed.as_secs_f64()
    }

    async fn end(self) {
        let end = self.tree.stop().await;
        assert!(end.is_orderly(), "{end:?}");
    }
}

#[derive(Default)]
struct Tally {
    done: usize,
    sum: u64,
}

impl Tally {
    fn add(&mut self, stage: Stage) {
        match stage {
            Stage::Done(body) => {
                self.done += 1;
                self.sum += body.as_u64().unwrap_or_default();
            }
            Stage::Delivered | Stage::Accepted => {}
            Stage::Failed(_) | Stage::Lost(_) => panic!("a post was not done: {stage:?}"),
        }
    }
}

/// Does `work`, which has failed where it takes far longer than it can.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("the program did not answer within {PATIENCE:?}"))
}

/// p50 and p99 in microseconds.
pub(crate) fn round_trips(scale: &Scale) -> Vec<f64> {
    let times = TRIPS.of(scale);
    let nanos = on_two_workers(async move {
        let talk = Talk::begin().await;
        let nanos = in_time(talk.trips(times)).await;
        talk.end().await;
        nanos
    });
    percentiles(nanos, [50, 99], 1e3)
}

/// Trips per second.
pub(crate) fn pipelined(scale: &Scale) -> Vec<f64> {
    let times = PIPELINED_TRIPS.of(scale);
    let rate = on_two_workers(async move {
        let talk = Talk::begin().await;
        in_time(talk.rate(times.unrecorded)).await;
        let rate = in_time(talk.rate(times.recorded)).await;
        talk.end().await;
        rate
    });
    vec![rate]
}
