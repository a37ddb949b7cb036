//! What the doors of the store offer beside its entries one by one.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{AGENT, FLEET, crew};
use crate::PATIENCE;
use crate::running::House;
use crate::text;

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
            json!({ "op": "batch", "ops": [{ "op": "search", "text": "fox" }] }),
            "`search` is nothing to do in a batch",
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
fn an_answer_has_as_many_entries_as_fit_and_says_where_to_go_on() {
    let (house, _runtime) = crew();
    house.write("long", &format!("\"{}\"", "x".repeat(300_000)));
    let names = ["a", "b", "c", "d", "e"];
    for key in names {
        house.memory(&["put", "shared", key, "--file", "long"]);
    }
    let mut wish = json!({ "op": "list", "namespace": "shared" });
    let mut pages = Vec::new();
    let is_over = |pages: &[Vec<String>]| pages.len() > names.len();
    loop {
        let listed = house.wish("crew/one", &wish)["result"].clone();
        let entries = listed["entries"].as_array().unwrap();
        let keys: Vec<_> = entries
            .iter()
            .map(|entry| entry["key"].as_str().unwrap().to_owned())
            .collect();
        wish["after"] = json!(keys.last());
        pages.push(keys);
        if listed["more"] == false || is_over(&pages) {
            break;
        }
    }
    assert_eq!(pages, [&["a", "b", "c"][..], &["d", "e"]]);
    let search = |offset: u64| {
        let wish = json!({ "op": "search", "namespace": "shared", "offset": offset });
        let found = house.wish("crew/one", &wish)["result"].clone();
        let count = found["entries"].as_array().unwrap().len();
        (count, found["matched"].clone(), found["cuts"].clone())
    };
    let cut = json!(["no more fit into an answer; the next is at offset 3"]);
    assert_eq!(search(0), (3, json!(5), cut));
    assert_eq!(search(3), (2, json!(5), json!([])));
    // The command line is told in parts.
    assert_eq!(house.keys(&["list", "shared"]), names);
    assert_eq!(house.keys(&["list", "shared", "--most", "4"]), names[..4]);
    let found = house.memory(&["search", "shared"]);
    assert_eq!((&found["matched"], &found["cuts"]), (&json!(5), &json!([])));
    assert_eq!(house.keys(&["search", "shared"]), names);
    assert_eq!(found["entries"][4]["value"].as_str().unwrap().len(), 300_000);
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
fn a_namespace_of_a_project_is_open_to_the_agents_of_its_teams_and_no_others() {
    let house = House::new();
    let described = |teams: &str| {
        let namespace = "[[memory.namespace]]\nname = \"landing\"\nproject = \"moon\"\n";
        let project = format!("[[memory.project]]\nname = \"moon\"\nteams = [{teams}]\n");
        house.write("triarch.toml", &format!("{FLEET}{namespace}{project}"));
    };
    house.write("agent.py", AGENT);
    described("");
    let refused = house.run(&["config", "check"]);
    let said = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(2) && said.contains("no team is of the project \"moon\""),
        "{said}"
    );
    described("\"crew\"");
    let mut runtime = house.up(&[]);
    let namespaces = house.memory(&["namespaces"]);
    assert_eq!(
        (&namespaces[0]["project"], &namespaces[0]["access"]["read"]),
        (&json!("moon"), &json!("project"))
    );
    let put = json!({ "op": "put", "namespace": "landing", "key": "a", "value": 1 });
    assert_eq!(house.wish("crew/one", &put)["ok"], true);
    let get = json!({ "op": "get", "namespace": "landing", "key": "a" });
    assert_eq!(house.wish("crew/two", &get)["result"]["value"], 1);
    for wish in [&put, &get] {
        let refused = house.wish("guests/stranger", wish).to_string();
        assert!(refused.contains("where that is project"), "{refused}");
    }
    described("\"crew\", \"guests\"");
    assert_eq!(house.json(&["reload"])["needs_restart"], json!(["memory.project"]));
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    let _runtime = house.up(&[]);
    assert_eq!(house.wish("guests/stranger", &get)["result"]["value"], 1);
    assert_eq!(house.wish("guests/stranger", &put)["ok"], true);
}
