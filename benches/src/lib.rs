//! Measures Triarch side by side with its peers: one process, interleaved rounds, medians.
//!
//! This library is the measuring kit; the subjects and their table are in `peers/`. A subject is a list of [`Entry`]s: the
//! cases it has, and for each a plain function from [`Scale`] to figures. What all subjects do alike is here, so that no
//! two of them measure differently: the load and its check ([`load`]), latencies ([`latency`]), restarts ([`restart`]),
//! counts of agents ([`countdown`]), overloads ([`overload`]), runtimes ([`runtime`]), memory ([`machine`]) and allocations ([`allocation`]).
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong figure must end the measurement, loudly"
)]
#![expect(clippy::cast_precision_loss, reason = "figures are shown with four digits")]

pub mod allocation;
pub mod case;
pub mod countdown;
pub mod figure;
pub mod latency;
pub mod load;
pub mod machine;
pub mod overload;
pub mod report;
pub mod restart;
pub mod runtime;

pub use case::{Case, Entry, Place, Scale};
pub use countdown::Countdown;
pub use latency::Latencies;
pub use load::{Load, Packet, Tally};
pub use overload::Overload;
pub use restart::Outage;
