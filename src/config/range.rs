//! Whether one text or number is among what it may be; told as what is wrong with it, and what to do.

use std::net::SocketAddr;

use serde_json::Value;
use triarch_teams::Span;

use super::node::{Content, Node};
use super::words::bounds;

/// What is wrong with a text, and what to do.
pub(super) fn text_fault(part: &Value, text: &str) -> Option<(String, String)> {
    let least = part.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    if u64::try_from(text.chars().count()).is_ok_and(|length| length < least) {
        let problem = if text.is_empty() {
            ", which is empty"
        } else {
            ", which is too short"
        };
        return Some((problem.to_owned(), format!("give it {least} or more characters")));
    }
    match part.get("format").and_then(Value::as_str)? {
        "span" => {
            let fault = serde_json::from_value::<Span>(text.into()).err()?;
            let told = fault.to_string();
            let remedy = told
                .rsplit_once("; ")
                .map_or("write it as in \"5s\"", |(_, remedy)| remedy);
            Some((", which is no length of time".to_owned(), remedy.to_owned()))
        }
        "socket" => {
            text.parse::<SocketAddr>().err()?;
            let problem = ", which is no address with a port".to_owned();
            Some((
                problem,
                "write it as in \"127.0.0.1:7117\" or \"[::1]:7117\"".to_owned(),
            ))
        }
        _ => None,
    }
}

/// What is wrong with a number, and what to do.
pub(super) fn number_fault(part: &Value, node: &Node) -> Option<(String, String)> {
    let limit = |key: &str| part.get(key).and_then(Value::as_f64);
    let most_of_type = part.get("format").and_then(Value::as_str).and_then(most);
    #[expect(
        clippy::cast_precision_loss,
        reason = "what is that large is beyond all limits anyway"
    )]
    let number = match node.content {
        Content::Integer(number) => number as f64,
        Content::Float(number) if number.is_finite() => number,
        _ => {
            return Some((
                ", which is no finite number".to_owned(),
                "write a number such as 1.5".to_owned(),
            ));
        }
    };
    let range = bounds(part).map_or_else(|| "give it 0 or more".to_owned(), |range| format!("give it {range}"));
    if let Some(least) = limit("minimum").filter(|least| number < *least) {
        return Some((format!(", which is less than {least}"), range));
    }
    if let Some(most) = limit("maximum").filter(|most| number > *most) {
        return Some((format!(", which is more than {most}"), range));
    }
    let most = most_of_type.filter(|most| matches!(node.content, Content::Integer(number) if number > *most))?;
    Some((", which is too much".to_owned(), format!("give it at most {most}")))
}

/// The most that a whole number of a format may be.
fn most(format: &str) -> Option<i128> {
    Some(match format {
        "uint8" => u8::MAX.into(),
        "uint16" => u16::MAX.into(),
        "uint32" => u32::MAX.into(),
        "uint64" | "uint" => u64::MAX.into(),
        "int8" => i8::MAX.into(),
        "int16" => i16::MAX.into(),
        "int32" => i32::MAX.into(),
        "int64" | "int" => i64::MAX.into(),
        _ => return None,
    })
}

/// The first number in `node` that is none, in what may otherwise be anything.
pub(super) fn unwritable(node: &Node) -> Option<&Node> {
    match &node.content {
        Content::Float(number) if !number.is_finite() => Some(node),
        Content::List(nodes) => nodes.iter().find_map(unwritable),
        Content::Table(entries) => entries.iter().find_map(|(_, node)| unwritable(node)),
        _ => None,
    }
}
