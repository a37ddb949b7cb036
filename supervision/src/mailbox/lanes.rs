//! Which lane is served next: higher first, none starved.

use crate::message::Priority;

/// A lower lane that has messages is served at least once in this many.
pub(crate) const TURNS: u8 = 16;

/// The order of lanes; a machine of one number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneOrder {
    turn: u8,
}

impl LaneOrder {
    /// The lane to try first at this turn: mostly the most urgent one, and once in [`TURNS`] each of the others.
    pub(super) fn favoured(self) -> usize {
        match self.turn {
            3 => Priority::High.lane(),
            7 => Priority::Normal.lane(),
            11 => Priority::Low.lane(),
            15 => Priority::Background.lane(),
            _ => Priority::Critical.lane(),
        }
    }

    /// A message was served: the next turn begins.
    pub(super) fn advance(&mut self) {
        self.turn = (self.turn + 1) % TURNS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lower_lane_is_favoured_once_in_sixteen_turns_and_the_most_urgent_the_rest() {
        let mut order = LaneOrder::default();
        let mut served = [0; Priority::COUNT];
        for _ in 0..TURNS {
            served[order.favoured()] += 1;
            order.advance();
        }
        assert_eq!(served, [12, 1, 1, 1, 1]);
        assert_eq!(order.turn, 0);
    }
}
