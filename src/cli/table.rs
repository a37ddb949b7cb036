//! Columns that stand under each other and fit the screen.

use super::screen::{Screen, Tint};

/// One cell: its text, and what colour it has where there are colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
    is_number: bool,
    is_path: bool,
}

impl Cell {
    pub(super) fn tinted(text: impl Into<String>, tint: Tint) -> Self {
        Self {
            text: text.into(),
            tint,
            ..Self::default()
        }
    }

    /// Where something stands in the tree.
    pub(super) fn path(path: &str) -> Self {
        Self {
            is_path: true,
            ..path.into()
        }
    }

    /// A number, or `-` where there is none.
    pub(super) fn number<N: ToString>(number: Option<N>) -> Self {
        Self {
            text: number.map_or_else(|| "-".to_owned(), |number| number.to_string()),
            is_number: true,
            ..Self::default()
        }
    }
}

impl<S: Into<String>> From<S> for Cell {
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
pub(super) struct Columns {
    pub(super) heads: &'static [&'static str],
    /// Which to leave out where the screen is too narrow, the first of them first.
    pub(super) spare: &'static [&'static str],
}

/// Writes rows under their heads. Where they are wider than the screen, the widest column is cut, and what is spare is left out.
pub(super) fn table(screen: &Screen, columns: Columns, rows: Vec<Vec<Cell>>) -> String {
    let head = columns
        .heads
        .iter()
        .map(|word| Cell::tinted(*word, Tint::Faint))
        .collect();
    let mut lines: Vec<Vec<Cell>> = std::iter::once(head).chain(rows).collect();
    let mut heads = columns.heads.to_vec();
    let mut spare = columns.spare.iter();
    let widths = loop {
        let (widths, fits) = widths(&lines, screen.width());
        let left_out = if fits { None } else { spare.next() };
        let Some(at) = left_out.and_then(|name| heads.iter().position(|head| head == name)) else {
            break widths;
        };
        heads.remove(at);
        for line in &mut lines {
            line.remove(at);
        }
    };
    lines.iter().map(|line| written(screen, line, &widths)).collect()
}

/// How wide each column is, and whether all of them fit and can be told apart.
fn widths(lines: &[Vec<Cell>], screen: Option<usize>) -> (Vec<usize>, bool) {
    let columns = lines.first().map_or(0, Vec::len);
    let cells = |column| lines.iter().filter_map(move |line| line.get(column));
    let widest = |column| cells(column).map(|cell: &Cell| length(&cell.text)).max().unwrap_or(0);
    let is_text = |column| !cells(column).any(|cell| cell.is_number);
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    let Some(screen) = screen else { return (widths, true) };
    let mut beyond = (widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1)).saturating_sub(screen);
    while beyond > 0 {
        let texts = widths.iter_mut().enumerate().filter(|(column, _)| is_text(*column));
        let Some((_, widest)) = texts
            .max_by_key(|(_, width)| **width)
            .filter(|(_, width)| **width > LEAST)
        else {
            break;
        };
        *widest -= 1;
        beyond -= 1;
    }
    let is_enough = |(column, width): (usize, &usize)| {
        let enough = if column == 0 { FIRST_ENOUGH } else { ENOUGH };
        *width >= enough.min(widest(column))
    };
    let is_told_apart = widths.iter().enumerate().all(is_enough);
    (widths, beyond == 0 && is_told_apart)
}

fn written(screen: &Screen, line: &[Cell], widths: &[usize]) -> String {
    let mut text = String::new();
    for (number, (cell, width)) in line.iter().zip(widths).enumerate() {
        let is_last = number + 1 == line.len();
        let shown = cut(&cell.text, *width, cell.is_path);
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
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
    text
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// As much as there is room for: of a path its end, by which agents differ.
fn cut(text: &str, width: usize, is_path: bool) -> String {
    let beyond = length(text).saturating_sub(width);
    if beyond == 0 {
        text.to_owned()
    } else if is_path {
        let kept: String = text.chars().skip(beyond + 1).collect();
        format!("…{kept}")
    } else {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        kept + "…"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::path("reviewers/echo-1"), Cell::number(Some(7)), "idle".into()],
            vec![Cell::path("a"), Cell::number(None::<u64>), "backoff".into()],
        ]
    }

    const COLUMNS: Columns = Columns {
        heads: &["agent", "restarts", "state"],
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
