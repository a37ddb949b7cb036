//! Scrapes as Prometheus does them, each over a connection of its own.

use std::time::Instant;

use triarch_benches::figure::percentiles;
use triarch_benches::{Scale, machine};

use crate::cases::SCRAPES;
use crate::commands::with_echoes;
use crate::house::Running;

/// Of a runtime with so many native agents: p50 and p99 in milliseconds, and how many series the page has.
pub(crate) fn at(agents: usize, scale: &Scale) -> Vec<f64> {
    scrape(&with_echoes(agents).up(), agents, scale)
}

/// The same, and then the bytes that the runtime keeps resident.
pub(crate) fn at_with_memory(agents: usize, scale: &Scale) -> Vec<f64> {
    let running = with_echoes(agents).up();
    let mut figures = scrape(&running, agents, scale);
    figures.push(machine::resident_bytes_of(running.pid()) as f64);
    figures
}

fn scrape(running: &Running, agents: usize, scale: &Scale) -> Vec<f64> {
    let times = SCRAPES.of(scale);
    let mut nanos = Vec::with_capacity(times.recorded);
    let mut page = String::new();
    for scrape in 0..times.all() {
        let begun = Instant::now();
        page = running.get("/metrics");
        if scrape >= times.unrecorded {
            nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
    let body = page.split_once("\r\n\r\n").expect("a head and a body").1;
    assert!(
        idle_echoes(body) >= agents as f64,
        "the page does not know of {agents} agents"
    );
    let mut figures = percentiles(nanos, [50, 99], 1e6);
    figures.push(series(body).count() as f64);
    figures
}

fn series(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// How many agents of kind `native` rest, as the page says.
fn idle_echoes(page: &str) -> f64 {
    let idle = series(page).filter(|line| line.starts_with("triarch_agents{") && line.contains("state=\"idle\""));
    idle.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
