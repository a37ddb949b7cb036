//! Storms of subscriptions and of publications, by programs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::Running;
use crate::yard::{Caller, Yard, rounds, until};

/// Programs that subscribe, every day and in the full torture, and how many patterns each subscribes to.
const LISTENERS: (usize, usize) = (10, 100);
const PATTERNS: usize = 1_000;
/// An allocator keeps more after some of the storms, by fits and starts; what is left behind grows by each.
const STORMS: usize = 8;
/// What a storm may leave resident for each subscription, and leave nothing.
const SLACK: usize = 50;

/// Messages of a durable topic.
const MESSAGES: (usize, usize) = (100_000, 1_000_000);
/// In so many portions, each of which somebody waits for.
const PORTIONS: usize = 20;
/// So many publications are under way at once.
const AHEAD: u64 = 256;

/// Does what posts ask for, and answers with what came of it. An event is counted.
const LISTENER: &str = r#"
import json, sys
count, heard, asked = int(sys.argv[1]), {}, None
def say(**words): sys.stdout.write(json.dumps(words) + "\n")
for line in sys.stdin:
    post = json.loads(line)
    if "ok" in post:
        if asked is not None and post["id"] == "last":
            say(type="done", id=asked, ok=True, body=post["ok"])
            asked = None
    elif post["kind"] == "event":
        topic = post["body"]["topic"]
        heard[topic] = heard.get(topic, 0) + 1
        say(type="done", id=post["id"], ok=True)
    elif post["kind"] in ("subscribe", "unsubscribe"):
        asked = post["id"]
        for number in range(count):
            more = {"id": "last"} if number == count - 1 else {}
            say(type=post["kind"], pattern="storm.%d.*" % number, **more)
    else:
        say(type="done", id=post["id"], ok=True, body=heard)
    sys.stdout.flush()
"#;

fn resident(runtime: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", runtime.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1_024
}

/// The description of a program in Python.
fn python(path: &Path, name: &str, arguments: &str, more: &str) -> String {
    let folder = path.parent().unwrap().display();
    let path = path.display();
    format!(
        "[[team.agent]]\nname = \"{name}\"\nkind = \"program\"\ncommand = [\"python3\", \"{path}\", {arguments}]\n\
         dir = \"{folder}\"\nsandbox = {{ kind = \"none\" }}\n{more}\n"
    )
}

/// How many subscriptions the runtime counts, which it does each second.
fn subscribers(yard: &Yard) -> usize {
    let (_, page) = yard.house.get("/metrics");
    let lines = page.lines().filter(|line| line.starts_with("triarch_bus_subscribers{"));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum()
}

/// A crowd of listeners that all subscribe to the same patterns.
struct Storm {
    yard: Yard,
    listeners: usize,
    /// Subscriptions that the runtime has of its own.
    before: usize,
}

impl Storm {
    fn ask_all(&self, kind: &str) -> Vec<Value> {
        let mut caller = self.yard.caller();
        let mut ask = |number| {
            let agent = format!("listener-{number}");
            let asked = json!({ "agent": agent, "kind": kind, "within": "100s" });
            let asked = caller.ask("agent.ask", &asked);
            asked.unwrap_or_else(|error| panic!("{agent} does not answer: {error}"))["result"].take()
        };
        (1..=self.listeners).map(&mut ask).collect()
    }

    /// Each subscribes to each pattern, or no more.
    fn all_do(&self, kind: &str) {
        assert!(self.ask_all(kind).iter().all(|is_done| *is_done == true), "{kind}");
    }

    fn subscriptions(&self) -> usize {
        self.listeners * PATTERNS
    }

    /// To how many something goes that is published there.
    fn publish(&self, pattern: usize, body: usize) -> Value {
        let published = json!({ "topic": topic(pattern), "body": body });
        self.yard.ask("bus.publish", &published).unwrap()["matched"].take()
    }

    /// Rises, is heard, and is over: what is resident at its height.
    fn blow(&self, runtime: &Running, number: usize) -> u64 {
        self.all_do("subscribe");
        let many = self.before + self.subscriptions();
        until("all are counted", || subscribers(&self.yard) == many);
        let high = resident(runtime);
        for pattern in [0, PATTERNS / 2, PATTERNS - 1] {
            assert_eq!(self.publish(pattern, number), self.listeners, "{pattern}");
            until("all heard it once", || {
                let heard = self.ask_all("heard");
                heard.iter().all(|heard| heard[&topic(pattern)] == number)
            });
        }
        assert_eq!(self.publish(PATTERNS, 0), 0, "nobody asked for that");
        self.all_do("unsubscribe");
        until("none is counted any more", || subscribers(&self.yard) == self.before);
        assert_eq!(self.publish(0, 0), 0);
        high
    }
}

fn topic(pattern: usize) -> String {
    format!("storm.{pattern}.x")
}

#[test]
fn a_storm_of_subscriptions_gets_what_it_asked_for_and_leaves_nothing() {
    let yard = Yard::new();
    let listeners = rounds(LISTENERS.0, LISTENERS.1);
    let path = yard.script("listener", LISTENER);
    let arguments = format!("\"{PATTERNS}\", \"{}\"", yard.mark());
    yard.describe(&python(
        &path,
        "listener",
        &arguments,
        &format!("replicas = {listeners}"),
    ));
    let runtime = yard.up();
    let before = subscribers(&yard);
    let storm = Storm {
        yard,
        listeners,
        before,
    };
    let mut after = Vec::new();
    for number in 1..=STORMS {
        let high = storm.blow(&runtime, number);
        let left = resident(&runtime);
        after.push(left);
        println!(
            "{} subscriptions: {} kB, {} kB when they were over",
            storm.subscriptions(),
            high >> 10,
            left >> 10
        );
    }
    let slack = (SLACK * storm.subscriptions()) as u64;
    assert!(
        after.windows(2).any(|storms| storms[1] <= storms[0] + slack),
        "each storm leaves more: {after:?}"
    );
    storm.yard.down(runtime);
}

/// Publishes numbers on a durable topic, so many at a time, until all are acknowledged.
const PUBLISHER: &str = r#"
import json, sys
count, ahead = 0, int(sys.argv[1])
sent, done, asked = 0, 0, None
def more():
    global sent
    while sent < count and sent - done < ahead:
        sys.stdout.write('{"type":"publish","id":"%d","topic":"log.storm","body":%d}\n' % (sent, sent))
        sent += 1
    sys.stdout.flush()
for line in sys.stdin:
    post = json.loads(line)
    if "ok" in post:
        if not post["ok"] or post["result"]["offset"] != int(post["id"]):
            sys.exit("publication %s came to %s" % (post["id"], line))
        done += 1
        if done == count:
            sys.stdout.write(json.dumps({"type": "done", "id": asked, "ok": True, "body": done}) + "\n")
        more()
    else:
        asked, count = post["id"], post["body"]
        more()
"#;

/// Reads the durable topic from its beginning, and looks whether each number is the next.
const READER: &str = r#"
import json, sys
next, wrong = 0, None
for line in sys.stdin:
    post = json.loads(line)
    if "ok" in post: continue
    if post["kind"] == "event":
        if post["body"]["body"] != next and wrong is None: wrong = "%r where %d is next" % (post["body"]["body"], next)
        next += 1
        sys.stdout.write('{"type":"done","id":%s,"ok":true}\n' % json.dumps(post["id"]))
    elif post["kind"] == "begin":
        sys.stdout.write('{"type":"subscribe","pattern":"log.storm","name":"storm","from":"first"}\n')
        sys.stdout.write(json.dumps({"type": "done", "id": post["id"], "ok": True}) + "\n")
    else:
        sys.stdout.write(json.dumps({"type": "done", "id": post["id"], "ok": True, "body": [next, wrong]}) + "\n")
    sys.stdout.flush()
"#;

/// How many came to the reader, and what was not the next.
fn seen(caller: &mut Caller) -> Value {
    let asked = json!({ "agent": "reader", "kind": "seen", "within": "60s" });
    caller.ask("agent.ask", &asked).unwrap()["result"].take()
}

/// Publishes so many, in portions.
fn publish(caller: &mut Caller, count: usize) {
    for most in (1..=PORTIONS).map(|portion| count * portion / PORTIONS) {
        let said = json!({ "agent": "publisher", "kind": "begin", "body": most, "within": "100s" });
        assert_eq!(caller.ask("agent.ask", &said).unwrap()["result"], most);
    }
}

/// Has the reader read until so many came, each in its turn, and until the runtime knows that all are read.
fn read(caller: &mut Caller, count: usize) {
    let begin = json!({ "agent": "reader", "kind": "begin", "within": "60s" });
    caller.ask("agent.ask", &begin).unwrap();
    let mut came = 0;
    while came < count as u64 {
        let before = came;
        until("more comes", || {
            let seen = seen(caller);
            assert_eq!(seen[1], Value::Null, "out of order");
            came = seen[0].as_u64().unwrap();
            came > before
        });
    }
    until("all are settled", || {
        let shown = caller.ask("bus.show", &json!({ "topic": "log.storm" })).unwrap();
        (&shown["cursors"][0]["floor"], &shown["cursors"][0]["lag"]) == (&json!(count), &json!(0))
    });
}

#[test]
fn of_a_storm_of_durable_publications_none_is_lost_and_all_come_again_in_order() {
    let yard = Yard::new();
    let count = rounds(MESSAGES.0, MESSAGES.1);
    let (publisher, reader) = (yard.script("publisher", PUBLISHER), yard.script("reader", READER));
    let mark = yard.mark();
    let path = yard.describe(
        &[
            python(&publisher, "publisher", &format!("\"{AHEAD}\", \"{mark}\""), ""),
            python(&reader, "reader", &format!("\"{mark}\""), ""),
        ]
        .concat(),
    );
    let text = fs::read_to_string(&path).unwrap();
    // The bound that is meant here is the number.
    let topics = "[[bus.durable]]\ntopics = \"log.**\"\nmessages = 2000000\nbytes = \"1GiB\"\n\n";
    yard.house.write("triarch.toml", &format!("{topics}{text}"));
    let runtime = yard.up();
    let mut caller = yard.caller();
    publish(&mut caller, count);
    read(&mut caller, count);
    // Nothing is left that could come twice.
    assert_eq!(seen(&mut caller), json!([count, null]), "each comes once");
    drop(caller);
    yard.down(runtime);
}
