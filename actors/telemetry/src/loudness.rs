//! What the log writes, as it is changed while it is written.

use std::sync::Arc;

use tokio::sync::watch;
use triarch_supervision::clock::Moment;

use crate::config::Config;
use crate::error::Error;

/// How much the log says, and how. Cheap to clone; whoever writes follows it at once.
#[derive(Clone, Debug)]
pub struct Loudness(Arc<watch::Sender<Setting>>);

/// A configuration, and since when it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) config: Config,
    pub(crate) since: Moment,
}

impl Loudness {
    /// As it is now.
    pub fn config(&self) -> Config {
        self.0.borrow().config
    }

    /// From now on otherwise, unless that contradicts itself.
    pub fn change(&self, config: Config) -> Result<(), Error> {
        let config = config.validated()?;
        self.0.send_if_modified(|present| {
            let is_another = present.config != config;
            if is_another {
                *present = Setting::from_now(config);
            }
            is_another
        });
        Ok(())
    }

    pub(crate) fn changes(&self) -> watch::Receiver<Setting> {
        self.0.subscribe()
    }
}

impl From<Config> for Loudness {
    fn from(config: Config) -> Self {
        Self(Arc::new(watch::Sender::new(Setting::from_now(config))))
    }
}

impl Setting {
    fn from_now(config: Config) -> Self {
        let since = Moment::now();
        Self { config, since }
    }
}
