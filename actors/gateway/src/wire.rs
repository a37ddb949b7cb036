//! Lines of the socket: what a request looks like, and what comes back.
//!
//! ```text
//!   ▶ {"operation":"agent.list","input":{"team":"reviewers"}}
//!   ◀ {"progress":{"done":3,"of":9}}                              any number of them
//!   ◀ {"part":[…]}                                                of a long output, to one who asks for it so
//!   ◀ {"output":[…]}                                              the rest of it; or, in its place:
//!   ◀ {"error":{"code":4,"message":"…","remedy":"…"}}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::{Code, OperationError, Written};

/// The longest line of a request, its end not counted.
pub const LINE_MAX: usize = 1 << 20;

/// How deep a request may be nested.
pub const DEPTH_MAX: usize = 64;

const OPERATION_MAX: usize = 63;

/// How much is told of what is wrong with a line.
const TOLD_MAX: usize = 200;

/// A request as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) operation: String,
    #[serde(default)]
    pub(crate) input: Value,
}

/// One line of an answer; the last is an output or an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<O = Written> {
    /// How far the operation is.
    Progress(Value),
    /// The next piece of a long output, which [`Answer::Output`] ends.
    Part(O),
    /// What came of it.
    Output(O),
    /// Why nothing came of it.
    Error(OperationError),
}

impl Asked {
    /// Reads one line, which is not trusted.
    pub(crate) fn read(line: &[u8]) -> Result<Self, OperationError> {
        if is_deeper_than(line, DEPTH_MAX) {
            let message = format!("the request is nested deeper than {DEPTH_MAX}");
            return Err(malformed(message, "send what is flatter"));
        }
        let remedy = r#"send one line of JSON, as in {"operation":"agent.list","input":{}}"#;
        let asked: Self = serde_json::from_slice(line).map_err(|error| {
            malformed(
                format!("the request cannot be read: {}", shortened(error.to_string())),
                remedy,
            )
        })?;
        if !is_operation(&asked.operation) {
            return Err(malformed(
                "the operation has no proper name",
                "name it as in agent.list",
            ));
        }
        Ok(asked)
    }
}

impl Answer {
    /// The line with its end.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// A line beyond its bound; nothing behind it can be told apart any more.
pub(crate) fn too_long() -> OperationError {
    let message = format!("the request is longer than {LINE_MAX} bytes");
    malformed(message, "send less, or in several requests")
}

fn malformed(message: impl Into<String>, remedy: &str) -> OperationError {
    OperationError::new(Code::Usage, message, remedy)
}

/// What is wrong with a line names parts of it, which may be as long as the line.
fn shortened(mut text: String) -> String {
    if text.len() > TOLD_MAX {
        text.truncate(text.floor_char_boundary(TOLD_MAX));
        text.push('…');
    }
    text
}

fn is_operation(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=OPERATION_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

/// Whether brackets outside of strings are open more than `most` deep at any place.
fn is_deeper_than(line: &[u8], most: usize) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(line: &str) -> Option<Code> {
        Asked::read(line.as_bytes()).err().map(|error| error.code)
    }

    #[test]
    fn a_request_names_its_operation_and_may_have_no_input() {
        let asked = Asked::read(br#"{"operation":"agent.list"}"#).unwrap();
        assert_eq!((asked.operation.as_str(), asked.input), ("agent.list", Value::Null));
        let asked = Asked::read(br#"{"operation":"agent.list","input":{"team":"a"}}"#).unwrap();
        assert_eq!(asked.input, json!({"team": "a"}));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for line in [
            "",
            "null",
            "agent.list",
            "[]",
            r#"{"operation":""}"#,
            r#"{"operation":"Agent List"}"#,
            r#"{"operation":7}"#,
            r#"{"operation":"a","inputs":{}}"#,
            r#"{"operation":"a"} {"operation":"b"}"#,
            "{\"operation\":\"\u{1b}[2J\"}",
        ] {
            assert_eq!(code(line), Some(Code::Usage), "{line}");
        }
        assert_eq!(Asked::read(&[0xff, 0xfe, b'{']).unwrap_err().code, Code::Usage);
        let long = format!(r#"{{"operation":"{}"}}"#, "a".repeat(OPERATION_MAX + 1));
        assert_eq!(code(&long), Some(Code::Usage));
    }

    #[test]
    fn a_refusal_does_not_say_all_of_a_long_line_again() {
        let long = format!(r#"{{"{}":1}}"#, "é".repeat(LINE_MAX / 4));
        let told = Asked::read(long.as_bytes()).unwrap_err().to_string();
        assert!(
            told.len() < 400 && told.contains("unknown field `éé") && told.contains('…'),
            "{told}"
        );
    }

    #[test]
    fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth: usize| {
            format!(
                r#"{{"operation":"a","input":{}{}}}"#,
                "[".repeat(depth),
                "]".repeat(depth)
            )
        };
        assert_eq!(code(&nested(DEPTH_MAX - 1)), None);
        assert_eq!(code(&nested(DEPTH_MAX)), Some(Code::Usage));
        assert_eq!(code(&nested(100_000)), Some(Code::Usage));
        let quoted = format!(r#"{{"operation":"a","input":"\"\\{}"}}"#, "[{".repeat(1000));
        assert_eq!(code(&quoted), None);
    }

    #[test]
    fn each_answer_is_one_line_however_its_text_breaks() {
        let answer = Answer::Output(Written::of(&json!({"text": "two\nlines"})).unwrap());
        let line = answer.written();
        assert_eq!(line.split(|byte| *byte == b'\n').count(), 2);
        assert_eq!(serde_json::from_slice::<Answer>(&line).unwrap(), answer);
        let error = OperationError::new(Code::Failed, "it failed", "try again");
        let written = String::from_utf8(Answer::Error(error).written()).unwrap();
        assert_eq!(
            written,
            "{\"error\":{\"code\":1,\"message\":\"it failed\",\"remedy\":\"try again\"}}\n"
        );
    }
}
