//! A journal that fails and does not open again for a while: whoever writes is told so, and nothing comes twice.

use tokio::time::Instant;
use triarch_bus::{ArchiveError, ForgetError, When};
use triarch_journal::testing::{Call, Fault, REFUSING, SimDisk};

use super::*;

const HOUR: Duration = Duration::from_hours(1);
/// These two are more than one group has room for.
const LARGE: usize = 1_000_000;
const SMALL: usize = 60_000;

/// The next sync fails, and after it the journal does not open until the disk is healed.
fn breaks(disk: &SimDisk) {
    disk.fail(Call::Sync, 0, Fault::Io);
    for _ in 0..10_000 {
        disk.fail(Call::Read, 0, Fault::Io);
    }
}

fn text(first: char, size: usize) -> String {
    std::iter::once(first).chain("x".repeat(size).chars()).collect()
}

fn is_closed<T>(outcome: &Result<T, PublishError>) -> bool {
    matches!(outcome, Err(PublishError::Archive(ArchiveError::Closed { .. })))
}

/// How what is in the log begins.
fn beginnings(house: &House) -> Vec<char> {
    house.logged().iter().filter_map(|text| text.chars().next()).collect()
}

#[tokio::test]
async fn whoever_is_behind_what_closed_the_journal_is_told_so_at_once() {
    let disk = SimDisk::new(21);
    let house = House::on(Arc::new(disk.clone())).await;
    let (one, other) = (text('a', LARGE), text('b', SMALL));
    breaks(&disk);
    let (failed, closed) = tokio::join!(house.say("log.a", &one), house.say("log.a", &other));
    assert!(matches!(failed, Err(PublishError::NotStored(_))), "{failed:?}");
    assert!(is_closed(&closed), "{closed:?}");
    disk.heal();
    until("it opens again", async || house.say("log.b", "c").await.is_ok()).await;
    breaks(&disk);
    let plan = |text| house.plan(text, When::After(HOUR));
    let (failed, closed) = tokio::join!(plan(&one), plan(&other));
    assert!(matches!(failed, Err(PublishError::NotStored(_))), "{failed:?}");
    assert!(is_closed(&closed), "{closed:?}");
    disk.heal();
    house.stop().await;
}

#[tokio::test]
async fn what_is_due_while_the_journal_closes_comes_once_when_it_is_open() {
    let disk = SimDisk::new(22);
    let house = House::on(Arc::new(disk.clone())).await;
    let (one, other) = (text('a', LARGE), text('b', SMALL));
    let soon = When::After(Duration::from_millis(700));
    let plan = |text| house.plan(text, soon.clone());
    let (first, second) = tokio::join!(plan(&one), plan(&other));
    assert!(first.is_ok() && second.is_ok() && house.logged().is_empty());
    breaks(&disk);
    // Nothing else runs meanwhile, so that both are due at once.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_millis(700) {
        std::hint::spin_loop();
    }
    let tried = disk.calls();
    until("it is tried in vain", async || disk.calls() > tried).await;
    until("it is closed", async || is_closed(&house.say("other.a", "c").await)).await;
    disk.heal();
    // Others publish all the while, so that the archivist does not rest between what it is told.
    let crowd = async {
        loop {
            futures_util::future::join_all((0..500).map(|_| house.say("other.a", "c"))).await;
            // Where they are refused nothing was waited for.
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = crowd => {}
        () = until("both have come", async || beginnings(&house).len() >= 2) => {}
    }
    // What is due again would be there by now.
    until("another comes", async || {
        house.plan("d", When::After(Duration::ZERO)).await.is_ok()
    })
    .await;
    until("it came", async || beginnings(&house).contains(&'d')).await;
    let mut all = beginnings(&house);
    all.sort_unstable();
    assert_eq!(all, ['a', 'b', 'd']);
    house.stop().await;
}

#[tokio::test]
async fn a_closed_journal_refuses_every_order_by_its_name_and_takes_it_when_it_is_open() {
    let disk = SimDisk::new(23);
    let house = House::on(Arc::new(disk.clone())).await;
    let mut named = house.listen(all_of("log.*", "team/clerk").named("n"));
    house.say("log.a", "a").await.unwrap();
    assert_eq!(heard(&mut named, 1).await, ["a"]);
    drop(named);
    let late = house.plan("late", When::After(HOUR)).await.unwrap();
    breaks(&disk);
    until("it is closed", async || is_closed(&house.say("other.a", "c").await)).await;
    assert!(is_closed(&house.plan("later", When::After(HOUR)).await));
    let cancelled = house.bus.cancel(late).await;
    assert!(matches!(cancelled, Err(ArchiveError::Closed { .. })), "{cancelled:?}");
    let forgotten = house.bus.forget("team/clerk", "n").await;
    assert!(
        matches!(&forgotten, Err(ForgetError::Archive(ArchiveError::Closed { .. }))),
        "{forgotten:?}"
    );
    assert_eq!(house.bus.cursors().len(), 1, "it is still there");
    disk.heal();
    until("it opens again", async || house.say("other.a", "c").await.is_ok()).await;
    assert!(house.bus.cancel(late).await.unwrap() && !house.bus.cancel(late).await.unwrap());
    assert!(house.bus.forget("team/clerk", "n").await.unwrap());
    assert!(house.plan("later", When::After(HOUR)).await.is_ok());
    disk.cut_power();
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert!(house.bus.cursors().is_empty() && !house.bus.cancel(late).await.unwrap());
    house.stop().await;
}

#[tokio::test]
async fn what_comes_again_while_the_journal_is_closed_is_counted_as_left_out() {
    let disk = SimDisk::new(24);
    let house = House::on(Arc::new(disk.clone())).await;
    let step = Duration::from_millis(20);
    let every = When::Every {
        first: step,
        every: step,
    };
    assert!(house.plan("again", every).await.is_ok());
    let left_out = || house.count("triarch_bus_refused_total", "full");
    until("it comes", async || !house.logged().is_empty()).await;
    assert_eq!(left_out(), 0);
    breaks(&disk);
    until("it is left out", async || left_out() > 2).await;
    disk.heal();
    let before = house.logged().len();
    until("it comes again", async || house.logged().len() > before).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_or_failing_disk_is_told_at_once_and_written_soon_after_it_is_mended() {
    for refuse in REFUSING {
        let disk = SimDisk::new(1);
        let house = House::on(Arc::new(disk.clone())).await;
        house.say("log.a", "before").await.unwrap();
        refuse(&disk);
        for _ in 0..100 {
            let begun = Instant::now();
            house.say("log.a", "x").await.unwrap_err();
            assert!(begun.elapsed() <= Duration::from_millis(100), "{:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(730)).await;
        }
        disk.space(None);
        disk.heal();
        let mended = Instant::now();
        until("it is written again", async || house.say("log.a", "x").await.is_ok()).await;
        assert!(mended.elapsed() <= Duration::from_secs(2), "{:?}", mended.elapsed());
        house.stop().await;
    }
}
