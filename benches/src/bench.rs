//! What a bench is made of, and what all of them do alike once their arguments are read.

use std::process::ExitCode;

use crate::case::{Case, Entry, Scale};
use crate::figure::Figure;
use crate::options::{More, Options};
use crate::report;

/// One program that measures.
pub struct Bench {
    /// As Cargo knows it.
    pub name: &'static str,
    /// The cases in the order in which they are run and shown; an entry may have others, which come after these.
    pub order: &'static [&'static str],
    /// The subjects in the order in which each round runs them.
    pub subjects: &'static [&'static str],
    /// How many rounds there are unless somebody wants otherwise.
    pub rounds: usize,
    /// The options that only this one has.
    pub more: &'static [More],
    /// All that it can run.
    pub entries: Vec<Entry>,
}

impl Bench {
    /// The place of a case in the order; unknown ones are last.
    pub fn rank(&self, case: &str) -> usize {
        let place = self.order.iter().position(|known| *known == case);
        place.unwrap_or(self.order.len())
    }

    /// The names of all cases, in their order.
    pub fn case_names(&self) -> Vec<&'static str> {
        self.cases().iter().map(|case| case.name).collect()
    }

    /// The cases, their units and the subjects that have them.
    pub fn list(&self) -> String {
        let row = |case: &Case| {
            let has_it = |entry: &&Entry| entry.cases.iter().any(|other| other.name == case.name);
            let subjects: Vec<&str> = self.entries.iter().filter(has_it).map(|entry| entry.subject).collect();
            format!("{:<32} {:<10} {}\n", case.name, case.unit, subjects.join(" "))
        };
        self.cases().iter().map(row).collect()
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = self.entries.iter().flat_map(|entry| entry.cases).copied().collect();
        cases.sort_by_key(|case| (self.rank(case.name), case.name));
        cases.dedup();
        cases
    }
}

/// How much a run does.
pub const fn scale(is_quick: bool) -> Scale {
    if is_quick { Scale::QUICK } else { Scale::FULL }
}

/// Writes the figures to where the options want them.
pub fn write(options: &Options, figures: &[Figure]) -> Result<(), String> {
    let Some(path) = &options.json else { return Ok(()) };
    report::write_json(path, figures).map_err(|wrong| {
        format!(
            "failed to write {}: {wrong}; give --json a path that can be written",
            path.display()
        )
    })
}

/// Names what failed, and says so to whoever started the bench.
#[expect(clippy::print_stderr, reason = "a benchmark's failures are its output")]
pub fn conclude(bench: &Bench, failures: &[String]) -> ExitCode {
    for failure in failures {
        eprintln!("{}: FAILED {failure}", bench.name);
    }
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
