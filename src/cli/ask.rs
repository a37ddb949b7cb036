//! Asks the runtime through its socket, and prints what it answers.

use std::path::Path;

use serde_json::Value;
use triarch_gateway::{Client, OperationError, socket_path};

use super::screen::Screen;
use super::show::Show;
use crate::operations::{Operation, Trouble};
use crate::up::{complain, print};

/// The way to the runtime of a state folder.
pub(super) struct Connection {
    client: Client,
}

impl Connection {
    pub(super) fn of(state_dir: &Path) -> Result<Self, Trouble> {
        let client = Client::connect(&socket_path(state_dir)).map_err(OperationError::from)?;
        Ok(Self { client })
    }

    pub(super) fn ask<O: Operation>(&mut self, operation: &O) -> Result<O::Output, Trouble> {
        self.ask_told(operation, |progress| tell_of_wait(&progress))
    }

    /// Asks, and hands on how far it is.
    pub(super) fn ask_told<O: Operation>(
        &mut self,
        operation: &O,
        told: impl FnMut(Value),
    ) -> Result<O::Output, Trouble> {
        Ok(self.client.request(O::NAME, operation, told)?)
    }
}

/// Says whom the runtime lets go first.
fn tell_of_wait(progress: &Value) {
    if let Some(first) = progress.get("waits_for").and_then(Value::as_str) {
        complain(&format!("waits for its turn: `{first}` is at work"));
    }
}

/// Prints an answer, for people or as JSON.
pub(super) fn tell<T: Show + serde::Serialize>(answer: &T, as_json: bool) -> Result<(), Trouble> {
    if as_json {
        let json = serde_json::to_string_pretty(answer).map_err(|error| Trouble::failed(error.to_string()))?;
        print(&(json + "\n"));
    } else {
        print(&answer.show(&Screen::of_stdout()));
    }
    Ok(())
}
