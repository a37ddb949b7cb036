//! Runs Triarch and its peers side by side: `cargo bench --bench peers -- --json FILE`.
//!
//! Each case runs all its subjects once unrecorded (a warm-up) and then in rounds, every round one subject after the
//! other, so that a slow minute of the machine falls on all of them. The table shows medians. A case that must not see
//! another's heap runs in a fresh process per round, which is this program again (`--child`), without a warm-up.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong figure must end the measurement, loudly"
)]

mod subjects;

use std::process::ExitCode;

use triarch_benches::bench::{Bench, scale};
use triarch_benches::options::Options;
use triarch_benches::program::{Program, nothing};
use triarch_benches::{case, report, runtime};

#[global_allocator]
static ALLOCATOR: triarch_benches::allocation::Counting = triarch_benches::allocation::Counting;

fn main() -> ExitCode {
    let bench = Bench {
        name: "peers",
        order: case::ORDER,
        subjects: case::SUBJECTS,
        rounds: 7,
        more: &[],
        entries: subjects::entries(),
    };
    let program = Program {
        bench,
        prepare: nothing,
        head,
        tables: |figures| report::table(figures),
    };
    let code = program.run();
    subjects::tidy_up();
    code
}

fn head(options: &Options) -> String {
    let scale = scale(options.is_quick);
    let absent = subjects::absent(options);
    let absent = absent.map_or_else(String::new, |absence| {
        format!(
            "
{absence}"
        )
    });
    format!(
        "warm-up: one unrecorded round (none where each round is a fresh process)\n\
         per round: {} messages a tell, {} asks, {} restarts, {} stops, {} agents a fleet, {} a million; tokio with {} workers{absent}",
        scale.messages,
        scale.asks,
        scale.restarts,
        scale.stops,
        scale.fleet,
        scale.million,
        runtime::WORKERS,
    )
}
