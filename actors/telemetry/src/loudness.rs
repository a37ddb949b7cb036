//! What the log writes, as it is changed while it is written.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::error::Error;

/// How much the log says, and how. Cheap to clone; whoever writes follows it at once.
#[derive(Clone, Debug)]
pub struct Loudness(Arc<watch::Sender<Config>>);

impl Loudness {
    /// As it is now.
    pub fn config(&self) -> Config {
        *self.0.borrow()
    }

    /// From now on otherwise, unless that contradicts itself.
    pub fn change(&self, config: Config) -> Result<(), Error> {
        let config = config.validated()?;
        self.0.send_if_modified(|present| {
            let is_another = *present != config;
            *present = config;
            is_another
        });
        Ok(())
    }

    pub(crate) fn changes(&self) -> watch::Receiver<Config> {
        self.0.subscribe()
    }
}

impl From<Config> for Loudness {
    fn from(config: Config) -> Self {
        Self(Arc::new(watch::Sender::new(config)))
    }
}
