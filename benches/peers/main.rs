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

mod child;
mod options;
mod rounds;
mod subjects;

use std::process::ExitCode;

use options::{Options, Request};
use triarch_benches::{Case, Entry, Scale, figure::Figure, machine, report, runtime};

#[global_allocator]
static ALLOCATOR: triarch_benches::allocation::Counting = triarch_benches::allocation::Counting;

fn main() -> ExitCode {
    let entries = subjects::entries();
    match options::parse(std::env::args().skip(1), &entries) {
        Ok(Request::Run(options)) => run(&options, &entries),
        Ok(Request::List) => list(&entries),
        Ok(Request::Child { subject, key, is_quick }) => child::answer(&entries, &subject, &key, scale(is_quick)),
        Ok(Request::Usage) => print(options::USAGE),
        Err(wrong) => {
            eprintln!("peers: {wrong}\n\n{}", options::USAGE);
            ExitCode::from(2)
        }
    }
}

const fn scale(is_quick: bool) -> Scale {
    if is_quick { Scale::QUICK } else { Scale::FULL }
}

fn run(options: &Options, entries: &[Entry]) -> ExitCode {
    // Now, because a path that cannot be written should not be found out after an hour.
    if let Err(wrong) = write(options, &[]) {
        eprintln!("peers: {wrong}");
        return ExitCode::from(2);
    }
    println!("{}", header(options));
    for absence in subjects::absent(options) {
        println!("{absence}");
    }
    let outcome = rounds::run(options, entries, &scale(options.is_quick));
    subjects::tidy_up();
    println!("\n{}", report::table(&outcome.figures));
    let mut failures = outcome.failures;
    failures.extend(write(options, &outcome.figures).err());
    for failure in &failures {
        eprintln!("peers: FAILED {failure}");
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn write(options: &Options, figures: &[Figure]) -> Result<(), String> {
    let Some(path) = &options.json else { return Ok(()) };
    report::write_json(path, figures).map_err(|wrong| {
        format!(
            "failed to write {}: {wrong}; give --json a path that can be written",
            path.display()
        )
    })
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

fn list(entries: &[Entry]) -> ExitCode {
    let mut cases: Vec<&Case> = entries.iter().flat_map(|entry| entry.cases).collect();
    cases.sort_by_key(|case| Case::rank(case.name));
    cases.dedup();
    for case in cases {
        let has_it = |entry: &&Entry| entry.cases.iter().any(|other| other.name == case.name);
        let subjects: Vec<&str> = entries.iter().filter(has_it).map(|entry| entry.subject).collect();
        println!("{:<24} {:<10} {}", case.name, case.unit, subjects.join(" "));
    }
    ExitCode::SUCCESS
}

fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
