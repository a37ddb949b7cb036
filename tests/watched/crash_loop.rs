//! An agent that fails over and over, until somebody is told.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::prometheus::Prometheus;
use crate::running::{House, until};
use crate::service::Service;
use crate::webhook::Webhook;
use crate::{GRAFANA, PATIENCE, tell, with};

/// Within what time whoever is to be told of a crash loop is told.
const SOON: Duration = Duration::from_secs(90);

/// Two programs that do well until there is a file `broken`. The team of the first has rules of its own, by which it is
/// started again without end; the second gets those that hold where nothing is said.
const FLEET: &str = r#"
[[team]]
name = "stubborn"
intensity = { restarts = 1000, within = "30s" }
backoff = { first = "2s", factor = 1.0, max = "2s" }

  [[team.agent]]
  name = "loop"
  kind = "program"
  command = ["sh", "-c", "test ! -e broken && exec cat"]

[[team]]
name = "usual"

  [[team.agent]]
  name = "loop"
  kind = "program"
  command = ["sh", "-c", "test ! -e broken && exec cat"]
"#;

/// Of which team which alert tells.
const TOLD: [(&str, &str); 2] = [("stubborn", "TriarchCrashLoop"), ("usual", "TriarchQuarantine")];

/// Starts Alertmanager with the configuration of the repository, whose receiver is the webhook.
fn alertmanager(house: &House, webhook: &Webhook) -> Service {
    let shipped = fs::read_to_string(format!("{GRAFANA}/alertmanager/alertmanager.yml")).unwrap();
    let receiver = format!(
        "  - name: nobody\n    webhook_configs:\n      - url: http://127.0.0.1:{}/\n",
        webhook.port
    );
    let config = house.write("alertmanager.yml", &with(&shipped, "  - name: nobody\n", &receiver));
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.path={}", house.path().join("alertmanager").display()),
        "--cluster.listen-address=".to_owned(),
    ];
    let mut service = Service::start(house, "prometheus-alertmanager", &arguments);
    until("it listens", || service.is_up());
    service
}

/// The teams and names of the alerts that fire, as a message tells of them.
fn firing(message: &Value) -> Vec<(String, String)> {
    let alerts = message["alerts"].as_array().unwrap().iter();
    let firing = alerts.filter(|alert| alert["status"] == "firing");
    let label = |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
    firing
        .map(|alert| (label(alert, "supervisor"), label(alert, "alertname")))
        .collect()
}

#[test]
fn somebody_is_told_of_a_crash_loop_within_ninety_seconds() {
    let house = House::new();
    house.write("triarch.toml", FLEET);
    let _runtime = house.up(&[]);
    let webhook = Webhook::listen();
    let alertmanager = alertmanager(&house, &webhook);
    // As often as the repository says: what is tried is what people get.
    let prometheus = Prometheus::start(&house, None, alertmanager.port);
    until("it is scraped", || {
        let answer = prometheus.query("up == 1", None);
        answer.is_some_and(|answer| answer.numbers > 0)
    });

    house.write("broken", "");
    let begun = Instant::now();
    for (team, _) in TOLD {
        house.json(&["agent", "kill", &format!("{team}/loop")]);
    }
    let mut told = BTreeMap::new();
    while !TOLD
        .iter()
        .all(|(team, alert)| told.contains_key(&((*team).to_owned(), (*alert).to_owned())))
    {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let message = webhook.told.recv_timeout(left);
        let message = message.unwrap_or_else(|_| panic!("nobody is told of all; of these: {told:?}"));
        for alert in firing(&message) {
            told.entry(alert).or_insert(begun.elapsed());
        }
    }
    for ((team, alert), after) in &told {
        tell(&format!("{:>6.1} s  {alert} of {team}", after.as_secs_f64()));
    }
    for (team, alert) in TOLD {
        let after = told[&(team.to_owned(), alert.to_owned())];
        assert!(after < SOON, "{alert} of {team} took {after:?}");
    }
}
