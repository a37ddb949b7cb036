//! What is given on a command line as a body: a word of it, or what comes by the standard input.

use std::io::{self, Read};

use serde::de::IgnoredAny;
use triarch_gateway::LINE_MAX;

use super::posts::Body;
use crate::complaint::complain;

/// The word that stands for the standard input.
pub(crate) const STANDARD: &str = "-";

/// A body as it was given.
pub(crate) fn body(word: &str) -> Result<Body, String> {
    let text = match word {
        STANDARD => text(all(io::stdin().lock()))?,
        word => word.to_owned(),
    };
    warn_of_slip("the body", &text);
    text.parse().map_err(|never| match never {})
}

/// Tells whoever gave a text that begins as JSON does and is none: most likely it was meant to be.
pub(crate) fn warn_of_slip(what: &str, text: &str) {
    if let Some(slip) = slip(text) {
        complain(&format!(
            "{what} begins as JSON does and is none, so it is taken as text: {slip}"
        ));
    }
}

/// Why it is no JSON.
fn slip(text: &str) -> Option<String> {
    let is_begun = text.trim_start().starts_with(['{', '[', '"']);
    let read = is_begun.then(|| serde_json::from_str::<IgnoredAny>(text))?;
    read.err().map(|error| error.to_string())
}

/// No more than a request could have.
pub(crate) fn all(from: impl Read) -> io::Result<Vec<u8>> {
    let mut given = Vec::new();
    from.take(LINE_MAX as u64 + 1).read_to_end(&mut given)?;
    Ok(given)
}

/// Without the end of its last line, which whoever wrote it most often did not mean.
fn text(read: io::Result<Vec<u8>>) -> Result<String, String> {
    let given = read.map_err(|error| format!("the standard input cannot be read: {error}"))?;
    if given.len() > LINE_MAX {
        return Err(format!("it is too large for one request, which has {LINE_MAX} bytes"));
    }
    let mut text = String::from_utf8(given).map_err(|_| "what came is neither JSON nor text".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_text_without_the_end_of_its_last_line_and_no_more_than_a_request_has() {
        let given = |bytes: &[u8]| text(all(bytes));
        assert_eq!(given(b"{\"a\":1}\n").as_deref(), Ok("{\"a\":1}"));
        assert_eq!(given(b"two\nlines\n\n").as_deref(), Ok("two\nlines\n"));
        assert_eq!(given(b"").as_deref(), Ok(""));
        assert_eq!(given(b"\xff").unwrap_err(), "what came is neither JSON nor text");
        let much = given(&vec![b'x'; LINE_MAX + 10]).unwrap_err();
        assert!(much.starts_with("it is too large for one request"), "{much}");
    }

    #[test]
    fn what_begins_as_json_does_and_is_none_is_a_slip_and_no_other_text() {
        for (text, slip_of) in [
            ("{\"text\":", Some("EOF while parsing a value at line 1 column 8")),
            ("[1,]", Some("expected value at line 1 column 4")),
            (" \"a\" b", Some("trailing characters at line 1 column 6")),
            ("{\"text\":1}", None),
            ("\"text\"", None),
            ("page {7}", None),
            ("12 apples", None),
            ("", None),
        ] {
            assert_eq!(slip(text).as_deref(), slip_of, "{text}");
        }
    }
}
