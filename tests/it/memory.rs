//! The store through the binary: written, read and watched by people and programs, and kept whatever ends.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

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
    assert_eq!(wish(json!({ "op": "list", "prefix": "h" }))["result"][0]["key"], "hens");
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
    ] {
        let told = wish(wrong);
        assert!(told["error"].as_str().unwrap().contains(expected), "{told}");
    }
}

#[test]
fn programs_write_batches_bytes_and_notes_and_ask_whether_and_how_many() {
    let (house, _runtime) = crew();
    let wish = |wish: Value| house.wish("crew/one", &wish);
    let ops = json!([
        { "op": "put", "key": "a", "value": 1, "type": "note", "metadata": { "from": "field-7" } },
        { "op": "put", "key": "b", "base64": "AP8K" },
        { "op": "increment", "key": "n", "by": 4 },
        { "op": "put", "key": "gone", "value": 1 },
        { "op": "delete", "key": "gone" },
    ]);
    let done = wish(json!({ "op": "batch", "namespace": "plans", "ops": ops }));
    assert_eq!(
        (&done["result"][2]["number"], &done["result"][4]["is_deleted"]),
        (&json!(4), &json!(true)),
        "{done}"
    );
    let a = wish(json!({ "op": "get", "namespace": "plans", "key": "a" }));
    assert_eq!(
        (&a["result"]["type"], &a["result"]["metadata"]["from"]),
        (&json!("note"), &json!("field-7"))
    );
    assert_eq!(house.memory(&["get", "plans", "b"])["base64"], "AP8K");
    let is_there = |key: &str| wish(json!({ "op": "exists", "namespace": "plans", "key": key }))["result"].clone();
    assert_eq!(
        (is_there("a"), is_there("gone")),
        (json!({ "exists": true }), json!({ "exists": false }))
    );
    assert_eq!(
        wish(json!({ "op": "count", "namespace": "plans" }))["result"],
        json!({ "entries": 3 })
    );
    let half = json!([{ "op": "put", "key": "c", "value": 1 }, { "op": "cas", "key": "a", "version": 0, "value": 2 }]);
    assert_eq!(
        wish(json!({ "op": "batch", "namespace": "plans", "ops": half }))["ok"],
        false
    );
    assert_eq!(is_there("c"), json!({ "exists": false }), "all of it or nothing");
    for (wrong, expected) in [
        (json!({ "op": "batch" }), "`batch` needs `ops`"),
        (
            json!({ "op": "batch", "ops": [{ "op": "get", "key": "a" }] }),
            "`get` is nothing to do in a batch",
        ),
        (
            json!({ "op": "batch", "ops": [{ "op": "delete", "key": "a", "namespace": "plans" }] }),
            "has one namespace",
        ),
        (
            json!({ "op": "put", "key": "a", "value": 1, "base64": "AP8K" }),
            "both given",
        ),
        (json!({ "op": "put", "key": "a", "base64": "?" }), "`base64` is none"),
        (json!({ "op": "search", "colour": "red" }), "unknown field `colour`"),
    ] {
        let told = wish(wrong);
        assert!(told["error"].as_str().unwrap().contains(expected), "{told}");
    }
}

#[test]
fn what_is_sought_is_bounded_by_time_and_size_sorted_and_counted() {
    let (house, _runtime) = crew();
    for (key, value, kind) in [("a", "1", "note"), ("b", "[1,2,3,4,5]", "plan"), ("c", "[1,2]", "note")] {
        house.memory(&["put", "shared", key, value, "--type", kind]);
    }
    let found = |how: &[&str]| house.keys(&[&["search", "shared"], how].concat());
    assert_eq!(found(&["--sort", "size", "--descending"]), ["b", "c", "a"]);
    assert_eq!(found(&["--sort", "size", "--offset", "1", "--most", "1"]), ["c"]);
    assert_eq!(found(&["--min-size", "2B", "--max-size", "5B"]), ["c"]);
    assert_eq!(
        found(&["--updated-after", "1h", "--created-before", "2100-01-01T00:00:00Z"]),
        ["a", "b", "c"]
    );
    assert!(found(&["--updated-before", "1h"]).is_empty());
    assert!(found(&["--accessed-after", "2100-01-01T00:00:00Z"]).is_empty());
    let counted = house.memory(&["search", "shared", "--group", "type", "--most", "0"]);
    let names: Vec<_> = counted["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (&group["name"], &group["entries"]))
        .collect();
    assert_eq!(names, [(&json!("note"), &json!(2)), (&json!("plan"), &json!(1))]);
    let wish = json!({
        "op": "search", "namespace": "shared", "kind": "note", "sort": "size", "descending": true, "created_after": "1h",
        "min_size": "1B", "group": "kind",
    });
    let told = house.wish("crew/one", &wish)["result"].clone();
    assert_eq!(
        (&told["entries"][0]["key"], &told["groups"][0]["entries"]),
        (&json!("c"), &json!(2)),
        "{told}"
    );
    let (code, said) = house.in_vain(&["search", "--created-after", "soon"]);
    assert!(code == Some(2) && said.contains("1h for an hour ago"), "{said}");
}

#[test]
fn a_list_that_is_cut_says_so() {
    let (house, _runtime) = crew();
    for key in ["a", "b", "c"] {
        house.memory(&["put", "shared", key, "1"]);
    }
    let listed = |most: &str| house.run(&["memory", "list", "shared", "--most", most, "--json"]);
    let cut = listed("2");
    let said = text(&cut.stderr);
    assert!(
        said.contains("there are more than 2") && said.contains("--after b"),
        "{said}"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&cut.stdout)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(text(&listed("3").stderr), "");
}

#[test]
fn values_come_from_files_and_pipes_as_text_json_or_bytes_with_notes() {
    let (house, _runtime) = crew();
    house.write("long", &format!("\"{}\"", "x".repeat(300_000)));
    house.memory(&[
        "put",
        "shared",
        "long",
        "--file",
        "long",
        "--metadata",
        "from=a file",
        "--metadata",
        "n=1",
    ]);
    let long = house.memory(&["get", "shared", "long"]);
    assert_eq!(
        (long["value"].as_str().unwrap().len(), &long["metadata"]["from"]),
        (300_000, &json!("a file"))
    );
    assert!(
        long["accessed_ago_ms"].is_u64() && long["checksum"].as_str().unwrap().len() == 8,
        "{}",
        long["checksum"]
    );
    fs::write(house.path().join("raw"), [0, 255, 10]).unwrap();
    let put = |how: &[&str]| {
        let mut command = house.command(&[&["memory", "put", "shared", "raw", "-"], how].concat());
        command.stdin(Stdio::from(fs::File::open(house.path().join("raw")).unwrap()));
        command.output().unwrap()
    };
    let refused = put(&[]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("--bytes"));
    assert!(put(&["--bytes"]).status.success());
    assert_eq!(house.memory(&["get", "shared", "raw"])["base64"], "AP8K");
    house.write("huge", &"x".repeat(1_100_000));
    let (code, said) = house.in_vain(&["put", "shared", "huge", "--file", "huge"]);
    assert!(code == Some(2) && said.contains("import that"), "{said}");
    assert_eq!(house.in_vain(&["put", "shared", "a"]).0, Some(2));
}

#[test]
fn numbers_are_added_to_and_entries_counted() {
    let (house, _runtime) = crew();
    assert_eq!(house.memory(&["increment", "shared", "hens"])["number"], 1);
    assert_eq!(house.memory(&["increment", "shared", "hens", "-5"])["number"], -4);
    house.memory(&["put", "shared", "hens/red", "1"]);
    assert_eq!(house.memory(&["count", "shared"])["entries"], 2);
    assert_eq!(house.memory(&["count", "shared", "hens/"])["entries"], 1);
    assert_eq!(house.memory(&["exists", "shared", "hens"])["exists"], true);
    let there_is_none = house.run(&["memory", "exists", "shared", "cocks", "--json"]);
    assert_eq!(there_is_none.status.code(), Some(4));
    let told: Value = serde_json::from_slice(&there_is_none.stdout).unwrap();
    assert_eq!(told, json!({ "exists": false }));
}

#[test]
fn retention_is_tried_and_done_at_once_with_a_report() {
    let house = House::new();
    let described =
        "[memory]\nretain_every = \"1h\"\n[[memory.namespace]]\nname = \"notes\"\nretention = { max_entries = 2 }\n";
    house.write("triarch.toml", described);
    let _runtime = house.up(&[]);
    for key in ["a", "b", "c", "d"] {
        house.memory(&["put", "notes", key, "1"]);
    }
    let dry = house.memory(&["retain", "--dry-run"]);
    assert_eq!(
        (&dry["is_dry"], dry["namespaces"].as_object().unwrap().len()),
        (&json!(true), 1)
    );
    assert_eq!(
        (
            &dry["namespaces"]["notes"]["max_entries"],
            &dry["namespaces"]["notes"]["keys"]
        ),
        (&json!(2), &json!(["a", "b"]))
    );
    assert_eq!(house.keys(&["list", "notes"]).len(), 4);
    assert_eq!(house.memory(&["retain", "notes"])["namespaces"]["notes"]["entries"], 2);
    assert_eq!(house.keys(&["list", "notes"]), ["c", "d"]);
    assert_eq!(house.in_vain(&["retain", "nowhere"]).0, Some(4));
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
    runtime.signal("KILL");
    runtime.end(PATIENCE);
    let _next = house.up(&[]);
    assert_eq!(house.keys(&["list", "plans"]).len(), 20);
    assert_eq!(
        (house.value("plans", "k00"), house.value("plans", "k19")),
        (json!("again"), json!(19))
    );
    assert!(house.keys(&["list", "notes"]).is_empty());
}

#[test]
fn lines_that_are_exported_are_imported_elsewhere() {
    let (house, _runtime) = crew();
    for index in 0..700 {
        house.write(
            "line",
            &format!("{{\"namespace\":\"shared\",\"key\":\"k{index}\",\"json\":{index}}}\n"),
        );
        let all = fs::read_to_string(house.path().join("line")).unwrap();
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(house.path().join("many"))
            .unwrap();
        file.write_all(all.as_bytes()).unwrap();
    }
    let taken = house.memory(&["import", "many"]);
    assert_eq!(taken["namespaces"]["shared"], json!({ "written": 700 }));
    house.memory(&["put", "plans", "a", r#""ä""#, "--tag", "seen", "--ttl", "1h"]);
    let exported = house.run(&["memory", "export", "-", "plans"]);
    let line: Value = serde_json::from_slice(&exported.stdout).unwrap();
    assert_eq!(
        (&line["namespace"], &line["json"], &line["tags"]),
        (&json!("plans"), &json!("ä"), &json!(["seen"]))
    );
    assert!(house.run(&["memory", "export", "all"]).status.success());
    let lines = fs::read_to_string(house.path().join("all")).unwrap();
    assert_eq!(lines.lines().count(), 701);
    let (other, _runtime) = crew();
    fs::copy(house.path().join("all"), other.path().join("all")).unwrap();
    let mut command = other.command(&["memory", "import", "-", "--json"]);
    command.stdin(Stdio::from(fs::File::open(other.path().join("all")).unwrap()));
    let taken: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let written = json!({ "plans": { "written": 1 }, "shared": { "written": 700 } });
    assert_eq!(taken["namespaces"], written);
    assert_eq!(
        (other.value("shared", "k699"), other.value("plans", "a")),
        (json!(699), json!("ä"))
    );
    let again = other.memory(&["import", "all", "--conflicts", "skip", "--dry-run"]);
    assert_eq!(again["namespaces"]["shared"], json!({ "skipped": 700 }));
    other.write(
        "bad",
        "{\"namespace\":\"shared\",\"key\":\"a\",\"json\":1}\n\n{\"namespace\":\"shared\",\"kei\":\"b\"}\n",
    );
    let (code, said) = other.in_vain(&["import", "bad"]);
    assert!(code == Some(2) && said.contains("line 3 is no entry"), "{said}");
    for value in ["12345678901234567890123", r#"{"a":1,"a":2}"#] {
        other.write(
            "inexact",
            &format!("{{\"namespace\":\"shared\",\"key\":\"n\",\"json\":{value}}}\n"),
        );
        let (code, said) = other.in_vain(&["import", "inexact"]);
        assert!(
            code == Some(2) && (said.contains("would be kept") || said.contains("would not be kept")),
            "{said}"
        );
        assert_eq!(other.in_vain(&["get", "shared", "n"]).0, Some(4));
    }
}

#[test]
fn a_backup_is_restored_with_namespaces_that_are_not_described() {
    let (house, _runtime) = crew();
    house.memory(&["put", "plans", "a", "1"]);
    house.memory(&["put", "shared", "b", "2"]);
    let done = house.memory(&["backup", "kept"]);
    assert_eq!(done["entries"], 2);
    assert!(done["file"].as_str().unwrap().starts_with('/'), "{done}");
    assert_eq!(house.in_vain(&["backup", "kept"]).0, Some(5), "it is there already");
    let named = house.memory(&["backup", "."]);
    assert!(named["file"].as_str().unwrap().contains("/memory-20"), "{named}");
    let other = House::new();
    other.write("triarch.toml", "[runtime]\n");
    let _runtime = other.up(&[]);
    other.memory(&["put", "shared", "b", "3"]);
    fs::copy(house.path().join("kept"), other.path().join("kept")).unwrap();
    let dry = other.memory(&["restore", "kept", "--dry-run"]);
    assert_eq!(
        (&dry["is_dry"], &dry["defined"]),
        (&json!(true), &json!(["notes", "plans"]))
    );
    let restored = other.memory(&["restore", "kept"]);
    assert_eq!(
        restored["namespaces"]["shared"],
        json!({ "overwritten": 1 }),
        "{restored}"
    );
    assert_eq!(
        (other.value("plans", "a"), other.value("shared", "b")),
        (json!(1), json!(2))
    );
    assert_eq!(other.in_vain(&["restore", "triarch.toml"]).0, Some(1));
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
fn a_sealed_store_starts_with_its_key_alone() {
    let house = House::new();
    house.write("triarch.toml", "[memory]\nsealed_by = { file = \"key\" }\n");
    house.write("key", &"0123456789abcdef".repeat(4));
    let mut runtime = house.up(&[]);
    house.memory(&["put", "shared", "a", "\"a red fox\""]);
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    let lain = fs::read_dir(house.path().join("state/memory")).unwrap();
    let lain: Vec<_> = lain
        .map(|file| fs::read(file.unwrap().path()).unwrap_or_default())
        .collect();
    let has = |words: &[u8]| {
        lain.iter()
            .any(|bytes| bytes.windows(words.len()).any(|part| part == words))
    };
    assert!(!has(b"red fox"), "it lies there for all to read");
    house.write("key", &"f123456789abcdef".repeat(4));
    let refused = house.run(&["up", "--for", "10s"]);
    assert_ne!(refused.status.code(), Some(0));
    for line in text(&refused.stderr).lines() {
        assert!(line.matches("the key is not the one").count() <= 1, "{line}");
    }
    house.write("key", &"0123456789abcdef".repeat(4));
    let _runtime = house.up(&[]);
    assert_eq!(house.value("shared", "a"), "a red fox");
}

#[test]
fn a_key_that_is_not_there_is_a_fault_of_the_description_and_one_that_all_may_read_is_told() {
    let house = House::new();
    house.write("triarch.toml", "[memory]\nsealed_by = { file = \"key\" }\n");
    for verb in [&["config", "check"][..], &["up", "--for", "10s"]] {
        let refused = house.run(verb);
        let said = text(&refused.stderr);
        assert!(
            refused.status.code() == Some(2) && said.contains("the key from"),
            "{verb:?}: {said}"
        );
    }
    house.write("key", &"0123456789abcdef".repeat(4));
    let key = house.path().join("key");
    for (mode, is_told) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let found = text(&house.run(&["doctor"]).stdout);
        assert_eq!(found.contains("key of the store"), is_told, "{found}");
        let ran = house.run(&["up", "--for", "10ms"]);
        assert_eq!(
            text(&ran.stderr).contains("everybody may read"),
            is_told,
            "{}",
            text(&ran.stderr)
        );
    }
    house.write("triarch.toml", "[memory]\nsealed_by = { env = \"NO_SUCH_KEY\" }\n");
    let refused = house.run(&["up", "--for", "10s"]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("NO_SUCH_KEY"));
}

#[test]
fn whom_the_store_refuses_stands_in_the_log_and_in_its_figures_with_the_time() {
    let (house, mut runtime) = crew();
    let wish = json!({ "op": "get", "namespace": "plans", "key": "today" });
    for _ in 0..3 {
        assert_eq!(house.wish("guests/stranger", &wish)["ok"], false);
    }
    let line = runtime.line_with("guests/stranger may not read in plans", PATIENCE);
    assert!(line.contains("where that is team at 20"), "{line}");
    let stats = house.memory(&["stats"]);
    let last = &stats["refusals"][0];
    assert_eq!(
        (&stats["refused"], &last["who"], &last["verb"]),
        (&json!(3), &json!("guests/stranger"), &json!("read"))
    );
    assert!(
        last["at"].as_str().unwrap().starts_with("20") && last["ago_ms"].is_u64(),
        "{last}"
    );
}

#[test]
fn who_administers_a_namespace_is_described() {
    let house = House::new();
    let described = |level: &str| {
        format!("[[memory.namespace]]\nname = \"plans\"\nteam = \"crew\"\naccess = {{ administer = \"{level}\" }}\n")
    };
    house.write("triarch.toml", &described("private"));
    let refused = house.run(&["config", "check"]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("name its `owner`"));
    house.write("triarch.toml", &described("team"));
    let _runtime = house.up(&[]);
    let namespaces = house.memory(&["namespaces"]);
    assert_eq!(namespaces[0]["access"]["administer"], "team", "{namespaces}");
    assert_eq!(namespaces[1]["access"]["administer"], "system", "{namespaces}");
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

#[test]
fn a_file_that_lines_are_exported_to_stays_what_it_was_where_nothing_is_exported() {
    let (house, mut runtime) = crew();
    house.write("all", "before");
    let (code, said) = house.in_vain(&["export", "all", "nowhere"]);
    assert!(code == Some(4) && said.contains("nowhere"), "{said}");
    let read = || fs::read_to_string(house.path().join("all")).unwrap();
    assert_eq!(read(), "before");
    house.memory(&["put", "plans", "a", "1"]);
    assert!(house.run(&["memory", "export", "all", "plans"]).status.success());
    assert!(read().contains("\"key\":\"a\""), "{}", read());
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    let before = read();
    assert_eq!(house.in_vain(&["export", "all"]).0, Some(69));
    assert_eq!(read(), before);
}

#[test]
fn a_dry_run_comes_to_what_the_import_comes_to_and_both_say_what_is_taken_before_the_room_ends() {
    let (house, _runtime) = crew();
    let lines = |namespace: &str, count: usize| {
        let line = |index| format!("{{\"namespace\":\"{namespace}\",\"key\":\"k{index}\",\"json\":{index}}}\n");
        (0..count).map(line).collect::<String>()
    };
    house.write("some", &(lines("plans", 2) + &lines("notes", 3)));
    house.memory(&["import", "some"]);
    let again = |how: &[&str]| house.in_vain(&[&["import", "some", "--conflicts", "rename"], how].concat());
    let (code, said) = again(&["--dry-run"]);
    assert!(
        code == Some(5) && said.contains("2 renamed in plans would be, then: notes has no room"),
        "{said}"
    );
    assert_eq!(house.keys(&["list", "plans"]).len(), 2);
    let (code, said) = again(&[]);
    assert!(
        code == Some(5) && said.contains("2 renamed in plans were, then: notes has no room"),
        "{said}"
    );
    assert_eq!(house.keys(&["list", "plans"]).len(), 4);
    assert_eq!(house.keys(&["list", "notes"]).len(), 3);
    let fits = house.memory(&["import", "some", "--conflicts", "overwrite", "--dry-run"]);
    assert_eq!(fits["namespaces"]["notes"], json!({ "overwritten": 3 }));
    // What would have been taken up before counts too, however the lines of namespaces mingle.
    house.memory(&["delete", "notes", "k0"]);
    house.memory(&["delete", "notes", "k1"]);
    let mingled = "{\"namespace\":\"notes\",\"key\":\"a\"}\n{\"namespace\":\"plans\",\"key\":\"a\"}\n";
    house.write(
        "mingled",
        &[
            mingled,
            &mingled.replace("\"a\"", "\"b\""),
            &mingled.replace("\"a\"", "\"c\""),
        ]
        .concat(),
    );
    for how in [&["--dry-run"][..], &[]] {
        let (code, said) = house.in_vain(&[&["import", "mingled"], how].concat());
        assert!(
            code == Some(5) && said.contains("2 written in notes, 2 written in plans w"),
            "{said}"
        );
    }
}
