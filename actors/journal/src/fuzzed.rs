//! Segments that nobody would write: each is opened as it is, or refused in words, and what opens goes on.

use std::sync::Arc;

use crate::format::{Header, Kind};
use crate::fuzz::fuzz;
use crate::testing::SimDisk;
use crate::{Config, Disk, Journal, Record};

/// What stands often in a segment: numbers, small and large, and the begin of a header.
const TOKENS: [&str; 9] = [
    "\0\0\0\0",
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    "\u{1}\0\0\0\0\0\0\0",
    "\u{2}\0\0\0\0\0\0\0",
    "\u{3}\0\0\0",
    "\u{18}\0\0\0",
    "\u{7f}\u{7f}\u{7f}\u{7f}",
    "\0\0\0\u{4}",
    "TRIARCHJ\u{1}\0",
];
const HEADER: Header = Header {
    kind: Kind::Segment,
    journal: 7,
    seq: 1,
};

fn read(disk: &Arc<SimDisk>) -> Option<Vec<Record>> {
    let opened = Journal::open(Arc::clone(disk) as Arc<dyn Disk>, Config::default());
    match opened {
        Ok((journal, recovered)) => {
            let records: Vec<_> = recovered.records.map(Result::unwrap).collect();
            assert_eq!(journal.settled().number(), records.len() as u64);
            Some(records)
        }
        Err(error) => {
            let words = error.to_string();
            assert!(words.starts_with("simulated/0") && words.contains(';'), "{words}");
            None
        }
    }
}

#[test]
fn fuzzed_segments_are_opened_as_they_are_or_refused_in_words() {
    fuzz("journal_records", &TOKENS, |input| {
        let disk = Arc::new(SimDisk::new(1));
        disk.put(&Kind::Segment.name(1), &[&HEADER.to_bytes()[..], input].concat());
        let Some(mut records) = read(&disk) else {
            return false;
        };
        assert_eq!(read(&disk).as_ref(), Some(&records), "what was opened opens again");
        let (mut journal, _) = Journal::open(Arc::clone(&disk) as Arc<dyn Disk>, Config::default()).unwrap();
        let seq = journal.append(b"more").unwrap();
        journal.commit().unwrap();
        drop(journal);
        disk.cut_power();
        records.push(Record {
            seq,
            bytes: b"more".to_vec(),
        });
        assert_eq!(read(&disk), Some(records.clone()), "and goes on");
        records.len() > 1
    });
}
