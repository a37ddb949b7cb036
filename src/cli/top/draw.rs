//! The live screen, drawn.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::view::{BANDS, Row as Seen, View};
use crate::cli::show::{counted, span};

const KEYS: &str = "q leave  / filter  p path  h handled/s  d depth  r restarts  ↑↓ scroll";
const HEAD: [&str; 7] = ["path", "state", "life", "restarts", "handled/s", "mailbox", "oldest"];
const WIDTHS: [u16; 7] = [24, 9, 6, 8, 10, 12, 12];
/// Which columns a narrow terminal is without, the first of them first: a figure that is cut off would be another.
const SPARE: [usize; 6] = [6, 2, 3, 4, 5, 1];

pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    let head_lines = head(view);
    let [head, bands, rows, foot] = Layout::vertical([
        Constraint::Length(u16::try_from(head_lines.len()).unwrap_or(u16::MAX)),
        Constraint::Length(2),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_lines(frame, head, head_lines);
    draw_lines(frame, bands, vec![depths(view), tasks(view)]);
    draw_rows(frame, rows, view);
    draw_lines(frame, foot, vec![foot_line(view)]);
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    let lines: Vec<_> = lines.into_iter().map(|line| fitted(line, area.width)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// What of a line there is room for, in whole words, with a mark where some are missing: a figure that is cut off would be another.
fn fitted(line: Line<'static>, width: u16) -> Line<'static> {
    const MARK: &str = "…";
    let room = usize::from(width);
    if line.width() <= room {
        return line;
    }
    let (mut left, mut shown) = (room.saturating_sub(MARK.chars().count()), Vec::new());
    'line: for span in line.spans {
        for word in span.content.split_inclusive(' ') {
            let word = Span::styled(word.to_owned(), span.style);
            let Some(less) = left.checked_sub(word.width()) else {
                break 'line;
            };
            left = less;
            shown.push(word);
        }
    }
    shown.push(Span::raw(MARK));
    Line::from(shown)
}

fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// The runtime in figures; where something is wrong a line for that, whatever else there is room for.
fn head(view: &View) -> Vec<Line<'static>> {
    let Some(status) = &view.status else {
        return vec![Line::default(); 2];
    };
    let agents: Vec<_> = status
        .agents
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let first = format!(
        "triarch {}, up for {}, {}, agents: {}",
        status.version,
        span(status.up_for_ms),
        counted(status.teams as u64, "team"),
        agents.join(", ")
    );
    let rate = view.rate().map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let second = format!(
        "handled/s {rate}, restarts {}, dead letters: {} of mailboxes, {} of the bus",
        status.restarts, status.dead_letters, status.bus_dead_letters
    );
    let mut lines = vec![Line::from(first), Line::from(second)];
    if let Some(first) = status.troubles.first() {
        let told = match status.troubles.len() {
            1 => first.clone(),
            many => format!("{many} troubles, the first: {first}"),
        };
        lines.push(Line::from(Span::styled(told, Style::new().fg(Color::Red))));
    }
    lines
}

fn depths(view: &View) -> Line<'static> {
    let counts = view.bands();
    let mut spans = vec![Span::styled("mailboxes by depth  ", faint())];
    for ((label, _), count) in BANDS.iter().zip(counts) {
        spans.push(Span::raw(format!("{label}: {count}  ")));
    }
    Line::from(spans)
}

fn tasks(view: &View) -> Line<'static> {
    let Some(tasks) = &view.tasks else {
        let away = "no answer from their queue; `triarch why work/queue` tells more";
        return Line::from(vec![Span::styled("tasks  ", faint()), Span::raw(away)]);
    };
    let oldest = tasks
        .oldest_ready_ms
        .map_or_else(String::new, |age| format!(", the oldest ready for {}", span(age)));
    Line::from(vec![
        Span::styled("tasks  ", faint()),
        Span::raw(format!(
            "{} open, {} with agents{oldest}; {} done, {} dead",
            tasks.open, tasks.leased, tasks.done, tasks.dead
        )),
    ])
}

fn draw_rows(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let shown = view.shown();
    let rows = shown
        .iter()
        .skip(view.top)
        .take(usize::from(area.height))
        .map(|row| drawn(row));
    let columns = columns(area.width);
    let rows = rows.map(|cells| Row::new(only(&columns, cells)));
    let head = Row::new(only(&columns, HEAD)).style(faint());
    let widths = columns.iter().map(|column| match column {
        0 => Constraint::Min(1),
        other => Constraint::Length(WIDTHS[*other]),
    });
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

/// The columns that there is room for, the path first.
fn columns(width: u16) -> Vec<usize> {
    let mut columns: Vec<_> = (0..WIDTHS.len()).collect();
    for spare in SPARE {
        let needed: u16 = columns.iter().map(|column| WIDTHS[*column] + 1).sum();
        if needed <= width + 1 {
            break;
        }
        columns.retain(|column| *column != spare);
    }
    columns
}

fn only<T, const N: usize>(columns: &[usize], all: [T; N]) -> impl Iterator<Item = T> {
    let numbered = all.into_iter().enumerate();
    numbered
        .filter(|(column, _)| columns.contains(column))
        .map(|(_, cell)| cell)
}

fn drawn(seen: &Seen) -> [Cell<'static>; 7] {
    let node = &seen.node;
    let indent = "  ".repeat(usize::from(node.level.saturating_sub(1)));
    let mailbox = node.mailbox.map_or_else(
        || "-".to_owned(),
        |mailbox| format!("{}/{}", mailbox.depth, mailbox.capacity),
    );
    let oldest = node
        .mailbox
        .and_then(|mailbox| mailbox.oldest_age_ms)
        .map_or_else(|| "-".to_owned(), span);
    [
        Cell::from(format!("{indent}{}", node.path)),
        Cell::from(node.standing().into_owned()).style(colour(node.tinted_as())),
        Cell::from(node.incarnation.to_string()),
        Cell::from(node.restarts.to_string()),
        Cell::from(seen.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))),
        Cell::from(mailbox),
        Cell::from(oldest),
    ]
}

fn colour(state: &str) -> Style {
    Style::new().fg(match state {
        "idle" => Color::Green,
        "busy" => Color::Cyan,
        "failed" => Color::Red,
        "stopped" => Color::DarkGray,
        _ => Color::Yellow,
    })
}

fn foot_line(view: &View) -> Line<'static> {
    if view.is_typing {
        return Line::from(format!("filter: {}_  (enter keeps it, esc drops it)", view.filter));
    }
    let filter = match view.filter.as_str() {
        "" => String::new(),
        filter => format!("filter: {filter} (esc drops it)  "),
    };
    Line::from(vec![
        Span::raw(filter),
        Span::styled(KEYS, faint()),
        Span::raw(format!("  by {}", view.sort.label())),
    ])
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::view::tests::view;
    use super::*;

    fn screen(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_screen_shows_the_runtime_the_depths_the_rows_and_the_keys() {
        let mut seen = view();
        assert!(screen(&seen, 100, 9)[3].starts_with("tasks  no answer"));
        seen.tasks = Some(crate::cli::samples::task_stats());
        let lines = screen(&seen, 100, 9);
        assert_eq!(lines[0], "triarch 0.1.0, up for 3.0 s, 1 team, agents: 2 idle");
        assert_eq!(
            lines[1],
            "handled/s 101, restarts 3, dead letters: 0 of mailboxes, 2 of the bus"
        );
        assert!(
            lines[2].starts_with("mailboxes by depth  0: 1  1-9: 0  10-99: 1"),
            "{lines:#?}"
        );
        assert_eq!(
            lines[3],
            "tasks  3 open, 1 with agents, the oldest ready for 1.2 s; 9997 done, 2 dead"
        );
        assert!(lines[5].contains("a/slow") && lines[5].contains("0/1024"), "{lines:#?}");
        assert!(lines[6].contains("a/quick") && lines[6].contains("100.0"), "{lines:#?}");
        assert!(lines[8].starts_with("q leave  / filter"), "{lines:#?}");
    }

    #[test]
    fn a_narrow_screen_has_fewer_columns_and_no_figure_that_is_cut_off() {
        for (width, head) in [
            (87, "path state life restarts handled/s mailbox oldest"),
            (86, "path state life restarts handled/s mailbox"),
            (60, "path state handled/s mailbox"),
            (50, "path state mailbox"),
            (30, "path"),
        ] {
            let lines = screen(&view(), width, 9);
            assert_eq!(
                lines[4].split_whitespace().collect::<Vec<_>>().join(" "),
                head,
                "{width}"
            );
            let is_whole = |line: &&String| line.contains("0/1024");
            assert!(width == 30 || lines.iter().any(|line| is_whole(&line)), "{lines:#?}");
        }
    }

    #[test]
    fn a_narrow_screen_cuts_lines_at_whole_words_with_a_mark_and_shows_what_is_wrong() {
        let mut seen = view();
        let status = seen.status.as_mut().unwrap();
        status.troubles = ["crew/a is in state failed", "crew/b is in state failed"]
            .map(str::to_owned)
            .to_vec();
        let lines = screen(&seen, 60, 9);
        assert_eq!(lines[1], "handled/s 101, restarts 3, dead letters: 0 of mailboxes, 2 …");
        assert_eq!(lines[2], "2 troubles, the first: crew/a is in state failed");
        assert_eq!(lines[3], "mailboxes by depth  0: 1  1-9: 0  10-99: 1  100-999: 0  …");
        assert_eq!(screen(&seen, 20, 9)[3], "mailboxes by depth …");
    }

    #[test]
    fn the_keys_are_shown_beside_a_filter_that_is_kept() {
        let mut view = view();
        view.filter = "slow".to_owned();
        let lines = screen(&view, 120, 9);
        assert!(
            lines[8].starts_with("filter: slow (esc drops it)  q leave  / filter"),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_small_screen_is_no_reason_to_panic() {
        for (width, height) in [(1, 1), (10, 2), (40, 3), (300, 60)] {
            screen(&view(), width, height);
        }
    }
}
