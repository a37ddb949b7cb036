//! Environments and arguments that nobody means well with.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::programs::ECHO;
use crate::yard::Yard;

/// The longest text that the kernel hands to a process, and one less.
const LONGEST: usize = 128 * 1024 - 32;

const NOT_TEXT: &[u8] = b"\xff\xfe\x80";

fn with_hostile_environment(command: &mut Command) -> &mut Command {
    command
        .env("LD_PRELOAD", "/no/such/library.so")
        .env("LD_LIBRARY_PATH", "/no/such/folder")
        .env("BASH_ENV", "/no/such/script")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .env("TRIARCH_TAG", "0123456789abcdef:somebody/else:7")
        .env("TRIARCH_AGENT", "somebody/else")
        .env("NEWLINES", "a\nTRIARCH_TAG=b\n\n")
        .env("HUGE", "x".repeat(LONGEST))
        .env("NOT_TEXT", OsStr::from_bytes(NOT_TEXT))
        .env(OsStr::from_bytes(b"NAME_\xff"), "x")
        .env("LANG", OsStr::from_bytes(b"C.\xff\nUTF-8"))
        .env("TERM", "")
}

/// The environment that a process was started with.
fn environment(pid: &str) -> BTreeMap<OsString, OsString> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let pairs = bytes.split(|byte| *byte == 0).filter(|pair| !pair.is_empty());
    let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let pairs = pairs.map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap();
        (text(&pair[..at]), text(&pair[at + 1..]))
    });
    pairs.collect()
}

#[test]
fn programs_get_of_a_hostile_environment_only_what_is_listed() {
    let yard = Yard::new();
    let exec = "mode = \"exec\"\n";
    let once = "tr '\\0' '\\n' </proc/$$/environ | cut -d= -f1 | sort | tr '\\n' ' '\n";
    yard.describe(&[yard.agent("one", ECHO, ""), yard.agent("once", once, exec)].concat());
    let mut command = yard.house.command(&["up"]);
    with_hostile_environment(&mut command);
    let runtime = yard.up_by(&command);
    assert_eq!(yard.reply("one"), "pong");
    let shown = yard.ask("agent.show", &json!({ "agent": "one" })).unwrap();
    let seen = environment(&shown["pid"].to_string());
    let names: Vec<_> = seen.keys().map(|name| name.to_str().unwrap()).collect();
    let listed = [
        "HOME",
        "LANG",
        "PATH",
        "TERM",
        "TRIARCH_AGENT",
        "TRIARCH_INCARNATION",
        "TRIARCH_TAG",
        "YARD",
    ];
    assert_eq!(names, listed);
    assert_eq!(seen[OsStr::new("TRIARCH_AGENT")], "team/one");
    assert!(
        seen[OsStr::new("TRIARCH_TAG")]
            .to_str()
            .unwrap()
            .contains(":team/one:1:")
    );
    assert_eq!(
        seen[OsStr::new("LANG")].as_bytes(),
        b"C.\xff\nUTF-8",
        "what is listed comes as it is"
    );
    let names = yard.reply("once");
    let names = names.as_str().unwrap();
    assert!(names.contains("TRIARCH_POST ") && names.contains("YARD"), "{names}");
    assert!(
        !names.contains("LD_") && !names.contains("HUGE") && !names.contains("RUST_"),
        "{names}"
    );
    yard.down(runtime);
}

#[test]
fn a_setting_in_the_environment_that_is_no_text_is_refused_and_not_passed_over() {
    let yard = Yard::new();
    for name in ["TRIARCH_RUNTIME__STATE_DIR", "TRIARCH_GATEWAY__LISTEN"] {
        let mut command = yard.house.command(&["up", "--for", "0s"]);
        let output = command.env(name, OsStr::from_bytes(NOT_TEXT)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(name), "{said}");
    }
    assert!(
        !yard.path().join(".local").exists(),
        "nothing is made where nobody asked for it"
    );
}

/// Whether a command ended as one may: with a documented code, and without a panic.
fn ended_well(arguments: &[&OsStr], output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(
        [0, 1, 2, 3, 4, 5, 69].map(Some).contains(&code),
        "{arguments:?}: {code:?}: {said}"
    );
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn hostile_arguments_are_refused_without_a_panic() {
    let yard = Yard::new();
    yard.describe(&yard.agent("one", ECHO, ""));
    let runtime = yard.up();
    let huge = "x".repeat(LONGEST);
    let hostile = [
        NOT_TEXT,
        b"a\nb",
        b"",
        b"--",
        b"-",
        b"../../etc/passwd",
        b"\x1b[2J",
        huge.as_bytes(),
    ];
    let verbs: [&[&str]; 13] = [
        &[],
        &["--config"],
        &["tree"],
        &["why"],
        &["logs"],
        &["agent", "show"],
        &["agent", "ask"],
        &["agent", "ask", "one"],
        &["agent", "send", "one", "--kind"],
        &["agent", "spawn", "team"],
        &["team", "show"],
        &["config", "init"],
        &["completions"],
    ];
    for verb in verbs {
        for hostile in hostile {
            let arguments: Vec<_> = verb
                .iter()
                .map(OsStr::new)
                .chain([OsStr::from_bytes(hostile)])
                .collect();
            let mut command = yard.house.command(&[]);
            let output = with_hostile_environment(&mut command)
                .env_remove("LANG")
                .args(&arguments)
                .output()
                .unwrap();
            ended_well(&arguments, &output);
        }
    }
    assert_eq!(yard.reply("one"), "pong");
    yard.down(runtime);
}

#[test]
fn a_standard_output_that_takes_nothing_is_no_reason_to_panic() {
    let yard = Yard::new();
    yard.describe(&yard.agent("one", ECHO, ""));
    let runtime = yard.up();
    for verb in ["--help", "--version", "tree", "status", "completions", "doctor"] {
        let more = (verb == "completions").then_some("bash");
        let arguments: Vec<_> = [verb].into_iter().chain(more).collect();
        let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
        let mut command = yard.house.command(&arguments);
        let output = command
            .stdout(full())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
        ended_well(&arguments, &output);
    }
    yard.down(runtime);
}
