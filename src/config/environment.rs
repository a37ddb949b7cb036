//! What the environment sets: `TRIARCH_<SECTION>__<KEY>`, two underscores between one key and the next.

use std::ffi::{OsStr, OsString};

use toml::de::DeValue;

use super::error::Fault;
use super::node::{Content, Node, Place, Step, Within};
use super::schema::{Schema, properties, types};
use super::texts::Texts;
use super::words::header;

/// What all variables begin with.
const PREFIX: &str = "TRIARCH_";
/// What stands between one key and the next.
const BETWEEN: &str = "__";

/// What stands for bytes that are no text.
const NO_TEXT: char = char::REPLACEMENT_CHARACTER;

/// The variables of this process, for [`load`](super::load). Of a value that is no text, so much remains that it is refused.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    let readable = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, text_of(&value)));
    std::env::vars_os().filter_map(readable)
}

/// One variable of this process, in the same way.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| text_of(&value))
}

fn text_of(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}

/// Puts what the environment sets over what the file sets; returns the variables that cannot be followed.
pub(super) fn overlay(
    tree: &mut Node,
    schema: Schema<'_>,
    texts: &mut Texts,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Vec<Fault> {
    let own = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX));
    let mut own: Vec<_> = own.collect();
    // The order of an environment is that of chance, and a table goes before what is in it.
    own.sort();
    own.iter()
        .filter_map(|(name, value)| set(tree, schema, texts, name, value).err())
        .map(|fault| *fault)
        .collect()
}

fn set(tree: &mut Node, schema: Schema<'_>, texts: &mut Texts, name: &str, value: &str) -> Result<(), Box<Fault>> {
    let keys = name[PREFIX.len()..].to_ascii_lowercase();
    if !keys.contains(BETWEEN) {
        return match section_of(schema, &keys) {
            Some(section) => Err(Box::new(one_underscore(texts, name, value, section))),
            None => Ok(()),
        };
    }
    let (key, place) = texts.add_variable(name, value);
    if value.contains(NO_TEXT) {
        return Err(Box::new(no_text(&place)));
    }
    let way: Vec<_> = keys.split(BETWEEN).map(|key| Step::Key(key.to_owned())).collect();
    let part = part(schema, &way).map_err(|above| Box::new(in_list(&key, above)))?;
    let types = part.map_or_else(|| vec!["string"], |part| types(schema.resolved(part)));
    let content = if types.contains(&"string") {
        Content::Text(value.to_owned())
    } else {
        content(value, &place).map_err(|()| Box::new(unreadable(&place, name)))?
    };
    insert(tree, &way, &Node::new(key, place, content));
    Ok(())
}

/// The section that a variable probably means whose keys are not held apart as they should be.
fn section_of<'a>(schema: Schema<'a>, keys: &str) -> Option<&'a str> {
    let sections = properties(schema.0).filter(|(_, part)| types(schema.resolved(part)) == ["object"]);
    let mut names = sections.map(|(name, _)| name);
    names.find(|name| keys.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')))
}

fn one_underscore(texts: &mut Texts, name: &str, value: &str, section: &str) -> Fault {
    let (place, _) = texts.add_variable(name, value);
    let (head, rest) = name.split_at(PREFIX.len() + section.len());
    Fault::new(
        place,
        format!("{name} sets nothing: two underscores stand between one key and the next"),
        format!("write {head}_{rest}, or unset it"),
    )
}

/// What the schema says of the setting that the way leads to; the list that bars the way, where one does.
fn part<'a>(schema: Schema<'a>, way: &[Step]) -> Result<Option<&'a serde_json::Value>, Vec<Step>> {
    let mut part = schema.0;
    for (depth, step) in way.iter().enumerate() {
        if types(schema.resolved(part)) == ["array"] {
            return Err(way[..depth].to_vec());
        }
        let Step::Key(key) = step else { return Ok(None) };
        match schema.property(part, key) {
            Some(next) => part = next,
            None => return Ok(None),
        }
    }
    Ok(Some(part))
}

fn in_list(key: &Place, mut above: Vec<Step>) -> Fault {
    above.push(Step::Index(0));
    let header = header(&above).unwrap_or_default();
    Fault::new(
        key.clone(),
        format!("a variable cannot say which {header} it is about"),
        format!("set it under {header} in the file"),
    )
}

fn unreadable(place: &Place, name: &str) -> Fault {
    Fault::new(
        place.clone(),
        "this is no value that TOML knows",
        format!("write it as TOML does, as in {name}=10 or {name}=true"),
    )
}

fn no_text(place: &Place) -> Fault {
    Fault::new(
        place.clone(),
        "there are bytes in it that are no text",
        "write it in UTF-8, or unset it",
    )
}

fn content(text: &str, place: &Place) -> Result<Content, ()> {
    let value = DeValue::parse(text).map_err(drop)?;
    let within = Within {
        text: place.text,
        offset: place.range.start,
    };
    Ok(Node::of_value(&value, None, within).content)
}

/// What stands in the way and is no table stays: it is wrong, and is told to be.
fn insert(node: &mut Node, way: &[Step], leaf: &Node) {
    let (Content::Table(entries), Some((Step::Key(key), rest))) = (&mut node.content, way.split_first()) else {
        return;
    };
    let at = entries.iter().position(|(name, _)| name == key);
    let at = at.unwrap_or_else(|| {
        let table = Node::new(leaf.key.clone(), leaf.key.clone(), Content::Table(Vec::new()));
        entries.push((key.clone(), table));
        entries.len() - 1
    });
    if rest.is_empty() {
        entries[at].1 = leaf.clone();
    } else {
        insert(&mut entries[at].1, rest, leaf);
    }
}
