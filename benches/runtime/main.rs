//! Measures the runtime as it is used, mostly through its release binary: `cargo bench --bench runtime -- --json FILE`.
//!
//! The binary is the one that `cargo build --release` makes, which this builds first unless `--triarch` names one. Most
//! cases start it in a folder of its own and look on from outside: a process is seen when the kernel shows it, a command is
//! measured from its start to its end. Two talk to the rooms within this process, since what they measure is shorter than
//! any command. supervisord, where it is at hand, does the same with the same programs, in the same rounds.
#![forbid(unsafe_code)]
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
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

mod cases;
mod commands;
mod house;
mod idle;
mod observations;
mod pages;
mod pipe;
mod processes;
mod programs;
mod supervisord;
mod talk;
mod tools;
mod verdict;

use std::process::ExitCode;

use triarch_benches::bench::{Bench, conclude, scale, write};
use triarch_benches::options::{self, More, Options, Request};
use triarch_benches::{child, machine, rounds, runtime};

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
    match options::parse(std::env::args().skip(1), &bench) {
        Ok(Request::Run(options)) => run(&options, bench),
        Ok(Request::List) => print(&bench.list()),
        Ok(Request::Child { subject, key, is_quick }) => child::answer(&bench, &subject, &key, is_quick),
        Ok(Request::Usage) => print(&options::usage(&bench)),
        Err(wrong) => refuse(&format!("{wrong}\n\n{}", options::usage(&bench))),
    }
}

fn run(options: &Options, mut bench: Bench) -> ExitCode {
    // Now, because what is missing should not be found out after an hour.
    if let Err(wrong) = write(options, &[]).and_then(|()| tools::find(options)) {
        return refuse(&wrong);
    }
    println!("{}", header(options));
    if tools::get().supervisord.is_none() {
        println!(
            "\nUNMEASURED: supervisord is not on PATH, and no {} says where it is",
            tools::SUPERVISORD
        );
        bench.entries.retain(|entry| entry.subject != cases::SUPERVISORD);
    }
    let outcome = rounds::run(&bench, options, &scale(options.is_quick));
    println!("\n{}", verdict::table(&outcome.figures));
    let mut failures = outcome.failures;
    failures.extend(write(options, &outcome.figures).err());
    conclude(&bench, &failures)
}

fn header(options: &Options) -> String {
    let quick = if options.is_quick {
        "\nQUICK: a smoke run; the figures prove that it runs, nothing else"
    } else {
        ""
    };
    format!(
        "{}\n{}\n{} rounds, subjects interleaved; each round starts the subject afresh\n\
         samples and warm-up of a round: {}\n\
         talk and observations: in this process, tokio with {} workers{quick}",
        machine::describe(),
        tools::get().describe(),
        options.rounds,
        cases::samples(&scale(options.is_quick)),
        runtime::WORKERS,
    )
}

fn refuse(wrong: &str) -> ExitCode {
    eprintln!("runtime: {wrong}");
    ExitCode::from(2)
}

fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
