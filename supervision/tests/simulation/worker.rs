//! The agent of simulated trees: does what chance wants, and tells the ledger.

use std::time::Duration;

use triarch_supervision::clock::Seeded;
use triarch_supervision::prelude::*;
use triarch_supervision::testing::{Callback, Faults};

use crate::ledger::{Alive, Begun, InHand, Ledger};
use crate::post::{Letter, Packet, Sender, answer_to};

#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) ledger: Ledger,
    pub(crate) slot: usize,
    pub(crate) faults: Faults,
}

pub(crate) struct Worker<const LANES: bool, const AGAIN: u32> {
    spec: Spec,
    kept: Vec<(u64, Reply<u64>)>,
    // Dropped last.
    end: End,
}

struct End(Alive, Faults);

impl Drop for End {
    fn drop(&mut self) {
        self.1.strike_drop();
    }
}

impl<const LANES: bool, const AGAIN: u32> Agent for Worker<LANES, AGAIN> {
    type Message = Packet<LANES, AGAIN>;
    type Spec = Spec;

    async fn start(spec: Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let alive = Alive::begin(&spec.ledger, spec.slot, ctx.incarnation());
        spec.faults.strike(Callback::Start).await?;
        let end = End(alive, spec.faults.clone());
        Ok(Self {
            spec,
            kept: Vec::new(),
            end,
        })
    }

    async fn handle(&mut self, packet: Self::Message, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let takes_batch = packet.0.chance.is_multiple_of(2);
        self.take(packet.0, ctx).await?;
        while takes_batch && let Some(next) = ctx.next_of_batch() {
            self.take(next.0, ctx).await?;
        }
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        if *reason == ExitReason::Shutdown {
            self.end.0.check_turn();
        }
        let _nothing = self.spec.faults.strike(Callback::Stop).await;
    }
}

impl<const LANES: bool, const AGAIN: u32> Worker<LANES, AGAIN> {
    async fn take(&mut self, letter: Letter, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let begun = Begun {
            id: letter.id,
            slot: self.spec.slot,
            from: letter.from,
            order: letter.order,
            lane: if LANES { letter.priority as usize } else { 0 },
            until: letter.until,
        };
        if letter.to != self.spec.slot {
            self.spec.ledger.violate(format!(
                "S1 message {} for {} came to {}",
                letter.id, letter.to, self.spec.slot
            ));
        }
        let hand = InHand::begin(&self.spec.ledger, &begun);
        let handled = self.work(letter, ctx).await;
        hand.end(handled.is_ok());
        handled
    }

    async fn work(&mut self, letter: Letter, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.spec.faults.strike(Callback::Handle).await?;
        let mut chance = Seeded::new(letter.chance);
        if letter.fuel > 0 {
            match chance.below(60) {
                0 => ctx.stop(),
                1 => return Err(Failure::new("it was in the letter")),
                2 => panic!("it was in the letter"),
                3..=10 => tokio::time::sleep(Duration::from_millis(chance.below(500))).await,
                _ => {}
            }
            let from = self.spec.slot as u64;
            let fuel = letter.fuel - 1;
            let acts = chance.below(3);
            let mut sender = Sender {
                ledger: &self.spec.ledger,
                from,
                chance: chance.clone(),
                fuel,
            };
            for _ in 0..acts {
                sender.act().await;
            }
        }
        match (letter.reply, chance.below(16)) {
            (None, _) => {}
            (Some(_dropped), 0) if letter.fuel > 0 => {}
            (Some(later), 1) if letter.fuel > 0 => self.kept.push((letter.id, later)),
            (Some(reply), _) => reply.send(answer_to(letter.id)),
        }
        if let Some((id, reply)) = self.kept.pop_if(|(id, _)| *id != letter.id) {
            reply.send(answer_to(id));
        }
        Ok(())
    }
}
