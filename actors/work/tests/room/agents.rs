//! Agents of teams that take tasks, with the mailboxes they really have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;
use triarch_teams::{Post, PostOffice, TaskRules};
use triarch_work::config::Config;
use triarch_work::dispatch::Dispatch;
use triarch_work::dispatcher::{Roster, Taker, TakingTeam};
use triarch_work::machine::View;
use triarch_work::task::{After, State, Submission};
use triarch_work::words::{TaskId, Worker};
use triarch_work::{TaskAddress, Withheld};

use crate::house::{Dispatching, dispatching_with, request, task};

const PATH: &str = "team/a";
/// Of a clock that runs ahead where nothing else is to be done.
const PATIENCE: Duration = Duration::from_hours(2);

/// How long an agent takes to stop that has failed by a task.
const LAST_WORDS: Duration = Duration::from_millis(900);

/// Works as long at a post as its body says, in seconds, and never says a word of it before it is done.
struct Quiet {
    begun: Arc<AtomicUsize>,
    has_fallen: bool,
}

impl Agent for Quiet {
    type Message = Post;
    type Spec = Arc<AtomicUsize>;

    async fn start(begun: Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let has_fallen = false;
        Ok(Self { begun, has_fallen })
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if post.task.is_some() {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_secs(post.body.as_u64().unwrap_or(0))).await;
        self.has_fallen = post.body == "falls";
        if &*post.kind == "vain" || self.has_fallen {
            return Err(Failure::new("in vain"));
        }
        let bytes = post.body["bytes"]
            .as_u64()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let result = bytes.map_or_else(|| "ok".to_owned(), |bytes| "x".repeat(bytes));
        post.receipt.done(json!(result));
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        if reason.is_failure() && self.has_fallen {
            tokio::time::sleep(LAST_WORDS).await;
        }
    }
}

/// A room, and one agent that takes tasks one by one.
struct Staff {
    tree: Tree,
    tasks: TaskAddress,
    office: Arc<PostOffice>,
    withheld: Withheld,
    begun: Arc<AtomicUsize>,
    /// When it was first looked who is there.
    since: Instant,
}

fn quiet(begun: &Arc<AtomicUsize>) -> Child<Quiet> {
    Child::of::<Quiet>("a", Arc::clone(begun)).shutdown(Shutdown::Within(Duration::from_secs(1)))
}

async fn staff(shape: impl FnOnce(Child<Quiet>) -> Child<Quiet>) -> Staff {
    staff_with(Config::default(), 1, shape).await
}

/// The same with such a room, and an agent that takes so many at once.
async fn staff_with(config: Config, at_once: u32, shape: impl FnOnce(Child<Quiet>) -> Child<Quiet>) -> Staff {
    let begun = Arc::default();
    let team = Supervisor::named("team").child(shape(quiet(&begun)));
    let Dispatching {
        tree,
        tasks,
        office,
        roster,
        withheld,
    } = dispatching_with(config, team).await;
    takes_tasks(&roster, at_once);
    Staff {
        tree,
        tasks,
        office,
        withheld,
        begun,
        since: Instant::now(),
    }
}

fn takes_tasks(roster: &Roster, at_once: u32) {
    let rules = TaskRules {
        at_once,
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
        self.submit_after(&[], json!(seconds)).await
    }

    async fn submit_after(&self, earlier: &[TaskId], body: Value) -> TaskId {
        let submission = Submission {
            body: body.to_string().into_bytes(),
            after: earlier.iter().map(|task| After::Task(*task)).collect(),
            ..task()
        };
        self.tasks.submit(vec![submission]).await.unwrap()[0].task
    }

    /// Shortly after it was looked who is there, so that what takes little time is over before it is looked again.
    async fn between_looks(&self) {
        let elapsed = self.since.elapsed().as_millis() % 500;
        let pause = u64::try_from((700 - elapsed) % 500).unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Somebody ends the agent's life by hand, and lets it begin another.
    async fn restart(&self) {
        let team = self.tree.observer().supervisor("team").unwrap();
        team.terminate_child("a").await.unwrap();
        team.restart_child("a").await.unwrap();
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
    let task = staff.submit_after(&[], json!("falls")).await;
    let view = staff.ended(task).await;
    assert_eq!((view.state, staff.begun()), (State::Dead, 3), "{view:?}");
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_falls_by_a_task_though_it_was_sent_to_the_life_before() {
    let staff = staff(|child| child).await;
    staff.between_looks().await;
    staff.send(2);
    let task = staff.submit_after(&[], json!("falls")).await;
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    assert_eq!(staff.mailbox().0, 1, "it lies there");
    staff.restart().await;
    let view = staff.ended(task).await;
    assert_eq!((view.state, staff.begun()), (State::Dead, 3), "{view:?}");
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_ended_by_hand_has_not_fallen_though_the_life_before_had() {
    let staff = staff(|child| child).await;
    let task = staff.submit(1_000).await;
    for begun in 1..=4 {
        staff.until(|staff| staff.begun() == begun).await;
        staff.between_looks().await;
        staff.restart().await;
        // The task comes behind it.
        staff.send_kind("vain", 2);
    }
    staff.until(|staff| staff.begun() == 5).await;
    let view = staff.ended(task).await;
    assert_eq!(view.state, State::Done, "{view:?}");
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_takes_more_tasks_than_its_mailbox_has_room_for_does_each_once() {
    let staff = staff_with(Config::default(), 4, |child| child.capacity(2)).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        tasks.push(staff.submit(1).await);
    }
    for task in tasks {
        assert_eq!(staff.ended(task).await.state, State::Done);
    }
    assert_eq!(staff.begun(), 8);
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn results_that_keep_each_other_from_room_are_given_up_until_there_is_some() {
    let config = Config {
        inputs_bytes_max: 1 << 20,
        ..Config::default()
    };
    let staff = staff_with(config, 1, |child| child).await;
    // Nothing is done before all is there.
    staff.tree.observer().pause(PATH).unwrap();
    let mut first = Vec::new();
    for _ in 0..4 {
        first.push(staff.submit_after(&[], json!({ "bytes": 400_000 })).await);
    }
    let joins = [
        staff.submit_after(&[first[0], first[2]], json!(1)).await,
        staff.submit_after(&[first[1], first[3]], json!(1)).await,
    ];
    staff.tree.observer().resume(PATH).unwrap();
    let mut states = BTreeMap::<_, usize>::new();
    for task in first.into_iter().chain(joins) {
        let view = staff.ended(task).await;
        *states.entry(view.state).or_default() += 1;
        if view.state == State::Failed {
            assert!(view.why.unwrap().contains("results that tasks wait for"));
        }
    }
    let expected = [(State::Done, 4), (State::Failed, 1), (State::Cancelled, 1)];
    assert_eq!(states, expected.into());
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_for_which_there_never_is_room_fails_its_task_at_once() {
    let config = Config {
        inputs_bytes_max: 100_000,
        ..Config::default()
    };
    let staff = staff_with(config, 1, |child| child).await;
    let task = staff.submit_after(&[], json!({ "bytes": 100_000 })).await;
    let later = staff.submit_after(&[task], json!(1)).await;
    let view = staff.ended(task).await;
    assert_eq!(view.state, State::Failed);
    assert!(view.age < Duration::from_secs(5), "{view:?}");
    assert_eq!(staff.ended(later).await.state, State::Cancelled);
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_a_task_long_after_it_was_called_off_is_kept_as_a_late_result() {
    let staff = staff(|child| child).await;
    let task = staff.submit(60).await;
    staff.until(|staff| staff.begun() == 1).await;
    staff.tasks.cancel(task, "not wanted").await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(staff.tasks.late().await.unwrap(), []);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let late = staff.tasks.late().await.unwrap();
    assert_eq!(late.iter().map(|late| late.task).collect::<Vec<_>>(), [task]);
    staff.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn once_tasks_are_withheld_nobody_gets_another_and_what_is_in_hands_is_done() {
    let staff = staff(|child| child).await;
    let first = staff.submit(10).await;
    staff.until(|staff| staff.begun() == 1).await;
    let second = staff.submit(1).await;
    staff.withheld.begin();
    let third = staff.submit(1).await;
    assert_eq!(staff.ended(first).await.state, State::Done);
    assert_eq!(staff.tasks.claim(request(false)).await.unwrap(), []);
    let waits = tokio::time::timeout(PATIENCE, staff.tasks.claim(request(true)));
    assert!(waits.await.is_err(), "it was given one");
    for task in [second, third] {
        let view = staff.tasks.show(task).await.unwrap();
        assert_eq!((view.state, view.attempts), (State::Ready, 0), "{view:?}");
    }
    assert_eq!(staff.begun(), 1);
    staff.tree.stop().await;
}
