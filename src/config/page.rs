//! All that may be set, as a page for people.

use std::fmt::{self, Write as _};

use serde_json::Value;
use triarch_teams::Kinds;

use super::keys::{KnownKey, keys};
use super::schema::{Schema, about, properties, schema};

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
pub fn page(kinds: &Kinds) -> String {
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
            table(&mut page, &own);
        }
    }
    page
}

/// A table that may stand several times, and the tables of that sort in it.
fn list(page: &mut String, schema: Schema<'_>, name: &str, part: &Value) {
    section(page, schema, &format!("[[{name}]]"), about(part), part);
    lists(page, schema, name, part);
}

/// Those that stand in the table `name`.
fn lists(page: &mut String, schema: Schema<'_>, name: &str, part: &Value) {
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

fn section(page: &mut String, schema: Schema<'_>, header: &str, about: &str, part: &Value) {
    heading(page, 2, &format!("`{header}`"), about);
    let mut known = keys(schema, part);
    // They have tables of their own.
    known.retain(|known| {
        let is_apart = APART.contains(&known.path.as_str());
        !(is_apart && tables(schema, part).any(|(key, _)| known.path == key))
    });
    table(page, &known);
}

fn heading(page: &mut String, level: usize, title: &str, about: &str) {
    let _written = write!(page, "\n{} {title}\n\n{about}\n", "#".repeat(level));
}

fn table(page: &mut String, known: &[KnownKey]) {
    page.push_str("\n| key | value | default | meaning |\n|---|---|---|---|\n");
    for known in known {
        let _written = writeln!(page, "{}", Row(known));
    }
}

struct Row<'a>(&'a KnownKey);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0;
        let default = match &known.default {
            _ if known.is_required => "required".to_owned(),
            Some(default) => format!("`{default}`"),
            None => "-".to_owned(),
        };
        let words: Vec<_> = known
            .words
            .iter()
            .filter(|(_, about)| !about.is_empty())
            .map(|(word, about)| format!(" `{word}`: {}", lower(about)))
            .collect();
        let words = if words.is_empty() {
            String::new()
        } else {
            format!("{}.", words.join(";"))
        };
        let line = format!(
            "| `{}` | {} | {default} | {}{words} |",
            known.path, known.kind, known.about
        );
        f.write_str(&line)
    }
}

/// A sentence as a part of another.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::committed::assert_committed;
    use crate::config::tests::{kinds, natives};

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
}
