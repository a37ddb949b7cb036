//! Who was seen to belong to a program, and is known again by that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::census::{Entry, Identity};

/// Fewer than twice so many are not looked through for their number.
const FEW: usize = 8;
/// How often it is time to, where there are any beside the program itself.
const LOOK_THROUGH: Duration = Duration::from_mins(1);
/// So long nobody is seen in a session before it is over: who leaves another and ends, again and again, is in no list.
const UNSEEN: Duration = Duration::from_mins(1);

/// They, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    known: HashMap<i32, Sight>,
    /// The first, whose session is not over while anybody is looked for.
    first: Option<i32>,
    /// How many were left when they were last looked through, and when that was.
    kept: usize,
    kept_at: Instant,
}

/// What is known of one of them.
#[derive(Clone, Copy, Debug)]
struct Sight {
    began: u64,
    /// Whether it led a session, which may outlive it.
    has_led: bool,
    at: Instant,
    /// Since when nobody was in its session whenever all were looked at.
    unseen: Option<Instant>,
}

impl Seen {
    pub(super) fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut entries = entries.into_iter().peekable();
        let mut seen = Self {
            known: HashMap::new(),
            first: entries.peek().map(|entry| entry.pid),
            kept: 0,
            kept_at: Instant::now(),
        };
        seen.extend(entries);
        seen
    }

    pub(super) fn extend<'e>(&mut self, entries: impl IntoIterator<Item = &'e Entry>) {
        let at = Instant::now();
        for entry in entries {
            let (pid, began) = entry.identity();
            // Of one that is just being laid to rest no session is told any more.
            let was_leader = self.has((pid, began)) && self.leader_of(pid).is_some();
            let has_led = entry.session == pid || was_leader;
            let sight = Sight {
                began,
                has_led,
                at,
                unseen: None,
            };
            self.known.insert(pid, sight);
        }
    }

    pub(super) fn pids(&self) -> impl Iterator<Item = i32> {
        self.known.keys().copied()
    }

    pub(super) fn has(&self, (pid, began): Identity) -> bool {
        self.known.get(&pid).is_some_and(|sight| sight.began == began)
    }

    /// When the one began that has led this session, where one of them has.
    pub(super) fn leader_of(&self, session: i32) -> Option<u64> {
        let leader = self.known.get(&session).filter(|sight| sight.has_led);
        leader.map(|sight| sight.began)
    }

    /// Forgets one that was laid to rest, whose number may be another's now; but not while its session may go on.
    pub(super) fn bury(&mut self, (pid, began): Identity) {
        if self.has((pid, began)) && self.leader_of(pid).is_none() {
            self.known.remove(&pid);
        }
    }

    /// Keeps those that are there, those whose sessions may go on, and those that came after `begun`. A number that is another's
    /// is that of no session any more.
    pub(super) fn look_through(
        &mut self,
        begun: Instant,
        there: impl Fn(i32) -> Option<Identity>,
        goes_on: impl Fn(i32) -> bool,
    ) {
        let first = self.first;
        self.known.retain(|pid, sight| match there(*pid) {
            _ if sight.at > begun => true,
            Some(who) => who == (*pid, sight.began),
            None => sight.has_led && (Some(*pid) == first || sight.may_go_on(goes_on(*pid), begun)),
        });
        (self.kept, self.kept_at) = (self.known.len(), begun);
    }

    /// Whether it is time to look through them.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let count = self.known.len();
        let has_grown = count >= 2 * self.kept.max(FEW);
        has_grown || (count > 1 && now.saturating_duration_since(self.kept_at) >= LOOK_THROUGH)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }
}

impl Sight {
    /// Whether its session does, of which somebody `is_seen` now or not.
    fn may_go_on(&mut self, is_seen: bool, now: Instant) -> bool {
        if is_seen {
            self.unseen = None;
            return true;
        }
        now.saturating_duration_since(*self.unseen.get_or_insert(now)) < UNSEEN
    }
}

#[cfg(test)]
mod tests {
    use super::super::census::tests::{census, kin_of, leader, process};
    use super::*;

    fn known(seen: &Seen) -> Vec<i32> {
        let mut pids: Vec<_> = seen.pids().collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn who_has_ended_is_forgotten_unless_he_has_led_a_session_that_goes_on() {
        let seen = Seen::of(&[
            leader((70, 70)),
            process(71, 1, 70),
            process(72, 1, 70),
            leader((73, 73)),
        ]);
        let mut pruned = seen.clone();
        census([process(71, 1, 70), process(74, 1, 72)]).prune(&mut pruned);
        assert_eq!(
            known(&pruned),
            [70, 71, 73],
            "nobody is seen in the session of 73, for now"
        );
        let there = census([process(71, 1, 70)]);
        pruned.look_through(
            Instant::now() + UNSEEN,
            |pid| there.identity_of(pid),
            |session| session == 70,
        );
        assert_eq!(known(&pruned), [70, 71]);
        let mut kept = seen;
        super::super::census::Census::default().prune(&mut kept);
        assert_eq!(
            known(&kept),
            [70, 71, 72, 73],
            "it shows nobody, but was not to show all"
        );
    }

    #[test]
    fn a_number_that_is_anothers_by_now_makes_nobody_kin() {
        let mut seen = Seen::of(&[leader((70, 70))]);
        let stranger = process(71, 1, 70);
        census([leader((70, 99)), stranger.clone()]).prune(&mut seen);
        assert_eq!(kin_of(&census([stranger]), &[], &seen), [0; 0]);
    }

    #[test]
    fn the_session_of_the_first_goes_on_though_nobody_is_ever_seen_in_it() {
        let mut seen = Seen::of(&[leader((70, 70))]);
        for minutes in 1..5 {
            let later = Instant::now() + minutes * UNSEEN;
            seen.look_through(later, |_| None, |_| false);
        }
        assert_eq!(kin_of(&census([process(71, 1, 70)]), &[], &seen), [71]);
    }

    #[test]
    fn who_led_a_session_is_known_for_that_though_he_tells_of_none_while_he_is_laid_to_rest() {
        let mut seen = Seen::of(&[leader((70, 70))]);
        seen.extend(&[process(70, 1, 0)]);
        assert_eq!(kin_of(&census([process(71, 1, 70)]), &[], &seen), [71]);
    }

    #[test]
    fn who_led_no_session_makes_nobody_kin_who_is_in_one_of_his_number() {
        let seen = Seen::of(&[process(70, 1, 60)]);
        assert_eq!(kin_of(&census([process(71, 1, 70)]), &[], &seen), [0; 0]);
    }

    #[test]
    fn who_was_laid_to_rest_is_forgotten_but_for_those_that_led_sessions() {
        let mut seen = Seen::of(&[leader((70, 70)), process(71, 1, 70)]);
        for who in [(70, 70), (71, 7), (72, 72)] {
            seen.bury(who);
        }
        assert_eq!(known(&seen), [70, 71]);
        seen.bury((71, 71));
        assert_eq!(known(&seen), [70]);
    }

    #[test]
    fn who_came_after_a_look_was_begun_is_not_forgotten_by_it() {
        let begun = census([]);
        let mut seen = Seen::of(&[leader((70, 70))]);
        begun.prune(&mut seen);
        assert_eq!(known(&seen), [70]);
    }

    #[test]
    fn it_is_time_when_they_are_twice_as_many_and_after_a_while() {
        let mut seen = Seen::of(&[leader((70, 70))]);
        let now = seen.kept_at;
        let later = now + LOOK_THROUGH;
        assert!(!seen.is_due(later), "the program alone");
        seen.extend(&[leader((71, 71))]);
        assert!(!seen.is_due(now) && seen.is_due(later));
        let many: Vec<_> = (100..120).map(|pid| leader((pid, 1))).collect();
        seen.extend(&many);
        assert!(seen.is_due(now));
        census(many).prune(&mut seen);
        assert!(seen.count() == 22 && !seen.is_due(now));
    }
}
