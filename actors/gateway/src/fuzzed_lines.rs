//! Lines that nobody would send: each is read and written again as it was, or refused in words.

use crate::fuzz::fuzz;
use crate::operation::Code;
use crate::wire::{Answer, Asked};

const TOKENS: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ":",
    ",",
    "null",
    "1e308",
    "-0.0",
    "18446744073709551616",
    "\\ud800",
    "\\u0000",
    "\"operation\":\"a\"",
    "\"input\":",
    "\"output\":",
    "\"error\":",
    "\"progress\":",
    "\"code\":255,",
];

#[test]
fn fuzzed_lines_of_the_socket_are_read_as_they_are_or_refused_in_words() {
    fuzz("socket_lines", &TOKENS, |line| {
        let is_answer = answer_is_read(line);
        match Asked::read(line) {
            Ok(asked) => {
                let written = serde_json::to_vec(&asked).unwrap();
                assert_eq!(Asked::read(&written).as_ref(), Ok(&asked));
                true
            }
            Err(error) => {
                assert_eq!(error.code, Code::Usage);
                assert!(!error.message.is_empty() && !error.remedy.is_empty(), "{error}");
                assert!(error.to_string().len() <= 1024, "{error}");
                is_answer
            }
        }
    });
}

/// What the other side reads comes back as it was too.
fn answer_is_read(line: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<Answer>(line) else {
        return false;
    };
    let written = answer.written();
    assert_eq!(line_ends(&written), 1, "an answer is one line");
    assert_eq!(serde_json::from_slice::<Answer>(&written).unwrap(), answer);
    true
}

fn line_ends(written: &[u8]) -> usize {
    written.split(|byte| *byte == b'\n').skip(1).count()
}
