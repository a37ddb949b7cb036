use triarch_bus::{ArchiveError, Class, Filter, ForgetError, Pick, Start, SubscribeError, Terms, When};
use triarch_journal::testing::SimDisk;

use super::*;

#[tokio::test]
async fn what_is_acknowledged_is_read_again_in_another_life_of_the_runtime() {
    let disk = SimDisk::new(1);
    let house = House::on(Arc::new(disk.clone())).await;
    let mut live = house.listen(all_of("**", "team/live"));
    for number in 0..5 {
        let stored = house.say("log.a", &number.to_string()).await.unwrap();
        assert_eq!((stored.offset, stored.matched), (number, 1));
    }
    assert_eq!(
        house.say("other.a", "x").await.unwrap().offset,
        0,
        "each log counts for itself"
    );
    assert_eq!(heard(&mut live, 5).await, numbers(0..5));
    let all = Pattern::new("log.**").unwrap();
    let before = house.bus.stored("team/me", &all, Start::First, 99).unwrap();
    disk.cut_power();
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    let after = house.bus.stored("team/me", &all, Start::First, 99).unwrap();
    assert_eq!((after.len(), &after), (5, &before));
    assert_eq!(house.say("log.a", "5").await.unwrap().offset, 5);
    let logs = house.bus.logs();
    assert_eq!((logs.len(), logs[0].first, logs[0].next), (2, 0, 6));
    house.stop().await;
}

#[tokio::test]
async fn whoever_comes_later_begins_where_it_likes() {
    let house = House::on(Arc::new(SimDisk::new(2))).await;
    for number in 0..10 {
        let topic = ["log.even", "log.odd"][number % 2];
        house.say(topic, &number.to_string()).await.unwrap();
    }
    let all = Pattern::new("log.**").unwrap();
    let time = house.bus.stored("team/me", &all, Start::Offset(7), 1).unwrap()[0]
        .envelope
        .time;
    for (pattern, start, expected) in [
        ("log.**", Start::First, numbers(0..10)),
        ("log.**", Start::Offset(8), numbers(8..10)),
        ("log.**", Start::Offset(99), vec![]),
        ("log.even", Start::Offset(3), ["4", "6", "8"].map(String::from).to_vec()),
        ("log.**", Start::Time(time), numbers(7..10)),
        ("log.**", Start::Next, vec![]),
    ] {
        let mut listener = house.listen(all_of(pattern, "team/late").from(start));
        assert_eq!(
            heard(&mut listener, expected.len()).await,
            expected,
            "{pattern} {start:?}"
        );
        house.say("log.even", "more").await.unwrap();
        assert_eq!(heard(&mut listener, 1).await, ["more"], "{pattern} {start:?}");
        let again = house
            .bus
            .stored("team/me", &Pattern::new(pattern).unwrap(), start, 99)
            .unwrap();
        let is_more = |one: &&triarch_bus::StoredEnvelope| one.envelope.payload.as_bytes() == b"more";
        let texts = again.iter().filter(|one| !is_more(one)).count();
        assert_eq!(texts, expected.len(), "{pattern} {start:?}");
    }
    let filter = Filter::new("topic eq \"log.odd\"").unwrap();
    let mut odd = house.listen(all_of("log.*", "team/odd").from(Start::First).filter(filter));
    assert_eq!(heard(&mut odd, 5).await, ["1", "3", "5", "7", "9"]);
    drop(odd);
    assert!(house.bus.tally().is_balanced() && house.bus.tally().waiting == 0);
    house.stop().await;
}

#[tokio::test]
async fn those_who_read_a_log_count_among_the_subscriptions_of_its_topics() {
    let house = House::on(Arc::new(SimDisk::new(12))).await;
    house.say("log.a", "0").await.unwrap();
    let subscriptions = || house.bus.topics()[0].subscriptions;
    assert_eq!(subscriptions(), 0);
    let _live = house.listen(all_of("log.a", "team/live"));
    let reader = house.listen(all_of("log.*", "team/reader").from(Start::First));
    let _of_others = house.listen(all_of("log.b", "team/other").from(Start::First));
    let topic = Topic::new("log.a").unwrap();
    assert_eq!((subscriptions(), house.bus.readers(&topic)), (2, 1));
    let stored = house.say("log.a", "1").await.unwrap();
    assert_eq!(stored.matched, 1, "who reads the log comes by it");
    drop(reader);
    assert_eq!((subscriptions(), house.bus.readers(&topic)), (1, 0));
    house.stop().await;
    let house = house_of_the_office(19).await;
    house.say_as("office/a", "log.pay", "0").await.unwrap();
    let from_the_first = |who| house.listen(all_of("log.*", who).from(Start::First));
    let _readers = (from_the_first("shop/a"), from_the_first("office/a"));
    let readers = (house.bus.topics()[0].subscriptions, house.bus.readers(&topic));
    let limited = house.bus.readers(&Topic::new("log.pay").unwrap());
    assert_eq!((readers, limited), ((1, 2), 1), "only those whose team may have it");
    house.stop().await;
}

#[tokio::test]
async fn a_name_goes_on_where_it_acknowledged() {
    let disk = SimDisk::new(3);
    let house = House::on(Arc::new(disk.clone())).await;
    let named = || {
        let terms = Terms::default().bound(4);
        all_of("log.*", "team/clerk")
            .named("books")
            .from(Start::First)
            .terms(terms)
    };
    for number in 0..10 {
        house.say("log.a", &number.to_string()).await.unwrap();
    }
    let mut clerk = house.listen(named());
    assert_eq!(heard(&mut clerk, 3).await, numbers(0..3));
    let third = next(&mut clerk).await;
    let fourth = next(&mut clerk).await;
    assert!(fourth.acknowledge());
    assert_eq!(house.bus.cursors()[0].floor, 3);
    // Whatever is acknowledged before goes to disk with it.
    house.say("log.a", "10").await.unwrap();
    disk.cut_power();
    drop((third, clerk));
    let dead = house.bus.dead_letters(&triarch_bus::Query::default(), 0, 9);
    assert!(
        dead.is_empty() && house.bus.tally().waiting == 0,
        "what is in the log stays there"
    );
    house.stop().await;
    let house = House::on(Arc::new(disk.clone())).await;
    assert_eq!((house.bus.cursors()[0].floor, house.bus.cursors()[0].lag), (3, 8));
    let mut clerk = house.listen(named());
    let expected: Vec<_> = ["3"].into_iter().map(String::from).chain(numbers(5..11)).collect();
    assert_eq!(heard(&mut clerk, 7).await, expected);
    assert!(clerk.try_next().is_none());
    assert_eq!(house.bus.subscriptions()[0].behind, Some(0));
    assert!(house.bus.cursors()[0].is_attended);
    let attended = house.bus.forget("team/clerk", "books").await.unwrap_err();
    assert!(matches!(attended, ForgetError::Attended { .. }), "{attended}");
    drop(clerk);
    assert!(!house.bus.cursors()[0].is_attended);
    assert!(house.bus.forget("team/clerk", "books").await.unwrap());
    assert!(!house.bus.forget("team/clerk", "books").await.unwrap());
    disk.cut_power();
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert_eq!(house.bus.cursors(), []);
    let mut clerk = house.listen(named());
    assert_eq!(heard(&mut clerk, 11).await, numbers(0..11));
    house.stop().await;
}

#[tokio::test]
async fn a_name_is_one_subscription_whatever_its_pattern_and_stays_in_its_log() {
    let house = House::on(Arc::new(SimDisk::new(4))).await;
    let named = |pattern: &str| all_of(pattern, "team/clerk").named("books").from(Start::First);
    for number in 0..4 {
        house
            .say(["log.a", "log.b"][number % 2], &number.to_string())
            .await
            .unwrap();
    }
    let mut first = house.listen(named("log.a"));
    assert_eq!(heard(&mut first, 1).await, ["0"]);
    let mut second = house.listen(named("log.b").filter(Filter::new("kind exists").unwrap()));
    assert_eq!(first.subscription(), second.subscription());
    assert!(house.bus.subscriptions()[0].class == Class::AtLeastOnce);
    house.say("log.b", "4").await.unwrap();
    assert_eq!(
        heard(&mut second, 2).await,
        ["2", "4"],
        "what waits comes, and what was passed does not"
    );
    for (refused, is_it) in [
        (named("other.*"), false),
        (named("log.*").group("g", Pick::Random), true),
    ] {
        let refused = house.bus.listen(refused).unwrap_err();
        assert_eq!(matches!(refused, SubscribeError::GroupOfReaders), is_it, "{refused}");
        assert_eq!(matches!(refused, SubscribeError::OtherLog { .. }), !is_it, "{refused}");
    }
    let wide = house.bus.listen(all_of("**", "x").from(Start::First)).unwrap_err();
    assert!(
        matches!(wide, SubscribeError::Archive(ArchiveError::NotOneLog { .. })),
        "{wide}"
    );
    house.stop().await;
}

#[tokio::test]
async fn a_log_keeps_what_its_bounds_allow_and_whoever_was_slower_is_told_how_much_it_missed() {
    let few = DurableConfig {
        messages: 10,
        ..durable("log.**")
    };
    let config = Config {
        durable: vec![few],
        ..Config::default()
    };
    let disk = SimDisk::new(5);
    let journal = triarch_journal::Config::default();
    let house = House::with(Arc::new(disk.clone()), config.clone(), journal, 1).await;
    let named = || {
        let mut terms = Terms::of(Class::AtLeastOnce).bound(2);
        terms.in_hand = 1;
        all_of("log.*", "team/slow").named("n").from(Start::First).terms(terms)
    };
    let mut slow = house.listen(named());
    house.say("log.a", "0").await.unwrap();
    let zero = next(&mut slow).await;
    for number in 1..40 {
        house.say("log.a", &number.to_string()).await.unwrap();
    }
    assert!(zero.acknowledge());
    // One lay in its inbox.
    let expected: Vec<_> = numbers(1..2).into_iter().chain(numbers(30..40)).collect();
    assert_eq!(heard(&mut slow, 11).await, expected);
    let tally = house.bus.tally();
    assert_eq!((tally.dropped, tally.delivered, tally.is_balanced()), (28, 12, true));
    house.say("log.a", "40").await.unwrap();
    assert_eq!(house.bus.cursors()[0].floor, 40);
    drop(slow);
    house.stop().await;
    let house = House::with(Arc::new(disk), config, journal, 2).await;
    assert_eq!((house.bus.logs()[0].first, house.bus.logs()[0].next), (31, 41));
    house.stop().await;
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_and_loses_nothing_that_is_kept() {
    let house = House::on(Arc::new(SimDisk::new(6))).await;
    let mut slow = house.listen(all_of("log.*", "team/slow").named("n").terms(Terms::default().bound(3)));
    let mut quick = house.listen(all_of("log.*", "team/quick").named("n"));
    let first = {
        house.say("log.a", "0").await.unwrap();
        next(&mut slow).await
    };
    for number in 1..100 {
        house.say("log.a", &number.to_string()).await.unwrap();
    }
    assert_eq!(heard(&mut quick, 100).await, numbers(0..100));
    assert!(first.acknowledge());
    assert_eq!(heard(&mut slow, 99).await, numbers(1..100));
    assert_eq!(house.bus.tally().dropped, 0);
    house.stop().await;
}

#[tokio::test]
async fn who_reads_what_is_seldom_for_it_finds_all_of_it_among_many() {
    const MANY: u64 = 13_000;
    let house = House::on(Arc::new(SimDisk::new(7))).await;
    let (bus, patience) = (&house.bus, PATIENCE);
    let publish = async |number: u64| {
        let at = if number.is_multiple_of(12_900) {
            "log.rare"
        } else {
            "log.common"
        };
        let draft = Draft::new("n", Payload::bytes(number.to_string().as_bytes()));
        tokio::time::timeout(patience, bus.publish_durably("team/me", &topic(at), draft)).await
    };
    for from in (0..MANY).step_by(500) {
        let all = (from..from + 500).map(publish);
        for published in futures_util::future::join_all(all).await {
            published.unwrap().unwrap();
        }
    }
    let mut rare = house.listen(all_of("log.rare", "team/rare").named("n").from(Start::First));
    assert_eq!(heard(&mut rare, 2).await, ["0", "12900"]);
    let mut all = house.listen(
        all_of("log.**", "team/all")
            .from(Start::First)
            .terms(Terms::default().bound(64)),
    );
    assert_eq!(heard(&mut all, usize::try_from(MANY).unwrap()).await, numbers(0..MANY));
    house.stop().await;
}

#[tokio::test]
async fn what_is_poisonous_is_dead_and_the_name_goes_on() {
    let house = House::on(Arc::new(SimDisk::new(8))).await;
    let mut terms = Terms::of(Class::AtLeastOnce);
    terms.retry.tries = 1;
    let mut clerk = house.listen(all_of("log.*", "team/clerk").named("n").terms(terms));
    house.say("log.a", "poison").await.unwrap();
    next(&mut clerk).await.fail("no taste");
    house.say("log.a", "food").await.unwrap();
    assert_eq!(heard(&mut clerk, 1).await, ["food"]);
    assert_eq!(house.bus.cursors()[0].floor, 2);
    assert_eq!(house.bus.dead_letters(&triarch_bus::Query::default(), 0, 9).len(), 1);
    house.bus.replay(1).unwrap();
    assert_eq!(heard(&mut clerk, 1).await, ["poison"]);
    house.stop().await;
}

#[tokio::test]
async fn a_durable_topic_takes_only_what_waits_for_the_disk_and_others_take_only_the_rest() {
    let house = House::on(Arc::new(SimDisk::new(9))).await;
    let draft = || Draft::new("n", Payload::bytes(*b"x"));
    let sync = house.bus.publish("team/me", &topic("log.a"), draft()).unwrap_err();
    assert!(matches!(sync, PublishError::Durable { .. }), "{sync}");
    let other = house
        .bus
        .publish_durably("team/me", &topic("plain"), draft())
        .await
        .unwrap_err();
    assert!(matches!(other, PublishError::NotDurable { .. }), "{other}");
    // What is planned goes to disk by itself.
    let mut listener = house.listen(all_of("log.*", "team/me").named("n"));
    house
        .bus
        .publish_later_durably("team/me", &topic("log.a"), draft(), When::After(Duration::ZERO))
        .await
        .unwrap();
    assert_eq!(heard(&mut listener, 1).await, ["x"]);
    assert_eq!(
        house
            .bus
            .stored("team/me", &Pattern::new("log.a").unwrap(), Start::First, 9)
            .unwrap()
            .len(),
        1
    );
    house.stop().await;
    let instruments = Instruments::with_tree(&[BUS]).unwrap();
    let bus = Bus::new(config(), 1, &instruments).unwrap();
    let no_disk = bus
        .publish_durably("team/me", &topic("log.a"), draft())
        .await
        .unwrap_err();
    assert!(
        matches!(no_disk, PublishError::Archive(ArchiveError::NoDisk)),
        "{no_disk}"
    );
}

#[tokio::test]
async fn what_is_too_old_goes_by_itself_and_what_nobody_needs_any_more_is_not_read() {
    let short = DurableConfig {
        age: Duration::from_secs(1),
        ..durable("log.**")
    };
    let config = Config {
        durable: vec![short, durable("other.*")],
        ..Config::default()
    };
    let house = House::with(
        Arc::new(SimDisk::new(10)),
        config,
        triarch_journal::Config::default(),
        1,
    )
    .await;
    house.say("log.a", "old").await.unwrap();
    let draft = Draft::new("n", Payload::bytes(*b"late")).ttl(Duration::from_millis(500));
    house
        .bus
        .publish_durably("team/me", &topic("other.a"), draft)
        .await
        .unwrap();
    house.say("other.a", "kept").await.unwrap();
    let waiting = async {
        while house.bus.logs()[0].first == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it goes");
    assert_eq!(house.bus.logs()[0].next, 1);
    let mut reader = house.listen(all_of("other.*", "team/r").named("n").from(Start::First));
    assert_eq!(heard(&mut reader, 1).await, ["kept"]);
    let dead = house.bus.dead_letters(&triarch_bus::Query::default(), 0, 9);
    assert_eq!(dead[0].cause, triarch_bus::Cause::Expired);
    assert_eq!(house.bus.cursors()[0].floor, 2);
    house.stop().await;
}

#[tokio::test]
async fn how_much_a_name_has_passed_is_on_disk_now_and_then() {
    let disk = SimDisk::new(14);
    let house = House::on(Arc::new(disk.clone())).await;
    let reader = house.listen(all_of("log.rare", "team/r").named("n").from(Start::First));
    for _ in 0..1100 {
        house.say("log.common", "x").await.unwrap();
    }
    disk.cut_power();
    drop(reader);
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    let floor = house.bus.cursors()[0].floor;
    assert!((1000..=1100).contains(&floor), "{floor}");
    house.stop().await;
}

/// Where `log.pay` is for one team alone.
async fn house_of_the_office(seed: u64) -> House {
    let limit = triarch_bus::AccessConfig {
        topics: "log.pay".to_owned(),
        teams: vec!["office".to_owned()],
    };
    let config = Config {
        access: vec![limit],
        ..config()
    };
    let journal = triarch_journal::Config::default();
    House::with(Arc::new(SimDisk::new(seed)), config, journal, 1).await
}

#[tokio::test]
async fn whoever_reads_gets_what_its_team_may_have() {
    let house = house_of_the_office(15).await;
    house.say_as("office/a", "log.pay", "secret").await.unwrap();
    assert!(matches!(
        house.say_as("shop/a", "log.pay", "x").await,
        Err(PublishError::NotAllowed(_))
    ));
    house.say("log.a", "open").await.unwrap();
    let all = Pattern::new("log.**").unwrap();
    for (who, expected) in [("shop/a", vec!["open"]), ("office/a", vec!["secret", "open"])] {
        let mut reader = house.listen(all_of("log.**", who).named("n").from(Start::First));
        assert_eq!(heard(&mut reader, expected.len()).await, expected);
        assert_eq!(
            house.bus.stored(who, &all, Start::First, 9).unwrap().len(),
            expected.len()
        );
    }
    house.stop().await;
}

#[tokio::test]
async fn a_bus_has_one_disk_whose_journal_takes_its_largest_payload() {
    let instruments = Instruments::with_tree(&[BUS, JOURNALS]).unwrap();
    let bus = Bus::new(config(), 1, &instruments).unwrap();
    let small = triarch_journal::Config {
        record_bytes_max: 1 << 20,
        ..triarch_journal::Config::default()
    };
    let on = |journal| room_on(&bus, Arc::new(SimDisk::new(16)), journal, &instruments).map(drop);
    assert!(matches!(on(small), Err(triarch_bus::Error::SmallRecords { .. })));
    assert!(on(triarch_journal::Config::default()).is_ok());
    assert!(matches!(
        on(triarch_journal::Config::default()),
        Err(triarch_bus::Error::HasDisk)
    ));
}

#[tokio::test]
async fn large_envelopes_go_alone_where_they_do_not_go_together() {
    let config = Config {
        payload_max: 4_000_000,
        ..config()
    };
    let house = House::with(
        Arc::new(SimDisk::new(17)),
        config,
        triarch_journal::Config::default(),
        1,
    )
    .await;
    let (small, large) = ("x".repeat(900_000), "y".repeat(4_000_000));
    let (small, large) = tokio::join!(house.say("log.a", &small), house.say("log.a", &large));
    assert_eq!((small.unwrap().offset, large.unwrap().offset), (0, 1));
    house.stop().await;
}

#[tokio::test]
async fn a_log_brings_no_more_bytes_at_once_than_there_is_room_for() {
    let house = House::on(Arc::new(SimDisk::new(20))).await;
    let texts: Vec<_> = numbers(0..10).iter().map(|number| number.repeat(1_000)).collect();
    for text in &texts {
        house.say("log.a", text).await.unwrap();
    }
    let terms = Terms::of(Class::AtLeastOnce).bound_bytes(2_500);
    let mut reader = house.listen(all_of("log.*", "team/r").from(Start::First).terms(terms));
    for text in &texts {
        let delivery = next(&mut reader).await;
        let waiting = house.bus.tally().waiting;
        assert!((1..=3).contains(&waiting), "{waiting} wait");
        assert_eq!(said(&delivery), *text);
        assert!(delivery.acknowledge());
    }
    let tally = house.bus.tally();
    assert_eq!((tally.delivered, tally.dropped, tally.dead), (10, 0, 0));
    house.stop().await;
}
