//! The room in a tree: what it writes of a neighbour that fails, and what becomes of it when it cannot write.
#![expect(clippy::unwrap_used, reason = "a wrong outcome ends the test")]

mod storms;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::metrics::{Catalogue, Instruments, Value, families};
use triarch_supervision::prelude::*;
use triarch_supervision::testing::World;
use triarch_supervision::tree::EVENTS_KEPT;
use triarch_telemetry::{
    Cause, Config, EventLog, Exposition, Format, Health, Level, Loudness, Output, State, metrics, room,
};

/// Paper that several hands may hold.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines without their times.
    fn lines(&self) -> Vec<String> {
        let text = self.text();
        text.lines()
            .filter_map(|line| Some(line.split_once(' ')?.1.to_owned()))
            .collect()
    }
}

/// What takes nothing, as a pipe whose reader has gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Fail;

impl Message for Fail {}

struct Neighbour;

impl Agent for Neighbour {
    type Message = Fail;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Fail, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        Err(Failure::new("out of ink"))
    }
}

fn instruments() -> Instruments {
    let sections = [families::SUPERVISION, families::MAILBOX, families::AGENT];
    let sections: Vec<_> = sections.into_iter().chain(metrics::SECTIONS).collect();
    Instruments::new(Catalogue::new(&sections).unwrap())
}

fn count(instruments: &Instruments, name: &str) -> u64 {
    let readings = instruments.read();
    let samples = readings.iter().filter(|reading| reading.family.name == name);
    let values = samples.flat_map(|reading| &reading.samples).map(|sample| &sample.value);
    values
        .map(|value| if let Value::Count(count) = value { *count } else { 0 })
        .sum()
}

/// A tree of the room and a neighbour, which fails once; what happened is written when this returns.
async fn fail_once(world: &World, config: impl Into<Loudness>, output: Output, instruments: &Instruments) -> Tree {
    let (tree, writer) = tree(world, config, output, None, instruments).await;
    fail(world, &writer).await;
    tree
}

async fn fail(world: &World, writer: &Address<Fail>) {
    writer.send(Fail).await.unwrap();
    world.advance(Duration::from_secs(1)).await;
}

/// A tree of the room and a neighbour, and the way to that.
async fn tree(
    world: &World,
    config: impl Into<Loudness>,
    output: Output,
    events: Option<EventLog>,
    instruments: &Instruments,
) -> (Tree, Address<Fail>) {
    tree_beside(Supervisor::named("team"), world, config, output, events, instruments).await
}

/// The same with that team around the neighbour.
async fn tree_beside(
    team: Supervisor,
    world: &World,
    config: impl Into<Loudness>,
    output: Output,
    events: Option<EventLog>,
    instruments: &Instruments,
) -> (Tree, Address<Fail>) {
    let neighbour = Child::of::<Neighbour>("writer", ());
    let address = neighbour.address();
    let exposition = Exposition::new(instruments.clone(), Health::new(&["telemetry"]), "0.0.0").unwrap();
    let root = Root::new()
        .supervisor(room(config, output, events, &exposition).unwrap())
        .supervisor(team.child(neighbour));
    (world.start(root).await.unwrap(), address)
}

#[test]
fn a_failure_and_what_follows_is_written_line_by_line_and_so_is_the_end() {
    let (paper, instruments) = (Paper::default(), instruments());
    World::any().run(async |world| {
        let tree = fail_once(world, Config::default(), Output::to(paper.clone()), &instruments).await;
        assert!(tree.stop().await.is_orderly());
    });
    let expected = [
        "info  telemetry/lifecycle started, life 1",
        "info  telemetry/health started, life 1",
        "info  telemetry/heartbeat started, life 1",
        "info  telemetry/upkeep started, life 1",
        "info  telemetry started, life 1",
        "info  team/writer started, life 1",
        "info  team started, life 1",
        "info  team/writer life 1 failed: out of ink",
        "info  team/writer is restarted at once, restart 1 of 1 allowed: it failed: out of ink",
        "info  team/writer started, life 2",
        "info  team/writer life 2 was asked to stop",
        "info  team life 1 was asked to stop",
        "info  telemetry/upkeep life 1 was asked to stop",
        "info  telemetry/heartbeat life 1 was asked to stop",
        "info  telemetry/health life 1 was asked to stop",
    ];
    assert_eq!(paper.lines(), expected);
    assert_eq!(count(&instruments, metrics::LINES.name), expected.len() as u64);
}

#[test]
fn lines_below_the_least_level_are_neither_written_nor_counted() {
    let (paper, instruments) = (Paper::default(), instruments());
    let config = Config {
        level: Level::Warn,
        ..Config::default()
    };
    World::any().run(async |world| {
        let tree = fail_once(world, config, Output::to(paper.clone()), &instruments).await;
        tree.stop().await;
    });
    assert_eq!(paper.lines(), Vec::<String>::new(), "one failure is no reason to warn");
    assert_eq!(count(&instruments, metrics::LINES.name), 0);
}

#[test]
fn a_change_of_level_format_and_limits_counts_at_once() {
    let (paper, instruments) = (Paper::default(), instruments());
    // Looks that are a day apart show that the change itself is followed.
    let rare = Config {
        level: Level::Warn,
        look_every: Duration::from_hours(24),
        ..Config::default()
    };
    let loudness = Loudness::from(rare);
    World::any().run(async |world| {
        let tree = fail_once(world, loudness.clone(), Output::to(paper.clone()), &instruments).await;
        assert_eq!(paper.text(), "");
        let mut config = Config {
            format: Format::Json,
            ..Config::default()
        };
        config.limits.warn_from = 1;
        loudness.change(config).unwrap();
        tree.observer().send_to("team/writer", Fail).await.unwrap();
        world.advance(Duration::from_secs(1)).await;
        assert!(paper.text().contains(r#""level":"warn""#), "{}", paper.text());
        assert!(paper.text().lines().all(|line| line.starts_with('{')));
        config.look_every = Duration::ZERO;
        loudness.change(config).unwrap_err();
        assert_ne!(loudness.config(), config, "what contradicts itself changes nothing");
        tree.stop().await;
    });
}

#[test]
fn what_happened_before_a_change_of_level_goes_by_the_level_before_it() {
    let (paper, instruments) = (Paper::default(), instruments());
    let of_level = |level| Config {
        level,
        look_every: Duration::from_secs(1),
        ..Config::default()
    };
    let loudness = Loudness::from(of_level(Level::Error));
    World::any().run(async |world| {
        let tree = fail_once(world, loudness.clone(), Output::to(paper.clone()), &instruments).await;
        world.advance(Duration::from_secs(10)).await;
        tree.observer().send_to("team/writer", Fail).await.unwrap();
        world.advance(Duration::from_millis(500)).await;
        loudness.change(of_level(Level::Info)).unwrap();
        world.advance(Duration::from_secs(10)).await;
        assert_eq!(paper.text(), "", "nobody had looked yet, but it was below the level");
        tree.observer().send_to("team/writer", Fail).await.unwrap();
        world.advance(Duration::from_millis(500)).await;
        loudness.change(of_level(Level::Error)).unwrap();
        world.advance(Duration::from_secs(2)).await;
        assert!(paper.text().contains("team/writer started, life 4"), "{}", paper.text());
        tree.stop().await;
    });
}

#[test]
fn in_json_each_line_is_an_object() {
    let paper = Paper::default();
    let config = Config {
        format: Format::Json,
        ..Config::default()
    };
    World::any().run(async |world| {
        let tree = fail_once(world, config, Output::to(paper.clone()), &instruments()).await;
        tree.stop().await;
    });
    let lines = paper.text();
    let decisions = lines.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["decision"].as_str().unwrap().to_owned()
    });
    let counted = decisions.filter(|decision| decision == "restarting").count();
    assert_eq!(counted, 1);
}

#[test]
fn a_log_that_cannot_be_written_counts_what_is_lost_and_brings_nobody_down() {
    let instruments = instruments();
    World::any().run(async |world| {
        let tree = fail_once(world, Config::default(), Output::to(Broken), &instruments).await;
        let lifecycle = "telemetry/lifecycle";
        tree.observer().request_state(lifecycle).unwrap();
        world.settle().await;
        let state = tree.observer().last_state(lifecycle).unwrap().unwrap();
        assert_eq!(
            state["last_error"],
            "lines cannot be written; see where they go: broken pipe"
        );
        assert_eq!(tree.observer().node(lifecycle).unwrap().restarts, 0);
        assert!(tree.stop().await.is_orderly());
    });
    assert_eq!(count(&instruments, metrics::LINES.name), 0);
    assert_eq!(count(&instruments, metrics::LOST.name), 15);
}

/// How often a busy machine is looked at before it is given up.
const PATIENCE: u32 = 1_000_000;

#[test]
fn what_a_slow_log_misses_is_counted_and_said() {
    let (paper, instruments) = (Paper::default(), instruments());
    let config = Config {
        look_every: Duration::from_hours(1),
        ..Config::default()
    };
    let more = 100;
    World::any().run(async |world| {
        let (tree, _) = tree(world, config, Output::to(paper.clone()), None, &instruments).await;
        world.settle().await;
        let team = tree.observer().supervisor("team").unwrap();
        for index in 0..EVENTS_KEPT + more {
            let one = Child::of::<Neighbour>(format!("writer-{index}"), ()).capacity(1);
            team.start_child(one).await.unwrap();
        }
        world.advance(Duration::from_hours(1)).await;
        // Each turn, and the line that tells of the gap.
        let expected = (EVENTS_KEPT + more + 7) as u64 + 1;
        let told = || count(&instruments, metrics::LINES.name) + count(&instruments, metrics::HELD_BACK.name);
        // So many lines take a thread that blocks some time of its own.
        for _look in 0..PATIENCE {
            if told() >= expected {
                break;
            }
            world.advance(Duration::from_secs(1)).await;
            std::thread::yield_now();
        }
        assert_eq!(told(), expected);
        let missed: Vec<u64> = paper.lines().iter().filter_map(|line| said_missed(line)).collect();
        // All of them, and the seven of the tree's start, but for the one that was taken at once and those that are kept.
        assert_eq!(missed, [more as u64 + 7 - 1]);
        tree.stop().await;
    });
}

/// How many turns a line says were missed.
fn said_missed(line: &str) -> Option<u64> {
    let said = line.strip_prefix("warn  telemetry/lifecycle missed ")?;
    said.split(' ').next()?.parse().ok()
}

#[test]
fn health_follows_the_tree_without_asking_anybody() {
    let health = Health::new(&["telemetry"]);
    let exposition = Exposition::new(instruments(), health.clone(), "0.0.0").unwrap();
    World::any().run(async |world| {
        assert!(!health.is_live());
        let neighbour = Child::of::<Neighbour>("writer", ()).on_limit(OnLimit::Quarantine);
        let address = neighbour.address();
        let team = Supervisor::named("team")
            .intensity(Intensity::new(0, Duration::from_secs(1)))
            .child(neighbour);
        let root = Root::new()
            .supervisor(room(Config::default(), Output::to(Paper::default()), None, &exposition).unwrap())
            .supervisor(team);
        let tree = world.start(root).await.unwrap();
        world.settle().await;
        assert!(health.is_live());
        assert_eq!((health.report().is_ready, health.report().reasons), (true, vec![]));

        address.send(Fail).await.unwrap();
        world.settle().await;
        let report = health.report();
        assert!(report.is_ready, "a team in quarantine is degraded only");
        assert_eq!(report.reasons[0].cause, Cause::Quarantined);
        assert_eq!(report.reasons[0].subject, "team/writer");

        tree.observer()
            .supervisor("team")
            .unwrap()
            .delete_child("writer")
            .await
            .unwrap();
        world.advance(Duration::from_secs(2)).await;
        assert_eq!(health.report().reasons, vec![], "one that was deleted is forgotten");

        health.drain();
        assert_eq!(
            (health.report().state, health.report().is_ready),
            (State::Draining, false)
        );
        tree.stop().await;
    });
}

#[test]
fn a_scheduler_that_stood_still_shows_as_lag() {
    let instruments = instruments();
    World::any().run(async |world| {
        let tree = fail_once(world, Config::default(), Output::to(Paper::default()), &instruments).await;
        world.jump(Duration::from_secs(3)).await;
        tree.stop().await;
    });
    let readings = instruments.read();
    let lag = readings
        .iter()
        .find(|reading| reading.family == &metrics::RUNTIME_SCHEDULER_LAG_SECONDS);
    let value = lag.map(|reading| &reading.samples[0].value);
    assert!(
        matches!(value, Some(Value::Spread(spread)) if spread.count() > 5 && spread.sum() > Duration::from_secs(2)),
        "{value:?}"
    );
}

/// The events of one tree that ran with this log: it fails once, and is stopped.
fn run_with(folder: &Path, instruments: &Instruments) {
    World::any().run(async |world| {
        let log = EventLog::new(folder, Config::default().events);
        let silent = Output::to(io::sink());
        let (tree, writer) = tree(world, Config::default(), silent, Some(log), instruments).await;
        fail(world, &writer).await;
        assert!(tree.stop().await.is_orderly());
    });
}

fn changes(folder: &Path, path: &str) -> Vec<(String, u64, Option<String>)> {
    World::any().run(async |_| {
        let log = EventLog::new(folder, Config::default().events);
        let changes = log.before(path).await.unwrap().into_iter();
        changes
            .map(|change| (change.to, change.incarnation, change.reason))
            .collect()
    })
}

#[test]
fn what_happened_is_known_to_the_next_tree_with_the_same_folder() {
    let (folder, instruments) = (tempfile::tempdir().unwrap(), instruments());
    run_with(folder.path(), &instruments);
    let of_one_run = [
        ("idle", 1, None),
        ("stopped", 1, Some("failed: out of ink")),
        ("idle", 2, None),
        ("stopped", 2, Some("was asked to stop")),
    ];
    let of_one_run = of_one_run.map(|(to, life, why)| (to.to_owned(), life, why.map(str::to_owned)));
    assert_eq!(changes(folder.path(), "team/writer"), of_one_run);
    // Somebody was stopped in the middle of a line.
    let newest = folder.path().join("events.jsonl");
    let text = fs::read(&newest).unwrap();
    fs::write(&newest, &text[..text.len() - 30]).unwrap();
    run_with(folder.path(), &instruments);
    assert_eq!(
        changes(folder.path(), "team/writer"),
        [of_one_run.clone(), of_one_run].concat()
    );
    assert!(count(&instruments, metrics::EVENTS.name) > 20);
    assert_eq!(count(&instruments, metrics::LOST_EVENTS.name), 0);
}

#[test]
fn events_that_the_disk_refuses_are_counted_and_shown_and_what_comes_later_is_kept_again() {
    let (folder, instruments) = (tempfile::tempdir().unwrap(), instruments());
    let events = folder.path().join("events");
    fs::write(&events, "a file where the folder should be").unwrap();
    World::any().run(async |world| {
        let log = EventLog::new(&events, Config::default().events);
        let silent = Output::to(io::sink());
        let (tree, writer) = tree(world, Config::default(), silent, Some(log), &instruments).await;
        fail(world, &writer).await;
        let lost = count(&instruments, metrics::LOST_EVENTS.name);
        assert!(lost > 0 && count(&instruments, metrics::EVENTS.name) == 0);
        let observer = tree.observer();
        let state = observer.state_of("telemetry/events", Duration::from_secs(1)).await;
        let state = state.unwrap().unwrap();
        assert!(
            state["last_error"].as_str().unwrap().starts_with("events are lost"),
            "{state}"
        );
        fs::remove_file(&events).unwrap();
        fail(world, &writer).await;
        assert_eq!(count(&instruments, metrics::LOST_EVENTS.name), lost);
        assert_eq!(tree.observer().node("telemetry/events").unwrap().restarts, 0);
        assert!(tree.stop().await.is_orderly());
    });
    assert_eq!(changes(&events, "team/writer")[0].0, "stopped");
}
