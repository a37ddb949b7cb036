//! How Rust and scripts are written here.

use crate::rule::{Finding, Rule};
use crate::source::{Attribute, Source, has_extension, identifier, stem, words};

/// What a machine has no business with: the clock, the world, other actors.
const IMPURE: [&str; 14] = [
    "::now(",
    "async fn",
    ".await",
    "tokio::",
    "ractor::",
    "flume::",
    "rand::",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "println!",
];

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "expect, not allow",
        find: allows,
        caught: &[
            ("src/a.rs", "#[allow(dead_code)]\nfn a() {}"),
            ("src/a.rs", "#![allow(clippy::panic)]"),
            ("src/a.rs", "#[cfg_attr(test, allow(unused))]\nfn a() {}"),
        ],
        passed: &[(
            "src/a.rs",
            "// #[allow(dead_code)]\n#[expect(dead_code, reason = \"x\")]\nfn allow(a: u8) {}",
        )],
    },
    Rule {
        name: "expectations give their reason",
        find: expectations_without_reason,
        caught: &[("src/a.rs", "#[expect(dead_code)]\nfn a() {}")],
        passed: &[(
            "src/a.rs",
            "#[expect(\n    dead_code,\n    reason = \"x\",\n)]\nfn a() {}",
        )],
    },
    Rule {
        name: "no unwrap outside tests",
        find: unwraps,
        caught: &[
            ("src/a.rs", "fn a() { b.unwrap() }"),
            ("examples/a.rs", "fn a() { b\n.expect(\"c\") }"),
        ],
        passed: &[
            (
                "src/a.rs",
                "fn a() { b.unwrap_or(1).expected() }\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }",
            ),
            ("tests/it/a.rs", "fn a() { b.unwrap() }"),
        ],
    },
    Rule {
        name: "tests do not sleep",
        find: sleeping_tests,
        caught: &[
            ("tests/it/a.rs", "fn a() { std::thread::sleep(b) }"),
            ("src/a.rs", SLEEPING_TEST),
        ],
        passed: &[("tests/it/a.rs", "async fn a() { tokio::time::advance(b).await }")],
    },
    Rule {
        name: "no ignored tests",
        find: ignored_tests,
        caught: &[
            ("src/a.rs", "#[test]\n#[ignore]\nfn a_b() {}"),
            ("src/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a_b() {}"),
            ("src/a.rs", concat!("/// ```ign", "ore\n/// a();\n/// ```")),
        ],
        passed: &[("src/a.rs", "/// ```no_run\n/// a();\n/// ```\nfn ignore() {}")],
    },
    Rule {
        name: "tests are sentences",
        find: unspoken_tests,
        caught: &[
            ("src/a.rs", "#[test]\nfn test_a_thing() {}"),
            (
                "src/a.rs",
                "#[tokio::test(start_paused = true)]\n#[cfg(unix)]\nasync fn works() {}",
            ),
        ],
        passed: &[("src/a.rs", "#[test]\nfn none_never_waits() {}\nfn test_bed() {}")],
    },
    Rule {
        name: "unsafe code stands in `sys` alone",
        find: unguarded,
        caught: &[
            ("bus/src/lib.rs", "//! A.\n"),
            ("src/main.rs", "// #![forbid(unsafe_code)]\n"),
            ("bus/src/room.rs", "#![allow(unsafe_code, reason = \"speed\")]\n"),
            ("bus/src/room.rs", "#[expect(unsafe_code)]\nfn a() {}\n"),
        ],
        passed: &[
            ("bus/src/lib.rs", "//! A.\n#![forbid(unsafe_code)]\n"),
            ("bus/src/lib.rs", "//! A.\n#![deny(unsafe_code)]\nmod sys;\n"),
            ("bus/src/sys.rs", "#![allow(unsafe_code, reason = \"a hint\")]\n"),
            ("bus/src/sys/clone.rs", "#![allow(unsafe_code, reason = \"a call\")]\n"),
            ("bus/src/room.rs", ""),
        ],
    },
    Rule {
        name: "machines are pure",
        find: impure_machine,
        caught: &[
            ("actors/work/src/queue/machine.rs", "fn a() { Moment::now() }"),
            ("supervision/src/supervisor/machine/restart.rs", "async fn a() {}"),
        ],
        passed: &[
            (
                "actors/work/src/queue/machine.rs",
                "use std::time::Duration;\n#[cfg(test)]\nmod tests { fn a() { Moment::now() } }",
            ),
            ("actors/work/src/queue/actor.rs", "async fn a() { Moment::now() }"),
            ("actors/work/src/queue/machine.rs", "fn a() { self.awaits(renowned) }"),
            ("benches/src/machine.rs", "fn cores() { std::fs::read(path) }"),
        ],
    },
    Rule {
        name: "scripts are strict",
        find: lax_script,
        caught: &[
            ("tests/run.sh", "#!/usr/bin/env bash\nset -e\n"),
            (".ci/run", "#!/usr/bin/env bash\n"),
        ],
        passed: &[
            ("tests/run.sh", "#!/usr/bin/env bash\nset -euo pipefail\n"),
            ("a.py", "#!/usr/bin/env python3\n"),
        ],
    },
];

const SLEEPING_TEST: &str = "#[cfg(test)]\nmod tests { use std::thread; fn a() { thread::sleep(b) } }";

fn attributes_where(source: &Source, what: &str, is_fault: impl Fn(&Attribute<'_>) -> bool) -> Vec<Finding> {
    let attributes = if source.is_rust() {
        source.attributes()
    } else {
        Vec::new()
    };
    let faults = attributes.iter().filter(|attribute| is_fault(attribute));
    faults
        .map(|attribute| Finding::new(source.line_of(attribute.offset), what))
        .collect()
}

fn code_where(source: &Source, needle: &str, is_fault: impl Fn(usize) -> bool) -> Vec<Finding> {
    let hits = words(&source.code, needle).filter(|at| source.is_rust() && is_fault(*at));
    hits.map(|at| Finding::new(source.line_of(at), format!("{needle} stands here")))
        .collect()
}

/// Benches measure machines of iron, count allocations by an allocator, and end where a figure would be wrong.
fn is_product(source: &Source) -> bool {
    !source.path.starts_with("benches/")
}

fn allows(source: &Source) -> Vec<Finding> {
    let is_allow = |content: &str| words(content, "allow").any(|at| content[at..].starts_with("allow("));
    attributes_where(
        source,
        "allow never expires: write expect, with its reason",
        |attribute| {
            is_allow(attribute.content)
                && (attribute.content.starts_with("allow") || attribute.content.starts_with("cfg_attr"))
        },
    )
}

fn expectations_without_reason(source: &Source) -> Vec<Finding> {
    attributes_where(source, "this expectation gives no reason", |attribute| {
        attribute.content.starts_with("expect(") && words(attribute.content, "reason").next().is_none()
    })
}

fn unwraps(source: &Source) -> Vec<Finding> {
    let is_fault = |at| is_product(source) && !source.is_test(at);
    [".unwrap()", ".expect("]
        .into_iter()
        .flat_map(|needle| code_where(source, needle, is_fault))
        .collect()
}

fn sleeping_tests(source: &Source) -> Vec<Finding> {
    code_where(source, "thread::sleep", |at| source.is_test(at))
}

fn ignored_tests(source: &Source) -> Vec<Finding> {
    let mut found = attributes_where(source, "an ignored test guards nothing", |attribute| {
        identifier(attribute.content) == "ignore"
    });
    let fence = concat!("```ign", "ore");
    let lines = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| source.is_rust() && line.contains(fence));
    found.extend(lines.map(|(line, _)| Finding::new(line + 1, "an ignored example may have ceased to compile")));
    found
}

fn unspoken_tests(source: &Source) -> Vec<Finding> {
    let attributes = if source.is_rust() {
        source.attributes()
    } else {
        Vec::new()
    };
    let marks = attributes.iter().filter(|attribute| marks_test(attribute.content));
    let names = marks.filter_map(|mark| words(&source.code[mark.end..], "fn").next().map(|at| mark.end + at));
    let tests = names.map(|at| (at, identifier(&source.code[at + "fn".len()..])));
    let unspoken = tests.filter(|(_, name)| name.starts_with("test_") || !name.contains('_'));
    unspoken
        .map(|(at, name)| Finding::new(source.line_of(at), format!("{name} does not say what it shows")))
        .collect()
}

fn marks_test(attribute: &str) -> bool {
    let path = attribute.split('(').next().unwrap_or(attribute);
    path == "test" || path.ends_with("::test")
}

fn unguarded(source: &Source) -> Vec<Finding> {
    if !is_product(source) || !source.is_rust() {
        return Vec::new();
    }
    let path = format!("/{}", source.path);
    let is_root = ["/src/lib.rs", "/src/main.rs"]
        .into_iter()
        .any(|root| path.ends_with(root))
        || path.contains("/src/bin/");
    let guards: &[&str] = &["#![forbid(unsafe_code)]", "#![deny(unsafe_code)]"];
    if is_root && !guards.iter().any(|guard| source.code.contains(guard)) {
        return vec![Finding::new(1, "this crate does not forbid unsafe code")];
    }
    let in_sys = source.path.split('/').any(|part| stem(part) == "sys");
    ["allow(unsafe_code", "expect(unsafe_code"]
        .into_iter()
        .flat_map(|needle| code_where(source, needle, |_| !in_sys))
        .collect()
}

fn impure_machine(source: &Source) -> Vec<Finding> {
    let in_machine = is_product(source) && source.path.split('/').any(|part| stem(part) == "machine");
    let is_fault = |at| in_machine && !source.is_test(at);
    IMPURE
        .into_iter()
        .flat_map(|needle| code_where(source, needle, is_fault))
        .collect()
}

fn lax_script(source: &Source) -> Vec<Finding> {
    let is_bash =
        has_extension(&source.path, "sh") || source.text.lines().next().is_some_and(|line| line.ends_with("bash"));
    let is_strict = source.text.lines().any(|line| line == "set -euo pipefail");
    (is_bash && !is_strict)
        .then(|| Finding::new(1, "this script does not stop at an error"))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_line_of_the_attribute() {
        assert_eq!(
            allows(&Source::new("a.rs", "\n#[allow(x)]\nfn a() {}"))
                .first()
                .map(|finding| finding.line),
            Some(2)
        );
    }

    #[test]
    fn each_unwrap_is_a_fault_of_its_own() {
        assert_eq!(
            unwraps(&Source::new("src/a.rs", "fn a() {\n b.unwrap();\n c.unwrap() }")).len(),
            2
        );
    }
}
