//! Gathers events, and writes them on a thread that may block.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use triarch_supervision::name::without_part;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{EVENTS_KEPT, Event, Events, Observer};

use super::line::{append, append_missed};
use super::log::EventLog;
use crate::error::Error;
use crate::files::Refused;
use crate::lifecycle::is_news;
use crate::metrics::EventMetrics;
use crate::wall_clock::wall_clock;

/// Writes are so far apart where events come without an end. Others are written at once: who is killed in the next moment leaves what happened.
const PAUSE: Duration = Duration::from_millis(50);
/// For so long after a rest they need not be: for twenty writes.
const FREE: Duration = Duration::from_secs(1);
/// How often what comes meanwhile is gathered: before there is more of it than a tree keeps.
const GATHER_EVERY: Duration = Duration::from_millis(5);

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) log: EventLog,
    pub(crate) metrics: EventMetrics,
    /// How the paths of those begin whose ordinary coming and going is no news.
    pub(crate) passers_by: &'static [&'static str],
}

/// Keeps what happens to everybody in the tree.
#[derive(Debug)]
pub(crate) struct Recorder {
    settings: Settings,
    events: Events,
    gathered: Vec<Event>,
    missed: u64,
    /// When all writes would have been made, were they that far apart.
    spent_until: Moment,
    last_error: Option<Failure>,
}

impl Agent for Recorder {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            events: ctx.observer().events(),
            settings,
            gathered: Vec::new(),
            missed: 0,
            spent_until: Moment::now(),
            last_error: None,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    /// Gathers what there is. It is written before the agent rests again: here a write may be dropped half way.
    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match self.events.next().await {
            Some(event) => self.gathered.push(event),
            None => std::future::pending().await,
        }
        self.gather();
        while let Some(left) = self.pause_left() {
            tokio::time::sleep(left.min(GATHER_EVERY)).await;
            self.gather();
        }
        Ok(())
    }

    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.write(ctx.observer()).await;
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, ctx: &mut Context<Self>) {
        self.gather();
        self.write(ctx.observer()).await;
    }

    fn state(&self) -> Option<Value> {
        let EventMetrics { written, lost } = &self.settings.metrics;
        Some(json!({
            "written": written.get(),
            "lost": lost.get(),
            "last_error": self.last_error,
        }))
    }
}

impl Drop for Recorder {
    /// One that is killed, or fails, has not written what it gathered.
    fn drop(&mut self) {
        self.settings.metrics.lost.add(self.gathered.len() as u64);
    }
}

/// When all writes will have been made, after another one, were they [`PAUSE`] apart. Whatever is written without a pause owes no more
/// than what is free.
fn spent_after(spent_until: Moment, now: Moment) -> Moment {
    spent_until.clamp(now, now + FREE) + PAUSE
}

impl Recorder {
    /// No more than can have gathered: whoever makes events faster than this must not keep the agent for ever.
    fn gather(&mut self) {
        let more = std::iter::from_fn(|| self.events.try_next()).take(EVENTS_KEPT);
        self.gathered.extend(more);
    }

    /// What is left of the pause before the next write; none where enough has gathered to write it now.
    fn pause_left(&self) -> Option<Duration> {
        let left = self.spent_until.since(Moment::now()).saturating_sub(FREE);
        (!left.is_zero() && self.gathered.len() < EVENTS_KEPT).then_some(left)
    }

    /// What is lost is counted and shown; it must not bring down what it tells of.
    async fn write(&mut self, observer: Observer) {
        let missed = self.events.missed() - std::mem::replace(&mut self.missed, self.events.missed());
        let (text, count) = self.lines(missed);
        if text.is_empty() {
            return;
        }
        let log = self.settings.log.clone();
        let is_there = move |path: &str| observer.node(&without_part(path)).is_ok();
        let writing = tokio::task::spawn_blocking(move || {
            let appended = log.append(&text, is_there);
            appended.map_err(|refused| (left(&text, &refused), refused))
        });
        let (lost, error) = match writing.await {
            Ok(Ok(())) => (0, None),
            Ok(Err((left, refused))) => (left.min(count), Some(Error::Refused(refused).into())),
            Err(gone) => (count, Some(Failure::from(gone))),
        };
        self.settings.metrics.written.add(count - lost);
        self.settings.metrics.lost.add(lost + missed);
        self.last_error = error.or(self.last_error.take());
        self.spent_until = spent_after(self.spent_until, Moment::now());
    }

    /// The lines of what was gathered, and of how many events.
    fn lines(&mut self, missed: u64) -> (Vec<u8>, u64) {
        let Settings { log, passers_by, .. } = &self.settings;
        let (wall, now) = (wall_clock(), Moment::now());
        let (mut text, mut count) = (Vec::new(), 0);
        if missed > 0 {
            append_missed(&mut text, missed, wall, log.runtime());
        }
        for event in self.gathered.drain(..) {
            let subject: Arc<str> = event.subject();
            if is_news(&event.fact) || !passers_by.iter().any(|path| subject.starts_with(path)) {
                let time = wall.checked_sub(now.since(event.at)).unwrap_or(wall);
                append(&mut text, &event, time, log.runtime());
                count += 1;
            }
        }
        (text, count)
    }
}

/// How many lines were not taken.
fn left(text: &[u8], refused: &Refused) -> u64 {
    memchr::memchr_iter(b'\n', &text[refused.taken..]).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_written_before_the_next_pause_is_no_longer_than_one() {
        let mut now = Moment::default();
        let mut spent_until = now;
        for _ in 0..1_000 {
            spent_until = spent_after(spent_until, now);
        }
        assert_eq!(spent_until.since(now), FREE + PAUSE);
        now = now + 2 * FREE;
        assert_eq!(spent_after(spent_until, now), now + PAUSE, "rest pays all");
    }
}
