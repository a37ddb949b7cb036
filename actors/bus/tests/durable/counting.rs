use triarch_bus::Start;
use triarch_journal::testing::SimDisk;

use super::*;

#[tokio::test]
async fn what_only_readers_of_a_log_hear_is_not_counted_as_dropped() {
    let house = House::on(Arc::new(SimDisk::new(3))).await;
    let dropped = || house.count("triarch_bus_dropped_total", "no_subscriber");
    let mut reader = house.listen(all_of("log.**", "team/reader").from(Start::First));
    assert_eq!(house.say("log.a", "1").await.unwrap().matched, 0);
    assert_eq!(heard(&mut reader, 1).await, ["1"]);
    house.say("other.a", "read later, if at all").await.unwrap();
    assert_eq!(dropped(), 0, "it is kept");
    let draft = Draft::new("note", Payload::bytes(*b"x"));
    house.bus.publish("team/me", &topic("elsewhere"), draft).unwrap();
    assert_eq!(dropped(), 1);
    house.stop().await;
}
