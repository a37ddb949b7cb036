//! Measures Triarch side by side with its peers: one process, interleaved rounds, medians.
//!
//! This library is the measuring kit; the benches are in `peers/`, which compares Triarch with other actors, in
//! `runtime/`, which measures the runtime as it is used, in `storage/`, which puts records on disk for good, in `bus/`, which
//! publishes and delivers, and in `memory/`, which measures the store that agents share. A [`Bench`] is a list of [`Entry`]s: the cases each subject has, and for
//! each a plain function from [`Scale`] to figures; a [`program::Program`] is what such a list is started as. What all subjects do alike is here, so that no
//! two of them measure differently: rounds ([`rounds`]), the load and its check ([`load`]), latencies ([`latency`]), restarts ([`restart`]),
//! counts of agents ([`countdown`]), overloads ([`overload`]), servers ([`server`]) and what they are spoken to in ([`wire`]), runtimes ([`runtime`]), memory ([`machine`]) and allocations ([`allocation`]).
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong figure must end the measurement, loudly"
)]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

pub mod allocation;
pub mod bench;
pub mod case;
pub mod child;
pub mod countdown;
pub mod figure;
pub mod latency;
pub mod load;
pub mod machine;
pub mod options;
pub mod overload;
pub mod program;
pub mod report;
pub mod restart;
pub mod rounds;
pub mod runtime;
pub mod server;
pub mod wire;

pub use bench::Bench;
pub use case::{Case, Entry, Place, Scale};
pub use countdown::Countdown;
pub use latency::Latencies;
pub use load::{Load, Packet, Tally};
pub use overload::Overload;
pub use restart::Outage;
