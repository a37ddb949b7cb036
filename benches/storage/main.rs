//! Puts records on disk for good, beside others who do: `cargo bench --bench storage -- --json FILE`.
//!
//! All subjects write the same records into a folder of the target folder, and count one as written when it would outlive a
//! power cut: after an `fdatasync`, or what each calls that. `fdatasync` alone is what the machine can do with one writer at a
//! time and nothing around it. Tasks are those of the room of tasks, beside a table of `SQLite` that is used as a queue, and
//! beside the queues of servers.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a wrong figure must end the measurement, loudly")]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

mod bare;
mod cases;
mod journal;
mod queue_table;
mod redb;
mod remote;
mod sqlite;
mod tasks;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use triarch_benches::bench::Bench;
use triarch_benches::figure::Figure;
use triarch_benches::options::Options;
use triarch_benches::program::{Program, nothing};
use triarch_benches::{report, runtime, server};

/// As the runtime has it, for all subjects alike.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let bench = Bench {
        name: "storage",
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
        tables,
    };
    program.run()
}

/// Records and tasks apart: they are compared with another subject each.
fn tables(figures: &[Figure]) -> String {
    let (tasks, records): (Vec<Figure>, Vec<Figure>) = figures
        .iter()
        .cloned()
        .partition(|figure| cases::is_of_tasks(figure.case));
    let both = [(records, cases::REFERENCE), (tasks, cases::REFERENCE_OF_TASKS)].into_iter();
    let shown = both.filter(|(figures, _)| !figures.is_empty());
    let shown: Vec<_> = shown
        .map(|(figures, reference)| report::table_against(&figures, reference))
        .collect();
    shown.join("\n")
}

fn head(_options: &Options) -> String {
    format!(
        "an unrecorded round before them; records and bodies of tasks of {} bytes below the target folder\n\
         triarch: tokio with {} workers; others: a thread for a writer, {} for several; of servers a thread and a connection for each\n{}",
        cases::RECORD.len(),
        runtime::WORKERS,
        cases::THREADS,
        server::servers(),
    )
}
