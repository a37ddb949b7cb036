//! Writes that would outlive a power cut: a namespace of durability `journal` through its room, redb and `SQLite` with a
//! commit for each, and `SQLite` with a commit for as many as there are writers, as a program that gathers them itself has it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use redb::{Database, TableDefinition};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;
use triarch_benches::runtime::on_two_workers;
use triarch_memory::{Config, Drawer, Durability, Key};

use crate::house::{open, put};
use crate::shelf::{key, value};

/// Who has a thread of its own, where several write to a subject that commits for each of them.
const THREADS: usize = 8;

/// So many write so much together.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) writers: usize,
    pub(crate) count: usize,
}

/// On the disk where the target folder is: a folder for what is temporary may lie in memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made")
}

fn rate(count: usize, begun: Instant) -> Vec<f64> {
    vec![count as f64 / begun.elapsed().as_secs_f64()]
}

/// Tasks, each of which waits for each of its writes.
pub(crate) fn ours(load: Load) -> Vec<f64> {
    let folder = folder();
    let path = folder.path().to_owned();
    let rate = on_two_workers(async move {
        let house = open(Durability::Journal, Some(&path), Config::default()).await;
        let begun = Instant::now();
        fill(&house.drawer(), load.count, load.writers).await;
        let rate = rate(load.count, begun);
        assert_eq!(house.drawer().extent().expect("open to all").entries, load.count as u64);
        house.tree.stop().await;
        rate
    });
    drop(folder);
    rate
}

/// Writes so many entries, by so many tasks.
pub(crate) async fn fill(drawer: &Drawer, count: usize, writers: usize) {
    let mut writing = JoinSet::new();
    for writer in 0..writers {
        let drawer = drawer.clone();
        writing.spawn(async move {
            for n in (writer..count).step_by(writers) {
                let key = Key::new(&key(n)).expect("a key");
                drawer.put(put(&key, n)).await.expect("it is on disk");
            }
        });
    }
    let _all = writing.join_all().await;
}

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");

fn insert_into_redb(database: &Database, numbers: std::ops::Range<usize>) {
    let transaction = database.begin_write().expect("a transaction");
    {
        let mut table = transaction.open_table(TABLE).expect("a table");
        for n in numbers {
            table.insert(key(n).as_str(), &value(n)[..]).expect("it is inserted");
        }
    }
    transaction.commit().expect("it is on disk");
}

/// A commit for each write, of as many threads as are of use.
pub(crate) fn redb(load: Load) -> Vec<f64> {
    let folder = folder();
    let database = Database::create(folder.path().join("redb")).expect("a database");
    insert_into_redb(&database, 0..0);
    by_threads(load, |n| insert_into_redb(&database, n..n + 1))
}

/// A commit for as many writes as there are writers.
pub(crate) fn redb_batched(load: Load) -> Vec<f64> {
    let folder = folder();
    let database = Database::create(folder.path().join("redb")).expect("a database");
    insert_into_redb(&database, 0..0);
    let begun = Instant::now();
    for first in (0..load.count).step_by(load.writers) {
        insert_into_redb(&database, first..first + load.writers);
    }
    rate(load.count, begun)
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path.join("sqlite")).expect("a database");
    let how = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
        CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;";
    connection.execute_batch(how).expect("a table");
    connection
}

fn insert_into_sqlite(connection: &Connection, n: usize) {
    let statement = connection.prepare_cached("INSERT OR REPLACE INTO entries VALUES (?1, ?2)");
    let inserted = statement.expect("a statement").execute((key(n), &value(n)[..]));
    assert_eq!(inserted.expect("it is on disk"), 1);
}

/// A commit for each write, of as many threads as are of use, over one connection.
pub(crate) fn sqlite(load: Load) -> Vec<f64> {
    let folder = folder();
    let connection = Mutex::new(connect(folder.path()));
    by_threads(load, |n| {
        insert_into_sqlite(&connection.lock().expect("nobody has failed"), n);
    })
}

/// A commit for as many writes as there are writers.
pub(crate) fn sqlite_batched(load: Load) -> Vec<f64> {
    let folder = folder();
    let connection = connect(folder.path());
    let begun = Instant::now();
    for first in (0..load.count).step_by(load.writers) {
        connection.execute_batch("BEGIN").expect("a transaction");
        (first..first + load.writers).for_each(|n| insert_into_sqlite(&connection, n));
        connection.execute_batch("COMMIT").expect("it is on disk");
    }
    rate(load.count, begun)
}

fn by_threads(load: Load, write: impl Fn(usize) + Sync) -> Vec<f64> {
    let (next, threads) = (AtomicUsize::new(0), load.writers.min(THREADS));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < load.count) {
                    write(n);
                }
            });
        }
    });
    rate(load.count, begun)
}
