//! How keys, values and what they may be are put in words.

use serde_json::Value;

use super::node::Step;
use super::schema::{Schema, choices, types, words};

/// How much of a word may be mistyped for it to be recognised: a third, and at least one letter.
const MISTYPED: usize = 3;

/// The known word that was probably meant.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let meant = plain(word);
    let length = meant.chars().count();
    let most = |known: &str| (known.chars().count() / MISTYPED).max(1);
    // No two words are nearer than their lengths, and to find how near long ones are takes long.
    let known = known.filter(|known| known.chars().count().abs_diff(length) <= most(known));
    let distances = known.map(|known| (strsim::damerau_levenshtein(&meant, &plain(known)), known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= most(known)).then_some(known)
}

/// What to write instead of `word`, where `shown` tells how a known one is written.
pub(super) fn instead(word: &str, known: &[&str], shown: impl Fn(&str) -> String) -> String {
    match nearest(word, known.iter().copied()) {
        Some(known) => format!("write {}", shown(known)),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    }
}

/// A key as TOML writes it.
pub(super) fn key(key: &str) -> String {
    let is_bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A value as TOML writes it, in one line.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(toml).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| format!("{} = {}", key(name), toml(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// JSON escapes a text as TOML does, but for one character.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// The way to a setting: `team[0].agent[1].mailbox.capacity`.
pub(super) fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(name) if path.is_empty() => path.push_str(&key(name)),
            Step::Key(name) => path = format!("{path}.{}", key(name)),
            Step::Index(index) => path = format!("{path}[{index}]"),
        }
    }
    path
}

/// The header of the table that the way leads to; nothing for the whole.
pub(super) fn header(steps: &[Step]) -> Option<String> {
    let keys: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Key(name) => Some(key(name)),
            Step::Index(_) => None,
        })
        .collect();
    let keys = keys.join(".");
    match steps.last()? {
        Step::Key(_) => Some(format!("[{keys}]")),
        Step::Index(_) => Some(format!("[[{keys}]]")),
    }
}

/// What `part` may be.
pub(super) fn kind_of<'a>(schema: Schema<'a>, part: &'a Value) -> String {
    let part = schema.resolved(part);
    match part.get("format").and_then(Value::as_str) {
        Some("span") => return "a length of time".to_owned(),
        Some("socket") => return "an address and a port".to_owned(),
        _ => {}
    }
    if let Some(words) = words(part) {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        return words.join(", ");
    }
    let types: Vec<_> = types(part).into_iter().map(|name| noun(schema, part, name)).collect();
    if types.is_empty() {
        if let Some(keys) = schema.single_keys(part) {
            let tables: Vec<_> = keys.iter().map(|name| format!("{{ {} = … }}", key(name))).collect();
            return tables.join(" or ");
        }
        let mut nouns: Vec<_> = choices(part)
            .into_iter()
            .map(|choice| kind_of(schema, choice))
            .collect();
        nouns.dedup();
        return if nouns.is_empty() {
            "anything".to_owned()
        } else {
            nouns.join(" or ")
        };
    }
    types.join(" or ")
}

fn noun<'a>(schema: Schema<'a>, part: &'a Value, name: &str) -> String {
    let bounds = bounds(part).map_or_else(String::new, |bounds| format!(", {bounds}"));
    match name {
        "string" => "a text".to_owned(),
        "integer" => format!("a whole number{bounds}"),
        "number" => format!("a number{bounds}"),
        "boolean" => "true or false".to_owned(),
        "array" => match part.get("items") {
            Some(items) if items.is_object() => format!("a list of {}", plural(&kind_of(schema, items))),
            _ => "a list".to_owned(),
        },
        "object" => "a table".to_owned(),
        other => other.to_owned(),
    }
}

fn plural(noun: &str) -> String {
    match noun.strip_prefix("a ") {
        Some("length of time") => "lengths of time".to_owned(),
        Some(one) if !one.contains([' ', ',']) => format!("{one}s"),
        _ => noun.to_owned(),
    }
}

/// Between which numbers `part` lies, where it does.
pub(super) fn bounds(part: &Value) -> Option<String> {
    let least = part.get("minimum").filter(|least| !is_least_of_its_type(least, part));
    match (least, part.get("maximum")) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("{least} or more")),
        (None, Some(most)) => Some(format!("{most} or less")),
        (None, None) => None,
    }
}

fn is_least_of_its_type(least: &Value, part: &Value) -> bool {
    let format = part.get("format").and_then(Value::as_str);
    least.as_u64() == Some(0)
        && part.get("maximum").is_none()
        && format.is_some_and(|format| format.starts_with("uint"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nearest_word_is_one_that_was_probably_meant() {
        let known = ["replicas", "restart", "name", "kind", "start_within"];
        let table = [
            ("replcas", Some("replicas")),
            ("Restart", Some("restart")),
            ("start-within", Some("start_within")),
            ("nam", Some("name")),
            ("colour", None),
            ("", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known.into_iter()), meant, "{word}");
        }
        for (word, far) in [("flood", "loop"), ("sandbox", "mailbox"), ("tmp", "http")] {
            assert_eq!(nearest(word, [far].into_iter()), None, "{word}");
        }
    }

    #[test]
    fn a_value_is_written_so_that_toml_reads_it_back() {
        let value = json!({ "a": ["x\n\"\u{7f}", 1, 2.0, -3e300], "b c": { "d": true }, "e": {}, "f": [] });
        let text = format!("v = {}", toml(&value));
        let (table, errors) = toml::de::DeTable::parse_recoverable(&text);
        assert_eq!(errors, []);
        let within = super::super::node::Within { text: 0, offset: 0 };
        let node = super::super::node::Node::of_table(&table, within);
        assert_eq!(node.value()["v"], value);
    }
}
