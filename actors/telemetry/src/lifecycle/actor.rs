//! Looks for events, asks the machine what to write, and writes it.

use serde_json::{Value, json};
use tokio::sync::watch;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{EVENTS_KEPT, Event, Events};

use super::line::{Level, Line, missed};
use super::machine::{Input, Machine};
use super::message::Look;
use crate::error::Error;
use crate::loudness::{Loudness, Setting};
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
    setting: Setting,
    /// What was the least worth a line before the present setting counted.
    level_before: Level,
    changes: watch::Receiver<Setting>,
    /// The next look, where there is something to look for.
    look: Option<TimerId>,
    machine: Machine,
    events: Events,
    /// How many events were missed, as far as that is told.
    missed: u64,
    /// The event that the next look is for; those that come meanwhile wait behind it.
    first: Option<Event>,
    last_error: Option<Failure>,
}

impl Agent for Lifecycle {
    type Message = Look;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let mut changes = settings.loudness.changes();
        let setting = *changes.borrow_and_update();
        Ok(Self {
            setting,
            level_before: setting.config.level,
            changes,
            look: None,
            machine: Machine::new(setting.config.limits),
            events: ctx.observer().events(),
            missed: 0,
            first: None,
            last_error: None,
            settings,
        })
    }

    async fn handle(&mut self, _: Look, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.look = None;
        self.follow(Input::Look).await;
        if self.machine.holds_back() {
            self.look_soon(ctx);
        }
        Ok(())
    }

    /// Where nothing happens nobody looks.
    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let is_awaited = self.look.is_none();
        tokio::select! {
            Ok(()) = self.changes.changed() => {
                self.adopt();
                if let Some(look) = self.look.take() {
                    ctx.cancel(look);
                    self.look_soon(ctx);
                }
            }
            Some(event) = self.events.next(), if is_awaited => {
                self.first = Some(event);
                self.look_soon(ctx);
            }
            else => std::future::pending().await,
        }
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
    fn look_soon(&mut self, ctx: &mut Context<Self>) {
        self.look = Some(ctx.send_after(self.setting.config.look_every, Look));
    }

    /// Goes by what the configuration has become.
    fn adopt(&mut self) {
        self.level_before = self.setting.config.level;
        self.setting = *self.changes.borrow_and_update();
        self.machine.limit(self.setting.config.limits);
    }

    /// What happened before the last change goes by the level before it, however late it is looked at.
    fn is_worth_a_line(&self, line: &Line) -> bool {
        let Setting { config, since } = self.setting;
        let is_older = line.at < since;
        line.level >= if is_older { self.level_before } else { config.level }
    }

    async fn follow(&mut self, input: Input) {
        if self.changes.has_changed().unwrap_or(false) {
            self.adopt();
        }
        let mut lines = Vec::new();
        // No more than can have gathered: whoever makes events faster than this must not keep the agent for ever.
        let more = std::iter::from_fn(|| self.events.try_next()).take(EVENTS_KEPT);
        for event in self.first.take().into_iter().chain(more) {
            let now = event.at;
            lines.extend(self.machine.step(Input::Seen(event), now));
        }
        lines.extend(self.machine.step(input, Moment::now()));
        // Whoever reads slowly holds up the writing, and behind 4,096 events those that come take the place of others.
        let missed = self.events.missed() - std::mem::replace(&mut self.missed, self.events.missed());
        let held_back: u64 = lines.iter().map(|line| line.held_back).sum();
        self.settings.metrics.held_back.add(held_back + missed);
        lines.retain(|line| self.is_worth_a_line(line));
        if !lines.is_empty() || missed > 0 {
            self.write(&lines, missed).await;
        }
    }

    /// A log that cannot be written must not bring down what it tells of: what is lost is counted and shown.
    async fn write(&mut self, lines: &[Line], gap: u64) {
        let Settings { output, metrics, .. } = &self.settings;
        let (wall, now) = (wall_clock(), Moment::now());
        let time = |line: &Line| wall.checked_sub(now.since(line.at)).unwrap_or(wall);
        let format = self.setting.config.format;
        // They came before those that are still there.
        let gap = (gap > 0 && self.setting.config.level <= Level::Warn).then(|| missed(gap, format, wall));
        let is_gap = u64::from(gap.is_some());
        let text = gap
            .into_iter()
            .chain(lines.iter().map(|line| line.written(format, time(line))));
        match output.write(text.collect()).await {
            Ok(()) => {
                metrics.lines(Level::Warn).add(is_gap);
                for line in lines {
                    metrics.lines(line.level).increment();
                }
            }
            Err(error) => {
                metrics.lost.add(lines.len() as u64 + is_gap);
                self.last_error = Some(Error::Write(error).into());
            }
        }
    }
}
