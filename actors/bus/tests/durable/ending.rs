//! What was planned and comes no more, since the configuration is another one.

use triarch_bus::{AccessConfig, REFUSALS, When};
use triarch_journal::testing::SimDisk;

use super::*;

#[tokio::test]
async fn what_is_due_at_once_on_topics_that_are_durable_no_more_shares_syncs() {
    const MANY: usize = 200;
    let (disk, journal) = (SimDisk::new(41), triarch_journal::Config::default());
    let house = House::on(Arc::new(disk.clone())).await;
    let plan = |_| house.plan("x", When::After(Duration::from_millis(500)));
    for planned in futures_util::future::join_all((0..MANY).map(plan)).await {
        planned.unwrap();
    }
    house.stop().await;
    let other = Config {
        durable: vec![durable("other.*")],
        ..Config::default()
    };
    let house = House::with(Arc::new(disk.clone()), other, journal, 2).await;
    let mut live = house.listen(all_of("log.*", "team/live"));
    let before = disk.syncs();
    heard(&mut live, MANY).await;
    let syncs = disk.syncs() - before;
    assert!(syncs < MANY as u64 / 4, "{syncs} syncs for {MANY}");
    assert!(live.try_next().is_none());
    house.stop().await;
}

#[tokio::test]
async fn it_is_told_once_that_a_sender_may_publish_no_more_when_that_is_off_the_disk() {
    let (disk, journal) = (SimDisk::new(42), triarch_journal::Config::default());
    let house = House::on(Arc::new(disk.clone())).await;
    let id = house.plan("x", When::After(Duration::from_millis(700))).await.unwrap();
    house.stop().await;
    let limited = Config {
        access: vec![AccessConfig {
            topics: "log.a".to_owned(),
            teams: vec!["office".to_owned()],
        }],
        ..config()
    };
    let house = House::with(Arc::new(disk.clone()), limited, journal, 2).await;
    let mut refusals = house.listen(all_of(REFUSALS, "team/live"));
    disk.space(Some(disk.used()));
    let tried = disk.calls();
    until("it is tried in vain", async || disk.calls() > tried).await;
    assert!(refusals.try_next().is_none(), "it is tried again");
    disk.space(None);
    assert!(heard(&mut refusals, 1).await[0].contains("team/me"));
    assert!(!house.bus.cancel(id).await.unwrap());
    house.stop().await;
}
