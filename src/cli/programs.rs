//! What is known of programs: their processes, how they ended and what they wrote, as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;

use super::screen::{Screen, Tint, harmless};
use super::show::{bytes, of_runtime, span};
use super::table::{Cell, Columns, table};
use crate::operations::millis;

/// The kernel's letter for the state of a process, as a word.
fn process_state(letter: &str) -> &str {
    match letter {
        "R" => "running",
        "S" | "I" => "sleeping",
        "D" => "in the kernel",
        "T" | "t" => "stopped",
        "Z" => "zombie",
        "" => "unknown",
        other => other,
    }
}

pub(super) fn processes(screen: &Screen, processes: &[Value]) -> String {
    if processes.is_empty() {
        return String::new();
    }
    let number = |process: &Value, key: &str| Cell::number(process.get(key));
    let rows = processes.iter().map(|process| {
        [
            number(process, "pid"),
            number(process, "parent"),
            Cell::from(process_state(process["state"].as_str().unwrap_or_default())),
            Cell::number(process["memory_bytes"].as_u64().map(bytes)),
            Cell::number(
                Duration::deserialize(&process["cpu"])
                    .ok()
                    .map(|used| span(millis(used))),
            ),
            Cell::from(harmless(process["command"].as_str().unwrap_or("unknown"))),
        ]
    });
    let columns = Columns {
        heads: ["pid", "parent", "state", "memory", "cpu time", "process"],
        spare: &["parent"],
    };
    table(screen, columns, rows)
}

/// In the words of its record: a word, and the code or signal where there is one.
fn how_it_ended(end: &Value) -> String {
    let reason = end["reason"].as_str().unwrap_or("unknown");
    let number = |key: &str| (!end[key].is_null()).then(|| format!("{key} {}", end[key]));
    let how = match (reason, number("code").or_else(|| number("signal"))) {
        ("code" | "signal", Some(number)) => number,
        (reason, Some(number)) => format!("{reason}, {number}"),
        (reason, None) => reason.to_owned(),
    };
    let why = end["why"].as_str();
    why.map_or(how.clone(), |why| format!("{how}: {}", harmless(why)))
}

/// How the last three lives of a program ended, and what they said last.
pub(super) fn ends(screen: &Screen, ends: &[Value]) -> String {
    let mut text = String::new();
    for end in ends.iter().take(3) {
        let which = if end["mode"] == "exec" { "a run in life" } else { "life" };
        let line = format!(
            "{which} {}{} ended{}: {}",
            end["incarnation"],
            of_runtime(end["is_of_earlier_runtime"] == true),
            when(&end["ended"]),
            how_it_ended(end)
        );
        text.push_str(&screen.tint(Tint::Faint, &line));
        text.push('\n');
        let lines = end["lines"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let lines: Vec<_> = lines.collect();
        for line in lines.iter().skip(lines.len().saturating_sub(5)) {
            let _infallible = writeln!(text, "  {}", harmless(line));
        }
    }
    text
}

/// When something was, to the second.
fn when(time: &Value) -> String {
    time.as_str().map_or_else(String::new, |time| {
        let second = time.split('.').next().unwrap_or_default();
        format!(" at {second}Z")
    })
}

/// A line of a log: when, who says it, and what.
pub(super) fn log_line(screen: &Screen, line: &Value) -> String {
    let word = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or("");
    let tint = match (word("level"), word("source")) {
        ("error", _) => Tint::Bad,
        ("warn", _) | (_, "err") => Tint::Poor,
        (_, "event") => Tint::Faint,
        _ => Tint::Plain,
    };
    let level = match word("level") {
        "" | "info" => String::new(),
        level => format!("{}: ", harmless(level)),
    };
    let text = format!("{:5} {level}{}", word("source"), harmless(word("text")));
    format!(
        "{} {}",
        screen.tint(Tint::Faint, word("time")),
        screen.tint(tint, &text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_has_the_level_that_its_program_gave_it() {
        let line = |level: &str| {
            let line = serde_json::json!({ "time": "t", "source": "out", "level": level, "text": "low" });
            log_line(&Screen::plain(None), &line)
        };
        assert_eq!(line("warn"), "t out   warn: low");
        assert_eq!(line("info"), "t out   low");
        assert_eq!(line("\u{1b}[2J"), format!("t out   {}: low", harmless("\u{1b}[2J")));
    }

    #[test]
    fn an_end_is_told_once() {
        let end = |reason, code, signal| {
            how_it_ended(&serde_json::json!({ "reason": reason, "code": code, "signal": signal }))
        };
        assert_eq!(end("code", Some(3), None), "code 3");
        assert_eq!(end("killed", None, Some(9)), "killed, signal 9");
        assert_eq!(end("unknown", None, None::<i32>), "unknown");
        let used_up = serde_json::json!({ "reason": "signal", "signal": 24, "why": "it used up limits.cpu" });
        assert_eq!(how_it_ended(&used_up), "signal 24: it used up limits.cpu");
    }
}
