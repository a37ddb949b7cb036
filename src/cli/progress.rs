//! A line that shows how far something is, on standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::Value;
use triarch_supervision::clock::Moment;

use crate::complaint::complain;

/// How wide the bar itself is.
const WIDTH: usize = 30;
/// How often it is told to whoever cannot see a line change.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// How far something is, for whoever looks on.
#[derive(Debug)]
pub(super) struct Bar {
    /// What so many of so many are, and did.
    what: &'static str,
    is_drawn: bool,
    begun: Option<Moment>,
    told: Option<Moment>,
}

impl Bar {
    /// Of so many of so many `what`.
    pub(super) fn of(what: &'static str) -> Self {
        Self {
            what,
            is_drawn: false,
            begun: None,
            told: None,
        }
    }

    /// It is as far as `progress` says.
    pub(super) fn show(&mut self, progress: &Value) {
        let number = |key: &str| progress.get(key).and_then(Value::as_u64);
        let (Some(ended), Some(of)) = (number("ended"), number("of")) else {
            return;
        };
        let now = Moment::now();
        let begun = *self.begun.get_or_insert(now);
        let text = drawn(ended, of, self.what, now.since(begun));
        if io::stderr().is_terminal() {
            self.is_drawn = true;
            // What cannot be shown is no reason to wait no more.
            let _unseen = write!(io::stderr().lock(), "\r\u{1b}[K{text}");
        } else if now.since(*self.told.get_or_insert(now)) >= TOLD_EVERY {
            self.told = Some(now);
            complain(&format!("{ended} of {of} {}", self.what));
        }
    }

    /// Leaves the line as it was.
    pub(super) fn wipe(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _unseen = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn drawn(ended: u64, of: u64, what: &str, taken: Duration) -> String {
    let done = usize::try_from(ended * WIDTH as u64 / of.max(1)).map_or(WIDTH, |done| done.min(WIDTH));
    let percent = ended * 100 / of.max(1);
    let left = if ended == 0 || ended >= of {
        String::new()
    } else {
        let seconds = taken.as_secs() * (of - ended) / ended;
        format!(", about {} left", crate::operations::span(seconds * 1_000))
    };
    format!(
        "{}{} {percent} %: {ended} of {of} {what}{left}",
        "█".repeat(done),
        "░".repeat(WIDTH - done)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_it_is_far() {
        let text = drawn(500, 1_000, "tasks have ended", Duration::from_secs(30));
        assert_eq!(
            text,
            "███████████████░░░░░░░░░░░░░░░ 50 %: 500 of 1000 tasks have ended, about 30.0 s left"
        );
        assert!(drawn(0, 0, "", Duration::ZERO).contains("0 of 0"));
        assert!(!drawn(7, 7, "", Duration::from_secs(1)).contains("left"));
    }
}
