//! What is not as it was written: told apart, named, and never dropped in silence.

use proptest::prelude::*;
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_journal::{CutReason, OpenError};

use crate::{open, read, texts, write};

const FIRST: &str = "00000000000000000001.segment";
/// A header, and what a record takes beside its bytes.
const HEADER: u64 = 32;
const FRAME: u64 = 24;

/// Three records in one segment, which then rested.
fn three() -> SimDisk {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["one", "two", "three"]);
    journal.rest().unwrap();
    disk
}

/// Several segments of several records, which then rested.
fn many() -> SimDisk {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, (1..=40).map(|number| format!("record {number:02}")));
    journal.rest().unwrap();
    drop(journal);
    assert!(disk.names().len() > 3, "{disk:?}");
    disk
}

fn refusal(disk: &SimDisk) -> String {
    open(disk).unwrap_err().to_string()
}

fn change(disk: &SimDisk, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = disk.content(name).unwrap();
    change(&mut content);
    disk.put(name, &content);
}

/// Changes a header, so that its checksum holds again.
fn rewrite_head(content: &mut [u8], change: impl FnOnce(&mut [u8])) {
    change(content);
    let crc = crc32c::crc32c(&content[..28]);
    content[28..32].copy_from_slice(&crc.to_le_bytes());
}

/// Adds a record as a journal with that header writes it.
fn push(content: &mut Vec<u8>, seq: u64, record: &[u8]) {
    let seed = crc32c::crc32c(&content[..32]);
    let size = u32::try_from(record.len()).unwrap().to_le_bytes();
    let frame = [&size[..], &seq.to_le_bytes(), &(seq - 1).to_le_bytes(), record].concat();
    content.extend(crc32c::crc32c_append(seed, &frame).to_le_bytes());
    content.extend(frame);
}

#[test]
fn a_whole_record_out_of_its_turn_is_an_error_that_names_both() {
    let disk = three();
    let end = disk.content(FIRST).unwrap().len();
    change(&disk, FIRST, |content| push(content, 4, b"four"));
    assert_eq!(read(disk), ["one", "two", "three", "four"]);
    for seq in [2, 4, 6] {
        let disk = three();
        change(&disk, FIRST, |content| {
            push(content, 4, b"four");
            push(content, seq, b"out of its turn");
        });
        let offset = end as u64 + FRAME + 4;
        let expected = format!("is damaged at byte {offset}: record {seq} stands where 5 should");
        let error = refusal(&disk);
        assert!(error.contains(&expected), "{error} instead of {expected}");
    }
}

#[test]
fn segments_that_overlap_are_an_error_that_names_both() {
    let disk = three();
    let mut content = disk.content(FIRST).unwrap()[..32].to_vec();
    rewrite_head(&mut content, |head| head[20..28].copy_from_slice(&3_u64.to_le_bytes()));
    push(&mut content, 3, b"three");
    disk.put("00000000000000000003.segment", &content);
    let error = refusal(&disk);
    let expected = "its records overlap those of 00000000000000000003.segment; move it out of the folder";
    assert!(error.contains(FIRST) && error.ends_with(expected), "{error}");
}

#[test]
fn a_file_of_another_kind_under_the_name_of_a_segment_is_damaged() {
    let disk = three();
    change(&disk, FIRST, |content| rewrite_head(content, |head| head[10] = 2));
    assert!(matches!(open(&disk), Err(OpenError::Damaged { offset: 0, .. })));
}

#[test]
fn wherever_a_disk_fails_while_a_journal_is_opened_it_is_said_and_the_next_opening_finds_all() {
    let whole = many();
    let expected = read(whole);
    let mut refused = 0;
    for skipped in 0.. {
        let disk = many();
        disk.fail(Call::Read, skipped, Fault::Io);
        let Err(error) = open(&disk) else { break };
        assert!(matches!(error, OpenError::Disk { .. }), "{skipped}: {error}");
        refused += 1;
        disk.heal();
        assert_eq!(read(disk), expected, "{skipped}");
    }
    assert!(refused > 10, "only {refused} reads");
}

#[test]
fn what_breaks_after_it_was_verified_is_an_error_and_never_left_out() {
    for name in many().names().into_iter().filter(|name| name.ends_with(".segment")) {
        let disk = many();
        let (_journal, recovered) = open(&disk).unwrap();
        disk.flip_bit(&name, (HEADER + FRAME) * 8);
        let read: Vec<_> = recovered.records.collect();
        let (last, whole) = read.split_last().unwrap();
        assert!(last.is_err() && whole.iter().all(Result::is_ok), "{name}: {last:?}");
        let first: usize = name[..20].parse().unwrap();
        assert_eq!(whole.len(), first - 1, "{name}");
    }
}

#[test]
fn a_segment_that_goes_away_before_it_is_read_is_an_error_and_the_last_word() {
    let disk = many();
    let (_journal, recovered) = open(&disk).unwrap();
    disk.take_away(FIRST);
    let read: Vec<_> = recovered.records.collect();
    assert!(matches!(&read[..], [Err(OpenError::Disk { .. })]), "{read:?}");
}

#[test]
fn a_torn_tail_is_cut_off_and_reported() {
    for left in 1..FRAME + 5 {
        let disk = three();
        let last = HEADER + 2 * (FRAME + 3);
        change(&disk, FIRST, |content| {
            content.truncate(usize::try_from(last + left).unwrap());
        });
        let (_journal, recovered) = open(&disk).unwrap();
        let cut = recovered.report.cut.clone().unwrap();
        assert_eq!(
            (cut.file.as_str(), cut.offset, cut.bytes, cut.why),
            (FIRST, last, left, CutReason::Torn)
        );
        assert_eq!((recovered.report.records, recovered.report.bytes), (2, last));
        assert_eq!(texts(recovered), ["one", "two"]);
        assert_eq!(disk.content(FIRST).unwrap().len() as u64, last);
    }
}

#[test]
fn a_zeroed_tail_is_told_from_a_torn_one() {
    let disk = three();
    let end = disk.content(FIRST).unwrap().len() as u64;
    change(&disk, FIRST, |content| content.resize(content.len() + 5000, 0));
    let (_journal, recovered) = open(&disk).unwrap();
    let cut = recovered.report.cut.clone().unwrap();
    assert_eq!((cut.offset, cut.bytes, cut.why), (end, 5000, CutReason::Zeroed));
    assert_eq!(texts(recovered), ["one", "two", "three"]);
}

#[test]
fn what_was_cut_off_is_gone_for_good_and_its_number_is_given_again() {
    let disk = three();
    change(&disk, FIRST, |content| content.truncate(content.len() - 24 - 1));
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["3"]);
    drop(journal);
    disk.cut_power();
    assert_eq!(read(disk), ["one", "two", "3"]);
}

#[test]
fn a_flipped_bit_before_whole_records_is_an_error_that_says_where_and_what_to_do() {
    let disk = three();
    disk.flip_bit(FIRST, (HEADER + FRAME + 3 + FRAME) * 8);
    let expected = "simulated/00000000000000000001.segment is damaged at byte 59: record 2 does not have its checksum, and \
        records behind it do; copy the folder away, then restore it from a backup, or cut it by hand and lose what follows";
    assert_eq!(refusal(&disk), expected);
    assert_eq!(refusal(&disk), expected, "nothing of it was touched");
}

#[test]
fn a_flipped_bit_in_the_last_record_is_an_error_where_the_journal_rested() {
    let disk = three();
    let last = HEADER + 2 * (FRAME + 3);
    disk.flip_bit(FIRST, (last + FRAME) * 8);
    assert!(matches!(open(&disk), Err(OpenError::Damaged { offset, .. }) if offset == last));
}

#[test]
fn a_flipped_bit_in_an_earlier_segment_is_an_error_that_names_it() {
    let disk = many();
    disk.flip_bit(FIRST, (HEADER + FRAME) * 8);
    let error = refusal(&disk);
    assert!(
        error.starts_with("simulated/00000000000000000001.segment is damaged at byte 32: record 1"),
        "{error}"
    );
}

#[test]
fn a_missing_segment_is_told_by_the_records_that_lay_in_it() {
    let names = many().names();
    let segments: Vec<_> = names.iter().filter(|name| name.ends_with(".segment")).collect();
    let first = |name: &str| name[..20].parse::<u64>().unwrap();
    for (at, name) in segments.iter().enumerate().take(segments.len() - 1) {
        let disk = many();
        disk.take_away(name);
        let error = refusal(&disk);
        let expected = format!("records {} to {} are missing", first(name), first(segments[at + 1]) - 1);
        assert!(error.starts_with(&expected), "{error} instead of {expected}");
    }
}

#[test]
fn a_duplicated_segment_is_told_from_a_missing_one() {
    let disk = many();
    disk.put("00000000000000000041.segment", &disk.content(FIRST).unwrap());
    let expected = "simulated/00000000000000000041.segment does not belong here: it is a copy of 00000000000000000001.segment; \
        move it out of the folder";
    assert_eq!(refusal(&disk), expected);
}

#[test]
fn a_segment_of_another_journal_does_not_belong() {
    let disk = many();
    let other = SimDisk::new(2);
    let (mut journal, _) = open(&other).unwrap();
    write(&mut journal, (1..=40).map(|number| format!("record {number:02}")));
    let second = disk.names().into_iter().nth(1).unwrap();
    disk.put(&second, &other.content(&second).unwrap());
    let error = refusal(&disk);
    assert_eq!(
        error,
        format!(
            "simulated/{second} does not belong here: it is a segment of another journal; move it out of the folder"
        )
    );
}

#[test]
fn files_whose_names_no_journal_gives_are_left_alone() {
    let disk = three();
    let names = [
        "00000000000000000000.segment",
        "18446744073709551615.snapshot",
        "1.segment",
        "notes.txt",
    ];
    for name in names {
        disk.put(name, b"rubbish");
    }
    let (_journal, recovered) = open(&disk).unwrap();
    assert_eq!(texts(recovered), ["one", "two", "three"]);
    assert!(names.iter().all(|name| disk.content(name).is_some()));
}

#[test]
fn a_snapshot_may_stand_for_nothing_yet() {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let seq = journal.rotate().unwrap();
    journal.install_snapshot(seq, b"nothing").unwrap();
    write(&mut journal, ["one"]);
    drop(journal);
    let (_journal, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.snapshot.clone().unwrap().bytes, b"nothing");
    assert_eq!(texts(recovered), ["one"]);
}

#[test]
fn a_damaged_header_is_an_error_even_in_the_last_segment() {
    for content in [&b""[..], b"TRIARCHJ", &[0; 32]] {
        let disk = three();
        disk.put(FIRST, content);
        assert!(matches!(open(&disk), Err(OpenError::Damaged { offset: 0, .. })));
    }
}

#[test]
fn a_later_format_is_refused_by_name() {
    let disk = three();
    change(&disk, FIRST, |content| rewrite_head(content, |head| head[8] = 2));
    let expected = "simulated/00000000000000000001.segment is of format 2, and this version reads format 1; start the \
        version that wrote it, or a later one";
    assert_eq!(refusal(&disk), expected);
}

#[test]
fn a_damaged_snapshot_is_an_error_and_so_is_one_that_lost_its_end() {
    for end in [None, Some(40), Some(0)] {
        let disk = SimDisk::new(1);
        let (mut journal, _) = open(&disk).unwrap();
        write(&mut journal, ["one"]);
        let seq = journal.rotate().unwrap();
        journal.install_snapshot(seq, b"one is there").unwrap();
        drop(journal);
        let name = "00000000000000000001.snapshot";
        match end {
            Some(end) => change(&disk, name, |content| content.truncate(end)),
            None => disk.flip_bit(name, 35 * 8),
        }
        let error = refusal(&disk);
        assert!(
            error.starts_with("simulated/00000000000000000001.snapshot is damaged at byte"),
            "{error}"
        );
    }
}

#[test]
fn a_snapshot_without_the_segment_behind_it_misses_that() {
    let disk = three();
    let (mut journal, _) = open(&disk).unwrap();
    let seq = journal.rotate().unwrap();
    journal.install_snapshot(seq, b"all three").unwrap();
    drop(journal);
    disk.take_away("00000000000000000004.segment");
    assert!(matches!(open(&disk), Err(OpenError::Missing { from, .. }) if from.number() == 4));
}

#[test]
fn a_lost_segment_behind_the_snapshot_is_missed_though_older_ones_are_still_there() {
    // With how much of what the snapshot stands for is there yet; with the last of it, and without.
    for lost in [1, 2] {
        let disk = SimDisk::new(1);
        let (mut journal, _) = open(&disk).unwrap();
        write(&mut journal, ["one", "two"]);
        journal.rotate().unwrap();
        write(&mut journal, ["three"]);
        let seq = journal.rotate().unwrap();
        let draft = journal.draft(seq).unwrap();
        write(&mut journal, ["four", "five"]);
        // It is not installed, so nothing makes way for it.
        draft.write(|to| to.write_all(b"all three")).unwrap();
        drop(journal);
        for segment in disk
            .names()
            .iter()
            .filter(|name| name.ends_with(".segment"))
            .rev()
            .take(lost)
        {
            disk.take_away(segment);
        }
        assert_eq!(
            refusal(&disk),
            "records 4 to 4 are missing: they lie neither in a snapshot nor in a segment of simulated; put the lost file \
             back, or restore the folder from a backup",
            "{lost} lost"
        );
    }
}

#[test]
fn a_lost_segment_behind_the_snapshot_is_told_from_those_that_follow() {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["one", "two"]);
    let seq = journal.rotate().unwrap();
    let draft = journal.draft(seq).unwrap();
    write(&mut journal, ["three", "four"]);
    journal.rotate().unwrap();
    draft.write(|to| to.write_all(b"both")).unwrap();
    drop(journal);
    disk.take_away("00000000000000000003.segment");
    assert!(
        refusal(&disk).starts_with("records 3 to 4 are missing"),
        "{}",
        refusal(&disk)
    );
}

#[test]
fn a_record_that_holds_the_bytes_of_a_journal_is_a_record_like_any_other() {
    let disk = three();
    let (mut journal, _) = open(&disk).unwrap();
    let hostile = disk.content(FIRST).unwrap();
    journal.append(&hostile).unwrap();
    journal.commit().unwrap();
    drop(journal);
    change(&disk, FIRST, |content| content.truncate(content.len() - 1));
    let (_journal, recovered) = open(&disk).unwrap();
    assert_eq!(
        texts(recovered),
        ["one", "two", "three"],
        "what it holds proves nothing"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bit_flips_nothing_is_lost_in_silence(file in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let disk = many();
        let (mut journal, _) = open(&disk).unwrap();
        let seq = journal.rotate().unwrap();
        write(&mut journal, ["41"]);
        journal.install_snapshot(seq, b"forty").unwrap();
        write(&mut journal, ["42"]);
        journal.rest().unwrap();
        drop(journal);
        let names = disk.names();
        let name = file.get(&names);
        let bits = disk.content(name).unwrap().len() * 8;
        disk.flip_bit(name, bit.index(bits) as u64);
        if let Ok((_journal, recovered)) = open(&disk) {
            // The bit was in a mark, which says nothing that is not there.
            prop_assert_eq!(&recovered.snapshot.as_ref().unwrap().bytes, b"forty");
            prop_assert_eq!(texts(recovered), ["41", "42"]);
        }
    }

    #[test]
    fn whatever_a_segment_holds_it_is_read_or_refused(content in prop::collection::vec(any::<u8>(), 0..2000), keep in 0usize..200) {
        let disk = three();
        change(&disk, FIRST, |there| {
            there.truncate(keep);
            there.extend(content);
        });
        if let Ok((_journal, recovered)) = open(&disk) {
            let records: Vec<_> = recovered.records.map(|record| record.unwrap().bytes).collect();
            let written: [&[u8]; 3] = [b"one", b"two", b"three"];
            prop_assert!(records.len() <= 3);
            prop_assert!(written.iter().zip(&records).all(|(written, read)| written == read));
        }
    }
}
