//! Measures the store that agents share, beside maps, caches and stores of others: `cargo bench --bench memory -- --json FILE`.
//!
//! Maps and caches are read and written by the thread that asks, as a namespace in memory is; Redis is asked over a Unix
//! socket, which is another thing, and so has cases of its own. What is durable counts as written when it would outlive a
//! power cut.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a wrong figure must end the measurement, loudly")]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

mod cases;
mod crowd;
mod durable;
mod house;
mod large;
mod peers;
mod redis;
mod shelf;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use triarch_benches::bench::Bench;
use triarch_benches::options::Options;
use triarch_benches::program::{Program, nothing};
use triarch_benches::{report, server};

/// As the runtime has it, for all subjects alike.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let bench = Bench {
        name: "memory",
        order: cases::ORDER,
        subjects: cases::SUBJECTS,
        rounds: 5,
        more: &[],
        entries: cases::entries(),
    };
    let program = Program {
        bench,
        prepare: nothing,
        head,
        tables: |figures| report::table_against(figures, cases::REFERENCE),
    };
    program.run()
}

fn head(_options: &Options) -> String {
    format!(
        "keys of {} bytes, values of {}; durable ones below the target folder\n{}",
        shelf::KEY_BYTES,
        shelf::VALUE_BYTES,
        server::told("redis-server"),
    )
}
