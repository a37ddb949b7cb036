//! Dead letters: envelopes that could not be delivered, with their causes, until somebody looks or there is no room.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::account::Cause;
use crate::envelope::Timestamp;
use crate::filter::Filter;
use crate::item::Sent;
use crate::ledger::{Ledger, Page};
use crate::shelf::{Shelf, Weighed};
use crate::topic::Pattern;

/// An envelope that could not be delivered to one subscriber.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Names it.
    pub number: u64,
    /// When it died, by the clock of the world.
    pub time: Timestamp,
    /// Whose it was.
    pub subscriber: Arc<str>,
    /// The subscription that it was for; of an earlier runtime, none that there is.
    pub subscription: SubscriptionId,
    /// The name of that subscription, where it had one.
    pub name: Option<Arc<str>>,
    /// Why.
    pub cause: Cause,
    /// What the subscriber said last, where it said something.
    pub why: Option<Arc<str>>,
    /// How often its handling failed, ever.
    pub failures: u32,
    /// The envelope.
    pub envelope: Sent,
}

impl DeadLetter {
    /// Whether it is set apart: it is replayed only by its number.
    pub fn is_quarantined(&self) -> bool {
        self.cause == Cause::Poison
    }
}

impl Weighed for DeadLetter {
    fn weight(&self) -> u64 {
        (self.envelope.payload.len() + self.why.as_ref().map_or(0, |why| why.len())) as u64
    }
}

/// Names a subscription within one life of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub(crate) u64);

impl std::fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which dead letters are meant; all of them where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of this cause.
    pub cause: Option<Cause>,
    /// Of topics that this pattern stands for.
    pub pattern: Option<Pattern>,
    /// Of this subscriber.
    pub subscriber: Option<Arc<str>>,
    /// Of envelopes that this accepts.
    pub filter: Option<Filter>,
    /// Of those that died then or later.
    pub since: Option<Timestamp>,
    /// Of those that died earlier than that.
    pub before: Option<Timestamp>,
}

impl Query {
    pub(crate) fn accepts(&self, letter: &DeadLetter) -> bool {
        let is_of_topic = |pattern: &Pattern| letter.envelope.topic().is_some_and(|topic| pattern.matches(topic));
        self.cause.is_none_or(|cause| cause == letter.cause)
            && self.subscriber.as_ref().is_none_or(|who| *who == letter.subscriber)
            && self.since.is_none_or(|since| since <= letter.time)
            && self.before.is_none_or(|before| letter.time < before)
            && self.pattern.as_ref().is_none_or(is_of_topic)
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.accepts(&letter.envelope))
    }
}

/// The dead letters that are kept; the ledger knows which of them are of durable topics, and so on disk.
#[derive(Debug)]
pub(crate) struct DeadBox {
    letters: Shelf<u64, DeadLetter>,
    /// Those on disk that are replayed: until that has ended they stand there.
    replayed: Shelf<u64, DeadLetter>,
    ledger: Ledger,
    /// What those of the disk take there, about.
    bytes: u64,
    most: usize,
    /// The most bytes of payloads and reasons.
    most_bytes: u64,
    count: Count,
}

/// A letter that was taken out, to be replayed.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) letter: DeadLetter,
    /// Whether it stands there until its replay has ended. The number of one that does not may be that of another by then: the disk
    /// is read while the runtime starts.
    pub(crate) is_on_disk: bool,
}

/// What is counted of dead letters through all runtimes of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// The number that was given last.
    pub(crate) last: u64,
    /// How many made room.
    pub(crate) forgotten: u64,
}

/// What was forgotten by hand, to be let go of outside the lock.
#[derive(Debug)]
pub(crate) struct Discarded {
    pub(crate) letters: Vec<DeadLetter>,
    /// Whether that is the first thing that the disk is to be told.
    pub(crate) is_news: bool,
}

impl DeadBox {
    /// One that keeps the last `most`, and no more of them than take `most_bytes`.
    pub(crate) fn new(most: usize, most_bytes: u64) -> Self {
        Self {
            letters: Shelf::default(),
            replayed: Shelf::default(),
            ledger: Ledger::default(),
            bytes: 0,
            most,
            most_bytes,
            count: Count::default(),
        }
    }

    /// Keeps a letter, whatever number it has; the oldest makes room. Tells whether it is the first that the disk does not
    /// know.
    pub(crate) fn keep(&mut self, letter: DeadLetter, is_durable: bool) -> bool {
        let weight = letter.weight();
        let number = self.insert(letter);
        self.bytes += if is_durable { weight } else { 0 };
        let is_first = is_durable && self.ledger.keep(number);
        self.make_room() || is_first
    }

    /// Keeps a letter in the place of one that was replayed: that died again.
    pub(crate) fn replace(&mut self, before: u64, letter: DeadLetter, is_durable: bool) -> bool {
        let weight = letter.weight();
        self.bytes -= self.replayed.remove(&before).map_or(0, |letter| letter.weight());
        let number = self.insert(letter);
        let is_first = if is_durable {
            self.bytes += weight;
            self.ledger.replace(before, number)
        } else {
            self.ledger.forget(before)
        };
        self.make_room() || is_first
    }

    fn insert(&mut self, letter: DeadLetter) -> u64 {
        self.count.last += 1;
        let number = self.count.last;
        self.letters.insert(number, DeadLetter { number, ..letter });
        number
    }

    fn make_room(&mut self) -> bool {
        let mut is_first = false;
        while (self.len() > self.most || self.letters.bytes() + self.replayed.bytes() > self.most_bytes)
            && let Some((number, letter)) = self.letters.pop_first()
        {
            self.count.forgotten += 1;
            self.bytes -= if self.ledger.knows(number) { letter.weight() } else { 0 };
            is_first |= self.ledger.forget(number);
        }
        is_first
    }

    /// Keeps a letter that was taken out under the number it had, where that is not another's by now.
    pub(crate) fn put_back(&mut self, taken: Taken) {
        let Taken { letter, is_on_disk } = taken;
        let number = letter.number;
        if is_on_disk {
            self.replayed.remove(&number);
        } else if self.letters.contains_key(&number) || self.replayed.contains_key(&number) {
            self.insert(letter);
            self.make_room();
            return;
        }
        self.letters.insert(number, letter);
        self.make_room();
    }

    /// Up to `most` letters after the one of number `after`, oldest first.
    pub(crate) fn after(&self, after: u64, most: usize) -> Vec<DeadLetter> {
        self.letters
            .range(after.saturating_add(1)..)
            .take(most)
            .cloned()
            .collect()
    }

    /// Takes out one, to be replayed.
    pub(crate) fn take(&mut self, number: u64) -> Option<Taken> {
        let letter = self.letters.remove(&number)?;
        Some(self.hold(letter))
    }

    /// Forgets those of these numbers that are there, in quarantine too.
    pub(crate) fn discard(&mut self, numbers: impl IntoIterator<Item = u64>) -> Discarded {
        let numbers = numbers.into_iter();
        let letters: Vec<_> = numbers.filter_map(|number| self.letters.remove(&number)).collect();
        let mut is_news = false;
        for letter in &letters {
            self.bytes -= if self.ledger.knows(letter.number) {
                letter.weight()
            } else {
                0
            };
            is_news |= self.ledger.forget(letter.number);
        }
        Discarded { letters, is_news }
    }

    fn hold(&mut self, letter: DeadLetter) -> Taken {
        let is_on_disk = self.ledger.knows(letter.number);
        if is_on_disk {
            self.replayed.insert(letter.number, letter.clone());
        }
        Taken { letter, is_on_disk }
    }

    /// The replay of one has ended; tells whether it is the first thing the disk is to be told.
    pub(crate) fn settle(&mut self, number: u64) -> bool {
        let Some(letter) = self.replayed.remove(&number) else {
            return false;
        };
        self.bytes -= letter.weight();
        self.ledger.forget(number)
    }

    /// How many are kept, those that are being replayed on disk among them.
    pub(crate) fn len(&self) -> usize {
        self.letters.len() + self.replayed.len()
    }

    /// How many are shown.
    pub(crate) fn kept(&self) -> usize {
        self.letters.len()
    }

    /// How many made room.
    pub(crate) fn forgotten(&self) -> u64 {
        self.count.forgotten
    }

    // ---- to the disk, and from it ----

    pub(crate) const fn count(&self) -> Count {
        self.count
    }

    /// Whether the disk is to be told something.
    pub(crate) fn has_news(&self) -> bool {
        self.ledger.has_news()
    }

    /// What the disk is told next, as far as `fits` says that there is room.
    pub(crate) fn page(&mut self, mut fits: impl FnMut(&DeadLetter) -> bool) -> Page {
        let (letters, replayed) = (&self.letters, &self.replayed);
        let letter = |number| letters.get(&number).or_else(|| replayed.get(&number));
        self.ledger.page(|number| letter(number).is_none_or(&mut fits))
    }

    /// A page was not written, for certain.
    pub(crate) fn not_written(&mut self, page: &Page) {
        self.ledger.not_written(page);
    }

    /// All that are of the disk.
    pub(crate) fn durable(&self) -> impl Iterator<Item = &DeadLetter> {
        let all = self.letters.values().chain(self.replayed.values());
        all.filter(|letter| self.ledger.knows(letter.number))
    }

    /// All that are of the disk, for a snapshot: what is on its way there is in it too.
    pub(crate) fn copy(&mut self) -> impl Iterator<Item = &DeadLetter> {
        self.ledger.copy();
        self.durable()
    }

    /// What they take there, about.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes up what is on disk. What is known here has come further.
    pub(crate) fn take_up(&mut self, on_disk: BTreeMap<u64, DeadLetter>, count: Count, is_first: bool) {
        let numbers = on_disk.keys().copied().collect();
        if is_first {
            let before = std::mem::replace(&mut self.letters, on_disk.into_iter().collect());
            let forgotten = self.count.forgotten;
            self.count = count;
            self.count.forgotten += forgotten;
            // What died before the disk was read comes behind it.
            let durable = std::mem::take(&mut self.ledger);
            for (number, letter) in before {
                self.keep(letter, durable.knows(number));
            }
        }
        let Self {
            letters,
            replayed,
            ledger,
            ..
        } = self;
        ledger.reconcile(numbers, |number| {
            letters.contains_key(&number) || replayed.contains_key(&number)
        });
        self.bytes = self.durable().map(DeadLetter::weight).sum();
        self.make_room();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use triarch_supervision::message::Priority;

    use super::*;
    use crate::envelope::{Destination, Envelope, EnvelopeId, Payload};
    use crate::topic::Topic;

    fn letter(topic: &str, subscriber: &str, cause: Cause) -> DeadLetter {
        let envelope = Envelope {
            id: EnvelopeId::new(1, 1),
            time: Timestamp(0),
            from: "a".into(),
            to: Destination::Topic(Topic::new(topic).unwrap()),
            kind: "k".into(),
            key: None,
            priority: Priority::Normal,
            ttl_ms: None,
            correlation: None,
            causation: None,
            payload: Payload::bytes([]),
        };
        DeadLetter {
            number: 0,
            time: Timestamp(0),
            subscriber: subscriber.into(),
            subscription: SubscriptionId(1),
            name: None,
            cause,
            why: None,
            failures: 0,
            envelope: Sent::at_rest(envelope),
        }
    }

    fn filled() -> DeadBox {
        let mut dead = DeadBox::new(4, u64::MAX);
        dead.keep(letter("a.gone", "team/x", Cause::Failed), false);
        dead.keep(letter("a.one", "team/x", Cause::Failed), false);
        dead.keep(letter("a.two", "team/y", Cause::Expired), false);
        dead.keep(letter("b.one", "team/x", Cause::Poison), false);
        dead.keep(letter("b.two", "team/y", Cause::Failed), false);
        dead
    }

    fn find(dead: &DeadBox, query: &Query, after: u64, most: usize) -> Vec<DeadLetter> {
        let later = dead.after(after, usize::MAX).into_iter();
        later.filter(|letter| query.accepts(letter)).take(most).collect()
    }

    fn numbers(letters: &[DeadLetter]) -> Vec<u64> {
        letters.iter().map(|letter| letter.number).collect()
    }

    #[test]
    fn the_oldest_makes_room_and_is_counted() {
        let dead = filled();
        assert_eq!((dead.len(), dead.forgotten()), (4, 1));
        assert_eq!(numbers(&find(&dead, &Query::default(), 0, 99)), [2, 3, 4, 5]);
        assert_eq!(find(&dead, &Query::default(), 1, 1)[0].subscription.to_string(), "1");
        assert_eq!(numbers(&find(&dead, &Query::default(), 3, 1)), [4]);
    }

    #[test]
    fn the_oldest_make_room_where_payloads_take_too_much_those_being_replayed_among_them() {
        let of = |size: usize, why: Option<&str>| {
            let letter = letter("a", "team/x", Cause::Failed);
            let payload = Payload::bytes(vec![0; size]);
            let envelope = Sent::at_rest(Envelope {
                payload,
                ..(*letter.envelope).clone()
            });
            let why = why.map(Arc::from);
            DeadLetter {
                why,
                envelope,
                ..letter
            }
        };
        let mut dead = DeadBox::new(99, 10);
        for size in [4, 4, 2] {
            dead.keep(of(size, None), true);
        }
        assert_eq!((dead.len(), dead.forgotten()), (3, 0));
        dead.keep(of(1, Some("why")), false);
        assert_eq!(numbers(&find(&dead, &Query::default(), 0, 99)), [2, 3, 4]);
        let taken = dead.take(2).unwrap();
        dead.keep(of(5, None), false);
        assert_eq!(
            (numbers(&find(&dead, &Query::default(), 0, 99)), dead.len()),
            (vec![5], 2)
        );
        dead.put_back(taken);
        assert_eq!((dead.len(), dead.forgotten()), (2, 3));
    }

    #[test]
    fn the_disk_is_told_of_one_that_made_room_for_another_that_is_not_of_the_disk() {
        let mut dead = DeadBox::new(1, u64::MAX);
        dead.keep(letter("a", "team/x", Cause::Failed), true);
        dead.page(|_| true);
        assert!(dead.keep(letter("b", "team/x", Cause::Failed), false));
        assert_eq!(dead.page(|_| true).gone, [1]);
    }

    #[test]
    fn one_that_is_put_back_makes_no_more_of_them_than_there_may_be() {
        let mut dead = filled();
        let taken = dead.take(5).unwrap();
        dead.keep(letter("b.three", "team/y", Cause::Failed), false);
        dead.put_back(taken);
        assert_eq!((dead.len(), dead.forgotten()), (4, 2));
        assert_eq!(numbers(&find(&dead, &Query::default(), 0, 99)), [3, 4, 5, 6]);
    }

    #[test]
    fn letters_are_found_by_cause_topic_subscriber_and_filter() {
        let dead = filled();
        let all = Query::default;
        let found = |query: Query| numbers(&find(&dead, &query, 0, 99));
        assert_eq!(
            found(Query {
                cause: Some(Cause::Failed),
                ..all()
            }),
            [2, 5]
        );
        assert_eq!(
            found(Query {
                pattern: Some(Pattern::new("a.*").unwrap()),
                ..all()
            }),
            [2, 3]
        );
        assert_eq!(
            found(Query {
                subscriber: Some("team/y".into()),
                ..all()
            }),
            [3, 5]
        );
        let filter = Filter::new("topic matches \"one$\"").unwrap();
        assert_eq!(
            found(Query {
                filter: Some(filter),
                ..all()
            }),
            [2, 4]
        );
    }

    #[test]
    fn letters_are_found_by_when_they_died() {
        let mut dead = DeadBox::new(9, u64::MAX);
        for second in 1..=4 {
            let letter = letter("a", "team/x", Cause::Failed);
            dead.keep(
                DeadLetter {
                    time: Timestamp(second),
                    ..letter
                },
                false,
            );
        }
        let found = |since, before| {
            let query = Query {
                since,
                before,
                ..Query::default()
            };
            numbers(&find(&dead, &query, 0, 99))
        };
        assert_eq!(found(Some(Timestamp(2)), Some(Timestamp(4))), [2, 3]);
        assert_eq!(
            (found(Some(Timestamp(4)), None), found(None, Some(Timestamp(2)))),
            (vec![4], vec![1])
        );
    }

    #[test]
    fn what_is_discarded_is_taken_off_the_disk_in_quarantine_too() {
        let mut dead = DeadBox::new(9, u64::MAX);
        dead.keep(letter("a", "team/x", Cause::Poison), true);
        dead.keep(letter("b", "team/x", Cause::Failed), false);
        dead.keep(letter("b", "team/y", Cause::Failed), true);
        dead.page(|_| true);
        let of_x = Query {
            subscriber: Some("team/x".into()),
            ..Query::default()
        };
        let discarded = |dead: &mut DeadBox| {
            let meant = numbers(&find(dead, &of_x, 0, 9));
            let Discarded { letters, is_news } = dead.discard(meant);
            (letters.len(), is_news)
        };
        assert_eq!(discarded(&mut dead), (2, true));
        assert_eq!(discarded(&mut dead), (0, false));
        assert_eq!(numbers(&find(&dead, &Query::default(), 0, 9)), [3]);
        assert_eq!(dead.page(|_| true).gone, [1]);
    }

    #[test]
    fn one_on_disk_stands_there_until_its_replay_has_ended() {
        let mut dead = DeadBox::new(2, u64::MAX);
        assert!(dead.keep(letter("a", "team/x", Cause::Failed), true));
        dead.page(|_| true);
        let taken = dead.take(1).unwrap();
        assert!(dead.take(1).is_none() && find(&dead, &Query::default(), 0, 9).is_empty());
        assert_eq!((dead.durable().count(), dead.len(), dead.has_news()), (1, 1, false));
        dead.put_back(taken);
        assert!(dead.take(1).is_some() && dead.settle(1) && !dead.settle(1));
        assert_eq!(dead.page(|_| true).gone, [1]);
        assert_eq!((dead.durable().count(), dead.len()), (0, 0));
        // Others are not known to the disk, replayed or not.
        dead.keep(letter("b", "team/x", Cause::Failed), false);
        assert!(dead.take(2).is_some() && dead.len() == 0 && !dead.has_news());
    }

    #[test]
    fn one_that_dies_again_is_on_disk_throughout_under_one_number_or_the_other() {
        let mut dead = DeadBox::new(1, u64::MAX);
        dead.keep(letter("a", "team/x", Cause::Failed), true);
        dead.page(|_| true);
        let taken = dead.take(1).unwrap();
        assert!(dead.replace(1, taken.letter, true));
        assert_eq!((dead.len(), dead.forgotten()), (1, 0));
        assert_eq!(dead.page(|_| false), Page::default(), "there is no room for the other");
        let page = dead.page(|_| true);
        assert_eq!((page.new, page.gone), (vec![2], vec![1]));
        // With another configuration its topic is durable no more.
        let taken = dead.take(2).unwrap();
        assert!(dead.replace(2, taken.letter, false));
        let page = dead.page(|_| true);
        assert_eq!((page.new, page.gone, dead.durable().count()), (vec![], vec![2], 0));
    }

    #[test]
    fn one_that_a_snapshot_has_before_its_page_is_taken_off_the_disk_like_others() {
        let mut dead = DeadBox::new(1, u64::MAX);
        dead.keep(letter("a", "team/x", Cause::Failed), true);
        assert_eq!(dead.copy().count(), 1);
        dead.keep(letter("b", "team/x", Cause::Failed), true);
        let page = dead.page(|_| true);
        assert_eq!((page.new, page.gone), (vec![2], vec![1]));
        // What came after the snapshot and went before its page leaves no trace.
        dead.keep(letter("c", "team/x", Cause::Failed), true);
        dead.keep(letter("d", "team/x", Cause::Failed), true);
        let page = dead.page(|_| true);
        assert_eq!((page.new, page.gone), (vec![4], vec![2]));
    }

    #[test]
    fn one_whose_number_the_disk_has_for_another_ends_and_comes_back_without_it() {
        let on_disk = || {
            BTreeMap::from([(
                1,
                DeadLetter {
                    number: 1,
                    ..letter("a", "team/x", Cause::Failed)
                },
            )])
        };
        for ends in [true, false] {
            let mut dead = DeadBox::new(9, u64::MAX);
            dead.keep(letter("early", "team/y", Cause::Failed), false);
            let taken = dead.take(1).unwrap();
            dead.take_up(on_disk(), Count { last: 1, forgotten: 0 }, true);
            if ends {
                assert!(!dead.settle(1));
            } else {
                dead.put_back(taken);
                assert_eq!(numbers(&find(&dead, &Query::default(), 0, 9)), [1, 2]);
            }
            assert_eq!((dead.durable().count(), dead.has_news()), (1, false));
            let first = find(&dead, &Query::default(), 0, 1).remove(0);
            assert_eq!(&*first.subscriber, "team/x");
        }
    }

    #[test]
    fn the_next_runtime_has_the_letters_of_the_disk_before_its_own_and_no_more_than_there_may_be() {
        let on_disk = |numbers: &[u64]| {
            let letter = |number: &u64| DeadLetter {
                number: *number,
                ..letter("a", "team/x", Cause::Failed)
            };
            numbers
                .iter()
                .map(|number| (*number, letter(number)))
                .collect::<BTreeMap<_, _>>()
        };
        let mut dead = DeadBox::new(3, u64::MAX);
        dead.keep(letter("early", "team/y", Cause::Failed), true);
        dead.take_up(on_disk(&[1, 4, 5]), Count { last: 7, forgotten: 2 }, true);
        assert_eq!(numbers(&find(&dead, &Query::default(), 0, 99)), [4, 5, 8]);
        assert_eq!(dead.count(), Count { last: 8, forgotten: 3 });
        assert_eq!(
            dead.page(|_| true),
            Page {
                new: vec![8],
                gone: vec![1]
            }
        );
        // After a failure what was replayed meanwhile goes off the disk, and what is not there is written once more.
        dead.take(4);
        dead.settle(4);
        dead.take_up(on_disk(&[1, 4, 5]), Count::default(), false);
        assert_eq!(
            dead.page(|_| true),
            Page {
                new: vec![8],
                gone: vec![1, 4]
            }
        );
        assert_eq!(numbers(&find(&dead, &Query::default(), 0, 99)), [5, 8]);
    }

    /// What may happen to letters, by the number it happens to.
    #[derive(Clone, Debug)]
    enum Act {
        Keep(usize, bool),
        Take(usize),
        End(usize),
        DieAgain(usize, bool),
        PutBack(usize),
        TakeUp(bool),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0..9usize, any::<bool>()).prop_map(|(size, is_durable)| Act::Keep(size, is_durable)),
            3 => any::<usize>().prop_map(Act::Take),
            1 => any::<usize>().prop_map(Act::End),
            2 => (any::<usize>(), any::<bool>()).prop_map(|(which, is_durable)| Act::DieAgain(which, is_durable)),
            1 => any::<usize>().prop_map(Act::PutBack),
            1 => any::<bool>().prop_map(Act::TakeUp),
        ]
    }

    fn pick<T>(all: &mut Vec<T>, which: usize) -> Option<T> {
        (!all.is_empty()).then(|| all.swap_remove(which % all.len()))
    }

    proptest! {
        #[test]
        fn what_letters_take_on_disk_is_known_without_a_walk_over_them(acts in prop::collection::vec(act(), 0..60)) {
            let (mut dead, mut taken) = (DeadBox::new(5, 20), Vec::<Taken>::new());
            let on_disk = |one: &Taken| one.is_on_disk;
            for act in acts {
                match act {
                    Act::Keep(size, is_durable) => {
                        let mut letter = letter("a", "team/x", Cause::Failed);
                        let payload = Payload::bytes(vec![0; size]);
                        letter.envelope = Sent::at_rest(Envelope { payload, ..(*letter.envelope).clone() });
                        dead.keep(letter, is_durable);
                    }
                    Act::Take(which) => {
                        let all = numbers(&find(&dead, &Query::default(), 0, 99));
                        let number = all.get(which % all.len().max(1));
                        taken.extend(number.and_then(|number| dead.take(*number)));
                    }
                    Act::End(which) => {
                        if let Some(one) = pick(&mut taken, which).filter(on_disk) {
                            dead.settle(one.letter.number);
                        }
                    }
                    Act::DieAgain(which, is_durable) => {
                        if let Some(one) = pick(&mut taken, which).filter(on_disk) {
                            dead.replace(one.letter.number, one.letter, is_durable);
                        }
                    }
                    Act::PutBack(which) => {
                        if let Some(one) = pick(&mut taken, which) {
                            dead.put_back(one);
                        }
                    }
                    Act::TakeUp(is_all) => {
                        dead.page(|_| is_all);
                        let there: BTreeMap<_, _> = dead.durable().map(|one| (one.number, one.clone())).collect();
                        dead.take_up(there, dead.count(), false);
                    }
                }
                let naive: usize = dead.durable().map(|one| one.envelope.payload.len()).sum();
                prop_assert_eq!(dead.bytes(), naive as u64);
                let all = dead.letters.values().chain(dead.replayed.values());
                let bytes = all.map(Weighed::weight).sum::<u64>();
                prop_assert_eq!(dead.letters.bytes() + dead.replayed.bytes(), bytes);
                prop_assert!(bytes <= 20 || dead.letters.len() == 0, "{}", bytes);
                prop_assert!(dead.kept() <= 5);
            }
        }
    }

    #[test]
    fn what_a_page_had_that_was_not_written_goes_with_the_next() {
        let mut dead = DeadBox::new(1, u64::MAX);
        dead.keep(letter("a", "team/x", Cause::Failed), true);
        let page = dead.page(|_| true);
        assert_eq!((&page.new, dead.has_news()), (&vec![1], false));
        dead.not_written(&page);
        assert!(dead.has_news());
        assert_eq!(dead.page(|_| true), page);
        assert!(dead.take(1).is_some() && dead.settle(1));
        let gone = dead.page(|_| true);
        dead.not_written(&gone);
        assert_eq!(dead.page(|_| true).gone, [1]);
    }

    #[test]
    fn those_being_replayed_are_not_shown_and_what_made_room_in_both_lives_is_counted() {
        let mut dead = filled();
        dead.keep(letter("c", "team/x", Cause::Failed), true);
        assert_eq!((dead.len(), dead.kept(), dead.forgotten()), (4, 4, 2));
        let taken = dead.take(6).unwrap();
        assert!(taken.is_on_disk);
        assert_eq!((dead.len(), dead.kept()), (4, 3));
        let mut before = dead.count();
        before.forgotten = 5;
        dead.take_up(BTreeMap::new(), before, true);
        assert_eq!(dead.forgotten(), 7);
    }
}
