//! Looks for events, asks the machine what to write, and writes it.

use serde_json::{Value, json};
use tokio::sync::watch;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{EVENTS_KEPT, Events};

use super::line::Line;
use super::machine::{Input, Machine};
use super::message::Look;
use crate::config::Config;
use crate::error::Error;
use crate::loudness::Loudness;
use crate::metrics::Metrics;
use crate::output::Output;
use crate::wall_clock::wall_clock;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) loudness: Loudness,
    pub(crate) output: Output,
    pub(crate) metrics: Metrics,
}

/// Follows the life of everybody in the tree.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    settings: Settings,
    config: Config,
    changes: watch::Receiver<Config>,
    looks: TimerId,
    machine: Machine,
    events: Events,
    last_error: Option<Failure>,
}

impl Agent for Lifecycle {
    type Message = Look;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let mut changes = settings.loudness.changes();
        let config = *changes.borrow_and_update();
        Ok(Self {
            config,
            changes,
            looks: ctx.send_every(config.look_every, || Look),
            machine: Machine::new(config.limits),
            events: ctx.observer().events(),
            last_error: None,
            settings,
        })
    }

    async fn handle(&mut self, _: Look, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.follow(Input::Look).await;
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if self.changes.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.config = *self.changes.borrow_and_update();
        ctx.cancel(self.looks);
        self.looks = ctx.send_every(self.config.look_every, || Look);
        self.machine.limit(self.config.limits);
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        self.follow(Input::End).await;
    }

    fn state(&self) -> Option<Value> {
        let Metrics { held_back, lost, .. } = &self.settings.metrics;
        Some(json!({
            "held_back": held_back.get(),
            "lost": lost.get(),
            "last_error": self.last_error,
        }))
    }
}

impl Lifecycle {
    async fn follow(&mut self, input: Input) {
        let mut lines = Vec::new();
        // No more than can have gathered: whoever makes events faster than this must not keep the agent for ever.
        for event in std::iter::from_fn(|| self.events.try_next()).take(EVENTS_KEPT) {
            let now = event.at;
            lines.extend(self.machine.step(Input::Seen(event), now));
        }
        lines.extend(self.machine.step(input, Moment::now()));
        let held_back = lines.iter().map(|line| line.held_back).sum();
        self.settings.metrics.held_back.add(held_back);
        lines.retain(|line| line.level >= self.config.level);
        if !lines.is_empty() {
            self.write(&lines).await;
        }
    }

    /// A log that cannot be written must not bring down what it tells of: what is lost is counted and shown.
    async fn write(&mut self, lines: &[Line]) {
        let Settings { output, metrics, .. } = &self.settings;
        let (wall, now) = (wall_clock(), Moment::now());
        let time = |line: &Line| wall.checked_sub(now.since(line.at)).unwrap_or(wall);
        let text = lines.iter().map(|line| line.written(self.config.format, time(line)));
        match output.write(text.collect()).await {
            Ok(()) => lines.iter().for_each(|line| metrics.lines(line.level).increment()),
            Err(error) => {
                metrics.lost.add(lines.len() as u64);
                self.last_error = Some(Error::Write(error).into());
            }
        }
    }
}
