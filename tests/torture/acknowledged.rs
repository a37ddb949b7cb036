//! A runtime that is killed over and over while tasks come and are done: what it acknowledged is there, and done once.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::yard::{Caller, Yard, rounds};

/// Kills for every day, and those of the full torture.
const KILLS: (usize, usize) = (1_000, 10_000);
/// The longest that a runtime lives after it takes tasks, in microseconds.
const LIFE_MAX: u64 = 12_000;
/// So many tasks are submitted at once.
const BATCH: usize = 8;
/// After so many kills all tasks are waited for and looked at, so that none of them is forgotten meanwhile.
const LOOK_EVERY: usize = 250;

const CREW: &str = r#"
[work]
ended_max = 1000000
snapshot_after = "256KiB"

[[team]]
name = "crew"

  [[team.agent]]
  name = "echo"
  kind = "echo"
  capabilities = ["echo"]
  replicas = 2
  tasks = { at_once = 20 }
"#;

/// What was seen from outside.
#[derive(Default)]
struct Seen {
    /// The body of each task that was acknowledged.
    acknowledged: BTreeMap<u64, u64>,
    /// Under which lease a task was seen done.
    done: BTreeMap<u64, u64>,
    next_body: u64,
    chance: Chance,
}

impl Seen {
    /// Submits tasks until the runtime has lived for so long; what it does not acknowledge any more counts for nothing.
    fn submit(&mut self, caller: &mut Caller, life: Duration) {
        let end = Instant::now() + life;
        while Instant::now() < end {
            let bodies: Vec<_> = (self.next_body..).take(BATCH).collect();
            self.next_body += BATCH as u64;
            let tasks: Vec<_> = bodies
                .iter()
                .map(|body| json!({ "kind": "build", "body": body, "needs": ["echo"] }))
                .collect();
            let accepted = caller.ask("task.submit", &json!({ "tasks": tasks })).unwrap();
            for (submitted, body) in accepted.as_array().unwrap().iter().zip(bodies) {
                let known = self.acknowledged.insert(submitted["task"].as_u64().unwrap(), body);
                assert_eq!(known, None, "a number came twice");
            }
        }
    }

    /// All that was acknowledged is done, each with its own result and once.
    fn look(&mut self, caller: &mut Caller) {
        let waited = caller.ask("task.wait", &json!({ "within": "60s" })).unwrap();
        assert_eq!(waited["troubles"], json!([]));
        let mut found = BTreeMap::new();
        let mut after = Value::Null;
        loop {
            let page = caller
                .ask("task.list", &json!({ "after": after, "most": 5_000 }))
                .unwrap();
            let page = page.as_array().unwrap();
            for task in page {
                assert_eq!(task["state"], "done", "{task}");
                found.insert(task["task"].as_u64().unwrap(), task.clone());
            }
            let Some(last) = page.last() else { break };
            after = last["task"].clone();
        }
        for (number, body) in &self.acknowledged {
            let task = found
                .get(number)
                .unwrap_or_else(|| panic!("task {number} was acknowledged, and is lost"));
            assert_eq!(task["result"], *body, "{task}");
            let fence = task["fence"].as_u64().unwrap();
            let first = *self.done.entry(*number).or_insert(fence);
            assert_eq!(first, fence, "task {number} was done twice");
        }
        let stats = caller.ask("task.stats", &json!({})).unwrap();
        let counts = ["submitted", "done", "open"].map(|key| stats[key].as_u64().unwrap());
        assert_eq!(counts, [found.len() as u64, found.len() as u64, 0], "{stats}");
    }
}

#[test]
fn what_was_acknowledged_outlives_any_number_of_kills_and_is_done_once() {
    let yard = Yard::new();
    yard.house.write("triarch.toml", CREW);
    let mut seen = Seen::default();
    for round in 1..=rounds(KILLS.0, KILLS.1) {
        let mut runtime = yard.up();
        let mut caller = yard.caller();
        if round % LOOK_EVERY == 0 {
            seen.look(&mut caller);
        }
        let life = Duration::from_micros(seen.chance.draw(LIFE_MAX));
        seen.submit(&mut caller, life);
        // Now and then in the middle of what agents do with the last of them.
        thread::park_timeout(Duration::from_micros(seen.chance.draw(3_000)));
        runtime.kill();
    }
    let runtime = yard.up();
    seen.look(&mut yard.caller());
    println!(
        "{} kills, {} tasks acknowledged, 0 lost, 0 done twice",
        rounds(KILLS.0, KILLS.1),
        seen.acknowledged.len()
    );
    yard.down(runtime);
}
