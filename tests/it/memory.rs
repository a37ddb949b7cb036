//! The store through the binary: written, read and watched by people and programs, and kept whatever ends.

mod doors;
mod whole;

use std::fs;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::running::{House, Running, until};
use crate::text;

pub(crate) const FLEET: &str = r#"
[memory]
flush_every = "50ms"

[[memory.namespace]]
name = "plans"
team = "crew"

[[memory.namespace]]
name = "notes"
durability = "memory"
quota = { entries = 3 }

[[team]]
name = "crew"

  [[team.agent]]
  name = "one"
  kind = "program"
  command = ["python3", "-u", "agent.py"]
  sandbox = { kind = "none" }

  [[team.agent]]
  name = "two"
  kind = "program"
  command = ["python3", "-u", "agent.py"]
  sandbox = { kind = "none" }

[[team]]
name = "guests"

  [[team.agent]]
  name = "stranger"
  kind = "program"
  command = ["python3", "-u", "agent.py"]
  sandbox = { kind = "none" }
"#;

/// Asks the store for what each post says, and answers with what it heard; keeps what changed, and tells it when asked.
const AGENT: &str = r#"
import json, sys

def say(**words):
    print(json.dumps(words))

posts, seen = {}, []
for line in sys.stdin:
    heard = json.loads(line)
    if heard.get("type") == "memory":
        say(type="done", id=posts.pop(heard["id"]), body=heard)
    elif heard["kind"] == "memory":
        seen.append(heard["body"])
        say(type="done", id=heard["id"])
    elif heard["body"] == "seen":
        say(type="done", id=heard["id"], body=seen)
    elif heard["body"] == "versions":
        say(type="done", id=heard["id"], body=[change.get("version") for change in seen])
    else:
        posts["m" + heard["id"]] = heard["id"]
        say(**{**heard["body"], "type": "memory", "id": "m" + heard["id"]})
"#;

pub(crate) fn crew() -> (House, Running) {
    let house = House::new();
    house.write("triarch.toml", FLEET);
    house.write("agent.py", AGENT);
    let runtime = house.up(&[]);
    (house, runtime)
}

impl House {
    fn memory(&self, arguments: &[&str]) -> Value {
        self.json(&[&["memory"], arguments].concat())
    }

    /// The exit code of a verb that is refused, and what it says.
    fn in_vain(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(&[&["memory"], arguments].concat());
        (output.status.code(), text(&output.stderr))
    }

    /// What the store answers to a program.
    pub(crate) fn wish(&self, agent: &str, wish: &Value) -> Value {
        let sent = self.json(&["agent", "ask", agent, &wish.to_string()]);
        sent["result"].clone()
    }

    fn value(&self, namespace: &str, key: &str) -> Value {
        self.memory(&["get", namespace, key])["value"].clone()
    }

    fn keys(&self, arguments: &[&str]) -> Vec<String> {
        let listed = self.memory(arguments);
        let entries = listed.get("entries").unwrap_or(&listed).as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["key"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn a_value_is_printed_alone_as_it_was_put_where_that_is_asked_for() {
    let (house, _runtime) = crew();
    let bytes = house.path().join("bytes");
    fs::write(&bytes, [0, 255, b'a', b'\n']).unwrap();
    house.memory(&["put", "shared", "bytes", "--bytes", "--file", bytes.to_str().unwrap()]);
    for (key, value, raw) in [
        ("text", "\"one\\ntwo\"", "one\ntwo"),
        ("number", "7", "7"),
        ("tree", r#"{ "a": ["b"] }"#, r#"{"a":["b"]}"#),
    ] {
        house.memory(&["put", "shared", key, value]);
        let printed = house.run(&["memory", "get", "shared", key, "--raw"]);
        assert_eq!(text(&printed.stdout), raw);
    }
    let printed = house.run(&["memory", "get", "shared", "bytes", "--raw"]);
    assert_eq!(printed.stdout, [0, 255, b'a', b'\n']);
    let (code, said) = house.in_vain(&["get", "shared", "text", "--raw", "--json"]);
    assert!(code == Some(2) && said.contains("--raw and --json"), "{said}");
}

#[test]
fn what_is_put_is_got_listed_found_and_deleted() {
    let (house, _runtime) = crew();
    let put = house.memory(&["put", "shared", "animals/1", r#"{"text":"a red fox"}"#, "--tag", "seen"]);
    assert_eq!((&put["existed"], &put["key"]), (&json!(false), &json!("animals/1")));
    house.memory(&["put", "shared", "animals/2", "a hen"]);
    house.memory(&["put", "shared", "other", "7"]);
    let got = house.memory(&["get", "shared", "animals/1"]);
    assert_eq!(
        (&got["value"], &got["owner"]),
        (&json!({ "text": "a red fox" }), &json!("system"))
    );
    assert_eq!((&got["version"], &got["tags"]), (&put["version"], &json!(["seen"])));
    assert_eq!(house.keys(&["list", "shared", "animals/"]), ["animals/1", "animals/2"]);
    assert_eq!(
        house.keys(&["list", "shared", "--most", "1", "--after", "animals/1"]),
        ["animals/2"]
    );
    assert_eq!(house.keys(&["search", "--text", "Fox"]), ["animals/1"]);
    assert_eq!(
        house.keys(&["search", "shared", "plans", "--tag", "seen"]),
        ["animals/1"]
    );
    assert_eq!(house.keys(&["search", "--prefix", "o"]), ["other"]);
    house.memory(&["delete", "shared", "animals/1"]);
    assert_eq!(house.in_vain(&["get", "shared", "animals/1"]).0, Some(4));
    assert_eq!(house.in_vain(&["delete", "shared", "animals/1"]).0, Some(4));
    assert_eq!(house.memory(&["stats"])["entries"], 2);
}

#[test]
fn a_write_that_expects_another_version_is_refused() {
    let (house, _runtime) = crew();
    house.memory(&["put", "plans", "a", "1", "--if-version", "0"]);
    let (code, said) = house.in_vain(&["put", "plans", "a", "2", "--if-version", "0"]);
    assert!(code == Some(5) && said.contains("plans/a is at version"), "{said}");
    let version = house.memory(&["get", "plans", "a"])["version"].to_string();
    house.memory(&["put", "plans", "a", "2", "--if-version", &version]);
    assert_eq!(
        house.in_vain(&["delete", "plans", "a", "--if-version", &version]).0,
        Some(5)
    );
    assert_eq!(house.value("plans", "a"), 2);
}

#[test]
fn a_namespace_that_is_not_there_or_full_is_told_with_what_to_do() {
    let (house, _runtime) = crew();
    let (code, said) = house.in_vain(&["get", "shard", "a"]);
    assert!(
        code == Some(4) && said.contains("there is no namespace \"shard\"; write shared"),
        "{said}"
    );
    for key in ["a", "b", "c"] {
        house.memory(&["put", "notes", key, "1"]);
    }
    let (code, said) = house.in_vain(&["put", "notes", "d", "1"]);
    assert!(code == Some(5) && said.contains("notes has no room for d"), "{said}");
    let names = house.memory(&["namespaces"]);
    let names: Vec<_> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|seen| &seen["namespace"])
        .collect();
    assert_eq!(names, ["notes", "plans", "shared"]);
}

#[test]
fn programs_share_it_each_in_its_own_name() {
    let (house, _runtime) = crew();
    let put = house.wish(
        "crew/one",
        &json!({ "op": "put", "namespace": "plans", "key": "today", "value": { "do": "count hens" }, "tags": ["hot"] }),
    );
    assert_eq!((&put["type"], &put["ok"]), (&json!("memory"), &json!(true)), "{put}");
    let got = house.wish(
        "crew/two",
        &json!({ "op": "get", "namespace": "plans", "key": "today" }),
    );
    let seen = &got["result"];
    assert_eq!(
        (&seen["value"]["do"], &seen["owner"]),
        (&json!("count hens"), &json!("crew/one"))
    );
    let version = seen["version"].as_u64().unwrap();
    let cas =
        |version: u64| json!({ "op": "cas", "namespace": "plans", "key": "today", "version": version, "value": 1 });
    assert_eq!(house.wish("crew/two", &cas(version))["ok"], true);
    let late = house.wish("crew/one", &cas(version));
    assert_eq!(late["ok"], false);
    assert!(late["error"].as_str().unwrap().contains("is at version"), "{late}");
    let stranger = house.wish(
        "guests/stranger",
        &json!({ "op": "get", "namespace": "plans", "key": "today" }),
    );
    let why = stranger["error"].as_str().unwrap();
    assert!(
        why.contains("guests/stranger may not read in plans, where that is team"),
        "{stranger}"
    );
    let found = house.wish("guests/stranger", &json!({ "op": "search" }));
    assert_eq!(found["result"]["matched"], 0, "{found}");
    assert_eq!(house.memory(&["stats"])["refused"], 1);
}

#[test]
fn programs_count_list_and_delete_and_are_told_what_they_wrote_wrong() {
    let (house, _runtime) = crew();
    let wish = |wish: Value| house.wish("crew/one", &wish);
    assert_eq!(
        wish(json!({ "op": "increment", "key": "hens" }))["result"],
        json!({ "number": 1 })
    );
    assert_eq!(
        wish(json!({ "op": "increment", "key": "hens", "by": 4 }))["result"],
        json!({ "number": 5 })
    );
    assert_eq!(
        house.value("shared", "hens"),
        5,
        "where none is named it is the one that all share"
    );
    let listed = wish(json!({ "op": "list", "prefix": "h" }));
    assert_eq!(
        (&listed["result"]["entries"][0]["key"], &listed["result"]["more"]),
        (&json!("hens"), &json!(false))
    );
    assert_eq!(
        wish(json!({ "op": "delete", "key": "hens" }))["result"]["existed"],
        true
    );
    assert_eq!(wish(json!({ "op": "get", "key": "hens" }))["result"], Value::Null);
    for (wrong, expected) in [
        (json!({ "op": "steal" }), "unknown variant `steal`"),
        (json!({ "op": "get" }), "`get` needs `key`"),
        (json!({ "op": "cas", "key": "a", "value": 1 }), "`cas` needs `version`"),
        (json!({ "op": "get", "key": "a", "namespace": "plan" }), "write plans"),
        (json!({ "op": "put", "key": "a", "ttl": "1h" }), "`put` needs `value`"),
        (
            json!({ "op": "increment", "key": "a", "version": 7 }),
            "`increment` takes no `version`; it takes namespace, key, by",
        ),
        (
            json!({ "op": "batch", "version": 7, "ops": [{ "op": "delete", "key": "a" }] }),
            "`batch` takes no `version`",
        ),
        (
            json!({ "op": "batch", "ops": [{ "op": "increment", "key": "a", "ttl": "1h" }] }),
            "`increment` takes no `ttl`",
        ),
    ] {
        let told = wish(wrong);
        assert!(told["error"].as_str().unwrap().contains(expected), "{told}");
    }
    assert_eq!(wish(json!({ "op": "exists", "key": "a" }))["result"]["exists"], false);
    assert_eq!(wish(json!({ "op": "put", "key": "a", "value": null }))["ok"], true);
    assert_eq!(
        wish(json!({ "op": "get", "key": "a" }))["result"]["value"],
        Value::Null,
        "which is a value too"
    );
}

#[test]
fn an_entry_goes_when_its_time_is_over() {
    let (house, _runtime) = crew();
    house.memory(&["put", "shared", "soon", "1", "--ttl", "200ms"]);
    house.memory(&["put", "shared", "later", "1", "--ttl", "1h"]);
    assert!(
        house.memory(&["get", "shared", "later"])["expires_in_ms"]
            .as_u64()
            .unwrap()
            > 3_000_000
    );
    until("it is gone", || house.in_vain(&["get", "shared", "soon"]).0 == Some(4));
    assert_eq!(house.keys(&["list", "shared"]), ["later"]);
}

#[test]
fn what_was_acknowledged_outlives_a_kill_and_what_is_in_memory_does_not() {
    let (house, mut runtime) = crew();
    for index in 0..20 {
        house.memory(&["put", "plans", &format!("k{index:02}"), &index.to_string()]);
    }
    house.memory(&["compact"]);
    house.memory(&["put", "plans", "k00", "again"]);
    house.memory(&["put", "notes", "a", "1"]);
    runtime.kill();
    let _next = house.up(&[]);
    assert_eq!(house.keys(&["list", "plans"]).len(), 20);
    assert_eq!(
        (house.value("plans", "k00"), house.value("plans", "k19")),
        (json!("again"), json!(19))
    );
    assert!(house.keys(&["list", "notes"]).is_empty());
}

#[test]
fn who_watches_is_shown_each_change() {
    let (house, _runtime) = crew();
    let mut watching = house.begin(&["memory", "watch", "shared", "animals/", "--json"]);
    let (mut count, mut first) = (0, None);
    until("it watches", || {
        count += 1;
        house.memory(&["put", "shared", "animals/1", &count.to_string()]);
        house.memory(&["put", "shared", "other", "1"]);
        first = watching.said_already();
        first.is_some()
    });
    let first = first.unwrap();
    let change: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(
        (&change["change"], &change["key"]),
        (&json!("put"), &json!("animals/1"))
    );
    house.memory(&["delete", "shared", "animals/1"]);
    watching.said_with("\"change\":\"deleted\"", PATIENCE);
}

#[test]
fn what_json_would_not_keep_is_refused_and_all_else_kept() {
    let (house, _runtime) = crew();
    for value in ["12345678901234567890123", "1e400", r#"{"a":1,"a":2}"#] {
        let (code, said) = house.in_vain(&["put", "plans", "n", value]);
        assert!(code == Some(2) && said.contains("cannot be kept as JSON"), "{said}");
    }
    house.memory(&["put", "plans", "n", "1.5e3"]);
    assert_eq!(house.value("plans", "n"), 1500.0);
}

#[test]
fn a_namespace_whose_durability_was_described_anew_holds_up_no_other() {
    let (house, mut runtime) = crew();
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    let held = format!("{FLEET}\n[[memory.namespace]]\nname = \"held\"\ndurability = \"relaxed\"\n");
    house.write("triarch.toml", &held);
    let mut runtime = house.up(&[]);
    house.memory(&["put", "held", "a", "1"]);
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    house.write("triarch.toml", &held.replace("relaxed", "journal"));
    let _runtime = house.up(&[]);
    assert_eq!(house.value("held", "a"), 1);
    let troubles = house.json(&["status"])["troubles"].to_string();
    assert!(troubles.contains("held") && troubles.contains("relaxed"), "{troubles}");
    let (_, said) = house.in_vain(&["put", "held", "a", "2"]);
    assert!(said.contains("describe it as relaxed again"), "{said}");
    house.memory(&["put", "plans", "a", "1"]);
}
