//! What may happen to a queue and its model.

use proptest::collection::vec;
use proptest::prelude::*;

use super::Pair;
use crate::message::Priority;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Offer(usize),
    OfferMany(Vec<usize>),
    Wait(Vec<usize>),
    PollWaiting(prop::sample::Index),
    GiveUp(prop::sample::Index),
    Take(u8),
    Row(u8),
    Release,
    Rest,
    LookAhead,
    Displace(usize),
    Close,
    Reopen,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let lane = 0..Priority::COUNT;
    prop_oneof![
        20 => lane.clone().prop_map(Step::Offer),
        8 => vec(lane.clone(), 1..5).prop_map(Step::OfferMany),
        12 => vec(lane.clone(), 1..4).prop_map(Step::Wait),
        12 => any::<prop::sample::Index>().prop_map(Step::PollWaiting),
        4 => any::<prop::sample::Index>().prop_map(Step::GiveUp),
        16 => (1u8..24).prop_map(Step::Take),
        12 => (1u8..24).prop_map(Step::Row),
        6 => Just(Step::Release),
        8 => Just(Step::Rest),
        4 => Just(Step::LookAhead),
        12 => lane.prop_map(Step::Displace),
        1 => Just(Step::Close),
        1 => Just(Step::Reopen),
    ]
}

impl<const LANES: bool> Pair<LANES> {
    pub(super) fn run(&mut self, step: Step) {
        match step {
            Step::Offer(lane) => {
                let item = self.make(lane);
                self.offer(&[item]);
            }
            Step::OfferMany(lanes) => {
                let items: Vec<_> = lanes.into_iter().map(|lane| self.make(lane)).collect();
                self.offer(&items);
            }
            // Nothing waits that could not have room.
            Step::Wait(mut lanes) => {
                lanes.truncate(usize::try_from(self.capacity).unwrap());
                let items = lanes.into_iter().map(|lane| self.make(lane)).collect();
                self.wait(items);
            }
            Step::PollWaiting(index) if !self.line.is_empty() => self.poll_waiting(index.index(self.line.len())),
            Step::GiveUp(index) if !self.line.is_empty() => self.give_up(index.index(self.line.len())),
            Step::Row(most) => self.take_row(most),
            Step::Take(times) => (0..times).for_each(|_| self.take()),
            Step::Release => {
                self.queue.release(&self.notes);
                self.tell();
            }
            Step::Rest => self.rest(),
            Step::LookAhead => self.look_ahead(),
            Step::Displace(lane) if self.evicts => {
                let item = self.make(lane);
                self.displace(item);
            }
            Step::Close => self.close(),
            Step::Reopen => assert_eq!(self.queue.reopen(), std::mem::take(&mut self.is_closed), "6"),
            Step::PollWaiting(_) | Step::GiveUp(_) | Step::Displace(_) => {}
        }
    }
}
