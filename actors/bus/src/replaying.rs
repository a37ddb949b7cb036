//! The handle of a bus: dead letters, and their replay.

use std::sync::Arc;

use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;

use crate::bus::Bus;
use crate::dead::{DeadLetter, Discarded, Query, Taken};
use crate::error::{ArchiveError, ReplayError};
use crate::hub::Hub;
use crate::item::{Item, Place, Sent, Waiting};
use crate::metrics::UNCOUNTED;
use crate::subscription::Subscription;
use crate::table::Target;
use crate::topic::Topic;

/// So many letters are looked at under one hold of their lock.
const PAGE: usize = 256;

/// What came of a replay of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Handed to their subscriptions again.
    pub sent: usize,
    /// Kept, since their subscriptions have ended, take no such envelopes any more, or have no room for them now.
    pub kept: usize,
}

impl Bus {
    /// Up to `most` dead letters with numbers above `after`, oldest first.
    pub fn dead_letters(&self, query: &Query, after: u64, most: usize) -> Vec<DeadLetter> {
        self.0.find_dead(query, after, most)
    }

    /// How many dead letters there are.
    pub fn dead_letters_kept(&self) -> usize {
        lock(&self.0.dead).kept()
    }

    /// How many dead letters made room for others, and cannot be replayed.
    pub fn forgotten_letters(&self) -> u64 {
        lock(&self.0.dead).forgotten()
    }

    /// Forgets a dead letter; whether there was one of that number. One on disk is off it with the next group of records; while the
    /// disk takes none, none is forgotten.
    pub fn discard(&self, number: u64) -> Result<bool, ArchiveError> {
        Ok(self.0.discard(&[number])? > 0)
    }

    /// Does so with all that a query means, in quarantine too; how many they were.
    pub fn discard_all(&self, query: &Query) -> Result<usize, ArchiveError> {
        let meant = self.0.find_dead(query, 0, usize::MAX);
        self.0
            .discard(&meant.iter().map(|letter| letter.number).collect::<Vec<_>>())
    }

    /// Hands a dead letter to its subscription again, out of quarantine too.
    pub fn replay(&self, number: u64) -> Result<(), ReplayError> {
        let taken = lock(&self.0.dead).take(number);
        let taken = taken.ok_or(ReplayError::NoSuchLetter(number))?;
        self.0.revive(taken).map_err(|kept| {
            let (taken, has_taker) = match kept {
                Kept::Full(taken) => (taken, true),
                Kept::NobodyTakes(taken) => (taken, false),
            };
            let subscriber = Arc::clone(&taken.letter.subscriber);
            lock(&self.0.dead).put_back(taken);
            if has_taker {
                ReplayError::Full { number, subscriber }
            } else {
                ReplayError::NobodyTakes { number, subscriber }
            }
        })
    }

    /// Does so with all that a query means, but for those in quarantine.
    pub fn replay_all(&self, query: &Query) -> Replayed {
        let mut meant = self.0.find_dead(query, 0, usize::MAX);
        meant.retain(|letter| !letter.is_quarantined());
        let taken: Vec<_> = {
            let mut dead = lock(&self.0.dead);
            meant.iter().filter_map(|letter| dead.take(letter.number)).collect()
        };
        let mut replayed = Replayed::default();
        for taken in taken {
            match self.0.revive(taken) {
                Ok(()) => replayed.sent += 1,
                Err(Kept::Full(taken) | Kept::NobodyTakes(taken)) => {
                    replayed.kept += 1;
                    lock(&self.0.dead).put_back(taken);
                }
            }
        }
        replayed
    }
}

/// Why a letter stays one.
enum Kept {
    /// As many wait for its subscription as that bears: it would take the place of another, or be lost itself.
    Full(Taken),
    NobodyTakes(Taken),
}

impl Hub {
    /// Up to `most` letters behind that number which a query means. They are held against it without the lock: whoever has something to
    /// bury does not wait until long payloads were read.
    fn find_dead(&self, query: &Query, mut after: u64, most: usize) -> Vec<DeadLetter> {
        let mut found = Vec::new();
        while found.len() < most {
            let page = lock(&self.dead).after(after, PAGE);
            let Some(last) = page.last() else { break };
            after = last.number;
            found.extend(page.into_iter().filter(|letter| query.accepts(letter)));
        }
        found.truncate(most);
        found
    }

    fn discard(&self, numbers: &[u64]) -> Result<usize, ArchiveError> {
        self.archive.open()?;
        let Discarded { letters, is_news } = lock(&self.dead).discard(numbers.iter().copied());
        if is_news {
            self.archive.ring();
        }
        Ok(letters.len())
    }

    /// Hands a dead letter to its subscription, or to what the subscriber has instead; gives it back where that is nothing
    /// that may have it, or has no room.
    fn revive(self: &Arc<Self>, taken: Taken) -> Result<(), Kept> {
        let letter = &taken.letter;
        let same = self.subscription(letter.subscription);
        // Who takes what is sent to a path is asked for: it may have left.
        let same = same.filter(|one| one.profile.pattern.is_some() && self.may_have(&one.profile, &letter.envelope));
        let Some(one) = same.or_else(|| self.successor(letter)) else {
            return Err(Kept::NobodyTakes(taken));
        };
        let now = Moment::now();
        let label = letter.envelope.topic();
        let label = label.map_or(UNCOUNTED, |topic| self.metrics.label(topic));
        let item = Item {
            // It sets out anew, and for no limited time.
            envelope: Sent::new((*letter.envelope).clone(), None, now, label),
            place: taken.is_on_disk.then_some(Place::Letter(letter.number)),
        };
        let waiting = Waiting::again(item, letter.failures);
        let revived = one.act(self, now, |inbox, effects| {
            let has_room = inbox.has_room_for(&waiting);
            if has_room {
                inbox.admit(waiting, now, effects);
            }
            has_room
        });
        match revived {
            Some(true) => Ok(()),
            Some(false) => Err(Kept::Full(taken)),
            None => Err(Kept::NobodyTakes(taken)),
        }
    }

    fn successor(&self, letter: &DeadLetter) -> Option<Arc<Subscription>> {
        let may = |one: &Arc<Subscription>| self.may_have(&one.profile, &letter.envelope);
        let Some(topic) = letter.envelope.topic() else {
            return self.find_agent(&letter.subscriber).ok().flatten().filter(may);
        };
        if letter.name.is_some() {
            return self.reader(letter, topic).filter(may);
        }
        let route = self.route(&self.topic(topic));
        let of_subscriber = |target: &Target| match target {
            Target::One(one) => (one.profile.subscriber == letter.subscriber && may(one)).then(|| Arc::clone(one)),
            Target::Group(group) => group.member_of(&letter.subscriber, may),
        };
        let found = route.targets.iter().find_map(of_subscriber);
        found.or_else(|| self.reader(letter, topic).filter(may))
    }

    /// Who reads the log of a topic as whoever the letter was for, under the same name or under none.
    fn reader(&self, letter: &DeadLetter, topic: &Topic) -> Option<Arc<Subscription>> {
        let log = self.archive.log_of(topic)?;
        let is_it = |one: &Arc<Subscription>| {
            let profile = &one.profile;
            let name = profile.reads.as_ref().and_then(|reads| reads.name.as_ref());
            profile.subscriber == letter.subscriber
                && name == letter.name.as_ref()
                && profile.pattern.as_ref().is_some_and(|pattern| pattern.matches(topic))
        };
        self.archive.followers(log).into_iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::metrics::Instruments;

    use super::*;
    use crate::account::Cause;
    use crate::config::Config;
    use crate::dead::SubscriptionId;
    use crate::envelope::{Destination, Draft, EnvelopeId, Payload, Timestamp};
    use crate::filter::Filter;
    use crate::metrics::BUS;

    fn buried(bus: &Bus, cause: Cause, payload: Payload) {
        let to = Destination::Agent("team/x".into());
        let envelope = Draft::new("k", payload).sealed(EnvelopeId::new(1, 1), Timestamp(0), "team/a".into(), to);
        let letter = DeadLetter {
            number: 0,
            time: Timestamp(0),
            subscriber: "team/x".into(),
            subscription: SubscriptionId(1),
            name: None,
            cause,
            why: None,
            failures: 1,
            envelope: Sent::at_rest(envelope),
        };
        lock(&bus.0.dead).keep(letter, false);
    }

    fn bus() -> Bus {
        let instruments = Instruments::with_tree(&[BUS]).unwrap();
        Bus::new(Config::default(), 1, &instruments).unwrap()
    }

    fn asking_the_payload() -> Query {
        Query {
            filter: Some(Filter::new("payload.0 eq 7").unwrap()),
            ..Query::default()
        }
    }

    #[test]
    fn whoever_buries_does_not_wait_until_all_payloads_are_held_against_a_query() {
        let bus = bus();
        let long = vec![7; 200_000];
        for _ in 0..40 {
            buried(&bus, Cause::Failed, Payload::json(&long.clone().into()));
        }
        let (longest, took) = std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let begun = Moment::now();
                assert_eq!(bus.dead_letters(&asking_the_payload(), 0, 99).len(), 40);
                Moment::now().since(begun)
            });
            let mut longest = Duration::ZERO;
            while !looking.is_finished() {
                let begun = Moment::now();
                let kept = bus.dead_letters_kept();
                longest = longest.max(Moment::now().since(begun));
                assert_eq!(kept, 40);
                std::thread::yield_now();
            }
            (longest, looking.join().unwrap())
        });
        assert!(longest < took / 2, "{longest:?} of {took:?}");
    }

    #[test]
    fn all_that_a_query_means_are_found_replayed_and_discarded_however_many_there_are() {
        let bus = bus();
        for number in 0..2 * PAGE + 9 {
            let cause = if number == 3 { Cause::Poison } else { Cause::Failed };
            buried(&bus, cause, Payload::json(&vec![7 + number % 2].into()));
        }
        let numbers = |after, most| -> Vec<u64> {
            let found = bus.dead_letters(&Query::default(), after, most);
            found.iter().map(|letter| letter.number).collect()
        };
        assert_eq!(numbers(0, PAGE + 1), (1..=PAGE as u64 + 1).collect::<Vec<_>>());
        assert_eq!(numbers(2 * PAGE as u64 + 6, 9), [519, 520, 521]);
        assert!(numbers(u64::MAX, 9).is_empty());
        let replayed = bus.replay_all(&Query::default());
        assert_eq!(
            (replayed.sent, replayed.kept),
            (0, 2 * PAGE + 8),
            "but for the one in quarantine"
        );
        assert_eq!(bus.discard_all(&asking_the_payload()).unwrap(), PAGE + 5);
        assert_eq!(
            (
                bus.dead_letters_kept(),
                bus.discard(2).unwrap(),
                bus.discard(2).unwrap()
            ),
            (PAGE + 4, true, false)
        );
        assert_eq!(bus.discard_all(&Query::default()).unwrap(), PAGE + 3);
    }
}
