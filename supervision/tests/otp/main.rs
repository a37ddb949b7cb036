//! Supervisors beside those of Erlang/OTP: random scenarios are played by both, and each step must come to the same.
//!
//! A scenario is a supervisor with some children and what happens to it: children end by themselves, fail or are killed, fail to
//! start or decline; somebody terminates, restarts, deletes and adds them. After each step both write down what the call gave, who
//! started and stopped in which order, and who is alive in which life.
//!
//! `TRIARCH_SEED` plays one scenario, `TRIARCH_SEEDS` says how many. Without `erl` on the path nothing is tested, and the test says so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

mod erlang;
mod ours;
mod scenario;

use scenario::Scenario;

/// How many are played where nobody says otherwise.
const USUAL: u64 = 1_000;
/// At most this many differences are told.
const TOLD: usize = 5;

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_supervisor_does_as_that_of_otp_does() {
    let seeds = match number_from("TRIARCH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_from("TRIARCH_SEEDS").unwrap_or(USUAL),
    };
    let scenarios: Vec<_> = seeds.clone().map(Scenario::of).collect();
    let Some(theirs) = erlang::play(&scenarios) else {
        eprintln!("UNTESTED: there is no erl here, so no supervisor was compared with OTP's; install erlang-base");
        return;
    };
    assert_eq!(theirs.len(), scenarios.len(), "Erlang did not play all of them");
    let ours: Vec<_> = scenarios.iter().map(ours::play).collect();
    let all = seeds.zip(&scenarios).zip(ours.iter().zip(&theirs));
    let differ: Vec<_> = all.filter(|(_, (ours, theirs))| ours != theirs).collect();
    for ((seed, scenario), (ours, theirs)) in differ.iter().take(TOLD) {
        eprintln!("seed {seed}: {scenario:#?}");
        for (step, (ours, theirs)) in ours.iter().zip(theirs.iter()).enumerate() {
            let mark = if ours == theirs { " " } else { "≠" };
            eprintln!("{mark} step {step}\n    ours {ours}\n    OTP  {theirs}");
        }
        eprintln!("  again: TRIARCH_SEED={seed} cargo test -p triarch-supervision --test otp");
    }
    let steps: usize = theirs.iter().map(Vec::len).sum();
    eprintln!(
        "{} scenarios of {steps} steps, {} differ from OTP",
        scenarios.len(),
        differ.len()
    );
    assert!(differ.is_empty());
}
