//! Runs a test under schedules a machine thinks of.
//!
//! `SCHEDULES=20000` explores that many per test and scheduler; `SHUTTLE_RANDOM_SEED` other ones.
//! A wake-up that is lost shows as shuttle's deadlock, a loop that never ends as its limit of steps.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Schedules per test and scheduler.
const SCHEDULES: usize = 500;
/// How often the second scheduler changes its mind, plus one.
const DEPTH: usize = 4;
/// No test comes near, unless somebody spins for what never comes.
const MOST_STEPS: usize = 50_000;
const SEED: u64 = 16;

/// Runs `test` under schedules of pure chance, and under those with few changes of mind.
pub fn explore(test: impl Fn() + Clone + Send + Sync + 'static) {
    let count = std::env::var("SCHEDULES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(SCHEDULES);
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new_from_seed(SEED, count), config.clone()).run(test.clone());
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, count), config).run(test);
}
