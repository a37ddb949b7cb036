//! Files of the repository that its own tests write: they say what the code says, or a test fails.

use std::fs;
use std::path::Path;

/// Writes them all anew.
pub(crate) const UPDATE: &str = "UPDATE_DOCS=1 cargo test -p triarch --lib";

/// Compares the file at `path` in the repository with what it should say; writes it anew where `UPDATE_DOCS` is set.
#[track_caller]
pub(crate) fn assert_committed(path: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    if let Some(difference) = difference(&found, wanted) {
        panic!("{path} differs from the code{difference}\nif the code is right, run: {UPDATE}");
    }
}

/// A sentence as a part of another.
pub(crate) fn lower(sentence: &str) -> String {
    let mut letters = sentence.trim_end_matches('.').chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

/// The first line in which they differ.
fn difference(found: &str, wanted: &str) -> Option<String> {
    if found == wanted {
        return None;
    }
    let longest = found.lines().count().max(wanted.lines().count());
    let at = (0..longest).zip(lines(found).zip(lines(wanted)));
    let Some((at, _)) = at.into_iter().find(|(_, (found, wanted))| found != wanted) else {
        return Some(" in its line ends".to_owned());
    };
    let line = |text: &str| {
        text.lines()
            .nth(at)
            .map_or_else(|| "its end".to_owned(), |line| format!("{line:?}"))
    };
    Some(format!(
        " in line {}\n  it says:      {}\n  the code says {}",
        at + 1,
        line(found),
        line(wanted)
    ))
}

/// Its lines, and nothing for ever after.
fn lines(text: &str) -> impl Iterator<Item = Option<&str>> {
    text.lines().map(Some).chain(std::iter::repeat(None))
}

#[test]
fn the_first_line_that_differs_is_told() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    let told = difference("a\nb\n", "a\nc\n").unwrap();
    assert!(
        told.contains("line 2") && told.contains("\"b\"") && told.contains("\"c\""),
        "{told}"
    );
    assert!(difference("a\n", "a\nb\n").unwrap().contains("its end"));
    assert!(difference("a", "a\n").unwrap().contains("line ends"));
}
