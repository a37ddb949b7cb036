//! Erlang, where `erl` is on the path: `erlang/triarch_peer.erl`, compiled to a temporary folder, one `erl +S 2:2` for each round.
//!
//! Its best: bare processes for tells (no `gen_server` around them), `gen_server:call` for asks, a supervisor
//! `simple_one_for_one` for fleets and `one_for_one` for restarts. The script times itself, checks its answers and prints
//! one figure a line. A batch is 32 sends.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use triarch_benches::Scale;
use triarch_benches::case::{self, Entry};

pub(crate) const NAME: &str = "erlang";

const SOURCE: &str = include_str!("../erlang/triarch_peer.erl");

pub(crate) fn entries() -> Vec<Entry> {
    if !is_installed() {
        return Vec::new();
    }
    vec![
        Entry::here(NAME, &[case::TELL_1_1_16], |scale| {
            erl("tell", &[1, 1, 2, scale.messages])
        }),
        Entry::here(NAME, &[case::TELL_4_1_16], |scale| {
            erl("tell", &[4, 1, 2, scale.messages])
        }),
        Entry::here(NAME, &[case::TELL_8_8_16], |scale| {
            erl("tell", &[8, 8, 2, scale.messages])
        }),
        Entry::here(NAME, &[case::TELL_1_1_64], |scale| {
            erl("tell", &[1, 1, 8, scale.messages])
        }),
        Entry::here(NAME, &[case::TELL_4_1_64], |scale| {
            erl("tell", &[4, 1, 8, scale.messages])
        }),
        Entry::here(NAME, &[case::TELL_8_8_64], |scale| {
            erl("tell", &[8, 8, 8, scale.messages])
        }),
        Entry::here(NAME, &[case::SEND_MANY_32], |scale| {
            erl("tell", &[1, 1, 2, scale.messages])
        }),
        Entry::here(NAME, &case::ASK_LOCAL, |scale| erl("ask", &[1, 1, scale.asks])),
        Entry::here(NAME, &case::ASK_CROSS, |scale| erl("ask", &[1, 2, scale.asks])),
        Entry::child(NAME, &case::FLEET, |scale| erl("fleet", &[scale.fleet as u64])),
        Entry::here(NAME, &case::RESTART_ERROR_10, |scale| {
            erl("error", &[10, restarts(scale)])
        }),
        Entry::here(NAME, &case::RESTART_ERROR_1000, |scale| {
            erl("error", &[1_000, restarts(scale)])
        }),
        Entry::here(NAME, &case::RESTART_ERROR_10000, |scale| {
            erl("error", &[10_000, restarts(scale)])
        }),
        Entry::here(NAME, &case::RESTART_10, |scale| erl("panic", &[10, restarts(scale)])),
        Entry::here(NAME, &case::RESTART_1000, |scale| {
            erl("panic", &[1_000, restarts(scale)])
        }),
        Entry::here(NAME, &case::RESTART_10000, |scale| {
            erl("panic", &[10_000, restarts(scale)])
        }),
        Entry::child(NAME, &case::MILLION, |scale| erl("million", &[scale.million as u64])),
    ]
}

/// Whether this machine has it.
pub(crate) fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        ["erl", "erlc"]
            .iter()
            .all(|program| std::env::split_paths(&paths).any(|path| path.join(program).is_file()))
    })
}

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Removes what this process compiled.
pub(crate) fn tidy_up() {
    if let Some(folder) = FOLDER.get() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// The folder with the compiled script; one for each process of this program.
fn compiled() -> &'static PathBuf {
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("triarch-peers-erlang-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let source = folder.join("triarch_peer.erl");
        std::fs::write(&source, SOURCE).expect("the temporary folder can be written");
        let compiler = Command::new("erlc")
            .arg("-o")
            .arg(&folder)
            .arg(&source)
            .status()
            .expect("erlc starts");
        assert!(compiler.success(), "erlc refused triarch_peer.erl");
        folder
    })
}

/// A quarter of the others' failures: each hundred takes a fresh supervisor with all its siblings.
const fn restarts(scale: &Scale) -> u64 {
    scale.restarts as u64 / 4
}

fn erl(measure: &str, numbers: &[u64]) -> Vec<f64> {
    let output = Command::new("erl")
        .env("ERL_CRASH_DUMP_BYTES", "0")
        .args([
            "-noshell",
            "+S",
            "2:2",
            "+P",
            "4000000",
            "-kernel",
            "logger_level",
            "none",
            "-pa",
        ])
        .arg(compiled())
        .args(["-s", "triarch_peer", "main", "-extra", measure])
        .args(numbers.iter().map(u64::to_string))
        .output()
        .expect("erl starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "erl failed: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .map(|line| line.trim().parse().expect("a figure on each line"))
        .collect()
}
