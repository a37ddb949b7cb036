//! Gathers lines, and writes them on a thread that may block.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Events, Fact, Observation};
use triarch_telemetry::files::Bounds;

use super::backlog::Waiting;
use super::ends::{self, Ends};
use super::files::{Batch, Files, newest};
use super::line::{LogLine, Source};
use super::message::{Write, wall_clock};
use crate::metrics::Metrics;

/// So many lines are gathered before they are written while more come in.
const GATHERED_MAX: usize = 4096;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    pub(crate) bounds: Bounds,
    pub(crate) metrics: Metrics,
    /// Tells readers that there is more.
    pub(crate) written: Arc<watch::Sender<u64>>,
}

/// Keeps the logs of all programs.
#[derive(Debug)]
pub(crate) struct Scribe {
    settings: Settings,
    files: Option<Files>,
    gathered: Batch,
    ends: Ends,
    /// Let go when what is gathered is written.
    waiting: Vec<Waiting>,
    count: usize,
    events: Events,
    /// Events that were seen and not yet noted.
    seen: VecDeque<Event>,
}

impl Agent for Scribe {
    type Message = Write;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            files: Some(Files::new(settings.folder.clone(), settings.bounds)),
            gathered: Batch::new(),
            ends: Ends::new(),
            waiting: Vec::new(),
            count: 0,
            events: ctx.observer().events(),
            seen: VecDeque::new(),
            settings,
        })
    }

    async fn handle(&mut self, write: Write, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Some(end) = write.end {
            self.count += 1;
            self.ends.entry(Arc::clone(&write.agent)).or_default().push(*end);
        }
        self.gather(write.agent, write.lines);
        self.waiting.extend(write.waiting);
        if self.count >= GATHERED_MAX {
            self.flush().await;
        }
        Ok(())
    }

    async fn idle(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.flush().await;
        Ok(())
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if self.seen.is_empty() {
            match self.events.next().await {
                Some(event) => self.seen.push_back(event),
                None => std::future::pending().await,
            }
        }
        self.seen
            .extend(std::iter::from_fn(|| self.events.try_next()).take(GATHERED_MAX));
        // They are written before the agent rests again: here a write may be dropped half way.
        for event in std::mem::take(&mut self.seen) {
            self.note(&event);
        }
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        self.flush().await;
    }

    fn state(&self) -> Option<Value> {
        let Metrics {
            log_lines,
            dropped_busy,
            dropped_disk,
            ..
        } = &self.settings.metrics;
        Some(json!({
            "written": log_lines.get(),
            "dropped_busy": dropped_busy.get(),
            "dropped_disk": dropped_disk.get(),
        }))
    }
}

impl Scribe {
    fn gather(&mut self, agent: Arc<str>, lines: Vec<LogLine>) {
        if lines.is_empty() {
            return;
        }
        self.count += lines.len();
        self.gathered.entry(agent).or_default().extend(lines);
    }

    /// What supervision decided about an agent that has a log becomes a line of it.
    fn note(&mut self, event: &Event) {
        let Some((name, incarnation, words)) = told(&event.fact) else {
            return;
        };
        let agent: Arc<str> = if name.contains('/') {
            Arc::from(name)
        } else {
            Arc::from(format!("{}/{name}", event.supervisor))
        };
        let has_log = newest(&self.settings.folder, &agent).is_some_and(|path| path.exists());
        if has_log || self.gathered.contains_key(&agent) {
            let line = LogLine::new(wall_clock(), incarnation, Source::Event, words);
            self.gather(agent, vec![line]);
        }
    }

    async fn flush(&mut self) {
        if self.count == 0 {
            return;
        }
        let (batch, settings) = (std::mem::take(&mut self.gathered), &self.settings);
        let ends = std::mem::take(&mut self.ends);
        let count = std::mem::take(&mut self.count) as u64;
        let held = std::mem::take(&mut self.waiting);
        let files = self.files.take();
        let mut files = files.unwrap_or_else(|| Files::new(settings.folder.clone(), settings.bounds));
        let writing = tokio::task::spawn_blocking(move || {
            let written = files.write(batch);
            ends::write(files.folder(), ends);
            (files, written)
        });
        match writing.await {
            Ok((files, written)) => {
                self.files = Some(files);
                settings.metrics.log_lines.add(written.lines);
                settings.metrics.dropped_disk.add(written.lost);
                settings.written.send_modify(|version| *version += 1);
            }
            Err(_gone) => settings.metrics.dropped_disk.add(count),
        }
        drop(held);
    }
}

/// Whom an event is about, in which life, and what it says.
fn told(fact: &Fact) -> Option<(&str, u64, String)> {
    match fact {
        Fact::Decision(Decision::Started { child, incarnation }) => {
            Some((child.as_str(), *incarnation, format!("life {incarnation} has started")))
        }
        Fact::Decision(Decision::Ended {
            child,
            incarnation,
            reason,
        }) => Some((child.as_str(), *incarnation, format!("life {incarnation} {reason}"))),
        Fact::Decision(Decision::Restarting {
            child, reason, delay, ..
        }) => Some((child.as_str(), 0, format!("is restarted after {delay:?}: it {reason}"))),
        Fact::Decision(Decision::LetGo { child, reason }) => {
            Some((child.as_str(), 0, format!("is not restarted: it {reason}")))
        }
        Fact::Decision(Decision::Quarantined { child, reason, .. }) => {
            let words = format!("stays down until somebody retries it: it {reason}");
            Some((child.as_str(), 0, words))
        }
        Fact::Decision(Decision::Killed {
            child,
            incarnation,
            cause,
        }) => Some((
            child.as_str(),
            *incarnation,
            format!("life {incarnation} is killed: {cause}"),
        )),
        Fact::Observation(Observation::Stuck {
            agent,
            incarnation,
            running_for,
            budget,
        }) => {
            let words = format!("has been busy with one post for {running_for:?}, longer than {budget:?}");
            Some((agent, *incarnation, words))
        }
        _ => None,
    }
}
