//! What is under a key, whole or its value alone.

use clap::Args;
use triarch_memory::Value;

use super::super::describe::Described;
use super::super::output::{print, print_bytes};
use super::super::screen::{Screen, tame};
use super::super::{answer, reach};
use crate::operations::memory::{EntrySeen, MemoryGet};
use crate::operations::{Code, Trouble};

/// Which entry, and how it is shown.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct Get {
    #[command(flatten)]
    asked: MemoryGet,
    /// Prints the value alone: text and bytes as they were put, anything else as JSON.
    #[arg(long)]
    raw: bool,
}

impl Get {
    pub(super) fn perform(&self, described: &Described, as_json: bool) -> Result<(), Trouble> {
        match (self.raw, as_json) {
            (false, _) => answer(described, &self.asked, as_json),
            (true, true) => {
                let message = "--raw and --json are two ways to show a value";
                Err(Trouble::new(Code::Usage, message, "give one of them"))
            }
            (true, false) => print_value(&reach(described)?.ask(&self.asked)?),
        }
    }
}

fn print_value(entry: &EntrySeen) -> Result<(), Trouble> {
    let screen = Screen::of_stdout();
    let bytes = entry.base64.as_deref().map(Value::parse_base64).transpose();
    match bytes.map_err(Trouble::failed)? {
        Some(Value::Bytes(bytes)) if !screen.is_terminal() => print_bytes(&bytes),
        Some(Value::Bytes(bytes)) => print(&tame(&screen, String::from_utf8_lossy(&bytes).into_owned())),
        _ => print(&tame(&screen, entry.value.written())),
    }
}
