//! The page that Prometheus reads.
//!
//! ```text
//!   observer.sample() ──┐
//!   process, executor ──┼─▶ Instruments ──read──┐
//!   objectives, health ─┘                       ├─ merged by name ──▶ one page
//!   other libraries ──▶ facade ──▶ recorder ────┘
//! ```
//!
//! The whole catalogue is there from the first page on, families and series in their order, so that two pages differ only
//! in what happened between them.

use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;
use triarch_supervision::metrics::{Fan, Gauge, Histogram, InstrumentError, Instruments};
use triarch_supervision::sync::lock;
use triarch_supervision::tree::Observer;

use crate::executor::Executor;
use crate::foreign::{self, Block, Foreign};
use crate::health::{Health, State};
use crate::metrics;
use crate::objectives::Objectives;
use crate::page::write_family;
use crate::process::Process;

/// What the page is: the text format, which Prometheus 2 and 3 both read, whatever else they ask for.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes the page. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Exposition(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    instruments: Instruments,
    health: Health,
    process: Process,
    executor: Executor,
    objectives: Objectives,
    node_state: Fan<Gauge>,
    series: Arc<Gauge>,
    left_out: Arc<Gauge>,
    render_seconds: Arc<Histogram>,
    refreshers: Refreshers,
    /// The last page, whose memory the next one takes. Whoever waits for it blocks no thread.
    page: Mutex<String>,
}

/// Who sets gauges of rooms just before they are read.
#[derive(Default)]
struct Refreshers(StdMutex<Vec<Box<dyn Fn() + Send + Sync>>>);

impl fmt::Debug for Refreshers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshers").finish_non_exhaustive()
    }
}

impl Refreshers {
    fn all(&self) -> MutexGuard<'_, Vec<Box<dyn Fn() + Send + Sync>>> {
        lock(&self.0)
    }
}

impl Exposition {
    /// Of `instruments`, whose catalogue needs [`SECTIONS`](metrics::SECTIONS) and those of supervision and mailboxes.
    /// Installs the recorder behind the facade `metrics`, once per process.
    pub fn new(instruments: Instruments, health: Health, version: &str) -> Result<Self, InstrumentError> {
        let build = instruments.labelled::<Gauge, 3>(&metrics::BUILD_INFO)?;
        let revision = option_env!("TRIARCH_REVISION").unwrap_or("unknown");
        build.with([version, revision, env!("TRIARCH_RUSTC")]).set(1.0);
        foreign::recorder();
        Ok(Self(Arc::new(Shared {
            process: Process::new(&instruments)?,
            executor: Executor::new(&instruments)?,
            objectives: Objectives::new(&instruments)?,
            node_state: instruments.fans(&metrics::NODE_STATE)?.with([]),
            series: instruments.single(&metrics::METRICS_SERIES)?,
            left_out: instruments.single(&metrics::METRICS_LEFT_OUT)?,
            render_seconds: instruments.single(&metrics::METRICS_RENDER_SECONDS)?,
            refreshers: Refreshers::default(),
            page: Mutex::default(),
            instruments,
            health,
        })))
    }

    /// How the runtime is.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Has `refresh` called before each page is written, to set gauges that only show how something is then.
    pub fn before_each_page(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.0.refreshers.all().push(Box::new(refresh));
    }

    /// What it shows.
    pub fn instruments(&self) -> &Instruments {
        &self.0.instruments
    }

    /// Counts an answer for the objective `api`: an operation or a scrape, whichever door it came through.
    pub fn answered(&self, took: Duration, is_failure: bool) {
        self.0.objectives.answered(took, is_failure);
    }

    /// Writes the page as of now and hands it to `read`. One page is written at a time.
    pub async fn page<T>(&self, observer: &Observer, read: impl FnOnce(&str) -> T) -> T {
        let mut page = self.0.page.lock().await;
        let begun = Instant::now();
        observer.sample();
        self.0.refresh();
        self.0.write(&mut page);
        self.0.render_seconds.observe(begun.elapsed());
        read(&page)
    }
}

impl Shared {
    fn refresh(&self) {
        self.process.refresh();
        self.executor.refresh();
        self.objectives.refresh();
        self.refreshers.all().iter().for_each(|refresh| refresh());
        let present = self.health.report().state;
        for state in State::ALL {
            let is_present = if state == present { 1.0 } else { 0.0 };
            self.node_state.at(state.label()).set(is_present);
        }
    }

    fn write(&self, page: &mut String) {
        let text = foreign::recorder().map(PrometheusHandle::render);
        let mut foreign = Foreign::read(text.as_deref().unwrap_or_default(), self.instruments.catalogue());
        self.left_out.set_count(foreign.left_out);
        page.clear();
        let mut series = 0;
        for reading in self.instruments.read() {
            series += write_foreign(page, &mut foreign, Some(reading.family.name));
            series += write_family(page, &reading);
        }
        series += write_foreign(page, &mut foreign, None);
        self.series.set_count(series);
    }
}

fn write_foreign(page: &mut String, foreign: &mut Foreign, before: Option<&str>) -> usize {
    let blocks = foreign.take_before(before);
    let write = |block: Block| {
        page.push_str(&block.text);
        block.series
    };
    blocks.into_values().map(write).sum()
}
