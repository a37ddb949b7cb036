//! What a runtime is to be, as a person describes it in `triarch.toml`.
//!
//! ```text
//!   Source ──text──▶ toml ──▶ Node ──overlay──▶ schema ──▶ Config ──▶ owners ──▶ Loaded
//!   file, built in   spans    values with       keys,      typed      what types
//!                             their places ▲    types               cannot tell
//!                                          └── TRIARCH_<SECTION>__<KEY>
//! ```
//!
//! Each step goes on after a fault, so that whoever wrote the description is told of all faults at once; each fault
//! knows its place. What may be set is known from the types alone, by way of their JSON Schema: there is no second list
//! of keys, and a kind of agent tells its own.
//!
//! ```
//! use triarch::config::{self, Source};
//! use triarch::teams::Kinds;
//!
//! let text = "[runtime]\nspam = 20\n".to_owned();
//! let name = "triarch.toml".to_owned();
//! let errors = config::load(&Source::Text { name, text }, &Kinds::new(), []).unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "triarch.toml:2:1: unknown key `spam` in [runtime]\n  \
//!        2 | spam = 20\n    \
//!          | ^^^^\n  \
//!      write `span`"
//! );
//! ```

mod above;
mod difference;
mod environment;
mod error;
mod init;
mod keys;
mod load;
mod node;
#[cfg(test)]
mod page;
mod range;
mod schema;
mod secret;
mod sections;
mod sense;
mod shape;
mod show;
mod slips;
mod source;
mod texts;
mod words;

pub(crate) use difference::changed;
pub use difference::{Difference, Setting, difference};
pub use environment::{variable, variables};
pub use error::{ConfigError, ConfigErrors, Spot, SpotOrigin};
pub use init::{InitError, init, template};
pub use load::{Loaded, STATE_DIR, load, state_dir};
pub use schema::schema;
pub use sections::{Config, LineLimits, LogConfig, LogFormat, LogLevel, RuntimeConfig, TelemetryConfig};
pub use show::{Origin, Shown, ShownSetting};
pub use source::{FILE_NAME, Source};
pub(crate) use words::nearest;

#[cfg(test)]
pub(crate) mod tests;
