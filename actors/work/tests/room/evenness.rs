//! How evenly the agents of a team are at work, and how soon all is done, by its dispatch: uneven tasks through the real queue and
//! dispatcher, in paused time, so that only the tasks themselves take any. The figures are the same on any machine:
//! `cargo test -p triarch-work --test room evenness -- --nocapture` prints them.
#![expect(clippy::print_stdout, reason = "whoever asks for it sees the figures")]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use triarch_supervision::clock::{Chance, Seeded};
use triarch_supervision::prelude::*;
use triarch_teams::{Post, TaskRules};
use triarch_work::dispatch::Dispatch;
use triarch_work::dispatcher::{Roster, Taker, TakingTeam};
use triarch_work::task::{State, Submission};
use triarch_work::words::{TaskId, Worker};

use crate::house::{Dispatching, dispatching, task};

const TAKERS: usize = 8;
const TASKS: usize = 2_000;
/// Nine in ten tasks are short, the tenth takes ten times as long.
const SHORT: u64 = 10;
const LONG: u64 = 100;
/// The first taker may be so many times slower than the others.
const SLOWER: u64 = 4;
/// Where tasks come one by one: about half of what the agents could do.
const PACE: Duration = Duration::from_millis(5);

/// How it was spread.
struct Spread {
    /// Of the times that agents were at work.
    evenness: f64,
    /// Until all was done.
    seconds: f64,
    /// The mean time from a task's submission until it was done.
    mean_ms: f64,
}

#[derive(Clone, Debug, Default)]
struct Times {
    busy: Arc<[AtomicU64; TAKERS]>,
    in_system: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
}

/// Is at each task for as long as it says, or longer where it is slow.
struct Paced {
    place: usize,
    slower: u64,
    times: Times,
    begun: Instant,
}

impl Agent for Paced {
    type Message = Post;
    type Spec = (usize, u64, Times, Instant);

    async fn start((place, slower, times, begun): Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            place,
            slower,
            times,
            begun,
        })
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let takes = post.body["takes"].as_u64().unwrap() * self.slower;
        tokio::time::sleep(Duration::from_millis(takes)).await;
        self.times.busy[self.place].fetch_add(takes, Relaxed);
        let came = post.body["at"].as_u64().unwrap();
        self.times.in_system.fetch_add(millis(self.begun) - came, Relaxed);
        self.times.done.fetch_add(1, Relaxed);
        post.receipt.done(Value::Null);
        Ok(())
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap()
}

/// What is the same for each dispatch.
#[derive(Clone, Copy)]
struct Run {
    is_one_slow: bool,
    ahead: u32,
    /// Whether tasks come one by one; else all at once.
    is_trickle: bool,
}

impl Run {
    fn slower(self, place: usize) -> u64 {
        if self.is_one_slow && place == 0 { SLOWER } else { 1 }
    }

    fn takers(self, roster: &Roster, dispatch: Dispatch) {
        let taker = |place| Taker {
            worker: Worker::new(format!("team/{place}")).unwrap(),
            able: Arc::default(),
            rules: TaskRules {
                at_once: 1,
                ahead: self.ahead,
                weight: u32::try_from(SLOWER / self.slower(place)).unwrap(),
            },
        };
        roster.set(vec![TakingTeam {
            name: "team".into(),
            dispatch,
            takers: (0..TAKERS).map(taker).collect(),
        }]);
    }

    async fn through(self, dispatch: Dispatch) -> Spread {
        let (times, begun) = (Times::default(), Instant::now());
        let team = (0..TAKERS).fold(Supervisor::named("team"), |team, place| {
            let spec = (place, self.slower(place), times.clone(), begun);
            team.child(Child::of::<Paced>(place.to_string(), spec))
        });
        let room = dispatching(team).await;
        self.takers(&room.roster, dispatch);
        let from = Instant::now();
        self.submit_all(&room, begun).await;
        let last = TaskId::new(TASKS as u64);
        for task in 1..=last.number() {
            let view = room.tasks.wait(TaskId::new(task)).await.unwrap();
            assert_eq!(view.state, State::Done, "task {task}");
        }
        let seconds = from.elapsed().as_secs_f64();
        room.tree.stop().await;
        assert_eq!(times.done.load(Relaxed), TASKS as u64, "nothing is done twice");
        let busy: Vec<_> = times.busy.iter().map(|busy| busy.load(Relaxed)).collect();
        Spread {
            evenness: evenness(&busy),
            seconds,
            mean_ms: times.in_system.load(Relaxed) as f64 / TASKS as f64,
        }
    }

    async fn submit_all(self, room: &Dispatching, begun: Instant) {
        let mut works = works();
        if !self.is_trickle {
            let batch = works.iter().map(|takes| submission(*takes, begun)).collect();
            drop(room.tasks.submit(batch).await.unwrap());
            works.clear();
        }
        for takes in works {
            tokio::time::sleep(PACE).await;
            room.tasks.submit(vec![submission(takes, begun)]).await.unwrap();
        }
    }
}

/// The same for each run.
fn works() -> Vec<u64> {
    let mut chance = Seeded::new(7);
    let draw = |_| if chance.unit() < 0.1 { LONG } else { SHORT };
    (0..TASKS).map(draw).collect()
}

fn submission(takes: u64, begun: Instant) -> Submission {
    let body = json!({ "takes": takes, "at": millis(begun) });
    Submission {
        body: body.to_string().into_bytes(),
        ..task()
    }
}

/// How long all would take if no agent ever waited for another.
fn least_seconds(run: Run) -> f64 {
    let speed: f64 = (0..TAKERS).map(|place| 1.0 / run.slower(place) as f64).sum();
    works().iter().sum::<u64>() as f64 / 1e3 / speed
}

/// How evenly work was spread: 1 less the coefficient of variation, and 1 where there was none.
fn evenness(done: &[u64]) -> f64 {
    let count = done.len() as f64;
    let mean = done.iter().sum::<u64>() as f64 / count;
    if done.is_empty() || mean == 0.0 {
        return 1.0;
    }
    let squares: f64 = done.iter().map(|one| (*one as f64 - mean).powi(2)).sum();
    1.0 - (squares / count).sqrt() / mean
}

#[test]
fn work_is_even_where_all_have_as_much() {
    assert!((evenness(&[5, 5, 5]) - 1.0).abs() < 1e-9 && (evenness(&[]) - 1.0).abs() < 1e-9);
    assert!(evenness(&[0, 10]).abs() < 1e-9);
}

async fn all(run: Run) -> Vec<(Dispatch, Spread)> {
    let mut spreads = Vec::new();
    for dispatch in Dispatch::ALL {
        spreads.push((dispatch, run.through(dispatch).await));
    }
    let first = &spreads[0].1;
    println!(
        "{}, {}, {} ahead; at least {:.2} s\n{:<14} {:>9} {:>9} {:>14} {:>9} {:>14}",
        if run.is_trickle { "one by one" } else { "all at once" },
        if run.is_one_slow {
            "one is slower"
        } else {
            "all as fast"
        },
        run.ahead,
        least_seconds(run),
        "dispatch",
        "evenness",
        "s",
        "÷ round_robin",
        "mean ms",
        "÷ round_robin"
    );
    for (dispatch, spread) in &spreads {
        println!(
            "{:<14} {:>7.2} % {:>9.3} {:>14.3} {:>9.2} {:>14.3}",
            serde_json::to_value(dispatch).unwrap().as_str().unwrap(),
            spread.evenness * 100.0,
            spread.seconds,
            spread.seconds / first.seconds,
            spread.mean_ms,
            spread.mean_ms / first.mean_ms,
        );
    }
    spreads
}

#[tokio::test(start_paused = true)]
async fn uneven_tasks_that_are_there_are_spread_evenly_whatever_is_kept_ahead() {
    for (is_one_slow, ahead) in [(false, 0), (false, 32), (true, 0), (true, 32)] {
        let run = Run {
            is_one_slow,
            ahead,
            is_trickle: false,
        };
        for (dispatch, spread) in all(run).await {
            assert!(spread.evenness >= 0.95, "{dispatch:?}: {}", spread.evenness);
            let least = least_seconds(run);
            let longest = (LONG * run.slower(0)) as f64 / 1e3;
            assert!(
                spread.seconds <= least + 2.0 * longest,
                "{dispatch:?}: {} of {least}",
                spread.seconds
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_tasks_come_one_by_one_a_slow_agent_gets_fewer_of_whoever_looks_at_that() {
    let even = Run {
        is_one_slow: false,
        ahead: 0,
        is_trickle: true,
    };
    all(even).await;
    let spreads = all(Run {
        is_one_slow: true,
        ..even
    })
    .await;
    let mean = |wanted| {
        spreads
            .iter()
            .find(|(dispatch, _)| *dispatch == wanted)
            .unwrap()
            .1
            .mean_ms
    };
    for informed in [Dispatch::Predictive, Dispatch::Weighted] {
        assert!(mean(informed) < mean(Dispatch::RoundRobin), "{informed:?}");
    }
}
