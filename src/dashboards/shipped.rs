//! Whether the files for Prometheus, Alertmanager and Grafana fit together: what one names is there in another.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use yaml_rust2::{Yaml, YamlLoader};

use super::{files, rules};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana");

fn parsed(path: &str) -> Yaml {
    let (_, text) = files().into_iter().find(|(name, _)| name == path).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

fn texts(list: &Yaml) -> Vec<&str> {
    list.as_vec()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

fn span(text: &Yaml) -> Duration {
    humantime::parse_duration(text.as_str().unwrap()).unwrap()
}

/// What each service of the compose file has from elsewhere: the service, the place here or the volume, the place there.
fn mounts(compose: &Yaml) -> Vec<(String, String, String)> {
    let services = compose["services"].as_hash().unwrap().iter();
    services
        .flat_map(|(name, service)| {
            texts(&service["volumes"]).into_iter().map(|volume| {
                let mut parts = volume.split(':');
                let (here, there) = (parts.next().unwrap(), parts.next().unwrap());
                (name.as_str().unwrap().to_owned(), here.to_owned(), there.to_owned())
            })
        })
        .collect()
}

/// What stands after `flag` in the command of a service.
fn flag<'a>(compose: &'a Yaml, service: &str, flag: &str) -> &'a str {
    let words = texts(&compose["services"][service]["command"]);
    words.iter().find_map(|word| word.strip_prefix(flag)).unwrap()
}

#[test]
fn every_yaml_file_can_be_read() {
    let names: Vec<_> = files()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "yml"))
        .collect();
    assert_eq!(names.len(), 7);
    for name in names {
        assert!(parsed(&name).as_hash().is_some_and(|hash| !hash.is_empty()), "{name}");
    }
}

#[test]
fn what_the_compose_file_mounts_is_there() {
    let compose = parsed("compose.yml");
    let declared: BTreeSet<_> = compose["volumes"]
        .as_hash()
        .unwrap()
        .keys()
        .map(|name| name.as_str().unwrap())
        .collect();
    let exported: Vec<_> = files().into_iter().map(|(name, _)| name).collect();
    for (service, here, _) in mounts(&compose) {
        match here.strip_prefix("./") {
            Some(path) => {
                assert!(Path::new(FOLDER).join(path).exists(), "{service}: there is no {path}");
                assert!(
                    exported.iter().any(|name| name.starts_with(path)),
                    "{service}: {path} is not exported"
                );
            }
            None => assert!(
                declared.contains(here.as_str()),
                "{service}: no volume is called {here}"
            ),
        }
    }
}

#[test]
fn every_image_has_a_version_and_nobody_listens_beyond_this_machine() {
    let compose = parsed("compose.yml");
    for (name, service) in compose["services"].as_hash().unwrap() {
        let (_, version) = service["image"].as_str().unwrap().split_once(':').unwrap();
        assert!(version.contains('.'), "{name:?}");
        assert_eq!(service["network_mode"].as_str(), Some("host"));
    }
    for service in ["prometheus", "alertmanager"] {
        assert!(flag(&compose, service, "--web.listen-address=").starts_with("127.0.0.1:"));
    }
    assert_eq!(flag(&compose, "alertmanager", "--cluster.listen-address="), "");
    let grafana = &compose["services"]["grafana"]["environment"];
    assert_eq!(grafana["GF_SERVER_HTTP_ADDR"].as_str(), Some("127.0.0.1"));
}

#[test]
fn grafana_has_no_password_that_everybody_knows() {
    let compose = parsed("compose.yml");
    let password = compose["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].as_str();
    // Compose refuses to start without a variable that is written so.
    let is_asked_for = |text: &str| text.starts_with("${GRAFANA_ADMIN_PASSWORD:?") && text.ends_with('}');
    assert!(password.is_some_and(is_asked_for), "{password:?}");
}

#[test]
fn each_finds_what_it_is_told_of() {
    let compose = parsed("compose.yml");
    let mounted: BTreeSet<_> = mounts(&compose)
        .into_iter()
        .map(|(service, _, there)| (service, there))
        .collect();
    let has = |service: &str, place: &str| {
        assert!(
            mounted.contains(&(service.to_owned(), place.to_owned())),
            "{service} has no {place}"
        );
    };
    for service in ["prometheus", "alertmanager"] {
        has(service, flag(&compose, service, "--config.file="));
    }
    has("prometheus", flag(&compose, "prometheus", "--storage.tsdb.path="));
    has("alertmanager", flag(&compose, "alertmanager", "--storage.path="));
    let boards = parsed("provisioning/dashboards/triarch.yml");
    has("grafana", boards["providers"][0]["options"]["path"].as_str().unwrap());

    let prometheus = parsed("prometheus/prometheus.yml");
    assert_eq!(texts(&prometheus["rule_files"]), ["rules/*.yml"]);
    has("prometheus", "/etc/prometheus/rules");
    let told = &prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"];
    assert_eq!(texts(told), [flag(&compose, "alertmanager", "--web.listen-address=")]);
    let source = &parsed("provisioning/datasources/triarch.yml")["datasources"][0];
    let address = flag(&compose, "prometheus", "--web.listen-address=");
    assert_eq!(source["url"].as_str(), Some(&*format!("http://{address}")));
    assert_eq!(
        source["jsonData"]["timeInterval"],
        prometheus["global"]["scrape_interval"]
    );
    let scraped = &prometheus["scrape_configs"][0]["static_configs"][0]["targets"];
    let listen = triarch_gateway::Config::default().listen.to_string();
    assert_eq!(texts(scraped), [listen]);
}

#[test]
fn every_alert_has_somebody_who_is_told() {
    let manager = parsed("alertmanager/alertmanager.yml");
    let receivers = manager["receivers"].as_vec().unwrap().iter();
    let receivers: BTreeSet<_> = receivers.map(|receiver| receiver["name"].as_str().unwrap()).collect();
    let routes = manager["route"]["routes"].as_vec().unwrap();
    for route in routes.iter().chain([&manager["route"]]) {
        assert!(receivers.contains(route["receiver"].as_str().unwrap()), "{route:?}");
    }
    let matched: BTreeSet<_> = routes.iter().flat_map(|route| texts(&route["matchers"])).collect();
    for alert in rules::groups().into_iter().flat_map(|group| group.rules) {
        let severity = format!("severity=\"{}\"", alert.severity.word());
        assert!(matched.contains(&*severity), "{}", alert.name);
    }
}

/// Beside what Prometheus and Alertmanager wait for, half a minute is left for the failures themselves.
#[test]
fn a_crash_loop_is_told_of_within_ninety_seconds_at_worst() {
    let global = &parsed("prometheus/prometheus.yml")["global"];
    let route = &parsed("alertmanager/alertmanager.yml")["route"];
    let seen = span(&global["scrape_interval"]) + span(&global["evaluation_interval"]);
    let slowest = span(&route["group_wait"]).max(span(&route["group_interval"]));
    for alert in rules::groups().into_iter().flat_map(|group| group.rules) {
        if ["TriarchCrashLoop", "TriarchQuarantine", "TriarchEscalation"].contains(&alert.name) {
            let wait = humantime::parse_duration(alert.wait).unwrap();
            let told = seen + wait + slowest;
            assert!(told <= Duration::from_mins(1), "{}: {told:?}", alert.name);
        }
    }
}
