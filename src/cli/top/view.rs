//! What the live screen shows: a machine that is fed what was seen and what was pressed.

use std::cmp::Reverse;
use std::collections::HashMap;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::operations::{NodeSeen, StatsShown, StatusShown};

/// What follows a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Stay,
    Leave,
}

/// By what the rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Path,
    Rate,
    Depth,
    Restarts,
}

impl Sort {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Rate => "rate",
            Self::Depth => "depth",
            Self::Restarts => "restarts",
        }
    }
}

/// One row: a node, and how many posts it handles a second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) node: NodeSeen,
    /// Unknown until it was seen twice.
    pub(super) rate: Option<f64>,
}

/// How many mailboxes are how deep.
pub(super) const BANDS: [(&str, u64); 5] = [("0", 0), ("1-9", 1), ("10-99", 10), ("100-999", 100), ("1000+", 1000)];

#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) status: Option<StatusShown>,
    pub(super) tasks: Option<StatsShown>,
    rows: Vec<Row>,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// The filter is being written.
    pub(super) is_typing: bool,
    pub(super) top: usize,
}

impl View {
    /// The runtime was looked at. Its own clock says how much time has passed since the last look.
    pub(super) fn see(&mut self, status: StatusShown, nodes: Vec<NodeSeen>) {
        let before = self.status.as_ref().map(|status| status.up_for_ms);
        let elapsed = before
            .and_then(|before| status.up_for_ms.checked_sub(before))
            .filter(|elapsed| *elapsed > 0);
        let handled: HashMap<_, _> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.node.path.as_str(), row.node.mailbox?.handled)))
            .collect();
        let rate = |node: &NodeSeen| {
            let more = node.mailbox?.handled.checked_sub(*handled.get(node.path.as_str())?)?;
            Some(as_float(more) * 1000.0 / as_float(elapsed?))
        };
        let rows = nodes
            .into_iter()
            .map(|node| Row {
                rate: rate(&node),
                node,
            })
            .collect();
        self.rows = rows;
        self.status = Some(status);
        self.keep_in_sight();
    }

    /// Of rows that there are one is always shown.
    fn keep_in_sight(&mut self) {
        self.top = self.top.min(self.shown().len().saturating_sub(1));
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent) -> Flow {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Flow::Leave;
        }
        if self.is_typing {
            self.write(key.code);
            return Flow::Stay;
        }
        match key.code {
            KeyCode::Char('q') => return Flow::Leave,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('p') => self.sort = Sort::Path,
            KeyCode::Char('h') => self.sort = Sort::Rate,
            KeyCode::Char('d') => self.sort = Sort::Depth,
            KeyCode::Char('r') => self.sort = Sort::Restarts,
            KeyCode::Down => self.top += 1,
            KeyCode::Up => self.top = self.top.saturating_sub(1),
            KeyCode::PageDown => self.top += 10,
            KeyCode::PageUp => self.top = self.top.saturating_sub(10),
            KeyCode::Home => self.top = 0,
            _ => {}
        }
        self.keep_in_sight();
        Flow::Stay
    }

    fn write(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
        self.top = 0;
    }

    /// The rows that the filter lets through, in their order.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let is_wanted = |row: &&Row| row.node.path.contains(&self.filter) || row.node.state.contains(&self.filter);
        let mut rows: Vec<_> = self.rows.iter().filter(is_wanted).collect();
        match self.sort {
            Sort::Path => {}
            Sort::Rate => rows.sort_by(|one, other| other.rate.unwrap_or(-1.0).total_cmp(&one.rate.unwrap_or(-1.0))),
            Sort::Depth => rows.sort_by_key(|row| Reverse(depth(row))),
            Sort::Restarts => rows.sort_by_key(|row| Reverse(row.node.restarts)),
        }
        rows
    }

    /// How many mailboxes lie in each of [`BANDS`].
    pub(super) fn bands(&self) -> [usize; BANDS.len()] {
        let mut counts = [0; BANDS.len()];
        for depth in self
            .rows
            .iter()
            .filter_map(|row| row.node.mailbox)
            .map(|mailbox| mailbox.depth)
        {
            let band = BANDS.iter().rposition(|(_, least)| depth >= *least).unwrap_or(0);
            counts[band] += 1;
        }
        counts
    }

    /// What all agents together handle a second.
    pub(super) fn rate(&self) -> Option<f64> {
        let rates: Vec<_> = self.rows.iter().filter_map(|row| row.rate).collect();
        (!rates.is_empty()).then(|| rates.iter().sum())
    }
}

pub(super) fn depth(row: &Row) -> u64 {
    row.node.mailbox.map_or(0, |mailbox| mailbox.depth)
}

#[expect(clippy::cast_precision_loss, reason = "a rate on a screen has few digits")]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::operations::MailboxSeen;

    pub(crate) fn status(up_for_ms: u64) -> StatusShown {
        StatusShown {
            version: "0.1.0".to_owned(),
            pid: 7,
            up_for_ms,
            state_dir: "/state".to_owned(),
            listen: "127.0.0.1:7117".to_owned(),
            described_in: "the demo".to_owned(),
            teams: 1,
            agents: [("idle".to_owned(), 2)].into(),
            restarts: 3,
            dead_letters: 0,
            bus_dead_letters: 2,
            posts_handled: 10,
            troubles: Vec::new(),
            by_hand: Vec::new(),
        }
    }

    pub(crate) fn agent(path: &str, depth: u64, handled: u64, restarts: u64) -> NodeSeen {
        NodeSeen {
            path: path.to_owned(),
            level: 3,
            kind: "native".into(),
            state: "idle".into(),
            incarnation: restarts + 1,
            restarts,
            pid: None,
            mailbox: Some(MailboxSeen {
                depth,
                capacity: 1024,
                high_water: depth,
                oldest_age_ms: None,
                enqueued: handled,
                handled,
                failed: 0,
                dropped: 0,
            }),
            children_count: 0,
            tasks: 0,
            posts: 0,
        }
    }

    pub(crate) fn view() -> View {
        let mut view = View::default();
        view.see(
            status(1000),
            vec![agent("a/slow", 0, 10, 5), agent("a/quick", 12, 100, 0)],
        );
        view.see(
            status(3000),
            vec![agent("a/slow", 0, 12, 5), agent("a/quick", 12, 300, 0)],
        );
        view
    }

    fn press(view: &mut View, keys: &[KeyCode]) -> Flow {
        let pressed = keys.iter().map(|code| view.press(KeyEvent::from(*code)));
        pressed.last().unwrap_or(Flow::Stay)
    }

    fn paths(view: &View) -> Vec<&str> {
        view.shown().iter().map(|row| row.node.path.as_str()).collect()
    }

    #[test]
    fn a_rate_is_known_from_the_second_look() {
        let mut fresh = View::default();
        fresh.see(status(1000), vec![agent("a/b", 0, 10, 0)]);
        assert_eq!(fresh.rate(), None);
        let view = view();
        let rates: Vec<_> = view.shown().iter().map(|row| row.rate).collect();
        assert_eq!(rates, [Some(1.0), Some(100.0)]);
        assert_eq!(view.rate(), Some(101.0));
    }

    #[test]
    fn an_agent_that_counts_anew_has_no_rate_until_the_next_look() {
        let mut view = view();
        view.see(status(4000), vec![agent("a/slow", 0, 1, 0)]);
        assert_eq!(view.shown()[0].rate, None);
    }

    #[test]
    fn keys_sort_and_filter() {
        let mut view = view();
        press(&mut view, &[KeyCode::Char('h')]);
        assert_eq!(paths(&view), ["a/quick", "a/slow"]);
        press(&mut view, &[KeyCode::Char('r')]);
        assert_eq!(paths(&view), ["a/slow", "a/quick"]);
        press(&mut view, &[KeyCode::Char('d')]);
        assert_eq!(paths(&view), ["a/quick", "a/slow"]);
        press(&mut view, &[KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Char('u')]);
        assert_eq!(paths(&view), ["a/quick"], "q is a letter while one types");
        press(&mut view, &[KeyCode::Esc]);
        assert_eq!(paths(&view).len(), 2);
        assert_eq!(press(&mut view, &[KeyCode::Char('q')]), Flow::Leave);
    }

    #[test]
    fn one_cannot_scroll_beyond_the_last_row() {
        let mut view = view();
        press(&mut view, &[KeyCode::PageDown, KeyCode::Down]);
        assert_eq!(view.top, 1);
        press(&mut view, &[KeyCode::Up, KeyCode::Up]);
        assert_eq!(view.top, 0);
    }

    #[test]
    fn where_most_rows_have_gone_the_others_are_shown_however_far_one_had_scrolled() {
        let agents = |count: u64| {
            (0..count)
                .map(|number| agent(&format!("a/{number:02}"), 0, 0, 0))
                .collect()
        };
        let mut view = View::default();
        view.see(status(1000), agents(60));
        press(&mut view, &[KeyCode::PageDown; 5]);
        assert_eq!(view.top, 50);
        view.see(status(2000), agents(3));
        assert!(view.top < view.shown().len(), "{}", view.top);
    }

    #[test]
    fn mailboxes_are_counted_by_depth() {
        assert_eq!(view().bands(), [1, 0, 1, 0, 0]);
    }
}
