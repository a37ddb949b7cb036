//! All that may be set, as a page for people: `docs/CONFIG.md`.

use std::fmt::{self, Write as _};

use serde_json::Value;
use triarch_teams::Kinds;

use super::keys::{KnownKey, keys};
use super::schema::{Schema, about, properties, required, schema, words};
use super::words::kind_of;
use crate::committed::{assert_committed, lower};
use crate::config::tests::{kinds, natives};

const HEAD: &str = "\
# Configuration

Written from the types in the code; a test compares the two. `triarch config schema` gives the same to an editor,
`triarch config init` writes a file to begin with, `triarch config check` tells all that is wrong with one, and
`triarch config show` says what is in force and where each value comes from.

The file is the one that `--config` names, else `triarch.toml` in the present folder, else `triarch/triarch.toml` in
`$XDG_CONFIG_HOME` or `~/.config`. Without any, a small team that is built in runs.

A variable of the environment goes before the file: `TRIARCH_RUNTIME__LOG__LEVEL=warn` sets `level` in `[runtime.log]`, with
two underscores between one key and the next. Teams and agents are set in the file alone.

A length of time is written as in `\"250ms\"`, `\"5s\"` or `\"1h 30m\"`. Unknown keys are errors. What stands under a key that
speaks of a secret, a token, a password or the like is never shown, nor is the user that an address names.
";

/// Lists of tables of which nothing more is to be said than stands in their own.
const APART: [&str; 3] = ["agent", "namespace", "project"];

/// All that may be set with agents of these kinds, in Markdown.
fn page(kinds: &Kinds) -> String {
    let value = schema(kinds);
    let schema = Schema(&value);
    let mut page = HEAD.to_owned();
    for (name, part) in properties(schema.0) {
        let resolved = schema.resolved(part);
        match resolved.get("items") {
            None => {
                section(&mut page, schema, &format!("[{name}]"), about(part), resolved);
                lists(&mut page, schema, name, resolved);
            }
            Some(items) => list(&mut page, schema, name, schema.resolved(items)),
        }
    }
    for (kind, about) in kinds.list() {
        let own = schema
            .kind(kind)
            .map(|variant| keys(schema, variant))
            .unwrap_or_default();
        let own: Vec<_> = own.into_iter().filter(|known| known.path != "kind").collect();
        heading(&mut page, 3, &format!("Agents of kind `{kind}`"), about);
        if own.is_empty() {
            page.push_str("\nThere is nothing to set besides.\n");
        } else {
            table(&mut page, schema, &own);
        }
    }
    page
}

/// A table that may stand several times, and the tables of that sort in it.
fn list<'s>(page: &mut String, schema: Schema<'s>, name: &str, part: &'s Value) {
    section(page, schema, &format!("[[{name}]]"), about(part), part);
    lists(page, schema, name, part);
}

/// Those that stand in the table `name`.
fn lists<'s>(page: &mut String, schema: Schema<'s>, name: &str, part: &'s Value) {
    for (key, items) in tables(schema, part) {
        list(page, schema, &format!("{name}.{key}"), items);
    }
}

/// The keys of `part` that are lists of tables.
fn tables<'s>(schema: Schema<'s>, part: &'s Value) -> impl Iterator<Item = (&'s str, &'s Value)> {
    properties(part).filter_map(move |(key, part)| {
        let items = schema.resolved(schema.resolved(part).get("items")?);
        items.get("properties").is_some().then_some((key, items))
    })
}

fn section<'s>(page: &mut String, schema: Schema<'s>, header: &str, about: &str, part: &'s Value) {
    heading(page, 2, &format!("`{header}`"), about);
    let mut known = keys(schema, part);
    // They have tables of their own.
    known.retain(|known| {
        let is_apart = APART.contains(&known.path.as_str());
        !(is_apart && tables(schema, part).any(|(key, _)| known.path == key))
    });
    table(page, schema, &known);
}

fn heading(page: &mut String, level: usize, title: &str, about: &str) {
    let _written = write!(page, "\n{} {title}\n\n{about}\n", "#".repeat(level));
}

fn table<'s>(page: &mut String, schema: Schema<'s>, known: &[KnownKey<'s>]) {
    page.push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for known in known {
        let _written = writeln!(page, "{}", Row(known, schema));
    }
}

struct Row<'a, 's>(&'a KnownKey<'s>, Schema<'s>);

impl fmt::Display for Row<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(known, schema) = *self;
        let is_required = required(known.table).any(|required| required == known.name);
        let default = match &known.default {
            _ if is_required => "required".to_owned(),
            Some(default) => format!("`{default}`"),
            None => "-".to_owned(),
        };
        let words: Vec<_> = words(schema.resolved(known.part()))
            .into_iter()
            .flatten()
            .filter(|(_, about)| !about.is_empty())
            .map(|(word, about)| format!(" `{word}`: {}", lower(about)))
            .collect();
        let words = if words.is_empty() {
            String::new()
        } else {
            format!("{}.", words.join(";"))
        };
        let (kind, about) = (kind_of(schema, known.part()), known.about(schema));
        write!(f, "| `{}` | {kind} | {default} | {about}{words} |", known.path)
    }
}

#[test]
fn the_page_in_docs_is_what_the_types_say() {
    assert_committed("docs/CONFIG.md", &page(&natives()));
}

#[test]
fn the_page_tells_of_every_key_with_its_value_default_and_meaning() {
    let page = page(&kinds());
    for line in [
        "## `[runtime]`",
        "| `span` | a whole number, 1 or more | `10` | How many agents one supervisor has before a team is split. |",
        "| `log.format` | `text`, `json` | `\"text\"` | How a line is written. `text`: for people; `json`: for programs. |",
        "## `[[team.agent]]`",
        "| `backoff.jitter` | a number, 0 to 1 | `0.2` | The share of a wait that chance adds or takes: 0 to 1. |",
        "### Agents of kind `program`",
        "| `prefix` | a text | `\"\"` | What it says first. |",
        "| `command` | a list of texts | required | What it runs. |",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}
