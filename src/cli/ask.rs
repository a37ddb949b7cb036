//! Asks the runtime through its socket, and prints what it answers.

use std::path::Path;

use serde_json::Value;
use triarch_gateway::{Client, OperationError, socket_path};

use super::screen::Screen;
use super::show::Show;
use crate::operations::{Operation, Trouble};
use crate::up::print;

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
        self.ask_told(operation, |_progress| {})
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
