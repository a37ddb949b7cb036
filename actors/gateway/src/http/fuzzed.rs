//! Requests that nobody would send, read by the same hyper within the same bounds: whoever does not name this door is not served.

use std::convert::Infallible;

use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::admission::{Hosts, admit};
use super::answer::{Answer, answer};
use super::connection::reading;
use super::route::find;
use crate::fuzz::fuzz;

const TOKENS: [&str; 28] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    "\0",
    "GET ",
    "HEAD ",
    "CONNECT ",
    "/metrics",
    "/health/live",
    "*",
    "//",
    "%2e",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/2.0",
    "Host: ",
    "Host: localhost:7117\r\n",
    "Origin: null\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\n",
    "X: y\r\n",
    "0\r\n\r\n",
];

/// What is answered where a request is admitted and its path is there.
const SERVED: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// Who is waited for longer than this hangs; what is written and read is in memory.
const ROOM: usize = 1 << 20;

fn judged(request: Request<Incoming>, hosts: &Hosts) -> Answer {
    let head = request.into_parts().0;
    let judged = admit(&head, hosts).map_err(|(problem, _)| problem);
    match judged.and_then(|()| find(&head.method, head.uri.path())) {
        Ok(_) => answer(hyper::StatusCode::OK, "text/plain", Bytes::new()),
        Err(problem) => problem.answer(),
    }
}

async fn answered(input: &[u8], hosts: &Hosts) -> Vec<u8> {
    let (mut guest, door) = tokio::io::duplex(ROOM);
    guest.write_all(input).await.unwrap();
    guest.shutdown().await.unwrap();
    let clerk = service_fn(|request| {
        let judged = judged(request, hosts);
        async move { Ok::<_, Infallible>(judged) }
    });
    let _refused = reading()
        .half_close(true)
        .serve_connection(TokioIo::new(door), clerk)
        .await;
    let mut heard = Vec::new();
    guest.read_to_end(&mut heard).await.unwrap();
    heard
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn fuzzed_requests_are_served_only_where_they_name_this_door() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let hosts = Hosts::of("127.0.0.1:7117".parse().unwrap(), &[]);
    fuzz("http_heads", &TOKENS, |input| {
        let heard = runtime.block_on(answered(input, &hosts));
        assert!(
            heard.is_empty() || heard.starts_with(b"HTTP/1."),
            "{}",
            heard.escape_ascii()
        );
        let is_served = has(&heard, SERVED);
        let names_us = [&b"127.0.0.1:7117"[..], b"localhost:7117"]
            .iter()
            .any(|name| has(input, name));
        assert!(
            names_us || !is_served,
            "served without our name: {}",
            heard.escape_ascii()
        );
        is_served
    });
}
