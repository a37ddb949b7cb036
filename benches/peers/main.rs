//! Runs Triarch and its peers side by side: `cargo bench --bench peers -- --json FILE`.
//!
//! Each case runs all its subjects once unrecorded (a warm-up) and then in rounds, every round one subject after the
//! other, so that a slow minute of the machine falls on all of them. The table shows medians. A case that must not see
//! another's heap runs in a fresh process per round, which is this program again (`--child`), without a warm-up.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark's table is its output"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong figure must end the measurement, loudly"
)]

mod subjects;

use std::process::ExitCode;

use triarch_benches::bench::{Bench, conclude, scale, write};
use triarch_benches::options::{self, Options, Request};
use triarch_benches::{case, child, machine, report, rounds, runtime};

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
    match options::parse(std::env::args().skip(1), &bench) {
        Ok(Request::Run(options)) => run(&options, &bench),
        Ok(Request::List) => print(&bench.list()),
        Ok(Request::Child { subject, key, is_quick }) => {
            let code = child::answer(&bench, &subject, &key, is_quick);
            subjects::tidy_up();
            code
        }
        Ok(Request::Usage) => print(&options::usage(&bench)),
        Err(wrong) => {
            eprintln!("peers: {wrong}\n\n{}", options::usage(&bench));
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options, bench: &Bench) -> ExitCode {
    // Now, because a path that cannot be written should not be found out after an hour.
    if let Err(wrong) = write(options, &[]) {
        eprintln!("peers: {wrong}");
        return ExitCode::from(2);
    }
    println!("{}", header(options));
    for absence in subjects::absent(options) {
        println!("{absence}");
    }
    let outcome = rounds::run(bench, options, &scale(options.is_quick));
    subjects::tidy_up();
    println!("\n{}", report::table(&outcome.figures));
    let mut failures = outcome.failures;
    failures.extend(write(options, &outcome.figures).err());
    conclude(bench, &failures)
}

fn header(options: &Options) -> String {
    let scale = scale(options.is_quick);
    let warning = if scale.is_quick {
        "\nQUICK: a smoke run; the figures prove that it runs, nothing else"
    } else {
        ""
    };
    format!(
        "{}\n{} rounds, subjects interleaved; warm-up: one unrecorded round (none where each round is a fresh process)\n\
         per round: {} messages a tell, {} asks, {} restarts, {} stops, {} agents a fleet, {} a million; tokio with {} workers{warning}",
        machine::describe(),
        options.rounds,
        scale.messages,
        scale.asks,
        scale.restarts,
        scale.stops,
        scale.fleet,
        scale.million,
        runtime::WORKERS,
    )
}

fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
