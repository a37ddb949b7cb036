//! The texts that were read: the file first, then variables of the environment; and a look at a place in them.
//!
//! The caret is drawn here rather than by a crate for diagnostics: it is one line with a mark below it, and what such
//! crates add beside colours is a width table for characters that no key has.

use std::ops::Range;

use super::above::{Standing, standing};
use super::error::{ConfigError, ConfigErrors, Fault, Spot, SpotOrigin};
use super::node::Place;
use super::secret::{HIDDEN, without_secrets, without_value};
use super::show::Origin;

/// What was read, each text under its number.
#[derive(Clone, Debug)]
pub(super) struct Texts(Vec<Text>);

#[derive(Clone, Debug)]
struct Text {
    name: String,
    is_variable: bool,
    content: String,
}

/// The longest part of a line that is shown, in characters.
const SHOWN_MAX: usize = 160;
/// How much is shown before the caret where the line is longer.
const BEFORE: usize = 60;

impl Texts {
    pub(super) fn of_file(name: String, text: String) -> Self {
        Self(vec![Text {
            name,
            is_variable: false,
            content: text,
        }])
    }

    pub(super) fn file(&self) -> &str {
        self.0.first().map_or("", |text| &text.content)
    }

    /// Adds a variable of the environment; returns its number, and where its name and its value stand.
    pub(super) fn add_variable(&mut self, name: &str, value: &str) -> (Place, Place) {
        let text = self.0.len();
        let line = format!("{name}={value}");
        let place = |range| Place { text, range };
        let places = (place(0..name.len()), place(name.len() + 1..line.len()));
        self.0.push(Text {
            name: name.to_owned(),
            is_variable: true,
            content: line,
        });
        places
    }

    /// The variable that a place lies in, where it does not lie in the file.
    pub(super) fn variable(&self, place: &Place) -> Option<&str> {
        let text = self.0.get(place.text).filter(|text| text.is_variable);
        text.map(|text| text.name.as_str())
    }

    /// What stands at `place`, as it is written.
    pub(super) fn written(&self, place: &Place) -> &str {
        let text = self
            .0
            .get(place.text)
            .and_then(|text| text.content.get(place.range.clone()));
        text.unwrap_or_default()
    }

    /// Where a value that stands at `place` comes from.
    pub(super) fn origin(&self, place: &Place) -> Origin {
        match self.0.get(place.text) {
            Some(text) if text.is_variable => Origin::Environment {
                variable: text.name.clone(),
            },
            Some(text) => Origin::File {
                name: text.name.clone(),
                line: number(&text.content, place.range.start),
            },
            None => Origin::Default,
        }
    }

    /// The faults as a person is shown them, in the order of their lines, each once.
    ///
    /// Of more than `most` the first are told: of very many each is the consequence of another, and nobody reads them.
    pub(super) fn told(&self, mut faults: Vec<Fault>, most: usize) -> ConfigErrors {
        faults.sort_by_key(|fault| (fault.place.text, fault.place.range.start));
        let untold = faults.len().saturating_sub(most);
        faults.truncate(most);
        let mut errors: Vec<_> = faults.into_iter().map(|fault| self.error(fault)).collect();
        errors.dedup();
        errors.extend((untold > 0).then(|| ConfigError {
            spot: None,
            problem: format!("{untold} more things are wrong"),
            other: None,
            remedy: "see to these first".to_owned(),
        }));
        ConfigErrors(errors)
    }

    fn error(&self, fault: Fault) -> ConfigError {
        ConfigError {
            spot: self.spot(&fault.place, fault.is_secret),
            problem: fault.problem,
            other: fault
                .other
                .and_then(|(what, place)| Some((what, self.spot(&place, fault.is_secret)?))),
            remedy: fault.remedy,
        }
    }

    fn spot(&self, place: &Place, is_secret: bool) -> Option<Spot> {
        let text = self.0.get(place.text)?;
        let line = Line::around(&text.content, &place.range, is_secret);
        let origin = if text.is_variable {
            SpotOrigin::Environment {
                variable: text.name.clone(),
            }
        } else {
            SpotOrigin::File {
                name: text.name.clone(),
                line: line.number,
                column: line.column,
            }
        };
        let number = (!text.is_variable).then_some(line.number);
        Some(Spot {
            origin,
            excerpt: line.excerpt(number),
        })
    }
}

/// The line that a place begins in.
struct Line {
    number: usize,
    column: usize,
    /// As it is shown: nothing that moves a terminal's cursor, no secrets.
    shown: Vec<char>,
    /// How many of the characters shown stand before the caret.
    before: usize,
    /// How many belong to it, within this line.
    marked: usize,
}

impl Line {
    fn around(text: &str, range: &Range<usize>, is_secret: bool) -> Self {
        let start = floor(text, range.start);
        let end = floor(text, range.end.max(start));
        let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let finish = text[start..].find('\n').map_or(text.len(), |at| at + start);
        let line = &text[begin..finish];
        let line = line.trim_end_matches('\r');
        let (shown, hidden) = match standing(&text[..begin], line) {
            Standing::Within => (HIDDEN.to_owned(), Some(0)),
            Standing::Open if !is_secret => without_secrets(line),
            Standing::Open | Standing::Below => without_value(line),
        };
        let shown: Vec<_> = shown.chars().map(printable).collect();
        let column = text[begin..start].chars().count();
        let marked = text[start..end.min(finish)].trim_end().chars().count();
        let is_hidden = |from: &usize| *from == 0 || (column > 0 && column + 1 >= *from);
        let (before, marked) = match hidden.filter(is_hidden) {
            Some(from) => (from, shown.len() - from),
            None => (column.min(shown.len()), marked),
        };
        Self {
            number: number(text, start),
            column: column + 1,
            marked: marked.min(shown.len() - before).max(1),
            shown,
            before,
        }
    }

    fn excerpt(&self, number: Option<usize>) -> String {
        let number = number.map_or_else(String::new, |number| number.to_string());
        let margin = " ".repeat(number.len());
        let from = if self.shown.len() > SHOWN_MAX {
            self.before.saturating_sub(BEFORE)
        } else {
            0
        };
        let to = self.shown.len().min(from + SHOWN_MAX);
        let cut = |is_cut: bool| if is_cut { "…" } else { "" };
        let line: String = self.shown[from..to].iter().collect();
        let blank: String = self.shown[from..self.before]
            .iter()
            .map(|c| if *c == '\t' { '\t' } else { ' ' })
            .collect();
        let blank = format!("{}{blank}", " ".repeat(cut(from > 0).chars().count()));
        let caret = "^".repeat(self.marked.min(SHOWN_MAX));
        let line = format!("{}{line}{}", cut(from > 0), cut(to < self.shown.len()));
        let line = format!("  {number} | {line}");
        format!("{}\n  {margin} | {blank}{caret}", line.trim_end())
    }
}

/// The number of the line that `at` is in, from 1.
fn number(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn printable(c: char) -> char {
    let is_unseen = c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    if is_unseen && c != '\t' { '\u{fffd}' } else { c }
}

/// The nearest boundary of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, range: Range<usize>) -> String {
        let line = Line::around(text, &range, false);
        line.excerpt(Some(line.number))
    }

    #[test]
    fn the_caret_stands_under_what_it_is_about() {
        assert_eq!(excerpt("a = 1\nbc = 22\n", 11..13), "  2 | bc = 22\n    |      ^^");
        assert_eq!(excerpt("\té = 1", 1..3), "  1 | \té = 1\n    | \t^");
        assert_eq!(excerpt("a = [\r\n1]\r\n", 4..8), "  1 | a = [\n    |     ^");
        assert_eq!(excerpt("", 0..0), "  1 |\n    | ^");
        assert_eq!(excerpt("a = ", 99..100), "  1 | a =\n    |     ^");
    }

    #[test]
    fn a_long_line_is_shown_around_the_caret() {
        let text = format!("{}=7{}", "k".repeat(300), " ".repeat(10) + &"#".repeat(300));
        let shown = excerpt(&text, 301..302);
        let (line, caret) = shown.split_once('\n').unwrap();
        assert!(
            line.chars().count() < SHOWN_MAX + 10 && line.starts_with("  1 | …k") && line.ends_with('…'),
            "{line}"
        );
        assert_eq!(line.find('7').map(|at| line[..at].chars().count()), caret.find('^'));
    }

    #[test]
    fn nothing_shown_moves_the_cursor_of_a_terminal() {
        assert_eq!(excerpt("a = \"\u{1b}[2J\"", 0..1), "  1 | a = \"\u{fffd}[2J\"\n    | ^");
    }

    #[test]
    fn a_secret_is_not_shown_wherever_the_caret_stands() {
        let shown = excerpt("token = \"abcdefghijklmnop\"", 8..26);
        assert_eq!(shown, "  1 | token = (hidden)\n    |         ^^^^^^^^");
        let text = "[a.\"secrets\".b]\nKEY = hush\n";
        assert_eq!(excerpt(text, 22..26), "  2 | KEY = (hidden)\n    |       ^^^^^^^^");
        let text = "token = \"\"\"\nhush = 1\n\"\"\"";
        assert_eq!(excerpt(text, 19..23), "  2 | (hidden)\n    | ^^^^^^^^");
        let line = Line::around("a = [\nhush,\n]", &(6..10), true);
        assert_eq!(line.excerpt(Some(line.number)), "  2 | (hidden)\n    | ^^^^^^^^");
    }
}
