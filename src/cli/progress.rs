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

/// What is to be seen of how far something is.
#[derive(Debug, PartialEq)]
enum Sign {
    /// In the place of the line before.
    Line(String),
    /// As one more line.
    Words(String),
}

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
        match self.sign(progress, Moment::now(), io::stderr().is_terminal()) {
            Some(Sign::Line(text)) => {
                // What cannot be shown is no reason to wait no more.
                let _unseen = write!(io::stderr().lock(), "\r\u{1b}[K{text}");
            }
            Some(Sign::Words(text)) => complain(&text),
            None => {}
        }
    }

    /// What is to be seen of it by now.
    fn sign(&mut self, progress: &Value, now: Moment, is_terminal: bool) -> Option<Sign> {
        let number = |key: &str| progress.get(key).and_then(Value::as_u64);
        let (ended, of) = (number("ended")?, number("of")?);
        let begun = *self.begun.get_or_insert(now);
        if is_terminal {
            self.is_drawn = true;
            return Some(Sign::Line(drawn(ended, of, self.what, now.since(begun))));
        }
        let is_due = now.since(*self.told.get_or_insert(now)) >= TOLD_EVERY;
        is_due.then(|| {
            self.told = Some(now);
            Sign::Words(format!("{ended} of {of} {}", self.what))
        })
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_terminal_sees_each_step_and_whoever_cannot_see_a_line_change_is_told_every_five_seconds() {
        let now = Moment::now();
        let at = |ended: u64| json!({ "ended": ended, "of": 10 });
        let (mut seen, mut told) = (Bar::of("done"), Bar::of("done"));
        for (after, ended, words) in [
            (0, 0, None),
            (4_999, 1, None),
            (5_000, 2, Some("2 of 10 done")),
            (9_999, 3, None),
            (10_000, 10, Some("10 of 10 done")),
        ] {
            let taken = Duration::from_millis(after);
            let line = Sign::Line(drawn(ended, 10, "done", taken));
            assert_eq!(seen.sign(&at(ended), now + taken, true), Some(line));
            let words = words.map(|words| Sign::Words(words.to_owned()));
            assert_eq!(told.sign(&at(ended), now + taken, false), words, "after {after} ms");
        }
        assert!(seen.is_drawn && !told.is_drawn, "there is a line to be wiped");
        seen.wipe();
        assert!(!seen.is_drawn);
    }

    #[test]
    fn of_what_tells_nothing_of_how_far_it_is_nothing_is_shown() {
        let mut bar = Bar::of("done");
        for progress in [
            json!({ "ended": 1 }),
            json!({ "of": 1 }),
            json!({ "in_vain": "no agent" }),
            json!(7),
        ] {
            assert_eq!(bar.sign(&progress, Moment::now(), true), None, "{progress}");
        }
        bar.show(&json!({ "in_vain": "no agent" }));
        assert!(!bar.is_drawn && bar.begun.is_none());
    }

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
