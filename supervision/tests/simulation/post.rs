//! Messages and the ways they are sent.

use std::time::Duration;

use futures_util::future::BoxFuture;
use triarch_supervision::address::{Address, AskError};
use triarch_supervision::ask::Reply;
use triarch_supervision::clock::{Moment, Seeded};
use triarch_supervision::message::{Message, Priority, Redelivery};
use triarch_supervision::prelude::NoAnswer;
use triarch_supervision::tree::Figures;

use crate::ledger::{Ledger, Waiting};

/// What every message carries.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) id: u64,
    pub(crate) from: u64,
    pub(crate) to: usize,
    pub(crate) order: u64,
    pub(crate) priority: Priority,
    pub(crate) until: Option<Moment>,
    /// What its handler does follows from this.
    pub(crate) chance: u64,
    /// How many more times it may lead to other messages.
    pub(crate) fuel: u8,
    pub(crate) reply: Option<Reply<u64>>,
}

/// A message type with or without lanes and redelivery.
#[derive(Debug)]
pub(crate) struct Packet<const LANES: bool, const AGAIN: u32>(pub Letter);

impl<const LANES: bool, const AGAIN: u32> Message for Packet<LANES, AGAIN> {
    const PRIORITY: Option<fn(&Self) -> Priority> = if LANES { Some(|packet| packet.0.priority) } else { None };
    const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::new(AGAIN, |packet| {
        Some(Self(Letter {
            reply: None,
            ..packet.0
        }))
    }));
}

/// An address of whatever message type.
pub(crate) trait Line: Send + Sync {
    fn try_send(&self, letter: Letter) -> Result<(), Vec<u64>>;
    fn send(&self, letter: Letter) -> BoxFuture<'_, Result<(), Vec<u64>>>;
    fn send_before(&self, letter: Letter, until: Moment) -> BoxFuture<'_, Result<(), Vec<u64>>>;
    fn send_many(&self, letters: Vec<Letter>) -> BoxFuture<'_, Result<(), Vec<u64>>>;
    fn ask(&self, letter: Letter, limit: Option<Duration>) -> BoxFuture<'_, Result<u64, AskError>>;
    fn figures(&self) -> Figures;
    fn is_closed(&self) -> bool;
}

impl<const LANES: bool, const AGAIN: u32> Line for Address<Packet<LANES, AGAIN>> {
    fn try_send(&self, letter: Letter) -> Result<(), Vec<u64>> {
        Self::try_send(self, Packet(letter)).map_err(|back| vec![back.message.0.id])
    }

    fn send(&self, letter: Letter) -> BoxFuture<'_, Result<(), Vec<u64>>> {
        Box::pin(async {
            Self::send(self, Packet(letter))
                .await
                .map_err(|back| vec![back.message.0.id])
        })
    }

    fn send_before(&self, letter: Letter, until: Moment) -> BoxFuture<'_, Result<(), Vec<u64>>> {
        let sent = async move { Self::send_before(self, until, Packet(letter)).await };
        Box::pin(async { sent.await.map_err(|back| vec![back.message.0.id]) })
    }

    fn send_many(&self, letters: Vec<Letter>) -> BoxFuture<'_, Result<(), Vec<u64>>> {
        let packets = letters.into_iter().map(Packet).collect();
        let ids = |back: Vec<Packet<LANES, AGAIN>>| back.iter().map(|packet| packet.0.id).collect();
        Box::pin(async move { Self::send_many(self, packets).await.map_err(|back| ids(back.message)) })
    }

    fn ask(&self, letter: Letter, limit: Option<Duration>) -> BoxFuture<'_, Result<u64, AskError>> {
        let question = move |reply| {
            Packet(Letter {
                reply: Some(reply),
                ..letter
            })
        };
        Box::pin(async move {
            match limit {
                None => Self::ask(self, question).await,
                Some(limit) => self.ask_within(limit, question).await,
            }
        })
    }

    fn figures(&self) -> Figures {
        Self::figures(self)
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}

/// The right answer to a question.
pub(crate) fn answer_to(id: u64) -> u64 {
    id * 2 + 1
}

/// Who sends, by what chance.
pub(crate) struct Sender<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) from: u64,
    pub(crate) chance: Seeded,
    pub(crate) fuel: u8,
}

impl Sender<'_> {
    pub(crate) fn letter(&mut self, to: usize, until: Option<Moment>) -> Letter {
        let priority = Priority::ALL[usize::try_from(self.chance.below(5)).unwrap()];
        let chance = self.chance.next_u64();
        let mut book = self.ledger.book();
        let (id, order) = (book.fresh(), book.next_order(self.from, to));
        Letter {
            id,
            from: self.from,
            to,
            order,
            priority,
            until,
            chance,
            fuel: self.fuel,
            reply: None,
        }
    }

    /// Sends something to somebody in some way.
    pub(crate) async fn act(&mut self) {
        let known: Vec<_> = self.ledger.book().known().collect();
        if known.is_empty() {
            return;
        }
        let to = known[usize::try_from(self.chance.below(known.len() as u64)).unwrap()];
        let line = self.ledger.line(to);
        let soon = Duration::from_millis(self.chance.below(3000));
        let returned = match self.chance.below(10) {
            0..=2 => (0..=self.chance.below(6))
                .find_map(|_| line.try_send(self.letter(to, None)).err())
                .map_or(Ok(()), Err),
            3 | 4 => line.send(self.letter(to, None)).await,
            5 => {
                let letters = (0..self.chance.below(30)).map(|_| self.letter(to, None)).collect();
                line.send_many(letters).await
            }
            6 => {
                let until = Moment::now() + soon;
                line.send_before(self.letter(to, Some(until)), until).await
            }
            7 => {
                let letter = self.letter(to, None);
                tokio::time::timeout(soon, line.send(letter)).await.unwrap_or(Ok(()))
            }
            8 => {
                self.ask(to, None).await;
                Ok(())
            }
            _ => {
                self.ask(to, Some(soon)).await;
                Ok(())
            }
        };
        if let Err(back) = returned {
            self.ledger.book().note_returned(&back);
        }
    }

    async fn ask(&mut self, to: usize, limit: Option<Duration>) {
        let (letter, line, asked) = (self.letter(to, None), self.ledger.line(to), Moment::now());
        let id = letter.id;
        let waiting = Waiting::for_answer(self.ledger, id, to, limit);
        let answer = line.ask(letter, limit).await;
        drop(waiting);
        let took = Moment::now().since(asked);
        let mut book = self.ledger.book();
        let is_steady = book.steady_since <= asked;
        let fault = match answer {
            Ok(answer) if answer != answer_to(id) => Some("got another's answer".to_owned()),
            Ok(_) if !book.was_begun(id) => Some("was answered and never handled".to_owned()),
            Err(AskError::NotAnswered {
                why: NoAnswer::Crashed | NoAnswer::Unanswered,
                ..
            }) if !book.was_begun(id) => Some("came to nothing in a handler that never began".to_owned()),
            Err(AskError::NotSent { .. }) if book.was_begun(id) => Some("was not sent, and handled".to_owned()),
            Err(AskError::NotAnswered {
                why: NoAnswer::Timeout, ..
            }) if limit.is_none_or(|limit| took < limit) => Some(format!("timed out after {took:?} of {limit:?}")),
            _ if is_steady && limit.is_some_and(|limit| took > limit + Duration::from_millis(2)) => {
                Some(format!("was settled after {took:?} of {limit:?}"))
            }
            _ => None,
        };
        if let Some(fault) = fault {
            book.violations.push(format!("S5 question {id} {fault}"));
        }
    }
}
