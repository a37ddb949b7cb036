//! Whether what is checked is well: a machine that is told how each check went.

use std::num::NonZeroU32;

use serde::Serialize;

/// What is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It was not checked often enough.
    #[default]
    Unknown,
    Up,
    Down,
}

/// What a check changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    WentUp,
    WentDown,
}

/// The state of what is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    /// How many failures in a row mean that it is down.
    limit: NonZeroU32,
    in_a_row: u32,
    state: State,
}

impl Health {
    pub(super) fn new(limit: NonZeroU32) -> Self {
        Self {
            limit,
            in_a_row: 0,
            state: State::Unknown,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn failures_in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// A check went well or not. That it is up when it is first checked changes nothing.
    pub(super) fn checked(&mut self, is_well: bool) -> Option<Change> {
        let before = self.state;
        self.in_a_row = if is_well { 0 } else { self.in_a_row.saturating_add(1) };
        if is_well {
            self.state = State::Up;
        } else if self.in_a_row >= self.limit.get() {
            self.state = State::Down;
        }
        match (before, self.state) {
            (State::Down, State::Up) => Some(Change::WentUp),
            (State::Unknown | State::Up, State::Down) => Some(Change::WentDown),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that went well (`+`) or not (`-`), and what each changed.
    fn story(checks: &str) -> String {
        let mut health = Health::new(NonZeroU32::MIN.saturating_add(2));
        let change = |check| match health.checked(check == '+') {
            None => '.',
            Some(Change::WentUp) => 'u',
            Some(Change::WentDown) => 'd',
        };
        checks.chars().map(change).collect()
    }

    #[test]
    fn only_failures_in_a_row_bring_it_down_and_one_success_up() {
        for (checks, changes) in [
            ("++++", "...."),
            ("--+--+--", "........"),
            ("+---", "...d"),
            ("---", "..d"),
            ("-----+", "..d..u"),
            ("---+---+", "..du..du"),
        ] {
            assert_eq!(story(checks), changes, "{checks}");
        }
    }

    #[test]
    fn it_is_unknown_until_it_is_known() {
        let mut health = Health::new(NonZeroU32::MIN.saturating_add(1));
        assert_eq!(health.state(), State::Unknown);
        health.checked(false);
        assert_eq!((health.state(), health.failures_in_a_row()), (State::Unknown, 1));
        health.checked(false);
        assert_eq!(health.state(), State::Down);
        health.checked(true);
        assert_eq!((health.state(), health.failures_in_a_row()), (State::Up, 0));
    }
}
