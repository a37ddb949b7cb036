//! The HTTP door.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{House, body, status};
use crate::patience::{soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_that_ready_work_runs_and_that_work_is_taken() {
    let house = House::open().await;
    let live = house.get("/health/live").await;
    assert_eq!((status(&live), body(&live)), (200, "{\"is_live\":true}"));
    until("all have started", || house.exposition.health().report().is_ready).await;
    let ready = house.get("/health/ready").await;
    assert_eq!(status(&ready), 200);
    let report: Value = serde_json::from_str(body(&ready)).unwrap();
    assert_eq!((&report["state"], &report["is_ready"]), (&"ready".into(), &true.into()));

    house.exposition.health().drain();
    let draining = house.get("/health/ready").await;
    assert_eq!(status(&draining), 503);
    let report: Value = serde_json::from_str(body(&draining)).unwrap();
    assert_eq!(report["reasons"][0]["cause"], "draining");
    assert_eq!(status(&house.get("/health/live").await), 200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_is_a_problem_in_json() {
    let house = House::open().await;
    for path in ["/", "/metrics/", "/v1/task/submit", "/health", "/../etc/passwd"] {
        let answer = house.get(path).await;
        assert_eq!(status(&answer), 404, "{path}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        let problem: Value = serde_json::from_str(body(&answer)).unwrap();
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&"not_found".into(), &404.into())
        );
        assert!(
            problem["remedy"]
                .as_str()
                .is_some_and(|remedy| remedy.contains("/metrics"))
        );
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_can_only_be_read() {
    let house = House::open().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = format!(
            "{method} /metrics HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            house.address
        );
        let answer = house.raw(&request).await;
        assert_eq!(status(&answer), 405, "{method}");
        assert!(answer.contains("allow: GET, HEAD"), "{answer}");
    }
    let head = format!(
        "HEAD /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        house.address
    );
    let answer = house.raw(&head).await;
    assert_eq!((status(&answer), body(&answer)), (200, ""));
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{answer}"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_speaks_to_another_host_is_refused_before_anything_is_looked_at() {
    let house = House::open().await;
    let port = house.address.port();
    let table = [
        (
            format!("GET /metrics HTTP/1.1\r\nhost: localhost.evil.com:{port}\r\n"),
            421,
        ),
        (
            format!("GET /metrics HTTP/1.1\r\nhost: localhost:{}\r\n", port ^ 1),
            421,
        ),
        ("GET /metrics HTTP/1.1\r\nhost: localhost\r\n".to_owned(), 421),
        (format!("GET /metrics HTTP/1.1\r\nhost: LOCALHOST.:{port}\r\n"), 421),
        (format!("GET /metrics HTTP/1.1\r\nhost: [::1]:{port}\r\n"), 421),
        (format!("GET /metrics HTTP/1.1\r\nhost: 0.0.0.0:{port}\r\n"), 421),
        (format!("GET /elsewhere HTTP/1.1\r\nhost: evil.com:{port}\r\n"), 421),
        (
            format!("GET /metrics HTTP/1.1\r\nhost: localhost:{port}\r\nhost: localhost:{port}\r\n"),
            400,
        ),
        (
            format!("GET /metrics HTTP/1.1\r\nhost: evil.com\r\nhost: localhost:{port}\r\n"),
            400,
        ),
        (
            format!("GET http://localhost:{port}/metrics HTTP/1.1\r\nhost: localhost:{port}\r\n"),
            400,
        ),
        (
            format!("CONNECT localhost:{port} HTTP/1.1\r\nhost: localhost:{port}\r\n"),
            400,
        ),
        ("GET /metrics HTTP/1.0\r\n".to_owned(), 400),
    ];
    for (head, expected) in &table {
        let answer = house.raw(&format!("{head}connection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), *expected, "{head}{answer}");
        assert!(!answer.contains("# TYPE"), "{head}");
    }
    let refused = house.refused("http", "host");
    assert_eq!(refused, table.len() as u64);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_is_refused_and_nobody_is_invited_from_elsewhere() {
    let house = House::open().await;
    let host = house.address;
    let from = |origin: &str| {
        format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\nconnection: close\r\n\r\n")
    };
    for origin in [
        "null",
        "http://localhost.evil.com",
        "https://evil.com",
        &format!("https://{host}"),
    ] {
        assert_eq!(status(&house.raw(&from(origin)).await), 403, "{origin}");
    }
    assert_eq!(house.refused("http", "origin"), 4);
    let own = house.raw(&from(&format!("http://{host}"))).await;
    assert_eq!(status(&own), 200);
    assert!(!own.to_lowercase().contains("access-control"), "{own}");
    assert!(own.contains("x-content-type-options: nosniff"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_beyond_its_bound_is_refused_and_what_is_no_http_too() {
    let house = House::open().await;
    let host = house.address;
    let large = format!(
        "GET /metrics HTTP/1.1\r\nhost: {host}\r\nx: {}\r\n\r\n",
        "x".repeat(17 * 1024)
    );
    let answer = house.raw(&large).await;
    assert_eq!(status(&answer), 431, "{answer}");
    let many = "x: y\r\n".repeat(100);
    let answer = house
        .raw(&format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n{many}\r\n"))
        .await;
    assert_eq!(status(&answer), 431, "{answer}");
    for garbage in [
        "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "{\"operation\":\"echo\"}\n\r\n\r\n",
    ] {
        assert!([0, 400].contains(&status(&house.raw(garbage).await)), "{garbage:?}");
    }
    until("they are counted", || house.refused("http", "malformed") >= 3).await;
    assert_eq!(status(&house.get("/health/live").await), 200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_many_requests() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let request = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n\r\n", house.address);
    for _ in 0..5 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"true}") {
            let read = soon("the answer comes", stream.read_buf(&mut answer)).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        }
    }
    assert_eq!(house.connections("http"), 1);
    assert_eq!(house.figure("triarch_gateway_requests_total", &["http", "done"]), 5);
    drop(stream);
    until("its place is free", || house.connections("http") == 0).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_agents_of_the_room_and_leave_it() {
    let house = House::open().await;
    let stream = TcpStream::connect(house.address).await.unwrap();
    let observer = house.tree.observer();
    until("it has its agent", || observer.node("gateway/http-1").is_ok()).await;
    drop(stream);
    until("its agent is gone", || observer.node("gateway/http-1").is_err()).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_that_fails_is_restarted_and_loses_nobody_who_waits_before_it() {
    let house = House::open().await;
    let gateway = house.tree.observer().supervisor("gateway").unwrap();
    gateway.kill_child("http").await.unwrap();
    gateway.kill_child("socket").await.unwrap();
    assert_eq!(status(&house.get("/health/live").await), 200);
    assert!(tokio::net::UnixStream::connect(&house.socket).await.is_ok());
    until("both live again", || {
        let lives = |path| house.tree.observer().node(path).is_ok_and(|node| node.incarnation == 2);
        lives("gateway/http") && lives("gateway/socket")
    })
    .await;
    house.close().await;
}
