//! A tree with a team of programs, and ways to see what becomes of posts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use triarch_programs::metrics::PROGRAMS;
use triarch_programs::{Config, Fulfilling, LogError, LogLine, Programs, Query, Services, room};
use triarch_supervision::metrics::{Catalogue, Instruments, TELEMETRY, Value as Metric};
use triarch_supervision::prelude::*;
use triarch_teams::receipt::{Stage, Stages};
use triarch_teams::{Kinds, PostOffice, TeamConfig, metrics::TEAMS};

/// As long as a test waits for something that is to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// No two offices of one test program give the same ids.
static RUNS: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Fleet {
    pub(crate) tree: Tree,
    pub(crate) programs: Programs,
    pub(crate) office: Arc<PostOffice>,
    /// Who fulfils what programs wish for.
    pub(crate) mirror: Arc<Mirror>,
    instruments: Instruments,
    _folder: TempDir,
}

/// Says what was wished for, and by whom.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// What was fulfilled, and whose programs ended, in their order.
    seen: Arc<Mutex<Vec<String>>>,
    /// Wishes wait for this where they say so.
    pub(crate) gate: Arc<Semaphore>,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Mirror {
    /// What was seen so far.
    pub(crate) fn told(&self) -> Vec<String> {
        locked(&self.seen).clone()
    }
}

fn note(seen: &Mutex<Vec<String>>, what: String) {
    locked(seen).push(what);
}

fn locked(seen: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Services for Mirror {
    fn fulfil(&self, agent: &Arc<str>, service: &'static str, what: Map<String, Value>) -> Fulfilling {
        let what = Value::Object(what);
        let (seen, gate) = (Arc::clone(&self.seen), Arc::clone(&self.gate));
        let wish = format!("{agent} {service} {what}");
        Box::pin(async move {
            // Nothing is done before somebody looks for it, as with those who do it really.
            note(&seen, wish);
            if what["waits"] == true {
                drop(gate.acquire().await);
            }
            match (what["bad"].as_str(), what["long"].as_u64()) {
                (Some(why), _) => Err(why.to_owned()),
                (None, Some(long)) => Ok(json!("x".repeat(usize::try_from(long).unwrap()))),
                (None, None) => Ok(what),
            }
        })
    }

    fn ended(&self, agent: &Arc<str>) {
        note(&self.seen, format!("{agent} ended"));
    }
}

/// A program in Python, as a description.
pub(crate) fn python(script: &str) -> Value {
    json!(["/usr/bin/python3", "-u", "-c", script])
}

pub(crate) fn bash(script: &str) -> Value {
    json!(["bash", "-c", script])
}

/// One of the example agents.
pub(crate) fn example(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/agents");
    folder.join(name).display().to_string()
}

pub(crate) const ECHO: &str = env!("CARGO_BIN_EXE_triarch-echo");

impl Fleet {
    /// A team `team` of one program `a` with no sandbox; `more` may set all else.
    pub(crate) async fn of_one(command: Value, more: Value) -> Self {
        let mut agent = json!({ "name": "a", "command": command });
        for (key, value) in more.as_object().unwrap() {
            agent[key] = value.clone();
        }
        Self::of(json!([agent])).await
    }

    /// A team `team` of such programs.
    pub(crate) async fn of(mut agents: Value) -> Self {
        for agent in agents.as_array_mut().unwrap() {
            agent["kind"] = json!("program");
            let agent = agent.as_object_mut().unwrap();
            agent.entry("sandbox").or_insert_with(|| json!({ "kind": "none" }));
            agent
                .entry("backoff")
                .or_insert_with(|| json!({ "first": "1ms", "max": "20ms" }));
        }
        let folder = tempfile::tempdir().unwrap();
        let instruments = Instruments::new(Catalogue::new(&[PROGRAMS, TEAMS, TELEMETRY]).unwrap());
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let office = Arc::new(PostOffice::new(run, &instruments).unwrap());
        let state = folder.path().join("state");
        let (room, programs) = room(Config::default(), &state, Arc::clone(&office), &instruments).unwrap();
        let mirror = Arc::new(Mirror::default());
        let programs = programs.served_by(mirror.clone());
        let config: TeamConfig = serde_json::from_value(json!({
            "name": "team", "agent": agents, "intensity": { "restarts": 1000, "within": "1m" },
        }))
        .unwrap();
        let kinds = Kinds::new().with(programs.clone());
        let team = triarch_teams::room(&config, &kinds, 10).unwrap();
        let tree = Root::new().supervisor(room).supervisor(team).start().await.unwrap();
        Self {
            tree,
            programs,
            office,
            mirror,
            instruments,
            _folder: folder,
        }
    }

    /// Sends a post to an agent of the team.
    pub(crate) async fn post(&self, agent: &str, body: Value) -> Stages {
        let (post, stages) = self.office.registered("me", "greet", body);
        let path = format!("team/{agent}");
        within("room for a post", self.tree.observer().send_to(&path, post))
            .await
            .unwrap();
        stages
    }

    /// What became of a post to `a` in the end.
    pub(crate) async fn ask(&self, body: Value) -> Stage {
        last(&self.post("a", body).await).await
    }

    /// A counter of the room, by the value of its label where it has one.
    pub(crate) fn count(&self, family: &str, label: &str) -> u64 {
        let readings = self.instruments.read();
        let reading = readings.iter().find(|reading| reading.family.name == family).unwrap();
        let is_meant = |value: &str| label.is_empty() || value == label;
        let samples = reading.samples.iter();
        let samples = samples.filter(|sample| sample.labels().all(|(_, value)| is_meant(value)));
        let count = |value: &Metric| match value {
            Metric::Count(count) => *count,
            other => panic!("{other:?}"),
        };
        samples.map(|sample| count(&sample.value)).sum()
    }

    /// What the log of `a` says, once some line of it has `text`.
    pub(crate) async fn until_said(&self, text: &str) -> Vec<LogLine> {
        self.until_read(Query::default(), text).await
    }

    /// What is read of it by `query`, once some line of that has `text`.
    pub(crate) async fn until_read(&self, query: Query, text: &str) -> Vec<LogLine> {
        let logs = self.programs.logs();
        within(text, async {
            loop {
                let lines = match logs.read("team/a", query).await {
                    Ok(lines) => lines,
                    Err(LogError::NoLog { .. }) => Vec::new(),
                    Err(error) => panic!("{error}"),
                };
                if lines.iter().any(|line| line.text.contains(text)) {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.tree.observer().node("team/a").unwrap().incarnation
    }

    /// Stops all of it.
    pub(crate) async fn end(self) {
        let end = within("the end", self.tree.stop()).await;
        assert!(end.is_orderly(), "{end:?}");
    }
}

/// The last stage of a post.
pub(crate) async fn last(stages: &Stages) -> Stage {
    let all = within("the last stage", async {
        loop {
            let (_, stage) = stages.recv_async().await.unwrap();
            if stage.is_last() {
                return stage;
            }
        }
    });
    all.await
}

/// The next stage of a post.
pub(crate) async fn next(stages: &Stages) -> Stage {
    within("the next stage", stages.recv_async()).await.unwrap().1
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
