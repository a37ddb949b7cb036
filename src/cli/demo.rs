//! Starts a runtime with the demo, kills one of its agents, and tells how it recovers.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use triarch_gateway::{Client, OperationError, socket_path};

use super::output::{print, print_json};
use super::show::span;
use crate::operations::{AgentSeen, Code, Sent, Trouble, millis};

/// Whom it kills.
const VICTIM: &str = "demo/worker-1";

/// What came of it, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Recovery {
    pub(super) agent: &'static str,
    pub(super) life_before: u64,
    pub(super) life_after: u64,
    /// From the kill to the answer of the next life.
    pub(super) recovered_ms: u64,
}

/// Tells the story, and takes everything away again.
pub(super) fn run(as_json: bool) -> Result<(), Trouble> {
    let tell = |text: &str| {
        if as_json {
            Ok(())
        } else {
            print(&format!("· {text}\n"))
        }
    };
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    let mut runtime = OwnRuntime::start(folder.path())?;
    tell("a runtime has started, with the built-in demo in a folder of its own")?;
    let before: AgentSeen = runtime.ask("agent.show", &json!({ "agent": VICTIM }))?;
    let sent: Sent = runtime.ask("agent.ask", &json!({ "agent": VICTIM, "body": "are you there?" }))?;
    tell(&format!(
        "{VICTIM} is {}, in its life {}; it answers a post in {}",
        &*before.node.state,
        before.node.incarnation,
        span(sent.took_ms)
    ))?;
    let killed = Instant::now();
    let _killed: AgentSeen = runtime.ask("agent.kill", &json!({ "agent": VICTIM }))?;
    tell("it is killed; its team waits as its backoff says, and its mailbox keeps what comes")?;
    let _answer: Sent = runtime.ask(
        "agent.ask",
        &json!({ "agent": VICTIM, "body": "and now?", "within": "30s" }),
    )?;
    let recovered_ms = millis(killed.elapsed());
    let after: AgentSeen = runtime.ask("agent.show", &json!({ "agent": VICTIM }))?;
    tell(&format!(
        "a post sent while it was down was handled in life {}: recovered {} after the kill",
        after.node.incarnation,
        span(recovered_ms)
    ))?;
    let _stopping: Value = runtime.ask("down", &json!({}))?;
    runtime.gone()?;
    tell("the runtime has stopped; nothing is left of it")?;
    if !as_json {
        return Ok(());
    }
    print_json(&Recovery {
        agent: VICTIM,
        life_before: before.node.incarnation,
        life_after: after.node.incarnation,
        recovered_ms,
    })
}

fn failed(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(Code::Failed, format!("the demo cannot be shown: {error}"), "")
}

/// What it complained of last, which is why it ended.
fn last_complaint(said: &Path) -> String {
    let said = fs::read_to_string(said).unwrap_or_default();
    let complaint = said.rsplit_once("triarch: ").map(|(_, complaint)| complaint.trim_end());
    complaint.unwrap_or("it did not say why").to_owned()
}

/// A runtime of this very binary, gone with the value.
struct OwnRuntime {
    process: Child,
    client: Option<Client>,
}

impl OwnRuntime {
    fn start(folder: &Path) -> Result<Self, Trouble> {
        let state = folder.join("state");
        let binary = std::env::current_exe().map_err(|error| failed(&error))?;
        let said = folder.join("stderr");
        let errors = File::create(&said).map_err(|error| failed(&error))?;
        let process = Command::new(binary)
            .arg("up")
            .current_dir(folder)
            .env("XDG_CONFIG_HOME", folder)
            .env("TRIARCH_RUNTIME__STATE_DIR", &state)
            .env("TRIARCH_GATEWAY__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|error| failed(&error))?;
        let mut runtime = Self { process, client: None };
        runtime.until_it_runs(&said)?;
        let client = Client::connect(&socket_path(&state)).map_err(OperationError::from)?;
        runtime.client = Some(client);
        Ok(runtime)
    }

    /// The last line it says before it runs names the commands to see it with.
    fn until_it_runs(&mut self, said_to: &Path) -> Result<(), Trouble> {
        let said = self.process.stdout.take();
        let mut lines = said
            .into_iter()
            .flat_map(|said| BufReader::new(said).lines().map_while(Result::ok));
        match lines.find(|line| line.contains("triarch top")) {
            Some(_) => Ok(()),
            None => Err(failed(&format!(
                "the runtime did not start: {}",
                last_complaint(said_to)
            ))),
        }
    }

    fn ask<T: DeserializeOwned>(&mut self, operation: &str, input: &Value) -> Result<T, Trouble> {
        let Some(client) = &mut self.client else {
            return Err(failed(&"the runtime has gone"));
        };
        Ok(client.request(operation, input, |_progress| {})?)
    }

    fn gone(mut self) -> Result<(), Trouble> {
        self.client = None;
        let ended = self.process.wait().map_err(|error| failed(&error))?;
        if ended.success() { Ok(()) } else { Err(failed(&ended)) }
    }
}

/// How long a runtime that is left alone has to stop.
const PATIENCE: Duration = Duration::from_secs(10);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        let left_alone = Instant::now();
        if let Some(client) = &mut self.client {
            let _stopping = client.ask("down", &json!({}));
            while matches!(self.process.try_wait(), Ok(None)) && left_alone.elapsed() < PATIENCE {
                super::pause(Duration::from_millis(10));
            }
        }
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}
