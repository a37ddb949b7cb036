//! Dead letters that are replayed to whoever has no room for them, or acknowledges nothing.

use triarch_bus::{Class, DeadLetter, Pick, Query, ReplayError, Terms, WhenFull};
use triarch_journal::testing::SimDisk;

use super::*;

/// One try, and then it is dead.
fn once() -> Terms {
    let mut terms = Terms::of(Class::AtLeastOnce);
    terms.retry.tries = 1;
    terms
}

fn letters(house: &House) -> Vec<DeadLetter> {
    house.bus.dead_letters(&Query::default(), 0, usize::MAX)
}

/// What dies after this goes to disk, and then the power goes.
async fn next_life(house: House, disk: &SimDisk) -> House {
    house.say("other.a", "x").await.unwrap();
    disk.cut_power();
    house.stop().await;
    House::on(Arc::new(disk.clone())).await
}

#[tokio::test]
async fn letters_that_an_inbox_has_no_room_for_stay_letters_and_take_no_place_of_others() {
    let policies = [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::DeadLetter];
    // `new` and one letter have five bytes.
    let few = [once().bound(2), once().bound_bytes(6)];
    for few in few
        .iter()
        .flat_map(|few| policies.map(|when_full| few.when_full(when_full)))
    {
        let disk = SimDisk::new(51);
        let house = House::on(Arc::new(disk.clone())).await;
        let mut live = house.listen(all_of("log.*", "team/live").terms(few));
        for text in ["00", "01", "02", "03"] {
            house.say("log.a", text).await.unwrap();
            next(&mut live).await.fail("no ink");
        }
        house.say("log.a", "new").await.unwrap();
        let replayed = house.bus.replay_all(&Query::default());
        assert_eq!((replayed.sent, replayed.kept), (1, 3), "{few:?}");
        let full = house.bus.replay(4).unwrap_err();
        assert!(matches!(full, ReplayError::Full { number: 4, .. }), "{full}");
        assert_eq!(heard(&mut live, 2).await, ["new", "00"]);
        let there: Vec<_> = letters(&house).iter().map(|letter| letter.number).collect();
        assert_eq!(there, [2, 3, 4]);
        drop(live);
        let house = next_life(house, &disk).await;
        assert_eq!(letters(&house).len(), 3);
        house.stop().await;
    }
}

#[tokio::test]
async fn a_letter_that_went_out_to_one_who_acknowledges_nothing_is_gone() {
    let disk = SimDisk::new(52);
    let house = House::on(Arc::new(disk.clone())).await;
    let member = |who: &str| all_of("log.*", who).group("g", Pick::RoundRobin);
    let mut one = house.listen(member("team/one").terms(once()));
    house.say("log.a", "bad").await.unwrap();
    next(&mut one).await.fail("no ink");
    let mut heir = house.listen(member("team/heir"));
    house.bus.replay(1).unwrap();
    drop(one);
    let house = {
        assert_eq!(said(&next(&mut heir).await), "bad");
        next_life(house, &disk).await
    };
    assert_eq!(letters(&house).len(), 0, "it was delivered");
    house.stop().await;
}

#[tokio::test]
async fn a_letter_that_waits_for_one_who_acknowledges_nothing_is_a_letter_again_until_it_went_out() {
    let disk = SimDisk::new(53);
    let house = House::on(Arc::new(disk.clone())).await;
    let mut live = house.listen(all_of("log.*", "team/live").terms(once()));
    house.say("log.a", "bad").await.unwrap();
    next(&mut live).await.fail("no ink");
    drop(live);
    let waits = house.listen(all_of("log.*", "team/live"));
    house.bus.replay(1).unwrap();
    let house = next_life(house, &disk).await;
    drop(waits);
    assert_eq!(letters(&house).len(), 1);
    let mut live = house.listen(all_of("log.*", "team/live"));
    house.bus.replay(1).unwrap();
    assert_eq!(said(&next(&mut live).await), "bad");
    let house = next_life(house, &disk).await;
    assert_eq!(letters(&house).len(), 0);
    house.stop().await;
}
