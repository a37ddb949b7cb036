//! A small team to watch: one asks, the other answers, and every now and then fails.
//!
//! ```text
//! demo             one_for_one, with a growing wait between restarts
//! ├─ answerer      fails after as many answers as chance gives each life of it
//! └─ asker         asks ten times a second; what it asks while the answerer is down waits for the next life
//! ```

use std::time::Duration;

use serde_json::{Value, json};
use triarch::clock::Seeded;
use triarch::prelude::*;

/// Determines how long each life of the answerer lasts.
const SEED: u64 = 167;
const ANSWERS_LEAST: u64 = 20;
const ANSWERS_SPREAD: u64 = 180;
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);

/// The shortest life lasts two seconds, so the team never exceeds its intensity by itself.
const INTENSITY: Intensity = Intensity::new(10, Duration::from_secs(10));

pub(crate) fn team() -> Supervisor {
    let answerer = Child::of::<Answerer>("answerer", SEED).capacity(16);
    let asker = Child::of::<Asker>("asker", answerer.address()).capacity(1);
    Supervisor::named("demo")
        .intensity(INTENSITY)
        .backoff(Backoff::exponential(Duration::from_millis(500), Duration::from_secs(5)))
        .child(answerer)
        .child(asker)
}

/// How many steps does it take from `number` to 1, halving what is even and else tripling it and adding 1?
struct Question {
    number: u64,
    reply: Reply<u32>,
}

impl Message for Question {}

struct Answerer {
    answered: u64,
    bears: u64,
}

impl Agent for Answerer {
    type Message = Question;
    type Spec = u64;

    async fn start(seed: u64, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            answered: 0,
            bears: bears(seed, ctx.incarnation()),
        })
    }

    async fn handle(&mut self, question: Question, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if self.answered == self.bears {
            return Err(Failure::new(format!("tired after {} answers", self.answered)));
        }
        self.answered += 1;
        question.reply.send(steps(question.number));
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "answered": self.answered, "bears": self.bears }))
    }
}

/// How many questions a life of the answerer bears.
fn bears(seed: u64, incarnation: u64) -> u64 {
    ANSWERS_LEAST + Seeded::new(seed ^ incarnation).below(ANSWERS_SPREAD)
}

fn steps(number: u64) -> u32 {
    let next = |number: &u64| match number {
        0 | 1 => None,
        even if even.is_multiple_of(2) => Some(even / 2),
        odd => odd.checked_mul(3)?.checked_add(1),
    };
    let way = std::iter::successors(Some(number), next).skip(1);
    way.map(|_| 1).sum()
}

/// It is time for the next question.
struct Ask;

impl Message for Ask {}

struct Asker {
    answerer: Address<Question>,
    number: u64,
    unanswered: u64,
}

impl Agent for Asker {
    type Message = Ask;
    type Spec = Address<Question>;

    async fn start(answerer: Address<Question>, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_every(PAUSE, || Ask);
        Ok(Self {
            answerer,
            number: 0,
            unanswered: 0,
        })
    }

    async fn handle(&mut self, _: Ask, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.number += 1;
        let number = self.number;
        let answer = self.answerer.ask_within(PATIENCE, |reply| Question { number, reply });
        match answer.await {
            Ok(_) => {}
            Err(AskError::NotAnswered { .. }) => self.unanswered += 1,
            Err(closed) => return Err(closed.into()),
        }
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "asked": self.number, "unanswered": self.unanswered }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_down_to_one_is_counted_in_steps() {
        assert_eq!([1, 2, 3, 6, 27].map(steps), [0, 1, 7, 8, 111]);
        assert_eq!(steps(0), 0);
    }

    #[test]
    fn the_first_life_is_short_and_no_life_too_short_for_the_intensity() {
        assert!(
            bears(SEED, 1) < 40,
            "whoever looks on should not wait long: {}",
            bears(SEED, 1)
        );
        let shortest = (1..1000).map(|life| bears(SEED, life)).min().unwrap();
        let life = PAUSE * u32::try_from(shortest).unwrap();
        assert!(life * INTENSITY.restarts > INTENSITY.period, "{life:?}");
    }
}
