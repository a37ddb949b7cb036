//! Whom messages were for that is not there, so that a name that is misspelt shows in the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::clock::Moment;
use triarch_supervision::dead_letter::{DeadLetters, DeadReason};

/// The same is told again after that time at the soonest, with how many there were meanwhile.
const QUIET_FOR: Duration = Duration::from_hours(1);
/// So many lines are written at a time.
const LINES_MAX: usize = 10;
/// Of so many that were told it is known when.
const TOLD_MAX: usize = 256;

/// What of letters to nobody is told.
#[derive(Debug, Default)]
pub(super) struct Strays {
    /// How many there were.
    count: u64,
    /// The last letter that was looked at.
    last: u64,
    told: HashMap<Arc<str>, Told>,
}

#[derive(Debug)]
struct Told {
    at: Moment,
    /// How many since.
    silent: u64,
}

impl Strays {
    /// Those that come from now on: what was before was told, or is not worth a word any more.
    pub(super) fn from_now(letters: &DeadLetters) -> Self {
        Self {
            count: letters.count(DeadReason::NoSuchAgent),
            last: letters.list().last().map_or(0, |letter| letter.number),
            ..Self::default()
        }
    }

    /// The lines of those that are new.
    pub(super) fn look(&mut self, letters: &DeadLetters, now: Moment) -> Vec<String> {
        let count = letters.count(DeadReason::NoSuchAgent);
        if count == self.count {
            return Vec::new();
        }
        self.count = count;
        let (letters, last) = (letters.list(), self.last);
        self.last = letters.last().map_or(last, |letter| letter.number.max(last));
        let new = letters
            .into_iter()
            .filter(|letter| letter.number > last && letter.reason == DeadReason::NoSuchAgent);
        self.lines(new.map(|letter| letter.to), now)
    }

    /// The lines of letters to these.
    fn lines(&mut self, to: impl Iterator<Item = Arc<str>>, now: Moment) -> Vec<String> {
        let mut lines = Vec::new();
        for to in to {
            let Some(silent) = self.is_due(&to, now, lines.len()) else {
                continue;
            };
            let what = match silent {
                0 => "a message was".to_owned(),
                silent => format!("{} messages were", silent + 1),
            };
            lines.push(format!(
                "{what} for {to}, where nobody stands; see whether it is misspelt, and `triarch agent list` for who there is"
            ));
        }
        lines
    }

    /// Whether it is time to tell of it, and how often it was without a word.
    fn is_due(&mut self, to: &Arc<str>, now: Moment, lines: usize) -> Option<u64> {
        let is_known = self.told.contains_key(to);
        if !is_known && self.told.len() >= TOLD_MAX {
            self.told.retain(|_, told| now.since(told.at) < QUIET_FOR);
        }
        if lines >= LINES_MAX || (!is_known && self.told.len() >= TOLD_MAX) {
            return None;
        }
        let Some(told) = self.told.get_mut(to) else {
            self.told.insert(Arc::clone(to), Told { at: now, silent: 0 });
            return Some(0);
        };
        if now.since(told.at) < QUIET_FOR {
            told.silent += 1;
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(strays: &mut Strays, to: &[&str], seconds: u64) -> Vec<String> {
        let to = to.iter().map(|to| Arc::from(*to));
        strays.lines(to, Moment::from_nanos(seconds * 1_000_000_000))
    }

    #[test]
    fn the_same_name_is_told_once_an_hour_with_how_many_letters_there_were() {
        let mut strays = Strays::default();
        let first = lines(&mut strays, &["a/ghost", "a/ghost", "b/ghost"], 1);
        assert_eq!(first.len(), 2, "{first:?}");
        assert!(
            first[0].starts_with("a message was for a/ghost, where nobody stands; "),
            "{first:?}"
        );
        assert!(lines(&mut strays, &["a/ghost"], 3_600).is_empty());
        let again = lines(&mut strays, &["a/ghost"], 3_601);
        assert!(
            again.len() == 1 && again[0].starts_with("3 messages were for a/ghost, "),
            "{again:?}"
        );
    }

    #[test]
    fn of_many_names_a_few_are_told_and_not_all_are_kept() {
        let mut strays = Strays::default();
        for second in 0..100 {
            let ghosts: Vec<_> = (0..20).map(|number| format!("a/{second}-{number}")).collect();
            let ghosts: Vec<_> = ghosts.iter().map(String::as_str).collect();
            let told = lines(&mut strays, &ghosts, second);
            assert!(told.len() <= LINES_MAX, "{told:?}");
        }
        assert_eq!(strays.told.len(), TOLD_MAX);
        assert_eq!(
            lines(&mut strays, &["b/ghost"], 9_999).len(),
            1,
            "those of old make room"
        );
    }
}
