//! Columns that stand under each other and fit the screen.

use std::borrow::Cow;

use super::screen::{Screen, Tint};

/// One cell: its text, and what colour it has where there are colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    text: Cow<'a, str>,
    tint: Tint,
    is_number: bool,
}

impl<'a> Cell<'a> {
    pub(super) fn tinted(text: impl Into<Cow<'a, str>>, tint: Tint) -> Self {
        Self {
            text: text.into(),
            tint,
            is_number: false,
        }
    }

    /// A number, or `-` where there is none.
    pub(super) fn number<N: ToString>(number: Option<N>) -> Self {
        Self {
            text: number.map_or(Cow::Borrowed("-"), |number| number.to_string().into()),
            tint: Tint::Plain,
            is_number: true,
        }
    }
}

impl<'a, S: Into<Cow<'a, str>>> From<S> for Cell<'a> {
    fn from(text: S) -> Self {
        Self::tinted(text, Tint::Plain)
    }
}

const GAP: usize = 2;
/// No column is made narrower than this to fit.
const LEAST: usize = 8;

/// Writes rows under a head. Where they are wider than the screen, the widest column is cut.
pub(super) fn table<'a, const COLUMNS: usize>(
    screen: &Screen,
    head: [&'a str; COLUMNS],
    rows: impl Iterator<Item = [Cell<'a>; COLUMNS]>,
) -> String {
    let head = head.map(|word| Cell::tinted(word, Tint::Faint));
    let lines: Vec<_> = std::iter::once(head).chain(rows).collect();
    let widths = widths(&lines, screen.width());
    let mut text = String::new();
    for line in &lines {
        write(&mut text, screen, line, &widths);
    }
    text
}

fn widths<const COLUMNS: usize>(lines: &[[Cell<'_>; COLUMNS]], screen: Option<usize>) -> [usize; COLUMNS] {
    let mut widths = [0; COLUMNS];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = length(&cell.text).max(*width);
        }
    }
    let Some(screen) = screen else { return widths };
    let mut beyond = (widths.iter().sum::<usize>() + GAP * COLUMNS.saturating_sub(1)).saturating_sub(screen);
    while beyond > 0 {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > LEAST) else {
            break;
        };
        *widest -= 1;
        beyond -= 1;
    }
    widths
}

fn write(text: &mut String, screen: &Screen, line: &[Cell<'_>], widths: &[usize]) {
    for (number, (cell, width)) in line.iter().zip(widths).enumerate() {
        let is_last = number + 1 == line.len();
        let shown = cut(&cell.text, *width);
        let room = width.saturating_sub(length(&shown));
        if cell.is_number {
            indent(text, room);
        }
        screen.write(text, cell.tint, &shown);
        if !is_last {
            indent(text, GAP + if cell.is_number { 0 } else { room });
        }
    }
    text.push('\n');
}

fn indent(text: &mut String, columns: usize) {
    text.extend(std::iter::repeat_n(' ', columns));
}

fn length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if length(text) <= width {
        return text.into();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    (kept + "…").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> impl Iterator<Item = [Cell<'static>; 3]> {
        let rows = [
            ["reviewers/echo-1".into(), Cell::number(Some(7)), "idle".into()],
            ["a".into(), Cell::number(None::<u64>), "backoff".into()],
        ];
        rows.into_iter()
    }

    #[test]
    fn columns_stand_under_each_other_and_numbers_to_the_right() {
        let text = table(&Screen::plain(None), ["agent", "restarts", "state"], rows());
        let expected = "agent             restarts  state\n\
                        reviewers/echo-1         7  idle\n\
                        a                        -  backoff\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wider_than_the_screen_is_cut_where_it_is_widest() {
        let text = table(&Screen::plain(Some(30)), ["agent", "restarts", "state"], rows());
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.contains("reviewers/…"), "{text}");
    }

    #[test]
    fn a_screen_too_narrow_for_anything_still_shows_beginnings() {
        let text = table(&Screen::plain(Some(3)), ["agent", "restarts", "state"], rows());
        assert!(text.contains("reviewe…"), "{text}");
    }
}
