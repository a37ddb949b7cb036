//! What is added comes out again, bounded, whatever becomes of whoever writes.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

fn lines(folder: &tempfile::TempDir, file_bytes: u64, files: usize) -> LineFile {
    LineFile::new(folder.path().join("deep/down/log"), Bounds { file_bytes, files })
}

fn append(file: &LineFile, text: &str) {
    file.append(text.as_bytes(), |_| {}).unwrap();
}

fn read(file: &LineFile) -> String {
    let mut text = Vec::new();
    for mut piece in file.pieces().unwrap() {
        text.extend(piece.lines(0, u64::MAX).unwrap().0);
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn a_file_takes_whole_lines_as_far_as_it_has_room() {
    for (size, text, share_of_ten) in [
        (0, "", 0),
        (0, "12345\n789\n", 10),
        (0, "12345\n7890\n", 6),
        (4, "12345\n7890\n", 6),
        (5, "12345\n7890\n", 0),
        (10, "1\n", 0),
        (99, "1\n", 0),
        (0, "1234567890\n1\n", 11),
    ] {
        assert_eq!(share(size, text.as_bytes(), 10), share_of_ten, "{text:?} after {size}");
    }
}

proptest! {
    #[test]
    fn the_newest_lines_are_there_in_order_and_no_file_is_larger_than_allowed(
        batches in prop::collection::vec(prop::collection::vec(1_usize..40, 1..8), 1..30),
        file_bytes in 60_u64..200,
        files in 1_usize..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = lines(&folder, file_bytes, files);
        let (mut all, mut number) = (String::new(), 0);
        for batch in batches {
            let mut text = String::new();
            for length in batch {
                number += 1;
                writeln!(text, "{number:05}{}", "x".repeat(length)).unwrap();
            }
            append(&file, &text);
            all.push_str(&text);
        }
        let kept = read(&file);
        prop_assert!(all.ends_with(&kept));
        prop_assert!(all.lines().last() == kept.lines().last());
        let sizes: Vec<_> = (0..files + 2).map(|age| fs::metadata(file.older(age)).map(|data| data.len())).collect();
        prop_assert!(sizes[files..].iter().all(Result::is_err));
        let sizes: Vec<_> = sizes.into_iter().flatten().collect();
        prop_assert!(sizes.iter().all(|size| *size <= file_bytes), "{sizes:?}");
        // No file makes way before it is full but for a line.
        let full = sizes.iter().skip(1).all(|size| size + 46 > file_bytes);
        prop_assert!(full, "{sizes:?} of {file_bytes}");
    }
}

#[test]
fn nobody_else_may_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(&folder, 100, 1);
    append(&file, "a\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.newest()), 0o600);
    assert_eq!(mode(file.newest().parent().unwrap()), 0o700);
}

#[test]
fn a_line_that_nobody_finished_is_passed_over_and_the_next_stands_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(&folder, 100, 2);
    append(&file, "a\n");
    let mut torn = fs::read(file.newest()).unwrap();
    torn.extend(b"{\"b");
    fs::write(file.newest(), torn).unwrap();
    assert_eq!(read(&file), "a\n");
    append(&file, "c\n");
    assert_eq!(read(&file), "a\n{\"b\nc\n");
}

#[test]
fn who_keeps_what_goes_is_told_of_the_oldest_file_before_it_is_gone() {
    for files in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let file = lines(&folder, 4, files);
        let mut gone = String::new();
        for number in 0..7 {
            let part = |path: &Path| gone.push_str(&fs::read_to_string(path).unwrap());
            file.append(format!("{number}\n").as_bytes(), part).unwrap();
        }
        assert_eq!(gone + &read(&file), "0\n1\n2\n3\n4\n5\n6\n", "{files} files");
    }
}

#[test]
fn what_was_refused_is_told_and_once_there_is_a_way_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(&folder, 100, 2);
    // A file stands where the folder should be.
    fs::write(folder.path().join("deep"), "").unwrap();
    let refused = file.append(b"a\n", |_| {}).unwrap_err();
    assert_eq!(refused.taken, 0);
    assert!(refused.to_string().ends_with("takes no more lines; see its disk"));
    fs::remove_file(folder.path().join("deep")).unwrap();
    append(&file, "b\n");
    assert_eq!(read(&file), "b\n");
}

#[test]
fn a_file_that_is_read_further_goes_on_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(&folder, 100, 2);
    append(&file, "a\nbc\n");
    let mut piece = file.pieces().unwrap().pop().unwrap();
    assert_eq!(piece.lines(0, 3).unwrap(), (b"a\n".to_vec(), 2));
    assert_eq!(piece.lines(2, 100).unwrap(), (b"bc\n".to_vec(), 5));
    append(&file, "d\n");
    assert_eq!(piece.lines(5, 100).unwrap(), (b"d\n".to_vec(), 7));
}

#[test]
fn a_line_longer_than_what_is_read_at_a_time_is_passed_over_once_it_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = lines(&folder, 100_000, 2);
    append(&file, "a\n");
    let mut piece = file.pieces().unwrap().pop().unwrap();
    let long = "x".repeat(50_000);
    fs::write(file.newest(), format!("a\n{long}")).unwrap();
    assert_eq!(piece.lines(2, 10).unwrap(), (Vec::new(), 2));
    fs::write(file.newest(), format!("a\n{long}\nb\n")).unwrap();
    assert_eq!(piece.lines(2, 10).unwrap(), (Vec::new(), 50_003));
    assert_eq!(piece.lines(50_003, 10).unwrap(), (b"b\n".to_vec(), 50_005));
}
