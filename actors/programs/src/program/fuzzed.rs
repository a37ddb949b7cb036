//! Output that no program would write: no chunk of it panics or grows, and what is understood can be said again.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::lines::{Line, Lines};
use super::message::{Heard, Said, read};
use crate::fuzz::fuzz;
use crate::logs::{LogLine, Source};
use crate::services::Wish;

const LINE_MAX: usize = 4096;

const TOKENS: [&str; 28] = [
    "\n",
    "\r\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ":",
    ",",
    "\0",
    "\u{1b}[2J",
    "null",
    "1e308",
    "\\ud800",
    "\"type\":\"reply\",",
    "\"type\":\"log\",",
    "\"type\":\"heartbeat\",",
    "\"type\":\"send\",",
    "\"id\":\"000000000000000018b911c0ffee0007\"",
    "\"body\":",
    "\"ok\":false",
    "\"percent\":7",
    "\"text\":\"\"",
    "\"to\":\"a/b\"",
    "\"state\":\"x\"",
    "\"topic\":\"t\"",
    "[[[[[[[[[[[[[[[[",
];

/// What was understood, as a program would say it.
fn again(said: &Said) -> String {
    match said {
        Said::Accepted(id) => json!({ "type": "accepted", "id": id.to_string() }),
        Said::Reply(id, body) => json!({ "type": "reply", "id": id.to_string(), "body": body }),
        Said::Progress(id, percent) => json!({ "type": "progress", "id": id.to_string(), "percent": percent }),
        Said::Done(id, Ok(body)) => json!({ "type": "done", "id": id.to_string(), "body": body }),
        Said::Done(id, Err(error)) => json!({ "type": "done", "id": id.to_string(), "ok": false, "error": error }),
        Said::Send { to, kind, body } => json!({ "type": "send", "to": to, "kind": kind, "body": body }),
        Said::Wish(Wish { service, id, what }) => {
            let mut what = what.clone();
            what.insert("type".to_owned(), json!(service));
            what.insert("id".to_owned(), json!(id));
            serde_json::Value::Object(what)
        }
        Said::Heartbeat => json!({ "type": "heartbeat" }),
        Said::Status(state) => json!({ "type": "status", "state": state }),
        Said::Log { level, text } => json!({ "type": "log", "level": level, "text": text }),
    }
    .to_string()
}

fn is_understood(line: &[u8]) -> bool {
    let Heard::Said(said) = read(line) else { return false };
    assert_eq!(read(again(&said).as_bytes()), Heard::Said(said));
    true
}

/// Whatever it says, its line of the log is one line, and is read as it was written.
fn log(line: &[u8]) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(7);
    let logged = LogLine::new(time, 1, Source::Out, String::from_utf8_lossy(line).into_owned());
    let written = serde_json::to_vec(&logged).unwrap();
    assert!(!written.contains(&b'\n'));
    assert_eq!(serde_json::from_slice::<LogLine>(&written).unwrap(), logged);
}

/// The lines that come out of `input` in pieces of `piece` bytes.
fn lines(input: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut lines, mut found) = (Lines::new(LINE_MAX), Vec::new());
    let mut see = |line: Line<'_>| match line {
        Line::Whole(line) => found.push(line.to_vec()),
        Line::TooLong { bytes, head } => {
            assert!(bytes > LINE_MAX as u64 && head.len() <= LINE_MAX);
            found.push(format!("{bytes} bytes too long").into_bytes());
        }
    };
    input.chunks(piece).for_each(|chunk| lines.feed(chunk, &mut see));
    lines.end(&mut see);
    found
}

#[test]
fn fuzzed_output_of_programs_is_understood_as_it_was_said_or_logged() {
    fuzz("program_lines", &TOKENS, |input| {
        let whole = lines(input, usize::MAX);
        assert_eq!(lines(input, 1 + input.len() % 61), whole);
        assert!(whole.iter().all(|line| line.len() <= LINE_MAX));
        for line in &whole {
            log(line);
        }
        whole.iter().filter(|line| is_understood(line)).count() > 0
    });
}
