//! One writer at a time.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use triarch_journal::testing::SimDisk;
use triarch_journal::{Disk as _, Journal, OpenError, RealDisk};

use crate::{SMALL, open, read, write};

#[test]
fn two_openers_never_write_one_journal() {
    let folder = tempfile::tempdir().unwrap();
    let disk = || Arc::new(RealDisk::at(folder.path()).unwrap());
    let (mut journal, _) = Journal::open(disk(), SMALL).unwrap();
    let refused = Journal::open(disk(), SMALL).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "{} is in use by another runtime; stop that one, or give this one a folder of its own",
            folder.path().display()
        )
    );
    write(&mut journal, ["still there"]);
    drop(journal);
    assert_eq!(read(RealDisk::at(folder.path()).unwrap()), ["still there"]);
}

#[test]
fn a_simulated_folder_is_claimed_like_a_real_one() {
    let disk = SimDisk::new(1);
    let (journal, _) = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(OpenError::Claimed { .. })));
    disk.cut_power();
    let (_second, _) = open(&disk).unwrap();
    drop(journal);
    assert!(
        matches!(open(&disk), Err(OpenError::Claimed { .. })),
        "a dead claim frees nothing"
    );
}

#[test]
fn who_had_a_disk_before_the_power_went_out_changes_nothing_there_any_more() {
    let disk = SimDisk::new(1);
    let (journal, _) = open(&disk).unwrap();
    disk.cut_power();
    let names = disk.names();
    assert!(disk.create("more").is_err());
    assert!(disk.sync_folder().is_err());
    assert!(
        names
            .iter()
            .all(|name| disk.remove(name).is_err() && disk.rename(name, "other").is_err())
    );
    assert_eq!(disk.names(), names);
    drop(journal);
    let (_next, _) = open(&disk).unwrap();
    disk.create("more").unwrap();
}

#[test]
fn nobody_else_reads_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/work");
    let disk = Arc::new(RealDisk::at(&path).unwrap());
    let (_journal, _) = Journal::open(disk, SMALL).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(&path.join("00000000000000000001.segment"))),
        (0o700, 0o600)
    );
}
