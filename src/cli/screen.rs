//! Where text goes: how wide it is, and whether it has colours.

use std::io::{self, IsTerminal};

pub(super) use crate::harmless::harmless;
use crate::harmless::harmless_lines;

/// What a text is coloured by. Colour only underlines what words say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tint {
    #[default]
    Plain,
    Faint,
    Good,
    Busy,
    Poor,
    Bad,
}

impl Tint {
    /// The colour of a state of a node.
    pub(super) fn of_state(state: &str) -> Self {
        match state {
            "idle" => Self::Good,
            "busy" => Self::Busy,
            "starting" | "stopping" | "paused" | "backoff" => Self::Poor,
            "failed" => Self::Bad,
            _ => Self::Faint,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Busy => "\u{1b}[36m",
            Self::Poor => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
        }
    }
}

const PLAIN_AGAIN: &str = "\u{1b}[0m";

/// What others wrote does nothing to a terminal; what goes elsewhere goes as it is.
pub(super) fn tame(screen: &Screen, text: String) -> String {
    if screen.is_terminal() {
        harmless_lines(&text)
    } else {
        text
    }
}

/// Where text goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    is_terminal: bool,
    width: Option<usize>,
    has_colours: bool,
}

impl Screen {
    /// The process's standard output.
    pub(super) fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            is_terminal,
            width: width.filter(|_| is_terminal),
            has_colours: is_terminal
                && !is_set("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    #[cfg(test)]
    pub(super) fn plain(width: Option<usize>) -> Self {
        Self {
            is_terminal: false,
            width,
            has_colours: false,
        }
    }

    #[cfg(test)]
    pub(super) fn terminal() -> Self {
        Self {
            is_terminal: true,
            ..Self::plain(None)
        }
    }

    #[cfg(test)]
    pub(super) fn coloured(width: Option<usize>) -> Self {
        Self {
            has_colours: true,
            ..Self::plain(width)
        }
    }

    /// Whether somebody looks at it, and what was there can be wiped away.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How many columns there are, where that is known.
    pub(super) fn width(&self) -> Option<usize> {
        self.width
    }

    pub(super) fn tint(&self, tint: Tint, text: &str) -> String {
        let mut tinted = String::new();
        self.write(&mut tinted, tint, text);
        tinted
    }

    /// Writes `text` in its colour behind what is there already.
    pub(super) fn write(&self, behind: &mut String, tint: Tint, text: &str) {
        if !self.has_colours || tint == Tint::Plain || text.is_empty() {
            behind.push_str(text);
        } else {
            behind.extend([tint.code(), text, PLAIN_AGAIN]);
        }
    }
}
