//! What is to be published later: once, or again and again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::clock::Moment;

use crate::envelope::{Destination, Draft};

/// The shortest period of what is published again and again.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

/// Names something that is to be published later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScheduleId(u64);

/// What is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) from: Arc<str>,
    pub(crate) to: Destination,
    pub(crate) draft: Draft,
    /// How often, if more than once.
    pub(crate) every: Option<Duration>,
}

/// More is to be published later than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} envelopes wait to be published later, which is the limit; call some off, or wait")]
pub struct AgendaFull(pub usize);

/// Everything that is to be published later, by its time.
#[derive(Debug)]
pub(crate) struct Agenda {
    plans: BTreeMap<(Moment, u64), Plan>,
    times: HashMap<u64, Moment>,
    most: usize,
    next: u64,
}

impl Agenda {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            plans: BTreeMap::new(),
            times: HashMap::new(),
            most,
            next: 0,
        }
    }

    pub(crate) fn add(&mut self, at: Moment, plan: Plan) -> Result<ScheduleId, AgendaFull> {
        if self.plans.len() >= self.most {
            return Err(AgendaFull(self.most));
        }
        let id = self.next;
        self.next += 1;
        self.put(at, id, plan);
        Ok(ScheduleId(id))
    }

    fn put(&mut self, at: Moment, id: u64, plan: Plan) {
        self.times.insert(id, at);
        self.plans.insert((at, id), plan);
    }

    /// Calls one off; returns whether it was still to come.
    pub(crate) fn cancel(&mut self, id: ScheduleId) -> bool {
        let at = self.times.remove(&id.0);
        at.and_then(|at| self.plans.remove(&(at, id.0))).is_some()
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.plans.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first that is due. What comes again skips the times that have passed meanwhile.
    pub(crate) fn due(&mut self, now: Moment) -> Option<Plan> {
        let first = self.plans.first_entry().filter(|first| first.key().0 <= now)?;
        let ((at, id), plan) = first.remove_entry();
        self.times.remove(&id);
        if let Some(every) = plan.every {
            self.put(following(at, every.max(SHORTEST_PERIOD), now), id, plan.clone());
        }
        Some(plan)
    }

    /// Once more at `at`: it was due, and could not be published. What comes again does so by its own beat beside.
    pub(crate) fn put_off(&mut self, at: Moment, plan: Plan) {
        let id = self.next;
        self.next += 1;
        self.put(at, id, Plan { every: None, ..plan });
    }

    pub(crate) fn len(&self) -> usize {
        self.plans.len()
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

    fn plan(kind: &str, every: Option<Duration>) -> Plan {
        Plan {
            from: "a".into(),
            to: Destination::Topic(Topic::new("t").unwrap()),
            draft: Draft::new(kind, Payload::bytes([])),
            every,
        }
    }

    fn due(agenda: &mut Agenda, seconds: u32) -> Vec<String> {
        let due = std::iter::from_fn(|| agenda.due(at(seconds)));
        due.map(|plan| plan.draft.kind.to_string()).collect()
    }

    #[test]
    fn plans_are_due_at_their_times_in_their_order() {
        let mut agenda = Agenda::new(9);
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
        let mut agenda = Agenda::new(1);
        let id = agenda.add(at(1), plan("a", Some(SECOND))).unwrap();
        let full = agenda.add(at(1), plan("b", None)).unwrap_err();
        assert_eq!(full, AgendaFull(1));
        assert!(agenda.cancel(id) && !agenda.cancel(id));
        assert!(due(&mut agenda, 9).is_empty() && agenda.times.is_empty());
        assert!(agenda.add(at(1), plan("b", None)).is_ok());
    }

    #[test]
    fn what_comes_again_keeps_its_beat_and_skips_what_passed() {
        let mut agenda = Agenda::new(9);
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
}
