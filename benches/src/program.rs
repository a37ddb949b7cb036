//! What every bench does once it is started: reads its arguments, says what it measures with, measures, shows.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark's table is its output"
)]

use std::process::ExitCode;

use crate::bench::{Bench, conclude, scale, write};
use crate::figure::Figure;
use crate::options::{self, Options, Request};
use crate::{child, machine, rounds};

/// A bench, and what it says of itself.
pub struct Program {
    /// What it can run.
    pub bench: Bench,
    /// Finds what it needs, before anything is measured; leaves out what cannot be.
    pub prepare: fn(&Options, &mut Bench) -> Result<(), String>,
    /// How it measures: stands below the machine and the number of rounds.
    pub head: fn(&Options) -> String,
    /// The figures for people.
    pub tables: fn(&[Figure]) -> String,
}

/// It needs nothing.
pub const fn nothing(_options: &Options, _bench: &mut Bench) -> Result<(), String> {
    Ok(())
}

impl Program {
    /// Does what the arguments of the process ask for.
    pub fn run(mut self) -> ExitCode {
        match options::parse(std::env::args().skip(1), &self.bench) {
            Ok(Request::Run(options)) => self.measure(&options),
            Ok(Request::List) => print(&self.bench.list()),
            Ok(Request::Child { subject, key, is_quick }) => child::answer(&self.bench, &subject, &key, is_quick),
            Ok(Request::Usage) => print(&options::usage(&self.bench)),
            Err(wrong) => self.refuse(&format!("{wrong}\n\n{}", options::usage(&self.bench))),
        }
    }

    fn measure(&mut self, options: &Options) -> ExitCode {
        // Now, because what is missing should not be found out after an hour.
        let begun = write(options, &[]).and_then(|()| (self.prepare)(options, &mut self.bench));
        if let Err(wrong) = begun {
            return self.refuse(&wrong);
        }
        println!("{}", self.header(options));
        let outcome = rounds::run(&self.bench, options, &scale(options.is_quick));
        println!("\n{}", (self.tables)(&outcome.figures));
        let mut failures = outcome.failures;
        failures.extend(write(options, &outcome.figures).err());
        conclude(&self.bench, &failures)
    }

    fn header(&self, options: &Options) -> String {
        let quick = if options.is_quick {
            "\nQUICK: a smoke run; the figures prove that it runs, nothing else"
        } else {
            ""
        };
        let (machine, head) = (machine::describe(), (self.head)(options));
        format!(
            "{machine}\n{} rounds, subjects interleaved; {head}{quick}",
            options.rounds
        )
    }

    fn refuse(&self, wrong: &str) -> ExitCode {
        eprintln!("{}: {wrong}", self.bench.name);
        ExitCode::from(2)
    }
}

fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
