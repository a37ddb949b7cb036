//! What is to be published later: once, or again and again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::clock::Moment;

use crate::daily::Daily;
use crate::envelope::{Destination, Draft, Timestamp};
use crate::shelf::{Shelf, Weighed};

/// The shortest period of what is published again and again.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// What clocks differ by without a jump.
const JUMP: Duration = Duration::from_millis(500);
const DAY: Duration = Duration::from_hours(24);

/// Names something that is to be published later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleId(u64);

impl ScheduleId {
    /// The one of that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// When something is published that is to come later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// After a while.
    After(Duration),
    /// Again and again. Times that pass while nothing runs are skipped.
    Every {
        /// After which it comes first.
        first: Duration,
        /// The time from one to the next.
        every: Duration,
    },
    /// At times of day by the clock of the world. Times that pass while nothing runs are skipped.
    Daily(Daily),
}

/// What is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) from: Arc<str>,
    pub(crate) to: Destination,
    pub(crate) draft: Draft,
    pub(crate) again: Again,
    /// Where it is on disk: when it was to come first, by the clock of the world.
    pub(crate) first: Option<Timestamp>,
}

/// What is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) plan: Plan,
    /// Its number, where it stands on disk until it has come.
    pub(crate) number: Option<u64>,
}

/// When something comes first, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) at: Moment,
    pub(crate) first: Timestamp,
    pub(crate) again: Again,
}

impl When {
    pub(crate) fn placed(self, clocks: Clocks) -> Placed {
        let after = |delay: Duration, again| Placed {
            at: clocks.now + delay,
            first: Timestamp(clocks.wall.0.saturating_add(micros(delay))),
            again,
        };
        match self {
            Self::After(delay) => after(delay, Again::Never),
            Self::Every { first, every } => after(first, Again::Every(every)),
            Self::Daily(times) => {
                let (first, came) = (times.after(clocks.wall), Timestamp::default());
                Placed {
                    at: clocks.moment_of(first),
                    first,
                    again: Again::Daily {
                        times,
                        next: first,
                        came,
                    },
                }
            }
        }
    }
}

impl Plan {
    /// When it comes next by the clock of the world, where that is `at`: a time of day is that very one.
    pub(crate) fn next(&self, at: Moment, clocks: Clocks) -> Timestamp {
        match self.again {
            Again::Daily { next, .. } => next,
            Again::Never | Again::Every(_) => clocks.time_of(at),
        }
    }

    /// As it goes on where it is taken from the disk: what has passed comes at once, and what comes again with its next time.
    fn taken_up(mut self, clocks: Clocks) -> (Moment, Self) {
        let first = self.first.unwrap_or(clocks.wall);
        let passed = clocks.wall.0.saturating_sub(first.0);
        let at = match &mut self.again {
            Again::Every(every) if passed > 0 => {
                let every = micros((*every).max(SHORTEST_PERIOD));
                clocks.now + Duration::from_micros(every - passed % every)
            }
            Again::Never | Again::Every(_) => clocks.moment_of(first),
            Again::Daily { times, next, .. } => {
                *next = times.after(clocks.wall);
                clocks.moment_of(*next)
            }
        };
        (at, self)
    }
}

/// Whether something comes more than once.
#[derive(Clone, Debug)]
pub(crate) enum Again {
    Never,
    /// With this beat.
    Every(Duration),
    /// At times of day.
    Daily {
        times: Daily,
        /// The one it comes at next.
        next: Timestamp,
        /// The one it came at last; the beginning of time where it has not come.
        came: Timestamp,
    },
}

/// What two clocks showed in one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) now: Moment,
    /// The clock of the world, which jumps.
    pub(crate) wall: Timestamp,
}

impl Clocks {
    /// What the clock of the world will show at a moment to come.
    fn time_of(self, moment: Moment) -> Timestamp {
        Timestamp(self.wall.0.saturating_add(micros(moment.since(self.now))))
    }

    fn moment_of(self, time: Timestamp) -> Moment {
        self.now + Duration::from_micros(time.0.saturating_sub(self.wall.0))
    }

    /// Whether the clock of the world has jumped since `before`.
    fn has_jumped_since(self, before: Self) -> bool {
        let (shown, passed) = (self.wall.0, before.wall.0 + micros(self.now.since(before.now)));
        shown.abs_diff(passed) > micros(JUMP)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 2)
}

/// More is to be published later than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgendaFull {
    /// Of envelopes.
    #[error("{0} envelopes wait to be published later, which is the limit; call some off, or wait")]
    Count(usize),
    /// Of the bytes of their payloads.
    #[error(
        "the payloads of what waits to be published later take {0} bytes, and this one would go over bus.delayed_bytes; call some off, \
         or wait"
    )]
    Bytes(u64),
}

/// What the payload takes of one that is on its way to disk.
#[derive(Debug)]
struct Reserved(u64);

#[derive(Debug)]
struct InHand {
    plan: Plan,
    /// Whether it was met on its way.
    is_met: bool,
}

impl Weighed for Plan {
    fn weight(&self) -> u64 {
        self.draft.payload.len() as u64
    }
}

impl Weighed for Reserved {
    fn weight(&self) -> u64 {
        self.0
    }
}

impl Weighed for InHand {
    fn weight(&self) -> u64 {
        self.plan.weight()
    }
}

/// Everything that is to be published later, by its time.
#[derive(Debug)]
pub(crate) struct Agenda {
    plans: Shelf<(Moment, u64), Plan>,
    times: HashMap<u64, Moment>,
    most: usize,
    /// The most bytes of payloads.
    most_bytes: u64,
    /// The number that was given last.
    last: u64,
    /// The numbers that were given to what is on its way to disk.
    reserved: Shelf<u64, Reserved>,
    /// Those on disk that are due, and on their way into a log.
    in_hand: Shelf<u64, InHand>,
    /// The clocks as they were seen last.
    seen: Option<Clocks>,
}

impl Agenda {
    pub(crate) fn new(most: usize, most_bytes: u64) -> Self {
        Self {
            plans: Shelf::default(),
            times: HashMap::new(),
            most,
            most_bytes,
            last: 0,
            reserved: Shelf::default(),
            in_hand: Shelf::default(),
            seen: None,
        }
    }

    pub(crate) fn add(&mut self, at: Moment, plan: Plan) -> Result<ScheduleId, AgendaFull> {
        let number = self.number(plan.weight())?;
        self.put(at, number, plan);
        Ok(ScheduleId(number))
    }

    fn number(&mut self, weight: u64) -> Result<u64, AgendaFull> {
        if self.len() >= self.most {
            return Err(AgendaFull::Count(self.most));
        }
        let bytes = self.plans.bytes() + self.in_hand.bytes() + self.reserved.bytes();
        if bytes + weight > self.most_bytes {
            return Err(AgendaFull::Bytes(bytes));
        }
        self.last += 1;
        Ok(self.last)
    }

    fn put(&mut self, at: Moment, id: u64, plan: Plan) {
        self.times.insert(id, at);
        self.plans.insert((at, id), plan);
    }

    /// Calls one off; returns whether it was still to come.
    pub(crate) fn cancel(&mut self, id: ScheduleId) -> bool {
        let at = self.times.remove(&id.0);
        let was_to_come = at.and_then(|at| self.plans.remove(&(at, id.0))).is_some();
        self.in_hand.remove(&id.0).is_some() || was_to_come
    }

    /// All that are to come, soonest first: when, and their numbers.
    pub(crate) fn plans(&self) -> impl Iterator<Item = (Moment, u64, &Plan)> {
        self.plans.iter().map(|((at, number), plan)| (*at, *number, plan))
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.plans.first().map(|(at, _)| *at)
    }

    /// The first that is due. What comes again skips the times that have passed meanwhile.
    pub(crate) fn due(&mut self, clocks: Clocks) -> Option<Due> {
        let now = clocks.now;
        let (at, id) = *self.plans.first().filter(|(at, _)| *at <= now)?;
        let plan = self.plans.remove(&(at, id))?;
        self.times.remove(&id);
        let mut number = None;
        match plan.again.clone() {
            Again::Never if plan.first.is_some() => {
                let (plan, is_met) = (plan.clone(), false);
                self.in_hand.insert(id, InHand { plan, is_met });
                number = Some(id);
            }
            Again::Never => {}
            Again::Every(every) => self.put(following(at, every.max(SHORTEST_PERIOD), now), id, plan.clone()),
            Again::Daily { times, next, .. } => self.put_daily(id, times, next, clocks, plan.clone()),
        }
        Some(Due { plan, number })
    }

    /// It does not come twice where the clock of the world went back over the time it came at last. One that lies far ahead
    /// was shown by a clock that was wrong.
    fn put_daily(&mut self, id: u64, times: Daily, came: Timestamp, clocks: Clocks, plan: Plan) {
        let is_near = came.0 <= clocks.wall.0.saturating_add(micros(DAY));
        let after = if is_near { clocks.wall.max(came) } else { clocks.wall };
        let next = times.after(after);
        let again = Again::Daily { times, next, came };
        self.put(clocks.moment_of(next), id, Plan { again, ..plan });
    }

    /// Where the clock of the world has jumped, times of day are found anew; those it jumped over are skipped.
    pub(crate) fn look_at(&mut self, clocks: Clocks) {
        let before = self.seen.replace(clocks);
        if before.is_none_or(|before| !clocks.has_jumped_since(before)) {
            return;
        }
        let is_daily = |plan: &Plan| matches!(plan.again, Again::Daily { .. });
        let daily: Vec<_> = self
            .plans
            .iter()
            .filter(|(_, plan)| is_daily(plan))
            .map(|(key, _)| *key)
            .collect();
        for key in daily {
            if let Some(plan) = self.plans.remove(&key)
                && let Again::Daily { times, came, .. } = plan.again.clone()
            {
                self.put_daily(key.1, times, came, clocks, plan);
            }
        }
    }

    /// Once more at `at`: it was due, and could not be published. What comes again does so by its own beat beside, and is
    /// left out once where there is no room.
    pub(crate) fn put_off(&mut self, at: Moment, due: Due) {
        if let Some(number) = due.number {
            return self.put_back(number, at);
        }
        let (is_single, plan) = (matches!(due.plan.again, Again::Never), due.plan);
        if is_single || self.len() < self.most {
            self.last += 1;
            let (again, first) = (Again::Never, None);
            self.put(at, self.last, Plan { again, first, ..plan });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.plans.len() + self.in_hand.len() + self.reserved.len()
    }

    // ---- to the disk, and from it ----

    /// Gives a number to what is to be written down.
    pub(crate) fn reserve(&mut self, plan: &Plan) -> Result<u64, AgendaFull> {
        let number = self.number(plan.weight())?;
        self.reserved.insert(number, Reserved(plan.weight()));
        Ok(number)
    }

    /// It was not written down.
    pub(crate) fn release(&mut self, number: u64) {
        self.reserved.remove(&number);
    }

    /// It is on disk, and comes from now on.
    pub(crate) fn add_reserved(&mut self, number: u64, at: Moment, plan: Plan) {
        self.release(number);
        self.put(at, number, plan);
    }

    /// Whether it is to come, and stands on disk.
    pub(crate) fn is_durable(&self, id: ScheduleId) -> bool {
        let plan = self.times.get(&id.0).and_then(|at| self.plans.get(&(*at, id.0)));
        plan.is_some_and(|plan| plan.first.is_some()) || self.in_hand.contains_key(&id.0)
    }

    /// One that is due is to be written into its log now; false where it was called off, or is being written already.
    pub(crate) fn meet(&mut self, number: u64) -> bool {
        let Some(InHand { plan, is_met }) = self.in_hand.remove(&number) else {
            return false;
        };
        self.in_hand.insert(number, InHand { plan, is_met: true });
        !is_met
    }

    /// It is in its log.
    pub(crate) fn came(&mut self, number: u64) {
        self.in_hand.remove(&number);
    }

    /// It is not in its log, and is tried again.
    pub(crate) fn put_back(&mut self, number: u64, at: Moment) {
        if let Some(in_hand) = self.in_hand.remove(&number) {
            self.put(at, number, in_hand.plan);
        }
    }

    /// All that stand on disk, and their numbers.
    pub(crate) fn durable(&self) -> impl Iterator<Item = (u64, &Plan)> {
        let waiting = self.plans.iter().map(|((_, number), plan)| (*number, plan));
        let in_hand = self.in_hand.iter().map(|(number, in_hand)| (*number, &in_hand.plan));
        waiting.chain(in_hand).filter(|(_, plan)| plan.first.is_some())
    }

    /// What they take there, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.durable().map(|(_, plan)| plan.weight()).sum()
    }

    /// The number that was given last.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Takes up what is on disk: what is not known here is added, and what is not there any more has come, or was called
    /// off.
    pub(crate) fn take_up(&mut self, on_disk: BTreeMap<u64, Plan>, last: u64, clocks: Clocks) {
        self.reserved = Shelf::default();
        for (number, in_hand) in std::mem::take(&mut self.in_hand) {
            self.put(clocks.now, number, in_hand.plan);
        }
        let known: HashSet<u64> = self.durable().map(|(number, _)| number).collect();
        for number in known.iter().filter(|number| !on_disk.contains_key(number)) {
            self.cancel(ScheduleId(*number));
        }
        self.last = self.last.max(last);
        for (number, plan) in on_disk {
            if known.contains(&number) {
                continue;
            }
            self.make_way(number);
            let (at, plan) = plan.taken_up(clocks);
            self.put(at, number, plan);
        }
    }

    /// What was planned in memory before the disk was read, and has a number that stands there, goes on under another. Its planner
    /// knows the old one, and with that calls off what the disk has under it.
    fn make_way(&mut self, number: u64) {
        if let Some(at) = self.times.remove(&number)
            && let Some(plan) = self.plans.remove(&(at, number))
        {
            self.last += 1;
            self.put(at, self.last, plan);
        }
    }
}

/// The first time after `now`, by steps of `every` from `at`.
fn following(at: Moment, every: Duration, now: Moment) -> Moment {
    let passed = now.since(at).as_nanos() / every.as_nanos().max(1);
    let steps = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1);
    at + every.saturating_mul(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Payload;
    use crate::topic::Topic;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u32) -> Moment {
        Moment::from_nanos(0) + SECOND * seconds
    }

    fn clocks(seconds: u32) -> Clocks {
        Clocks {
            now: at(seconds),
            wall: Timestamp(u64::from(seconds) * 1_000_000),
        }
    }

    fn plan(kind: &str, every: Option<Duration>) -> Plan {
        Plan {
            from: "a".into(),
            to: Destination::Topic(Topic::new("t").unwrap()),
            draft: Draft::new(kind, Payload::bytes([])),
            again: every.map_or(Again::Never, Again::Every),
            first: None,
        }
    }

    fn due(agenda: &mut Agenda, seconds: u32) -> Vec<String> {
        let due = std::iter::from_fn(|| agenda.due(clocks(seconds)));
        due.map(|due| due.plan.draft.kind.to_string()).collect()
    }

    #[test]
    fn plans_are_due_at_their_times_in_their_order() {
        let mut agenda = Agenda::new(9, u64::MAX);
        for (kind, seconds) in [("b", 2), ("a", 1), ("c", 3), ("a2", 1)] {
            agenda.add(at(seconds), plan(kind, None)).unwrap();
        }
        assert_eq!(agenda.next(), Some(at(1)));
        assert!(due(&mut agenda, 0).is_empty());
        assert_eq!(due(&mut agenda, 2), ["a", "a2", "b"]);
        assert_eq!((agenda.len(), agenda.next()), (1, Some(at(3))));
    }

    #[test]
    fn what_is_called_off_does_not_come_and_room_is_bounded() {
        let mut agenda = Agenda::new(1, u64::MAX);
        let id = agenda.add(at(1), plan("a", Some(SECOND))).unwrap();
        let full = agenda.add(at(1), plan("b", None)).unwrap_err();
        assert_eq!(full, AgendaFull::Count(1));
        assert!(agenda.cancel(id) && !agenda.cancel(id));
        assert!(due(&mut agenda, 9).is_empty() && agenda.times.is_empty());
        assert!(agenda.add(at(1), plan("b", None)).is_ok());
    }

    #[test]
    fn payloads_have_so_much_room_together_whether_they_wait_are_on_their_way_or_in_hand() {
        let of = |size: usize, first: Option<Timestamp>| Plan {
            first,
            draft: Draft::new("k", Payload::bytes(vec![0; size])),
            ..plan("k", None)
        };
        let mut agenda = Agenda::new(9, 10);
        let id = agenda.add(at(1), of(4, Some(Timestamp(0)))).unwrap();
        let reserved = agenda.reserve(&of(6, None)).unwrap();
        let full = |agenda: &mut Agenda| agenda.add(at(1), of(1, None)).unwrap_err();
        assert_eq!(full(&mut agenda), AgendaFull::Bytes(10));
        agenda.add_reserved(reserved, at(2), of(6, None));
        assert!(agenda.due(clocks(1)).is_some() && agenda.meet(id.0) && !agenda.meet(id.0));
        assert_eq!(full(&mut agenda), AgendaFull::Bytes(10), "in hand");
        agenda.put_back(id.0, at(3));
        assert_eq!(full(&mut agenda), AgendaFull::Bytes(10), "put back");
        assert!(agenda.cancel(id) && agenda.due(clocks(2)).is_some());
        let reserved = agenda.reserve(&of(10, None)).unwrap();
        agenda.release(reserved);
        assert!(agenda.add(at(1), of(10, None)).is_ok());
    }

    #[test]
    fn what_comes_again_keeps_its_beat_and_skips_what_passed() {
        let mut agenda = Agenda::new(9, u64::MAX);
        let id = agenda.add(at(1), plan("a", Some(SECOND * 2))).unwrap();
        assert_eq!(due(&mut agenda, 1), ["a"]);
        assert_eq!(agenda.next(), Some(at(3)));
        assert_eq!(due(&mut agenda, 8), ["a"]);
        assert_eq!(agenda.next(), Some(at(9)));
        assert!(agenda.cancel(id) && agenda.len() == 0);
        agenda.add(at(1), plan("a", Some(Duration::ZERO))).unwrap();
        assert_eq!(due(&mut agenda, 1), ["a"]);
        assert_eq!(agenda.next(), Some(at(1) + SHORTEST_PERIOD));
    }

    #[test]
    fn what_is_put_off_comes_once_more_and_its_beat_goes_on_beside() {
        let mut agenda = Agenda::new(2, u64::MAX);
        agenda.add(at(1), plan("a", Some(SECOND * 2))).unwrap();
        let missed = agenda.due(clocks(1)).unwrap();
        agenda.put_off(at(2), missed);
        assert_eq!(
            (due(&mut agenda, 2).len(), agenda.len(), agenda.next()),
            (1, 1, Some(at(3)))
        );
        agenda.add(at(9), plan("b", None)).unwrap();
        let missed = agenda.due(clocks(3)).unwrap();
        agenda.put_off(at(4), missed);
        assert_eq!(
            (due(&mut agenda, 4).len(), agenda.len()),
            (0, 2),
            "once left out where there is no room"
        );
    }

    #[test]
    fn what_comes_once_is_put_off_even_where_others_took_its_room() {
        let mut agenda = Agenda::new(1, u64::MAX);
        agenda.add(at(1), plan("a", None)).unwrap();
        let missed = agenda.due(clocks(1)).unwrap();
        agenda.add(at(9), plan("b", None)).unwrap();
        agenda.put_off(at(2), missed);
        assert_eq!(due(&mut agenda, 2), ["a"]);
        assert_eq!(due(&mut agenda, 9), ["b"]);
    }

    const HOUR: u32 = 3600;

    /// An agenda with something at six each day, begun at five of the first.
    fn at_six() -> (Agenda, ScheduleId) {
        let mut agenda = Agenda::new(9, u64::MAX);
        agenda.look_at(clocks(5 * HOUR));
        let placed = When::Daily(Daily::new("06:00").unwrap()).placed(clocks(5 * HOUR));
        let again = placed.again;
        let id = agenda
            .add(
                placed.at,
                Plan {
                    again,
                    ..plan("six", None)
                },
            )
            .unwrap();
        (agenda, id)
    }

    #[test]
    fn what_comes_daily_comes_at_its_time_each_day_until_it_is_called_off() {
        let (mut agenda, id) = at_six();
        assert!(due(&mut agenda, 6 * HOUR - 1).is_empty());
        assert_eq!(due(&mut agenda, 6 * HOUR), ["six"]);
        assert!(due(&mut agenda, 29 * HOUR).is_empty());
        assert_eq!(due(&mut agenda, 99 * HOUR), ["six"], "what passed is skipped");
        assert_eq!(agenda.next(), Some(at(102 * HOUR)));
        assert!(agenda.cancel(id) && agenda.len() == 0);
    }

    #[test]
    fn a_time_of_day_is_shown_as_it_was_asked_for_however_little_clocks_differ() {
        let (agenda, _) = at_six();
        let behind = Clocks {
            wall: Timestamp(clocks(5 * HOUR).wall.0 - 3),
            ..clocks(5 * HOUR)
        };
        let shown = agenda.plans().map(|(at, _, plan)| plan.next(at, behind));
        assert_eq!(shown.collect::<Vec<_>>(), [clocks(6 * HOUR).wall]);
    }

    /// It is `now`, and clocks show `wall`, both in hours.
    fn jumped(agenda: &mut Agenda, now: u32, wall: u64) -> (usize, u64) {
        let clocks = Clocks {
            now: at(now * HOUR),
            wall: Timestamp(wall * u64::from(HOUR) * 1_000_000),
        };
        agenda.look_at(clocks);
        let count = std::iter::from_fn(|| agenda.due(clocks)).count();
        let rest = agenda.next().map_or(0, |next| next.since(clocks.now).as_secs() / 3600);
        (count, rest)
    }

    #[test]
    fn a_clock_that_jumps_takes_times_of_day_with_it_and_brings_none_twice() {
        let (mut agenda, _) = at_six();
        assert_eq!(jumped(&mut agenda, 5, 4), (0, 2), "an hour back");
        assert_eq!(jumped(&mut agenda, 5, 7), (0, 23), "over it");
        let (mut agenda, _) = at_six();
        assert_eq!(jumped(&mut agenda, 6, 6), (1, 24));
        assert_eq!(jumped(&mut agenda, 7, 5), (0, 25), "back over it after it came");
        let (mut agenda, _) = at_six();
        assert_eq!(jumped(&mut agenda, 5, 10 * 365 * 24), (0, 6), "ten years ahead");
        assert_eq!(jumped(&mut agenda, 11, 10 * 365 * 24 + 6), (1, 24));
        assert_eq!(jumped(&mut agenda, 12, 12), (0, 18), "and back");
    }
}
