//! The line of senders held back by a full mailbox: first come, first served.

use std::collections::VecDeque;
use std::task::Waker;

/// One sender's place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

#[derive(Debug)]
struct Waiting {
    place: Place,
    wants: u64,
    waker: Waker,
}

/// Who waits, and who has been told that room is set aside. Most mailboxes never see anybody wait.
#[derive(Debug, Default)]
pub(super) struct Line(Option<Box<Queued>>);

#[derive(Debug, Default)]
struct Queued {
    next: u64,
    waiting: VecDeque<Waiting>,
    granted: Vec<(Place, u64)>,
}

/// How things stand for one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Room is set aside for it; its place is given up by asking.
    Granted,
    /// It is the first in line.
    First,
    /// Others are before it.
    Behind,
    /// The line was dissolved.
    Dissolved,
}

impl Line {
    fn first(&self) -> Option<&Waiting> {
        self.0.as_ref()?.waiting.front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    pub(super) fn join(&mut self, wants: u64, waker: Waker) -> Place {
        let queued = self.0.get_or_insert_default();
        let place = Place(queued.next);
        queued.next += 1;
        queued.waiting.push_back(Waiting { place, wants, waker });
        place
    }

    /// How things stand for `place`; where it goes on waiting, `waker` is who is woken.
    pub(super) fn standing(&mut self, place: Place, waker: &Waker) -> Standing {
        let Some(queued) = &mut self.0 else {
            return Standing::Dissolved;
        };
        if let Some(index) = queued.granted.iter().position(|(granted, _)| *granted == place) {
            queued.granted.swap_remove(index);
            return Standing::Granted;
        }
        let first = queued.waiting.front().is_some_and(|waiting| waiting.place == place);
        match queued.waiting.iter_mut().find(|waiting| waiting.place == place) {
            Some(waiting) => {
                waiting.waker.clone_from(waker);
                if first { Standing::First } else { Standing::Behind }
            }
            None => Standing::Dissolved,
        }
    }

    /// The first in line has been admitted.
    pub(super) fn first_admitted(&mut self) {
        if let Some(queued) = &mut self.0 {
            queued.waiting.pop_front();
        }
    }

    /// What the first in line wants.
    pub(super) fn first_wants(&self) -> Option<u64> {
        self.first().map(|waiting| waiting.wants)
    }

    /// Sets `room` aside for as many of the first in line as it suffices for; returns what is left of it.
    pub(super) fn grant(&mut self, mut room: u64) -> u64 {
        let Some(queued) = &mut self.0 else { return room };
        while let Some(first) = queued.waiting.pop_front_if(|first| first.wants <= room) {
            room -= first.wants;
            queued.granted.push((first.place, first.wants));
            first.waker.wake();
        }
        room
    }

    /// Tells the first in line to look again.
    pub(super) fn nudge(&self) {
        if let Some(first) = self.first() {
            first.waker.wake_by_ref();
        }
    }

    /// Gives up a place. Returns the room that was set aside for it.
    pub(super) fn leave(&mut self, place: Place) -> u64 {
        let Some(queued) = &mut self.0 else { return 0 };
        if let Some(index) = queued.granted.iter().position(|(granted, _)| *granted == place) {
            return queued.granted.swap_remove(index).1;
        }
        queued.waiting.retain(|waiting| waiting.place != place);
        0
    }

    /// Sends everybody away. Returns whom to tell, and the room that was set aside for those who had not come yet.
    pub(super) fn dissolve(&mut self) -> (Vec<Waker>, u64) {
        let Some(queued) = &mut self.0 else {
            return (Vec::new(), 0);
        };
        let room = queued.granted.drain(..).map(|(_, room)| room).sum();
        (queued.waiting.drain(..).map(|waiting| waiting.waker).collect(), room)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn waker() -> Waker {
        futures_util::task::noop_waker()
    }

    #[test]
    fn room_goes_to_the_first_in_line_and_only_as_far_as_it_reaches() {
        let mut line = Line::default();
        let places = [2, 3, 1].map(|wants| line.join(wants, waker()));
        assert_eq!(line.grant(4), 2, "the second wants three, and nobody passes it");
        assert_eq!(line.standing(places[0], &waker()), Standing::Granted);
        assert_eq!(line.standing(places[1], &waker()), Standing::First);
        assert_eq!(line.standing(places[2], &waker()), Standing::Behind);
        assert_eq!(
            line.standing(places[0], &waker()),
            Standing::Dissolved,
            "a grant is used once"
        );
        assert_eq!(line.grant(4), 0);
        assert!(line.is_empty());
    }

    #[test]
    fn who_leaves_returns_the_room_set_aside_for_it() {
        let mut line = Line::default();
        let (first, second) = (line.join(2, waker()), line.join(1, waker()));
        line.grant(2);
        assert_eq!(line.leave(first), 2);
        assert_eq!(line.leave(second), 0);
        assert!(line.is_empty());
        assert_eq!(line.first_wants(), None);
    }

    #[test]
    fn a_dissolved_line_sends_everybody_away() {
        let mut line = Line::default();
        let places = [2, 1].map(|wants| line.join(wants, waker()));
        line.grant(2);
        let (sent_away, room) = line.dissolve();
        assert_eq!((sent_away.len(), room), (1, 2));
        for place in places {
            assert_eq!(line.standing(place, &waker()), Standing::Dissolved);
        }
    }
}
