//! `SQLite` as a queue of tasks: one table with an index of those that are ready, `journal_mode=WAL`, prepared statements, and one
//! commit for each batch that is inserted, claimed or done. Claimed in the order of insertion: no classes, no deadlines.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use triarch_benches::figure::percentiles;

use crate::cases::{Pending, RECORD, RESULT, folder, rate};
use crate::tasks::cycle::Cycles;

/// Longer than anybody waits for a lock.
const PATIENCE: Duration = Duration::from_mins(1);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS tasks (number INTEGER PRIMARY KEY, state INTEGER NOT NULL DEFAULT 0,
        fence INTEGER NOT NULL DEFAULT 0, worker TEXT, until INTEGER, body BLOB, result BLOB);
    CREATE INDEX IF NOT EXISTS ready ON tasks (number) WHERE state = 0;";
const INSERT: &str = "INSERT INTO tasks (body) VALUES (?1)";
const CLAIM: &str = "UPDATE tasks SET state = 1, fence = fence + 1, worker = ?1, until = unixepoch() + 30
    WHERE number IN (SELECT number FROM tasks WHERE state = 0 ORDER BY number LIMIT ?2) RETURNING number, fence, body";
const COMPLETE: &str = "UPDATE tasks SET state = 2, result = ?1 WHERE number = ?2 AND fence = ?3 AND state = 1";

struct Claimed {
    number: i64,
    fence: i64,
}

fn open(path: &Path, synchronous: &str) -> Connection {
    let connection = Connection::open(path.join("sqlite")).expect("a database");
    connection.busy_timeout(PATIENCE).expect("a time limit");
    let how = format!("PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; {TABLE}");
    connection.execute_batch(&how).expect("a table");
    connection
}

/// All of it in one transaction, which a single statement is by itself.
fn together(connection: &Connection, count: usize, write: impl FnOnce()) {
    let say = |how| connection.execute_batch(how).expect("it is on disk");
    if count > 1 {
        say("BEGIN IMMEDIATE");
    }
    write();
    if count > 1 {
        say("COMMIT");
    }
}

fn submit(connection: &Connection, count: usize) {
    together(connection, count, || {
        let mut statement = connection.prepare_cached(INSERT).expect("a statement");
        for _ in 0..count {
            statement.execute((&RECORD[..],)).expect("it is inserted");
        }
    });
}

fn claim(connection: &Connection, worker: &str, most: usize) -> Vec<Claimed> {
    let mut statement = connection.prepare_cached(CLAIM).expect("a statement");
    let most = i64::try_from(most).expect("a small number");
    let claimed = statement.query_map((worker, most), |row| {
        assert_eq!(row.get::<_, Vec<u8>>(2)?.len(), RECORD.len());
        Ok(Claimed {
            number: row.get(0)?,
            fence: row.get(1)?,
        })
    });
    claimed.expect("claims").map(|claim| claim.expect("a claim")).collect()
}

fn complete(connection: &Connection, claims: &[Claimed]) {
    together(connection, claims.len(), || {
        let mut statement = connection.prepare_cached(COMPLETE).expect("a statement");
        for claim in claims {
            let done = statement.execute((RESULT, claim.number, claim.fence));
            assert_eq!(done.expect("it is done"), 1);
        }
    });
}

/// A thread for each party, and so many connections among them.
pub(crate) fn cycle(cycles: Cycles, connections: usize) -> Vec<f64> {
    let folder = folder();
    let connections: Vec<_> = (0..connections)
        .map(|_| Mutex::new(open(folder.path(), "FULL")))
        .collect();
    let begun = Instant::now();
    thread::scope(|scope| {
        for party in 0..cycles.parties {
            let connection = &connections[party % connections.len()];
            scope.spawn(move || live(connection, party, cycles));
        }
    });
    rate(cycles.tasks(), begun)
}

fn live(connection: &Mutex<Connection>, party: usize, cycles: Cycles) {
    let own = || connection.lock().expect("nobody has failed");
    let worker = format!("team/{party}");
    for _ in 0..cycles.times {
        submit(&own(), cycles.batch);
        let claims = claim(&own(), &worker, cycles.batch);
        assert_eq!(claims.len(), cycles.batch);
        complete(&own(), &claims);
    }
}

/// A claim among many, without a sync.
pub(crate) fn claim_pending(pending: Pending) -> Vec<f64> {
    let folder = folder();
    let connection = open(folder.path(), "OFF");
    submit(&connection, pending.tasks);
    let mut nanos = Vec::with_capacity(pending.claims);
    for n in 0..pending.all_claims() {
        let asked = Instant::now();
        let claims = claim(&connection, "team/0", 1);
        pending.claimed(n, asked, claims.len(), &mut nanos);
    }
    percentiles(nanos, [50, 99], 1e3)
}
