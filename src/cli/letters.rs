//! Dead letters of mailboxes, as people read them.

use super::screen::{Screen, harmless};
use super::show::{Show, ago};
use super::table::{Cell, Columns, table};
use crate::operations::LetterSeen;

impl Show for Vec<LetterSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        table(screen, LETTERS, self.iter().map(letter))
    }
}

const LETTERS: Columns<5> = Columns {
    heads: ["to", "number", "when", "message", "why"],
    spare: &["message", "number"],
};

fn letter(letter: &LetterSeen) -> [Cell<'_>; 5] {
    let (_, message) = letter.message.rsplit_once("::").unwrap_or(("", &letter.message));
    let cause = letter.cause.as_ref();
    let cause = cause.map_or_else(String::new, |cause| format!(": it {}", harmless(cause)));
    [
        Cell::path(&letter.to),
        Cell::number(Some(letter.letter)),
        Cell::number(Some(ago(letter.ago_ms))),
        message.into(),
        format!("{}{cause}", letter.reason).into(),
    ]
}
