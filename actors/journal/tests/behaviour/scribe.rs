//! Many writers, one journal: the scribe in its tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use triarch_journal::metrics::{self, JOURNALS};
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_journal::{Config, JournalAddress, Recovered, Seq, WriteError, Writer, scribe};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;

use crate::{SMALL, open, read, texts, write};

/// Nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct House {
    pub(crate) disk: SimDisk,
    pub(crate) tree: Tree,
    address: JournalAddress,
    pub(crate) instruments: Instruments,
}

impl House {
    async fn with(config: Config) -> Self {
        Self::on(SimDisk::new(11), config).await
    }

    async fn on(disk: SimDisk, config: Config) -> Self {
        let instruments = Instruments::with_tree(&[JOURNALS]).unwrap();
        let (scribe, address) = scribe("scribe", "work", Arc::new(disk.clone()), config, &instruments).unwrap();
        let room = Supervisor::named("work").child(scribe);
        let tree = Root::new().supervisor(room).start().await.unwrap();
        Self {
            disk,
            tree,
            address,
            instruments,
        }
    }

    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn recover(&self) -> (Writer, Recovered) {
        self.address.recover().await.unwrap()
    }

    pub(crate) fn lives(&self) -> u64 {
        self.tree.observer().node("work/scribe").unwrap().incarnation
    }
}

fn text(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

#[tokio::test]
async fn a_write_is_on_disk_when_it_is_acknowledged() {
    let house = House::new().await;
    let (writer, recovered) = house.recover().await;
    assert_eq!(recovered.records.left(), 0);
    assert_eq!(writer.write(b"one".to_vec()).await.unwrap().number(), 1);
    assert_eq!(
        writer
            .write(vec![b"two".to_vec(), b"three".to_vec()])
            .await
            .unwrap()
            .number(),
        3
    );
    house.disk.cut_power();
    assert_eq!(read(house.disk.clone()), ["one", "two", "three"]);
}

#[tokio::test]
async fn writes_that_gather_share_one_sync_and_keep_their_order() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    let before = house.disk.syncs();
    let acks: Vec<_> = (1..=1000)
        .map(|number| writer.try_hand_over(text(number)).unwrap())
        .collect();
    for (at, ack) in acks.into_iter().enumerate() {
        assert_eq!(ack.await.unwrap().number(), at as u64 + 1);
    }
    let syncs = house.disk.syncs() - before;
    assert!(syncs < 20, "{syncs} syncs for 1,000 writes");
    let reading = house.instruments.read();
    let records = reading
        .iter()
        .find(|reading| reading.family.name == metrics::RECORDS.name)
        .unwrap();
    assert!(format!("{records:?}").contains("1000"), "{records:?}");
    house.tree.stop().await;
    assert_eq!(
        read(house.disk),
        (1..=1000).map(|number| number.to_string()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_is_handed_over_is_written_though_nobody_waits_for_it_and_the_tree_stops() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    let told = Arc::new(AtomicU64::new(0));
    for number in 1..=10 {
        let told = Arc::clone(&told);
        let then = move |outcome: Result<Seq, WriteError>| told.store(outcome.unwrap().number(), Ordering::SeqCst);
        writer.write_then(text(number), then).await.unwrap();
    }
    house.tree.stop().await;
    assert_eq!(told.load(Ordering::SeqCst), 10);
    assert!(matches!(writer.write(text(11)).await, Err(WriteError::Stale)));
    assert_eq!(read(house.disk).len(), 10);
}

#[tokio::test]
async fn a_full_disk_refuses_all_that_was_handed_over_until_its_writer_goes_on() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"before".to_vec()).await.unwrap();
    house.disk.space(Some(house.disk.used() + 20));
    let acks: Vec<_> = (0..5)
        .map(|number| writer.try_hand_over(text(number)).unwrap())
        .collect();
    for ack in acks {
        let refused = ack.await.unwrap_err();
        assert!(
            matches!(refused, WriteError::Full(_)) && refused.is_certain(),
            "{refused}"
        );
    }
    house.disk.space(None);
    assert!(matches!(
        writer.write(b"too soon".to_vec()).await,
        Err(WriteError::Full(_))
    ));
    writer.renew().unwrap();
    assert_eq!(writer.write(b"after".to_vec()).await.unwrap().number(), 2);
    let (_, recovered) = house.recover().await;
    assert_eq!(texts(recovered), ["before", "after"]);
    assert_eq!(house.lives(), 1);
}

#[tokio::test]
async fn what_has_room_behind_what_has_none_is_refused_with_it_or_the_journal_had_a_gap() {
    let config = Config {
        gather_bytes: 1,
        ..Config::default()
    };
    for rotates in [false, true] {
        let house = House::with(config).await;
        let (writer, _) = house.recover().await;
        writer.write(b"before".to_vec()).await.unwrap();
        house.disk.space(Some(house.disk.used() + 100));
        let first = writer.try_hand_over(vec![b'x'; 200]).unwrap();
        let rotation = rotates.then(|| writer.rotate().unwrap());
        let second = writer.try_hand_over(b"second".to_vec()).unwrap();
        let third = writer.try_hand_over(b"third".to_vec()).unwrap();
        for ack in [first, second, third] {
            assert!(matches!(ack.await, Err(WriteError::Full(_))));
        }
        if let Some(rotation) = rotation {
            assert!(matches!(rotation.await, Err(WriteError::Full(_))));
        }
        house.disk.space(None);
        writer.renew().unwrap();
        writer.write(b"after".to_vec()).await.unwrap();
        let (_, recovered) = house.recover().await;
        assert_eq!(texts(recovered), ["before", "after"]);
    }
}

#[tokio::test]
async fn a_failed_sync_closes_for_writes_until_the_journal_is_recovered() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"before".to_vec()).await.unwrap();
    house.disk.fail(Call::Sync, 0, Fault::Io);
    let failed = writer.write(b"unknown".to_vec()).await.unwrap_err();
    assert!(matches!(failed, WriteError::Failed(_)) && !failed.is_certain());
    assert!(matches!(
        writer.write(b"refused".to_vec()).await,
        Err(WriteError::Stale)
    ));
    assert!(
        matches!(writer.renew(), Err(WriteError::Stale)),
        "what is on disk is not known"
    );
    let (writer, recovered) = house.recover().await;
    assert_eq!(
        (recovered.report.adopted, texts(recovered)),
        (1, vec!["before".to_owned(), "unknown".to_owned()])
    );
    assert_eq!(writer.write(b"after".to_vec()).await.unwrap().number(), 3);
    house.disk.cut_power();
    assert_eq!(read(house.disk.clone()), ["before", "unknown", "after"]);
    assert_eq!(house.lives(), 1, "a bad disk is no failure of its agent");
}

#[tokio::test]
async fn a_journal_that_stays_broken_says_so_each_time_and_comes_back_with_its_disk() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    house.disk.fail(Call::Sync, 0, Fault::Io);
    writer.write(b"unknown".to_vec()).await.unwrap_err();
    for _ in 0..20 {
        house.disk.fail(Call::Sync, 0, Fault::Io);
        let refused = house.address.recover().await.unwrap_err();
        assert!(refused.to_string().contains("does not open"), "{refused}");
    }
    let (writer, _) = house.recover().await;
    writer.write(b"after".to_vec()).await.unwrap();
    assert_eq!(house.lives(), 1);
}

#[tokio::test]
async fn after_a_crash_the_next_life_opens_and_verifies_and_nothing_handed_over_before_comes_up() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"before".to_vec()).await.unwrap();
    let crash = writer.try_write_then(b"in hand".to_vec(), |_| panic!("a bad day"));
    crash.unwrap();
    let behind = writer.try_hand_over(b"behind".to_vec());
    if let Ok(behind) = behind {
        let outcome = tokio::time::timeout(PATIENCE, behind)
            .await
            .expect("nobody waits in vain");
        assert!(
            matches!(outcome, Ok(_) | Err(WriteError::Crashed | WriteError::Stale)),
            "{outcome:?}"
        );
    }
    let (again, recovered) = house.recover().await;
    let there = texts(recovered);
    assert_eq!(
        there[..2],
        ["before", "in hand"],
        "it was on disk when its writer failed"
    );
    assert_eq!(house.lives(), 2);
    assert!(matches!(
        writer.write(b"old right".to_vec()).await,
        Err(WriteError::Stale)
    ));
    assert_eq!(
        again.write(b"after".to_vec()).await.unwrap().number(),
        there.len() as u64 + 1
    );
}

#[tokio::test]
async fn a_rotation_behind_a_failed_write_says_that_it_did_not_happen() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    house.disk.fail(Call::Sync, 0, Fault::Io);
    let ack = writer.try_hand_over(b"unknown".to_vec()).unwrap();
    let rotation = writer.rotate().unwrap();
    assert!(matches!(ack.await, Err(WriteError::Failed(_))));
    assert!(matches!(rotation.await, Err(WriteError::Stale)));
}

#[tokio::test]
async fn a_refusal_that_panics_where_it_is_heard_fails_nobody_else() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    house.disk.fail(Call::Sync, 0, Fault::Io);
    for _ in 0..3 {
        let heard = |outcome: Result<Seq, WriteError>| assert!(outcome.is_ok(), "a bad day");
        writer.try_write_then(b"unknown".to_vec(), heard).unwrap();
    }
    let (writer, _) = house.recover().await;
    writer.write(b"after".to_vec()).await.unwrap();
    assert_eq!(house.lives(), 1);
}

#[tokio::test]
async fn who_recovers_takes_the_right_to_write_from_who_had_it() {
    let house = House::new().await;
    let (first, _) = house.recover().await;
    first.write(b"first".to_vec()).await.unwrap();
    let (second, recovered) = house.recover().await;
    assert_eq!(texts(recovered), ["first"]);
    assert!(matches!(first.write(b"late".to_vec()).await, Err(WriteError::Stale)));
    assert!(matches!(first.rotate(), Err(WriteError::Stale)));
    second.write(b"second".to_vec()).await.unwrap();
    let (_, recovered) = house.recover().await;
    assert_eq!(texts(recovered), ["first", "second"]);
}

#[tokio::test]
async fn too_much_at_once_is_held_back_and_refused_where_nobody_waits() {
    let house = House::with(SMALL).await;
    let (writer, _) = house.recover().await;
    let mut acks = Vec::new();
    let refused = loop {
        match writer.try_hand_over(vec![0; 900]) {
            Ok(ack) => acks.push(ack),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, WriteError::Busy), "{refused}");
    assert!(acks.len() <= SMALL.queued_bytes_max / 900);
    for _ in 0..50 {
        acks.push(writer.hand_over(vec![0; 900]).await.unwrap());
    }
    for ack in acks {
        ack.await.unwrap();
    }
    let large = writer.write(vec![0; SMALL.record_bytes_max + 1]).await;
    assert!(matches!(large, Err(WriteError::Refused(_))));
    let many = writer.write(vec![vec![0; 500], vec![0; 500]]).await;
    assert!(
        matches!(many, Err(WriteError::Refused(_))),
        "a batch has the bound of a record"
    );
}

#[tokio::test]
async fn what_is_said_to_fit_is_never_refused_as_too_large_and_the_next_byte_is() {
    let house = House::with(SMALL).await;
    let (writer, _) = house.recover().await;
    assert_eq!(writer.config(), house.address.config());
    let batches = [
        vec![0],
        vec![1000],
        vec![500, 476],
        vec![0; 41],
        vec![16; 25],
        vec![1; 40],
    ];
    for sizes in batches {
        for more in 0..2 {
            let sizes: Vec<_> = sizes.iter().copied().chain((0..more).map(|_| 1)).collect();
            let fits = writer.config().fits_together(sizes.iter().copied());
            let batch: Vec<_> = sizes.iter().map(|size| vec![7; *size]).collect();
            let written = writer.write(batch).await;
            assert_eq!(written.is_ok(), fits, "{sizes:?}: {written:?}");
            assert!(
                fits || matches!(written, Err(WriteError::Refused(_))),
                "{sizes:?}: {written:?}"
            );
        }
    }
    let most = SMALL.record_bytes_max;
    assert!(SMALL.fits(most) && !SMALL.fits(most + 1) && SMALL.fits_together([]));
    assert!(SMALL.fits_together([most]) && !SMALL.fits_together([most, 0]) && !SMALL.fits_together([usize::MAX, 1]));
}

#[tokio::test]
async fn a_journal_that_does_not_open_keeps_its_room_from_starting() {
    let disk = SimDisk::new(1);
    disk.put("00000000000000000001.segment", b"rubbish");
    let instruments = Instruments::with_tree(&[JOURNALS]).unwrap();
    let (scribe, _address) = scribe("scribe", "work", Arc::new(disk), SMALL, &instruments).unwrap();
    let started = Root::new()
        .supervisor(Supervisor::named("work").child(scribe))
        .start()
        .await;
    let error = format!("{:?}", started.unwrap_err());
    assert!(
        error.contains("00000000000000000001.segment is damaged at byte 0"),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_owner_is_given_what_the_scribe_has_read_when_it_started_and_the_next_what_is_there_then() {
    let disk = SimDisk::new(11);
    let (mut journal, _) = open(&disk).unwrap();
    write(&mut journal, ["one", "two"]);
    let seq = journal.rotate().unwrap();
    journal.install_snapshot(seq, b"both").unwrap();
    drop(journal);
    let house = House::on(disk, SMALL).await;
    house.disk.fail(Call::Read, 0, Fault::Io);
    let (writer, recovered) = house.recover().await;
    assert_eq!(recovered.snapshot.unwrap().bytes, b"both", "it was not read again");
    house.disk.heal();
    writer.write(b"three".to_vec()).await.unwrap();
    let (_, recovered) = house.recover().await;
    assert_eq!(recovered.snapshot.as_ref().unwrap().bytes, b"both");
    assert_eq!(texts(recovered), ["three"]);
}

#[tokio::test]
async fn what_a_scribe_shows_of_itself_is_what_it_found_and_where_it_is() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"one".to_vec()).await.unwrap();
    house.address.recover().await.unwrap();
    let state = house.tree.observer().state_of("work/scribe", PATIENCE).await.unwrap();
    let shown = format!("{state:?}");
    assert!(shown.contains("settled") && shown.contains("is_open"), "{shown}");
}
