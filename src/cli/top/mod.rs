//! The tree on a live screen.

mod draw;
mod view;

use std::io;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::ask::Connection;
use crate::operations::{Code, Status, TaskStats, TreeShown, Trouble};
use view::{Flow, View};

/// Shows the tree until somebody has seen enough.
pub(super) fn run(runtime: &mut Connection, every: Duration) -> Result<(), Trouble> {
    let mut view = View::default();
    look(runtime, &mut view)?;
    let mut terminal = ratatui::try_init().map_err(|error| no_terminal(&error))?;
    let shown = show(&mut terminal, runtime, &mut view, every);
    ratatui::restore();
    shown
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    runtime: &mut Connection,
    view: &mut View,
    every: Duration,
) -> Result<(), Trouble> {
    let mut next = Instant::now() + every;
    loop {
        terminal
            .draw(|frame| draw::draw(frame, view))
            .map_err(|error| no_terminal(&error))?;
        let rest = next.saturating_duration_since(Instant::now());
        if event::poll(rest).map_err(|error| no_terminal(&error))? {
            let event = event::read().map_err(|error| no_terminal(&error))?;
            if let Event::Key(key) = event
                && key.kind != KeyEventKind::Release
                && view.press(key) == Flow::Leave
            {
                return Ok(());
            }
        } else {
            look(runtime, view)?;
            next = Instant::now() + every;
        }
    }
}

fn look(runtime: &mut Connection, view: &mut View) -> Result<(), Trouble> {
    let status = runtime.ask(&Status::default())?;
    let nodes = runtime.ask(&TreeShown { path: None, rows: true })?;
    view.see(status, nodes.into_seen());
    view.tasks = Some(runtime.ask(&TaskStats::default())?);
    Ok(())
}

fn no_terminal(error: &io::Error) -> Trouble {
    Trouble::new(
        Code::Failed,
        format!("the terminal cannot be drawn on: {error}"),
        "run it in a terminal, or use `triarch tree --watch`",
    )
}
