//! A connection to the socket of a runtime, for one question after the other.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::house::Running;
use crate::processes::PATIENCE;

pub(crate) struct Caller(BufReader<UnixStream>);

impl Caller {
    pub(crate) fn of(running: &Running) -> Self {
        let stream = UnixStream::connect(running.state().join("triarch.sock")).expect("the socket is there");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a stream can be bounded");
        Self(BufReader::new(stream))
    }

    /// Asks, and waits for nothing.
    pub(crate) fn send(&mut self, operation: &str, input: &Value) {
        let line = json!({ "operation": operation, "input": input }).to_string() + "\n";
        let sent = self.0.get_mut().write_all(line.as_bytes());
        sent.expect("the runtime hears");
    }

    /// The end of the answer to what was asked: what came of it, or why nothing did.
    pub(crate) fn hear(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).expect("the runtime answers");
            assert!(read > 0, "the runtime broke off");
            let mut answer: Value = serde_json::from_str(&line).expect("the runtime answers in JSON");
            if let Some(output) = answer.get_mut("output") {
                return Ok(output.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(error.to_string());
            }
        }
    }

    pub(crate) fn ask(&mut self, operation: &str, input: &Value) -> Result<Value, String> {
        self.send(operation, input);
        self.hear()
    }

    /// The same of what cannot fail where all is well.
    pub(crate) fn done(&mut self, operation: &str, input: &Value) -> Value {
        let done = self.ask(operation, input);
        done.unwrap_or_else(|why| panic!("{operation} {input} failed: {why}"))
    }
}
