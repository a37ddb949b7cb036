//! Those who take their time. The clock is paused, and jumps where nobody has anything left to do.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::house::{House, status};
use crate::patience::until;

/// Reads until the other side closes; tells how long that took by the paused clock.
async fn closes(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let _reset = stream.read_to_end(&mut Vec::new()).await;
    begun.elapsed()
}

fn about(seconds: u64) -> std::ops::Range<Duration> {
    Duration::from_secs(seconds)..Duration::from_secs(seconds + 1)
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_waited_for_five_seconds() {
    let house = House::open().await;
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    let took = closes(&mut silent).await;
    assert!(about(5).contains(&took), "{took:?}");
    assert_eq!(house.refused("http", "slow"), 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_in_is_waited_for_no_longer() {
    let house = House::open().await;
    let mut slow = TcpStream::connect(house.address).await.unwrap();
    let begun = Instant::now();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nx: ", house.address);
    for byte in request.bytes().chain(std::iter::repeat(b'x')) {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let took = begun.elapsed();
    assert!(about(5).contains(&took), "{took:?}");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_served_is_kept_for_a_minute() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let request = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n", house.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    until("it is answered", || {
        house.figure("triarch_gateway_requests_total", &["http", "done"]) == 1
    })
    .await;
    let took = closes(&mut stream).await;
    assert!(about(59).start <= took && took < about(60).end, "{took:?}");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_page_is_cut_off() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", house.address);
    stream.write_all(request.repeat(300).as_bytes()).await.unwrap();
    until("it has its agent", || house.connections("http") == 1).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    until("it is cut off", || house.connections("http") == 0).await;
    assert_eq!(house.refused("http", "slow"), 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_what_it_asked_for_is_told_so_when_it_reads_on_and_the_work_is_cancelled() {
    let house = House::open().await;
    let mut stream = house.dial().await;
    let line = b"{\"operation\":\"count\",\"input\":1000000}\n";
    stream.write_all(line).await.unwrap();
    until("it has its agent", || house.connections("socket") == 1).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let cancelled = || house.figure("triarch_gateway_requests_total", &["socket", "cancelled"]);
    until("it is cancelled", || cancelled() == 1).await;
    assert_eq!(house.refused("socket", "slow"), 1);
    // However long whoever asked is away.
    tokio::time::sleep(Duration::from_hours(24)).await;
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    let lines: Vec<_> = told.lines().collect();
    let (last, before) = lines.split_last().unwrap();
    assert!(
        last.starts_with("{\"error\":{\"code\":1,\"message\":\"nobody read"),
        "{last}"
    );
    let is_whole = |line: &&str| line.starts_with("{\"progress\":{\"done\":") && line.ends_with("}}");
    assert!(before.iter().all(is_whole), "{before:?}");
    until("its place is free", || house.connections("socket") == 0).await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_place_of_one_that_does_not_read_is_for_whoever_wants_it() {
    let house = House::with(|config| config.socket_connections = 1).await;
    let mut asleep = house.dial().await;
    asleep
        .write_all(b"{\"operation\":\"count\",\"input\":1000000}\n")
        .await
        .unwrap();
    until("it has its agent", || house.connections("socket") == 1).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let mut newcomer = house.dial().await;
    newcomer
        .write_all(b"{\"operation\":\"echo\",\"input\":7}\n")
        .await
        .unwrap();
    let mut answer = [0; 13];
    newcomer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"{\"output\":7}\n");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_long_answer_slowly_gets_all_of_it() {
    let house = House::open().await;
    let mut stream = house.dial().await;
    let long = "x".repeat(1 << 19);
    let line = format!("{{\"operation\":\"echo\",\"input\":\"{long}\"}}\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    let (mut answer, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    while !answer.contains(&b'\n') {
        tokio::time::sleep(Duration::from_secs(40)).await;
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "cut off after {} bytes", answer.len());
        answer.extend_from_slice(&piece[..read]);
    }
    let end = answer.iter().position(|byte| *byte == b'\n').unwrap();
    assert_eq!(end, long.len() + "{\"output\":\"\"}".len());
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_nothing_for_a_minute_finds_that_as_the_answer_to_what_it_asks_next() {
    let house = House::open().await;
    let mut stream = house.dial().await;
    until("it has its agent", || house.connections("socket") == 1).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("{\"error\":{\"code\":5,"), "{told}");
    assert_eq!(house.refused("socket", "slow"), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_slow_ones_keep_nobody_from_being_served() {
    let house = House::open().await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nx: ").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(status(&house.get("/health/live").await), 200);
    }
    assert!(house.connections("http") <= 257);
    assert!(house.refused("http", "full") >= 44);
    house.close().await;
}
