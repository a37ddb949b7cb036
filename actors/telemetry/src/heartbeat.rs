//! Level 3: the agent whose beats tell how late ready work runs, and that any runs at all.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::metrics::Histogram;
use triarch_supervision::prelude::*;

use crate::health::Health;

const BEAT_EVERY: Duration = Duration::from_millis(100);

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) health: Health,
    pub(crate) lag: Arc<Histogram>,
}

/// Beats ten times a second.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    settings: Settings,
    due: Moment,
}

impl Agent for Heartbeat {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        settings.health.beat();
        let due = Moment::now().next_step(BEAT_EVERY);
        Ok(Self { settings, due })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep_until(self.due.instant()).await;
        let now = Moment::now();
        self.settings.lag.observe(now.since(self.due));
        self.settings.health.beat();
        // Beats that were missed are one late beat, not many.
        self.due = now.next_step(BEAT_EVERY);
        Ok(())
    }
}
