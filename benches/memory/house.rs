//! A tree with the room in it, as the runtime has it, and one namespace that is open to all.

use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};
use triarch_benches::runtime::WORKERS;
use triarch_journal::RealDisk;
use triarch_journal::metrics::JOURNALS;
use triarch_memory::metrics::MEMORY;
use triarch_memory::{
    Access, Client, Config, Drawer, Durability, Identity, Keeping, Key, Level, Namespace, Put, Quota, Rules, Value,
    room,
};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;

use crate::shelf::{Shelf, key, number, value};

pub(crate) struct House {
    pub(crate) tree: Tree,
    pub(crate) client: Client,
}

/// Open to all, with room for more than is measured.
fn rules(durability: Durability) -> Rules {
    let open = Level::Public;
    Rules {
        durability,
        quota: Quota {
            entries: 4_000_000,
            bytes: 4 << 30,
            value_bytes: 1 << 20,
        },
        access: Access {
            read: open,
            write: open,
            delete: open,
            administer: Level::System,
        },
        ..Rules::default()
    }
}

/// No snapshot but those that are asked for.
pub(crate) fn without_snapshots() -> Config {
    Config {
        snapshot_bytes: u64::MAX,
        ..Config::default()
    }
}

pub(crate) async fn open(durability: Durability, at: Option<&Path>, config: Config) -> House {
    let instruments = Instruments::with_tree(&[MEMORY, JOURNALS]).expect("sections that fit together");
    let keeping = at.map(|path| Keeping {
        disk: Arc::new(RealDisk::at(path).expect("a folder")),
        journal: triarch_journal::Config::default(),
        secret: None,
    });
    let described = vec![(Namespace::new("bench").expect("a name"), rules(durability))];
    let (room, client) = room(config, described, keeping, &instruments).expect("a room");
    let tree = Root::new().instruments(instruments).supervisor(room);
    House {
        tree: tree.start().await.expect("a tree"),
        client: client.named(Identity::agent("team/agent")),
    }
}

impl House {
    pub(crate) fn drawer(&self) -> Drawer {
        self.client.open("bench").expect("it was described")
    }
}

pub(crate) fn put(key: &Key, n: usize) -> Put {
    Put::new(key.clone(), Value::bytes(value(n)))
}

/// A namespace of durability `memory`, in a room that runs beside those who ask.
pub(crate) struct Ours {
    keys: Vec<Key>,
    drawer: Drawer,
    pub(crate) house: House,
    pub(crate) runtime: Runtime,
}

impl Shelf for Ours {
    fn new(keys: usize) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .expect("threads can start");
        let house = runtime.block_on(open(Durability::Memory, None, Config::default()));
        let drawer = house.drawer();
        Self {
            keys: (0..keys).map(|n| Key::new(&key(n)).expect("a key")).collect(),
            drawer,
            house,
            runtime,
        }
    }

    fn get(&self, n: usize) -> u64 {
        let read = self
            .drawer
            .read(self.keys[n].as_str(), |entry| number(entry.value().as_bytes()));
        read.expect("all may read").expect("it is there")
    }

    fn put(&self, n: usize) {
        let written = self.drawer.put(put(&self.keys[n], n)).now_or_never();
        written.expect("it waits for nobody").expect("there is room");
    }
}
