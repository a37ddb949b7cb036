//! What is published later.

use super::*;
use crate::daily::Daily;
use crate::wall_clock::timestamp;

#[test]
fn what_is_planned_comes_at_its_time() {
    World::new(11).run(async |world| {
        let bus = bus();
        let tree = world.start(Root::new().supervisor(room(&bus))).await.unwrap();
        let mut listener = bus.listen(all_of("**", "me")).unwrap();
        bus.publish_after("me", &topic("a"), note("once"), SECOND * 3).unwrap();
        let beat = bus
            .publish_every("me", &topic("a"), note("beat"), SECOND, SECOND * 2)
            .unwrap();
        let off = bus.publish_after("me", &topic("a"), note("off"), SECOND).unwrap();
        assert!(bus.cancel(off).await.unwrap() && !bus.cancel(off).await.unwrap());
        world.advance(Duration::from_millis(999)).await;
        assert!(heard(&mut listener).is_empty());
        world.advance(Duration::from_millis(4001)).await;
        assert_eq!(heard(&mut listener), ["beat", "once", "beat", "beat"]);
        assert!(bus.cancel(beat).await.unwrap());
        world.advance(SECOND * 10).await;
        assert!(heard(&mut listener).is_empty());
        drop(listener);
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn what_is_planned_for_a_durable_topic_is_refused_where_there_is_no_disk() {
    World::new(15).run(async |world| {
        let bus = bus_with(Config {
            durable: vec![crate::config::DurableConfig {
                topics: "log.*".to_owned(),
                ..crate::config::DurableConfig::default()
            }],
            ..Config::default()
        });
        let tree = world.start(Root::new().supervisor(room(&bus))).await.unwrap();
        let at_once = bus.publish_after("me", &topic("log.a"), note("x"), SECOND).unwrap_err();
        assert!(matches!(at_once, PublishError::Durable { .. }), "{at_once}");
        let when = crate::agenda::When::After(SECOND);
        let no_disk = bus.publish_later_durably("me", &topic("log.a"), note("x"), when).await;
        assert!(
            matches!(no_disk, Err(PublishError::Archive(ArchiveError::NoDisk))),
            "{no_disk:?}"
        );
        // Who reads a log is another subscription than who hears what comes.
        let (child, _) = ear("ear", acknowledges);
        let live = bus.subscribe(all_of("log.*", "team/ear"), &child.address()).unwrap();
        let reads = all_of("log.*", "team/ear").from(crate::archivist::Start::First);
        assert_ne!(bus.subscribe(reads, &child.address()).unwrap(), live);
        assert_eq!(bus.0.archive.followers(&Pattern::new("log.*").unwrap()).len(), 1);
        assert!(bus.subscriptions().iter().all(|one| bus.unsubscribe(one.id)));
        assert!(bus.0.archive.followers(&Pattern::new("log.*").unwrap()).is_empty());
        assert!(tree.stop().await.is_orderly());
    });
}

#[test]
fn what_is_published_daily_comes_at_its_time() {
    World::new(14).run(async |world| {
        let bus = bus();
        let tree = world.start(Root::new().supervisor(room(&bus))).await.unwrap();
        let mut listener = bus.listen(all_of("**", "me")).unwrap();
        let minute = timestamp().0 / 60_000_000;
        let clock = |ahead: u64| format!("{:02}:{:02}", (minute + ahead) / 60 % 24, (minute + ahead) % 60);
        let soon = Daily::new(&[1, 2, 4].map(clock).join(",")).unwrap();
        let id = bus.publish_daily("me", &topic("a"), note("soon"), soon).unwrap();
        world.advance(SECOND * 130).await;
        assert_eq!(heard(&mut listener), ["soon"; 2]);
        assert!(bus.cancel(id).await.unwrap() && !bus.cancel(id).await.unwrap());
        world.advance(SECOND * 130).await;
        assert!(heard(&mut listener).is_empty());
        drop(listener);
        assert!(tree.stop().await.is_orderly());
    });
}
