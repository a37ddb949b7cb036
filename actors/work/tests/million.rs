//! A million tasks that wait: what they take, that nobody looks at all of them, and that they come back.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test tells what it measures, and fails where it stands"
)]

use std::time::{Duration, Instant};

use triarch_supervision::clock::Seeded;
use triarch_work::config::Config;
use triarch_work::machine::{BATCH_MAX, Tasks, Turn};
use triarch_work::task::{Priority, Submission};
use triarch_work::time::TaskTime;
use triarch_work::words::{Kind, Worker};

const MANY: usize = 1_000_000;
/// The most bytes of memory for a task that waits, beside its body.
const BYTES_EACH: usize = 300;
/// What the slowest of a hundred claims may take, and all tasks until they are back; in a build for tests too.
const CLAIMED_WITHIN: Duration = Duration::from_micros(100);
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Memory of this process that is in use, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}

fn turn() -> Turn {
    Turn::new(TaskTime::from_millis(1_000), Seeded::new(1))
}

/// Tasks of all priorities, each with a deadline.
fn task(number: usize) -> Submission {
    let mut submission = Submission::of(Kind::new("build").unwrap());
    submission.priority = Priority::ALL[number % 5];
    submission.deadline = Some(Duration::from_millis(3_600_000 + (number as u64 * 7_919) % 1_000_000));
    submission.retry.retries = 3;
    submission
}

fn filled(many: usize, mut write: impl FnMut(Vec<u8>)) -> Tasks {
    let (mut tasks, mut turn) = (Tasks::new(Config::default()), turn());
    for first in (0..many).step_by(BATCH_MAX) {
        let batch = (first..many.min(first + BATCH_MAX)).map(task).collect();
        tasks.submit(&mut turn, batch).unwrap();
        turn.records.drain(..).for_each(&mut write);
        turn.events.clear();
    }
    tasks
}

/// How long the median of claims takes, and the 99th of a hundred.
fn claims(tasks: &mut Tasks, count: usize) -> (Duration, Duration) {
    let (mut turn, worker) = (turn(), Worker::new("team/a").unwrap());
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(tasks.claim(&mut turn, &worker, &[], 1, None).unwrap().len(), 1);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (median, p99) = (times[count / 2], times[count * 99 / 100]);
    println!("of {count} claims: median {median:?}, p99 {p99:?}");
    (median, p99)
}

/// How long it takes to have them back.
fn restore(snapshot: &[u8], tasks: &Tasks) -> Duration {
    let begun = Instant::now();
    let restored = Tasks::restore(Config::default(), snapshot).unwrap();
    let took = begun.elapsed();
    println!("restored in {took:?}");
    assert!(restored == *tasks, "what is restored differs");
    took
}

#[test]
fn a_million_tasks_wait_in_little_memory_and_come_back_and_none_is_looked_for() {
    let (few, _) = claims(&mut filled(2_000, drop), 1_000);
    let before = resident();
    let mut tasks = filled(MANY, drop);
    let each = (resident() - before) / MANY;
    println!("{each} bytes for each task that waits");
    assert!(
        each <= BYTES_EACH,
        "{each} bytes for each task that waits, more than {BYTES_EACH}"
    );

    let (many, p99) = claims(&mut tasks, 1_000);
    assert!(p99 <= CLAIMED_WITHIN, "{p99:?} for the slowest claims among a million");
    assert!(
        many < few * 50,
        "a claim among a million takes {many:?}, among 2,000 {few:?}"
    );

    let begun = Instant::now();
    let snapshot = tasks.image().encode().unwrap();
    println!("a snapshot of {} bytes in {:?}", snapshot.len(), begun.elapsed());
    // Who has to share the machine with others may be slow once.
    let took = (0..3).map(|_| restore(&snapshot, &tasks)).min().unwrap();
    assert!(took <= BACK_WITHIN, "a million tasks are back after {took:?}");
}
