//! The schema of a whole description, with what each kind of agent may set; and reading in it.

use serde_json::{Map, Value, json};
use triarch_teams::Kinds;

use super::sections::Config;

/// The JSON Schema of a whole description, with what agents of these kinds may set.
pub fn schema(kinds: &Kinds) -> Value {
    let mut root = schemars::schema_for!(Config).to_value();
    let mut definitions = take_definitions(&mut root);
    let mut others = Map::new();
    let kinds = kinds.list().map(|(kind, about)| {
        let settings = kinds.schema(kind).map_or_else(|| json!({}), schemars::Schema::to_value);
        variant(kind, about, settings, &mut others)
    });
    let kinds: Vec<_> = kinds.collect();
    if let Some(Value::Object(agent)) = definitions.get_mut("AgentConfig").filter(|_| !kinds.is_empty()) {
        agent.insert("oneOf".to_owned(), Value::Array(kinds));
        agent.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    definitions.extend(others);
    root["$defs"] = Value::Object(definitions);
    root
}

/// An agent of one kind, beside what all agents have.
fn variant(kind: &str, about: &str, mut settings: Value, others: &mut Map<String, Value>) -> Value {
    rename(&mut settings, kind);
    for (name, definition) in take_definitions(&mut settings) {
        others.insert(format!("{kind}.{name}"), definition);
    }
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "const": kind, "description": about }));
    let own = settings.get("properties").and_then(Value::as_object);
    properties.extend(own.cloned().unwrap_or_default());
    let mut variant = Map::new();
    variant.insert("title".to_owned(), kind.into());
    variant.insert("description".to_owned(), about.into());
    variant.insert("properties".to_owned(), Value::Object(properties));
    if let Some(required) = settings.get("required") {
        variant.insert("required".to_owned(), required.clone());
    }
    match settings.get("additionalProperties") {
        Some(Value::Bool(false)) => {}
        Some(others) => drop(variant.insert("additionalProperties".to_owned(), others.clone())),
        // Settings that are no list of keys are left to the kind.
        None if own.is_none() && settings.get("type") != Some(&json!("object")) => {
            variant.insert("additionalProperties".to_owned(), Value::Bool(true));
        }
        None => {}
    }
    Value::Object(variant)
}

/// What the parts of a schema refer to.
fn take_definitions(schema: &mut Value) -> Map<String, Value> {
    match schema.get_mut("$defs").map(Value::take) {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    }
}

/// Puts the name of the kind before all names that its schema refers to.
fn rename(schema: &mut Value, kind: &str) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix(DEFINED) {
                            *target = format!("{DEFINED}{kind}.{name}");
                        }
                    }
                    _ => rename(value, kind),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, kind)),
        _ => {}
    }
}

const DEFINED: &str = "#/$defs/";

/// A schema to read in: the root that its parts refer to.
#[derive(Clone, Copy)]
pub(super) struct Schema<'a>(pub(super) &'a Value);

/// How often a reference may lead to another one.
const REFERENCES_MAX: usize = 16;

impl<'a> Schema<'a> {
    /// What `part` refers to, where it refers to something.
    pub(super) fn resolved(self, part: &'a Value) -> &'a Value {
        let mut part = part;
        for _ in 0..REFERENCES_MAX {
            let name = part
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|target| target.strip_prefix(DEFINED));
            match name.and_then(|name| self.0.get("$defs")?.get(name)) {
                Some(target) => part = target,
                None => break,
            }
        }
        self.only_choice(part)
    }

    /// Of a choice between something and nothing, the something.
    fn only_choice(self, part: &'a Value) -> &'a Value {
        match choices(part).as_slice() {
            [only] => self.resolved(only),
            _ => part,
        }
    }

    /// The keys of which a table has exactly one, where `part` is such a table.
    pub(super) fn single_keys(self, part: &'a Value) -> Option<Vec<&'a str>> {
        let single = |choice: &'a Value| {
            let mut keys = properties(self.resolved(choice)).map(|(key, _)| key);
            keys.next().filter(|_| keys.next().is_none())
        };
        let keys: Vec<_> = choices(part).into_iter().map(single).collect::<Option<_>>()?;
        Some(keys).filter(|keys| !keys.is_empty())
    }

    /// The key whose value tells the choices apart, with the choice for each value.
    pub(super) fn distinction(self, part: &'a Value) -> Option<(&'a str, Vec<(&'a str, &'a Value)>)> {
        let choices = part.get("oneOf")?.as_array()?;
        let value = |choice: &'a Value, key: &str| {
            self.resolved(choice)
                .get("properties")?
                .get(key)?
                .get("const")?
                .as_str()
        };
        let first = self.resolved(choices.first()?).get("properties")?.as_object()?;
        let key = first
            .keys()
            .find(|key| choices.iter().all(|choice| value(choice, key).is_some()))?;
        let choices = choices
            .iter()
            .filter_map(|choice| Some((value(choice, key)?, self.resolved(choice))));
        Some((key, choices.collect()))
    }

    /// What stands under `key` in the table `part`.
    pub(super) fn property(self, part: &'a Value, key: &str) -> Option<&'a Value> {
        self.resolved(part).get("properties")?.get(key)
    }

    /// What an agent of `kind` may set besides what all agents may.
    pub(super) fn kind(self, kind: &str) -> Option<&'a Value> {
        let agent = self.0.get("$defs")?.get("AgentConfig")?;
        let (_, kinds) = self.distinction(agent)?;
        kinds
            .into_iter()
            .find(|(name, _)| *name == kind)
            .map(|(_, variant)| variant)
    }
}

/// What `part` may be one of; there is no null in a description.
pub(super) fn choices(part: &Value) -> Vec<&Value> {
    let list = ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .find_map(|key| part.get(key)?.as_array());
    let is_something = |choice: &&Value| choice.get("type").and_then(Value::as_str) != Some("null");
    if part.get("properties").is_some() {
        return Vec::new();
    }
    list.into_iter().flatten().filter(is_something).collect()
}

/// The entries that a table may have, without those that only some of its choices have.
pub(super) fn properties(part: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = part.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

/// The words that `part` may be, with their meaning, where it may be nothing else.
pub(super) fn words(part: &Value) -> Option<Vec<(&str, &str)>> {
    if let Some(words) = part.get("enum").and_then(Value::as_array) {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).map(|word| (word, "")).collect();
        return Some(words).filter(|words| !words.is_empty());
    }
    let own = part.get("const").map(|_| part);
    let all = choices(part).into_iter().chain(own);
    let words: Option<Vec<_>> = all
        .map(|choice| Some((choice.get("const")?.as_str()?, about(choice))))
        .collect();
    words.filter(|words| !words.is_empty())
}

/// The types that `part` may have.
pub(super) fn types(part: &Value) -> Vec<&str> {
    match part.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| *name != "null")
            .collect(),
        _ if words(part).is_some() => vec!["string"],
        _ if part.get("properties").is_some() => vec!["object"],
        _ => Vec::new(),
    }
}

/// What a part of a schema says of itself.
pub(super) fn about(part: &Value) -> &str {
    part.get("description").and_then(Value::as_str).unwrap_or("")
}

/// The keys without which a table says too little.
pub(super) fn required(part: &Value) -> impl Iterator<Item = &str> {
    let required = part.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str)
}
