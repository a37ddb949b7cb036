//! `SQLite`: one table, `journal_mode=WAL`, `synchronous=FULL`, one commit for each record by a prepared statement, one
//! connection that all writers share.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use rusqlite::Connection;

use crate::cases::{RECORD, by_threads, folder};

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path.join("sqlite")).expect("a database");
    let how = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
        CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY, bytes BLOB);";
    connection.execute_batch(how).expect("a table");
    connection
}

fn insert(connection: &Connection, number: u64) {
    let statement = connection.prepare_cached("INSERT INTO records VALUES (?1, ?2)");
    let number = i64::try_from(number).expect("a small number");
    let inserted = statement.expect("a statement").execute((number, &RECORD[..]));
    assert_eq!(inserted.expect("it is on disk"), 1);
}

pub(crate) fn append(count: usize, threads: usize) -> Vec<f64> {
    let folder = folder();
    let connection = Mutex::new(open(folder.path()));
    by_threads(count, threads, |number| {
        let connection = connection.lock().expect("nobody has failed");
        insert(&connection, number);
    })
}

pub(crate) fn recover(count: usize) -> Vec<f64> {
    let folder = folder();
    let connection = open(folder.path());
    connection.execute_batch("BEGIN").expect("a transaction");
    for number in 0..count as u64 {
        insert(&connection, number);
    }
    connection.execute_batch("COMMIT").expect("it is on disk");
    drop(connection);
    let begun = Instant::now();
    let connection = open(folder.path());
    let mut statement = connection
        .prepare("SELECT bytes FROM records ORDER BY number")
        .expect("a statement");
    let read = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .expect("records");
    let read = read.map(|record| record.expect("a whole record").len());
    assert_eq!(read.sum::<usize>(), count * RECORD.len());
    vec![begun.elapsed().as_secs_f64()]
}
