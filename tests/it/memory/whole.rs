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
