//! What is counted: one catalogue of metric families, and the instruments that fill it.
//!
//! ```text
//!   room: Section ─┐
//!   room: Section ─┼─▶ Catalogue ──▶ docs/METRICS.md, checks of dashboards and rules
//!   room: Section ─┘       │
//!                          ▼
//!                     Instruments ──▶ Labelled, Fan ──▶ Counter, Elapsed, Gauge, Histogram
//!                          │         (once per part)       (every event: one atomic or two)
//!                          ▼
//!                  read() → Reading ──▶ facade::publish, the runtime's renderer
//! ```
//!
//! A room declares its families as constants, gathers them in a [`Section`] and asks [`Instruments`] for handles.
//! The declaration is the documentation, the registration and the bound on cardinality; nothing is said twice.
//!
//! ```
//! use triarch_supervision::metrics::{Catalogue, Counter, Family, Instruments, Label, Labelled, Section, TELEMETRY};
//!
//! const POURED: Family = Family::counter(
//!     "triarch_teapot_cups_total",
//!     &[Label::closed("result", &["ok", "spilt"])],
//!     "Cups poured.",
//! );
//! const TEAPOT: Section = Section { title: "Teapot", families: &[POURED] };
//!
//! let instruments = Instruments::new(Catalogue::new(&[TEAPOT, TELEMETRY])?);
//! let cups: Labelled<Counter, 1> = instruments.labelled(&POURED)?;
//! let good = cups.with(["ok"]);
//! good.add(3);
//! assert_eq!(good.get(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Cost
//! Asking for a handle takes locks and allocates: do it once, when a part starts. Using one is an atomic addition
//! (two for a histogram), without a lock, a map or an allocation. Parts that see every message count for themselves,
//! and a sampler adds what they have gained; levels come from a census that looks at each node once.

mod buckets;
mod catalogue;
mod census;
mod counter;
mod document;
pub mod facade;
pub mod families;
mod family;
mod gauge;
mod guard;
mod histogram;
mod instruments;
mod reading;
mod roll;
mod rules;
mod shard;
#[cfg(test)]
mod shown;
mod spread;
mod supervision;
mod table;

pub use buckets::Buckets;
pub use catalogue::{Catalogue, CatalogueError, Section};
pub(crate) use census::Census;
pub use counter::{Counter, Elapsed};
pub use family::{Family, Label, Measure, OTHER, Values};
pub use gauge::Gauge;
pub use guard::{LABEL_OVERFLOW, TELEMETRY};
pub use histogram::Histogram;
pub use instruments::{Fan, Fans, InstrumentError, Instruments, Labelled};
pub use reading::{Reading, Sample, Value};
pub use rules::{CLOSED_VALUES_MAX, Misdeclaration, OPEN_VALUES_MAX};
pub use spread::{BucketsDiffer, Quantile, Spread};
pub(crate) use supervision::{KindMetrics, SupervisionMetrics, SupervisorMetrics, TypeMetrics};
pub use table::Instrument;
