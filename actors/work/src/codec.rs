//! How records and snapshots are written: a byte for the version, then postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The one version there is.
pub(crate) const VERSION: u8 = 1;

/// Why bytes are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// There is nothing.
    #[error("a record of tasks is empty; the journal is not that of this room")]
    Empty,
    /// It was written by a later release, or is none.
    #[error("a record of tasks has version {found}, and this build reads {VERSION}; run the release that wrote it")]
    Version {
        /// The version found.
        found: u8,
    },
    /// It ends early, goes on too long, or says what cannot be.
    #[error("a record of tasks does not read as one: {fault}; restore the journal from a backup")]
    Malformed {
        /// What is wrong.
        fault: postcard::Error,
    },
}

impl From<postcard::Error> for CodecError {
    fn from(fault: postcard::Error) -> Self {
        Self::Malformed { fault }
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(postcard::to_extend(value, vec![VERSION])?)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (version, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
    if *version != VERSION {
        return Err(CodecError::Version { found: *version });
    }
    let (value, left) = postcard::take_from_bytes(rest)?;
    if left.is_empty() {
        Ok(value)
    } else {
        Err(postcard::Error::DeserializeBadEncoding.into())
    }
}
