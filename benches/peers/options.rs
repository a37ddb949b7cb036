//! The command line.

use std::path::{Path, PathBuf};

use triarch_benches::{Entry, case};

pub(crate) const USAGE: &str = "\
usage: cargo bench --bench peers -- [OPTIONS]
  --json FILE       write the figures to FILE as JSON; relative to the repository's root
  --cases A,B       only these cases (see --list)
  --subjects A,B    only these subjects (see --list)
  --rounds N        rounds of each case; 7 without
  --quick           a smoke run: less of everything, 1 round unless --rounds says otherwise
  --list            the cases, their units and the subjects that have them";

const ROUNDS: usize = 7;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Request {
    Run(Options),
    List,
    Usage,
    Child {
        subject: String,
        key: String,
        is_quick: bool,
    },
}

/// What to run; empty lists mean all.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) json: Option<PathBuf>,
    pub(crate) cases: Vec<String>,
    pub(crate) subjects: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) is_quick: bool,
}

impl Options {
    pub(crate) fn has_case(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|case| case == name)
    }

    pub(crate) fn has_subject(&self, name: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|subject| subject == name)
    }
}

/// Reads the arguments; the error names the option and what to do about it.
pub(crate) fn parse(arguments: impl Iterator<Item = String>, entries: &[Entry]) -> Result<Request, String> {
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
            "--cases" => options.cases = names(&option, arguments.next(), &case_names(entries))?,
            "--subjects" => options.subjects = names(&option, arguments.next(), case::SUBJECTS)?,
            "--rounds" => options.rounds = rounds(&value(&option, arguments.next(), "a number of rounds")?)?,
            "--quick" => options.is_quick = true,
            "--list" => return Ok(Request::List),
            "--help" | "-h" => return Ok(Request::Usage),
            "--child" => child = arguments.next().zip(arguments.next()),
            _ => return Err(format!("unknown option {option}; use one of those below")),
        }
    }
    if options.rounds == 0 {
        options.rounds = if options.is_quick { 1 } else { ROUNDS };
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

fn case_names(entries: &[Entry]) -> Vec<&'static str> {
    let own = entries.iter().flat_map(|entry| entry.cases).map(|case| case.name);
    let mut names: Vec<&str> = case::ORDER
        .iter()
        .copied()
        .chain(own.filter(|name| !case::ORDER.contains(name)))
        .collect();
    names.dedup();
    names
}
