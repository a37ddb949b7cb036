//! A process without descriptors to spare: alone in its binary, because the limit is the process's.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong outcome ends the test"
)]

#[expect(dead_code, reason = "the house of the other tests has more than is needed here")]
#[path = "doors/house.rs"]
mod house;
#[path = "doors/patience.rs"]
mod patience;

use std::fs::File;
use std::sync::atomic::Ordering;
use std::time::Instant;

use house::{House, body, status};
use patience::{soon, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Few enough to be used up quickly.
const DESCRIPTORS: u64 = 128;

/// Takes every descriptor there is.
fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_socket_still_answers_and_no_door_spins_or_stays_shut() {
    let limit = Rlimit {
        current: Some(DESCRIPTORS),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let house = House::open().await;
    let mut held = take_all();

    // One descriptor for the caller's own end, none for the other.
    held.pop();
    let mut caller = house.dial().await;
    caller
        .write_all(b"{\"operation\":\"echo\",\"input\":7}\n")
        .await
        .unwrap();
    let mut answer = vec![0; 13];
    soon("the control socket answers", caller.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer, b"{\"output\":7}\n");
    assert!(house.refused("socket", "exhausted") >= 1);
    assert_eq!(house.connections("socket"), 1);

    held.pop();
    let begun = Instant::now();
    let mut scraper = TcpStream::connect(house.address).await.unwrap();
    until("the door has waited", || house.refused("http", "exhausted") >= 3).await;
    let tries = house.refused("http", "exhausted");
    let most = begun.elapsed().as_millis() / 100 + 2;
    assert!(u128::from(tries) <= most, "{tries} tries where {most} are due");

    held.clear();
    let request = format!(
        "GET /health/live HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        house.address
    );
    scraper.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("who waited is served", scraper.read_to_string(&mut answer))
        .await
        .unwrap();
    assert_eq!((status(&answer), body(&answer)), (200, "{\"is_live\":true}"));
    assert_eq!(status(&house.get("/metrics").await), 200);
    drop(caller);
    assert_eq!(house.dropped.load(Ordering::SeqCst), 0, "nothing was cut off");
    house.close().await;
}
