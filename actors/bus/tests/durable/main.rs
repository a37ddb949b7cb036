//! Durable topics, on disks that fail and under kills.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails to unwrap here fails the test"
)]

mod changing;
mod closing;
mod counting;
mod doubtful;
mod ending;
mod failing;
mod gathering;
mod kills;
mod later;
mod reading;
mod replaying;

use std::sync::Arc;
use std::time::Duration;

use triarch_bus::metrics::BUS;
use triarch_bus::{
    Bus, Config, Delivery, Draft, DurableConfig, Listener, Pattern, Payload, PublishError, ScheduleId, Start, Stored,
    Subscribe, Topic, When, room_on,
};
use triarch_journal::Disk;
use triarch_journal::metrics::JOURNALS;
use triarch_supervision::metrics::{Instruments, Sample, Value};
use triarch_supervision::prelude::*;

/// Only guards against hanging.
const PATIENCE: Duration = Duration::from_mins(1);

/// A runtime with a bus and a disk.
struct House {
    bus: Bus,
    tree: Tree,
    instruments: Instruments,
}

fn durable(topics: &str) -> DurableConfig {
    DurableConfig {
        topics: topics.to_owned(),
        ..DurableConfig::default()
    }
}

fn config() -> Config {
    Config {
        durable: vec![durable("log.**"), durable("other.*")],
        ..Config::default()
    }
}

impl House {
    async fn with(disk: Arc<dyn Disk>, config: Config, journal: triarch_journal::Config, run: u64) -> Self {
        let instruments = Instruments::with_tree(&[BUS, JOURNALS]).unwrap();
        let bus = Bus::new(config, run, &instruments).unwrap();
        let room = room_on(&bus, disk, journal, &instruments).unwrap();
        let tree = Root::new()
            .instruments(instruments.clone())
            .supervisor(room)
            .start()
            .await
            .unwrap();
        Self { bus, tree, instruments }
    }

    async fn on(disk: Arc<dyn Disk>) -> Self {
        Self::with(disk, config(), triarch_journal::Config::default(), 1).await
    }

    async fn say(&self, topic: &str, text: &str) -> Result<Stored, PublishError> {
        self.say_as("team/me", topic, text).await
    }

    async fn say_as(&self, from: &str, at: &str, text: &str) -> Result<Stored, PublishError> {
        let draft = Draft::new("note", Payload::bytes(text.as_bytes()));
        tokio::time::timeout(PATIENCE, self.bus.publish_durably(from, &topic(at), draft))
            .await
            .expect("it is answered")
    }

    async fn plan(&self, text: &str, when: When) -> Result<ScheduleId, PublishError> {
        let draft = Draft::new("note", Payload::bytes(text.as_bytes()));
        let topic = topic("log.a");
        let planned = self.bus.publish_later_durably("team/me", &topic, draft, when);
        tokio::time::timeout(PATIENCE, planned).await.expect("it is answered")
    }

    /// All that is in the log.
    fn logged(&self) -> Vec<String> {
        let pattern = Pattern::new("log.**").unwrap();
        let stored = self.bus.stored("team/me", &pattern, Start::First, usize::MAX).unwrap();
        let text = |payload: &Payload| String::from_utf8(payload.as_bytes().to_vec()).unwrap();
        stored.iter().map(|one| text(&one.envelope.payload)).collect()
    }

    fn listen(&self, what: Subscribe) -> Listener {
        self.bus.listen(what).unwrap()
    }

    /// A counter, by the value of its label.
    fn count(&self, family: &str, label: &str) -> u64 {
        let readings = self.instruments.read();
        let reading = readings.iter().find(|reading| reading.family.name == family).unwrap();
        let is_it = |sample: &&Sample| sample.labels().any(|(_, value)| value == label);
        let Value::Count(count) = reading.samples.iter().find(is_it).unwrap().value else {
            return 0;
        };
        count
    }

    async fn stop(self) {
        self.tree.stop().await;
    }
}

fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

fn all_of(pattern: &str, who: &str) -> Subscribe {
    Subscribe::new(Pattern::new(pattern).unwrap(), who)
}

fn said(delivery: &Delivery) -> String {
    String::from_utf8(delivery.envelope.payload.as_bytes().to_vec()).unwrap()
}

async fn next(listener: &mut Listener) -> Delivery {
    tokio::time::timeout(PATIENCE, listener.next())
        .await
        .expect("something comes")
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(what);
}

/// The next `count`, all acknowledged.
async fn heard(listener: &mut Listener, count: usize) -> Vec<String> {
    let mut heard = Vec::new();
    for _ in 0..count {
        let delivery = next(listener).await;
        heard.push(said(&delivery));
        assert!(delivery.acknowledge());
    }
    heard
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
