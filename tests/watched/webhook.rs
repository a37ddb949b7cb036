//! Whom Alertmanager tells.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;

use crate::running::beside;

/// How many messages may wait to be looked at.
const MESSAGES: usize = 64;

/// A listener for the messages of Alertmanager.
pub(crate) struct Webhook {
    pub(crate) port: u16,
    /// What it was told, as it comes.
    pub(crate) told: Receiver<Value>,
}

impl Webhook {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, told) = sync_channel(MESSAGES);
        beside(move || {
            let messages = listener.incoming().filter_map(|stream| message(stream.ok()?));
            let _nobody_listens_any_more = messages.map(|message| sender.send(message)).find(Result::is_err);
        });
        Self { port, told }
    }
}

/// What one request says; it is thanked for.
fn message(mut stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .ok()?;
    serde_json::from_slice(&body).ok()
}
