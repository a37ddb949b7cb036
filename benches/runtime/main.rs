//! Measures the runtime as it is used, mostly through its release binary: `cargo bench --bench runtime -- --json FILE`.
//!
//! The binary is the one that `cargo build --release` makes, which this builds first unless `--triarch` names one. Most
//! cases start it in a folder of its own and look on from outside: a process is seen when the kernel shows it, a command is
//! measured from its start to its end. Two talk to the rooms within this process, since what they measure is shorter than
//! any command. supervisord, where it is at hand, does the same with the same programs, in the same rounds.
#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong figure must end the measurement, loudly"
)]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

mod caller;
mod cases;
mod commands;
mod failures;
mod house;
mod idle;
mod observations;
mod pages;
mod pipe;
mod processes;
mod programs;
mod storms;
mod supervisord;
mod talk;
mod tools;
mod verdict;

use std::process::ExitCode;

use triarch_benches::bench::{Bench, scale};
use triarch_benches::options::{More, Options};
use triarch_benches::program::Program;
use triarch_benches::runtime;

const MORE: &[More] = &[
    More {
        option: tools::TRIARCH,
        value: "FILE",
        meaning: "the release binary, with triarch-echo beside it; built first without",
    },
    More {
        option: tools::SUPERVISORD,
        value: "DIR",
        meaning: "where supervisord and supervisorctl are; looked for on PATH without",
    },
];

fn main() -> ExitCode {
    if pipe::is_wanted() {
        return pipe::answer();
    }
    let bench = Bench {
        name: "runtime",
        order: cases::ORDER,
        subjects: cases::SUBJECTS,
        rounds: 5,
        more: MORE,
        entries: cases::entries(),
    };
    let program = Program {
        bench,
        prepare,
        head,
        tables: |figures| verdict::table(figures),
    };
    program.run()
}

fn prepare(options: &Options, bench: &mut Bench) -> Result<(), String> {
    tools::find(options)?;
    if tools::get().supervisord.is_none() {
        bench.entries.retain(|entry| entry.subject != cases::SUPERVISORD);
    }
    Ok(())
}

fn head(options: &Options) -> String {
    let tools = tools::get();
    let unmeasured = if tools.supervisord.is_none() {
        format!(
            "\n\nUNMEASURED: supervisord is not on PATH, and no {} says where it is",
            tools::SUPERVISORD
        )
    } else {
        String::new()
    };
    format!(
        "each round starts the subject afresh\n{}\n\
         samples and warm-up of a round: {}\n\
         talk and observations: in this process, tokio with {} workers{unmeasured}",
        tools.describe(),
        cases::samples(&scale(options.is_quick)),
        runtime::WORKERS,
    )
}
