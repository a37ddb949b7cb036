//! One line of an agent's log.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// How much of a line's text is kept.
const TEXT_MAX: usize = 16 * 1024;

/// And of its level, which is a word.
const LEVEL_MAX: usize = 32;

/// One line of an agent's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was read, or when it happened.
    #[serde(with = "crate::rfc3339")]
    pub time: SystemTime,
    /// In which life of the agent.
    pub incarnation: u64,
    /// Who says it.
    pub source: Source,
    /// How loud, where the program said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// What it says.
    pub text: String,
}

/// Who says a line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The program, on its standard output.
    Out,
    /// The program, on its standard error.
    Err,
    /// The runtime.
    Event,
}

impl LogLine {
    /// A line that says `text`, or the beginning of it.
    pub(crate) fn new(time: SystemTime, incarnation: u64, source: Source, text: String) -> Self {
        Self {
            time,
            incarnation,
            source,
            level: None,
            text: shortened(text),
        }
    }

    /// The same line, so loud; of a long word only the beginning is kept.
    pub(super) fn at_level(self, mut level: Option<String>) -> Self {
        if let Some(level) = &mut level {
            level.truncate(level.floor_char_boundary(LEVEL_MAX));
            level.shrink_to_fit();
        }
        Self { level, ..self }
    }

    /// As it stands in a file, with its end.
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        if serde_json::to_writer(&mut *out, self).is_err() {
            return out.truncate(begin);
        }
        out.push(b'\n');
    }

    /// What stands in a line of a file; nothing where the disk was full in the middle of it.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

fn shortened(mut text: String) -> String {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let missing = text.len() - TEXT_MAX;
    let end = text.floor_char_boundary(TEXT_MAX);
    text.truncate(end);
    format!("{text}… ({missing} bytes more)")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn time() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(1_234_567)
    }

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let mut line = LogLine::new(time(), 3, Source::Err, "two\nlines \u{1b}[2J".to_owned());
        line.level = Some("warn".to_owned());
        let mut out = Vec::new();
        line.append_to(&mut out);
        assert_eq!(memchr::memchr_iter(b'\n', &out).count(), 1);
        assert!(out.starts_with(br#"{"time":"1970-01-01T00:00:01.234567Z","incarnation":3,"source":"err""#));
        assert_eq!(LogLine::read(out.trim_ascii_end()), Some(line));
        assert_eq!(LogLine::read(&out[..20]), None);
    }

    #[test]
    fn of_a_long_level_the_beginning_is_kept() {
        let line = LogLine::new(time(), 1, Source::Out, String::new());
        let level = |level: String| line.clone().at_level(Some(level)).level.unwrap();
        assert_eq!(level("warn".to_owned()), "warn");
        assert_eq!(level("ü".repeat(500)), "ü".repeat(LEVEL_MAX / 2));
        assert_eq!(level(format!("x{}", "ü".repeat(LEVEL_MAX))).len(), LEVEL_MAX - 1);
    }

    #[test]
    fn a_long_line_says_how_much_is_missing() {
        let line = LogLine::new(time(), 1, Source::Out, format!("{}ü", "x".repeat(TEXT_MAX - 1)));
        assert!(line.text.ends_with("x… (1 bytes more)"), "{}", line.text.len());
    }
}
