//! Puts records on disk for good, beside others who do: `cargo bench --bench storage -- --json FILE`.
//!
//! All subjects write the same records into a folder of the target folder, and count one as written when it would outlive a
//! power cut: after an `fdatasync`, or what each calls that. `fdatasync` alone is what the machine can do with one writer at a
//! time and nothing around it. Tasks are those of the room of tasks, beside a table of `SQLite` that is used as a queue.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark's table is its output"
)]
#![expect(clippy::expect_used, reason = "a wrong figure must end the measurement, loudly")]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

mod bare;
mod cases;
mod journal;
mod queue_table;
mod redb;
mod sqlite;
mod tasks;

use std::process::ExitCode;

use triarch_benches::bench::{Bench, conclude, scale, write};
use triarch_benches::figure::Figure;
use triarch_benches::options::{self, Options, Request};
use triarch_benches::{child, machine, report, rounds, runtime};

fn main() -> ExitCode {
    let bench = Bench {
        name: "storage",
        order: cases::ORDER,
        subjects: cases::SUBJECTS,
        rounds: 5,
        more: &[],
        entries: cases::entries(),
    };
    match options::parse(std::env::args().skip(1), &bench) {
        Ok(Request::Run(options)) => run(&options, &bench),
        Ok(Request::List) => print(&bench.list()),
        Ok(Request::Child { subject, key, is_quick }) => child::answer(&bench, &subject, &key, is_quick),
        Ok(Request::Usage) => print(&options::usage(&bench)),
        Err(wrong) => refuse(&format!("{wrong}\n\n{}", options::usage(&bench))),
    }
}

fn run(options: &Options, bench: &Bench) -> ExitCode {
    if let Err(wrong) = write(options, &[]) {
        return refuse(&wrong);
    }
    println!("{}", header(options));
    let outcome = rounds::run(bench, options, &scale(options.is_quick));
    print_tables(&outcome.figures);
    let mut failures = outcome.failures;
    failures.extend(write(options, &outcome.figures).err());
    conclude(bench, &failures)
}

/// Records and tasks apart: they are compared with another subject each.
fn print_tables(figures: &[Figure]) {
    let (tasks, records): (Vec<Figure>, Vec<Figure>) = figures
        .iter()
        .cloned()
        .partition(|figure| cases::is_of_tasks(figure.case));
    for (figures, reference) in [(records, cases::REFERENCE), (tasks, cases::REFERENCE_OF_TASKS)] {
        if !figures.is_empty() {
            println!("\n{}", report::table_against(&figures, reference));
        }
    }
}

fn header(options: &Options) -> String {
    let quick = if options.is_quick {
        "\nQUICK: a smoke run; the figures prove that it runs, nothing else"
    } else {
        ""
    };
    format!(
        "{}\n{} rounds, subjects interleaved, after an unrecorded one; records and bodies of tasks of {} bytes below the target folder\n\
         triarch: tokio with {} workers; others: a thread for a writer, {} for several{quick}",
        machine::describe(),
        options.rounds,
        cases::RECORD.len(),
        runtime::WORKERS,
        cases::THREADS,
    )
}

fn refuse(wrong: &str) -> ExitCode {
    eprintln!("storage: {wrong}");
    ExitCode::from(2)
}

fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
