//! A description as it is written: values with the place each of them and its key stand at.

use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Where something stands: in which of the texts that were read, and there from where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) text: usize,
    pub(super) range: Range<usize>,
}

/// A value, and where it and its key stand.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where its key stands; of what has none, where it stands itself.
    pub(super) key: Place,
    pub(super) place: Place,
    pub(super) content: Content,
    /// Whether nothing within it was found wrong.
    pub(super) is_sound: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    Date(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// One step on the way from the whole to a setting.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The text that is read, and where it begins in the text that is shown.
#[derive(Clone, Copy)]
pub(super) struct Within {
    pub(super) text: usize,
    pub(super) offset: usize,
}

impl Within {
    fn place(self, range: Range<usize>) -> Place {
        Place {
            text: self.text,
            range: range.start.saturating_add(self.offset)..range.end.saturating_add(self.offset),
        }
    }
}

impl Node {
    pub(super) fn new(key: Place, place: Place, content: Content) -> Self {
        Self {
            key,
            place,
            content,
            is_sound: true,
        }
    }

    /// The whole of a file; what cannot be read of it is left out.
    pub(super) fn of_table(table: &Spanned<DeTable<'_>>, within: Within) -> Self {
        let place = within.place(0..0);
        Self::new(place.clone(), place, Content::Table(entries(table.get_ref(), within)))
    }

    pub(super) fn of_value(value: &Spanned<DeValue<'_>>, key: Option<Range<usize>>, within: Within) -> Self {
        let content = match value.get_ref() {
            DeValue::String(text) => Content::Text(text.clone().into_owned()),
            DeValue::Integer(number) => Content::Integer(whole(number)),
            DeValue::Float(number) => Content::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(is_true) => Content::Boolean(*is_true),
            DeValue::Datetime(date) => Content::Date(date.to_string()),
            DeValue::Array(values) => {
                let values = values.iter().map(|value| Self::of_value(value, None, within));
                Content::List(values.collect())
            }
            DeValue::Table(table) => Content::Table(entries(table, within)),
        };
        let key = key.unwrap_or_else(|| value.span());
        Self::new(within.place(key), within.place(value.span()), content)
    }

    /// What stands under `key`, where this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Content::Table(entries) = &self.content else {
            return None;
        };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(super) fn step(&self, step: &Step) -> Option<&Self> {
        match (step, &self.content) {
            (Step::Key(key), _) => self.get(key),
            (Step::Index(index), Content::List(nodes)) => nodes.get(*index),
            (Step::Index(_), _) => None,
        }
    }

    /// What the steps lead to, where it is written.
    pub(super) fn at(&self, steps: &[Step]) -> Option<&Self> {
        steps.iter().try_fold(self, Self::step)
    }

    /// Where the steps lead to; for what is not written, the key it would stand under.
    pub(super) fn place_of(&self, steps: &[Step]) -> Place {
        let mut node = self;
        for step in steps {
            match node.step(step) {
                Some(next) => node = next,
                None => return node.key.clone(),
            }
        }
        match node.content {
            Content::Table(_) => node.key.clone(),
            _ => node.place.clone(),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values alone.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Text(text) | Content::Date(text) => Value::String(text.clone()),
            Content::Integer(number) => integer(*number).into(),
            Content::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Content::Boolean(is_true) => Value::Bool(*is_true),
            Content::List(nodes) => nodes.iter().map(Self::value).collect(),
            Content::Table(entries) => {
                let entries = entries.iter().map(|(key, node)| (key.clone(), node.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self.content, Content::List(_) | Content::Table(_))
    }

    /// What it is, in a word.
    pub(super) fn noun(&self) -> &'static str {
        match &self.content {
            Content::Text(_) => "a text",
            Content::Date(_) => "a date",
            Content::Integer(_) => "a whole number",
            Content::Float(_) => "a number",
            Content::Boolean(true) => "`true`",
            Content::Boolean(false) => "`false`",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }
}

/// The entries in the order they are written, which is not the order of their names.
fn entries(table: &DeTable<'_>, within: Within) -> Vec<(String, Node)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let node = Node::of_value(value, Some(key.span()), within);
            (key.get_ref().clone().into_owned(), node)
        })
        .collect();
    entries.sort_by_key(|(_, node)| node.key.range.start);
    entries
}

/// One beyond all limits where it has too many digits to be counted.
fn whole(number: &DeInteger<'_>) -> i128 {
    let beyond = if number.as_str().starts_with('-') {
        i128::MIN
    } else {
        i128::MAX
    };
    i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(beyond)
}

fn integer(number: i128) -> Number {
    let narrow = u64::try_from(number).map(Number::from);
    narrow.unwrap_or_else(|_| i64::try_from(number).unwrap_or(i64::MIN).into())
}
