//! What is planned and what is dead, through the lives of a runtime.

use std::collections::{BTreeMap, BTreeSet};

use triarch_bus::{AccessConfig, Cause, Class, DeadLetter, Query, ReplayError, ScheduleId, Start, Terms, When};
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_supervision::clock::Seeded;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
const ROUNDS: u64 = 150;

/// One try, and then it is dead.
fn once(what: Subscribe) -> Subscribe {
    let mut terms = Terms::of(Class::AtLeastOnce);
    terms.retry.tries = 1;
    what.terms(terms)
}

fn clerk(name: &str) -> Subscribe {
    once(all_of("log.*", "team/clerk").named(name).from(Start::First))
}

fn letters(house: &House) -> Vec<DeadLetter> {
    house.bus.dead_letters(&Query::default(), 0, usize::MAX)
}

fn is_letter(letter: &DeadLetter, text: &str) -> bool {
    letter.envelope.payload.as_bytes() == text.as_bytes()
}

#[tokio::test]
async fn a_dead_letter_outlives_the_power_and_is_replayed_once() {
    let disk = SimDisk::new(1);
    let house = House::on(Arc::new(disk.clone())).await;
    let (mut one, mut other) = (house.listen(clerk("n")), house.listen(clerk("m")));
    house.say("log.a", "bad").await.unwrap();
    next(&mut one).await.fail("no ink");
    assert_eq!(heard(&mut other, 1).await, ["bad"]);
    // Whatever is settled before is on disk with it.
    house.say("other.a", "x").await.unwrap();
    disk.cut_power();
    drop((one, other));
    house.stop().await;

    let house = House::on(Arc::new(disk.clone())).await;
    let letter = letters(&house).remove(0);
    assert_eq!((letter.number, letter.cause, letter.failures), (1, Cause::Failed, 1));
    assert_eq!(
        (letter.why.as_deref(), letter.name.as_deref()),
        (Some("no ink"), Some("n"))
    );
    let nobody = house.bus.replay(1).unwrap_err();
    assert!(matches!(nobody, ReplayError::NobodyTakes { number: 1, .. }), "{nobody}");
    let (mut other, mut one) = (house.listen(clerk("m")), house.listen(clerk("n")));
    house.bus.replay(1).unwrap();
    assert_eq!(heard(&mut one, 1).await, ["bad"]);
    assert!(other.try_next().is_none(), "it was for the other name");
    assert_eq!(house.bus.replay(1), Err(ReplayError::NoSuchLetter(1)));
    house.say("other.a", "y").await.unwrap();
    disk.cut_power();
    drop((one, other));
    house.stop().await;

    let house = House::on(Arc::new(disk)).await;
    assert_eq!(letters(&house).len(), 0);
    // Its number is not given again.
    let mut one = house.listen(clerk("n"));
    house.say("log.a", "worse").await.unwrap();
    next(&mut one).await.fail("no paper");
    assert_eq!(letters(&house)[0].number, 2);
    drop(one);
    house.stop().await;
}

#[tokio::test]
async fn one_that_is_replayed_and_not_settled_is_a_letter_again_after_the_power_went() {
    let disk = SimDisk::new(2);
    let house = House::on(Arc::new(disk.clone())).await;
    let mut live = house.listen(once(all_of("log.*", "team/live")));
    house.say("log.a", "bad").await.unwrap();
    next(&mut live).await.fail("no ink");
    house.bus.replay(1).unwrap();
    let in_hand = next(&mut live).await;
    assert!(letters(&house).is_empty());
    house.say("other.a", "x").await.unwrap();
    disk.cut_power();
    house.stop().await;
    drop((in_hand, live));
    let house = House::on(Arc::new(disk.clone())).await;
    assert_eq!(letters(&house)[0].number, 1);
    // One that dies again is one letter, under a new number.
    let mut live = house.listen(once(all_of("log.*", "team/live")));
    house.bus.replay(1).unwrap();
    next(&mut live).await.fail("still no ink");
    house.say("other.a", "y").await.unwrap();
    disk.cut_power();
    drop(live);
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    let found: Vec<_> = letters(&house).iter().map(|one| (one.number, one.failures)).collect();
    assert_eq!(found, [(2, 2)]);
    house.stop().await;
}

#[tokio::test]
async fn one_that_dies_again_takes_its_own_place_and_no_others() {
    let disk = SimDisk::new(9);
    let two = Config {
        dead_letters: 2,
        ..config()
    };
    let journal = triarch_journal::Config::default();
    let house = House::with(Arc::new(disk.clone()), two.clone(), journal, 1).await;
    let mut live = house.listen(once(all_of("log.*", "team/live")));
    for text in ["a", "b"] {
        house.say("log.a", text).await.unwrap();
        next(&mut live).await.fail("no ink");
    }
    house.bus.replay(1).unwrap();
    next(&mut live).await.fail("still no ink");
    assert!(is_letter(&letters(&house)[0], "b") && is_letter(&letters(&house)[1], "a"));
    assert_eq!(house.bus.forgotten_letters(), 0);
    drop(live);
    house.stop().await;
    let house = House::with(Arc::new(disk), two, journal, 2).await;
    let numbers: Vec<_> = letters(&house).iter().map(|letter| letter.number).collect();
    assert_eq!((numbers, house.bus.forgotten_letters()), (vec![2, 3], 0));
    house.stop().await;
}

#[tokio::test]
async fn letters_of_other_topics_end_with_the_runtime_and_the_oldest_makes_room_on_disk_too() {
    let disk = SimDisk::new(3);
    let few = Config {
        dead_letters: 3,
        ..config()
    };
    let journal = triarch_journal::Config::default();
    let house = House::with(Arc::new(disk.clone()), few.clone(), journal, 1).await;
    let mut live = house.listen(once(all_of("**", "team/live")));
    for number in 0..4 {
        house.say("log.a", &number.to_string()).await.unwrap();
        next(&mut live).await.fail("no ink");
    }
    let draft = Draft::new("note", Payload::bytes(*b"plain"));
    house.bus.publish("team/me", &topic("plain"), draft).unwrap();
    next(&mut live).await.fail("no ink");
    assert_eq!(letters(&house).len(), 3);
    assert_eq!(house.bus.forgotten_letters(), 2);
    drop(live);
    house.stop().await;
    let house = House::with(Arc::new(disk), few, journal, 2).await;
    let there = letters(&house);
    assert!(is_letter(&there[0], "2") && is_letter(&there[1], "3") && there.len() == 2);
    assert_eq!(house.bus.forgotten_letters(), 2);
    house.stop().await;
}

#[tokio::test]
async fn a_delay_outlives_the_power_and_comes_once_and_what_is_called_off_does_not_come() {
    let disk = SimDisk::new(4);
    let house = House::on(Arc::new(disk.clone())).await;
    let soon = house
        .plan("soon", When::After(Duration::from_millis(50)))
        .await
        .unwrap();
    let off = house.plan("off", When::After(Duration::from_millis(50))).await.unwrap();
    let late = house.plan("late", When::After(HOUR)).await.unwrap();
    assert!(house.bus.cancel(off).await.unwrap() && !house.bus.cancel(off).await.unwrap());
    disk.cut_power();
    house.stop().await;
    for life in 0..3 {
        let house = House::on(Arc::new(disk.clone())).await;
        until("it comes", async || !house.logged().is_empty()).await;
        assert_eq!(house.logged(), ["soon"], "life {life}");
        assert!(!house.bus.cancel(soon).await.unwrap() && !house.bus.cancel(off).await.unwrap());
        disk.cut_power();
        house.stop().await;
    }
    let house = House::on(Arc::new(disk.clone())).await;
    assert!(house.bus.cancel(late).await.unwrap());
    let next = house.plan("next", When::After(HOUR)).await.unwrap();
    assert!(next > late, "no number is given again");
    disk.cut_power();
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert!(!house.bus.cancel(late).await.unwrap() && house.bus.cancel(next).await.unwrap());
    house.stop().await;
}

#[tokio::test]
async fn a_beat_goes_on_in_the_next_runtime_until_it_is_called_off() {
    let disk = SimDisk::new(5);
    let house = House::on(Arc::new(disk.clone())).await;
    let every = Duration::from_millis(20);
    let beat = house.plan("beat", When::Every { first: every, every }).await.unwrap();
    house.stop().await;
    let house = House::on(Arc::new(disk.clone())).await;
    let before = house.logged().len();
    until("it goes on", async || house.logged().len() > before + 2).await;
    assert!(house.bus.cancel(beat).await.unwrap());
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert!(!house.bus.cancel(beat).await.unwrap());
    house.stop().await;
}

#[tokio::test]
async fn what_is_due_while_the_disk_is_full_comes_when_there_is_space() {
    let disk = SimDisk::new(6);
    let house = House::on(Arc::new(disk.clone())).await;
    house.plan("due", When::After(Duration::from_millis(20))).await.unwrap();
    disk.space(Some(disk.used()));
    let full = house.plan("more", When::After(HOUR)).await.unwrap_err();
    assert!(
        matches!(&full, PublishError::NotStored(why) if why.is_certain()),
        "{full}"
    );
    let tried = disk.calls();
    until("it is tried in vain", async || disk.calls() > tried).await;
    assert!(house.logged().is_empty());
    disk.space(None);
    until("it comes", async || house.logged() == ["due"]).await;
    disk.cut_power();
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert_eq!(house.logged(), ["due"]);
    house.stop().await;
}

#[tokio::test]
async fn what_is_due_on_a_topic_that_is_durable_no_more_comes_once_it_is_off_the_disk() {
    let (disk, journal) = (SimDisk::new(31), triarch_journal::Config::default());
    let house = House::on(Arc::new(disk.clone())).await;
    let id = house.plan("x", When::After(Duration::from_millis(700))).await.unwrap();
    house.stop().await;
    let other = Config {
        durable: vec![durable("other.*")],
        ..Config::default()
    };
    let house = House::with(Arc::new(disk.clone()), other.clone(), journal, 2).await;
    let mut live = house.listen(all_of("log.*", "team/live"));
    disk.space(Some(disk.used()));
    let tried = disk.calls();
    until("it is tried in vain", async || disk.calls() > tried).await;
    assert!(live.try_next().is_none(), "the disk would bring it again");
    disk.space(None);
    assert_eq!(heard(&mut live, 1).await, ["x"]);
    disk.cut_power();
    drop(live);
    house.stop().await;
    let house = House::with(Arc::new(disk), other, journal, 3).await;
    assert!(!house.bus.cancel(id).await.unwrap());
    house.stop().await;
}

#[tokio::test]
async fn what_its_sender_may_publish_no_more_is_called_off_when_the_disk_takes_that() {
    let (disk, journal) = (SimDisk::new(32), triarch_journal::Config::default());
    let house = House::on(Arc::new(disk.clone())).await;
    let id = house.plan("x", When::After(Duration::from_millis(700))).await.unwrap();
    house.stop().await;
    let limited = Config {
        delayed: 1,
        access: vec![AccessConfig {
            topics: "log.a".to_owned(),
            teams: vec!["office".to_owned()],
        }],
        ..config()
    };
    let house = House::with(Arc::new(disk.clone()), limited, journal, 2).await;
    disk.space(Some(disk.used()));
    let tried = disk.calls();
    until("it is tried in vain", async || disk.calls() > tried).await;
    disk.space(None);
    let planned = async || {
        let (draft, topic) = (Draft::new("note", Payload::bytes([])), topic("log.b"));
        let planned = house
            .bus
            .publish_later_durably("team/me", &topic, draft, When::After(HOUR));
        planned.await.is_ok()
    };
    until("there is room for another", planned).await;
    disk.cut_power();
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert!(!house.bus.cancel(id).await.unwrap() && house.logged().is_empty());
    house.stop().await;
}

#[tokio::test]
async fn there_is_no_more_planned_than_there_may_be_and_the_disk_counts() {
    let one = Config { delayed: 1, ..config() };
    let disk = SimDisk::new(7);
    let journal = triarch_journal::Config::default();
    let house = House::with(Arc::new(disk.clone()), one.clone(), journal, 1).await;
    house.plan("a", When::After(HOUR)).await.unwrap();
    house.stop().await;
    let house = House::with(Arc::new(disk), one, journal, 2).await;
    let full = house.plan("b", When::After(HOUR)).await.unwrap_err();
    assert!(matches!(full, PublishError::AgendaFull(_)), "{full}");
    house.stop().await;
}

#[tokio::test]
async fn a_snapshot_stands_for_what_is_planned_and_dead() {
    let small = DurableConfig {
        messages: 1,
        ..durable("log.**")
    };
    let config = Config {
        durable: vec![small],
        ..Config::default()
    };
    let (disk, journal) = (SimDisk::new(8), triarch_journal::Config::default());
    let house = House::with(Arc::new(disk.clone()), config.clone(), journal, 1).await;
    let mut live = house.listen(once(all_of("log.*", "team/live")));
    house.say("log.a", "bad").await.unwrap();
    next(&mut live).await.fail("no ink");
    let late = house.plan("late", When::After(HOUR)).await.unwrap();
    let large = "x".repeat(1 << 20);
    let is_copied = || disk.names().iter().any(|name| name.ends_with(".snapshot"));
    let waiting = async {
        while !is_copied() {
            house.say("log.a", &large).await.unwrap();
            assert!(next(&mut live).await.acknowledge());
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("a snapshot is taken");
    disk.cut_power();
    drop(live);
    house.stop().await;
    let house = House::with(Arc::new(disk), config, journal, 2).await;
    assert!(is_letter(&letters(&house)[0], "bad") && letters(&house).len() == 1);
    assert!(house.bus.cancel(late).await.unwrap());
    house.stop().await;
}

/// What is known from outside through all lives of one disk.
#[derive(Default)]
struct Story {
    next: u64,
    /// Acknowledged, and neither due nor called off.
    planned: BTreeMap<ScheduleId, String>,
    called_off: BTreeSet<String>,
    /// Due at once, and acknowledged.
    due: BTreeSet<String>,
    /// Told to be dead, and on disk as such.
    dead: BTreeSet<String>,
    /// Replayed and acknowledged, and on disk as such.
    replayed: BTreeSet<String>,
}

impl Story {
    fn text(&mut self) -> String {
        self.next += 1;
        format!("{}.", self.next)
    }

    async fn life(&mut self, disk: &SimDisk, chance: &mut Seeded, run: u64) {
        let journal = triarch_journal::Config {
            segment_bytes: 2_000,
            ..triarch_journal::Config::default()
        };
        let house = House::with(Arc::new(disk.clone()), config(), journal, run).await;
        self.check(&house);
        let mut clerk = house.listen(clerk("n"));
        if chance.next_u64().is_multiple_of(3) {
            disk.fail(Call::Sync, chance.next_u64() % 12, Fault::PowerCut);
        }
        let (mut dying, mut reviving) = (Vec::new(), Vec::new());
        for _ in 0..chance.next_u64() % 25 {
            match chance.next_u64() % 6 {
                0 => {
                    let text = self.text();
                    let Ok(id) = house.plan(&text, When::After(HOUR)).await else {
                        break;
                    };
                    self.planned.insert(id, text);
                }
                1 => {
                    let text = self.text();
                    let Ok(_) = house.plan(&text, When::After(Duration::ZERO)).await else {
                        break;
                    };
                    self.due.insert(text);
                }
                2 => {
                    let Some((id, text)) = self.planned.pop_first() else {
                        continue;
                    };
                    let Ok(true) = house.bus.cancel(id).await else { break };
                    self.called_off.insert(text);
                }
                3 => {
                    while let Some(delivery) = clerk.try_next() {
                        let text = said(&delivery);
                        assert!(!self.replayed.contains(&text), "{text} was settled, and came again");
                        if delivery.envelope.kind.starts_with("note") && text.len().is_multiple_of(2) {
                            dying.push(text);
                            delivery.fail("no ink");
                        } else {
                            delivery.acknowledge();
                        }
                    }
                }
                4 => self.replay(&house, &mut clerk, (&mut dying, &mut reviving)),
                _ => {
                    let Ok(_) = house.say("other.a", "x").await else { break };
                    self.dead.extend(dying.drain(..));
                    self.replayed.extend(reviving.drain(..));
                }
            }
        }
        disk.cut_power();
        drop(clerk);
        house.stop().await;
    }

    fn replay(&mut self, house: &House, clerk: &mut Listener, (dying, reviving): (&mut Vec<String>, &mut Vec<String>)) {
        let Some(letter) = letters(house).first().map(|one| one.number) else {
            return;
        };
        house.bus.replay(letter).unwrap();
        let Some(delivery) = clerk.try_next() else { return };
        let text = said(&delivery);
        dying.retain(|one| *one != text);
        self.dead.remove(&text);
        assert!(delivery.acknowledge());
        if !letters(house).iter().any(|letter| is_letter(letter, &text)) {
            reviving.push(text);
        }
    }

    /// What was acknowledged is so, and nothing came twice.
    fn check(&self, house: &House) {
        let logged = house.logged();
        let came: BTreeSet<_> = logged.iter().cloned().collect();
        assert_eq!(came.len(), logged.len(), "{logged:?}");
        assert!(self.called_off.is_disjoint(&came), "{:?} {came:?}", self.called_off);
        let there: Vec<_> = letters(house)
            .iter()
            .map(|one| String::from_utf8(one.envelope.payload.as_bytes().to_vec()).unwrap())
            .collect();
        // One that died in the moment of a cut may do so again in the next life.
        assert!(
            self.dead.iter().all(|text| there.contains(text)),
            "{:?} {there:?}",
            self.dead
        );
        assert!(there.iter().all(|text| !self.replayed.contains(text)), "{there:?}");
    }

    async fn end(self, disk: SimDisk) -> (usize, usize) {
        let house = House::with(Arc::new(disk), config(), triarch_journal::Config::default(), 99).await;
        self.check(&house);
        let is_all = async || self.due.iter().all(|text| house.logged().contains(text));
        until("what was due has come", is_all).await;
        self.check(&house);
        for id in self.planned.keys() {
            assert!(house.bus.cancel(*id).await.unwrap(), "{id:?}");
        }
        house.stop().await;
        (
            self.due.len() + self.planned.len(),
            self.dead.len() + self.replayed.len(),
        )
    }
}

#[tokio::test]
async fn no_power_cut_takes_what_is_planned_or_dead_or_brings_any_of_it_twice() {
    let mut all = (0, 0);
    for seed in 0..ROUNDS {
        let (disk, mut chance, mut story) = (SimDisk::new(seed), Seeded::new(seed), Story::default());
        for run in 1..5 {
            story.life(&disk, &mut chance, run).await;
        }
        let some = story.end(disk).await;
        all = (all.0 + some.0, all.1 + some.1);
    }
    assert!(all.0 as u64 > ROUNDS * 3 && all.1 as u64 > ROUNDS / 2, "{all:?}");
}
