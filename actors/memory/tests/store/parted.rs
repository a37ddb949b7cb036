//! Flushes in many parts, with whoever else writes between them, on a disk that fails now and then.

use std::cell::Cell;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_memory::{Drawer, Durability, Keeping, Op};
use triarch_supervision::clock::Seeded;

use super::house::{CALM, House, keeping, key, name, open, open_to_all, plain, text, three};

const KEYS: u64 = 12;

/// A part of a flush has so few bytes that one of the namespace has several.
async fn small(disk: &SimDisk) -> House {
    let keep = Keeping {
        journal: triarch_journal::Config {
            record_bytes_max: 160 << 10,
            ..triarch_journal::Config::default()
        },
        ..keeping(disk, None)
    };
    House::begin(CALM, three(), Some(keep)).await.unwrap()
}

fn long(random: &mut Seeded) -> String {
    let length = 2_000 + usize::try_from(random.below(3_000)).unwrap();
    format!("{} {}", random.below(1 << 40), "x".repeat(length))
}

fn number(random: &mut Seeded) -> String {
    format!("k{}", random.below(KEYS))
}

/// Two keys at a time: at any instant both are alike.
async fn change(relaxed: &Drawer, random: &mut Seeded) {
    let (number, value) = (number(random), long(random));
    let pair = ["one", "other"].map(|of| format!("{number}/{of}"));
    let op = |name: &String, is_put: bool| {
        if is_put {
            Op::Put(plain(name, &value))
        } else {
            Op::Delete(key(name), None)
        }
    };
    let is_put = random.below(3) > 0;
    let ops = pair.iter().map(|name| op(name, is_put)).collect();
    let _may_be_gone = relaxed.batch(ops).await;
}

/// What is in the namespaces that are flushed.
fn held(house: &House) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for drawer in ["brief", "relaxed"]
        .into_iter()
        .flat_map(|name| house.client.open(name))
    {
        let keys = drawer.list("", None, 1_000).unwrap().into_iter().map(|(key, _)| key);
        all.extend(keys.map(|key| (format!("{}/{key}", drawer.name()), text(&drawer, key.as_str()))));
    }
    all
}

fn check(house: &House, seed: u64) {
    for drawer in ["brief", "relaxed"]
        .into_iter()
        .flat_map(|name| house.client.open(name))
    {
        for number in 0..KEYS {
            let [one, other] = ["one", "other"].map(|of| text(&drawer, &format!("k{number}/{of}")));
            assert!(
                one == other,
                "seed {seed}: k{number} of {} is not of one instant",
                drawer.name()
            );
        }
    }
}

/// Takes a namespace away while it is flushed, and makes it anew.
async fn come_and_go(house: &House, random: &mut Seeded) {
    let brief = name("brief");
    let _may_fail = house.client.forget(&brief).await;
    let _may_fail = house.client.define(&brief, open_to_all(Durability::Relaxed)).await;
    if let Ok(drawer) = house.client.open("brief") {
        for _ in 0..random.below(9) {
            change(&drawer, random).await;
        }
    }
}

async fn meddle(house: &House, random: &mut Seeded) {
    match random.below(8) {
        0 => drop(house.client.compact().await),
        1 | 2 => come_and_go(house, random).await,
        _ => {
            for _ in 0..4 {
                change(&house.drawer("relaxed"), random).await;
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn story(seed: u64) {
    let disk = SimDisk::new(seed);
    let mut random = Seeded::new(seed);
    for _ in 0..4 {
        let house = small(&disk).await;
        check(&house, seed);
        let faults = [Fault::Io, Fault::Full, Fault::PowerCut];
        let fault = faults[usize::try_from(random.below(3)).unwrap()];
        let call = [Call::Write, Call::Sync][usize::try_from(random.below(2)).unwrap()];
        disk.fail(call, random.below(60), fault);
        let is_over = Cell::new(false);
        let flushing = async {
            while !is_over.get() {
                let _may_fail = house.client.flush().await;
                tokio::task::yield_now().await;
            }
        };
        let meddling = async {
            for _ in 0..30 {
                meddle(&house, &mut random).await;
            }
            is_over.set(true);
        };
        let writing = async {
            while !is_over.get() {
                let _may_fail = house.drawer("journal").put(plain("a", "x")).await;
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(flushing, writing, meddling);
        disk.heal();
        let is_cut = random.below(3) == 0;
        let mut expected = None;
        if !is_cut {
            while house.client.flush().await.is_err() {
                open(&house).await;
            }
            expected = Some(held(&house));
        }
        disk.cut_power();
        house.stop().await;
        let house = small(&disk).await;
        check(&house, seed);
        if let Some(expected) = expected {
            assert!(
                held(&house) == expected,
                "seed {seed}: what was flushed last is not what is there"
            );
        }
        house.stop().await;
    }
}

/// `TRIARCH_SEED=…` repeats one story, `TRIARCH_CUTS=10000` runs as many.
#[tokio::test]
async fn what_was_flushed_in_parts_is_there_whole_as_of_one_instant_whoever_came_between() {
    let number = |variable| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("TRIARCH_SEED") {
        return Box::pin(story(seed)).await;
    }
    for seed in 0..number("TRIARCH_CUTS").unwrap_or(20) {
        Box::pin(story(seed)).await;
    }
}
