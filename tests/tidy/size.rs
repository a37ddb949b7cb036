//! Functions and files that one can read in one sitting.

use crate::rule::{Finding, Rule};
use crate::source::{Function, Source, has_extension};

/// The most lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// The most lines of a file, the tests within it not counted.
const FILE_LINES_MAX: usize = 500;
/// The most lines of an example, which one reads at a glance.
const EXAMPLE_LINES_MAX: usize = 80;
/// What people write here; lists, locks and records may be long.
const WRITTEN: [&str; 8] = ["rs", "sh", "py", "ts", "tsx", "js", "css", "html"];

macro_rules! ten {
    ($text:expr) => {
        concat!($text, $text, $text, $text, $text, $text, $text, $text, $text, $text)
    };
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "short functions",
        find: long_functions,
        caught: &[("src/a.rs", LONG_FUNCTION)],
        passed: &[("src/a.rs", "fn short() {\n}\n"), ("notes.md", LONG_FUNCTION)],
    },
    Rule {
        name: "short files",
        find: long_file,
        caught: &[("src/a.rs", LONG_FILE), ("tests/run.sh", LONG_FILE)],
        passed: &[
            ("src/a.rs", LONG_TESTS),
            ("Cargo.lock", LONG_FILE),
            ("portal/dist/portal.js", LONG_FILE),
        ],
    },
];

fn long_functions(source: &Source) -> Vec<Finding> {
    let functions = if source.is_rust() {
        source.functions()
    } else {
        Vec::new()
    };
    functions
        .iter()
        .filter(|function| function.lines > FUNCTION_LINES_MAX)
        .map(too_long)
        .collect()
}

fn too_long(function: &Function) -> Finding {
    let Function { name, line, lines } = function;
    Finding::new(
        *line,
        format!("function {name} has {lines} lines, more than {FUNCTION_LINES_MAX}"),
    )
}

fn long_file(source: &Source) -> Vec<Finding> {
    let lines = source.lines_without_tests();
    let most = if source.path.starts_with("examples/") {
        EXAMPLE_LINES_MAX
    } else {
        FILE_LINES_MAX
    };
    let long = is_written(source) && lines > most;
    long.then(|| Finding::new(1, format!("the file has {lines} lines, more than {most}")))
        .into_iter()
        .collect()
}

fn is_written(source: &Source) -> bool {
    let is_built = source.path.split('/').any(|folder| folder == "dist");
    !is_built && WRITTEN.iter().any(|extension| has_extension(&source.path, extension))
}

/// The longest function and the longest file, in words.
pub(crate) fn longest(files: &[Source]) -> String {
    let rust = || files.iter().filter(|source| source.is_rust());
    let functions = rust().flat_map(|source| source.functions().into_iter().map(|f| (f.lines, f.name, &source.path)));
    let function = functions
        .max()
        .map(|(lines, name, path)| format!("{name} in {path}, {lines} lines"));
    let written = files.iter().filter(|source| is_written(source));
    let file = written.map(|source| (source.lines_without_tests(), &source.path)).max();
    let file = file.map(|(lines, path)| format!("{path}, {lines} lines"));
    format!(
        "longest function: {}\nlongest file: {}",
        function.unwrap_or_default(),
        file.unwrap_or_default()
    )
}

const LONG_FUNCTION: &str = concat!("fn long() {", ten!(ten!("\n")), "}\n");
const LONG_FILE: &str = ten!(ten!(ten!("\n")));
const LONG_TESTS: &str = concat!("#[cfg(test)]\nmod tests {", ten!(ten!(ten!("\n"))), "}\n");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_may_have_as_many_lines_as_the_limit_and_no_more() {
        let faults =
            |between: usize| long_functions(&Source::new("a.rs", &format!("fn a() {{{}}}", "\n".repeat(between))));
        assert_eq!(faults(FUNCTION_LINES_MAX - 1), []);
        assert_eq!(
            faults(FUNCTION_LINES_MAX),
            [Finding::new(1, "function a has 71 lines, more than 70")]
        );
    }

    #[test]
    fn a_file_may_have_as_many_lines_as_the_limit_and_no_more() {
        let faults = |lines: usize| long_file(&Source::new("a.py", &"\n".repeat(lines)));
        assert_eq!(faults(FILE_LINES_MAX), []);
        assert_eq!(
            faults(FILE_LINES_MAX + 1),
            [Finding::new(1, "the file has 501 lines, more than 500")]
        );
    }

    #[test]
    fn an_example_may_have_eighty() {
        let faults = |lines: usize| long_file(&Source::new("examples/a.rs", &"\n".repeat(lines))).len();
        assert_eq!([80, 81].map(faults), [0, 1]);
    }

    #[test]
    fn the_longest_are_named() {
        let files = [
            Source::new("a.rs", "fn a() {\n}\n"),
            Source::new("b.rs", "fn b() {}\n\n\n"),
        ];
        assert_eq!(
            longest(&files),
            "longest function: a in a.rs, 2 lines\nlongest file: b.rs, 3 lines"
        );
    }
}
