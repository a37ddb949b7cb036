//! Filters: what a subscriber wants of all that its pattern stands for.
//!
//! ```text
//! kind eq "reading" and (payload.celsius gt 30 or payload.tags contains "urgent")
//! not payload.note exists
//! from in ["plant/boiler", "plant/pump"] and payload.name matches "^p[0-9]+$"
//! ```
//!
//! Fields of the envelope are `id`, `time`, `from`, `topic`, `to`, `kind`, `key`, `priority`, `ttl`, `correlation`,
//! `causation` and `size`; those of a payload in JSON begin with `payload`, and go on by names, by numbers in lists, and by
//! texts in quotes where a name is odd. A comparison with a field that is not there, or with a value of another type,
//! does not hold; only `ne` holds for a value of another type. A filter that asks for the payload accepts none that is
//! said to be JSON and cannot be read: a number beyond all bounds, or lists in lists too deep. `and` binds closer than `or`, and `not` closest.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

use crate::envelope::Envelope;
use crate::filter_parser::{FilterError, parse};

/// The longest filter, in bytes.
pub const FILTER_LENGTH_MAX: usize = 4096;
/// How deep parentheses and `not` may lie in each other.
pub const FILTER_DEPTH_MAX: usize = 16;
/// The most comparisons, and the most values of one list.
pub const COMPARISONS_MAX: usize = 64;
/// What a compiled expression of `matches` may take, in bytes.
const EXPRESSION_MAX: usize = 1 << 16;

/// A condition on envelopes. It is read from a text, and printed as one.
#[derive(Clone, PartialEq)]
pub struct Filter {
    condition: Arc<Condition>,
    reads_payload: bool,
}

/// What a filter says of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused,
    /// It asks for the payload, which is said to be JSON and cannot be read.
    Unreadable,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// At least two.
    All(Vec<Self>),
    /// At least two.
    Any(Vec<Self>),
    Not(Box<Self>),
    Compare(Field, Comparison),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Comparison {
    Equal(Value),
    NotEqual(Value),
    Order(Relation, Value),
    In(Vec<Value>),
    Contains(Value),
    Matches(Expression),
    Exists,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Envelope(Name),
    Payload(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Id,
    Time,
    From,
    Topic,
    To,
    Kind,
    Key,
    Priority,
    Ttl,
    Correlation,
    Causation,
    Size,
}

/// A regular expression, ready.
#[derive(Clone, Debug)]
pub(crate) struct Expression(Regex);

impl Filter {
    /// Reads a filter.
    pub fn new(text: &str) -> Result<Self, FilterError> {
        let condition = parse(text)?;
        Ok(Self {
            reads_payload: condition.reads_payload(),
            condition: Arc::new(condition),
        })
    }

    /// Whether `envelope` is as it says. One whose payload cannot be read is not, where the filter asks for the payload.
    pub fn accepts(&self, envelope: &Envelope) -> bool {
        self.verdict(envelope) == Verdict::Accepted
    }

    pub(crate) fn verdict(&self, envelope: &Envelope) -> Verdict {
        if self.reads_payload && envelope.payload.is_unreadable() {
            Verdict::Unreadable
        } else if self.condition.holds(envelope) {
            Verdict::Accepted
        } else {
            Verdict::Refused
        }
    }
}

impl Condition {
    fn reads_payload(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::reads_payload),
            Self::Not(part) => part.reads_payload(),
            Self::Compare(field, _) => matches!(field, Field::Payload(_)),
        }
    }

    fn holds(&self, envelope: &Envelope) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(envelope)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(envelope)),
            Self::Not(part) => !part.holds(envelope),
            Self::Compare(field, comparison) => field.value(envelope).is_some_and(|value| comparison.holds(&value)),
        }
    }
}

impl Comparison {
    fn holds(&self, found: &Value) -> bool {
        match self {
            Self::Equal(wanted) => is_equal(found, wanted),
            Self::NotEqual(wanted) => !is_equal(found, wanted),
            Self::Order(relation, wanted) => order(found, wanted).is_some_and(|order| relation.holds(order)),
            Self::In(all) => all.iter().any(|wanted| is_equal(found, wanted)),
            Self::Contains(wanted) => contains(found, wanted),
            Self::Matches(expression) => found.as_str().is_some_and(|text| expression.0.is_match(text)),
            Self::Exists => true,
        }
    }
}

impl Relation {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Greater, "gt"),
        (Self::GreaterOrEqual, "ge"),
        (Self::Less, "lt"),
        (Self::LessOrEqual, "le"),
    ];

    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(one, _)| *one == self)
            .map_or("", |(_, word)| word)
    }
}

impl Name {
    pub(crate) const ALL: [(Self, &'static str); 12] = [
        (Self::Id, "id"),
        (Self::Time, "time"),
        (Self::From, "from"),
        (Self::Topic, "topic"),
        (Self::To, "to"),
        (Self::Kind, "kind"),
        (Self::Key, "key"),
        (Self::Priority, "priority"),
        (Self::Ttl, "ttl"),
        (Self::Correlation, "correlation"),
        (Self::Causation, "causation"),
        (Self::Size, "size"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(one, _)| *one == self)
            .map_or("", |(_, word)| word)
    }

    fn value(self, envelope: &Envelope) -> Option<Value> {
        Some(match self {
            Self::Id => envelope.id.to_string().into(),
            Self::Time => envelope.time.0.into(),
            Self::From => (*envelope.from).into(),
            Self::Topic => envelope.topic()?.as_str().into(),
            Self::To => envelope.to.as_str().into(),
            Self::Kind => (*envelope.kind).into(),
            Self::Key => (**envelope.key.as_ref()?).into(),
            Self::Priority => envelope.priority.label().into(),
            Self::Ttl => envelope.ttl_ms?.into(),
            Self::Correlation => envelope.correlation?.to_string().into(),
            Self::Causation => envelope.causation?.to_string().into(),
            Self::Size => envelope.payload.len().into(),
        })
    }
}

impl Field {
    fn value<'a>(&self, envelope: &'a Envelope) -> Option<Cow<'a, Value>> {
        match self {
            Self::Envelope(name) => name.value(envelope).map(Cow::Owned),
            Self::Payload(path) => {
                let whole = envelope.payload.value()?;
                path.iter().try_fold(whole, step).map(Cow::Borrowed)
            }
        }
    }
}

fn step<'a>(value: &'a Value, name: &String) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

impl Expression {
    /// Compiles one; what is wrong with it in one line, where it is none.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).size_limit(EXPRESSION_MAX).build();
        built.map(Self).map_err(|error| {
            let told = error.to_string();
            told.lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned()
        })
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// Numbers are equal by what they are worth, everything else as it is.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => order_of_numbers(one, other).is_some_and(Ordering::is_eq),
        _ => one == other,
    }
}

fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => order_of_numbers(one, other),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// Whole numbers exactly, however large; others as doubles.
fn order_of_numbers(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(list), wanted) => list.iter().any(|value| is_equal(value, wanted)),
        (Value::Object(fields), Value::String(name)) => fields.contains_key(name),
        _ => false,
    }
}

// ---- printing ----

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", self.condition)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " and ", |part| matches!(part, Self::All(_) | Self::Any(_))),
            Self::Any(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Any(_))),
            Self::Not(part) if matches!(**part, Self::All(_) | Self::Any(_)) => write!(f, "not ({part})"),
            Self::Not(part) => write!(f, "not {part}"),
            Self::Compare(field, comparison) => write!(f, "{field} {comparison}"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Condition],
    between: &str,
    needs_parentheses: impl Fn(&Condition) -> bool,
) -> fmt::Result {
    for (part, number) in parts.iter().zip(0..) {
        if number > 0 {
            f.write_str(between)?;
        }
        if needs_parentheses(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(value) => write!(f, "eq {value}"),
            Self::NotEqual(value) => write!(f, "ne {value}"),
            Self::Order(relation, value) => write!(f, "{} {value}", relation.word()),
            Self::In(values) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                write!(f, "in [{}]", values.join(", "))
            }
            Self::Contains(value) => write!(f, "contains {value}"),
            Self::Matches(expression) => write!(f, "matches {}", Value::from(expression.0.as_str())),
            Self::Exists => f.write_str("exists"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Envelope(name) => f.write_str(name.word()),
            Self::Payload(path) => {
                f.write_str("payload")?;
                path.iter().try_for_each(|part| {
                    if is_plain(part) {
                        write!(f, ".{part}")
                    } else {
                        write!(f, ".{}", Value::from(part.as_str()))
                    }
                })
            }
        }
    }
}

/// Whether a name of a field needs no quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_of_name)
}

pub(crate) fn is_of_name(found: char) -> bool {
    found.is_ascii_alphanumeric() || matches!(found, '_' | '-')
}
