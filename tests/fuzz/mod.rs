//! Inputs that nobody would write, made from those of a corpus: the same ones in each run, unless a time is given.
//!
//! `TRIARCH_FUZZ_SECONDS=180 cargo test -p triarch-gateway --lib fuzz -- --nocapture` goes on for so long, from another seed each time;
//! `TRIARCH_FUZZ_SEED` repeats one. It belongs to several crates, each of which declares it by its path.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many inputs are tried where no time is given.
const INPUTS: u64 = 1_000;
const INPUT_MAX: usize = 1 << 16;
/// Of what was accepted so much is kept to go on from.
const POOL_MAX: usize = 512;
/// What is longer is tried, but nothing is made of it: many short inputs find more than few long ones.
const KEPT_MAX: usize = 4096;
/// Nothing takes nearly as long: whoever does, hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Chance that can be repeated: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; 0 where there is nothing below it.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// Hands inputs to `check`, which panics where something is wrong, and tells whether it accepted the input.
pub(crate) fn fuzz(target: &str, tokens: &[&str], mut check: impl FnMut(&[u8]) -> bool) {
    let mut pool = corpus(target);
    let seconds = variable("TRIARCH_FUZZ_SECONDS");
    let seed = variable("TRIARCH_FUZZ_SEED").unwrap_or_else(|| seconds.map_or(1, |_| u64::from(std::process::id())));
    let (mut chance, begun) = (Chance(seed), Instant::now());
    let is_enough = |tried| match seconds {
        Some(seconds) => begun.elapsed() >= Duration::from_secs(seconds),
        None => tried >= INPUTS,
    };
    let (mut tried, mut accepted) = (0, 0);
    for input in pool.clone() {
        accepted += u64::from(one(target, seed, &input, &mut check));
    }
    assert!(accepted > 0, "nothing in the corpus of {target} is accepted");
    while !is_enough(tried) {
        let input = mutated(&pool, tokens, &mut chance);
        tried += 1;
        if one(target, seed, &input, &mut check) {
            accepted += 1;
            keep(&mut pool, input, &mut chance);
        }
    }
    println!(
        "{target}: {tried} inputs from seed {seed}, {accepted} accepted, in {:?}",
        begun.elapsed()
    );
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new("tests/fuzz/corpus").join(target);
    let folder = crate_folder
        .ancestors()
        .map(|above| above.join(&folder))
        .find(|folder| folder.is_dir());
    let files = std::fs::read_dir(folder.unwrap()).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Tries one input; what it is stands in the report of a failure, to be put into the corpus.
fn one(target: &str, seed: u64, input: &[u8], check: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let took = begun.elapsed();
    if outcome.is_err() || took > PATIENCE {
        eprintln!(
            "{target}, seed {seed}, took {took:?}, {} bytes: {}",
            input.len(),
            input.escape_ascii()
        );
    }
    assert!(took <= PATIENCE, "an input of {target} took {took:?}");
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

fn keep(pool: &mut Vec<Vec<u8>>, input: Vec<u8>, chance: &mut Chance) {
    if input.len() > KEPT_MAX {
        return;
    }
    if pool.len() < POOL_MAX {
        pool.push(input);
    } else {
        let at = chance.below(POOL_MAX);
        pool[at] = input;
    }
}

fn mutated(pool: &[Vec<u8>], tokens: &[&str], chance: &mut Chance) -> Vec<u8> {
    let mut input = pool[chance.below(pool.len())].clone();
    for _ in 0..=chance.below(4) {
        mutate(&mut input, pool, tokens, chance);
    }
    input.truncate(INPUT_MAX);
    input
}

fn mutate(input: &mut Vec<u8>, pool: &[Vec<u8>], tokens: &[&str], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    let to = (at + chance.below(32)).min(input.len());
    match chance.below(8) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = chance.next().to_le_bytes()[0],
        2 => input.truncate(at),
        3 => drop(input.drain(at..to)),
        4 => {
            let most = if chance.below(16) == 0 { 2_000 } else { 4 };
            let again = input[at..to].repeat(1 + chance.below(most));
            drop(input.splice(at..at, again));
        }
        5 => {
            let other = &pool[chance.below(pool.len())];
            let from = chance.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let token = tokens[chance.below(tokens.len())];
            drop(input.splice(at..to.min(at + chance.below(4)), token.bytes()));
        }
    }
}
