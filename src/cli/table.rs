//! Columns that stand under each other and fit the screen.

use super::screen::{Screen, Tint};

/// One cell: its text, and what colour it has where there are colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
    is_number: bool,
}

impl Cell {
    pub(super) fn tinted(text: impl Into<String>, tint: Tint) -> Self {
        Self {
            text: text.into(),
            tint,
            is_number: false,
        }
    }

    /// A number, or `-` where there is none.
    pub(super) fn number<N: ToString>(number: Option<N>) -> Self {
        Self {
            text: number.map_or_else(|| "-".to_owned(), |number| number.to_string()),
            tint: Tint::Plain,
            is_number: true,
        }
    }
}

impl<S: Into<String>> From<S> for Cell {
    fn from(text: S) -> Self {
        Self::tinted(text, Tint::Plain)
    }
}

const GAP: usize = 2;
/// No column is made narrower than this to fit.
const LEAST: usize = 8;

/// Writes rows under a head. Where they are wider than the screen, the widest column is cut.
pub(super) fn table(screen: &Screen, head: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let head = head.iter().map(|word| Cell::tinted(*word, Tint::Faint)).collect();
    let lines: Vec<Vec<Cell>> = std::iter::once(head).chain(rows).collect();
    let widths = widths(&lines, screen.width());
    lines.iter().map(|line| written(screen, line, &widths)).collect()
}

fn widths(lines: &[Vec<Cell>], screen: Option<usize>) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let widest = |column| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell: &Cell| length(&cell.text))
            .max()
    };
    let mut widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let Some(screen) = screen else { return widths };
    let mut beyond = (widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1)).saturating_sub(screen);
    while beyond > 0 {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > LEAST) else {
            break;
        };
        *widest -= 1;
        beyond -= 1;
    }
    widths
}

fn written(screen: &Screen, line: &[Cell], widths: &[usize]) -> String {
    let mut text = String::new();
    for (number, (cell, width)) in line.iter().zip(widths).enumerate() {
        let is_last = number + 1 == line.len();
        let shown = cut(&cell.text, *width);
        let room = " ".repeat(width.saturating_sub(length(&shown)));
        let shown = screen.tint(cell.tint, &shown);
        match (cell.is_number, is_last) {
            (true, _) => text.extend([&*room, &shown]),
            (false, true) => text.push_str(&shown),
            (false, false) => text.extend([&*shown, &room]),
        }
        if !is_last {
            text.push_str(&" ".repeat(GAP));
        }
    }
    text.push('\n');
    text
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec!["reviewers/echo-1".into(), Cell::number(Some(7)), "idle".into()],
            vec!["a".into(), Cell::number(None::<u64>), "backoff".into()],
        ]
    }

    #[test]
    fn columns_stand_under_each_other_and_numbers_to_the_right() {
        let text = table(&Screen::plain(None), &["agent", "restarts", "state"], rows());
        let expected = "agent             restarts  state\n\
                        reviewers/echo-1         7  idle\n\
                        a                        -  backoff\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wider_than_the_screen_is_cut_where_it_is_widest() {
        let text = table(&Screen::plain(Some(30)), &["agent", "restarts", "state"], rows());
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
        assert!(text.contains("reviewers/…"), "{text}");
    }

    #[test]
    fn a_screen_too_narrow_for_anything_still_shows_beginnings() {
        let text = table(&Screen::plain(Some(3)), &["agent", "restarts", "state"], rows());
        assert!(text.contains("reviewe…"), "{text}");
    }
}
