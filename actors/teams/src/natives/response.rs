//! The head of an HTTP response: a machine that is told what bytes came.

/// The most bytes that are read before the status is known.
const HEAD_MAX: usize = 16 * 1024;
const LINE_END: &[u8] = b"\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";
const VERSION: &[u8] = b"HTTP/1.";

/// What has come of a response.
#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    head: Vec<u8>,
    /// What came before: heads of interim responses.
    passed: usize,
}

/// Why what came is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoResponse {
    #[error("what answers does not speak HTTP/1; check another port")]
    NotHttp,
    #[error("a line of the response's head is no header")]
    NotAHeader,
    #[error("the response's head has more than {HEAD_MAX} bytes")]
    TooLong,
    #[error("the response ended within its head")]
    CutOff,
}

impl Response {
    /// Takes in what came, none of it where nothing more will; gives the status once the head is there.
    pub(super) fn take(&mut self, more: &[u8]) -> Result<Option<u16>, NoResponse> {
        if more.is_empty() {
            return Err(NoResponse::CutOff);
        }
        self.head.extend_from_slice(more);
        loop {
            let common = self.head.len().min(VERSION.len());
            if self.head[..common] != VERSION[..common] {
                return Err(NoResponse::NotHttp);
            }
            let end = position(&self.head, HEAD_END).filter(|end| self.passed + end <= HEAD_MAX);
            let Some(end) = end else {
                let is_within = self.passed + self.head.len() <= HEAD_MAX;
                return if is_within { Ok(None) } else { Err(NoResponse::TooLong) };
            };
            let status = status(&self.head[..end])?;
            if !is_interim(status) {
                return Ok(Some(status));
            }
            let used = end + HEAD_END.len();
            self.head.drain(..used);
            self.passed += used;
        }
    }
}

/// After which another head follows; not 101, which changes the protocol.
fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

fn status(head: &[u8]) -> Result<u16, NoResponse> {
    let mut lines = lines(head);
    let status = lines.next().and_then(status_of).ok_or(NoResponse::NotHttp)?;
    if lines.all(is_header) {
        Ok(status)
    } else {
        Err(NoResponse::NotAHeader)
    }
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = position(line, LINE_END);
        rest = end.map(|end| &line[end + LINE_END.len()..]);
        Some(&line[..end.unwrap_or(line.len())])
    })
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// What a line such as `HTTP/1.1 200 OK` says.
fn status_of(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(VERSION)?;
    let rest = rest.strip_prefix(b"1 ").or_else(|| rest.strip_prefix(b"0 "))?;
    let (digits, reason) = rest.split_at_checked(3)?;
    let is_end = reason.first().is_none_or(|byte| *byte == b' ') && reason.iter().all(|byte| is_text(*byte));
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_status = digits.iter().all(u8::is_ascii_digit) && (100..600).contains(&status);
    (is_end && is_status).then_some(status)
}

fn is_header(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let (name, value) = line.split_at(colon);
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_token) && value.iter().all(|byte| is_text(*byte))
}

/// No control character but the tabulator.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &[u8]) -> Result<Option<u16>, NoResponse> {
        Response::default().take(text)
    }

    #[test]
    fn a_status_is_known_once_the_head_is_there() {
        for (text, expected) in [
            (&b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"[..], Some(200)),
            (b"HTTP/1.0 404\r\n\r\n", Some(404)),
            (b"HTTP/1.1 503 \r\nempty:\r\n\r\n", Some(503)),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", Some(204)),
            (b"HTTP/1.1 101 Other\r\n\r\n", Some(101)),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n", None),
            (b"HT", None),
        ] {
            assert_eq!(taken(text), Ok(expected), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_it_comes() {
        let text = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 418 Teapot\r\nA: b\r\n\r\nrest";
        for cut in 1..text.len() {
            let mut response = Response::default();
            let first = response.take(&text[..cut]).unwrap();
            let status = first.or_else(|| response.take(&text[cut..]).unwrap());
            assert_eq!(status, Some(418), "{cut}");
        }
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for (text, fault) in [
            (&b"SSH-2.0"[..], NoResponse::NotHttp),
            (b"\r\nHTTP/1.1 200 OK\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/2.0 200 OK\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.2 200 OK\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 20 OK\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 +20 OK\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 2000\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 600 No\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 200 O\x07K\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", NoResponse::NotAHeader),
            (b"HTTP/1.1 200 OK\r\n: empty\r\n\r\n", NoResponse::NotAHeader),
            (b"HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", NoResponse::NotAHeader),
            (b"HTTP/1.1 200 OK\nA: b\r\n\r\n", NoResponse::NotHttp),
            (b"HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", NoResponse::NotAHeader),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n folded: c\r\n\r\n", NoResponse::NotAHeader),
            (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", NoResponse::NotAHeader),
            (b"", NoResponse::CutOff),
        ] {
            assert_eq!(taken(text), Err(fault), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_head_without_end_is_not_read_without_end() {
        let mut endless = Response::default();
        assert_eq!(endless.take(b"HTTP/1.1 200 OK\r\n"), Ok(None));
        let refused = (0..HEAD_MAX).find_map(|_| endless.take(b"A: b\r\n").err());
        assert_eq!(refused, Some(NoResponse::TooLong));
        assert!(endless.head.len() < HEAD_MAX + 100);

        let mut interim = Response::default();
        let refused = (0..HEAD_MAX).find_map(|_| interim.take(b"HTTP/1.1 100 Go\r\n\r\n").err());
        assert_eq!(refused, Some(NoResponse::TooLong));
    }
}
