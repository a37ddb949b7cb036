//! The rounds: entries with the same key run side by side, subject after subject, round after round.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bench::Bench;
use crate::case::{Entry, Place, Scale};
use crate::child;
use crate::figure::Figure;
use crate::options::Options;

/// What was measured, and what failed instead.
#[derive(Debug)]
pub struct Outcome {
    /// One for each case and subject.
    pub figures: Vec<Figure>,
    /// What failed, and why.
    pub failures: Vec<String>,
}

/// Runs what the options choose.
#[expect(clippy::print_stderr, reason = "whoever waits sees how far it is")]
pub fn run(bench: &Bench, options: &Options, scale: &Scale) -> Outcome {
    let mut outcome = Outcome {
        figures: Vec::new(),
        failures: Vec::new(),
    };
    for group in groups(bench, options) {
        eprintln!("{} …", group[0].key());
        let mut figures = measure(&group, options.rounds, scale, &mut outcome.failures);
        figures.retain(|figure| options.has_case(figure.case));
        // By case first: an entry with several cases gives them together. The sort is stable, so subjects keep their order.
        figures.sort_by_key(|figure| bench.rank(figure.case));
        outcome.figures.append(&mut figures);
    }
    outcome
}

fn groups(bench: &Bench, options: &Options) -> Vec<Vec<Entry>> {
    let is_chosen = |entry: &&Entry| {
        options.has_subject(entry.subject) && entry.cases.iter().any(|case| options.has_case(case.name))
    };
    let mut chosen: Vec<Entry> = bench.entries.iter().filter(is_chosen).copied().collect();
    let subject = |entry: &Entry| bench.subjects.iter().position(|name| *name == entry.subject);
    chosen.sort_by_key(|entry| (bench.rank(entry.key()), entry.key(), subject(entry)));
    chosen
        .chunk_by(|a, b| a.key() == b.key())
        .map(<[Entry]>::to_vec)
        .collect()
}

fn measure(group: &[Entry], rounds: usize, scale: &Scale, failures: &mut Vec<String>) -> Vec<Figure> {
    let mut samples: Vec<Vec<Vec<f64>>> = vec![Vec::new(); group.len()];
    let mut has_failed = vec![false; group.len()];
    for round in 0..=rounds {
        for (n, entry) in group.iter().enumerate() {
            let is_warm_up = round == 0;
            if has_failed[n] || is_warm_up && entry.place != Place::Here {
                continue;
            }
            match sample(entry, scale) {
                Ok(sample) if !is_warm_up => samples[n].push(sample),
                Ok(_) => {}
                Err(why) => {
                    has_failed[n] = true;
                    failures.push(format!("{} of {}: {why}", entry.key(), entry.subject));
                }
            }
        }
    }
    let sound = group
        .iter()
        .zip(samples)
        .zip(has_failed)
        .filter(|(_, has_failed)| !has_failed);
    sound
        .flat_map(|((entry, samples), _)| figures(entry, &samples))
        .collect()
}

fn sample(entry: &Entry, scale: &Scale) -> Result<Vec<f64>, String> {
    let figures = match entry.place {
        Place::Here | Place::Outside => {
            catch_unwind(AssertUnwindSafe(|| (entry.run)(scale))).map_err(|panic| message_of(&*panic))?
        }
        Place::Child | Place::CountedChild => child::ask(entry, scale)?,
    };
    if figures.len() == entry.cases.len() {
        Ok(figures)
    } else {
        Err(format!(
            "gave {} figures for {} cases",
            figures.len(),
            entry.cases.len()
        ))
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

fn figures(entry: &Entry, samples: &[Vec<f64>]) -> Vec<Figure> {
    let column = |n: usize| samples.iter().map(|sample| sample[n]).collect();
    entry
        .cases
        .iter()
        .enumerate()
        .map(|(n, case)| Figure::of(*case, entry.subject, column(n)))
        .collect()
}
