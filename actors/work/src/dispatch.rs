//! Who of several workers gets the next task, and what an idle one takes from another: decided without IO, by what is
//! known of their queues.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Chance;
use triarch_teams::DispatchConfig;

/// How tasks are spread over the workers that are able to do them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dispatch {
    /// One after the other.
    RoundRobin,
    /// Whoever has least, each task counted as one.
    LeastLoaded,
    /// The one of two drawn ones that has less: nearly as even, and only two are looked at.
    #[default]
    RandomOfTwo,
    /// In proportion to their weights.
    Weighted,
    /// Whoever is able to do least else, so that others stay free for what only they can do; of several, who has least.
    Capability,
    /// Where it is expected to be finished first, by how long tasks took there.
    Predictive,
}

impl Dispatch {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::RoundRobin,
        Self::LeastLoaded,
        Self::RandomOfTwo,
        Self::Weighted,
        Self::Capability,
        Self::Predictive,
    ];
}

impl From<DispatchConfig> for Dispatch {
    fn from(config: DispatchConfig) -> Self {
        match config {
            DispatchConfig::RoundRobin => Self::RoundRobin,
            DispatchConfig::LeastLoaded => Self::LeastLoaded,
            DispatchConfig::RandomOfTwo => Self::RandomOfTwo,
            DispatchConfig::Weighted => Self::Weighted,
            DispatchConfig::Capability => Self::Capability,
            DispatchConfig::Predictive => Self::Predictive,
        }
    }
}

/// What is known of a worker that is able to do the task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// How many tasks it has, those that wait for it counted.
    pub(crate) tasks: usize,
    /// How much of the work it is to get, beside others; 0 for none.
    pub(crate) weight: u32,
    /// How many capabilities it has.
    pub(crate) abilities: usize,
    /// How long a task takes it, as far as that is known.
    pub(crate) service: Service,
}

/// How long tasks take a worker: a mean in which each newer one counts for more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Service(Option<Duration>);

/// The newest time counts for one in so many.
const MEMORY: u32 = 8;

impl Service {
    /// A task took so long.
    pub(crate) fn observe(&mut self, time: Duration) {
        self.0 = Some(self.0.map_or(time, |mean| (mean * (MEMORY - 1) + time) / MEMORY));
    }

    /// The mean, once there was a task.
    pub(crate) const fn mean(self) -> Option<Duration> {
        self.0
    }
}

/// How long tasks take those workers of whom that is known, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Means {
    sum: Duration,
    count: u32,
}

impl Means {
    /// A worker's mean is another than before.
    pub(crate) fn replace(&mut self, before: Service, now: Service) {
        if let Some(mean) = before.mean() {
            (self.sum, self.count) = (self.sum.saturating_sub(mean), self.count - 1);
        }
        if let Some(mean) = now.mean() {
            (self.sum, self.count) = (self.sum + mean, self.count + 1);
        }
    }

    /// What a task takes one of whom nothing is known.
    fn unknown(self) -> Duration {
        self.sum.checked_div(self.count).unwrap_or(Duration::from_millis(1))
    }
}

/// What a dispatch remembers from one choice to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    turn: usize,
    /// How much each has coming to it, by weight.
    credits: Vec<i64>,
    /// How far the team has come in what is counted by weight.
    reached: u64,
}

impl Memory {
    /// Somebody was served who had come so far.
    pub(crate) fn reach(&mut self, mark: u64) {
        self.reached = self.reached.max(mark);
    }
}

/// What the claims of the workers of a team are ranked by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranks {
    dispatch: Dispatch,
    /// What a task takes one of whom nothing is known.
    unknown: Duration,
    /// From here on those are counted who come back.
    pub(crate) reached: u64,
}

impl Ranks {
    /// How soon a claim is served, beside others of the team: the lowest first. `has` is how many tasks the worker has before that one,
    /// and `mark` how far it has come by weight. None where they are served in the order in which they were chosen.
    pub(crate) fn of(self, worker: &Standing, has: usize, mark: u64) -> Option<u64> {
        let has = u64::try_from(has).unwrap_or(u64::MAX);
        match self.dispatch {
            Dispatch::RoundRobin | Dispatch::RandomOfTwo => None,
            Dispatch::LeastLoaded => Some(has),
            Dispatch::Weighted => Some(mark),
            Dispatch::Capability => Some(((worker.abilities as u64) << 32).saturating_add(has)),
            Dispatch::Predictive => {
                let tasks = usize::try_from(has).unwrap_or(usize::MAX);
                let finish = finish(&Standing { tasks, ..*worker }, self.unknown);
                Some(u64::try_from(finish.as_nanos()).unwrap_or(u64::MAX))
            }
        }
    }
}

/// How far each task brings a worker of that weight: half as far where it is to get twice as many.
pub(crate) fn stride(weight: u32) -> u64 {
    const ONE: u64 = 1 << 32;
    ONE / u64::from(weight.max(1))
}

impl Dispatch {
    /// What the claims of these workers are ranked by.
    pub(crate) fn ranks(self, means: Means, memory: &Memory) -> Ranks {
        Ranks {
            dispatch: self,
            unknown: means.unknown(),
            reached: memory.reached,
        }
    }

    /// Of the places in `free`, which are in order, that of the worker who gets the next task; none where none is free.
    pub(crate) fn choose(
        self,
        workers: &[Standing],
        free: &[usize],
        means: Means,
        memory: &mut Memory,
        chance: &mut impl Chance,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin => {
                let next = free.partition_point(|place| *place < memory.turn);
                let place = *free.get(next).or(free.first())?;
                memory.turn = place + 1;
                Some(place)
            }
            Self::LeastLoaded => least(workers, free, |worker| worker.tasks),
            Self::RandomOfTwo => of_two(workers, free, chance),
            Self::Weighted => by_weight(workers, free, &mut memory.credits),
            Self::Capability => least(workers, free, |worker| (worker.abilities, worker.tasks)),
            Self::Predictive => {
                let unknown = means.unknown();
                least(workers, free, |worker| finish(worker, unknown))
            }
        }
    }
}

/// The free workers with their places.
fn standing<'a>(workers: &'a [Standing], free: &'a [usize]) -> impl Iterator<Item = (usize, &'a Standing)> {
    free.iter()
        .filter_map(|place| workers.get(*place).map(|worker| (*place, worker)))
}

fn least<K: Ord>(workers: &[Standing], free: &[usize], key: impl Fn(&Standing) -> K) -> Option<usize> {
    let (place, _) = standing(workers, free).min_by_key(|(_, worker)| key(worker))?;
    Some(place)
}

fn of_two(workers: &[Standing], free: &[usize], chance: &mut impl Chance) -> Option<usize> {
    let first = draw(free.len(), chance)?;
    let Some(other) = draw(free.len() - 1, chance) else {
        return free.get(first).copied();
    };
    // Never the same one twice.
    let second = if other >= first { other + 1 } else { other };
    let tasks = |drawn: usize| workers.get(*free.get(drawn)?).map(|worker| worker.tasks);
    let drawn = if tasks(second) < tasks(first) { second } else { first };
    free.get(drawn).copied()
}

fn draw(count: usize, chance: &mut impl Chance) -> Option<usize> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "there are far fewer workers than a double counts"
    )]
    let place = (chance.unit() * count as f64) as usize;
    (count > 0).then(|| place.min(count - 1))
}

/// Each round everyone is credited its weight, and whoever has most pays for all: so those of much weight do not get
/// theirs in one go.
fn by_weight(workers: &[Standing], free: &[usize], credits: &mut Vec<i64>) -> Option<usize> {
    credits.resize(workers.len(), 0);
    let mut total = 0;
    let mut best: Option<(usize, i64)> = None;
    for (place, worker) in standing(workers, free).filter(|(_, worker)| worker.weight > 0) {
        let weight = i64::from(worker.weight);
        total += weight;
        let credit = credits.get_mut(place)?;
        *credit += weight;
        // Of several that have as much the first, as elsewhere.
        if best.is_none_or(|(_, most)| *credit > most) {
            best = Some((place, *credit));
        }
    }
    let (place, _) = best?;
    *credits.get_mut(place)? -= total;
    Some(place)
}

/// When a worker would be through with one more task; one of which nothing is known counts as the others are.
fn finish(worker: &Standing, unknown: Duration) -> Duration {
    let tasks = u32::try_from(worker.tasks).unwrap_or(u32::MAX).saturating_add(1);
    worker.service.mean().unwrap_or(unknown).saturating_mul(tasks)
}

/// How many of the tasks that wait for the heaviest worker an idle one takes, from the tail: half, so that a single one does not only
/// change places. Only tasks that wait count, and none that somebody has begun.
pub(crate) const fn steal(most: usize) -> usize {
    most / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use triarch_supervision::clock::Seeded;

    use super::*;

    fn standing(tasks: usize) -> Standing {
        Standing {
            tasks,
            weight: 1,
            abilities: 1,
            service: Service::default(),
        }
    }

    fn means(workers: &[Standing]) -> Means {
        let mut means = Means::default();
        for worker in workers {
            means.replace(Service::default(), worker.service);
        }
        means
    }

    /// Of workers that are all free.
    fn choose(dispatch: Dispatch, workers: &[Standing], memory: &mut Memory, chance: &mut Seeded) -> Option<usize> {
        let free: Vec<_> = (0..workers.len()).collect();
        dispatch.choose(workers, &free, means(workers), memory, chance)
    }

    fn chosen(dispatch: Dispatch, workers: &[Standing], times: usize) -> Vec<usize> {
        let (mut memory, mut chance) = (Memory::default(), Seeded::new(1));
        (0..times)
            .map(|_| choose(dispatch, workers, &mut memory, &mut chance).unwrap())
            .collect()
    }

    /// Gives each task to the chosen one, and counts.
    fn spread(dispatch: Dispatch, mut workers: Vec<Standing>, tasks: usize) -> Vec<u64> {
        let (mut memory, mut chance) = (Memory::default(), Seeded::new(1));
        for _ in 0..tasks {
            let place = choose(dispatch, &workers, &mut memory, &mut chance).unwrap();
            workers[place].tasks += 1;
        }
        workers.iter().map(|worker| worker.tasks as u64).collect()
    }

    #[test]
    fn one_after_the_other_comes_round() {
        let workers = [5, 0, 9].map(standing);
        assert_eq!(chosen(Dispatch::RoundRobin, &workers, 5), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn only_who_is_free_is_chosen_whatever_the_dispatch() {
        let workers = [standing(0), standing(9), standing(0), standing(9)];
        for dispatch in Dispatch::ALL {
            let (mut memory, mut chance) = (Memory::default(), Seeded::new(1));
            let mut places: Vec<_> = (0..40)
                .map(|_| {
                    dispatch
                        .choose(&workers, &[1, 3], Means::default(), &mut memory, &mut chance)
                        .unwrap()
                })
                .collect();
            places.sort_unstable();
            places.dedup();
            assert!(places.iter().all(|place| [1, 3].contains(place)), "{dispatch:?}");
            assert_eq!(
                dispatch.choose(&workers, &[], Means::default(), &mut memory, &mut chance),
                None
            );
        }
        let (mut memory, mut chance) = (Memory::default(), Seeded::new(1));
        let turns: Vec<_> = (0..4)
            .map(|_| {
                Dispatch::RoundRobin
                    .choose(&workers, &[1, 3], Means::default(), &mut memory, &mut chance)
                    .unwrap()
            })
            .collect();
        assert_eq!(turns, [1, 3, 1, 3]);
    }

    #[test]
    fn whoever_has_least_is_next() {
        assert_eq!(chosen(Dispatch::LeastLoaded, &[5, 2, 9, 2].map(standing), 1), [1]);
        assert_eq!(spread(Dispatch::LeastLoaded, vec![standing(0); 7], 700), [100; 7]);
    }

    #[test]
    fn of_two_drawn_ones_that_with_less_is_next_so_the_fullest_never_is() {
        let workers = [3, 1, 2].map(standing);
        let places = chosen(Dispatch::RandomOfTwo, &workers, 200);
        assert!(!places.contains(&0) && places.contains(&1) && places.contains(&2));
        assert_eq!(chosen(Dispatch::RandomOfTwo, &workers[..1], 1), [0]);
        let shares = spread(Dispatch::RandomOfTwo, vec![standing(0); 100], 100_000);
        assert!(shares.iter().all(|share| share.abs_diff(1_000) <= 10), "{shares:?}");
    }

    #[test]
    fn weights_are_kept_to_without_a_run_of_one() {
        let workers = [5, 1, 0, 1].map(|weight| Standing { weight, ..standing(0) });
        assert_eq!(chosen(Dispatch::Weighted, &workers, 7), [0, 0, 1, 0, 3, 0, 0]);
        let idle = [Standing {
            weight: 0,
            ..standing(0)
        }];
        assert_eq!(
            choose(Dispatch::Weighted, &idle, &mut Memory::default(), &mut Seeded::new(1)),
            None
        );
    }

    #[test]
    fn those_with_rare_capabilities_are_spared() {
        let able = |abilities, tasks| Standing {
            abilities,
            ..standing(tasks)
        };
        assert_eq!(
            chosen(Dispatch::Capability, &[able(3, 0), able(1, 9), able(1, 4)], 1),
            [2]
        );
    }

    #[test]
    fn a_quick_worker_is_given_more_and_one_nobody_knows_as_much_as_most() {
        let with = |millis: Option<u64>, tasks| {
            let service = Service(millis.map(Duration::from_millis));
            Standing {
                service,
                ..standing(tasks)
            }
        };
        let shares = spread(Dispatch::Predictive, vec![with(Some(10), 0), with(Some(30), 0)], 400);
        assert_eq!(shares, [300, 100]);
        assert_eq!(
            chosen(
                Dispatch::Predictive,
                &[with(Some(10), 3), with(None, 0), with(Some(30), 0)],
                1
            ),
            [1]
        );
    }

    #[test]
    fn a_service_time_follows_what_is_observed() {
        let mut service = Service::default();
        service.observe(Duration::from_millis(80));
        assert_eq!(service.mean(), Some(Duration::from_millis(80)));
        service.observe(Duration::from_millis(160));
        assert_eq!(service.mean(), Some(Duration::from_millis(90)));
    }

    #[test]
    fn an_idle_worker_takes_half_and_never_a_single_one() {
        assert_eq!([0, 1, 2, 3, 9].map(steal), [0, 0, 1, 1, 4]);
    }

    proptest! {
        #[test]
        fn somebody_is_chosen_wherever_there_is_somebody(
            tasks in prop::collection::vec(0usize..50, 1..20), seed in any::<u64>()
        ) {
            let workers: Vec<_> = tasks.into_iter().map(standing).collect();
            for dispatch in Dispatch::ALL {
                let place = choose(dispatch, &workers, &mut Memory::default(), &mut Seeded::new(seed));
                prop_assert!(place.is_some_and(|place| place < workers.len()));
                prop_assert_eq!(choose(dispatch, &[], &mut Memory::default(), &mut Seeded::new(seed)), None);
            }
        }
    }
}
