//! The keys of a table as a person is told of them, taken from the schema.

use serde_json::Value;

use super::schema::{Schema, about, properties};
use super::words::{key, toml};

/// One key that may be set.
pub(super) struct KnownKey<'a> {
    /// With the keys of the tables it stands in, below the table that was asked about.
    pub(super) path: String,
    pub(super) default: Option<String>,
    /// The table it stands in.
    pub(super) table: &'a Value,
    /// What it is called there.
    pub(super) name: &'a str,
}

impl<'a> KnownKey<'a> {
    /// What the schema says of it.
    pub(super) fn part(&self) -> &'a Value {
        &self.table["properties"][self.name]
    }

    /// What it means, in one line.
    pub(super) fn about(&self, schema: Schema<'a>) -> String {
        let own = about(self.part());
        let about = if own.is_empty() {
            about(schema.resolved(self.part()))
        } else {
            own
        };
        about.replace('\n', " ")
    }
}

/// The keys of `table`, those of tables within it by their whole paths.
pub(super) fn keys<'a>(schema: Schema<'a>, table: &'a Value) -> Vec<KnownKey<'a>> {
    let mut found = Vec::new();
    collect(schema, schema.resolved(table), "", None, &mut found);
    found
}

fn collect<'a>(
    schema: Schema<'a>,
    table: &'a Value,
    above: &str,
    defaults: Option<&Value>,
    found: &mut Vec<KnownKey<'a>>,
) {
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
        found.push(KnownKey {
            default: default.filter(|default| !default.is_null()).map(toml),
            table,
            name,
            path,
        });
    }
}
