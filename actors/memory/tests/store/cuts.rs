//! Power cuts, anywhere: what was acknowledged is there, what was refused is not, batches are whole.
//!
//! Several writers work on a simulated disk that fails at a call chosen by the seed. Afterwards, in the same runtime and in
//! a new one, each key holds one of the values it may hold. `TRIARCH_SEED=… cargo test -p triarch-memory --test store cuts`
//! repeats one story, `TRIARCH_CUTS=10000` runs as many.

use std::collections::BTreeMap;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_memory::{Error, Op};
use triarch_supervision::clock::Seeded;

use super::house::{House, key, open, plain, text};

/// Each has four lives.
const STORIES: u64 = 250;
const WRITERS: u64 = 4;

/// What a key may hold: the last value that was acknowledged, or one after it of which nobody knows.
type May = BTreeMap<String, Vec<Option<String>>>;

/// What one writer knows.
#[derive(Default)]
struct Notes {
    may: May,
    /// Increments of the shared number that were acknowledged, and that nobody knows of.
    added: u64,
    perhaps: u64,
}

impl Notes {
    fn settle(&mut self, names: &[String], value: Option<&str>, outcome: &Result<(), Error>, seed: u64) {
        for name in names {
            let may = self.may.entry(name.clone()).or_insert_with(|| vec![None]);
            let value = value.map(str::to_owned);
            match outcome {
                Ok(()) => *may = vec![value],
                Err(Error::Unanswered { .. }) => may.push(value),
                Err(Error::Disk { .. }) => {}
                Err(other) => wrong(seed, other),
            }
        }
    }
}

#[expect(clippy::panic, reason = "a wrong outcome ends the test")]
fn wrong(seed: u64, error: &Error) {
    panic!("seed {seed}: {error}");
}

/// Writes until the disk has failed, then a little more.
async fn work(house: &House, writer: u64, (seed, round): (u64, u64), notes: &mut Notes) {
    let [drawer, relaxed] = ["journal", "relaxed"].map(|namespace| house.drawer(namespace));
    let mut random = Seeded::new(seed * 1_000 + round * 10 + writer);
    for step in 0..20 {
        let name = format!("w{writer}/{}", random.below(6));
        let value = format!(
            "{round}.{step} {}",
            "x".repeat(usize::try_from(random.below(1_500)).unwrap())
        );
        match random.below(10) {
            0..5 => {
                let outcome = drawer.put(plain(&name, &value)).await.map(drop);
                notes.settle(&[name], Some(&value), &outcome, seed);
            }
            5 => {
                let outcome = drawer.delete(&key(&name)).await.map(drop);
                notes.settle(&[name], None, &outcome, seed);
            }
            6..9 => {
                let pair = ["one", "other"].map(|of| format!("w{writer}/pair/{of}"));
                let ops = pair.iter().map(|name| Op::Put(plain(name, &value))).collect();
                let outcome = drawer.batch(ops).await.map(drop);
                notes.settle(&pair, Some(&value), &outcome, seed);
                let ops = pair.iter().map(|name| Op::Put(plain(name, &value))).collect();
                relaxed.batch(ops).await.unwrap();
            }
            _ => match drawer.increment(&key("shared"), 1).await {
                Ok(_) => notes.added += 1,
                Err(Error::Unanswered { .. }) => notes.perhaps += 1,
                Err(Error::Disk { .. }) => {}
                Err(other) => wrong(seed, &other),
            },
        }
        open(house).await;
    }
}

fn check(house: &House, all: &mut [Notes], seed: u64) {
    let drawer = house.drawer("journal");
    for (writer, notes) in all.iter_mut().enumerate() {
        for (name, may) in &mut notes.may {
            let held = text(&drawer, name);
            assert!(
                may.contains(&held),
                "seed {seed}: {name} is {held:?} and may be {may:?}"
            );
            *may = vec![held];
        }
        for namespace in ["journal", "relaxed"] {
            let drawer = house.drawer(namespace);
            let pair = ["one", "other"].map(|of| text(&drawer, &format!("w{writer}/pair/{of}")));
            assert_eq!(
                pair[0], pair[1],
                "seed {seed}: half a batch of writer {writer} in {namespace}"
            );
        }
    }
    let listed = drawer.list("", None, 10_000).unwrap();
    for (key, entry) in &listed {
        assert!(entry.is_whole(key), "seed {seed}: {key} is torn");
    }
    for (name, may) in all.iter().flat_map(|notes| &notes.may) {
        let is_listed = listed.iter().any(|(key, _)| key.as_str() == name);
        assert_eq!(may[0].is_some(), is_listed, "seed {seed}: {name} in the order of keys");
    }
    let number: u64 = text(&drawer, "shared").map_or(0, |text| text.parse().unwrap());
    let sum = |of: fn(&Notes) -> u64| all.iter().map(of).sum::<u64>();
    let (least, most) = (sum(|notes| notes.added), sum(|notes| notes.added + notes.perhaps));
    assert!(
        (least..=most).contains(&number),
        "seed {seed}: {number} of {least} to {most}"
    );
    for notes in all.iter_mut() {
        (notes.added, notes.perhaps) = (0, 0);
    }
    all[0].added = number;
}

async fn story(seed: u64) {
    let disk = SimDisk::new(seed);
    let mut random = Seeded::new(seed);
    let mut all: Vec<Notes> = (0..WRITERS).map(|_| Notes::default()).collect();
    for round in 0..3 {
        let house = House::on(&disk).await;
        check(&house, &mut all, seed);
        let calls = [
            Call::Write,
            Call::Sync,
            Call::Create,
            Call::Rename,
            Call::SyncFolder,
            Call::Remove,
        ];
        let known = if random.below(3) == 0 { 6 } else { 2 };
        let call = calls[usize::try_from(random.below(known)).unwrap()];
        let fault = if random.below(4) == 0 {
            Fault::Io
        } else {
            Fault::PowerCut
        };
        disk.fail(call, random.below(25), fault);
        let drawer = house.drawer("journal");
        let snapshots = async {
            for _ in 0..random.below(4) {
                let _may_fail = house.client.flush().await;
                let _may_fail = house.client.compact().await;
            }
        };
        let writing = all
            .iter_mut()
            .zip(0..)
            .map(|(notes, writer)| work(&house, writer, (seed, round), notes));
        tokio::join!(futures_util::future::join_all(writing), snapshots);
        disk.heal();
        // It goes on after a cut in the same runtime, as from what is on disk.
        while drawer.put(plain("mended", "x")).await.is_err() {
            open(&house).await;
        }
        check(&house, &mut all, seed);
        if random.below(2) == 0 {
            disk.cut_power();
        }
        house.stop().await;
    }
    disk.cut_power();
    let house = House::on(&disk).await;
    check(&house, &mut all, seed);
    house.stop().await;
}

#[tokio::test]
async fn what_is_acknowledged_is_there_after_a_power_cut_and_nothing_is_torn() {
    let number = |variable| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("TRIARCH_SEED") {
        return story(seed).await;
    }
    for seed in 0..number("TRIARCH_CUTS").unwrap_or(STORIES) {
        story(seed).await;
    }
}
