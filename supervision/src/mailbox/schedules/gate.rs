//! A question's three ends, each on its own thread.

use shuttle::future::block_on;
use shuttle::thread;

use super::*;
use crate::ask::{Answer, NoAnswer, question, question_of};

fn asked<T: Send + 'static>(answer: &Answer<T>) -> Result<T, NoAnswer> {
    block_on(poll_fn(|cx| answer.poll(cx)))
}

#[test]
fn an_answer_always_reaches_the_asker_that_waits() {
    explore(|| {
        let (reply, _ticket, answer) = question();
        let replying = thread::spawn(move || assert_eq!(reply.try_send(7), Ok(())));
        assert_eq!(asked(&answer), Ok(7));
        join([replying]);
    });
}

#[test]
fn an_asker_that_is_written_down_before_it_asks_is_always_woken() {
    explore(|| {
        block_on(async {
            let asker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let (reply, _ticket, answer) = question_of(Some(asker));
            let replying = thread::spawn(move || assert_eq!(reply.try_send(7), Ok(())));
            let outcome = poll_fn(|_| answer.settled().map_or(Poll::Pending, Poll::Ready));
            assert_eq!(outcome.await, Ok(7));
            join([replying]);
        });
    });
}

#[test]
fn between_an_answer_and_a_timeout_both_ends_agree_who_won() {
    explore(|| {
        let (reply, ticket, answer) = question();
        let replying = thread::spawn(move || reply.try_send(7));
        let late = thread::spawn(move || ticket.fail(NoAnswer::Timeout));
        let learnt = asked(&answer);
        join([late]);
        match replying.join().unwrap() {
            Ok(()) => assert_eq!(learnt, Ok(7)),
            Err(back) => assert_eq!((back, learnt), (7, Err(NoAnswer::Timeout))),
        }
    });
}

#[test]
fn an_answer_to_an_asker_that_left_comes_back_unless_it_came_first() {
    explore(|| {
        let (reply, ticket, answer) = question();
        let shared = Arc::new(7);
        let sent = Arc::clone(&shared);
        let replying = thread::spawn(move || reply.try_send(sent).is_ok());
        let leaving = thread::spawn(move || drop(answer));
        join([leaving]);
        let _was_in_time = replying.join().unwrap();
        assert!(!ticket.is_wanted());
        drop(ticket);
        assert_eq!(Arc::strong_count(&shared), 1, "the answer is nobody's any more");
    });
}

#[test]
fn a_reply_dropped_while_its_handler_ends_always_tells_the_asker() {
    explore(|| {
        let (reply, ticket, answer) = question::<()>();
        ticket.begin();
        let elsewhere = thread::spawn(move || drop(reply));
        let handler = thread::spawn(move || ticket.end(NoAnswer::Crashed));
        let why = asked(&answer).unwrap_err();
        assert!(matches!(why, NoAnswer::Crashed | NoAnswer::Unanswered), "{why:?}");
        join([elsewhere, handler]);
    });
}

#[test]
fn a_timeout_while_the_reply_is_dropped_tells_the_asker_once() {
    explore(|| {
        let (reply, ticket, answer) = question::<()>();
        let gate = answer.gate();
        ticket.begin();
        let handler = thread::spawn(move || {
            drop(reply);
            ticket.end(NoAnswer::Unanswered);
        });
        let alarm = thread::spawn(move || gate.fail(NoAnswer::Timeout));
        let why = asked(&answer).unwrap_err();
        let timed_out = alarm.join().unwrap();
        join([handler]);
        assert_eq!(
            why,
            if timed_out {
                NoAnswer::Timeout
            } else {
                NoAnswer::Unanswered
            }
        );
        assert_eq!(asked(&answer), Err(why), "and it stays so");
    });
}

#[test]
fn a_question_withdrawn_before_its_turn_is_seen_or_served() {
    explore(|| {
        let (reply, ticket, answer) = question();
        let leaving = thread::spawn(move || drop(answer));
        if ticket.is_wanted() {
            ticket.begin();
            let _was_in_time = reply.try_send(1);
            ticket.end(NoAnswer::Unanswered);
        } else {
            assert_eq!(reply.try_send(1), Err(1));
        }
        join([leaving]);
        assert!(!ticket.is_wanted());
    });
}
