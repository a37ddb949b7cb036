//! What a rule is: a pure function from a file to its faults, with a fault that it must catch.

use crate::source::Source;

/// A rule over one file at a time.
pub(crate) struct Rule {
    /// What it is called in faults and exceptions.
    pub(crate) name: &'static str,
    /// What it finds.
    pub(crate) find: fn(&Source) -> Vec<Finding>,
    /// Files (path, text) in which it must find something: a rule that catches nothing is no rule.
    pub(crate) caught: &'static [(&'static str, &'static str)],
    /// Files (path, text) in which it must find nothing.
    pub(crate) passed: &'static [(&'static str, &'static str)],
}

/// What a rule found, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A finding with its place and its rule.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) rule: &'static str,
    pub(crate) path: String,
    pub(crate) finding: Finding,
}

impl Finding {
    pub(crate) fn new(line: usize, what: impl Into<String>) -> Self {
        Self {
            line,
            what: what.into(),
        }
    }
}

impl Fault {
    pub(crate) fn new(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            rule,
            path: path.to_owned(),
            finding: Finding::new(line, what),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}: {} [{}]",
            self.path, self.finding.line, self.finding.what, self.rule
        )
    }
}

/// Every rule over one file.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        crate::size::RULES,
        crate::names::RULES,
        crate::words::RULES,
        crate::habits::RULES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(rule: &Rule, file: &(&str, &str)) -> Vec<Finding> {
        (rule.find)(&Source::new(file.0, file.1))
    }

    #[test]
    fn every_rule_catches_each_of_its_planted_faults() {
        for rule in all() {
            assert!(!rule.caught.is_empty(), "{} shows no fault that it catches", rule.name);
            for file in rule.caught {
                assert!(!findings(rule, file).is_empty(), "{} misses {file:?}", rule.name);
            }
        }
    }

    #[test]
    fn every_rule_passes_what_keeps_it() {
        for rule in all() {
            assert!(!rule.passed.is_empty(), "{} shows nothing that it passes", rule.name);
            for file in rule.passed {
                assert_eq!(findings(rule, file), [], "{} finds a fault in {file:?}", rule.name);
            }
        }
    }
}
