//! Gathers lines, and writes them on a thread that may block.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::Decision;
use triarch_supervision::tree::{Event, Events, Fact, Observation, Observer};
use triarch_telemetry::files::Bounds;

use super::backlog::Waiting;
use super::ends::{self, Ends};
use super::files::{Batch, Files};
use super::line::{LogLine, Source};
use super::message::{Write, wall_clock};
use crate::metrics::Metrics;
use crate::pulse::time;

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
    /// What supervision decided, for those who have a log.
    noted: Batch,
    ends: Ends,
    /// Let go when what is gathered is written.
    waiting: Vec<Waiting>,
    lines_count: usize,
    ends_count: usize,
    tree: Observer,
    events: Events,
    /// The lives that ended last, until it is decided what follows.
    ended: BTreeMap<Arc<str>, u64>,
    /// Events that were seen and not yet noted.
    seen: VecDeque<Event>,
}

impl Agent for Scribe {
    type Message = Write;
    type Spec = Settings;

    /// What an agent says last lies there when the room is stopped.
    const EMPTIES_ITS_MAILBOX: bool = true;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            files: Some(Files::new(settings.folder.clone(), settings.bounds)),
            gathered: Batch::new(),
            noted: Batch::new(),
            ends: Ends::new(),
            waiting: Vec::new(),
            lines_count: 0,
            ends_count: 0,
            tree: ctx.observer(),
            events: ctx.observer().events(),
            ended: BTreeMap::new(),
            seen: VecDeque::new(),
            settings,
        })
    }

    async fn handle(&mut self, write: Write, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Some(end) = write.end {
            self.ends_count += 1;
            self.ends.entry(Arc::clone(&write.agent)).or_default().push(*end);
        }
        if !write.lines.is_empty() {
            self.lines_count += write.lines.len();
            self.gathered.entry(write.agent).or_default().extend(write.lines);
        }
        self.waiting.extend(write.waiting);
        if self.lines_count + self.ends_count >= GATHERED_MAX {
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
            ends_dropped_busy,
            ends_dropped_disk,
            ..
        } = &self.settings.metrics;
        Some(json!({
            "written": log_lines.get(),
            "dropped_busy": dropped_busy.get(),
            "dropped_disk": dropped_disk.get(),
            "ends_dropped": ends_dropped_busy.get() + ends_dropped_disk.get(),
        }))
    }
}

impl Scribe {
    /// What supervision decided about an agent becomes a line of its log, where it has one.
    fn note(&mut self, event: &Event) {
        let Some(Told { child, of, words }) = told(&event.fact) else {
            return;
        };
        let agent: Arc<str> = if child.contains('/') {
            Arc::from(child)
        } else {
            Arc::from(format!("{}/{child}", event.supervisor))
        };
        if !self.may_have_log(&agent) {
            return;
        }
        let incarnation = match of {
            Life::Ended(life) => self.ends_life(&agent, life),
            Life::Told(life) => life,
            // An agent that did not start has no end to go by.
            Life::Last => self.ended.remove(&agent).unwrap_or_else(|| self.life_of(&agent)),
        };
        let line = LogLine::new(wall_clock(), incarnation, Source::Event, words);
        self.lines_count += 1;
        self.noted.entry(agent).or_default().push(line);
    }

    /// Whoever is there and no program has none, which nobody has to look for on disk. Whoever has left may have been one.
    fn may_have_log(&self, agent: &str) -> bool {
        let node = self.tree.node(agent);
        node.map_or(true, |node| node.agent_kind != Some(AgentKind::Native))
    }

    fn ends_life(&mut self, agent: &Arc<str>, life: u64) -> u64 {
        // What follows an end is told soon after it; those who are still here have been stopped.
        if self.ended.len() >= GATHERED_MAX {
            self.ended.clear();
        }
        self.ended.insert(Arc::clone(agent), life);
        life
    }

    fn life_of(&self, agent: &str) -> u64 {
        self.tree.node(agent).map_or(0, |node| node.incarnation)
    }

    async fn flush(&mut self) {
        if self.lines_count + self.ends_count == 0 {
            return;
        }
        let (batch, settings) = (std::mem::take(&mut self.gathered), &self.settings);
        let noted = std::mem::take(&mut self.noted);
        let ends = std::mem::take(&mut self.ends);
        let lines_count = std::mem::take(&mut self.lines_count) as u64;
        let ends_count = std::mem::take(&mut self.ends_count) as u64;
        let held = std::mem::take(&mut self.waiting);
        let files = self.files.take();
        let mut files = files.unwrap_or_else(|| Files::new(settings.folder.clone(), settings.bounds));
        let writing = tokio::task::spawn_blocking(move || {
            let written = files.write(batch, noted);
            let lost = ends::write(files.folder(), ends);
            (files, written, lost)
        });
        let metrics = &settings.metrics;
        match writing.await {
            Ok((files, written, ends_lost)) => {
                self.files = Some(files);
                metrics.log_lines.add(written.lines);
                metrics.dropped_disk.add(written.lost);
                metrics.ends_dropped_disk.add(ends_lost);
                settings.written.send_modify(|version| *version += 1);
            }
            Err(_gone) => {
                metrics.dropped_disk.add(lines_count);
                metrics.ends_dropped_disk.add(ends_count);
            }
        }
        drop(held);
    }
}

/// What an event says, and of whom.
struct Told<'a> {
    child: &'a str,
    of: Life,
    words: String,
}

/// Which life of an agent an event is about.
enum Life {
    /// This one.
    Told(u64),
    /// This one, and it ended.
    Ended(u64),
    /// The one that ended last.
    Last,
}

fn told(fact: &Fact) -> Option<Told<'_>> {
    let (child, of, words) = match fact {
        Fact::Decision(decision) => decided(decision)?,
        Fact::Observation(Observation::Stuck {
            agent,
            incarnation,
            running_for,
            budget,
        }) => {
            let words = format!(
                "has been busy with one post for {}, longer than {}",
                time(*running_for),
                time(*budget)
            );
            (&**agent, Life::Told(*incarnation), words)
        }
        _ => return None,
    };
    Some(Told { child, of, words })
}

fn decided(decision: &Decision) -> Option<(&str, Life, String)> {
    Some(match decision {
        Decision::Started { child, incarnation } => {
            let words = format!("life {incarnation} has started");
            (child.as_str(), Life::Told(*incarnation), words)
        }
        Decision::Ended {
            child,
            incarnation,
            reason,
        } => {
            let words = format!("life {incarnation} {reason}");
            (child.as_str(), Life::Ended(*incarnation), words)
        }
        Decision::Restarting {
            child, reason, delay, ..
        } => {
            let words = format!("is restarted after {}: it {reason}", time(*delay));
            (child.as_str(), Life::Last, words)
        }
        Decision::LetGo { child, reason } => (child.as_str(), Life::Last, format!("is not restarted: it {reason}")),
        Decision::Quarantined { child, reason, .. } => {
            let words = format!("stays down until somebody restarts it: it {reason}");
            (child.as_str(), Life::Last, words)
        }
        Decision::Killed {
            child,
            incarnation,
            cause,
        } => {
            let words = format!("life {incarnation} is killed: {cause}");
            (child.as_str(), Life::Told(*incarnation), words)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::name::Name;
    use triarch_supervision::reason::{ExitReason, Failure};
    use triarch_supervision::testing::World;

    use super::*;
    use crate::testing::instruments;

    struct Fail;

    impl Message for Fail {}

    /// It fails, and is a program or none.
    struct Failing<const IS_PROGRAM: bool>;

    impl<const IS_PROGRAM: bool> Agent for Failing<IS_PROGRAM> {
        type Message = Fail;
        type Spec = ();

        const KIND: AgentKind = if IS_PROGRAM {
            AgentKind::Program
        } else {
            AgentKind::Native
        };

        async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self)
        }

        async fn handle(&mut self, _: Fail, _ctx: &mut Context<Self>) -> Result<(), Failure> {
            Err(Failure::new("no ink"))
        }
    }

    /// How often the disk was looked at or written while such an agent failed.
    fn turns_to_the_disk<const IS_PROGRAM: bool>() -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let (written, seen) = watch::channel(0);
        let settings = Settings {
            folder: folder.path().join("logs"),
            bounds: Bounds {
                file_bytes: 10_000,
                files: 2,
            },
            metrics: Metrics::new(&instruments()).unwrap(),
            written: Arc::new(written),
        };
        World::any().run(async |world| {
            let failing = Child::of::<Failing<IS_PROGRAM>>("failing", ());
            let address = failing.address();
            let root = Root::new()
                .supervisor(Supervisor::named("room").child(Child::of::<Scribe>("logs", settings)))
                .supervisor(Supervisor::named("team").child(failing));
            let tree = world.start(root).await.unwrap();
            world.advance(Duration::from_secs(1)).await;
            let before = *seen.borrow();
            address.send(Fail).await.unwrap();
            world.advance(Duration::from_secs(1)).await;
            let turns = *seen.borrow() - before;
            assert!(tree.stop().await.is_orderly());
            turns
        })
    }

    #[test]
    fn a_native_agent_that_fails_has_no_log_that_anybody_looks_for() {
        assert!(turns_to_the_disk::<true>() > 0);
        assert_eq!(turns_to_the_disk::<false>(), 0);
    }

    #[test]
    fn a_wait_is_told_as_exactly_as_people_care_for() {
        let restarting = |delay| Decision::Restarting {
            child: Name::new("echo").unwrap(),
            reason: ExitReason::Error(Failure::new("no ink")),
            attempt: 1,
            delay,
            siblings: 0,
            restarts: 1,
            allowed: 5,
        };
        let words = |delay| decided(&restarting(delay)).map(|(_, _, words)| words);
        assert_eq!(
            words(Duration::from_nanos(112_954_430)).unwrap(),
            "is restarted after 112 ms: it failed: no ink"
        );
        assert_eq!(
            words(Duration::from_millis(2_450)).unwrap(),
            "is restarted after 2.4 s: it failed: no ink"
        );
    }
}
