//! The journal of this repository: its scribe in a tree, as rooms use it, with one sync for all that gathered; recovery as a
//! scribe's owner does it, with all of it verified before any of it is read.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use triarch_benches::runtime::on_two_workers;
use triarch_journal::metrics::JOURNALS;
use triarch_journal::{Config, Journal, RealDisk, Writer, scribe};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::cases::{RECORD, folder, rate};

fn disk(path: &Path) -> Arc<RealDisk> {
    Arc::new(RealDisk::at(path).expect("a folder"))
}

pub(crate) fn append(count: usize, writers: usize) -> Vec<f64> {
    let folder = folder();
    let disk = disk(folder.path());
    let rate = on_two_workers(async move {
        let instruments = Instruments::with_tree(&[JOURNALS]).expect("sections that fit together");
        let (scribe, address) = scribe("scribe", "work", disk, Config::default(), &instruments).expect("a scribe");
        let tree = Root::new().supervisor(Supervisor::named("work").child(scribe));
        let tree = tree.start().await.expect("a tree");
        let (writer, _) = address.recover().await.expect("an empty journal");
        let begun = Instant::now();
        let mut writing = JoinSet::new();
        for _ in 0..writers {
            writing.spawn(write(writer.clone(), count / writers));
        }
        let _all = writing.join_all().await;
        let rate = rate(count, begun);
        let settled = writer.write(Vec::<Vec<u8>>::new()).await.expect("an open journal");
        assert_eq!(settled.number(), count as u64);
        tree.stop().await;
        rate
    });
    drop(folder);
    rate
}

async fn write(writer: Writer, count: usize) {
    for _ in 0..count {
        writer.write(RECORD.to_vec()).await.expect("it is on disk");
    }
}

pub(crate) fn recover(count: usize) -> Vec<f64> {
    let folder = folder();
    let disk = disk(folder.path());
    let (mut journal, _) = Journal::open(disk.clone(), Config::default()).expect("an empty journal");
    for _ in 0..count {
        if journal.is_gathered() {
            journal.commit().expect("it is on disk");
        }
        journal.append(&RECORD).expect("there is room");
    }
    journal.close_orderly().expect("it is on disk");
    let begun = Instant::now();
    let (_journal, recovered) = Journal::open(disk, Config::default()).expect("a whole journal");
    let read = recovered
        .records
        .map(|record| record.expect("a whole record").bytes.len());
    assert_eq!(read.sum::<usize>(), count * RECORD.len());
    vec![begun.elapsed().as_secs_f64()]
}
