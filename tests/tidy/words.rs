//! What must not stand in any text of the repository.

use crate::rule::{Finding, Rule};
use crate::source::{Source, words};

/// Folders of somebody's machine.
const MACHINE_FOLDERS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];
/// Hosts that a lock file takes from the machine it was written on.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("files.", "pythonhosted.org"),
    concat!("proxy.", "golang.org"),
    concat!("arti", "factory"),
    concat!(".jf", "rog.io"),
];
/// The one registry that a lock file may name.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Marks of work left undone, as words of their own.
const UNFINISHED: [&str; 6] = [
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("not imple", "mented yet"),
];

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "no machine paths",
        find: machine_paths,
        caught: &[
            ("README.md", concat!("see /wo", "rk/main/x")),
            (".ci/deny.toml", concat!("db = \"/ro", "ot/.cargo\"")),
            ("src/a.rs", concat!("// in /ho", "me/somebody/x")),
        ],
        passed: &[(
            "docs/a.md",
            "[the room](../actors/work/src/lib.rs), `$HOME/work/`, ~/work/, POST /v1/work/submit",
        )],
    },
    Rule {
        name: "no registry hosts",
        find: registry_hosts,
        caught: &[
            (
                "package-lock.json",
                concat!("\"resolved\": \"https://registry.", "npmjs.org/preact\""),
            ),
            ("Cargo.lock", "source = \"registry+https://mirror.example/index\""),
            (
                "Cargo.lock",
                concat!("source = \"sparse+https://index.", "crates.io/\""),
            ),
        ],
        passed: &[(
            "Cargo.lock",
            "source = \"registry+https://github.com/rust-lang/crates.io-index\"",
        )],
    },
    Rule {
        name: "nothing unfinished",
        find: unfinished,
        caught: &[
            ("src/a.rs", concat!("// FIX", "ME: later")),
            ("src/a.rs", concat!("fn a() { to", "do!() }")),
            ("README.md", concat!("This is not imple", "mented yet.")),
        ],
        passed: &[("tests/run.sh", "mktemp -d a.XXXXXX")],
    },
];

fn machine_paths(source: &Source) -> Vec<Finding> {
    let stands_alone = |line: &str, at: usize| !line[..at].ends_with(is_in_path);
    lines_with(source, |line| {
        let hit = |folder: &&&str| line.match_indices(**folder).any(|(at, _)| stands_alone(line, at));
        MACHINE_FOLDERS
            .iter()
            .find(hit)
            .map(|folder| format!("{folder} is a folder of one machine"))
    })
}

fn is_in_path(c: char) -> bool {
    c.is_alphanumeric() || "_-.~}/*".contains(c)
}

fn registry_hosts(source: &Source) -> Vec<Finding> {
    lines_with(source, |line| {
        let host = REGISTRY_HOSTS
            .iter()
            .find(|host| line.contains(**host))
            .map(|host| format!("{host} is a registry's host"));
        let other = line.contains("source = \"") && line.contains("+http") && !line.contains(CRATES);
        host.or(other.then(|| "a source other than crates.io".to_owned()))
    })
}

fn unfinished(source: &Source) -> Vec<Finding> {
    lines_with(source, |line| {
        let mark = UNFINISHED.iter().find(|mark| words(line, mark).next().is_some());
        mark.map(|mark| format!("{mark} is work left undone"))
    })
}

fn lines_with(source: &Source, what: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let numbered = source.text.lines().enumerate();
    numbered
        .filter_map(|(line, text)| what(text).map(|what| Finding::new(line + 1, what)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_names_its_line() {
        let source = Source::new("a.md", concat!("a\nb /ho", "me/x\n"));
        assert_eq!(
            machine_paths(&source)
                .iter()
                .map(|finding| finding.line)
                .collect::<Vec<_>>(),
            [2]
        );
    }
}
