//! Agents of teams that take tasks, with the mailboxes they really have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;
use triarch_teams::{Post, PostOffice, TaskRules};
use triarch_work::TaskAddress;
use triarch_work::dispatch::Dispatch;
use triarch_work::dispatcher::{Roster, Taker, TakingTeam};
use triarch_work::machine::View;
use triarch_work::task::{State, Submission};
use triarch_work::words::{TaskId, Worker};

use crate::house::{Dispatching, dispatching, task};

const PATH: &str = "team/a";
/// Of a clock that runs ahead where nothing else is to be done.
const PATIENCE: Duration = Duration::from_hours(2);

/// How long an agent takes to stop that has failed.
const LAST_WORDS: Duration = Duration::from_millis(900);

/// Works as long at a post as its body says, in seconds, and never says a word of it before it is done.
struct Quiet(Arc<AtomicUsize>);

impl Agent for Quiet {
    type Message = Post;
    type Spec = Arc<AtomicUsize>;

    async fn start(begun: Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(begun))
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if post.task.is_some() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_secs(post.body.as_u64().unwrap_or(0))).await;
        if &*post.kind == "vain" || post.body == "falls" {
            return Err(Failure::new("in vain"));
        }
        post.receipt.done(json!("ok"));
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        if reason.is_failure() {
            tokio::time::sleep(LAST_WORDS).await;
        }
    }
}

/// A room, and one agent that takes tasks one by one.
struct Staff {
    tree: Tree,
    tasks: TaskAddress,
    office: Arc<PostOffice>,
    begun: Arc<AtomicUsize>,
}

fn quiet(begun: &Arc<AtomicUsize>) -> Child<Quiet> {
    Child::of::<Quiet>("a", Arc::clone(begun)).shutdown(Shutdown::Within(Duration::from_secs(1)))
}

async fn staff(shape: impl FnOnce(Child<Quiet>) -> Child<Quiet>) -> Staff {
    let begun = Arc::default();
    let team = Supervisor::named("team").child(shape(quiet(&begun)));
    let Dispatching {
        tree,
        tasks,
        office,
        roster,
    } = dispatching(team).await;
    takes_tasks(&roster);
    Staff {
        tree,
        tasks,
        office,
        begun,
    }
}

fn takes_tasks(roster: &Roster) {
    let rules = TaskRules {
        at_once: 1,
        ahead: 0,
        weight: 1,
    };
    roster.set(vec![TakingTeam {
        name: "team".into(),
        dispatch: Dispatch::LeastLoaded,
        takers: vec![Taker {
            worker: Worker::new(PATH).unwrap(),
            able: Arc::default(),
            rules,
        }],
    }]);
}

impl Staff {
    async fn submit(&self, seconds: u64) -> TaskId {
        let body = seconds.to_string().into_bytes();
        let submitted = self.tasks.submit(vec![Submission { body, ..task() }]).await;
        submitted.unwrap()[0].task
    }

    fn send(&self, seconds: u64) {
        self.send_kind("work", seconds);
    }

    fn send_kind(&self, kind: &str, seconds: u64) {
        let post = self.office.post("me", kind, json!(seconds));
        self.tree.observer().try_send_to(PATH, post).unwrap();
    }

    /// The agent has something else in hand for so many seconds.
    async fn is_at_work_for(&self, seconds: u64) {
        self.send(seconds);
        self.until(|staff| staff.mailbox().0 == 0).await;
    }

    async fn ended(&self, task: TaskId) -> View {
        let ended = tokio::time::timeout(PATIENCE, self.tasks.wait(task)).await;
        ended.expect("it is never done").unwrap()
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many messages wait for the agent, and how many were dropped.
    fn mailbox(&self) -> (u64, u64) {
        let figures = self.tree.observer().node(PATH).unwrap().mailbox.unwrap();
        (figures.depth, figures.dropped)
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        waited.await.expect("it is never so");
    }

    /// It is done by the first who got it, who began it once.
    async fn assert_done_at_once(self, task: TaskId) {
        let view = self.ended(task).await;
        let how = (view.state, view.attempts, self.begun());
        assert_eq!(how, (State::Done, 1, 1), "{view:?}");
        self.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_nothing_of_its_task_before_it_is_done_is_left_at_it() {
    let staff = staff(|child| child).await;
    let task = staff.submit(300).await;
    staff.assert_done_at_once(task).await;
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_stood_still_takes_no_task_from_anybody_for_that() {
    let staff = staff(|child| child).await;
    let task = staff.submit(300).await;
    staff.until(|staff| staff.begun() == 1).await;
    for seconds in [6, 60, 600] {
        // Nobody looked, nobody beat, and no clock outside says why.
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    staff.assert_done_at_once(task).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_an_agent_at_work_is_its_own_when_it_comes_to_it() {
    let staff = staff(|child| child).await;
    for _ in 0..10 {
        staff.send(20);
    }
    let task = staff.submit(1).await;
    staff.assert_done_at_once(task).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_behind_posts_that_fail_is_its_own_too() {
    let staff = staff(|child| child.on_error(OnError::Resume)).await;
    for _ in 0..10 {
        staff.send_kind("vain", 20);
    }
    let task = staff.submit(1).await;
    staff.assert_done_at_once(task).await;
}

#[tokio::test(start_paused = true)]
async fn the_task_in_the_mailbox_of_an_agent_that_is_replaced_is_done_by_the_next() {
    for pause in [0, 5] {
        let staff = staff(|child| child).await;
        staff.is_at_work_for(300).await;
        let task = staff.submit(1).await;
        staff.until(|staff| staff.mailbox().0 == 1).await;
        let team = staff.tree.observer().supervisor("team").unwrap();
        team.terminate_child("a").await.unwrap();
        team.delete_child("a").await.unwrap();
        tokio::time::sleep(Duration::from_secs(pause)).await;
        team.start_child(quiet(&staff.begun)).await.unwrap();
        let view = staff.ended(task).await;
        assert_eq!((view.state, staff.begun()), (State::Done, 1), "{view:?}");
        let next = staff.submit(1).await;
        assert_eq!(staff.ended(next).await.state, State::Done);
        staff.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_a_full_mailbox_drops_comes_again_when_there_is_room() {
    let staff = staff(|child| child.capacity(2).overflow(Overflow::DropNewest)).await;
    staff.is_at_work_for(10).await;
    (0..2).for_each(|_| staff.send(10));
    let task = staff.submit(1).await;
    let view = staff.ended(task).await;
    assert_eq!((view.state, staff.begun()), (State::Done, 1), "{view:?}");
    let (_, dropped) = staff.mailbox();
    assert!(
        (1..60).contains(&dropped),
        "it was tried {dropped} times in ten seconds"
    );
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_makes_room_for_a_newer_post_comes_again() {
    let staff = staff(|child| child.capacity(1).overflow(Overflow::DropOldest)).await;
    staff.is_at_work_for(10).await;
    let task = staff.submit(1).await;
    staff.until(|staff| staff.mailbox().0 == 1).await;
    staff.send(1);
    assert_eq!(staff.mailbox().1, 1);
    let view = staff.ended(task).await;
    assert_eq!((view.state, staff.begun()), (State::Done, 1), "{view:?}");
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_at_which_agents_fall_is_dead_however_long_their_last_words_take() {
    let staff = staff(|child| child).await;
    let body = b"\"falls\"".to_vec();
    let submitted = staff.tasks.submit(vec![Submission { body, ..task() }]).await;
    let view = staff.ended(submitted.unwrap()[0].task).await;
    assert_eq!((view.state, staff.begun()), (State::Dead, 3), "{view:?}");
    staff.tree.stop().await;
}
