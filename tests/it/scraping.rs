//! What Prometheus and a load balancer get to see.

use serde_json::Value;

use crate::running::House;

#[test]
fn the_metrics_are_there_from_the_first_scrape_and_move() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let (head, page) = house.get("/metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let catalogue = triarch::catalogue().unwrap();
    for family in catalogue.families() {
        assert!(
            page.contains(&format!("# TYPE {} ", family.name)),
            "{} is missing",
            family.name
        );
    }
    assert!(page.lines().filter(|line| !line.starts_with('#')).count() <= 2_500);
    assert!(!page.contains("quantile="), "there is a summary");
    house.json(&["agent", "ask", "worker-1", "1"]);
    let (_, later) = house.get("/metrics");
    let handled = |page: &str| sum(page, "triarch_messages_handled_total{");
    assert!(handled(&later) > handled(&page), "{later}");
}

/// The sum of the series that begin so.
fn sum(page: &str, beginning: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with(beginning));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[test]
fn health_says_live_and_ready() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let (head, _) = house.get("/health/live");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (head, body) = house.get("/health/ready");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let ready: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(ready["state"], "ready");
}

#[test]
fn a_page_there_is_not_says_so() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let (head, _) = house.get("/nothing");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}
