//! A Prometheus that watches one runtime, with the configuration and the rules of the repository.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::running::{House, exchange, until};
use crate::service::Service;
use crate::{GRAFANA, with};

/// A Prometheus that runs.
pub(crate) struct Prometheus {
    service: Service,
}

/// What a query brings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// How many values are numbers.
    pub(crate) numbers: usize,
    /// How many of these are not 0.
    pub(crate) moved: usize,
    /// What Prometheus took to compute them.
    pub(crate) took: Duration,
}

impl Prometheus {
    /// Starts one that watches the runtime of `house`. It asks as often as the repository says, unless `interval` says
    /// otherwise, and alerts through what listens at the port `alerts`.
    pub(crate) fn start(house: &House, interval: Option<&str>, alerts: u16) -> Self {
        let shipped = fs::read_to_string(format!("{GRAFANA}/prometheus/prometheus.yml")).unwrap();
        let mut config = with(&shipped, "127.0.0.1:7117", &format!("127.0.0.1:{}", house.port));
        config = with(&config, "127.0.0.1:9093", &format!("127.0.0.1:{alerts}"));
        config = with(&config, "rules/*.yml", &format!("{GRAFANA}/prometheus/rules/*.yml"));
        if let Some(interval) = interval {
            config = with(&config, "_interval: 15s", &format!("_interval: {interval}"));
        }
        let config = house.write("prometheus.yml", &config);
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", house.path().join("prometheus").display()),
        ];
        let mut service = Service::start(house, "prometheus", &arguments);
        until("it listens", || service.is_up());
        Self { service }
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.service.port)
    }

    /// The answer of its interface to `path`; nothing while it has none.
    pub(crate) fn ask(&self, path: &str) -> Option<Value> {
        // What answers an HTTP/1.0 sends its body in one piece.
        let (head, body) = exchange(self.service.port, &format!("GET {path} HTTP/1.0\r\n\r\n"));
        if head.split(' ').nth(1) == Some("503") {
            return None;
        }
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {head}{body}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        Some(answer["data"].clone())
    }

    /// What a query brings: of now, or of the last hour in steps of so many seconds.
    pub(crate) fn query(&self, expr: &str, step: Option<u64>) -> Option<Answer> {
        const HOUR: f64 = 3600.0;
        let expr = escaped(expr);
        let path = match step {
            None => format!("/api/v1/query?query={expr}&stats=all"),
            Some(step) => {
                let now = self.ask("/api/v1/query?query=time()")?["result"][0].as_f64()?;
                format!(
                    "/api/v1/query_range?query={expr}&start={}&end={now}&step={step}&stats=all",
                    now - HOUR
                )
            }
        };
        Some(Answer::of(&self.ask(&path)?))
    }
}

impl Answer {
    fn of(data: &Value) -> Self {
        let mut answer = Self {
            took: Duration::from_secs_f64(data["stats"]["timings"]["execTotalTime"].as_f64().unwrap()),
            ..Self::default()
        };
        for series in data["result"].as_array().unwrap() {
            let one = series.get("value").into_iter();
            let many = series["values"].as_array().into_iter().flatten();
            for point in one.chain(many) {
                let value: f64 = point[1].as_str().unwrap().parse().unwrap();
                answer.numbers += usize::from(!value.is_nan());
                answer.moved += usize::from(!value.is_nan() && value != 0.0);
            }
        }
        answer
    }
}

/// As it may stand in an address.
pub(crate) fn escaped(text: &str) -> String {
    let mut address = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            address.push(char::from(byte));
        } else {
            write!(address, "%{byte:02X}").unwrap();
        }
    }
    address
}
