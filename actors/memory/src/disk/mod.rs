//! What goes to disk, and comes back from there.

mod codec;
mod dump;
mod entries;
mod recovery;
mod seal;

pub use codec::CodecError;
pub(crate) use codec::{Flushed, Image, Images, Place, Record, RulesText};
pub use dump::DumpError;
pub(crate) use dump::{Dump, DumpReader};
pub(crate) use entries::Entries;
pub use recovery::RecoveryError;
pub(crate) use recovery::{Held, Recovering, Recovery};
pub(crate) use seal::Seal;
pub use seal::{SealError, Secret};
