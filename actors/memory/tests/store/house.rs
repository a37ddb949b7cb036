//! A tree with the room in it.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::metrics::JOURNALS;
use triarch_journal::testing::SimDisk;
use triarch_memory::metrics::MEMORY;
use triarch_memory::{
    Access, Client, Config, Drawer, Durability, Keeping, Key, Level, Namespace, Put, Rules, Secret, Value, room,
};
use triarch_supervision::metrics::{Instruments, Value as Figure};
use triarch_supervision::prelude::*;

/// No beat of the room comes within a test, unless it is called for.
pub(crate) const CALM: Config = Config {
    flush_every: Duration::from_hours(10),
    retain_every: Duration::from_hours(10),
    snapshot_every: Duration::from_hours(10),
    snapshot_bytes: u64::MAX,
};

pub(crate) struct House {
    pub(crate) client: Client,
    pub(crate) tree: Tree,
    pub(crate) instruments: Instruments,
}

pub(crate) fn name(text: &str) -> Namespace {
    Namespace::new(text).unwrap()
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn open_to_all(durability: Durability) -> Rules {
    Rules {
        durability,
        access: Access {
            read: Level::Public,
            write: Level::Public,
            delete: Level::Public,
            administer: Level::System,
        },
        ..Rules::default()
    }
}

/// One namespace of each durability, called after it.
pub(crate) fn three() -> Vec<(Namespace, Rules)> {
    [Durability::Memory, Durability::Journal, Durability::Relaxed]
        .map(|durability| (name(durability.label()), open_to_all(durability)))
        .into()
}

pub(crate) fn keeping(disk: &SimDisk, secret: Option<Secret>) -> Keeping {
    Keeping {
        disk: Arc::new(disk.clone()),
        journal: triarch_journal::Config::default(),
        secret,
    }
}

impl House {
    pub(crate) async fn on(disk: &SimDisk) -> Self {
        Self::begin(CALM, three(), Some(keeping(disk, None))).await.unwrap()
    }

    pub(crate) async fn begin(
        config: Config,
        namespaces: Vec<(Namespace, Rules)>,
        keeping: Option<Keeping>,
    ) -> Result<Self, StartError> {
        let instruments = Instruments::with_tree(&[MEMORY, JOURNALS]).unwrap();
        let (room, client) = room(config, namespaces, keeping, &instruments).unwrap();
        let tree = Root::new()
            .instruments(instruments.clone())
            .supervisor(room)
            .start()
            .await?;
        Ok(Self {
            client,
            tree,
            instruments,
        })
    }

    pub(crate) fn drawer(&self, namespace: &str) -> Drawer {
        self.client.open(namespace).unwrap()
    }

    pub(crate) async fn stop(self) {
        self.tree.stop().await;
    }

    pub(crate) fn count(&self, family: &str, word: &str) -> u64 {
        let readings = self.instruments.read();
        let samples = readings.iter().filter(|reading| reading.family.name == family);
        let of_word = samples
            .flat_map(|reading| &reading.samples)
            .filter(|sample| sample.labels().any(|(_, label)| label == word));
        let counts = of_word.map(|sample| {
            if let Figure::Count(count) = sample.value {
                count
            } else {
                0
            }
        });
        counts.sum()
    }
}

/// Waits until the store takes durable writes again.
pub(crate) async fn open(house: &House) {
    let is_open = async {
        while house.client.store().closed().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), is_open).await.unwrap();
}

pub(crate) fn text(drawer: &Drawer, key: &str) -> Option<String> {
    let read = |entry: &Arc<triarch_memory::Entry>| String::from_utf8(entry.value().as_bytes().to_vec()).unwrap();
    drawer.read(key, read).unwrap()
}

pub(crate) fn plain(name: &str, text: &str) -> Put {
    Put::new(key(name), Value::bytes(text.as_bytes()))
}
