//! What happened in a world, as lines that can be compared.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The events of a world's trees and its own notes, in the order they happened, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<String>,
}

impl Trace {
    pub(super) fn add(&mut self, at: Duration, who: &str, what: &str) {
        self.lines.push(format!("{:>14.6} {who} {what}", at.as_secs_f64()));
    }

    /// The lines: seconds since the world began, who, what.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// One number for all lines; equal traces have equal ones.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.lines.hash(&mut hasher);
        hasher.finish()
    }

    /// Where two traces part: the number of the line, and what stands there in each.
    pub fn first_difference<'a>(&'a self, other: &'a Self) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
        let line = |trace: &'a Self, number: usize| trace.lines.get(number).map(String::as_str);
        (0..self.lines.len().max(other.lines.len()))
            .map(|number| (number, line(self, number), line(other, number)))
            .find(|(_, one, two)| one != two)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
