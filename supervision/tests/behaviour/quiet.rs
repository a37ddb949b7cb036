//! What a panic writes on standard error, seen from outside the process.

use std::env;
use std::panic::catch_unwind;
use std::process::Command;

use triarch_supervision::prelude::*;

use crate::agents::{Log, Say, Script, Start, one, puppet, scripted};
use crate::patience::{node_until, soon};

/// Set in the process that panics.
const PANICS: &str = "TRIARCH_TEST_PANICS";

/// Agents panic in a handler and in a start, then somebody who is no agent does.
async fn panic_in_turn() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    address.send(Say::Panic).await.unwrap();
    assert_eq!(soon("the next life answers", address.ask(Say::Life)).await, Ok(2));
    let team = tree.observer().supervisor("team").unwrap();
    let fails = scripted("b", Script::new(&log).start(Start::Panics));
    assert!(team.start_child(fails).await.is_err());
    let node = node_until(&tree, "team/a", |node| node.restarts == 1).await;
    assert!(matches!(node.last_exit, Some(ExitReason::Panic(_))), "{node:?}");
    assert!(catch_unwind(|| panic!("nobody's agent panics")).is_err());
    tree.stop().await;
}

#[tokio::test]
async fn a_panic_of_an_agent_prints_nothing_whoever_wants_its_backtrace() {
    if env::var_os(PANICS).is_some() {
        return panic_in_turn().await;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    let this = "quiet::a_panic_of_an_agent_prints_nothing_whoever_wants_its_backtrace";
    command.args([this, "--exact", "--nocapture", "--test-threads=1"]);
    let output = command.env(PANICS, "1").env("RUST_BACKTRACE", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("nobody's agent panics"), "{said}");
    assert_eq!(said.matches("panicked at").count(), 1, "{said}");
    assert_eq!(said.matches("stack backtrace").count(), 1, "{said}");
}
