//! redb: one table from number to bytes, one commit for each record, `Durability::Immediate`, which is its default. Writers
//! that do not know of each other have nothing else there.

use std::path::Path;
use std::time::Instant;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::cases::{RECORD, by_threads, folder};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

fn create(path: &Path) -> Database {
    let database = Database::create(path.join("redb")).expect("a database");
    insert(&database, std::iter::empty());
    database
}

fn insert(database: &Database, numbers: impl Iterator<Item = u64>) {
    let transaction = database.begin_write().expect("a transaction");
    {
        let mut table = transaction.open_table(TABLE).expect("a table");
        for number in numbers {
            table.insert(number, &RECORD[..]).expect("it is inserted");
        }
    }
    transaction.commit().expect("it is on disk");
}

pub(crate) fn append(count: usize, threads: usize) -> Vec<f64> {
    let folder = folder();
    let database = create(folder.path());
    by_threads(count, threads, |number| insert(&database, std::iter::once(number)))
}

pub(crate) fn recover(count: usize) -> Vec<f64> {
    let folder = folder();
    let database = create(folder.path());
    insert(&database, 0..count as u64);
    drop(database);
    let begun = Instant::now();
    let database = Database::open(folder.path().join("redb")).expect("a whole database");
    let transaction = database.begin_read().expect("a transaction");
    let table = transaction.open_table(TABLE).expect("a table");
    let read = table.iter().expect("records");
    let read = read.map(|record| record.expect("a whole record").1.value().to_vec().len());
    assert_eq!(read.sum::<usize>(), count * RECORD.len());
    vec![begun.elapsed().as_secs_f64()]
}
