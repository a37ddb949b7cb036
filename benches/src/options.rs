//! The command line of a bench.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bench::Bench;

/// An option that only one bench has; it takes a value.
#[derive(Clone, Copy, Debug)]
pub struct More {
    /// As it is written, with its dashes.
    pub option: &'static str,
    /// What stands after it.
    pub value: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// What is to be done.
#[derive(Debug)]
pub enum Request {
    /// To measure.
    Run(Options),
    /// To list what there is.
    List,
    /// To say how it is used.
    Usage,
    /// To measure one entry as the child of another run.
    Child {
        /// Whose.
        subject: String,
        /// Which.
        key: String,
        /// How much.
        is_quick: bool,
    },
}

/// What to run; empty lists mean all.
#[derive(Debug, Default)]
pub struct Options {
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
    /// Only these cases.
    pub cases: Vec<String>,
    /// Only these subjects.
    pub subjects: Vec<String>,
    /// Rounds of each case.
    pub rounds: usize,
    /// A smoke run.
    pub is_quick: bool,
    /// The values of the options that only this bench has.
    pub more: BTreeMap<&'static str, String>,
}

impl Options {
    /// Whether a case is to be run.
    pub fn has_case(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|case| case == name)
    }

    /// Whether a subject is to be run.
    pub fn has_subject(&self, name: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|subject| subject == name)
    }

    /// The path that one of the bench's own options has.
    pub fn path(&self, option: &str) -> Option<PathBuf> {
        self.more.get(option).map(|given| path(given))
    }
}

/// How a bench is used.
pub fn usage(bench: &Bench) -> String {
    let name = bench.name;
    let rounds = bench.rounds;
    let more = bench.more.iter().map(|more| {
        let head = format!("{} {}", more.option, more.value);
        format!("\n  {head:<17} {}", more.meaning)
    });
    format!(
        "usage: cargo bench --bench {name} -- [OPTIONS]
  --json FILE       write the figures to FILE as JSON; relative to the repository's root
  --cases A,B       only these cases (see --list)
  --subjects A,B    only these subjects (see --list)
  --rounds N        rounds of each case; {rounds} without
  --quick           a smoke run: less of everything, 1 round unless --rounds says otherwise
  --list            the cases, their units and the subjects that have them{}",
        more.collect::<String>()
    )
}

/// Reads the arguments; the error names the option and what to do about it.
pub fn parse(arguments: impl Iterator<Item = String>, bench: &Bench) -> Result<Request, String> {
    let mut arguments = arguments.peekable();
    // `cargo test --benches` runs this without a single argument: that is no request to measure for an hour.
    if arguments.peek().is_none() {
        return Ok(Request::Usage);
    }
    let mut options = Options::default();
    let mut child = None;
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--bench" => {}
            "--json" => options.json = Some(path(&value(&option, arguments.next(), "a path to write")?)),
            "--cases" => options.cases = names(&option, arguments.next(), &bench.case_names())?,
            "--subjects" => options.subjects = names(&option, arguments.next(), bench.subjects)?,
            "--rounds" => options.rounds = rounds(&value(&option, arguments.next(), "a number of rounds")?)?,
            "--quick" => options.is_quick = true,
            "--list" => return Ok(Request::List),
            "--help" | "-h" => return Ok(Request::Usage),
            "--child" => child = arguments.next().zip(arguments.next()),
            _ => {
                let more = own(&option, bench)?;
                let given = value(&option, arguments.next(), more.value)?;
                options.more.insert(more.option, given);
            }
        }
    }
    if options.rounds == 0 {
        options.rounds = if options.is_quick { 1 } else { bench.rounds };
    }
    Ok(match child {
        Some((subject, key)) => Request::Child {
            subject,
            key,
            is_quick: options.is_quick,
        },
        None => Request::Run(options),
    })
}

fn own(option: &str, bench: &Bench) -> Result<More, String> {
    let known = bench.more.iter().find(|more| more.option == option);
    known
        .copied()
        .ok_or_else(|| format!("unknown option {option}; use one of those below"))
}

fn value(option: &str, given: Option<String>, wanted: &str) -> Result<String, String> {
    match given {
        Some(given) if !given.starts_with("--") && !given.is_empty() => Ok(given),
        _ => Err(format!("{option} needs {wanted} after it")),
    }
}

/// Cargo runs a benchmark in its package's folder; a relative path is meant from the repository's root, one above.
fn path(given: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package
        .as_deref()
        .and_then(Path::parent)
        .map_or_else(|| given.into(), |root| root.join(given))
}

fn rounds(given: &str) -> Result<usize, String> {
    match given.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err(format!("--rounds got {given:?}; give a whole number from 1 on")),
    }
}

fn names(option: &str, given: Option<String>, known: &[&str]) -> Result<Vec<String>, String> {
    let given = value(option, given, "names with commas between them")?;
    let names: Vec<String> = given.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!(
            "{option} got {unknown:?}, which is none of: {}",
            known.join(" ")
        )),
        None => Ok(names),
    }
}
