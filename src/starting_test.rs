//! A runtime some of whose agents take their time to start.

use std::ffi::OsString;
use std::process::ExitCode;
use std::thread::JoinHandle;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use triarch_gateway::{Client, OperationError, socket_path};
use triarch_supervision::prelude::*;
use triarch_teams::{Kind, Kinds, Post, Seat, SettingError};

use crate::cli;
use crate::operations::Code;
use crate::share::Shares;

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Differs where an agent is to be replaced.
    #[serde(default)]
    #[expect(dead_code, reason = "that it differs is enough")]
    edition: u32,
}

/// A kind whose agents start while a gate is open.
#[derive(Clone)]
struct Gated(watch::Sender<bool>);

impl Kind for Gated {
    type Settings = Settings;
    type Agent = Visitor;

    fn name(&self) -> &'static str {
        "gated"
    }

    fn about(&self) -> &'static str {
        "Starts while a gate is open."
    }

    fn spec(&self, _seat: Seat<Settings>) -> Result<watch::Receiver<bool>, SettingError> {
        Ok(self.0.subscribe())
    }
}

struct Visitor;

impl Agent for Visitor {
    type Message = Post;
    type Spec = watch::Receiver<bool>;

    async fn start(mut gate: watch::Receiver<bool>, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let _open = gate.wait_for(|is_open| *is_open).await?;
        Ok(Self)
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        post.receipt.done(Value::Null);
        Ok(())
    }
}

/// A runtime with that kind, in a thread of its own.
struct House {
    gate: watch::Sender<bool>,
    folder: tempfile::TempDir,
}

impl House {
    fn new(is_open: bool) -> Self {
        let house = Self {
            gate: watch::Sender::new(is_open),
            folder: tempfile::tempdir().unwrap(),
        };
        house.describe(1);
        house
    }

    fn describe(&self, edition: u32) {
        let state = self.folder.path().join("state");
        let text = format!(
            "[runtime]\nstate_dir = {state:?}\n[gateway]\nhttp = false\n[[team]]\nname = \"crew\"\n[[team.agent]]\n\
             name = \"visitor\"\nkind = \"gated\"\nedition = {edition}\n"
        );
        std::fs::write(self.folder.path().join("triarch.toml"), text).unwrap();
    }

    /// Does what a command line says, with that kind, in a thread of its own.
    #[expect(clippy::disallowed_methods, reason = "a command line takes a thread")]
    fn begin(&self, verb: &[&str]) -> JoinHandle<ExitCode> {
        let file = self.folder.path().join("triarch.toml").into_os_string();
        let line: Vec<OsString> = ["triarch".into(), "--config".into(), file].into();
        let line: Vec<_> = line.into_iter().chain(verb.iter().map(OsString::from)).collect();
        let kinds = Kinds::new().with(Gated(self.gate.clone()));
        std::thread::spawn(move || cli::obey(line, kinds, Shares::default()))
    }

    fn run(&self, verb: &[&str]) -> ExitCode {
        self.begin(verb).join().unwrap()
    }

    fn ask(&self, operation: &str, input: &Value) -> Result<Value, OperationError> {
        let mut client = Client::connect(&socket_path(&self.folder.path().join("state")))?;
        client.request(operation, input, |_| {})
    }

    /// How the agent is, where it can be asked.
    fn state(&self) -> Option<String> {
        let seen = self.ask("agent.show", &json!({ "agent": "crew/visitor" })).ok()?;
        Some(seen["state"].as_str()?.to_owned())
    }

    fn until(&self, state: &str) {
        until(|| self.state().as_deref() == Some(state));
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let looks = (0..3_000).any(|_| {
        std::thread::park_timeout(Duration::from_millis(10));
        is_so()
    });
    assert!(looks, "it did not come to it");
}

#[test]
fn while_agents_start_it_says_who_they_are_refuses_changes_and_can_be_stopped() {
    let house = House::new(false);
    let runtime = house.begin(&["up"]);
    house.until("starting");
    let status = house.ask("status", &json!({})).unwrap();
    assert_eq!(status["agents"]["starting"], 1);
    let how_far = status["troubles"][0].as_str().unwrap();
    assert!(how_far.contains("still starting: 0 of 1 agents"), "{status}");
    let tasks = house.ask("task.stats", &json!({ "at_once": true })).unwrap();
    assert_eq!(tasks["open"], 0, "the live screen shows tasks too");
    let tree = house.ask("tree", &json!({})).unwrap();
    let is_it = |node: &Value| node["path"] == "crew/visitor" && node["state"] == "starting";
    assert!(tree.as_array().unwrap().iter().any(is_it), "{tree}");
    let why = house.ask("why", &json!({ "agent": "crew/visitor" })).unwrap();
    assert_eq!(why["state"], "starting");
    for (operation, input) in [
        ("agent.pause", json!({ "agent": "crew/visitor" })),
        ("reload", json!({})),
    ] {
        let refused = house.ask(operation, &input).unwrap_err();
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (Code::Failed, "the runtime is still starting")
        );
    }
    assert_eq!(house.run(&["down"]), ExitCode::SUCCESS);
    assert_eq!(runtime.join().unwrap(), ExitCode::SUCCESS);
}

#[test]
fn a_pause_while_a_reload_replaces_an_agent_is_kept_for_the_next_start() {
    let house = House::new(true);
    let runtime = house.begin(&["up"]);
    house.until("idle");
    until(|| house.run(&["agent", "resume", "visitor"]) == ExitCode::SUCCESS);
    house.gate.send_replace(false);
    house.describe(2);
    let reload = house.begin(&["reload"]);
    house.until("starting");
    assert_eq!(house.run(&["agent", "pause", "visitor"]), ExitCode::SUCCESS);
    house.gate.send_replace(true);
    assert_eq!(reload.join().unwrap(), ExitCode::SUCCESS);
    house.until("paused");
    assert_eq!(house.ask("status", &json!({})).unwrap()["by_hand"], json!(["1 paused"]));
    assert_eq!(house.run(&["down"]), ExitCode::SUCCESS);
    assert_eq!(runtime.join().unwrap(), ExitCode::SUCCESS);

    let next = house.begin(&["up"]);
    house.until("paused");
    assert_eq!(house.run(&["down"]), ExitCode::SUCCESS);
    assert_eq!(next.join().unwrap(), ExitCode::SUCCESS);
}
