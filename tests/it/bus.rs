//! The bus through the binary: programs that publish and subscribe, durable topics, dead letters, and who may not.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::running::{House, Running, until};
use crate::text;

const FLEET: &str = r#"
[[bus.durable]]
topics = "log.**"

[[bus.access]]
topics = "pay.**"
teams = ["office"]

[[team]]
name = "crew"
backoff = { first = "10ms", max = "50ms" }

  [[team.agent]]
  name = "hears"
  kind = "program"
  command = ["python3", "-u", "agent.py", "heard"]
  mailbox = { capacity = 8 }
  sandbox = { kind = "none" }

  [[team.agent]]
  name = "says"
  kind = "program"
  command = ["python3", "-u", "agent.py", "said"]
  sandbox = { kind = "none" }
"#;

/// Says each line that it is told to, or subscribes to so many patterns, and writes down what it hears; what an event tells it to do it does,
/// and what it is asked it answers.
const AGENT: &str = r#"
import json, os, sys
heard = open(sys.argv[1], "a", buffering=1)
def say(**words): print(json.dumps(words))
for line in sys.stdin:
    post = json.loads(line)
    heard.write(line)
    if "ok" in post: continue
    body = post["body"]
    if post["kind"] == "say":
        for words in body: say(**words)
        say(type="done", id=post["id"], ok=True)
        continue
    if post["kind"] == "many":
        for number in range(body): say(type="subscribe", id=str(number), pattern="many.%d" % number)
        say(type="done", id=post["id"], ok=True)
        continue
    if post["kind"] != "event": continue
    if body["body"] == "once" and os.path.exists("dies-once"): os.remove("dies-once"); os._exit(3)
    elif os.path.exists("refuses"): say(type="done", id=post["id"], ok=False, error="no ink")
    elif body["body"] == "die": os._exit(3)
    elif body["body"] == "last":
        say(type="done", id=post["id"], ok=True)
        os._exit(3)
    elif "is_request" in body and body["body"] != "hang": say(type="reply", id=post["id"], body={"got": body["body"]})
    elif body["body"] != "hang" or sys.argv[1] == "said": say(type="done", id=post["id"], ok=True)
"#;

pub(crate) fn crew() -> (House, Running) {
    crew_with("")
}

/// The crew under these settings.
pub(crate) fn crew_with(settings: &str) -> (House, Running) {
    crew_as(&[settings, FLEET].concat())
}

fn crew_as(description: &str) -> (House, Running) {
    let house = House::new();
    house.write("triarch.toml", description);
    house.write("agent.py", AGENT);
    let runtime = house.up(&[]);
    (house, runtime)
}

impl House {
    /// Has a program of the crew say lines.
    pub(crate) fn has_say(&self, agent: &str, lines: &Value) {
        self.json(&["agent", "ask", agent, &lines.to_string(), "--kind", "say"]);
    }

    /// What the program that writes to `file` was told.
    pub(crate) fn told(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join(file)).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The answer to the line of that id.
    pub(crate) fn answer(&self, file: &str, id: &str) -> Value {
        let found = || {
            self.told(file)
                .into_iter()
                .find(|line| line["id"] == id && line.get("ok").is_some())
        };
        until("it is answered", || found().is_some());
        found().unwrap()
    }

    /// What the events were about that `hears` got.
    pub(crate) fn events(&self) -> Vec<Value> {
        let told = self.told("heard").into_iter();
        let events = told.filter(|line| line["kind"] == "event" && line.get("ok").is_none());
        events.map(|line| line["body"].clone()).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.events().iter().map(|event| event["body"].clone()).collect()
    }

    pub(crate) fn subscribes(&self, more: &Value) {
        self.has_subscribe("hears", "heard", more);
    }

    pub(crate) fn has_subscribe(&self, agent: &str, file: &str, more: &Value) {
        let mut line = json!({ "type": "subscribe", "id": "s" });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.has_say(agent, &json!([line]));
        assert_eq!(self.answer(file, "s")["ok"], true);
    }

    /// Everything that was published on durable topics and is kept.
    pub(crate) fn logged(&self, count: usize) -> Vec<Value> {
        let count = count.to_string();
        let asked = [
            "bus",
            "subscribe",
            "log.**",
            "--from",
            "first",
            "--count",
            &count,
            "--json",
        ];
        let told = self.run(&asked);
        let lines = text(&told.stdout);
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].clone())
            .collect()
    }

    /// The place that the next on a durable topic gets.
    pub(crate) fn next_offset(&self) -> u64 {
        self.json(&["bus", "show", "log.a"])["log"]["next"].as_u64().unwrap()
    }

    /// How many deliveries on the topic were acknowledged.
    pub(crate) fn delivered(&self, topic: &str) -> u64 {
        let shown = self.json(&["bus", "show", topic]);
        let all = shown["subscriptions"].as_array().unwrap().iter();
        all.filter_map(|one| one["delivered"].as_u64()).sum()
    }
}

#[test]
fn what_one_program_publishes_another_gets_and_acknowledges() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "news.*" }));
    let line = json!({ "type": "publish", "id": "p", "topic": "news.today", "body": { "a": 1 }, "key": "k" });
    house.has_say("says", &json!([line]));
    let answer = house.answer("said", "p");
    assert_eq!(
        (&answer["ok"], &answer["result"]["matched"]),
        (&json!(true), &json!(1)),
        "{answer}"
    );
    until("it was heard", || !house.events().is_empty());
    let event = &house.events()[0];
    assert_eq!(
        (&event["topic"], &event["from"]),
        (&json!("news.today"), &json!("crew/says"))
    );
    assert_eq!((&event["body"], &event["key"]), (&json!({ "a": 1 }), &json!("k")));
    until("it was acknowledged", || house.delivered("news.today") == 1);
    house.has_say(
        "hears",
        &json!([{ "type": "unsubscribe", "id": "u", "pattern": "news.*" }]),
    );
    assert_eq!(house.answer("heard", "u")["ok"], true);
    let published = house.json(&["bus", "publish", "news.today", "2"]);
    assert_eq!(published["matched"], 0);
}

#[test]
fn a_filter_lets_through_what_it_accepts() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "plant.*", "filter": "payload.celsius gt 30" }));
    for celsius in [21, 35, 22, 36] {
        house.json(&[
            "bus",
            "publish",
            "plant.pump",
            &json!({ "celsius": celsius }).to_string(),
        ]);
    }
    until("both were heard", || house.events().len() >= 2);
    assert_eq!(house.bodies(), [json!({ "celsius": 35 }), json!({ "celsius": 36 })]);
}

#[test]
fn what_fails_too_often_is_a_dead_letter_that_can_be_replayed() {
    let (house, _runtime) = crew();
    house.write("refuses", "");
    house.subscribes(&json!({ "pattern": "orders" }));
    house.json(&["bus", "publish", "orders", "7"]);
    let dead = || house.json(&["bus", "dead"]);
    until("it is dead", || dead()[0]["letter"].is_u64());
    let letter = dead()[0].clone();
    assert_eq!((&letter["cause"], &letter["why"]), (&json!("failed"), &json!("no ink")));
    assert_eq!(
        (&letter["subscriber"], &letter["body"]),
        (&json!("crew/hears"), &json!(7))
    );
    let tries = house.events().len();
    fs::remove_file(house.path().join("refuses")).unwrap();
    let number = letter["letter"].to_string();
    assert_eq!(house.json(&["bus", "replay", &number]), json!({ "sent": 1, "kept": 0 }));
    until("it was heard again", || house.events().len() == tries + 1);
    until("it was acknowledged", || house.delivered("orders") == 1);
    assert_eq!(dead(), json!([]));
    assert_eq!(house.run(&["bus", "replay", &number]).status.code(), Some(4));
    assert_eq!(house.json(&["bus", "replay", "--all"]), json!({ "sent": 0, "kept": 0 }));
}

#[test]
fn a_program_that_never_answers_holds_what_it_may_and_nothing_of_others() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "many" }));
    house.has_subscribe("says", "said", &json!({ "pattern": "many" }));
    for _ in 0..100 {
        house.json(&["bus", "publish", "many", "hang"]);
    }
    until("the other has done all", || house.delivered("many") == 100);
    until("it holds what it may", || house.events().len() == 64);
    let shown = house.json(&["bus", "show", "many"]);
    let of = |who: &str| {
        let all = shown["subscriptions"].as_array().unwrap();
        let one = all.iter().find(|one| one["subscriber"] == who).unwrap();
        (one["delivered"].clone(), one["waiting"].clone())
    };
    assert_eq!(of("crew/hears"), (json!(0), json!(100)));
    assert_eq!(of("crew/says"), (json!(100), json!(0)));
    assert_eq!(house.events().len(), 64);
}

#[test]
fn the_courier_is_restarted_and_nothing_that_waits_is_missed() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "news.*" }));
    house.json(&["agent", "pause", "crew/hears"]);
    let publish = |number: u64| {
        let published = house.json(&["bus", "publish", "news.a", &number.to_string()]);
        assert_eq!(published["matched"], 1);
    };
    // More than a breaker bears, and all that the mailbox takes: the program has failed at none of it.
    (0..9).for_each(publish);
    let mailbox = || house.json(&["agent", "show", "crew/hears"])["mailbox"]["depth"].clone();
    until("they are in its mailbox", || mailbox() == 8);
    house.json(&["agent", "restart", "bus/courier"]);
    (9..14).for_each(publish);
    let shown = house.json(&["bus", "show", "news.a"]);
    assert_eq!(shown["subscriptions"][0]["breaker"], "closed", "{shown}");
    house.json(&["agent", "resume", "crew/hears"]);
    until("all were done", || house.delivered("news.a") == 14);
    let heard: BTreeSet<_> = house.bodies().iter().filter_map(Value::as_u64).collect();
    assert_eq!(heard, (0..14).collect());
    assert_eq!(house.json(&["bus", "dead"]), json!([]));
    // Another wish takes the place of the first, and one that cannot be fulfilled does not.
    let wishes = json!([
        { "type": "subscribe", "id": "t", "pattern": "news.*", "filter": "payload gt 99" },
        { "type": "subscribe", "id": "v", "pattern": "news.*", "name": "mine" },
    ]);
    house.has_say("hears", &wishes);
    assert_eq!(house.answer("heard", "t")["ok"], true);
    assert_eq!(house.answer("heard", "v")["ok"], false);
    publish(100);
    until("it was heard", || house.bodies().contains(&json!(100)));
}

#[test]
fn a_program_that_subscribes_to_too_much_is_told_of_the_bound_and_keeps_what_it_has() {
    let (house, _runtime) = crew();
    house.json(&["agent", "ask", "hears", "10001", "--kind", "many"]);
    let refused = house.answer("heard", "10000");
    let error = refused["error"].as_str().unwrap_or_default();
    assert!(
        refused["ok"] == false
            && error.contains("it has 10000 subscriptions")
            && error.contains("; subscribe to a broader pattern"),
        "{refused}"
    );
    assert_eq!(house.answer("heard", "9999")["ok"], true);
    assert_eq!(house.json(&["bus", "publish", "many.10000", "1"])["matched"], 0);
    assert_eq!(house.json(&["bus", "publish", "many.9999", "2"])["matched"], 1);
    until("it was heard", || house.bodies() == [2]);
}

#[test]
fn the_next_life_of_a_program_hears_what_it_asks_for_and_no_more() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "news.*" }));
    house.json(&["bus", "publish", "news.a", "die"]);
    until("it has ended", || {
        house.json(&["agent", "show", "crew/hears"])["incarnation"] == 2
    });
    until("nobody hears it", || {
        house.json(&["bus", "publish", "news.a", "1"])["matched"] == 0
    });
    fs::remove_file(house.path().join("heard")).unwrap();
    house.json(&["agent", "restart", "hears"]);
    house.subscribes(&json!({ "pattern": "news.*" }));
    house.json(&["bus", "publish", "news.a", "2"]);
    until("it was heard", || !house.events().is_empty());
    assert_eq!(house.bodies(), [2]);
}

#[test]
fn a_full_mailbox_leaves_the_rest_with_the_bus() {
    let (house, _runtime) = crew();
    house.subscribes(&json!({ "pattern": "many" }));
    house.json(&["agent", "pause", "crew/hears"]);
    for number in 0..200 {
        let published = house.json(&["bus", "publish", "many", &number.to_string()]);
        assert_eq!(published["matched"], 1);
    }
    let waiting = || house.json(&["bus", "show", "many"])["subscriptions"][0]["waiting"].clone();
    assert_eq!(waiting(), 200);
    house.json(&["agent", "resume", "crew/hears"]);
    until("all were heard", || waiting() == 0);
    assert_eq!(house.bodies(), (0..200).map(Value::from).collect::<Vec<_>>());
}

/// The crew, where the mailbox of one does that with what it has no room for.
fn crew_whose_mailbox(overflow: &str) -> (House, Running) {
    let mailbox = format!(r#"{{ capacity = 8, overflow = "{overflow}" }}"#);
    crew_as(&FLEET.replace("{ capacity = 8 }", &mailbox))
}

#[test]
fn a_full_mailbox_leaves_the_rest_with_the_bus_whatever_it_does_with_posts() {
    for overflow in ["reject", "drop_newest", "drop_oldest"] {
        let (house, _runtime) = crew_whose_mailbox(overflow);
        let once_more = json!({ "retry": { "first": "1ms", "most": "1ms", "tries": 2 } });
        house.subscribes(&json!({ "pattern": "many", "terms": once_more }));
        house.json(&["agent", "pause", "crew/hears"]);
        for number in 0..30 {
            house.json(&["bus", "publish", "many", &number.to_string()]);
        }
        // Posts of others take room from events where the oldest make it.
        for number in 0..4 {
            house.run(&["agent", "send", "hears", &number.to_string(), "--kind", "note"]);
        }
        let shown = || house.json(&["bus", "show", "many"])["subscriptions"][0].clone();
        assert_eq!(
            (&shown()["waiting"], &shown()["breaker"]),
            (&json!(30), &json!("closed")),
            "{overflow}"
        );
        house.json(&["agent", "resume", "crew/hears"]);
        until("all were heard", || shown()["waiting"] == 0);
        assert_eq!(house.letters(&[]), Vec::<Value>::new(), "{overflow}");
        let mut heard: Vec<_> = house.bodies().iter().filter_map(Value::as_u64).collect();
        heard.sort_unstable();
        assert_eq!(heard, (0..30).collect::<Vec<_>>(), "{overflow}");
    }
}

#[test]
fn what_a_program_has_done_before_it_ended_is_done() {
    let (house, _runtime) = crew_as(&FLEET.replace(
        "backoff =",
        "intensity = { restarts = 100, within = \"1m\" }\nbackoff =",
    ));
    for life in 1..=10 {
        let id = format!("life {life}");
        house.has_say(
            "hears",
            &json!([{ "type": "subscribe", "id": id, "pattern": "news.*" }]),
        );
        assert_eq!(house.answer("heard", &id)["ok"], true);
        assert_eq!(house.json(&["bus", "publish", "news.a", "last"])["matched"], 1);
        until("it has ended", || {
            house.json(&["agent", "show", "crew/hears"])["incarnation"] == life + 1
        });
    }
    assert_eq!(house.letters(&[]), Vec::<Value>::new());
}

#[test]
fn a_subscription_of_the_command_line_prints_lines_as_they_come() {
    let (house, _runtime) = crew();
    let mut heard = house.begin(&["bus", "subscribe", "news.**", "--json"]);
    let mut tap = house.begin(&["bus", "tap"]);
    until("both listen", || {
        house.json(&["bus", "publish", "news.x", "0"])["matched"] == 2
    });
    house.json(&["bus", "publish", "news.a.b", r#"{"a":1}"#, "--key", "k"]);
    let line: Value = serde_json::from_str(&heard.said_with("news.a.b", PATIENCE)).unwrap();
    assert_eq!((&line["from"], &line["body"]), (&json!("operator"), &json!({ "a": 1 })));
    assert!(tap.said_with("news.a.b", PATIENCE).contains(r#"operator {"a":1}"#));
    house.json(&["bus", "publish", "other", "words", "--after", "10ms"]);
    assert!(tap.said_with("other", PATIENCE).contains("words"));
    let schedule = house.json(&["bus", "publish", "beat", "--every", "20ms"])["schedule"].to_string();
    tap.said_with("beat", PATIENCE);
    tap.said_with("beat", PATIENCE);
    house.json(&["bus", "cancel", &schedule]);
    assert_eq!(house.run(&["bus", "cancel", &schedule]).status.code(), Some(4));
    let topics = house.json(&["bus", "topics"]);
    assert!(
        topics
            .as_array()
            .unwrap()
            .iter()
            .any(|topic| topic["topic"] == "news.a.b")
    );
    drop(heard);
    until("it hears no more", || {
        house.json(&["bus", "publish", "news.x", "0"])["matched"] == 1
    });
}

#[test]
fn topics_of_other_teams_are_refused_and_so_is_what_is_no_pattern() {
    let (house, _runtime) = crew();
    let refused = house.run(&["bus", "publish", "pay.slips", "1"]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("pay.** is for office alone; ask through one of these"));
    assert_eq!(house.run(&["bus", "subscribe", "pay.slips"]).status.code(), Some(5));
    let unknown = house.run(&["bus", "subscribe", "news..today"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown.stderr));
    assert!(text(&unknown.stderr).contains("; "), "{}", text(&unknown.stderr));
    house.has_say(
        "says",
        &json!([
            { "type": "publish", "id": "p", "topic": "pay.slips", "body": 1 },
            { "type": "subscribe", "id": "s", "pattern": "**.a" },
            { "type": "subscribe", "id": "t", "patern": "a" },
            { "type": "unsubscribe", "id": "u", "pattern": "a" },
        ]),
    );
    for (id, words) in [
        ("p", "crew/says may not publish on pay.slips"),
        ("s", "\"**.a\" is no pattern"),
        ("t", "write it as in {\"type\":\"subscribe\""),
        ("u", "it does not subscribe to \"a\"; "),
    ] {
        let answer = house.answer("said", id);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(answer["ok"] == false && error.contains(words), "{answer}");
    }
    let config = FLEET.replace("log.**", "log.**.a");
    house.write("triarch.toml", &config);
    let faulty = house.run(&["config", "check"]);
    assert_eq!(faulty.status.code(), Some(2), "{}", text(&faulty.stdout));
}
