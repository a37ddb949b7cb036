//! Snapshots that are written beside a scribe.

use std::time::Duration;

use triarch_journal::metrics;
use triarch_journal::testing::{Call, Fault};
use triarch_journal::{SnapshotError, WriteError};

use crate::scribe::House;
use crate::{open, read, texts};

/// Nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn until(mut is_so: impl FnMut() -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(tokio::time::Instant::now() < patience, "it never came");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_snapshot_stands_for_what_was_handed_over_before_its_rotation_and_nothing_else() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    let mut acks = vec![writer.try_hand_over(b"one".to_vec()).unwrap()];
    acks.push(writer.try_hand_over(b"two".to_vec()).unwrap());
    let draft = writer.rotate().unwrap();
    acks.push(writer.try_hand_over(b"three".to_vec()).unwrap());
    for ack in acks {
        ack.await.unwrap();
    }
    let draft = draft.await.unwrap();
    writer.write(b"four".to_vec()).await.unwrap();
    writer.snapshot(draft, |to| to.write_all(b"one and two")).await.unwrap();
    house.tree.stop().await;
    let (_journal, recovered) = open(&house.disk).unwrap();
    assert_eq!(recovered.snapshot.clone().unwrap().bytes, b"one and two");
    assert_eq!(texts(recovered), ["three", "four"]);
    assert_eq!(house.disk.names().len(), 2, "{:?}", house.disk);
}

#[tokio::test]
async fn a_rotation_says_that_there_is_a_snapshot_of_all_that_was_written() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"one".to_vec()).await.unwrap();
    let draft = writer.rotate().unwrap().await.unwrap();
    writer.snapshot(draft, |to| to.write_all(b"one")).await.unwrap();
    let again = writer.rotate().unwrap().await;
    assert!(matches!(again, Err(WriteError::Kept)), "{again:?}");
    writer.write(b"two".to_vec()).await.unwrap();
    writer.rotate().unwrap().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_whose_writer_fails_costs_nothing_but_itself() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"one".to_vec()).await.unwrap();
    let draft = writer.rotate().unwrap().await.unwrap();
    let failed = writer
        .snapshot(draft.clone(), |_| Err(std::io::Error::other("no ink")))
        .await;
    assert!(failed.unwrap_err().to_string().contains("try again later"));
    let failed = writer.snapshot(draft.clone(), |_| panic!("no pen")).await;
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .starts_with("the snapshot is not written")
    );
    writer.snapshot(draft, |to| to.write_all(b"one")).await.unwrap();
    let (_, recovered) = house.recover().await;
    assert_eq!(
        (recovered.snapshot.unwrap().bytes, recovered.records.left()),
        (b"one".to_vec(), 0)
    );
}

#[tokio::test]
async fn a_snapshot_whose_folder_is_not_synced_closes_for_writes_until_the_journal_is_recovered() {
    let house = House::new().await;
    let (writer, _) = house.recover().await;
    writer.write(b"one".to_vec()).await.unwrap();
    let draft = writer.rotate().unwrap().await.unwrap();
    house.disk.fail(Call::SyncFolder, 0, Fault::Io);
    let failed = writer.snapshot(draft.clone(), |to| to.write_all(b"one")).await;
    assert!(matches!(failed, Err(SnapshotError::Unsynced { .. })), "{failed:?}");
    let is_open = || {
        house
            .instruments
            .read()
            .into_iter()
            .find(|reading| reading.family.name == metrics::OPEN.name)
    };
    until(|| format!("{:?}", is_open()).contains("0.0")).await;
    assert!(matches!(
        writer.write(b"refused".to_vec()).await,
        Err(WriteError::Stale)
    ));
    let (writer, recovered) = house.recover().await;
    assert_eq!(recovered.snapshot.unwrap().bytes, b"one");
    let late = writer.snapshot(draft, |to| to.write_all(b"one")).await;
    assert!(matches!(late, Err(SnapshotError::Write(WriteError::Stale))), "{late:?}");
    writer.write(b"two".to_vec()).await.unwrap();
    house.disk.cut_power();
    assert_eq!(read(house.disk.clone()), ["two"]);
    assert_eq!(house.lives(), 1, "a bad disk is no failure of its agent");
}

/// What becomes of whoever writes a snapshot, after the disk was full.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Waits,
    HasNoRight,
    IsGone,
}

#[tokio::test]
async fn a_snapshot_that_met_a_full_disk_makes_room_on_it_whatever_became_of_its_writer() {
    for fate in [Fate::Waits, Fate::HasNoRight, Fate::IsGone] {
        let house = House::new().await;
        let (mut writer, _) = house.recover().await;
        writer.write(vec![7; 1 << 20]).await.unwrap();
        let old = house.disk.names();
        let draft = writer.rotate().unwrap().await.unwrap();
        let (release, held) = tokio::sync::oneshot::channel::<()>();
        let fill = move |to: &mut dyn std::io::Write| {
            let _released = held.blocking_recv();
            to.write_all(b"all of it")
        };
        let its = writer.clone();
        let mut snapshot = Some(Box::pin(its.snapshot(draft, fill)));
        let begun = tokio::time::timeout(Duration::from_millis(10), snapshot.as_mut().unwrap()).await;
        assert!(begun.is_err(), "it is held");
        house.disk.space(Some(house.disk.used() + 200));
        let refused = writer.write(vec![7; 1000]).await.unwrap_err();
        assert!(matches!(refused, WriteError::Full(_)), "{fate:?}: {refused}");
        match fate {
            Fate::Waits => {}
            Fate::HasNoRight => writer = house.recover().await.0,
            Fate::IsGone => snapshot = None,
        }
        drop(release);
        if let Some(snapshot) = snapshot {
            snapshot.await.unwrap();
        }
        if fate == Fate::Waits {
            assert!(!house.disk.names().contains(&old[0]), "{fate:?}: nobody has to write");
        }
        let patience = tokio::time::Instant::now() + PATIENCE;
        while writer.renew().is_ok() && writer.write(vec![7; 1000]).await.is_err() {
            assert!(tokio::time::Instant::now() < patience, "{fate:?}: {:?}", house.disk);
        }
        assert!(!house.disk.names().contains(&old[0]), "{fate:?}: {:?}", house.disk);
    }
}
