//! Disks that refuse: typed errors, a whole file, and writing again.

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_journal::{AppendError, CommitError, Config, ConfigError, SnapshotError, WriteError};

use crate::{SMALL, open, read, texts, write};

/// What a commit says where that call fails so.
fn commit_against(call: Call, fault: Fault) -> (String, Vec<String>, bool) {
    let disk = SimDisk::new(3);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["before"]);
    disk.fail(call, 0, fault);
    journal.append(b"refused").unwrap();
    let outcome = match journal.commit() {
        Ok(_) => "done",
        Err(CommitError::Full { .. }) => "full",
        Err(CommitError::Failed { .. }) => "failed",
        Err(_) => "other",
    };
    let goes_on = journal.append(b"after").is_ok() && journal.commit().is_ok();
    drop(journal);
    (outcome.to_owned(), read(disk), goes_on)
}

#[test]
fn each_refusal_of_a_commit_has_its_error_and_leaves_a_whole_journal() {
    let table = [
        (Call::Write, Fault::Full, "full", true),
        (Call::Write, Fault::Io, "failed", false),
        (Call::Sync, Fault::Io, "failed", false),
        (Call::Sync, Fault::Full, "failed", false),
        (Call::Write, Fault::PowerCut, "failed", false),
        (Call::Sync, Fault::PowerCut, "failed", false),
    ];
    for (call, fault, expected, is_written_on) in table {
        let (outcome, there, goes_on) = commit_against(call, fault);
        assert_eq!(
            (outcome.as_str(), goes_on),
            (expected, is_written_on),
            "{call:?} {fault:?}"
        );
        match expected {
            "full" => assert_eq!(there, ["before", "after"], "{call:?} {fault:?}"),
            _ => assert!(
                there == ["before"] || there == ["before", "refused"],
                "{call:?} {fault:?}: {there:?}"
            ),
        }
    }
}

#[test]
fn a_full_disk_takes_back_what_was_half_written_and_writing_works_again_when_there_is_space() {
    let disk = SimDisk::new(5);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["before"]);
    let size = journal.segment_bytes();
    disk.space(Some(disk.used() + 30));
    for attempt in 0..50 {
        journal.append(b"far too long for what is left").unwrap();
        assert!(
            matches!(journal.commit(), Err(CommitError::Full { .. })),
            "attempt {attempt}"
        );
        assert_eq!(disk.content("00000000000000000001.segment").unwrap().len() as u64, size);
    }
    assert_eq!(texts(journal.replay().unwrap()), ["before"], "reading goes on");
    disk.space(None);
    write(&mut journal, ["after"]);
    disk.cut_power();
    drop(journal);
    assert_eq!(read(disk), ["before", "after"]);
}

#[test]
fn what_a_full_disk_refused_is_gone_though_the_power_goes_out_at_once() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let (mut journal, _) = open(&disk).unwrap();
        write(&mut journal, ["before"]);
        disk.space(Some(disk.used() + 600));
        for _ in 0..20 {
            journal.append(&[b'x'; 30]).unwrap();
        }
        assert!(matches!(journal.commit(), Err(CommitError::Full { .. })));
        disk.cut_power();
        drop(journal);
        disk.space(None);
        assert_eq!(read(disk), ["before"], "seed {seed}");
    }
}

#[test]
fn a_failed_sync_closes_the_journal_until_it_is_opened_and_what_it_then_finds_lasts() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let (mut journal, _) = open(&disk).unwrap();
        write(&mut journal, ["before"]);
        disk.fail(Call::Sync, 0, Fault::Io);
        journal.append(b"unknown").unwrap();
        assert!(matches!(
            journal.commit(),
            Err(CommitError::Failed { doing: "syncing", .. })
        ));
        assert!(journal.is_closed());
        for _ in 0..3 {
            journal.append(b"refused").unwrap();
            assert!(matches!(journal.commit(), Err(CommitError::Closed { .. })));
        }
        drop(journal);
        let (mut journal, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.report.adopted, 1);
        let found = texts(recovered);
        write(&mut journal, ["after"]);
        disk.cut_power();
        drop(journal);
        assert_eq!(read(disk), [found, vec!["after".to_owned()]].concat(), "seed {seed}");
    }
}

#[test]
fn a_rotation_that_finds_no_space_costs_nothing() {
    let disk = SimDisk::new(5);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["before"]);
    disk.space(Some(disk.used() + 10));
    assert!(matches!(journal.rotate(), Err(CommitError::Full { .. })));
    disk.space(None);
    write(&mut journal, ["after"]);
    assert_eq!(journal.segments(), 1);
    assert_eq!(journal.rotate().unwrap().number(), 2);
    assert_eq!(journal.segments(), 2);
}

#[test]
fn a_segment_that_cannot_be_followed_goes_on_beyond_its_bound() {
    let disk = SimDisk::new(5);
    let (mut journal, _) = open(&disk).unwrap();
    disk.fail(Call::Create, 0, Fault::Io);
    write(
        &mut journal,
        (0..12).map(|number| format!("long enough to fill a segment {number}")),
    );
    assert!(journal.segments() > 1, "the next commit tries again");
    drop(journal);
    assert_eq!(read(disk).len(), 12);
}

#[test]
fn a_snapshot_that_fails_at_any_call_leaves_the_journal_as_it_was() {
    for call in [Call::Create, Call::Write, Call::Sync, Call::Rename] {
        for fault in [Fault::Io, Fault::Full] {
            let disk = SimDisk::new(9);
            let (mut journal, _) = open(&disk).unwrap();
            write(&mut journal, ["one", "two"]);
            let seq = journal.rotate().unwrap();
            disk.fail(call, 0, fault);
            let refused = journal.install_snapshot(seq, b"both");
            assert!(matches!(refused, Err(SnapshotError::Disk { .. })), "{call:?} {fault:?}");
            write(&mut journal, ["three"]);
            assert_eq!(texts(journal.replay().unwrap()), ["one", "two", "three"]);
            journal.install_snapshot(seq, b"both").unwrap();
            assert_eq!(texts(journal.replay().unwrap()), ["three"]);
        }
    }
}

#[test]
fn a_failed_sync_of_the_folder_closes_the_journal_and_no_later_one_is_believed() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let (mut journal, _) = open(&disk).unwrap();
        write(&mut journal, ["one", "two"]);
        let seq = journal.rotate().unwrap();
        write(&mut journal, ["three"]);
        disk.fail(Call::SyncFolder, 0, Fault::Io);
        let refused = journal.install_snapshot(seq, b"both").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "syncing simulated failed; nothing more is written until the journal is opened again and verified"
        );
        assert!(journal.is_closed());
        journal.append(b"refused").unwrap();
        assert!(matches!(journal.commit(), Err(CommitError::Closed { .. })));
        assert!(matches!(journal.rotate(), Err(CommitError::Closed { .. })));
        drop(journal);
        let (mut journal, recovered) = open(&disk).unwrap();
        assert_eq!(
            recovered.snapshot.unwrap().bytes,
            b"both",
            "its name is there, though not on disk"
        );
        write(&mut journal, ["four"]);
        drop(journal);
        disk.cut_power();
        let (_journal, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.snapshot.as_ref().unwrap().bytes, b"both", "seed {seed}");
        assert_eq!(texts(recovered), ["three", "four"], "seed {seed}");
    }
}

#[test]
fn a_snapshot_that_is_still_written_when_its_journal_is_opened_anew_gets_no_name() {
    let disk = SimDisk::new(9);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["one"]);
    let seq = journal.rotate().unwrap();
    let draft = journal.draft(seq).unwrap();
    drop(journal);
    let (mut journal, _) = open(&disk).unwrap();
    // Were it synced, and failed, nobody would tell the journal of today.
    disk.fail(Call::SyncFolder, 0, Fault::Io);
    let refused = draft.write(|to| to.write_all(b"one")).unwrap_err();
    assert!(
        matches!(refused, SnapshotError::Write(WriteError::Stale)),
        "{refused:?}"
    );
    disk.heal();
    assert!(disk.names().iter().all(|name| name.ends_with(".segment")), "{disk:?}");
    write(&mut journal, ["two"]);
    journal.rotate().unwrap();
}

#[test]
fn a_name_on_its_way_to_being_given_again_is_found_after_a_power_cut() {
    for name in ["00000000000000000001.snapshot", "00000000000000000002.segment"] {
        let disk = SimDisk::new(9);
        let (mut journal, _) = open(&disk).unwrap();
        write(&mut journal, ["one"]);
        let seq = journal.rotate().unwrap();
        journal.install_snapshot(seq, b"one is there").unwrap();
        write(&mut journal, ["two"]);
        drop(journal);
        let aside = format!("{name}.again");
        disk.put(&aside, &disk.content(name).unwrap());
        disk.take_away(name);
        let (_journal, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.snapshot.as_ref().unwrap().bytes, b"one is there");
        assert_eq!(texts(recovered), ["two"]);
        assert!(
            disk.content(&aside).is_none() && disk.content(name).is_some(),
            "{disk:?}"
        );
    }
}

#[test]
fn a_snapshot_needs_a_segment_behind_it_and_none_that_is_newer() {
    let disk = SimDisk::new(9);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["one"]);
    let settled = journal.settled();
    assert!(matches!(journal.draft(settled), Err(SnapshotError::NotRotated { .. })));
    let first = journal.rotate().unwrap();
    write(&mut journal, ["two"]);
    let second = journal.rotate().unwrap();
    let early = journal.draft(first).unwrap();
    journal.install_snapshot(second, b"both").unwrap();
    let written = early.write(|to| to.write_all(b"one")).unwrap();
    assert!(matches!(journal.install(&written), Err(SnapshotError::Outdated { .. })));
    drop(journal);
    let (_journal, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.snapshot.unwrap().bytes, b"both");
    assert_eq!(recovered.report.removed, 1, "the earlier one goes");
}

#[test]
fn what_is_too_large_or_too_much_at_once_is_refused_before_it_is_written() {
    let disk = SimDisk::new(9);
    let (mut journal, _) = open(&disk).unwrap();
    let most = SMALL.record_bytes_max;
    journal.append(&vec![1; most]).unwrap();
    let refused = journal.append(&vec![1; most + 1]).unwrap_err();
    assert_eq!(refused, AppendError::TooLarge { bytes: most + 1, most });
    assert!(journal.is_gathered());
    while journal.append(b"more").is_ok() {}
    assert_eq!(journal.append(b"more"), Err(AppendError::Gathered));
    assert!(journal.gathered() <= SMALL.gather_bytes + most + 24);
    journal.commit().unwrap();
    journal.append(b"more").unwrap();
}

#[test]
fn a_journal_that_cannot_be_is_refused_with_its_bound() {
    let wrong = |config: Config| config.check().unwrap_err();
    let records = |record_bytes_max| Config {
        record_bytes_max,
        ..SMALL
    };
    assert!(matches!(wrong(records(0)), ConfigError::Record { .. }));
    assert!(matches!(wrong(records((64 << 20) + 1)), ConfigError::Record { .. }));
    let queued_bytes_max = SMALL.record_bytes_max;
    assert!(matches!(
        wrong(Config {
            queued_bytes_max,
            ..SMALL
        }),
        ConfigError::Queued { .. }
    ));
    for nothing in [
        Config {
            segment_bytes: 0,
            ..SMALL
        },
        Config {
            gather_bytes: 0,
            ..SMALL
        },
    ] {
        assert_eq!(wrong(nothing), ConfigError::Nothing);
    }
    assert_eq!((SMALL.check(), Config::default().check()), (Ok(()), Ok(())));
}
