//! The real thing: a process with a bus on a real disk, killed in the middle of it, again and again.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use triarch_bus::{Class, Start, Terms};
use triarch_journal::RealDisk;

use super::*;

const KILLS: u64 = 40;
/// Names the folder to whoever is to be killed.
const FOLDER: &str = "TRIARCH_BUS_KILLED_IN";
const KILLED: &str = "kills::whoever_is_killed_publishes_and_acknowledges_until_then";

fn clerk(house: &House) -> Listener {
    house.listen(
        all_of("log.*", "team/clerk")
            .named("n")
            .from(Start::First)
            .terms(Terms::of(Class::AtLeastOnce)),
    )
}

#[test]
fn whoever_is_killed_publishes_and_acknowledges_until_then() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let house = House::on(Arc::new(RealDisk::at(folder).unwrap())).await;
        let mut clerk = clerk(&house);
        loop {
            let stored = house.say("log.a", "x").await.unwrap();
            let floor = house.bus.cursors().first().map_or(0, |cursor| cursor.floor);
            // What was settled before the next is stored is on disk with it.
            tell(&format!("stored {} unsettled {floor}", stored.offset));
            if let Some(delivery) = clerk.try_next() {
                assert!(delivery.acknowledge());
            }
            let floor = house.bus.cursors().first().map_or(0, |cursor| cursor.floor);
            let stored = house.say("log.a", "x").await.unwrap();
            tell(&format!("stored {} settled {floor}", stored.offset));
        }
    });
}

/// One write to the pipe, so that whoever listens hears of it or not.
fn tell(text: &str) {
    std::io::stdout().write_all(format!("\n{text}.\n").as_bytes()).unwrap();
}

/// Kills somebody who has said so many lines, and hears all of them: the last that was stored, and what was settled.
fn killed_after(lines: u64, folder: &Path) -> (u64, u64) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([KILLED, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let (mut last, mut settled, mut count) = (0, 0, 0);
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.strip_suffix('.').unwrap_or_default().split(' ').collect();
        if let ["stored", offset, what, floor] = words[..] {
            last = offset.parse().unwrap();
            if what == "settled" {
                settled = floor.parse().unwrap();
            }
            count += 1;
        }
        if count >= lines {
            process.kill().unwrap();
        }
    }
    process.wait().unwrap();
    assert!(count >= lines, "it ended by itself");
    (last, settled)
}

#[tokio::test]
async fn of_what_was_acknowledged_before_a_kill_nothing_is_lost_and_nothing_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=KILLS {
        let (last, settled) = killed_after(1 + round * 7 % 23, folder.path());
        let house = House::on(Arc::new(RealDisk::at(folder.path()).unwrap())).await;
        let log = house.bus.logs()[0].clone();
        assert!(
            log.next > last,
            "offset {last} was acknowledged before kill {round}, and the log ends at {}",
            log.next
        );
        assert!(house.bus.cursors()[0].floor >= settled, "kill {round}");
        let mut clerk = clerk(&house);
        let all = house.bus.stored(
            "team/me",
            &Pattern::new("log.a").unwrap(),
            Start::Offset(house.bus.cursors()[0].floor),
            1,
        );
        let first = all.unwrap().first().map(|one| one.envelope.id);
        assert_eq!(Some(next(&mut clerk).await.envelope.id), first, "kill {round}");
        drop(clerk);
        house.stop().await;
    }
}
