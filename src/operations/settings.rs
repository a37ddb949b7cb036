//! Settings of an agent as a command line says them: one by one, with dots between the keys of tables.

use serde_json::{Map, Value};

use super::{Code, Trouble};
use crate::config::nearest;

/// What stands in the place of a key that may be any.
const ANY: &str = "*";

/// No description has tables in tables deeper than this.
const DEPTH_MAX: usize = 8;

/// The settings that such texts as `limits.wall=5s` ask for; values are JSON, or text.
pub(super) fn settings(asked: &[String]) -> Result<Map<String, Value>, Trouble> {
    let mut settings = Map::new();
    for setting in asked {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(Trouble::new(
                Code::Usage,
                format!("{setting:?} sets nothing"),
                "write it as in --set delay=5ms",
            ));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        set(&mut settings, key, value)?;
    }
    Ok(settings)
}

fn set(settings: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), Trouble> {
    let (tables, last) = key
        .rsplit_once('.')
        .map_or((None, key), |(tables, last)| (Some(tables), last));
    let mut table = settings;
    for name in tables.into_iter().flat_map(|tables| tables.split('.')) {
        let entry = table.entry(name).or_insert_with(|| Value::Object(Map::new()));
        table = entry.as_object_mut().ok_or_else(|| {
            let message = format!("{name:?} is set to a value, and {key:?} takes it for a table");
            Trouble::new(Code::Usage, message, "set one of them")
        })?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

/// What to write instead of the first key that nobody knows, where settings are of these schemas.
pub(super) fn remedy(asked: &[String], schemas: &[Value]) -> Option<String> {
    let mut known = Vec::new();
    for schema in schemas {
        gather(schema, schema, "", DEPTH_MAX, &mut known);
    }
    known.sort_unstable();
    let keys = asked.iter().filter_map(|setting| Some(setting.split_once('=')?.0));
    let mut strange = keys.filter(|key| !known.iter().any(|known| covers(known, key)));
    let strange = strange.next()?;
    let words = || known.iter().map(String::as_str).filter(|known| !known.ends_with(ANY));
    Some(match nearest(strange, words()) {
        Some(near) => format!("write {near}"),
        None => format!("there are: {}", words().collect::<Vec<_>>().join(", ")),
    })
}

/// Whether a key is `known`, or lies in a table whose keys may be any.
fn covers(known: &str, key: &str) -> bool {
    known == key || known.strip_suffix(ANY).is_some_and(|table| key.starts_with(table))
}

/// The keys that are known below `at`.
fn gather(whole: &Value, part: &Value, at: &str, depth: usize, known: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    let path = part["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    let part = path.and_then(|path| whole.pointer(path)).unwrap_or(part);
    for choice in ["anyOf", "oneOf", "allOf"] {
        for one in part[choice].as_array().into_iter().flatten() {
            gather(whole, one, at, depth - 1, known);
        }
    }
    let within = |name: &str| {
        if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        }
    };
    for (name, inner) in part["properties"].as_object().into_iter().flatten() {
        let key = within(name);
        gather(whole, inner, &key, depth - 1, known);
        known.push(key);
    }
    if !at.is_empty() && part["additionalProperties"].is_object() {
        known.push(within(ANY));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(asked: &[&str]) -> Vec<String> {
        asked.iter().map(|setting| (*setting).to_owned()).collect()
    }

    #[test]
    fn a_key_with_dots_is_set_in_its_table() {
        let set = |words: &[&str]| settings(&asked(words)).map_err(|trouble| trouble.told());
        let expected =
            json!({ "limits": { "wall": "5s", "open_files": 7 }, "command": ["cat"], "a": { "b": { "c": "=" } } });
        assert_eq!(
            set(&["limits.wall=5s", "limits.open_files=7", "command=[\"cat\"]", "a.b.c=="]).map(Value::Object),
            Ok(expected)
        );
        assert_eq!(
            set(&["limits={\"wall\":\"5s\"}", "limits.cpu=1s"]).map(Value::Object),
            Ok(json!({ "limits": { "wall": "5s", "cpu": "1s" } }))
        );
        assert_eq!(
            set(&["limits=5s", "limits.cpu=1s"]).unwrap_err(),
            "\"limits\" is set to a value, and \"limits.cpu\" takes it for a table; set one of them"
        );
        assert!(set(&["limits.cpu"]).unwrap_err().contains("sets nothing"));
    }

    #[test]
    fn instead_of_a_key_that_is_not_known_the_nearest_is_named() {
        let schema = json!({
            "properties": {
                "limits": { "anyOf": [{ "$ref": "#/$defs/Limits" }, { "type": "null" }] },
                "env": { "additionalProperties": { "type": "string" } },
                "command": {},
            },
            "$defs": { "Limits": { "properties": { "wall": {}, "cpu": {} } } },
        });
        let told = |words: &[&str]| remedy(&asked(words), std::slice::from_ref(&schema));
        assert_eq!(told(&["command=x", "limits.wal=5s"]).unwrap(), "write limits.wall");
        assert_eq!(told(&["comand=x"]).unwrap(), "write command");
        assert_eq!(
            told(&["something.else=1"]).unwrap(),
            "there are: command, env, limits, limits.cpu, limits.wall"
        );
        assert_eq!(told(&["env.ANY=1", "limits.cpu=0s", "limits={}"]), None);
    }
}
