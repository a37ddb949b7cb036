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
    view.tasks = unless_away(runtime.ask(&TaskStats { at_once: true }))?;
    Ok(())
}

/// What a room has to show; nothing where it is away for a while, which is when people look at all the others.
fn unless_away<T>(asked: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    match asked {
        Err(trouble) if matches!(trouble.code, Code::NotRunning | Code::RuntimeFailed) => Err(trouble),
        asked => Ok(asked.ok()),
    }
}

fn no_terminal(error: &io::Error) -> Trouble {
    Trouble::new(
        Code::Failed,
        format!("the terminal cannot be drawn on: {error}"),
        "run it in a terminal, or use `triarch tree --watch`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_is_away_leaves_the_screen_standing_and_a_runtime_that_is_gone_does_not() {
        let trouble = |code| Err::<u32, _>(Trouble::new(code, "no answer", "ask again"));
        assert_eq!(unless_away(Ok(7)), Ok(Some(7)));
        assert_eq!(unless_away(trouble(Code::Failed)), Ok(None));
        for code in [Code::NotRunning, Code::RuntimeFailed] {
            assert_eq!(unless_away(trouble(code)).unwrap_err().code, code);
        }
    }
}
