//! Subscriptions that change their terms, and configurations that change their logs.

use triarch_bus::{Class, Terms, WhenFull};
use triarch_journal::testing::SimDisk;

use super::*;

#[tokio::test]
async fn a_name_that_asks_again_with_a_smaller_bound_loses_nothing_of_its_log() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter] {
        let disk = SimDisk::new(18);
        let house = House::on(Arc::new(disk.clone())).await;
        let named = |bound| {
            let terms = Terms::of(Class::AtLeastOnce).bound(bound).when_full(when_full);
            all_of("log.*", "team/clerk")
                .named("books")
                .from(Start::First)
                .terms(terms)
        };
        for number in 0..40 {
            house.say("log.a", &number.to_string()).await.unwrap();
        }
        let first = house.listen(named(1024));
        let mut second = house.listen(named(2));
        assert_eq!(first.subscription(), second.subscription());
        assert_eq!(heard(&mut second, 20).await, numbers(0..20), "{when_full:?}");
        let tally = house.bus.tally();
        assert_eq!((tally.dropped, tally.dead), (0, 0), "{when_full:?}");
        drop((first, second));
        house.stop().await;
        disk.cut_power();
        let house = House::on(Arc::new(disk)).await;
        assert_eq!(house.bus.cursors()[0].floor, 20, "{when_full:?}");
        let mut third = house.listen(named(2));
        assert_eq!(heard(&mut third, 20).await, numbers(20..40), "{when_full:?}");
        house.stop().await;
    }
}

#[tokio::test]
async fn a_log_that_is_named_no_more_is_kept_until_somebody_forgets_it() {
    let disk = SimDisk::new(20);
    let house = House::on(Arc::new(disk.clone())).await;
    for number in 0..3 {
        house.say("log.a", &number.to_string()).await.unwrap();
    }
    let log = Pattern::new("log.**").unwrap();
    let refused = house.bus.forget_log(&log).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the log log.** is one of `bus.durable`; take it out there and start again, then forget it"
    );
    drop(house.listen(all_of("log.*", "team/clerk").named("books").from(Start::First)));
    house.stop().await;
    let without = || Config {
        durable: vec![durable("other.*")],
        ..Config::default()
    };
    let journal = triarch_journal::Config::default();
    let seen = |house: &House| {
        let logs = house.bus.logs().into_iter();
        logs.map(|log| (log.topics.to_string(), log.first, log.next, log.is_named))
            .collect::<Vec<_>>()
    };
    let other = || ("other.*".to_owned(), 0, 0, true);
    // It is there in the second life too, by the snapshot or by what stands behind it.
    for run in 2..4 {
        let house = House::with(Arc::new(disk.clone()), without(), journal, run).await;
        assert_eq!(seen(&house), [other(), ("log.**".to_owned(), 0, 3, false)]);
        house.stop().await;
    }
    let house = House::on(Arc::new(disk.clone())).await;
    assert_eq!(house.logged(), numbers(0..3), "it is named again");
    house.stop().await;
    let house = House::with(Arc::new(disk.clone()), without(), journal, 5).await;
    assert!(house.bus.forget_log(&log).await.unwrap());
    assert!(!house.bus.forget_log(&log).await.unwrap(), "nothing is left of it");
    assert_eq!(seen(&house), [other()]);
    disk.cut_power();
    house.stop().await;
    let house = House::with(Arc::new(disk.clone()), without(), journal, 6).await;
    assert_eq!(seen(&house), [other()]);
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert!(house.logged().is_empty());
    let stored = house.say("log.a", "3").await.unwrap();
    assert!(stored.offset > 2, "no place is given twice: {}", stored.offset);
    let mut clerk = house.listen(all_of("log.*", "team/clerk").named("books"));
    assert_eq!(heard(&mut clerk, 1).await, ["3"], "its name has its place still");
    house.stop().await;
}

#[tokio::test]
async fn of_two_logs_that_stand_for_a_topic_the_one_that_has_it_is_told_first() {
    let config = Config {
        durable: vec![durable("log.**"), durable("log.*")],
        ..Config::default()
    };
    let journal = triarch_journal::Config::default();
    let house = House::with(Arc::new(SimDisk::new(21)), config, journal, 1).await;
    house.say("log.a", "0").await.unwrap();
    let logs: Vec<_> = house
        .bus
        .logs()
        .into_iter()
        .map(|log| (log.topics.to_string(), log.next))
        .collect();
    assert_eq!(logs, [("log.**".to_owned(), 1), ("log.*".to_owned(), 0)]);
    house.stop().await;
}
