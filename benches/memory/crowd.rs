//! Reading and writing by the thread that asks: alone, and where eight read while eight write.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use triarch_benches::Scale;
use triarch_benches::figure::percentiles;
use triarch_benches::machine::resident_bytes;

use crate::shelf::{Random, Shelf, VALUE_BYTES};

/// Keys that are read and written, in no order.
const KEYS: usize = 100_000;

/// So many read, and so many write, where there are many.
const CROWD: usize = 8;

const fn times(scale: &Scale) -> usize {
    if scale.is_quick { 20_000 } else { 2_000_000 }
}

fn nanos_each(count: usize, begun: Instant) -> f64 {
    begun.elapsed().as_nanos() as f64 / count as f64
}

/// The mean of a read of one key, of a read of any, and of an overwrite of any.
pub(crate) fn alone<S: Shelf>(scale: &Scale) -> Vec<f64> {
    let (shelf, times, mut random) = (S::full(KEYS), times(scale), Random::new(1));
    let begun = Instant::now();
    for _ in 0..times {
        assert_eq!(black_box(shelf.get(black_box(77))), 77);
    }
    let hot = nanos_each(times, begun);
    let begun = Instant::now();
    for _ in 0..times {
        let n = random.below(KEYS);
        assert_eq!(shelf.get(n), n as u64);
    }
    let any = nanos_each(times, begun);
    let begun = Instant::now();
    for _ in 0..times / 4 {
        shelf.put(random.below(KEYS));
    }
    vec![hot, any, nanos_each(times / 4, begun)]
}

/// The mean of an insertion of a key that was not there, from none to all.
pub(crate) fn insert<S: Shelf>(scale: &Scale) -> Vec<f64> {
    let keys = if scale.is_quick { KEYS / 10 } else { KEYS * 4 };
    let shelf = S::new(keys);
    let begun = Instant::now();
    (0..keys).for_each(|n| shelf.put(n));
    vec![nanos_each(keys, begun)]
}

/// Reads and overwrites while eight threads read and eight write: p50 and p99 of each, one by one.
pub(crate) fn contend<S: Shelf>(scale: &Scale) -> Vec<f64> {
    let (shelf, times) = (S::full(KEYS), times(scale) / 40);
    let at_work = AtomicUsize::new(CROWD);
    let took_by = |random: &mut Random, call: &dyn Fn(usize)| {
        let n = random.below(KEYS);
        let begun = Instant::now();
        call(n);
        u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    };
    let write = |seed: usize| {
        let mut random = Random::new(seed);
        let nanos: Vec<u64> = (0..times).map(|_| took_by(&mut random, &|n| shelf.put(n))).collect();
        at_work.fetch_sub(1, Ordering::Relaxed);
        nanos
    };
    let read = |seed: usize| {
        let (mut random, mut nanos) = (Random::new(seed), Vec::with_capacity(times * 4));
        while at_work.load(Ordering::Relaxed) > 0 {
            let took = took_by(&mut random, &|n| assert_eq!(shelf.get(n), n as u64));
            if nanos.len() < times * 4 {
                nanos.push(took);
            }
        }
        nanos
    };
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let reading: Vec<_> = (0..CROWD).map(|n| scope.spawn(spawned(&read, n))).collect();
        let writing: Vec<_> = (0..CROWD).map(|n| scope.spawn(spawned(&write, CROWD + n))).collect();
        for thread in writing {
            writes.extend(thread.join().expect("right answers"));
        }
        for thread in reading {
            reads.extend(thread.join().expect("right answers"));
        }
    });
    [percentiles(reads, [50, 99], 1.0), percentiles(writes, [50, 99], 1.0)].concat()
}

fn spawned(work: &(impl Fn(usize) -> Vec<u64> + Sync), seed: usize) -> impl FnOnce() -> Vec<u64> + '_ {
    move || work(seed)
}

/// What an entry keeps resident beside the bytes of its key and its value.
pub(crate) fn resident<S: Shelf>(scale: &Scale) -> Vec<f64> {
    let keys = if scale.is_quick { KEYS } else { KEYS * 10 };
    let shelf = S::new(keys);
    // The keys were made before; they are shared, and so counted by nobody.
    let before = resident_bytes();
    (0..keys).for_each(|n| shelf.put(n));
    let each = resident_bytes().saturating_sub(before) as f64 / keys as f64;
    let _whole = black_box(&shelf);
    vec![each - VALUE_BYTES as f64]
}
