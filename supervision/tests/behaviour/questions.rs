//! Asking, and why no answer came.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::prelude::*;

use crate::agents::{Log, Say, grow, kill_agent, one, pause, puppet, scripted, team};
use crate::agents::{Script, Start};
use crate::patience::{MILLI, SECOND, not_yet, soon, until};

struct Desk {
    tree: Tree,
    address: Address<Say>,
}

async fn desk(shape: impl FnOnce(Child<crate::agents::Puppet>) -> Child<crate::agents::Puppet>) -> Desk {
    let child = shape(puppet("a", &Log::default()));
    let address = child.address();
    Desk {
        tree: grow(team().child(child)).await,
        address,
    }
}

fn unanswered(why: NoAnswer) -> Result<u32, AskError> {
    let from = Arc::from("team/a");
    Err(AskError::NotAnswered { from, why })
}

fn echo(reply: Reply<u32>) -> Say {
    Say::Echo(7, reply)
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_back_typed() {
    let desk = desk(|child| child).await;
    assert_eq!(desk.address.ask(echo).await, Ok(7));
    assert_eq!(desk.address.ask_within(SECOND, Say::Life).await, Ok(1u64));
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_finds_the_mailbox_full_says_so() {
    for (overflow, text) in [
        (
            Overflow::Reject,
            "cannot ask team/a: its mailbox is full; send later, wait with `send`, or give it a larger capacity",
        ),
        (
            Overflow::DropNewest,
            "no answer from team/a: its mailbox is full; ask later, or give it a larger capacity",
        ),
    ] {
        let desk = desk(|child| child.capacity(1).overflow(overflow)).await;
        pause(&desk.tree).await;
        desk.address.try_send(Say::Note(1)).unwrap();
        let error = soon("the asker is told", desk.address.ask(echo)).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        desk.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_pushed_out_by_a_newer_message_says_so() {
    let desk = desk(|child| child.capacity(1).overflow(Overflow::DropOldest)).await;
    pause(&desk.tree).await;
    let mut question = Box::pin(desk.address.ask(echo));
    not_yet(&mut question).await;
    desk.address.try_send(Say::Note(1)).unwrap();
    let answer = soon("the asker is told", question).await;
    assert_eq!(answer, unanswered(NoAnswer::Full));
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_to_who_has_left_says_so_whether_it_was_queued_or_not() {
    let desk = desk(|child| child).await;
    pause(&desk.tree).await;
    let mut queued = Box::pin(desk.address.ask(echo));
    not_yet(&mut queued).await;
    desk.tree.stop().await;
    let error = soon("the queued one is told", queued).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer from team/a: it is no longer part of the tree; look its address up again"
    );
    let error = soon("the late one is told", desk.address.ask(echo)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot ask team/a: it is no longer part of the tree; look its address up again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_question_that_makes_its_handler_fail_says_so() {
    for fail in [Say::PanicAt as fn(Reply<u32>) -> Say, |reply| {
        Say::act(move |_, _| {
            let _dropped = reply;
            Box::pin(async { Err(Failure::new("cannot tell")) })
        })
    }] {
        let desk = desk(|child| child).await;
        let error = soon("the asker is told", desk.address.ask(fail)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no answer from team/a: it failed with the question in hand; see why, then ask again"
        );
        assert_eq!(soon("the next life answers", desk.address.ask(Say::Life)).await, Ok(2));
        desk.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_in_hand_when_its_handler_is_killed_says_so() {
    let desk = desk(|child| child).await;
    let hang = |reply: Reply<u32>| {
        Say::act(move |_, _| {
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(reply);
                Ok(())
            })
        })
    };
    let mut question = Box::pin(desk.address.ask(hang));
    not_yet(&mut question).await;
    kill_agent(&desk.tree).await;
    let answer = soon("the asker is told", question).await;
    assert_eq!(answer, unanswered(NoAnswer::Crashed));
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_kept_by_an_agent_that_then_dies_says_so() {
    let desk = desk(|child| child).await;
    let mut question = Box::pin(desk.address.ask(Say::Keep));
    not_yet(&mut question).await;
    desk.address.send(Say::Panic).await.unwrap();
    let answer = soon("the asker is told", question).await;
    assert_eq!(answer, unanswered(NoAnswer::Crashed));
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_kept_in_a_timer_of_an_agent_that_then_fails_says_so() {
    let desk = desk(|child| child).await;
    let keep = |reply: Reply<u32>| {
        Say::act(move |_, ctx| {
            ctx.send_after(3600 * SECOND, Say::Echo(7, reply));
            Box::pin(async { Ok(()) })
        })
    };
    let mut question = Box::pin(desk.address.ask(keep));
    not_yet(&mut question).await;
    desk.address.send(Say::Fail).await.unwrap();
    let answer = soon("the asker is told", question).await;
    assert_eq!(answer, unanswered(NoAnswer::Crashed));
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_reply_is_dropped_says_so() {
    let desk = desk(|child| child).await;
    let error = soon("the asker is told", desk.address.ask(Say::Ignore))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no answer from team/a: it handled the question and answered nothing; the handler has to use the reply"
    );
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_unanswered_in_time_says_so_and_late_answers_go_back() {
    let (log, gate) = (Log::default(), Arc::new(Semaphore::new(0)));
    let (tree, address) = one(puppet("a", &log)).await;
    let (begun, own, told) = (tokio::time::Instant::now(), Arc::clone(&gate), log.clone());
    let slow = move |reply: Reply<u32>| {
        Say::act(move |_, _| {
            Box::pin(async move {
                own.acquire().await?.forget();
                told.write(format!("wanted {} {:?}", reply.is_wanted(), reply.try_send(9)));
                Ok(())
            })
        })
    };
    let error = address.ask_within(SECOND, slow).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(
        error.to_string(),
        "no answer from team/a: no answer came in time; allow more time, or see what it is doing"
    );
    let waited = begun.elapsed();
    assert!((SECOND..SECOND + 10 * MILLI).contains(&waited), "{waited:?}");
    gate.add_permits(1);
    until("the answer goes back", || log.has("wanted false Err(9)")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_covers_the_wait_for_room_too() {
    let desk = desk(|child| child.capacity(1)).await;
    pause(&desk.tree).await;
    desk.address.try_send(Say::Note(1)).unwrap();
    let begun = tokio::time::Instant::now();
    let error = desk.address.ask_within(SECOND, echo).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(begun.elapsed() < SECOND + 10 * MILLI);
    desk.tree.observer().resume("team/a").unwrap();
    assert_eq!(desk.address.ask(echo).await, Ok(7), "its place in line is free");
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_holds_before_the_tree_starts_and_after_it_ended() {
    let child = puppet("a", &Log::default());
    let address = child.address();
    let error = soon("it is told", address.ask_within(SECOND, echo)).await.unwrap_err();
    assert!(error.is_timeout());
    let kept = Arc::new(Mutex::new(None));
    let tree = grow(team().child(child)).await;
    let shelf = Arc::clone(&kept);
    let mut question = Box::pin(address.ask_within(60 * SECOND, move |reply: Reply<u32>| {
        Say::act(move |_, _| {
            *shelf.lock().unwrap() = Some(reply);
            Box::pin(async { Ok(()) })
        })
    }));
    not_yet(&mut question).await;
    tree.stop().await;
    let error = soon("it is told though the tree is gone", question).await.unwrap_err();
    assert!(
        matches!(
            error,
            AskError::NotAnswered {
                why: NoAnswer::Timeout | NoAnswer::Closed,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_question_put_before_the_start_is_answered_after_it() {
    let child = scripted("a", Script::new(&Log::default()).start(Start::Takes(SECOND)));
    let address = child.address();
    let mut question = Box::pin(address.ask(Say::Life));
    not_yet(&mut question).await;
    let tree = grow(team().child(child)).await;
    assert_eq!(soon("the answer", question).await, Ok(1));
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_past_its_deadline_is_never_handled_and_is_a_dead_letter() {
    let log = Log::default();
    let (tree, address) = one(puppet("a", &log)).await;
    pause(&tree).await;
    address.send_before(Moment::now() + SECOND, Say::Note(1)).await.unwrap();
    address
        .send_before(Moment::now() + 10 * SECOND, Say::Note(2))
        .await
        .unwrap();
    tokio::time::advance(2 * SECOND).await;
    tree.observer().resume("team/a").unwrap();
    until("the second is handled", || log.has("a note 2")).await;
    assert!(!log.has("a note 1"));
    let letters = tree.observer().dead_letters().list();
    assert_eq!(
        (letters.len(), letters[0].reason, &*letters[0].to),
        (1, DeadReason::Expired, "team/a")
    );
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_with_a_deadline_is_held_back_no_longer_than_that() {
    let desk = desk(|child| child.capacity(1)).await;
    pause(&desk.tree).await;
    desk.address.try_send(Say::Note(1)).unwrap();
    let begun = tokio::time::Instant::now();
    let refused = desk
        .address
        .send_before(Moment::now() + SECOND, Say::Note(2))
        .await
        .unwrap_err();
    assert!(matches!(
        (&refused.message, &refused.why),
        (Say::Note(2), Refusal::Expired)
    ));
    assert_eq!(
        refused.to_string(),
        "cannot send to team/a: there was no room in its mailbox before the deadline; allow more time or send less"
    );
    let waited = begun.elapsed();
    assert!((SECOND..SECOND + 10 * MILLI).contains(&waited), "{waited:?}");
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_another_type_is_not_handed_over() {
    struct Other;
    impl Message for Other {}
    let desk = desk(|child| child).await;
    assert!(desk.tree.observer().address::<Say>("team/a").unwrap() == desk.address);
    let error = desk.tree.observer().address::<Other>("team/a").unwrap_err().to_string();
    assert!(
        error.starts_with("team/a does not take messages of type") && error.ends_with("it is an agent of type Puppet"),
        "{error}"
    );
    desk.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_while_its_question_stands_in_line_is_an_answer() {
    let desk = desk(|child| child.capacity(1)).await;
    pause(&desk.tree).await;
    desk.address.try_send(Say::Note(1)).unwrap();
    let known = Mutex::default();
    let mut question = Box::pin(desk.address.ask(|reply: Reply<u32>| {
        *known.lock().unwrap() = Some(reply);
        Say::Note(2)
    }));
    not_yet(&mut question).await;
    known.lock().unwrap().take().unwrap().send(7);
    assert_eq!(soon("it is answered", question).await, Ok(7));
    assert_eq!(desk.address.figures().depth, 1, "nobody needs the question any more");
    desk.tree.stop().await;
}
