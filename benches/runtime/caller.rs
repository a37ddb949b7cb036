//! A connection to the socket of a runtime.

use serde_json::Value;
use triarch_gateway::{Client, socket_path};

use crate::house::Running;
use crate::processes::PATIENCE;

pub(crate) struct Caller(pub(crate) Client);

impl Caller {
    pub(crate) fn of(running: &Running) -> Self {
        let mut client = Client::connect(&socket_path(&running.state())).expect("the socket is there");
        client.wait_at_most(Some(PATIENCE)).expect("a stream can be bounded");
        Self(client)
    }

    /// What came of it, or why nothing did.
    pub(crate) fn ask(&mut self, operation: &str, input: &Value) -> Result<Value, String> {
        let outcome = self.0.request(operation, input, |_| {});
        outcome.map_err(|error| error.to_string())
    }

    /// The same of what cannot fail where all is well.
    pub(crate) fn done(&mut self, operation: &str, input: &Value) -> Value {
        let done = self.ask(operation, input);
        done.unwrap_or_else(|why| panic!("{operation} {input} failed: {why}"))
    }
}
