//! The defaults as a person sees them, and those that keep a fleet safe.

use super::*;
use crate::committed::assert_committed;

/// What has to be said, and nothing else.
const LEAST: &str = "[[team]]\nname = \"a\"\n[[team.agent]]\nname = \"b\"\nkind = \"program\"\ncommand = [\"true\"]\n";

fn defaults() -> Loaded {
    load(&source(LEAST), &natives(), []).unwrap()
}

#[test]
fn every_default_is_the_one_that_is_committed() {
    assert_committed("tests/snapshots/defaults.txt", &format!("{}\n", defaults().show()));
}

#[test]
fn every_default_is_safe() {
    let loaded = defaults();
    let config = &loaded.config;
    assert!(config.gateway.listen.ip().is_loopback(), "other machines reach it");
    assert!(!config.gateway.insecure, "nothing asks for other machines");
    assert!(config.gateway.hosts.is_empty(), "no other site is answered");
    assert!(
        (1..=1024).contains(&config.gateway.http_connections),
        "connections are bounded"
    );
    assert!(
        (1..=1024).contains(&config.gateway.socket_connections),
        "connections are bounded"
    );
    assert!(
        config.runtime.state_dir.starts_with("~/"),
        "it is the user's own: {}",
        config.runtime.state_dir
    );
    assert!(
        config.programs.clone().validated().is_ok() && config.programs.log_files > 0,
        "logs are bounded"
    );
    let shown: std::collections::BTreeMap<_, _> = loaded
        .show()
        .settings
        .into_iter()
        .map(|setting| (setting.path, setting.value))
        .collect();
    for (setting, safe) in [
        ("sandbox.kind", serde_json::json!("standard")),
        ("inherit", serde_json::json!(["PATH", "HOME", "LANG", "TERM", "USER"])),
        ("line_max", serde_json::json!("1MiB")),
        ("unanswered_max", serde_json::json!(1024)),
        ("mailbox.capacity", serde_json::json!(1024)),
        ("mailbox.overflow", serde_json::json!("wait")),
        ("shutdown", serde_json::json!("5s")),
        ("on_limit", serde_json::json!("quarantine")),
    ] {
        let found = shown
            .iter()
            .find(|(path, _)| path.ends_with(&format!(".agent[0].{setting}")));
        assert_eq!(
            found.map(|(_, value)| value),
            Some(&safe),
            "{setting} of {:?}",
            shown.keys()
        );
    }
}
