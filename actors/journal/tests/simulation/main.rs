//! Power cuts, kills, refusals and want of space, drawn by seeds and held against a naive model.
//!
//! ```text
//! TRIARCH_JOURNAL_CUTS=1000000 cargo test --profile simulation -p triarch-journal --test simulation
//! TRIARCH_JOURNAL_SEED=42 cargo test -p triarch-journal --test simulation
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is a test, and says how much it has seen"
)]

mod careless;
mod driver;
mod model;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use careless::Skips;
use driver::Story;

/// So many power cuts are looked at in each run.
const CUTS: u64 = 100_000;
/// Within so many stories each careless disk must be found out.
const STORIES_TO_CATCH: u64 = 3_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
fn what_was_acknowledged_survives_every_power_cut_and_nothing_comes_up_that_was_refused() {
    if let Some(seed) = number("TRIARCH_JOURNAL_SEED") {
        Story::new(seed, Skips::Nothing).run().unwrap();
        return;
    }
    let wanted = number("TRIARCH_JOURNAL_CUTS").unwrap_or(CUTS);
    let (next, cuts) = (AtomicU64::new(0), AtomicU64::new(0));
    let tell = || {
        while cuts.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let story = Story::new(seed, Skips::Nothing);
            let told = story
                .run()
                .unwrap_or_else(|fault| panic!("{fault}\nagain: TRIARCH_JOURNAL_SEED={seed}"));
            cuts.fetch_add(told.cuts, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..thread::available_parallelism().map_or(1, usize::from))
            .map(|_| scope.spawn(tell))
            .collect();
        tell();
        for other in others {
            other.join().unwrap();
        }
    });
    println!("{} power cuts in {} stories", cuts.into_inner(), next.into_inner());
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [1, 7, 99] {
        let told = || Story::new(seed, Skips::Nothing).run().unwrap();
        assert_eq!(told(), told());
    }
}

#[test]
fn a_story_has_everything_in_it() {
    let mut all = driver::Seen::default();
    for seed in 0..400 {
        all.add(&Story::new(seed, Skips::Nothing).run().unwrap());
    }
    println!("{all:?}");
    let counts = [
        all.cuts,
        all.kills,
        all.full,
        all.failed,
        all.torn,
        all.zeroed,
        all.adopted,
        all.snapshots,
    ];
    assert!(counts.iter().all(|count| *count > 10), "{all:?}");
}

/// Whoever skips what the journal asks of its disk is found out.
fn is_found_out(skips: Skips) {
    let fault = (0..STORIES_TO_CATCH).find_map(|seed| Story::new(seed, skips).run().err().map(|fault| (seed, fault)));
    let (seed, fault) = fault.unwrap_or_else(|| panic!("{skips:?} went unnoticed"));
    println!("{skips:?} was found out by seed {seed}: {fault}");
}

#[test]
fn a_journal_that_does_not_sync_is_found_out() {
    is_found_out(Skips::Sync);
}

#[test]
fn a_journal_that_does_not_sync_its_folder_is_found_out() {
    is_found_out(Skips::SyncFolder);
}

#[test]
fn a_journal_that_takes_nothing_back_is_found_out() {
    is_found_out(Skips::Truncate);
}

#[test]
fn a_journal_that_does_not_write_again_what_it_adopts_is_found_out() {
    is_found_out(Skips::WriteAgain);
}

#[test]
fn a_journal_that_goes_on_after_a_failed_sync_is_found_out() {
    is_found_out(Skips::SyncErrors);
}

#[test]
fn a_journal_that_goes_on_after_a_failed_sync_of_its_folder_is_found_out() {
    is_found_out(Skips::SyncFolderErrors);
}

#[test]
fn a_journal_that_does_not_name_its_files_again_is_found_out() {
    is_found_out(Skips::NameAgain);
}
