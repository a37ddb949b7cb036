//! Who of a team gets tasks that come one at a time, when all of it has nothing to do.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use triarch_supervision::prelude::*;
use triarch_teams::{Post, TaskRules};
use triarch_work::dispatch::Dispatch;
use triarch_work::dispatcher::{Roster, Taker, TakingTeam};
use triarch_work::words::Worker;

use crate::house::{dispatching, task};

/// Says its name, after as long as it always takes.
struct Paced(&'static str, Duration);

impl Agent for Paced {
    type Message = Post;
    type Spec = (&'static str, Duration);

    async fn start((name, pace): Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(name, pace))
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep(self.1).await;
        post.receipt.done(json!(self.0));
        Ok(())
    }
}

fn takes_tasks(roster: &Roster, dispatch: Dispatch, weights: [u32; 2]) {
    let taker = |(name, weight): (&str, u32)| Taker {
        worker: Worker::new(format!("team/{name}")).unwrap(),
        able: Arc::default(),
        rules: TaskRules {
            at_once: 1,
            ahead: 0,
            weight,
        },
    };
    roster.set(vec![TakingTeam {
        name: "team".into(),
        dispatch,
        takers: ["slow", "fast"].into_iter().zip(weights).map(taker).collect(),
    }]);
}

/// How many of so many tasks the fast one did, which takes a tenth of the time of the other.
async fn done_by_the_fast_one(dispatch: Dispatch, weights: [u32; 2], tasks: usize) -> usize {
    let paced = |name, millis| Child::of::<Paced>(name, (name, Duration::from_millis(millis)));
    let team = Supervisor::named("team")
        .child(paced("slow", 200))
        .child(paced("fast", 20));
    let room = dispatching(team).await;
    takes_tasks(&room.roster, dispatch, weights);
    let mut fast = 0;
    for _ in 0..tasks {
        // By then whoever did the last one waits again.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let submitted = room.tasks.submit(vec![task()]).await.unwrap();
        let view = room.tasks.wait(submitted[0].task).await.unwrap();
        fast += usize::from(view.result.unwrap() == b"\"fast\"");
    }
    room.tree.stop().await;
    fast
}

#[tokio::test(start_paused = true)]
async fn tasks_go_to_whoever_is_expected_to_be_through_first() {
    let fast = done_by_the_fast_one(Dispatch::Predictive, [1, 1], 50).await;
    assert!(fast >= 48, "{fast} of 50");
}

#[tokio::test(start_paused = true)]
async fn tasks_go_to_agents_in_proportion_to_their_weights() {
    for (weights, share) in [([1, 9], 90), ([9, 1], 10)] {
        let fast = done_by_the_fast_one(Dispatch::Weighted, weights, 100).await;
        assert!(fast.abs_diff(share) <= 2, "{fast} of 100 where it was to be {share}");
    }
}
