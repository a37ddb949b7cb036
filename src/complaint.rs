//! What is not as it should be, said where logs go.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use triarch_supervision::sync::lock;

use crate::config::LogFormat;
use crate::harmless::harmless_lines;
use crate::wall_clock::wall_clock;

/// How long the runtime waits for whoever reads what it complains of.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Says what is not as it should be, to people.
pub(crate) fn complain(text: &str) {
    complain_in(LogFormat::Text, text);
}

/// The same of what a program is to read.
pub(crate) fn complain_as_it_is(line: &str) {
    let _unread = writeln!(io::stderr().lock(), "{line}");
}

/// Says what is not as it should be, as the log is written that goes the same way.
fn complain_in(format: LogFormat, text: &str) {
    let _unread = writeln!(
        io::stderr().lock(),
        "{}",
        line(format, text, io::stderr().is_terminal())
    );
}

/// A complaint may have words of programs in it, which are not to move the cursor of a terminal.
fn line(format: LogFormat, text: &str, is_terminal: bool) -> String {
    match format {
        LogFormat::Text if is_terminal => format!("triarch: {}", harmless_lines(text)),
        LogFormat::Text => format!("triarch: {text}"),
        LogFormat::Json => {
            let time = humantime::format_rfc3339_millis(wall_clock()).to_string();
            json!({ "time": time, "level": "warn", "subject": "triarch", "message": text }).to_string()
        }
    }
}

/// The same for the runtime: for one that does not read it waits a moment, once, and no more before that one reads on.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever reads may never do so, and the tree may have ended before"
)]
pub(crate) fn complain_in_time(format: LogFormat, text: &str) {
    static TURN: Mutex<()> = Mutex::new(());
    static IS_STUCK: AtomicBool = AtomicBool::new(false);
    let _turn = lock(&TURN);
    if IS_STUCK.swap(true, Ordering::AcqRel) {
        return;
    }
    let text = text.to_owned();
    let (said, is_said) = std::sync::mpsc::sync_channel(1);
    let saying = std::thread::Builder::new().name("complaint".to_owned()).spawn(move || {
        complain_in(format, &text);
        IS_STUCK.store(false, Ordering::Release);
        // Nobody waits for it who has waited for long.
        let _waits = said.try_send(());
    });
    match saying {
        Ok(_) => drop(is_said.recv_timeout(READ_WITHIN)),
        Err(_) => IS_STUCK.store(false, Ordering::Release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_programs_move_no_cursor_of_a_terminal_and_go_elsewhere_as_they_are() {
        let text = "team/agent did not do it: \u{1b}[2J\u{1b}]0;x\u{7}\rdone\nand more";
        let told = "triarch: team/agent did not do it:  [2J ]0;x  done\nand more";
        assert_eq!(line(LogFormat::Text, text, true), told);
        assert_eq!(line(LogFormat::Text, text, false), format!("triarch: {text}"));
        assert!(!line(LogFormat::Json, text, true).contains('\u{1b}'));
    }
}
