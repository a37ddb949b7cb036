//! Whole trees on real actors, in worlds of their own: one seed is one tree, its load, its faults and its end.
//!
//! What has to hold for each seed:
//!
//! - S1 messages are conserved: taken in = done + dead by reason + waiting + in hand; none twice, none misdelivered
//! - S2 messages of one sender in one lane are begun in their order
//! - S3 no two incarnations of a child live at once, and none handles two messages at once
//! - S4 no mailbox holds more than its capacity
//! - S5 each question is settled, in time, with its own answer or a reason that is true
//! - S6 each call of a supervisor is answered
//! - S7 a stop ends within bounded time, from right to left, and leaves nobody alive
//! - S8 restarts never exceed the intensity, and nobody gives up before it is used up
//! - S9 a temporary child is not restarted, a transient one only after a failure, nobody without a cause
//! - S10 what the tree and its supervisors show is what lives
//! - S11 an address is open while its child is specified, and whoever runs answers there
//! - S12 the same seed gives the same trace
//! - S13 no message is begun after its deadline
//! - S14 nobody rests while messages wait
//!
//! `TRIARCH_SEED` runs one seed, `TRIARCH_SEEDS` says how many, `TRIARCH_TRACE` prints their events.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

mod checks;
mod driver;
mod ending;
mod history;
mod ledger;
mod plan;
mod post;
mod worker;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use driver::{Told, tell};

const THREADS: usize = 2;

/// One in this many seeds is run twice.
const TWICE_EVERY: u64 = 50;

/// At most this many failing seeds are told of.
const TOLD: usize = 10;

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seeds() -> u64 {
    // The profile for simulation is optimised, the one for plain tests is not.
    let usual = if std::env::current_exe().is_ok_and(|path| path.iter().any(|part| part == "simulation")) {
        10_000
    } else {
        500
    };
    number_from("TRIARCH_SEEDS").unwrap_or(usual)
}

/// Runs a seed, twice where its number says so.
fn run(seed: u64, is_twice: bool) -> Told {
    let mut told = tell(seed);
    if is_twice && told.violations.is_empty() && tell(seed).hash != told.hash {
        told.violations.push("S12 the same seed gave another trace".to_owned());
    }
    told
}

fn complaint(seed: u64, told: &Told) -> String {
    let profile = if cfg!(debug_assertions) && seeds() < 10_000 {
        ""
    } else {
        "--profile simulation "
    };
    format!(
        "seed {seed}:\n  {}\n  again: TRIARCH_SEED={seed} cargo test {profile}-p triarch-supervision --features testing --test simulation",
        told.violations.join("\n  ")
    )
}

#[test]
fn every_invariant_holds_for_every_seed() {
    if let Some(seed) = number_from("TRIARCH_SEED") {
        let told = run(seed, true);
        assert!(told.violations.is_empty(), "{}", complaint(seed, &told));
        return;
    }
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let (messages, restarts) = (AtomicU64::new(0), AtomicU64::new(0));
    let complaints = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds() || complaints.lock().unwrap().len() >= TOLD {
                break;
            }
            let told = run(seed, seed % TWICE_EVERY == 0);
            messages.fetch_add(told.messages, Ordering::Relaxed);
            restarts.fetch_add(told.restarts, Ordering::Relaxed);
            if !told.violations.is_empty() {
                complaints.lock().unwrap().push(complaint(seed, &told));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let (messages, restarts) = (messages.into_inner(), restarts.into_inner());
    println!(
        "{} seeds, {messages} messages begun, {restarts} restarts, {:?}",
        seeds(),
        begun.elapsed()
    );
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(seeds() > 0, "no seed was run");
    // A few worlds may be quiet ones.
    let shows_much = messages > 0 && restarts > 0;
    assert!(
        shows_much || seeds() < 50,
        "the worlds were empty: {messages} messages, {restarts} restarts"
    );
}
