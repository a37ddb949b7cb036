//! Queue groups: of several subscribers each envelope goes to one.

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Chance;

/// How a group finds the one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one for whom the fewest wait; where several are, one after the other.
    LeastBusy,
    /// Any.
    Random,
}

/// How one member stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) waiting: usize,
    pub(crate) is_full: bool,
}

impl Pick {
    /// The member that is next after `turn` others were. One that is full is passed over while another is not.
    pub(crate) fn choose(self, loads: &[Load], turn: usize, chance: &mut impl Chance) -> Option<usize> {
        let count = loads.len();
        if count == 0 {
            return None;
        }
        let from = match self {
            Self::RoundRobin | Self::LeastBusy => turn % count,
            Self::Random => random(count, chance),
        };
        let order = (from..count).chain(0..from);
        let rank = |index: &usize| loads.get(*index).map(|load| (load.is_full, self.weight(*load)));
        order.min_by_key(rank)
    }

    const fn weight(self, load: Load) -> usize {
        match self {
            Self::LeastBusy => load.waiting,
            Self::RoundRobin | Self::Random => 0,
        }
    }
}

fn random(count: usize, chance: &mut impl Chance) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a group has few members, and a share of their number is one of them"
    )]
    let index = (chance.unit() * count as f64) as usize;
    index.min(count - 1)
}

#[cfg(test)]
mod tests {
    use triarch_supervision::clock::Seeded;

    use super::*;

    fn loads(waiting: &[usize]) -> Vec<Load> {
        let load = |waiting: &usize| Load {
            waiting: *waiting,
            is_full: *waiting >= 9,
        };
        waiting.iter().map(load).collect()
    }

    fn chosen(pick: Pick, waiting: &[usize], turns: usize) -> Vec<usize> {
        let mut chance = Seeded::new(1);
        (0..turns)
            .map(|turn| pick.choose(&loads(waiting), turn, &mut chance).unwrap())
            .collect()
    }

    #[test]
    fn a_group_picks_as_it_is_told() {
        assert_eq!(chosen(Pick::RoundRobin, &[5, 0, 7], 4), [0, 1, 2, 0]);
        assert_eq!(chosen(Pick::LeastBusy, &[5, 1, 7], 4), [1; 4]);
        assert_eq!(chosen(Pick::LeastBusy, &[2, 2, 7], 4), [0, 1, 0, 0]);
        let random = chosen(Pick::Random, &[5, 0, 7], 300);
        for member in 0..3 {
            let count = random.iter().filter(|one| **one == member).count();
            assert!((60..=140).contains(&count), "{count}");
        }
    }

    #[test]
    fn a_full_member_is_passed_over_while_another_has_room() {
        for pick in [Pick::RoundRobin, Pick::LeastBusy, Pick::Random] {
            assert_eq!(chosen(pick, &[9, 3, 9], 5), [1; 5], "{pick:?}");
            assert!(chosen(pick, &[9, 9], 2).iter().all(|one| *one < 2));
            assert_eq!(pick.choose(&[], 0, &mut Seeded::new(1)), None);
        }
    }
}
