//! Publishes and delivers, beside others who do: `cargo bench --bench bus -- --json FILE`.
//!
//! `broadcast` and `flume` are bare channels within the process. `nats_socket` and `redis_socket` are servers that the bench starts, spoken to
//! over a socket: their figures hold system calls and the work of another process, which ours do not.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a wrong figure must end the measurement, loudly")]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

mod cases;
mod channels;
mod durable;
mod handlers;
mod house;
mod matching;
mod progress;
mod remote;
mod triarch;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use triarch_benches::bench::Bench;
use triarch_benches::options::Options;
use triarch_benches::program::{Program, nothing};
use triarch_benches::{report, runtime, server};

/// As the runtime has it, for all subjects alike.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let bench = Bench {
        name: "bus",
        order: cases::ORDER,
        subjects: cases::SUBJECTS,
        rounds: 7,
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
        "an unrecorded round before them; payloads of {} bytes, at most {} ahead of the slowest subscriber; tokio with {} workers\n{}",
        progress::PAYLOAD,
        progress::WINDOW,
        runtime::WORKERS,
        server::servers(),
    )
}
