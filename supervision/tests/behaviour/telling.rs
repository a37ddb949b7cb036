//! What messages are told of themselves: that they are handed out, and that they are dead letters.

use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;

use crate::agents::{Log, grow, pause, team};
use crate::patience::{SECOND, quiet, until};

/// A message that writes down what it is told.
#[derive(Clone)]
struct Slip {
    name: &'static str,
    log: Log,
    /// Whether handling it goes wrong.
    is_bad: bool,
    panics_when_dead: bool,
}

impl Message for Slip {
    const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::new(1, |slip| slip.is_bad.then(|| slip.clone())));
    const HANDED: Option<fn(&Self)> = Some(|slip| slip.log.write(format!("{} is handed out", slip.name)));
    const DIED: Option<fn(&mut Self, DeadReason)> = Some(|slip, reason| {
        slip.log.write(format!("{} died: {}", slip.name, reason.label()));
        assert!(!slip.panics_when_dead, "it minds");
    });
}

struct Reader;

impl Agent for Reader {
    type Message = Slip;
    type Spec = ();
    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }
    async fn handle(&mut self, slip: Slip, _: &mut Context<Self>) -> Result<(), Failure> {
        slip.log.write(format!("{} is read", slip.name));
        if slip.is_bad {
            return Err(Failure::new("illegible"));
        }
        Ok(())
    }
}

/// One that tells by itself what its messages are to be told.
struct Discreet;

impl Agent for Discreet {
    type Message = Slip;
    type Spec = ();
    const HANDED: Option<fn(&Slip)> = None;
    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }
    async fn handle(&mut self, slip: Slip, _: &mut Context<Self>) -> Result<(), Failure> {
        slip.log.write(format!("{} is read", slip.name));
        Ok(())
    }
}

struct Desk {
    log: Log,
    tree: Tree,
    address: Address<Slip>,
}

async fn desk(shape: impl FnOnce(Child<Reader>) -> Child<Reader>) -> Desk {
    let child = shape(Child::of::<Reader>("a", ()));
    let address = child.address();
    Desk {
        log: Log::default(),
        tree: grow(team().child(child)).await,
        address,
    }
}

impl Desk {
    fn slip(&self, name: &'static str) -> Slip {
        Slip {
            name,
            log: self.log.clone(),
            is_bad: false,
            panics_when_dead: false,
        }
    }

    fn bad(&self, name: &'static str) -> Slip {
        let is_bad = true;
        Slip {
            is_bad,
            ..self.slip(name)
        }
    }

    /// The agent leaves its tree for good.
    async fn leave(&self) {
        let team = self.tree.observer().supervisor("team").unwrap();
        team.terminate_child("a").await.unwrap();
        team.delete_child("a").await.unwrap();
        until("it has left", || self.address.is_closed()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_told_that_it_is_handed_out_right_before_it_is_handled_alone_or_in_a_row() {
    let desk = desk(|child| child).await;
    desk.address
        .send_many(vec![desk.slip("one"), desk.slip("two")])
        .await
        .ok()
        .unwrap();
    desk.address.try_send(desk.slip("three")).ok().unwrap();
    until("all are read", || desk.log.has("three is read")).await;
    let expected = ["one", "two", "three"].map(|name| [format!("{name} is handed out"), format!("{name} is read")]);
    assert_eq!(desk.log.lines(), expected.concat());
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_crashed_its_agent_is_told_each_time_and_that_it_is_poison_once() {
    let desk = desk(|child| child).await;
    desk.address.send(desk.bad("it")).await.ok().unwrap();
    until("it is dead", || desk.log.has("it died: poison")).await;
    let once = ["it is handed out", "it is read"];
    assert_eq!(desk.log.lines(), [&once[..], &once[..], &["it died: poison"]].concat());
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_a_mailbox_that_closes_is_told_at_once_and_kept_all_the_same() {
    let desk = desk(|child| child).await;
    pause(&desk.tree).await;
    desk.address.try_send(desk.slip("alone")).ok().unwrap();
    let batch = vec![desk.slip("first of many"), desk.slip("last of many")];
    desk.address.send_many(batch).await.ok().unwrap();
    let far = Moment::now() + SECOND * 1_000;
    desk.address.send_before(far, desk.slip("hasty")).await.ok().unwrap();
    let question = desk.address.ask::<()>(|_reply| desk.slip("question"));
    let asked = futures_util::future::join(question, async {
        quiet().await;
        desk.leave().await;
    });
    assert!(asked.await.0.is_err());
    let names = ["alone", "first of many", "last of many", "hasty", "question"];
    assert_eq!(desk.log.lines(), names.map(|name| format!("{name} died: closed")));
    let kept = desk.tree.observer().dead_letters().list();
    assert_eq!(kept.iter().filter(|letter| letter.can_replay).count(), 4);
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_mailbox_drops_is_told_whether_it_is_the_newest_or_the_oldest() {
    for (overflow, dead) in [(Overflow::DropNewest, "new"), (Overflow::DropOldest, "old")] {
        let desk = desk(|child| child.capacity(1).overflow(overflow)).await;
        pause(&desk.tree).await;
        desk.address.try_send(desk.slip("old")).ok().unwrap();
        desk.address.try_send(desk.slip("new")).ok().unwrap();
        assert_eq!(desk.log.lines(), [format!("{dead} died: full")]);
        let letter = desk.tree.observer().dead_letters().list().pop().unwrap();
        desk.tree.observer().resume("team/a").unwrap();
        until("there is room", || desk.address.figures().depth == 0).await;
        desk.tree.observer().dead_letters().replay(letter.number).unwrap();
        until("it is read after all", || desk.log.has(&format!("{dead} is read"))).await;
        desk.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_late_is_told_so_and_never_handed_out() {
    let desk = desk(|child| child).await;
    pause(&desk.tree).await;
    let soon = Moment::now() + SECOND;
    desk.address.send_before(soon, desk.slip("late")).await.ok().unwrap();
    tokio::time::sleep(SECOND * 2).await;
    desk.tree.observer().resume("team/a").unwrap();
    until("it is dead", || desk.log.has("late died: expired")).await;
    assert_eq!(desk.log.lines(), ["late died: expired"]);
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_when_it_is_told_that_it_is_dead_harms_nobody() {
    let desk = desk(|child| child.capacity(1).overflow(Overflow::DropNewest)).await;
    pause(&desk.tree).await;
    desk.address.try_send(desk.slip("old")).ok().unwrap();
    let panics_when_dead = true;
    let new = Slip {
        panics_when_dead,
        ..desk.slip("new")
    };
    desk.address.try_send(new).ok().unwrap();
    assert_eq!(desk.log.lines(), ["new died: full"]);
    assert_eq!(desk.tree.observer().dead_letters().list().len(), 1);
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_tells_its_messages_by_itself_has_nothing_told_for_it() {
    let child = Child::of::<Discreet>("a", ());
    let (address, log) = (child.address(), Log::default());
    let tree = grow(team().child(child)).await;
    let slip = Slip {
        name: "it",
        log: log.clone(),
        is_bad: false,
        panics_when_dead: false,
    };
    address.try_send(slip).ok().unwrap();
    until("it is read", || log.has("it is read")).await;
    assert_eq!(log.lines(), ["it is read"]);
    tree.stop().await;
}
