//! What the pages on security and on OTP promise: each promise names tests, and each of them is there.

use crate::repository::Repository;
use crate::rule::Fault;
use crate::source::Source;

const PAGES: [&str; 2] = ["docs/SECURITY.md", "docs/OTP.md"];

/// The names that stand slanted in the page, and are no tests.
pub(crate) fn without_tests(repository: &Repository) -> Vec<Fault> {
    let pages = PAGES.into_iter().filter_map(|page| repository.file(page));
    pages.flat_map(|page| without_tests_in(page, repository)).collect()
}

fn without_tests_in(page: &Source, repository: &Repository) -> Vec<Fault> {
    let is_there = |name: &str| {
        let test = format!("fn {}(", name.replace(' ', "_"));
        repository
            .files
            .iter()
            .any(|source| source.is_rust() && source.text.contains(&test))
    };
    let slanted = page
        .text
        .lines()
        .enumerate()
        .flat_map(|(line, text)| slanted(text).map(move |name| (line + 1, name)));
    slanted
        .filter(|(_, name)| !is_there(name))
        .map(|(line, name)| {
            Fault::new(
                "promises are tested",
                &page.path,
                line,
                format!("there is no test {name:?}"),
            )
        })
        .collect()
}

/// What stands between single stars, as far as it may name a test: four words or more.
fn slanted(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split('*').skip(1).step_by(2);
    parts.filter(|part| part.split(' ').count() >= 4 && part.chars().all(|c| c.is_alphanumeric() || c == ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_whose_test_is_gone_is_a_fault() {
        let page = (
            PAGES[0],
            "# Security\n\nIt holds. *it holds what it says*, *it is not there at all*.",
        );
        let source = ("src/a.rs", "#[test]\nfn it_holds_what_it_says() {}");
        let faults: Vec<_> = without_tests(&Repository::of(&[page, source]))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            faults,
            ["docs/SECURITY.md:3: there is no test \"it is not there at all\" [promises are tested]"]
        );
    }
}
