//! The description of the fleet that a command works with.

use std::path::PathBuf;
use std::sync::Arc;

use triarch_teams::{Kinds, PostOffice};

use super::line::ConfigVerb;
use crate::fleet::{Ground, Making};
use crate::operations::{Code, Trouble};
use crate::rooms;

/// The description, as far as it has been read.
pub(super) struct Described {
    file: Option<PathBuf>,
    own: Kinds,
}

impl Described {
    pub(super) fn new(file: Option<PathBuf>, own: Kinds) -> Self {
        Self { file, own }
    }

    pub(super) fn state_dir(&self) -> Result<PathBuf, Trouble> {
        std::env::var_os("TRIARCH_RUNTIME__STATE_DIR")
            .map(PathBuf::from)
            .ok_or_else(|| Trouble::new(Code::Usage, "no state folder", "set it"))
    }

    pub(super) fn ground(self) -> Result<Arc<Ground>, Trouble> {
        let state_dir = self.state_dir()?;
        let instruments = rooms::instruments().map_err(|error| Trouble::failed(error.to_string()))?;
        let office = PostOffice::new(1, &instruments).map_err(|error| Trouble::failed(error.to_string()))?;
        Ok(Ground::new(Making {
            kinds: self.own,
            instruments,
            office: Arc::new(office),
            span: 10,
            state_dir,
            listen: String::new(),
            described_in: self
                .file
                .map_or_else(|| "the demo".to_owned(), |file| file.display().to_string()),
            teams: Vec::new(),
        }))
    }
}

pub(super) fn perform(_verb: &ConfigVerb, _described: &Described, _as_json: bool) -> Result<(), Trouble> {
    Ok(())
}
