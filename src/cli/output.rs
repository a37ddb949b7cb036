//! Where answers go: to standard output, each of them whole.

use std::io::{self, Write as _};

use serde::Serialize;

use super::screen::Screen;
use super::show::Show;
use crate::operations::{Code, Trouble};

/// Prints data. Where nobody reads it any more the verb ends, and that is no news.
pub(super) fn print(text: &str) -> Result<(), Trouble> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for what may be no text.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Trouble> {
    let mut output = io::stdout().lock();
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.map_err(|error| unwritten(&error))
}

pub(super) fn unwritten(error: &io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Trouble::silent(Code::Failed);
    }
    let message = format!("the output cannot be written: {error}");
    Trouble::new(Code::Failed, message, "see where it goes")
}

/// Prints an answer, for people or as JSON.
pub(super) fn tell<T: Show + Serialize>(answer: &T, as_json: bool) -> Result<(), Trouble> {
    if as_json {
        print_json(answer)
    } else {
        print(&answer.show(&Screen::of_stdout()))
    }
}

pub(super) fn print_json(answer: &impl Serialize) -> Result<(), Trouble> {
    // What is JSON already is laid out as all else is.
    let laid_out = serde_json::to_value(answer).and_then(|answer| serde_json::to_string_pretty(&answer));
    let json = laid_out.map_err(|error| Trouble::failed(error.to_string()))?;
    print(&(json + "\n"))
}
