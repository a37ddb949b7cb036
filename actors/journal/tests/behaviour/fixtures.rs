//! Journals that earlier versions wrote are read by this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use triarch_journal::{Journal, RealDisk};

use crate::{SMALL, texts, write};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy, which may be changed.
fn copy(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixtures().join(version)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// What each fixture holds: a snapshot of ten records, 30 more in two segments or more, and the torn begin of one.
#[test]
fn a_journal_of_format_1_is_read_and_goes_on() {
    let folder = copy("v1");
    let disk = Arc::new(RealDisk::at(folder.path()).unwrap());
    let (mut journal, recovered) = Journal::open(disk.clone(), SMALL).unwrap();
    let snapshot = recovered.snapshot.clone().unwrap();
    assert_eq!((snapshot.seq.number(), &snapshot.bytes[..]), (10, &b"ten records"[..]));
    let cut = recovered.report.cut.clone().unwrap();
    assert_eq!((cut.file.as_str(), cut.bytes), ("00000000000000000035.segment", 29));
    let expected: Vec<_> = (11..=40).map(|number| format!("record {number:02}")).collect();
    assert_eq!(texts(recovered), expected);
    write(&mut journal, ["41"]);
    drop(journal);
    let (_journal, recovered) = Journal::open(disk, SMALL).unwrap();
    assert_eq!((recovered.report.records, recovered.report.cut), (31, None));
}

/// Writes the fixture of the present format; it is committed once, and never again.
#[test]
fn a_fixture_is_written_as_the_committed_one_was() {
    let folder = tempfile::tempdir().unwrap();
    let disk = RealDisk::at(folder.path()).unwrap();
    let (mut journal, _) = Journal::open(Arc::new(disk), SMALL).unwrap();
    write(&mut journal, (1..=10).map(|number| format!("record {number:02}")));
    let seq = journal.rotate().unwrap();
    journal.install_snapshot(seq, b"ten records").unwrap();
    write(&mut journal, (11..=40).map(|number| format!("record {number:02}")));
    journal.rest().unwrap();
    drop(journal);
    let sizes = |folder: &Path| {
        let mut sizes: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                (
                    entry.as_ref().unwrap().file_name(),
                    entry.unwrap().metadata().unwrap().len(),
                )
            })
            .filter(|(name, _)| name != "claim")
            .collect();
        sizes.sort();
        sizes
    };
    if std::env::var_os("WRITE_FIXTURE").is_some() {
        let last = sizes(folder.path()).pop().unwrap().0;
        fs::create_dir_all(fixtures().join("v1")).unwrap();
        for (name, _) in sizes(folder.path()) {
            let mut content = fs::read(folder.path().join(&name)).unwrap();
            if name == last {
                content.extend([7; 29]);
            }
            fs::write(fixtures().join("v1").join(&name), content).unwrap();
        }
    }
    let mut written = sizes(folder.path());
    written.last_mut().unwrap().1 += 29;
    assert_eq!(written, sizes(&fixtures().join("v1")));
}
