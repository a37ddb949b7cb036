//! Asks the runtime through its socket.

use std::path::Path;

use serde_json::Value;
use triarch_gateway::{Answer, Client, OperationError, socket_path};

use crate::complaint::complain;
use crate::operations::{Operation, Status, Trouble};

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
        self.ask_told(operation, |progress| {
            tell_of_wait(&progress);
            Ok(())
        })
    }

    /// Nobody waits without a limit for a runtime that hangs: it answers a question first that it has nothing to do for.
    fn is_there(&mut self) -> Result<(), Trouble> {
        self.ask(&Status {}).map(drop)
    }

    /// Asks, and hands on how far it is, until that is in vain.
    pub(super) fn ask_told<O: Operation>(
        &mut self,
        operation: &O,
        mut told: impl FnMut(Value) -> Result<(), Trouble>,
    ) -> Result<O::Output, Trouble> {
        if operation.answered_within().is_none() {
            self.is_there()?;
        }
        let client = &mut self.client;
        client
            .wait_at_most(operation.answered_within())
            .map_err(OperationError::from)?;
        client.ask(O::NAME, operation).map_err(OperationError::from)?;
        let mut parts = Vec::new();
        loop {
            match client.answer().map_err(OperationError::from)? {
                Answer::Progress(progress) => told(progress)?,
                Answer::Part(part) => parts.push(part),
                Answer::Output(rest) => return Ok(O::joined(parts, rest)),
                Answer::Error(error) => return Err(error.into()),
            }
        }
    }
}

/// Says whom the runtime lets go first.
fn tell_of_wait(progress: &Value) {
    if let Some(first) = progress.get("waits_for").and_then(Value::as_str) {
        complain(&format!("waits for its turn: `{first}` is at work"));
    }
}
