//! Lines that are left out, while the others are taken up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// So many of them are told one by one.
const TOLD_MAX: usize = 100;

/// Lines that are left out: they are no entries, or none that their namespace holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// The first of them by their numbers, and no more than a hundred.
    pub first: Vec<RefusedLine>,
}

/// A line that is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedLine {
    /// Which, from 1.
    pub number: u64,
    /// Why.
    pub fault: String,
}

impl Refused {
    /// One more.
    pub fn add(&mut self, number: u64, fault: impl Into<String>) {
        self.count += 1;
        let place = self.first.partition_point(|line| line.number <= number);
        if place < TOLD_MAX {
            let fault = fault.into();
            self.first.insert(place, RefusedLine { number, fault });
            self.first.truncate(TOLD_MAX);
        }
    }

    /// Others by numbers of their own, which are in the same order.
    pub fn add_all(&mut self, others: Self, number: impl Fn(u64) -> u64) {
        let untold = others.count - others.first.len() as u64;
        for line in others.first {
            self.add(number(line.number), line.fault);
        }
        self.count += untold;
    }
}

impl fmt::Display for RefusedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is left out: {}", self.number, self.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_told() {
        let mut some = Refused::default();
        (1..=150).for_each(|number| some.add(number, "why"));
        let mut all = Refused::default();
        all.add(7, "else");
        all.add_all(some, |number| number + 10);
        assert_eq!((all.count, all.first.len()), (151, TOLD_MAX));
        assert_eq!(all.first[0].to_string(), "line 7 is left out: else");
        assert_eq!(all.first[1].to_string(), "line 11 is left out: why");
    }

    #[test]
    fn those_that_are_told_are_the_first_in_whatever_order_they_come() {
        let mut refused = Refused::default();
        (101..=250).rev().for_each(|number| refused.add(number, "late"));
        let mut others = Refused::default();
        (1..=50).for_each(|number| others.add(number, "early"));
        refused.add_all(others, |number| number * 2);
        assert_eq!(refused.count, 200);
        let told: Vec<_> = refused.first.iter().map(|line| line.number).collect();
        let first: Vec<_> = (1..=50).map(|number| number * 2).chain(101..=150).collect();
        assert_eq!(told, first);
    }
}
