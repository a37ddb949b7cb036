//! The rules of this repository, each of which shows that it catches a fault.

mod crates;
mod exceptions;
mod habits;
mod manifest;
mod mask;
mod names;
mod promises;
mod reach;
mod repository;
mod rooms;
mod rule;
mod size;
mod source;
mod words;

use std::io::{self, Write};

use repository::Repository;
use rule::{Fault, Rule};
use source::Source;

/// Rules over the repository as a whole.
const WHOLE: [fn(&Repository) -> Vec<Fault>; 7] = [
    crates::misnamed,
    crates::out_of_order,
    crates::sentences_apart,
    rooms::off_plan,
    reach::orphans,
    reach::dead_links,
    promises::without_tests,
];

fn faults_of(rule: &'static Rule, source: &Source) -> impl Iterator<Item = Fault> {
    let fault = |finding| Fault {
        rule: rule.name,
        path: source.path.clone(),
        finding,
    };
    (rule.find)(source).into_iter().map(fault)
}

fn faults(repository: &Repository) -> Vec<Fault> {
    let single = repository
        .files
        .iter()
        .flat_map(|source| rule::all().flat_map(|rule| faults_of(rule, source)));
    single.chain(WHOLE.iter().flat_map(|find| find(repository))).collect()
}

#[test]
fn the_repository_keeps_its_rules() -> io::Result<()> {
    let repository = Repository::open()?;
    writeln!(io::stderr().lock(), "{}", size::longest(&repository.files))?;
    let faults = exceptions::remaining(faults(&repository), exceptions::EXCEPTIONS);
    let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    assert!(faults.is_empty(), "{} faults:{}", faults.len(), lines.concat());
    Ok(())
}

#[test]
fn the_repository_has_files_to_look_at() -> io::Result<()> {
    let repository = Repository::open()?;
    for path in [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "src/lib.rs",
        "tests/tidy/main.rs",
        ".clippy.toml",
    ] {
        assert!(repository.file(path).is_some(), "{path} was not looked at");
    }
    Ok(())
}
