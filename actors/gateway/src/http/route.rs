//! What is served, and to whom it goes.

use std::time::Instant;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::json;
use triarch_supervision::tree::Observer;
use triarch_telemetry::{CONTENT_TYPE, Exposition, Health};

use super::admission::{Hosts, admit};
use super::answer::{Answer, Problem, answer, json};
use crate::metrics::Metrics;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Metrics,
    Live,
    Ready,
}

/// What every request of a door is answered from.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    pub(super) hosts: Hosts,
    pub(super) exposition: Exposition,
    pub(super) observer: Observer,
    pub(super) metrics: Metrics,
}

impl Pages {
    /// Answers one request, and counts it.
    pub(super) async fn answer(&self, head: Parts) -> Answer {
        let begun = Instant::now();
        let (answer, code) = match self.find(&head) {
            Ok(route) => (self.serve(route).await, None),
            Err(problem) => (problem.answer(), Some(problem.code)),
        };
        self.metrics.answered(code, begun.elapsed(), true);
        answer
    }

    fn find(&self, head: &Parts) -> Result<Route, Problem> {
        admit(head, &self.hosts).map_err(|(problem, refusal)| {
            self.metrics.refused(refusal);
            problem
        })?;
        find(&head.method, head.uri.path())
    }

    async fn serve(&self, route: Route) -> Answer {
        match route {
            Route::Metrics => {
                let page = self
                    .exposition
                    .page(&self.observer, |page| Bytes::copy_from_slice(page.as_bytes()));
                answer(StatusCode::OK, CONTENT_TYPE, page.await)
            }
            Route::Live => live(self.exposition.health()),
            Route::Ready => ready(self.exposition.health()),
        }
    }
}

pub(super) fn find(method: &Method, path: &str) -> Result<Route, Problem> {
    let route = match path {
        "/metrics" => Route::Metrics,
        "/health/live" => Route::Live,
        "/health/ready" => Route::Ready,
        _ => return Err(Problem::NOWHERE),
    };
    if [Method::GET, Method::HEAD].contains(method) {
        Ok(route)
    } else {
        Err(Problem::METHOD)
    }
}

fn live(health: &Health) -> Answer {
    let is_live = health.is_live();
    let status = if is_live {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &json!({ "is_live": is_live }))
}

fn ready(health: &Health) -> Answer {
    let report = health.report();
    let status = if report.is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_served_is_found_and_only_to_be_read() {
        assert_eq!(find(&Method::GET, "/metrics"), Ok(Route::Metrics));
        assert_eq!(find(&Method::HEAD, "/health/ready"), Ok(Route::Ready));
        assert_eq!(find(&Method::GET, "/health/live"), Ok(Route::Live));
        for path in [
            "/",
            "/metrics/",
            "/Metrics",
            "//metrics",
            "/%6detrics",
            "/health",
            "/health/../metrics",
        ] {
            assert_eq!(find(&Method::GET, path), Err(Problem::NOWHERE), "{path}");
        }
        for method in [Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            assert_eq!(find(&method, "/metrics"), Err(Problem::METHOD), "{method}");
            assert_eq!(find(&method, "/elsewhere"), Err(Problem::NOWHERE), "{method}");
        }
    }
}
