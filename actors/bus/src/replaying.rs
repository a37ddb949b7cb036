//! The handle of a bus: dead letters, and their replay.

use std::sync::Arc;

use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;

use crate::bus::Bus;
use crate::dead::{DeadBox, DeadLetter, Discarded, Query, Taken};
use crate::error::{ArchiveError, ReplayError};
use crate::hub::Hub;
use crate::item::{Item, Place, Sent, Waiting};
use crate::metrics::UNCOUNTED;
use crate::subscription::Subscription;
use crate::table::Target;
use crate::topic::Topic;

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
        lock(&self.0.dead).find(query, after, most)
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
        Ok(self.0.discard(|dead| dead.discard_one(number))? > 0)
    }

    /// Does so with all that a query means, in quarantine too; how many they were.
    pub fn discard_all(&self, query: &Query) -> Result<usize, ArchiveError> {
        self.0.discard(|dead| dead.discard_all(query))
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
        let letters = lock(&self.0.dead).take_all(query);
        let mut replayed = Replayed::default();
        for taken in letters {
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
    fn discard(&self, discard: impl FnOnce(&mut DeadBox) -> Discarded) -> Result<usize, ArchiveError> {
        self.archive.open()?;
        let Discarded { letters, is_news } = discard(&mut lock(&self.dead));
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
