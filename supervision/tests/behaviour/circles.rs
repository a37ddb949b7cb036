//! Agents that would wait for each other for ever are told so, by name.

use futures_util::future::join;
use triarch_supervision::prelude::*;

use crate::agents::{Log, Puppet, Say, grow, kill_agent, puppet, team};
use crate::patience::{not_yet, quiet, soon, until};

/// Makes a puppet ask `to` what `question` makes, and write what came of it.
fn asks(to: &Address<Say>, question: impl FnOnce(Reply<u32>) -> Say + Send + 'static) -> Say {
    let to = to.clone();
    Say::act(move |puppet: &mut Puppet, _| {
        Box::pin(async move {
            match to.ask(question).await {
                Ok(answer) => puppet.write(format_args!("hears {answer}")),
                Err(error) => puppet.write(format_args!("hears: {error}")),
            }
            Ok(())
        })
    })
}

/// As [`asks`], and answers `reply` afterwards.
fn asks_and_answers(to: &Address<Say>, reply: Reply<u32>) -> Say {
    let to = to.clone();
    Say::act(move |puppet: &mut Puppet, _| {
        Box::pin(async move {
            let heard = to.ask(|reply| Say::Echo(1, reply)).await;
            if let Err(error) = &heard {
                puppet.write(format_args!("hears: {error}"));
            }
            reply.send(u32::from(heard.is_ok()));
            Ok(())
        })
    })
}

struct Pair {
    log: Log,
    tree: Tree,
    a: Address<Say>,
    b: Address<Say>,
}

async fn pair(capacity: usize) -> Pair {
    let log = Log::default();
    let children = ["a", "b"].map(|name| puppet(name, &log).capacity(capacity));
    let [a, b] = [children[0].address(), children[1].address()];
    let tree = grow(team().children(children)).await;
    Pair { log, tree, a, b }
}

const CIRCLE: &str = "b hears: cannot ask team/a: waiting would never end, each waits for the next: \
    team/b → team/a → team/b; answer later, or send without waiting";

#[tokio::test(start_paused = true)]
async fn an_agent_that_asks_itself_is_told_so() {
    let pair = pair(4).await;
    pair.a.send(asks(&pair.a, |reply| Say::Echo(1, reply))).await.unwrap();
    until("it is told", || pair.log.count("a hears") == 1).await;
    assert!(
        pair.log.lines().iter().any(|line| line.contains("team/a → team/a;")),
        "{:?}",
        pair.log.lines()
    );
    assert_eq!(soon("it goes on", pair.a.ask(|reply| Say::Echo(3, reply))).await, Ok(3));
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_asked_by_the_one_it_asks_is_told_so_and_both_go_on() {
    let pair = pair(4).await;
    let back = pair.a.clone();
    pair.a
        .send(asks(&pair.b, move |reply| asks_and_answers(&back, reply)))
        .await
        .unwrap();
    until("both go on", || pair.log.has("a hears 0")).await;
    assert!(pair.log.has(CIRCLE), "{:?}", pair.log.lines());
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_circle_is_seen_also_where_the_question_had_to_wait_for_room() {
    let pair = pair(1).await;
    pair.tree.observer().pause("team/b").unwrap();
    quiet().await;
    pair.b.try_send(Say::Note(1)).unwrap();
    let back = pair.a.clone();
    pair.a
        .send(asks(&pair.b, move |reply| asks_and_answers(&back, reply)))
        .await
        .unwrap();
    quiet().await;
    pair.tree.observer().resume("team/b").unwrap();
    until("both go on", || pair.log.has("a hears 0")).await;
    assert!(pair.log.has(CIRCLE), "{:?}", pair.log.lines());
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_circle_is_seen_also_where_the_asker_waits_for_two() {
    let log = Log::default();
    let children = ["a", "b", "c"].map(|name| puppet(name, &log));
    let [a, b, c] = [0, 1, 2].map(|index| children[index].address());
    let tree = grow(team().children(children)).await;
    let (back, to_b, to_c) = (a.clone(), b.clone(), c.clone());
    let both = Say::act(move |puppet: &mut Puppet, _| {
        Box::pin(async move {
            let one = to_b.ask(|reply| asks_and_answers(&back, reply));
            let other = to_c.ask(|reply| Say::Echo(2, reply));
            let heard = join(one, other).await;
            puppet.write(format_args!("hears {heard:?}"));
            Ok(())
        })
    });
    a.send(both).await.unwrap();
    until("all go on", || log.has("a hears (Ok(0), Ok(2))")).await;
    assert!(log.has(CIRCLE), "{:?}", log.lines());
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_sends_to_its_own_full_mailbox_is_told_so() {
    let pair = pair(2).await;
    let to_itself = Say::act(|puppet: &mut Puppet, ctx| {
        Box::pin(async move {
            for number in 0.. {
                if let Err(error) = ctx.address().send(Say::Note(number)).await {
                    puppet.write(format_args!("sent {number}: {error}"));
                    break;
                }
            }
            Ok(())
        })
    });
    pair.a.send(to_itself).await.unwrap();
    until("what fitted is handled", || pair.log.has("a note 1")).await;
    let expected = "a sent 2: cannot send to team/a: waiting would never end, each waits for the next: \
        team/a → team/a; answer later, or send without waiting";
    assert!(pair.log.has(expected), "{:?}", pair.log.lines());
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_agents_that_flood_each_other_are_told_so() {
    let pair = pair(1).await;
    let flood = |to: &Address<Say>| {
        let to = to.clone();
        Say::act(move |puppet: &mut Puppet, _| {
            Box::pin(async move {
                for number in 0..9 {
                    if let Err(error) = to.send(Say::Note(number)).await {
                        puppet.write(format_args!("gives way: {error}"));
                        break;
                    }
                }
                puppet.write("is through");
                Ok(())
            })
        })
    };
    pair.a.send(flood(&pair.b)).await.unwrap();
    pair.b.send(flood(&pair.a)).await.unwrap();
    until("both are through", || {
        pair.log.has("a is through") && pair.log.has("b is through")
    })
    .await;
    let gave_way = pair
        .log
        .lines()
        .into_iter()
        .filter(|line| line.contains("gives way"))
        .count();
    assert!(gave_way >= 1, "{:?}", pair.log.lines());
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_does_not_close_is_no_circle() {
    let log = Log::default();
    let children = ["a", "b", "c"].map(|name| puppet(name, &log));
    let [a, b, c] = [0, 1, 2].map(|index| children[index].address());
    let tree = grow(team().children(children)).await;
    let first = asks(&b, move |reply| asks_and_answers(&c, reply));
    a.send(first).await.unwrap();
    until("the answer comes back", || log.has("a hears 1")).await;
    let again = asks(&b, |reply| Say::Echo(6, reply));
    a.send(again).await.unwrap();
    until("nothing is left over", || log.has("a hears 6")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_killed_while_it_waits_leaves_no_circle_behind() {
    let pair = pair(4).await;
    pair.tree.observer().pause("team/b").unwrap();
    quiet().await;
    pair.a.send(asks(&pair.b, |reply| Say::Echo(1, reply))).await.unwrap();
    quiet().await;
    kill_agent(&pair.tree).await;
    let mut next = Box::pin(pair.a.ask(Say::Life));
    assert_eq!(soon("the next life answers", &mut next).await, Ok(2));
    pair.tree.observer().resume("team/b").unwrap();
    pair.b.send(asks(&pair.a, |reply| Say::Echo(4, reply))).await.unwrap();
    until("b hears", || pair.log.has("b hears 4")).await;
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_is_no_agent_closes_no_circle() {
    let pair = pair(4).await;
    let mut outside = Box::pin(pair.a.ask(Say::Keep));
    not_yet(&mut outside).await;
    assert_eq!(pair.a.ask(|reply| Say::Echo(1, reply)).await, Ok(1));
    pair.tree.stop().await;
}

/// Makes a puppet answer `reply`, ask `to` before whoever waits for that can have it, and write what it hears.
fn answers_then_asks(to: &Address<Say>, reply: Reply<u32>) -> Say {
    let to = to.clone();
    Say::act(move |puppet: &mut Puppet, _| {
        Box::pin(async move {
            reply.send(1);
            puppet.write(format_args!("hears {:?}", to.ask(|reply| Say::Echo(2, reply)).await));
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn who_has_answered_may_ask_back() {
    let pair = pair(4).await;
    let back = pair.a.clone();
    let question = asks(&pair.b, move |reply| answers_then_asks(&back, reply));
    pair.a.send(question).await.unwrap();
    until("both have heard", || {
        pair.log.has("a hears 1") && pair.log.count("b hears") == 1
    })
    .await;
    assert!(pair.log.has("b hears Ok(2)"), "{:?}", pair.log.lines());
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_held_back_by_nothing_but_what_is_in_hand_may_be_asked() {
    let pair = pair(8).await;
    let back = pair.a.clone();
    let to_b = pair.b.clone();
    let floods = Say::act(move |puppet: &mut Puppet, _| {
        Box::pin(async move {
            let asks_back = asks(&back, |reply| Say::Echo(3, reply));
            to_b.try_send(asks_back).unwrap();
            while to_b.try_send(Say::Note(0)).is_ok() {}
            puppet.write(format_args!("sends {:?}", to_b.send(Say::Note(4)).await));
            Ok(())
        })
    });
    pair.a.send(floods).await.unwrap();
    until("b has heard", || {
        pair.log.count("b hears") == 1 && pair.log.has("b note 4")
    })
    .await;
    assert!(pair.log.has("b hears 3"), "{:?}", pair.log.lines());
    assert!(pair.log.has("a sends Ok(())"), "{:?}", pair.log.lines());
    pair.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_may_send_to_itself_where_only_what_is_in_hand_is_in_the_way() {
    let pair = pair(8).await;
    let itself = pair.a.clone();
    let sends = Say::act(move |_: &mut Puppet, _| {
        Box::pin(async move {
            while itself.try_send(Say::Note(0)).is_ok() {}
            itself.send(Say::Note(1)).await.unwrap();
            Ok(())
        })
    });
    pair.a.send(sends).await.unwrap();
    until("it comes", || pair.log.has("a note 1")).await;
    pair.tree.stop().await;
}

/// Asks a puppet, beside its messages, what makes that one ask back.
struct Curious {
    of: Address<Say>,
    has_asked: bool,
}

struct Ping(Reply<u32>);

impl Message for Ping {}

impl Agent for Curious {
    type Message = Ping;
    type Spec = Address<Say>;

    async fn start(of: Address<Say>, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self { of, has_asked: false })
    }

    async fn handle(&mut self, Ping(reply): Ping, _: &mut Context<Self>) -> Result<(), Failure> {
        reply.send(1);
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.has_asked, true) {
            let back = ctx.address();
            let asks_back = |reply: Reply<u32>| {
                Say::act(move |puppet: &mut Puppet, _| {
                    Box::pin(async move {
                        puppet.write(format_args!("hears {:?}", back.ask(Ping).await));
                        reply.send(2);
                        Ok(())
                    })
                })
            };
            let _let_go = self.of.ask(asks_back).await;
        }
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn who_only_attends_while_it_waits_closes_no_circle() {
    let log = Log::default();
    let b = puppet("b", &log);
    let curious = Child::of::<Curious>("curious", b.address());
    let tree = grow(team().child(b).child(curious)).await;
    until("it is answered", || log.count("b hears") == 1).await;
    assert!(log.has("b hears Ok(1)"), "{:?}", log.lines());
    tree.stop().await;
}
