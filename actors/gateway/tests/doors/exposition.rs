//! What Prometheus reads.

use triarch_supervision::metrics::{Catalogue, Measure};

use crate::house::{House, body, sections, status};
use crate::strict;

async fn page(house: &House) -> String {
    let answer = house.get("/metrics").await;
    assert_eq!(status(&answer), 200);
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{answer}"
    );
    body(&answer).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_catalogue_is_there_from_the_first_page_on_and_strictly_well_formed() {
    let house = House::open().await;
    metrics::counter!("zebra_total", "stripes" => "a \"few\"\n").increment(3);
    metrics::histogram!("ant_seconds").record(0.2);
    let families = strict::read(&page(&house).await).unwrap();
    let catalogue = Catalogue::new(&sections()).unwrap();
    for family in catalogue.families() {
        let read = families
            .get(family.name)
            .unwrap_or_else(|| panic!("{} is missing", family.name));
        assert_eq!(read.kind, family.measure.type_name(), "{}", family.name);
        if matches!(family.measure, Measure::Counter | Measure::Histogram(_)) && family.labels.is_empty() {
            assert!(!read.samples.is_empty(), "{} has no series", family.name);
        }
    }
    assert_eq!(families["zebra_total"].samples[0].value, 3.0);
    assert_eq!(families["zebra_total"].samples[0].labels["stripes"], "a \"few\"\n");
    assert_eq!(families["ant_seconds"].kind, "histogram");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_process_the_executor_and_the_doors_do_is_real() {
    let house = House::open().await;
    page(&house).await;
    let families = strict::read(&page(&house).await).unwrap();
    let figure = |name: &str| families[name].samples[0].value;
    assert!(figure("process_resident_memory_bytes") > 1e6);
    assert!(figure("process_start_time_seconds") > 1.7e9);
    assert!(figure("process_open_fds") >= 5.0);
    assert!(figure("process_max_fds") >= figure("process_open_fds"));
    assert!(figure("process_threads") >= 2.0);
    assert_eq!(figure("triarch_runtime_workers"), 2.0);
    assert!(figure("triarch_runtime_tasks_alive") >= 8.0);
    assert_eq!(families["triarch_runtime_worker_busy_seconds_total"].samples.len(), 2);
    assert_eq!(figure("triarch_build_info"), 1.0);
    let build = &families["triarch_build_info"].samples[0].labels;
    assert_eq!(build["version"], "0.1.0");
    assert!(build["rustc"].starts_with("1."), "{build:?}");
    let states = families["triarch_node_state"].samples.iter();
    assert_eq!(states.map(|sample| sample.value).sum::<f64>(), 1.0);
    let pages = &families["triarch_metrics_render_seconds"].samples;
    assert!(
        pages
            .iter()
            .any(|sample| sample.name.ends_with("_count") && sample.value == 1.0)
    );
    let shown: usize = families.values().map(|family| family.samples.len()).sum();
    assert!(figure("triarch_metrics_series") > 100.0);
    assert!(shown <= 2_500, "{shown}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_format_is_asked_for_this_one_is_given() {
    let house = House::open().await;
    let accept = "accept: application/openmetrics-text;version=1.0.0,application/vnd.google.protobuf;q=0.5\r\n";
    let request = format!(
        "GET /metrics HTTP/1.1\r\nhost: {}\r\n{accept}connection: close\r\n\r\n",
        house.address
    );
    let answer = house.raw(&request).await;
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{answer}"
    );
    strict::read(body(&answer)).unwrap();
    house.close().await;
}

#[test]
fn with_every_label_at_its_bound_there_is_room_left() {
    let most = Catalogue::new(&sections()).unwrap().series_max();
    assert!(most <= 2_500, "{most}");
}
