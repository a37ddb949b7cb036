//! What one agent has ahead is shared by those who come to have nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use triarch_supervision::prelude::*;
use triarch_teams::{Post, TaskRules};
use triarch_work::dispatch::Dispatch;
use triarch_work::dispatcher::{Roster, Taker, TakingTeam};
use triarch_work::task::State;
use triarch_work::words::{TaskId, Worker};

use crate::house::{Dispatching, dispatching, task, until};

const TASKS: usize = 101;
const MINUTE: Duration = Duration::from_mins(1);
/// However they are shared, so long one of two is at half of them.
const HALF: u32 = 51;

/// Takes a minute for each task.
struct Patient;

impl Agent for Patient {
    type Message = Post;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep(MINUTE).await;
        post.receipt.done(json!("ok"));
        Ok(())
    }
}

fn takes_tasks(roster: &Roster, names: &[&str]) {
    let taker = |name: &&str| Taker {
        worker: Worker::new(format!("team/{name}")).unwrap(),
        able: Arc::default(),
        rules: TaskRules {
            at_once: 1,
            ahead: 100,
            weight: 1,
        },
    };
    roster.set(vec![TakingTeam {
        name: "team".into(),
        dispatch: Dispatch::default(),
        takers: names.iter().map(taker).collect(),
    }]);
}

/// A room where `team/a` has all tasks before `team/b` is there.
async fn all_with_one(names: &[&str]) -> Dispatching {
    let agent = |name| Child::of::<Patient>(name, ());
    let team = Supervisor::named("team").child(agent("a")).child(agent("b"));
    let room = dispatching(team).await;
    let by_name = room.tree.observer().supervisor("team").unwrap();
    by_name.terminate_child("b").await.unwrap();
    takes_tasks(&room.roster, names);
    room.tasks.submit(vec![task(); TASKS]).await.unwrap();
    until(async || (room.tasks.overview().await.unwrap().leases == TASKS).then_some(())).await;
    by_name.restart_child("b").await.unwrap();
    room
}

async fn assert_shared(room: Dispatching) {
    let since = Instant::now();
    for number in 1..=TASKS as u64 {
        let view = room.tasks.wait(TaskId::new(number)).await.unwrap();
        assert_eq!((view.state, view.attempts), (State::Done, 1), "{view:?}");
    }
    assert!(since.elapsed() < MINUTE * (HALF + 2), "{:?}", since.elapsed());
    room.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_added_shares_what_another_has_ahead() {
    let room = all_with_one(&["a"]).await;
    takes_tasks(&room.roster, &["a", "b"]);
    assert_shared(room).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_lives_again_shares_what_another_has_ahead() {
    assert_shared(all_with_one(&["a", "b"]).await).await;
}
