//! Columns that stand under each other and fit the screen.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::screen::{Screen, Tint};

/// One cell: its text, and what colour it has where there are colours.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell<'a> {
    text: Text<'a>,
    tint: Tint,
    is_number: bool,
    is_path: bool,
}

#[derive(Clone, Debug)]
enum Text<'a> {
    Plain(Cow<'a, str>),
    /// A number takes no memory of its own: a table of ten thousand rows has thirty thousand of them.
    Number(Short),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Plain(Cow::Borrowed(""))
    }
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Number(short) => short.as_str(),
        }
    }
}

/// A few letters, such as a number has.
#[derive(Clone, Copy, Debug, Default)]
struct Short {
    letters: [u8; 23],
    length: u8,
}

impl Short {
    fn as_str(&self) -> &str {
        let written = self.letters.get(..usize::from(self.length));
        written.and_then(|letters| str::from_utf8(letters).ok()).unwrap_or("")
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let begin = usize::from(self.length);
        let end = begin + text.len();
        let room = self.letters.get_mut(begin..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = u8::try_from(end).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

impl<'a> Cell<'a> {
    pub(super) fn tinted(text: impl Into<Cow<'a, str>>, tint: Tint) -> Self {
        Self {
            text: Text::Plain(text.into()),
            tint,
            ..Self::default()
        }
    }

    /// Where something stands in the tree.
    pub(super) fn path(path: &'a str) -> Self {
        Self {
            is_path: true,
            ..path.into()
        }
    }

    /// A number, or `-` where there is none.
    pub(super) fn number<N: fmt::Display>(number: Option<N>) -> Self {
        let written = |number: N| {
            let mut short = Short::default();
            match write!(short, "{number}") {
                Ok(()) => Text::Number(short),
                Err(fmt::Error) => Text::Plain(number.to_string().into()),
            }
        };
        Self {
            text: number.map_or(Text::Plain(Cow::Borrowed("-")), written),
            is_number: true,
            ..Self::default()
        }
    }
}

impl<'a, S: Into<Cow<'a, str>>> From<S> for Cell<'a> {
    fn from(text: S) -> Self {
        Self::tinted(text, Tint::Plain)
    }
}

const GAP: usize = 2;
/// No column of text is made narrower than this to fit; columns of numbers are never cut.
const LEAST: usize = 8;
/// As long as there is something to leave out, the first column keeps so much, by which rows are told apart; others keep this.
const FIRST_ENOUGH: usize = 20;
const ENOUGH: usize = 12;

/// The columns of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<const COUNT: usize> {
    pub(super) heads: [&'static str; COUNT],
    /// Which to leave out where the screen is too narrow, the first of them first.
    pub(super) spare: &'static [&'static str],
}

/// Writes rows under their heads. Where they are wider than the screen, the widest column is cut, and what is spare is left out.
///
/// Rows are made twice, to be measured and to be written: of ten thousand, to keep them takes longer.
pub(super) fn table<'a, const COUNT: usize>(
    screen: &Screen,
    columns: Columns<COUNT>,
    rows: impl Iterator<Item = [Cell<'a>; COUNT]> + Clone,
) -> String {
    let head = columns.heads.map(|word| Cell::tinted(word, Tint::Faint));
    let lines = std::iter::once(head).chain(rows);
    let mut fitting = Fitting::of(lines.clone());
    let mut spare = columns.spare.iter();
    while !fitting.fits(screen.width()) {
        let Some(name) = spare.next() else { break };
        fitting.leave_out(columns.heads.iter().position(|head| head == name));
    }
    let mut text = String::new();
    for line in lines {
        write(&mut text, screen, &line, &fitting);
    }
    text
}

/// How wide the columns are, and which are shown.
struct Fitting<const COUNT: usize> {
    widest: [usize; COUNT],
    has_numbers: [bool; COUNT],
    is_shown: [bool; COUNT],
    widths: [usize; COUNT],
}

impl<const COUNT: usize> Fitting<COUNT> {
    fn of<'a>(lines: impl Iterator<Item = [Cell<'a>; COUNT]>) -> Self {
        let (mut widest, mut has_numbers) = ([0; COUNT], [false; COUNT]);
        for line in lines {
            for ((cell, widest), has_numbers) in line.iter().zip(&mut widest).zip(&mut has_numbers) {
                *widest = length(cell.text.as_str()).max(*widest);
                *has_numbers |= cell.is_number;
            }
        }
        Self {
            widest,
            has_numbers,
            is_shown: [true; COUNT],
            widths: widest,
        }
    }

    fn leave_out(&mut self, column: Option<usize>) {
        if let Some(is_shown) = column.and_then(|column| self.is_shown.get_mut(column)) {
            *is_shown = false;
        }
    }

    /// Makes the columns that are shown as wide as the screen lets them; whether all of them fit and can be told apart.
    fn fits(&mut self, screen: Option<usize>) -> bool {
        self.widths = self.widest;
        let Some(screen) = screen else { return true };
        let mut shown: Vec<_> = self
            .widths
            .iter_mut()
            .zip(&self.has_numbers)
            .zip(&self.is_shown)
            .collect();
        shown.retain(|(_, is_shown)| **is_shown);
        let wanted = shown.iter().map(|((width, _), _)| **width).sum::<usize>();
        let mut beyond = (wanted + GAP * shown.len().saturating_sub(1)).saturating_sub(screen);
        while beyond > 0 {
            let texts = shown.iter_mut().filter(|((_, has_numbers), _)| !**has_numbers);
            let widest = texts.max_by_key(|((width, _), _)| **width);
            let Some(((widest, _), _)) = widest.filter(|((width, _), _)| **width > LEAST) else {
                break;
            };
            **widest -= 1;
            beyond -= 1;
        }
        beyond == 0 && self.is_told_apart()
    }

    fn is_told_apart(&self) -> bool {
        let columns = self.widths.iter().zip(&self.widest).zip(&self.is_shown).enumerate();
        let mut shown = columns.filter(|(_, (_, is_shown))| **is_shown);
        shown.all(|(column, ((width, widest), _))| {
            let enough = if column == 0 { FIRST_ENOUGH } else { ENOUGH };
            *width >= enough.min(*widest)
        })
    }
}

fn write<const COUNT: usize>(text: &mut String, screen: &Screen, line: &[Cell<'_>; COUNT], fitting: &Fitting<COUNT>) {
    let columns = line.iter().zip(&fitting.widths).zip(&fitting.is_shown);
    let mut blank = 0;
    for ((cell, width), _) in columns.filter(|(_, is_shown)| **is_shown) {
        let shown = cut(cell.text.as_str(), *width, cell.is_path);
        let room = width.saturating_sub(length(&shown));
        let (before, behind) = if cell.is_number { (room, 0) } else { (0, room) };
        if !shown.is_empty() {
            indent(text, blank + before);
            screen.write(text, cell.tint, &shown);
            blank = 0;
        }
        blank += if shown.is_empty() { room } else { behind } + GAP;
    }
    text.push('\n');
}

fn indent(text: &mut String, columns: usize) {
    const BLANK: &str = "                                ";
    let mut left = columns;
    while left > 0 {
        let now = left.min(BLANK.len());
        text.push_str(BLANK.get(..now).unwrap_or_default());
        left -= now;
    }
}

fn length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

/// As much as there is room for: of a path its end, by which agents differ.
fn cut(text: &str, width: usize, is_path: bool) -> Cow<'_, str> {
    let beyond = length(text).saturating_sub(width);
    if beyond == 0 {
        text.into()
    } else if is_path {
        let kept: String = text.chars().skip(beyond + 1).collect();
        format!("…{kept}").into()
    } else {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        (kept + "…").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> impl Iterator<Item = [Cell<'static>; 3]> + Clone {
        let rows = [
            [Cell::path("reviewers/echo-1"), Cell::number(Some(7)), "idle".into()],
            [Cell::path("a"), Cell::number(None::<u64>), "backoff".into()],
        ];
        rows.into_iter()
    }

    const COLUMNS: Columns<3> = Columns {
        heads: ["agent", "restarts", "state"],
        spare: &["restarts"],
    };

    #[test]
    fn columns_stand_under_each_other_and_numbers_to_the_right() {
        let text = table(&Screen::plain(None), COLUMNS, rows());
        let expected = "agent             restarts  state\n\
                        reviewers/echo-1         7  idle\n\
                        a                        -  backoff\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_number_however_long_is_written_whole() {
        let long = "9".repeat(60);
        let rows = [[Cell::number(Some(u64::MAX))], [Cell::number(Some(&long))]];
        let columns = Columns {
            heads: ["n"],
            spare: &[],
        };
        let text = table(&Screen::plain(None), columns, rows.into_iter());
        assert!(text.contains(&format!(" {}\n{long}\n", u64::MAX)), "{text}");
    }

    #[test]
    fn what_is_spare_is_left_out_before_what_tells_rows_apart_is_cut() {
        let text = table(&Screen::plain(Some(30)), COLUMNS, rows());
        assert_eq!(
            text,
            "agent             state\nreviewers/echo-1  idle\na                 backoff\n"
        );
    }

    #[test]
    fn of_a_path_that_does_not_fit_the_end_is_kept() {
        let text = table(&Screen::plain(Some(20)), COLUMNS, rows());
        assert!(text.lines().all(|line| line.chars().count() <= 20), "{text}");
        assert!(text.contains("…ers/echo-1  idle"), "{text}");
    }

    #[test]
    fn a_screen_too_narrow_for_anything_still_shows_ends_of_paths() {
        let text = table(&Screen::plain(Some(3)), COLUMNS, rows());
        assert!(text.contains("…/echo-1"), "{text}");
    }
}
