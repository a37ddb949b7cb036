//! The settings that are in force, and where each of them comes from.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::load::Loaded;
use super::node::{Node, Step};
use super::schema::{Schema, properties};
use super::secret::{self, HIDDEN, is_secret_way};
use super::words::{key, path, toml};

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of a file.
    File {
        /// Its name.
        name: String,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}

/// One setting as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownSetting {
    /// The way to it: `team[0].agent[1].mailbox.capacity`.
    pub path: String,
    /// Its value, or that it is hidden.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    #[serde(skip)]
    way: Vec<Step>,
}

/// All settings that are in force. Written out, they are a description that says the same, but for its secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Shown {
    /// The settings, in the order of the tree.
    pub settings: Vec<ShownSetting>,
}

impl Loaded {
    /// The settings that are in force, with the defaults that kinds tell of theirs; secrets are hidden.
    pub fn show(&self) -> Shown {
        let mut value = serde_json::to_value(&self.config).unwrap_or_default();
        let teams = value.get_mut("team").and_then(Value::as_array_mut);
        let agents = teams
            .into_iter()
            .flatten()
            .filter_map(|team| team.get_mut("agent")?.as_array_mut())
            .flatten();
        agents.for_each(|agent| add_defaults(agent, Schema(&self.schema)));
        let mut shown = Shown { settings: Vec::new() };
        self.collect(&mut Vec::new(), &value, Some(&self.tree), &mut shown);
        shown
    }

    fn collect(&self, way: &mut Vec<Step>, value: &Value, node: Option<&Node>, shown: &mut Shown) {
        let below = |step: Step, value: &Value, way: &mut Vec<Step>, shown: &mut Shown| {
            let node = node.and_then(|node| node.step(&step));
            way.push(step);
            self.collect(way, value, node, shown);
            way.pop();
        };
        // What nobody set, or set to nothing, is no secret.
        let is_hidden = node.is_some() && is_secret_way(way) && !is_nothing(value);
        match value {
            Value::Null => {}
            Value::Object(entries) if !entries.is_empty() && !is_hidden => {
                for (key, value) in leaves_first(entries) {
                    below(Step::Key(key.clone()), value, way, shown);
                }
            }
            Value::Array(values) if is_list_of_tables(way) => {
                for (index, value) in values.iter().enumerate() {
                    below(Step::Index(index), value, way, shown);
                }
            }
            _ => shown.settings.push(ShownSetting {
                path: path(way),
                value: if is_hidden { HIDDEN.into() } else { secret::shown(value) },
                origin: node.map_or(Origin::Default, |node| self.texts.origin(&node.place)),
                way: way.clone(),
            }),
        }
    }
}

/// What stands under the header of its own comes last, or the rest would belong to it.
fn leaves_first(entries: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let is_list = |key: &str| LISTS.contains(&key);
    let (lists, leaves): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|(key, value)| is_list(key) && value.is_array());
    leaves.into_iter().chain(lists)
}

/// The keys of tables that are written one after the other under headers.
const LISTS: [&str; 2] = ["team", "agent"];

fn is_list_of_tables(way: &[Step]) -> bool {
    let is = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
    match way {
        [team] => is(team, "team"),
        [team, Step::Index(_), agent] => is(team, "team") && is(agent, "agent"),
        _ => false,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(entries) => entries.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// What the kind of an agent sets where nobody else does.
fn add_defaults(agent: &mut Value, schema: Schema<'_>) {
    let kind = agent.get("kind").and_then(Value::as_str);
    let variant = kind.and_then(|kind| schema.kind(kind));
    let Some(agent) = agent.as_object_mut() else { return };
    for (key, part) in variant.into_iter().flat_map(properties) {
        if let Some(default) = part.get("default").filter(|default| !default.is_null()) {
            agent.entry(key).or_insert_with(|| default.clone());
        }
    }
}

impl Shown {
    /// The settings nested as they are, beside the origin of each by its path.
    pub fn to_json(&self) -> Value {
        let mut config = Value::Object(Map::new());
        for setting in &self.settings {
            put(&mut config, &setting.way, setting.value.clone());
        }
        let origins = self
            .settings
            .iter()
            .map(|setting| (setting.path.clone(), json!(setting.origin)));
        json!({ "config": config, "origins": origins.collect::<Map<_, _>>() })
    }
}

fn put(target: &mut Value, way: &[Step], value: Value) {
    match way.split_first() {
        None => *target = value,
        Some((Step::Key(key), rest)) => {
            if !target.is_object() {
                *target = json!({});
            }
            if let Some(entries) = target.as_object_mut() {
                put(entries.entry(key).or_insert(Value::Null), rest, value);
            }
        }
        Some((Step::Index(index), rest)) => {
            if !target.is_array() {
                *target = json!([]);
            }
            if let Some(values) = target.as_array_mut() {
                values.resize(values.len().max(index + 1), Value::Null);
                put(&mut values[*index], rest, value);
            }
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut above: &[Step] = &[];
        for setting in &self.settings {
            let (table, keys) = split(&setting.way);
            if table != above {
                let gap = if above.is_empty() { "" } else { "\n" };
                writeln!(f, "{gap}{}", super::words::header(table).unwrap_or_default())?;
                above = table;
            }
            let keys: Vec<_> = keys.iter().filter_map(named).collect();
            writeln!(f, "{} = {}  # {}", keys.join("."), toml(&setting.value), setting.origin)?;
        }
        Ok(())
    }
}

/// The table under whose header a setting stands, and its keys within it.
fn split(way: &[Step]) -> (&[Step], &[Step]) {
    let after_index = way
        .iter()
        .rposition(|step| matches!(step, Step::Index(_)))
        .map(|at| at + 1);
    way.split_at(after_index.unwrap_or(1).min(way.len().saturating_sub(1)))
}

fn named(step: &Step) -> Option<String> {
    match step {
        Step::Key(name) => Some(key(name)),
        Step::Index(_) => None,
    }
}
