//! The store as a whole: what goes in and out of it, and what it is sealed with.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::crew;
use crate::PATIENCE;
use crate::running::House;
use crate::text;

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
fn a_namespace_that_the_description_names_no_more_is_told_at_the_start_and_can_be_forgotten() {
    let house = House::new();
    let described = |name: &str| house.write("triarch.toml", &format!("[[memory.namespace]]\nname = \"{name}\"\n"));
    described("notes");
    let mut runtime = house.up(&[]);
    house.memory(&["put", "notes", "a", "1"]);
    let (code, said) = house.in_vain(&["forget", "notes"]);
    assert!(code == Some(5) && said.contains("the description has"), "{said}");
    let (code, said) = house.in_vain(&["forget", "shared"]);
    assert!(code == Some(5) && said.contains("each runtime has"), "{said}");
    house.json(&["down"]);
    runtime.end(PATIENCE);
    described("plans");
    let mut runtime = house.up(&[]);
    runtime.line_with(
        "the namespace notes is in no `memory.namespace`, and what it has, 1 in ",
        PATIENCE,
    );
    assert_eq!(house.value("notes", "a"), json!(1));
    let forgotten = house.memory(&["forget", "notes"]);
    assert_eq!(
        (&forgotten["namespace"], &forgotten["entries"]),
        (&json!("notes"), &json!(1))
    );
    assert_eq!(house.in_vain(&["forget", "notes"]).0, Some(4));
    house.json(&["down"]);
    runtime.end(PATIENCE);
    let _next = house.up(&[]);
    assert_eq!(house.in_vain(&["list", "notes"]).0, Some(4));
}

#[test]
fn a_retention_that_is_refused_in_one_namespace_takes_of_all_others_and_says_so() {
    let house = House::new();
    let described = |durability: &str| {
        let namespace = |name: &str, durability: &str| {
            format!(
                "[[memory.namespace]]\nname = \"{name}\"\ndurability = \"{durability}\"\nretention = {{ max_entries = 1 }}\n"
            )
        };
        let all =
            [("early", "memory"), ("held", durability), ("late", "memory")].map(|(name, kept)| namespace(name, kept));
        house.write(
            "triarch.toml",
            &format!("[memory]\nretain_every = \"1h\"\n{}", all.concat()),
        );
    };
    described("relaxed");
    let mut runtime = house.up(&[]);
    for key in ["a", "b"] {
        house.memory(&["put", "held", key, "1"]);
    }
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    described("journal");
    let _runtime = house.up(&[]);
    for key in ["a", "b", "c"] {
        house.memory(&["put", "early", key, "1"]);
        house.memory(&["put", "late", key, "1"]);
    }
    let (code, said) = house.in_vain(&["retain", "--dry-run"]);
    assert!(
        code == Some(5) && said.contains("describe it as relaxed again"),
        "it tells what would come in the way: {said}"
    );
    let (code, said) = house.in_vain(&["retain"]);
    assert!(
        code == Some(5) && said.contains("4 entries went, but: ") && said.contains("describe it as relaxed again"),
        "{said}"
    );
    for retained in ["early", "late"] {
        assert_eq!(house.keys(&["list", retained]), ["c"]);
    }
    assert_eq!(house.keys(&["list", "held"]), ["a", "b"]);
    let (_, said) = house.in_vain(&["retain"]);
    assert!(!said.contains("went"), "nothing went this time: {said}");
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
    assert!(code == Some(2) && said.contains("line 3 is left out"), "{said}");
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
fn lines_of_two_namespaces_by_turns_take_no_write_each() {
    let (house, _runtime) = crew();
    let line = |number: usize| {
        let namespace = ["plans", "shared"][number % 2];
        format!("{{\"namespace\":\"{namespace}\",\"key\":\"k{number}\",\"json\":{number}}}\n")
    };
    house.write("turns", &(0..600).map(line).collect::<String>());
    let done = || {
        let (_, page) = house.get("/metrics");
        let series = "triarch_memory_writes_total{outcome=\"done\"} ";
        let mut counts = page.lines().filter_map(|line| line.strip_prefix(series));
        counts.next().unwrap().parse::<u64>().unwrap()
    };
    let before = done();
    let taken = house.memory(&["import", "turns"]);
    let written = json!({ "plans": { "written": 300 }, "shared": { "written": 300 } });
    assert_eq!(taken["namespaces"], written);
    assert!(done() - before < 20, "{} writes", done() - before);
}

#[test]
fn a_backup_is_restored_with_namespaces_that_are_not_described() {
    let (house, _runtime) = crew();
    house.memory(&["put", "plans", "a", "1"]);
    house.memory(&["put", "shared", "b", "2"]);
    house.write(".triarch-backup-dead", "half of one that was killed");
    let done = house.memory(&["backup", "kept"]);
    assert_eq!(done["entries"], 2);
    assert!(!house.path().join(".triarch-backup-dead").exists());
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
    assert!(text(&refused.stderr).contains("name the right key in `memory.sealed_by`"));
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
fn a_file_that_lines_are_exported_to_stays_what_it_was_where_nothing_is_exported() {
    let (house, mut runtime) = crew();
    house.write("all", "before");
    let (code, said) = house.in_vain(&["export", "all", "nowhere"]);
    assert!(code == Some(4) && said.contains("nowhere"), "{said}");
    let read = || fs::read_to_string(house.path().join("all")).unwrap();
    assert_eq!(read(), "before");
    house.memory(&["put", "plans", "a", "1"]);
    house.write(".triarch-export-dead", "half");
    let exported = house.run(&["memory", "export", "all", "plans"]);
    let said = text(&exported.stderr);
    assert!(
        exported.status.success() && said.contains(".triarch-export-dead was the draft of an export"),
        "{said}"
    );
    assert!(!house.path().join(".triarch-export-dead").exists());
    assert!(read().contains("\"key\":\"a\""), "{}", read());
    runtime.signal("TERM");
    runtime.end(PATIENCE);
    let before = read();
    assert_eq!(house.in_vain(&["export", "all"]).0, Some(69));
    assert_eq!(read(), before);
}

#[test]
fn an_import_takes_up_all_lines_but_those_that_are_no_entries_and_tells_of_these() {
    let (house, _runtime) = crew();
    let mut lines: Vec<String> = (1..=1_500)
        .map(|number| format!("{{\"namespace\":\"shared\",\"key\":\"k{number}\",\"json\":{number}}}"))
        .collect();
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    for (number, line) in [
        (7, "nothing".to_owned()),
        (700, "{\"namespace\":\"shared\",\"kei\":\"b\"}".to_owned()),
        (701, "{\"namespace\":\"shred\",\"key\":\"b\"}".to_owned()),
        (
            1_400,
            format!("{{\"namespace\":\"shared\",\"key\":\"large\",\"json\":{large}}}"),
        ),
    ] {
        lines[number - 1] = line;
    }
    house.write("many", &lines.join("\n"));
    let numbers = |said: &str| -> Vec<String> {
        let told = said.lines().filter_map(|line| line.split_once(" is left out: "));
        told.map(|(line, _)| line.rsplit_once(' ').unwrap().1.to_owned())
            .collect()
    };
    for how in [&["--dry-run"][..], &[]] {
        let ran = house.run(&[&["memory", "import", "many", "--json"], how].concat());
        let (said, taken) = (text(&ran.stderr), serde_json::from_slice::<Value>(&ran.stdout).unwrap());
        assert_eq!(ran.status.code(), Some(2), "{said}");
        assert_eq!(numbers(&said), ["7", "700", "701", "1400"], "{said}");
        assert!(said.contains("write shared"), "{said}");
        assert!(said.contains("4 lines are no entry that the store takes"), "{said}");
        assert_eq!(taken["namespaces"], json!({ "shared": { "written": 1_496 } }));
        assert_eq!(
            (&taken["refused"]["count"], &taken["refused"]["first"][2]["number"]),
            (&json!(4), &json!(701))
        );
        let is_there = if how.is_empty() { 1_496 } else { 0 };
        assert_eq!(house.memory(&["count", "shared"])["entries"], is_there);
    }
    assert_eq!(house.value("shared", "k1500"), 1_500);
}

#[test]
fn an_import_that_ends_for_want_of_room_says_which_lines_it_left_out_before() {
    let (house, _runtime) = crew();
    let line = |key: &str| format!("{{\"namespace\":\"notes\",\"key\":\"{key}\"}}\n");
    house.write(
        "some",
        &[&line("a"), "nothing\n", &line("b"), &line("c"), &line("d")].concat(),
    );
    let (code, said) = house.in_vain(&["import", "some"]);
    assert!(
        code == Some(5) && said.contains("3 written in notes, 1 left out (line 2 is left out: "),
        "{said}"
    );
    assert_eq!(
        house.keys(&["list", "notes"]),
        ["a", "b", "c"],
        "what has room is there"
    );
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
    // What would have been taken up of others counts too, however the lines of namespaces mingle.
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
            code == Some(5) && said.contains("2 written in notes, 3 written in plans w"),
            "{said}"
        );
    }
}
