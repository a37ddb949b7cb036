//! Every text of an error: those that types bear, as they stand in the source, and those that verbs end with.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use triarch_gateway::{ClientError, OperationError};
use triarch_supervision::address::Refusal;
use triarch_supervision::name::{Name, NameError};
use triarch_supervision::reason::ExitReason;
use triarch_supervision::supervisor::{AdminError, CallError};

use crate::committed::assert_committed;
use crate::operations::{Code, Trouble};

#[test]
fn every_text_of_an_error_is_the_one_that_is_committed() {
    let mut texts = String::new();
    for (path, text) in sources() {
        let errors = texts_of(&text);
        if !errors.is_empty() {
            let _written = write!(texts, "=== {path}\n{}\n\n", errors.join("\n"));
        }
    }
    assert!(texts.lines().count() > 100, "{texts}");
    assert_committed("tests/snapshots/errors.txt", &texts);
}

/// What a type says of itself by `#[error("…")]`, in its order.
fn texts_of(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.split("#[error(")
        .skip(1)
        .filter_map(|attribute| literal(attribute.trim_start()))
        .collect()
}

/// The text that the code begins with, if it does.
fn literal(code: &str) -> Option<String> {
    let mut is_escaped = false;
    let text = code.strip_prefix('"')?;
    let end = text.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })?;
    Some(text[..end].to_owned())
}

/// The Rust files of the product, without those for its tests, by their paths.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "actors", "supervision/src"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let shown = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    files
        .iter()
        .map(|path| (shown(path), fs::read_to_string(path).unwrap()))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" && name != "snapshots" {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// What keeps a question from its answer.
fn of_the_way_there() -> [(&'static str, Trouble); 6] {
    let path = || "state/triarch.sock".into();
    let nowhere = ClientError::NotRunning {
        path: path(),
        source: std::io::ErrorKind::NotFound.into(),
    };
    let closed = ClientError::Closed {
        path: path(),
        source: std::io::ErrorKind::PermissionDenied.into(),
    };
    let unreachable = ClientError::Unreachable {
        path: path(),
        source: std::io::Error::other("path must be shorter than SUN_LEN"),
    };
    let lost = ClientError::Lost {
        path: path(),
        source: std::io::ErrorKind::UnexpectedEof.into(),
    };
    let silent = ClientError::Silent {
        within: std::time::Duration::from_secs(10),
        pid: "4200".to_owned(),
    };
    let waiting = ClientError::Waiting {
        within: std::time::Duration::from_secs(10),
        operation: "task.submit".to_owned(),
    };
    let told = |error| Trouble::from(OperationError::from(error));
    [
        ("no runtime", told(nowhere)),
        ("another user's runtime", told(closed)),
        ("a socket that cannot be reached", told(unreachable)),
        ("the runtime broke off", told(lost)),
        ("a runtime that hangs", told(silent)),
        ("a question that waits where others do not", told(waiting)),
    ]
}

/// What verbs end with, by what went wrong.
fn troubles() -> Vec<(&'static str, Trouble)> {
    let child = || Name::new("echo-1").unwrap();
    let refused = |error| Trouble::from(CallError::Refused(error));
    let faults = "no json".parse::<serde_json::Value>().unwrap_err();
    let told = vec![
        ("a request that cannot be read", Trouble::usage("agent.list", &faults)),
        (
            "an operation there is not",
            Trouble::no_such_operation("agent.dance", &["agent.list", "agent.show"]),
        ),
        ("no such agent", Trouble::no_such_agent("nobody")),
        ("no such team", Trouble::no_such_team("none")),
        ("no such path", Trouble::no_such_path("nowhere")),
        ("an agent of the runtime", Trouble::takes_no_posts("gateway/http")),
        (
            "an agent that holds the runtime",
            Trouble::holds_the_runtime("gateway/http"),
        ),
        ("a full mailbox", Trouble::not_sent("tools/echo-1", &Refusal::Full)),
        (
            "an agent that has left",
            Trouble::not_sent("tools/echo-1", &Refusal::Closed),
        ),
        ("no room in time", Trouble::not_sent("tools/echo-1", &Refusal::Expired)),
        (
            "an agent that is gone",
            Trouble::not_sent("tools/echo-1", &Refusal::NoSuchAgent),
        ),
        (
            "an agent of another type",
            Trouble::not_sent("gateway/http", &Refusal::OtherType),
        ),
        ("a name that is none", CallError::from(NameError::Empty).into()),
        (
            "a child that is there",
            refused(AdminError::AlreadyStarted { child: child() }),
        ),
        (
            "a child that is not there",
            refused(AdminError::NotFound { child: child() }),
        ),
        (
            "a child in quarantine",
            refused(AdminError::Quarantined { child: child() }),
        ),
        (
            "a child that does not start",
            refused(AdminError::NotStarted {
                child: child(),
                reason: ExitReason::Normal,
            }),
        ),
        (
            "a team that is down",
            CallError::Down {
                supervisor: "tools".into(),
            }
            .into(),
        ),
        ("anything else", Trouble::failed("the answer has no text")),
    ];
    of_the_way_there().into_iter().chain(told).collect()
}

#[test]
fn every_trouble_is_told_as_it_is_committed_and_says_what_to_do() {
    let mut texts = String::new();
    for (title, trouble) in troubles() {
        assert!(
            !trouble.remedy.is_empty() || trouble.message.contains("; "),
            "{title}: {trouble:?}"
        );
        let told = trouble.told();
        assert!(
            !told.contains(['\n', '\u{1b}']) && told.matches("; ").count() <= 2,
            "{title}: {told}"
        );
        let _written = writeln!(texts, "{title}, code {}\n  triarch: {told}", trouble.code.number());
    }
    for code in Code::ALL {
        let _written = writeln!(texts, "code {} is {}", code.number(), code.label());
    }
    assert_committed("tests/snapshots/troubles.txt", &texts);
}
