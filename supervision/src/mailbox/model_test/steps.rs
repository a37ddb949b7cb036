//! What may happen to a queue and its model.

use proptest::collection::vec;
use proptest::prelude::*;

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
