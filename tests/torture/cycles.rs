//! A runtime that is killed over and over while entries are put, envelopes published and numbers counted up, and snapshots of
//! them taken: all that was acknowledged is there, in its place and once.
//!
//! These are kills of the real process. Lives over a simulated disk stand beside them, a thousand for each room in each run of the
//! tests, which end at any sync and lose what was not synced: `cuts` of `triarch-memory`, `no_power_cut` of `triarch-bus`, and
//! `power` of `triarch-work`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};
use triarch::gateway::Answer;

use crate::chance::Chance;
use crate::ledger::{Ledger, Place};
use crate::running::Running;
use crate::yard::{Caller, Yard, rounds};

/// Kills for every day, and those of the full torture.
const KILLS: (usize, usize) = (250, 5_000);
/// The longest that a runtime lives after it takes something, in microseconds.
const LIFE_MAX: u64 = 12_000;
/// After so many kills all there is is looked at.
const LOOK_EVERY: usize = 25;
/// So many write at once.
const WRITERS: usize = 6;
const WRITTEN: [Place; 2] = [Place::Store, Place::Topic];

const CREW: &str = r#"
[memory]
snapshot_after = "8KiB"

[[bus.durable]]
topics = "log.**"

[[team]]
name = "team"
"#;

/// Counts up by one at each post, and answers with what it came to.
const COUNTER: &str = r#"
while read -r line; do
    id=${line#*'"id":"'}
    id=${id%%'"'*}
    case $line in
    *'"type":"memory"'*)
        number=${line#*'"number":'}
        printf '{"type":"done","id":"%s","body":%s}\n' "${id#m}" "${number%%[!0-9]*}"
        ;;
    *) printf '{"type":"memory","id":"m%s","op":"increment","key":"count"}\n' "$id" ;;
    esac
done
"#;

/// What is known of a number that was counted up.
#[derive(Default)]
struct Count {
    /// What it came to when that was last told.
    last: u64,
    told: u64,
    /// How often since then nobody was told what became of it.
    doubts: u64,
    doubted: u64,
}

impl Count {
    fn is_told(&mut self, number: u64) {
        let expected = self.last + 1..=self.last + 1 + self.doubts;
        assert!(
            expected.contains(&number),
            "it came to {number} where {expected:?} may be"
        );
        (self.last, self.doubts, self.told) = (number, 0, self.told + 1);
    }

    fn is_in_doubt(&mut self) {
        self.doubts += 1;
        self.doubted += 1;
    }

    fn look(&self, caller: &mut Caller) {
        let asked = json!({ "namespace": "shared", "key": "count" });
        let found = caller
            .ask("memory.get", &asked)
            .map_or(0, |entry| entry["value"].as_u64().unwrap());
        assert!(
            (self.last..=self.last + self.doubts).contains(&found) && found <= self.told + self.doubted,
            "{found}, and it came to {} by {} acknowledged and {} in doubt",
            self.last,
            self.told,
            self.doubted
        );
    }
}

/// What was asked and is not answered yet.
enum Asked {
    Write(Place, u64),
    Count,
}

struct Writers {
    callers: Vec<Caller>,
    asked: Vec<Asked>,
}

struct Seen {
    ledger: Ledger,
    count: Count,
    chance: Chance,
}

impl Seen {
    /// Has each writer ask for something, the last one for a count.
    fn ask(&mut self, writers: &mut Writers) {
        let (last, others) = writers.callers.split_last_mut().unwrap();
        for (at, caller) in others.iter_mut().enumerate() {
            let place = WRITTEN[at % WRITTEN.len()];
            let (number, operation, input) = self.ledger.next(place);
            caller.send(operation, &input);
            writers.asked.push(Asked::Write(place, number));
        }
        let counted = json!({ "agent": "team/counter", "within": "60s" });
        last.send("agent.ask", &counted);
        writers.asked.push(Asked::Count);
    }

    /// What comes of it; where nothing comes any more nobody knows.
    fn hear(&mut self, writers: &mut Writers) {
        for (caller, asked) in writers.callers.iter_mut().zip(std::mem::take(&mut writers.asked)) {
            // Whoever lives answers, and refuses nothing.
            let output = caller.hear().ok().map(|answer| match answer {
                Answer::Output(output) => output,
                other => panic!("refused: {other:?}"),
            });
            match (asked, output) {
                (Asked::Write(place, number), Some(output)) => self.ledger.is_acknowledged(place, number, &output),
                (Asked::Write(place, number), None) => self.ledger.is_in_doubt(place, number),
                (Asked::Count, Some(output)) => self.count.is_told(output["result"].as_u64().unwrap()),
                (Asked::Count, None) => self.count.is_in_doubt(),
            }
        }
    }

    /// One life, which ends while all are in the middle of something.
    fn live(&mut self, yard: &Yard, mut runtime: Running) {
        let mut writers = Writers {
            callers: (0..WRITERS).map(|_| yard.caller()).collect(),
            asked: Vec::new(),
        };
        let end = Instant::now() + Duration::from_micros(self.chance.draw(LIFE_MAX));
        while Instant::now() < end {
            self.ask(&mut writers);
            self.hear(&mut writers);
        }
        self.ask(&mut writers);
        thread::park_timeout(Duration::from_micros(self.chance.draw(3_000)));
        runtime.kill();
        self.hear(&mut writers);
    }

    fn look(&self, caller: &mut Caller) {
        self.ledger.look(caller);
        self.count.look(caller);
    }
}

fn snapshots_in(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".snapshot")).collect()
}

#[test]
fn what_was_put_published_and_counted_outlives_any_number_of_kills_and_counts_once() {
    let yard = Yard::new();
    let counter = yard.agent("counter", COUNTER, "sandbox = { kind = \"none\" }");
    yard.house.write("triarch.toml", &[CREW, &counter].concat());
    let mut seen = Seen {
        ledger: Ledger::of_weight(100),
        count: Count::default(),
        chance: Chance::default(),
    };
    let (kills, mut snapshots) = (rounds(KILLS.0, KILLS.1), BTreeSet::new());
    for round in 0..kills {
        let runtime = yard.up();
        if round % LOOK_EVERY == 0 {
            seen.look(&mut yard.caller());
        }
        seen.live(&yard, runtime);
        snapshots.extend(snapshots_in(&yard.path().join("state/memory")));
    }
    let runtime = yard.up();
    let mut caller = yard.caller();
    seen.look(&mut caller);
    let stats: Value = caller.ask("memory.stats", &json!({})).unwrap();
    seen.ledger.has_something_of(&WRITTEN);
    let (told, doubted) = (seen.count.told, seen.count.doubted);
    assert!(
        told > 0 && doubted > 0 && seen.ledger.in_doubt() > 0,
        "{told} and {doubted}: nothing was in hand when it was killed"
    );
    assert!(snapshots.len() > 1, "{snapshots:?} are all that were taken");
    eprintln!(
        "{kills} kills: {} snapshots, {} acknowledged, {} in doubt, counted up {told} times and {doubted} in doubt, 0 lost; {stats}",
        snapshots.len(),
        seen.ledger.acknowledged(),
        seen.ledger.in_doubt(),
    );
    yard.down(runtime);
}
