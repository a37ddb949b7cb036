//! What is given on a command line as a body: a word of it, or what comes by the standard input.

use std::io::{self, Read};

use triarch_gateway::LINE_MAX;

use super::posts::Body;

/// The word that stands for the standard input.
pub(crate) const STANDARD: &str = "-";

/// A body as it was given.
pub(crate) fn body(word: &str) -> Result<Body, String> {
    let text = match word {
        STANDARD => text(all(io::stdin().lock()))?,
        word => word.to_owned(),
    };
    text.parse().map_err(|never| match never {})
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
}
