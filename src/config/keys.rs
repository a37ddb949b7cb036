//! The keys of a table as a person is told of them, taken from the schema.

use serde_json::Value;

use super::schema::{Schema, about, properties, required, words};
use super::words::{key, kind_of, toml};

/// One key that may be set.
pub(super) struct KnownKey {
    /// With the keys of the tables it stands in, below the table that was asked about.
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) default: Option<String>,
    pub(super) about: String,
    pub(super) is_required: bool,
    /// The words it may be, with what they mean.
    pub(super) words: Vec<(String, String)>,
}

/// The keys of `table`, those of tables within it by their whole paths.
pub(super) fn keys(schema: Schema<'_>, table: &Value) -> Vec<KnownKey> {
    let mut found = Vec::new();
    collect(schema, schema.resolved(table), "", None, &mut found);
    found
}

fn collect(schema: Schema<'_>, table: &Value, above: &str, defaults: Option<&Value>, found: &mut Vec<KnownKey>) {
    for (name, part) in properties(table) {
        let path = format!("{above}{}", key(name));
        let resolved = schema.resolved(part);
        let default = defaults
            .and_then(|defaults| defaults.get(name))
            .or_else(|| part.get("default"));
        if properties(resolved).next().is_some() {
            collect(schema, resolved, &format!("{path}."), default, found);
            continue;
        }
        let words = words(resolved).unwrap_or_default();
        found.push(KnownKey {
            kind: kind_of(schema, part),
            default: default.filter(|default| !default.is_null()).map(toml),
            about: about(if about(part).is_empty() { resolved } else { part }).replace('\n', " "),
            is_required: required(table).any(|required| required == name),
            words: words
                .into_iter()
                .map(|(word, about)| (word.to_owned(), about.to_owned()))
                .collect(),
            path,
        });
    }
}
