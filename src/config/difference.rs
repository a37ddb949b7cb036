//! Which settings outside teams change where one description takes the place of another, and when that counts.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::sections::Config;
use super::words::toml;

/// Which settings outside teams change where one description takes the place of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// What a runtime takes up while it runs.
    pub live: Vec<Setting>,
    /// What it takes up when it is started again.
    pub needs_restart: Vec<Setting>,
}

/// A setting with its old and its new value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The way to it: `runtime.span`.
    pub key: String,
    /// What it was.
    pub from: Value,
    /// What it is to be.
    pub to: Value,
}

impl Config {
    /// Takes up the settings of `new` that a runtime can change while it runs. Teams are another matter.
    pub fn take_up(&mut self, new: &Self) {
        self.runtime.log = new.runtime.log;
        self.runtime.stop_within = new.runtime.stop_within;
        self.telemetry.look_every = new.telemetry.look_every;
        self.telemetry.limits = new.telemetry.limits;
        self.gateway.http_connections = new.gateway.http_connections;
        self.gateway.socket_connections = new.gateway.socket_connections;
    }
}

/// What changes where `new` takes the place of `old`.
pub fn difference(old: &Config, new: &Config) -> Difference {
    let mut taken_up = old.clone();
    taken_up.take_up(new);
    Difference {
        live: settings(old, &taken_up),
        needs_restart: settings(&taken_up, new),
    }
}

/// The keys whose values differ, but for some.
pub(crate) fn changed(old: &impl Serialize, new: &impl Serialize, but: &[&str]) -> Vec<String> {
    let (old, new) = (entries(old), entries(new));
    let differs = |key: &&String| !but.contains(&key.as_str()) && old.get(*key) != new.get(*key);
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    new.keys().chain(gone).filter(differs).cloned().collect()
}

fn entries(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(entries)) => entries,
        _ => Map::new(),
    }
}

/// The settings outside teams that differ.
fn settings(old: &Config, new: &Config) -> Vec<Setting> {
    let flat = |config: &Config| {
        let mut settings = Map::new();
        let mut sections = entries(config);
        sections.remove("team");
        flatten("", &Value::Object(sections), &mut settings);
        settings
    };
    let (old, mut new) = (flat(old), flat(new));
    let pairs = old
        .into_iter()
        .map(|(key, from)| (new.remove(&key).unwrap_or(Value::Null), key, from));
    let mut pairs: Vec<_> = pairs.collect();
    // What was not set before has no place among the old ones.
    pairs.extend(new.into_iter().map(|(key, to)| (to, key, Value::Null)));
    pairs
        .into_iter()
        .filter(|(to, _, from)| to != from)
        .map(|(to, key, from)| Setting { key, from, to })
        .collect()
}

fn flatten(above: &str, value: &Value, settings: &mut Map<String, Value>) {
    match value {
        Value::Object(entries) => {
            let gap = if above.is_empty() { "" } else { "." };
            for (key, value) in entries {
                flatten(&format!("{above}{gap}{key}"), value, settings);
            }
        }
        leaf => drop(settings.insert(above.to_owned(), leaf.clone())),
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.key, toml(&self.from), toml(&self.to))
    }
}
