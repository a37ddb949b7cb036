//! The two small text protocols that servers are spoken to in. Written here, since nothing is faster than to write and read whole
//! buffers without a client between: who is measured is the server.

use std::io::{BufRead, BufReader, Read, Write};

/// What is read at once.
const BUFFER: usize = 1 << 18;

/// A frame of NATS that carries something.
#[derive(Debug, Default)]
pub struct Frame {
    /// For which subscription of the connection it came.
    pub subscription: usize,
    /// Where an answer goes.
    pub reply: String,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Reads what a server says.
#[derive(Debug)]
pub struct Wire<R> {
    from: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Wire<R> {
    /// On a connection, or half of one.
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(BUFFER, from),
            line: Vec::new(),
        }
    }

    /// A line, without its end; nothing once the server has gone.
    fn line(&mut self) -> Option<&str> {
        self.line.clear();
        let count = self.from.read_until(b'\n', &mut self.line).ok()?;
        let line = str::from_utf8(&self.line).ok().filter(|_| count > 0);
        line.map(str::trim_end)
    }

    fn bytes(&mut self, count: usize, into: &mut Vec<u8>) -> Option<()> {
        into.resize(count, 0);
        self.from.read_exact(into).ok()?;
        self.from.read_exact(&mut [0; 2]).ok()
    }

    /// Whether all that was read is handed out.
    pub fn is_empty(&self) -> bool {
        self.from.buffer().is_empty()
    }

    /// The next frame of NATS that carries something, its headers cut off; nothing once the server has gone.
    ///
    /// # Panics
    /// When the server complains.
    pub fn frame(&mut self, frame: &mut Frame) -> Option<()> {
        let (size, headers) = loop {
            if let Some(sizes) = head(self.line()?, frame) {
                break sizes;
            }
        };
        self.bytes(size, &mut frame.payload)?;
        frame.payload.drain(..headers);
        Some(())
    }

    /// The next answer of Redis, its strings one after the other: how many there were; nothing once the server has gone. Nil
    /// is one that is empty.
    ///
    /// # Panics
    /// When the server complains.
    pub fn answer(&mut self, strings: &mut Vec<Vec<u8>>) -> Option<usize> {
        let (mut filled, mut left) = (0, 1);
        while left > 0 {
            left -= 1;
            let line = self.line()?;
            let (kind, rest) = line.split_at_checked(1)?;
            assert!(kind != "-", "the server says {line}");
            let size = usize::try_from(rest.parse::<i64>().unwrap_or_default());
            if kind == "*" {
                left += size.unwrap_or_default();
                continue;
            }
            let mut text = std::mem::take(strings.get_mut(filled).unwrap_or(&mut Vec::new()));
            text.clear();
            match (kind, size) {
                ("$", Ok(size)) => self.bytes(size, &mut text)?,
                ("$", Err(_)) => {}
                _ => text.extend_from_slice(rest.as_bytes()),
            }
            match strings.get_mut(filled) {
                Some(there) => *there = text,
                None => strings.push(text),
            }
            filled += 1;
        }
        Some(filled)
    }
}

/// What the first line of a frame says: its size with headers, and theirs; nothing where it carries nothing.
fn head(line: &str, frame: &mut Frame) -> Option<(usize, usize)> {
    assert!(!line.starts_with("-ERR"), "the server says {line}");
    let (verb, rest) = line.split_once(' ')?;
    let has_headers = match verb {
        "MSG" => false,
        "HMSG" => true,
        _ => return None,
    };
    let words: Vec<&str> = rest.split(' ').collect();
    let size = |from_end: usize| words.iter().rev().nth(from_end).and_then(|word| word.parse().ok());
    let headers = if has_headers { size(1)? } else { 0 };
    frame.subscription = words.get(1)?.parse().ok()?;
    frame.reply.clear();
    // Subject, number of the subscription, perhaps where to answer, one size or two.
    if words.len() > 3 + usize::from(has_headers) {
        frame.reply.push_str(words.get(2)?);
    }
    Some((size(0)?, headers))
}

/// A command for Redis.
pub fn command(into: &mut Vec<u8>, words: &[&[u8]]) {
    let _ = write!(into, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(into, "${}\r\n", word.len());
        into.extend_from_slice(word);
        into.extend_from_slice(b"\r\n");
    }
}

/// A publication for NATS, with where to answer, or nowhere.
pub fn publication(into: &mut Vec<u8>, subject: &str, reply: &str, payload: &[u8]) {
    let gap = if reply.is_empty() { "" } else { " " };
    let _ = write!(into, "PUB {subject}{gap}{reply} {}\r\n", payload.len());
    into.extend_from_slice(payload);
    into.extend_from_slice(b"\r\n");
}

/// Greets a server of NATS and subscribes; ends when that is done.
///
/// # Panics
/// When the server refuses.
pub fn greet<R: Read>(wire: &mut Wire<R>, stream: &mut impl Write, subscribe: &[(&str, u32)]) {
    let mut text = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n".to_vec();
    for (subject, number) in subscribe {
        let _ = write!(text, "SUB {subject} {number}\r\n");
    }
    text.extend_from_slice(b"PING\r\n");
    stream.write_all(&text).expect("it listens");
    loop {
        let line = wire.line().expect("it speaks");
        assert!(!line.starts_with("-ERR"), "the server says {line}");
        if line == "PONG" {
            return;
        }
    }
}
