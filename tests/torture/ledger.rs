//! What a runtime has acknowledged of tasks, entries of the store and envelopes of a durable topic, and what may be there
//! besides, since whoever wrote it was told that it is not known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use triarch::gateway::{Answer, OperationError};

use crate::yard::Caller;

/// A fleet that keeps all of it, and does the tasks.
pub(crate) const FLEET: &str = r#"
[work]
ended_max = 1000000

[[bus.durable]]
topics = "log.**"

[[team]]
name = "crew"

  [[team.agent]]
  name = "echo"
  kind = "echo"
  capabilities = ["echo"]
  tasks = { at_once = 20 }
"#;

/// So many keys are written over and over.
const KEYS: u64 = 40;

/// Where something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Tasks,
    Store,
    Topic,
}

pub(crate) const PLACES: [Place; 3] = [Place::Tasks, Place::Store, Place::Topic];

/// All that was written has a number of its own.
#[derive(Default)]
pub(crate) struct Ledger {
    /// How many bytes go with each number.
    weight: usize,
    next: u64,
    /// The number of each task that was acknowledged.
    tasks: BTreeMap<u64, u64>,
    /// What may be under a key: what was acknowledged last, or was in doubt since.
    entries: BTreeMap<u64, Vec<u64>>,
    /// Keys under which something was acknowledged.
    keys: BTreeSet<u64>,
    /// What was acknowledged at each place of the log.
    offsets: BTreeMap<u64, u64>,
    doubtful: BTreeSet<(Place, u64)>,
    /// How often something was acknowledged.
    acknowledged: BTreeMap<Place, u64>,
}

/// What may not be there though it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All of it: whoever wrote it was told that it is not written.
    IsNotThere,
    /// Nobody knows.
    InDoubt,
}

impl Ledger {
    pub(crate) fn of_weight(weight: usize) -> Self {
        Self {
            weight,
            ..Self::default()
        }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.values().sum()
    }

    /// Something was acknowledged in each of these places, so that to find all of it says something.
    pub(crate) fn has_something_of(&self, places: &[Place]) {
        let all = &self.acknowledged;
        assert!(places.iter().all(|place| all.contains_key(place)), "only {all:?}");
    }

    pub(crate) fn in_doubt(&self) -> usize {
        self.doubtful.len()
    }

    fn value(&self, number: u64) -> Value {
        json!({ "number": number, "filling": "x".repeat(self.weight) })
    }

    /// The next to be written there: its number, and how it is asked for.
    pub(crate) fn next(&mut self, place: Place) -> (u64, &'static str, Value) {
        let number = self.next;
        self.next += 1;
        let value = self.value(number);
        let (operation, input) = match place {
            Place::Tasks => {
                let task = json!({ "kind": "build", "body": value, "needs": ["echo"] });
                ("task.submit", json!({ "tasks": [task] }))
            }
            Place::Store => {
                let key = format!("key-{}", number % KEYS);
                (
                    "memory.put",
                    json!({ "namespace": "shared", "key": key, "value": value }),
                )
            }
            Place::Topic => ("bus.publish", json!({ "topic": "log.a", "body": value })),
        };
        (number, operation, input)
    }

    pub(crate) fn is_acknowledged(&mut self, place: Place, number: u64, output: &Value) {
        *self.acknowledged.entry(place).or_default() += 1;
        match place {
            Place::Tasks => {
                let task = output[0]["task"].as_u64().unwrap();
                assert_eq!(self.tasks.insert(task, number), None, "task {task} came twice");
            }
            Place::Store => {
                self.keys.insert(number % KEYS);
                self.entries.insert(number % KEYS, vec![number]);
            }
            Place::Topic => {
                let offset = output["offset"].as_u64().unwrap();
                assert_eq!(self.offsets.insert(offset, number), None, "{offset} came twice");
            }
        }
    }

    pub(crate) fn is_in_doubt(&mut self, place: Place, number: u64) {
        self.doubtful.insert((place, number));
        if place == Place::Store {
            self.entries.entry(number % KEYS).or_default().push(number);
        }
    }

    /// Writes one thing there; what is said where it is not acknowledged.
    pub(crate) fn write(&mut self, caller: &mut Caller, place: Place, refused: Refused) -> Result<(), OperationError> {
        let (number, operation, input) = self.next(place);
        match caller.ask(operation, &input) {
            Ok(output) => {
                self.is_acknowledged(place, number, &output);
                Ok(())
            }
            Err(error) => {
                if refused == Refused::InDoubt {
                    self.is_in_doubt(place, number);
                }
                Err(error)
            }
        }
    }

    /// All that was acknowledged is there and can be read, and nothing else but what is in doubt.
    pub(crate) fn look(&self, caller: &mut Caller) {
        self.look_at_entries(caller);
        self.look_at_topic(caller);
        self.look_at_tasks(caller);
    }

    fn look_at_entries(&self, caller: &mut Caller) {
        for (key, may_be) in &self.entries {
            let asked = json!({ "namespace": "shared", "key": format!("key-{key}") });
            let Ok(entry) = caller.ask("memory.get", &asked) else {
                assert!(!self.keys.contains(key), "key-{key} is lost");
                continue;
            };
            let number = entry["value"]["number"].as_u64().unwrap();
            assert!(
                may_be.contains(&number),
                "key-{key} has {number}, and may have {may_be:?}"
            );
            assert_eq!(entry["value"], self.value(number));
        }
    }

    fn look_at_topic(&self, caller: &mut Caller) {
        let bodies = replayed(caller);
        for (offset, number) in &self.offsets {
            let body = usize::try_from(*offset).ok().and_then(|offset| bodies.get(offset));
            assert_eq!(body, Some(&self.value(*number)), "at {offset} of {}", bodies.len());
        }
        for (offset, body) in (0..).zip(&bodies) {
            let number = body["number"].as_u64().unwrap();
            let is_known = self.offsets.contains_key(&offset) || self.doubtful.contains(&(Place::Topic, number));
            assert!(is_known && *body == self.value(number), "{offset}: {body}");
        }
        let numbers: BTreeSet<_> = bodies.iter().map(|body| body["number"].as_u64()).collect();
        assert_eq!(numbers.len(), bodies.len(), "something is there twice");
    }

    fn look_at_tasks(&self, caller: &mut Caller) {
        let found = tasks(caller);
        for task in self.tasks.keys() {
            assert!(found.contains_key(task), "task {task} is lost");
        }
        let of_tasks = self.doubtful.iter().filter(|(place, _)| *place == Place::Tasks);
        let mut doubtful: BTreeSet<_> = of_tasks.map(|(_, number)| *number).collect();
        let others = found.len() - self.tasks.len();
        assert!(others <= doubtful.len(), "{others} that nobody submitted");
        for (task, seen) in &found {
            if seen["state"] != "done" {
                assert_eq!(seen["result"], Value::Null, "{seen}");
                continue;
            }
            let number = self.tasks.get(task).copied().unwrap_or_else(|| {
                let number = seen["result"]["number"].as_u64().unwrap();
                assert!(doubtful.remove(&number), "{seen}");
                number
            });
            assert_eq!(seen["result"], self.value(number), "{seen}");
        }
    }

    /// The same, once all tasks are done.
    pub(crate) fn look_when_done(&self, caller: &mut Caller) {
        let waited = caller.ask("task.wait", &json!({ "within": "60s" })).unwrap();
        assert_eq!(waited["troubles"], json!([]));
        assert!(tasks(caller).values().all(|task| task["state"] == "done"));
        self.look(caller);
    }
}

/// All that the log has, from its beginning.
fn replayed(caller: &mut Caller) -> Vec<Value> {
    let Ok(shown) = caller.ask("bus.show", &json!({ "topic": "log.a" })) else {
        return Vec::new();
    };
    assert_eq!(shown["log"]["first"], 0, "{shown}");
    let count = shown["log"]["next"].as_u64().unwrap();
    let asked = json!({ "pattern": "log.**", "from": "first", "count": count });
    caller.send("bus.subscribe", &asked);
    let mut bodies = Vec::new();
    loop {
        match caller.hear().unwrap() {
            Answer::Progress(mut event) => bodies.push(event["body"].take()),
            Answer::Output(output) => break assert_eq!(output["events"], count, "{output}"),
            other => panic!("no replay: {other:?}"),
        }
    }
    bodies
}

fn tasks(caller: &mut Caller) -> BTreeMap<u64, Value> {
    let mut found = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let asked = json!({ "after": after, "most": 5_000 });
        let page = caller.ask("task.list", &asked).unwrap();
        for task in page.as_array().unwrap() {
            after = task["task"].clone();
            found.insert(after.as_u64().unwrap(), task.clone());
        }
        if page == json!([]) {
            return found;
        }
    }
}
