//! The real thing: a process that writes on a real disk, killed in the middle of it, again and again.
//!
//! ```text
//! TRIARCH_JOURNAL_KILLS=10000 cargo test -p triarch-journal --test behaviour kills -- --nocapture
//! ```

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use triarch_journal::metrics::JOURNALS;
use triarch_journal::{Config, Journal, JournalAddress, RealDisk, Writer, scribe};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::SMALL;

/// So many in each run.
const KILLS: u64 = 500;
/// So many of one journal, which gets longer from one to the next.
const KILLS_OF_ONE: u64 = 100;
/// Names the folder to whoever is to be killed.
const FOLDER: &str = "TRIARCH_JOURNAL_KILLED_IN";
const WITH_SCRIBE: &str = "TRIARCH_JOURNAL_KILLED_WITH_SCRIBE";
const KILLED: &str = "kills::whoever_is_killed_writes_until_then";

const CONFIG: Config = Config {
    segment_bytes: 20_000,
    ..SMALL
};

/// What was acknowledged by all who were killed.
#[derive(Default)]
struct Acknowledged {
    /// By its number.
    records: Vec<(u64, String)>,
}

#[test]
fn of_what_was_acknowledged_before_a_kill_nothing_is_lost() {
    let kills = env::var("TRIARCH_JOURNAL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let (next, records) = (AtomicU64::new(0), AtomicU64::new(0));
    let kill = || {
        loop {
            let begun = next.fetch_add(KILLS_OF_ONE, Ordering::Relaxed);
            if begun >= kills {
                break;
            }
            let count = kill_one(begun..kills.min(begun + KILLS_OF_ONE));
            records.fetch_add(count, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        scope.spawn(kill);
        kill();
    });
    let count = records.into_inner();
    println!("{kills} kills, {count} records acknowledged, 0 lost");
    assert!(count > kills * 5);
}

/// Says how many records one journal has acknowledged over so many kills.
fn kill_one(rounds: Range<u64>) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut chance = 0x9e37_79b9 ^ rounds.start;
    for round in rounds {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let patience = chance >> 33;
        let process = writer(folder.path(), round % 2 == 1);
        acknowledged.hear(process, patience % 120);
        acknowledged.check(folder.path(), round);
    }
    acknowledged.records.len() as u64
}

fn writer(folder: &Path, with_scribe: bool) -> Process {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([KILLED, "--exact", "--nocapture", "--test-threads=1"]);
    command
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    if with_scribe {
        command.env(WITH_SCRIBE, "1");
    }
    command.spawn().unwrap()
}

impl Acknowledged {
    /// Hears of so many acknowledgements, kills, and hears what had been said until then.
    fn hear(&mut self, mut process: Process, patience: u64) {
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut heard = 0;
        let mut is_killed = patience == 0;
        if is_killed {
            process.kill().unwrap();
        }
        for line in lines {
            let line = line.unwrap();
            // A line that the kill has cut in two ends without its dot.
            let Some((seq, text)) = line.strip_suffix('.').and_then(|line| line.split_once(" is ")) else {
                continue;
            };
            let Some(seq) = seq.rsplit(' ').next().and_then(|seq| seq.parse().ok()) else {
                continue;
            };
            self.records.push((seq, text.to_owned()));
            heard += 1;
            if heard >= patience && !is_killed {
                process.kill().unwrap();
                is_killed = true;
            }
        }
        assert!(is_killed, "it ended by itself after {heard} acknowledgements");
        process.wait().unwrap();
    }

    /// All of it is in the journal, where it was said to be.
    fn check(&self, folder: &Path, round: u64) {
        let disk = Arc::new(RealDisk::at(folder).unwrap());
        let (_journal, recovered) = Journal::open(disk, CONFIG).unwrap();
        let there = all(recovered);
        for (seq, text) in &self.records {
            let found = usize::try_from(*seq).ok().and_then(|seq| there.get(seq - 1));
            assert_eq!(found, Some(text), "record {seq} after kill {round}");
        }
    }
}

/// What the snapshot and the records behind it say, line by line.
fn all(recovered: triarch_journal::Recovered) -> Vec<String> {
    let snapshot = recovered
        .snapshot
        .map(|snapshot| String::from_utf8(snapshot.bytes).unwrap());
    let mut lines: Vec<_> = snapshot.unwrap_or_default().lines().map(str::to_owned).collect();
    lines.extend(
        recovered
            .records
            .map(|record| String::from_utf8(record.unwrap().bytes).unwrap()),
    );
    lines
}

/// One write to the pipe, so that whoever listens hears of it or not.
fn tell(seq: u64, text: &str) {
    std::io::stdout()
        .write_all(format!("{seq} is {text}.\n").as_bytes())
        .unwrap();
}

/// Does nothing unless the test above has started it.
#[test]
fn whoever_is_killed_writes_until_then() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    println!();
    if env::var_os(WITH_SCRIBE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.unwrap().block_on(write_by_a_scribe(&folder));
    } else {
        write_alone(&folder);
    }
}

fn write_alone(folder: &Path) {
    let disk = Arc::new(RealDisk::at(folder).unwrap());
    let (mut journal, recovered) = Journal::open(disk, CONFIG).unwrap();
    let mut lines = all(recovered);
    for batch in 0.. {
        let begun = lines.len();
        for _ in 0..=batch % 4 {
            let text = format!("line {}", lines.len() + 1);
            journal.append(text.as_bytes()).unwrap();
            lines.push(text);
        }
        assert_eq!(journal.commit().unwrap().number(), lines.len() as u64);
        for (at, line) in lines.iter().enumerate().skip(begun) {
            tell(at as u64 + 1, line);
        }
        journal.rest().unwrap();
        if batch % 16 == 15 {
            let seq = journal.rotate().unwrap();
            journal.install_snapshot(seq, lines.join("\n").as_bytes()).unwrap();
        }
    }
}

/// Several writers at once, and snapshots meanwhile.
async fn write_by_a_scribe(folder: &Path) {
    let instruments = Instruments::with_tree(&[JOURNALS]).unwrap();
    let disk = Arc::new(RealDisk::at(folder).unwrap());
    let (scribe, address) = scribe("scribe", "work", disk, CONFIG, &instruments).unwrap();
    let room = Supervisor::named("work").child(scribe);
    let _tree = Root::new().supervisor(room).start().await.unwrap();
    let (writer, recovered) = recover(&address).await;
    let lines = Mutex::new(all(recovered));
    let write = || async {
        loop {
            let (ack, text) = {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                let text = format!("line {}", lines.len() + 1);
                lines.push(text.clone());
                (writer.try_hand_over(text.clone().into_bytes()).unwrap(), text)
            };
            let seq = ack.await.unwrap();
            tell(seq.number(), &text);
        }
    };
    let snapshot = || async {
        loop {
            for _ in 0..20 {
                writer.write(Vec::<Vec<u8>>::new()).await.unwrap();
            }
            let (draft, state) = {
                let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                (writer.rotate().unwrap(), lines.join("\n"))
            };
            let draft = draft.await.unwrap();
            let _outdated = writer.snapshot(draft, move |to| to.write_all(state.as_bytes())).await;
        }
    };
    tokio::join!(write(), write(), write(), write(), snapshot());
}

async fn recover(address: &JournalAddress) -> (Writer, triarch_journal::Recovered) {
    address.recover().await.unwrap()
}
