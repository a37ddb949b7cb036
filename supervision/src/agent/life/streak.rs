//! How long an incarnation has been busy without a pause, and when that is long enough.

use std::time::Duration;

use crate::clock::Moment;

/// How often a busy agent looks at its timers, in messages: after two, four and eight, so that slow ones hold nobody up, then
/// often, and seldom once it is known to be quick.
const FIRST_DUE: u32 = 2;
const DUE_EVERY: u32 = 16;
const DUE_SELDOM: u32 = 64;

/// After this many messages in a row the agent gives way to others on its thread, however quick they were: giving
/// way costs as much as a hundred quick ones.
const MOST: u32 = 8192;

/// After this long it gives way, however few they were.
const LONGEST: Duration = Duration::from_micros(100);

/// At most this many messages lie between two looks at the clock.
const LONGEST_STEP: u32 = 256;

/// So many messages that the agent itself has asked for come before others that wait; then one of those has its turn.
const MOST_OWN: u32 = 16;

/// A machine that is told what time it is, and asks seldom.
#[derive(Debug)]
pub(super) struct Streak {
    messages: u32,
    /// Since the last message of others.
    own: u32,
    /// When the clock was first looked at.
    since: Option<Moment>,
    /// The message at which it is looked at next, and how many later again.
    look_at: u32,
    step: u32,
}

impl Default for Streak {
    fn default() -> Self {
        Self {
            messages: 0,
            own: 0,
            since: None,
            look_at: FIRST_DUE,
            step: FIRST_DUE,
        }
    }
}

impl Streak {
    /// Messages were taken.
    #[inline]
    pub(super) fn took(&mut self, messages: u32) {
        self.messages += messages;
        self.own = 0;
    }

    /// A row of messages was handled. Where it passed the point at which something else was due, that is due now.
    pub(super) fn took_row(&mut self, messages: u32) {
        let until_due = self.until_due();
        self.took(messages);
        if messages > until_due {
            self.messages += self.until_due();
        }
    }

    /// A message was taken that the agent itself has asked for. After it, another may be due.
    pub(super) fn took_own(&mut self) {
        self.messages = self.next_due();
        self.own += 1;
    }

    /// Whether one more of those may come before others that wait.
    pub(super) fn may_take_own(&self) -> bool {
        self.own < MOST_OWN
    }

    /// After how many messages something else may be due next, not counting now.
    fn next_due(&self) -> u32 {
        let next = self.messages + 1;
        match self.messages {
            0..DUE_EVERY => next.next_power_of_two().max(FIRST_DUE),
            DUE_EVERY..DUE_SELDOM => next.next_multiple_of(DUE_EVERY),
            _ => next.next_multiple_of(DUE_SELDOM),
        }
    }

    /// Whether before the next message something else may be due.
    #[inline]
    pub(super) fn next_is_due(&self) -> bool {
        match self.messages {
            0 => true,
            1 => false,
            2..DUE_EVERY => self.messages.is_power_of_two(),
            DUE_EVERY..DUE_SELDOM => self.messages.is_multiple_of(DUE_EVERY),
            _ => self.messages.is_multiple_of(DUE_SELDOM),
        }
    }

    /// How many messages may be taken until something else may be due.
    pub(super) fn until_due(&self) -> u32 {
        if self.next_is_due() {
            0
        } else {
            self.next_due() - self.messages
        }
    }

    /// Whether it is time to give way. If so, a new streak begins.
    pub(super) fn is_over(&mut self, clock: impl FnOnce() -> Moment) -> bool {
        if self.messages < self.look_at {
            return false;
        }
        #[cfg(test)]
        tests::count_look();
        let now = clock();
        let since = *self.since.get_or_insert(now);
        let is_over = self.messages >= MOST || now.since(since) >= LONGEST;
        if is_over {
            let own = self.own;
            *self = Self { own, ..Self::default() };
        } else {
            self.look_at = (self.messages + self.step).min(MOST);
            self.step = (2 * self.step).min(LONGEST_STEP);
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::prelude::*;

    thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// Called whenever a streak looks at the clock.
    pub(super) fn count_look() {
        LOOKS.set(LOOKS.get() + 1);
    }

    struct Question(Reply<()>);

    impl Message for Question {}

    struct Answerer;

    impl Agent for Answerer {
        type Message = Question;
        type Spec = ();

        async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self)
        }

        async fn handle(&mut self, Question(reply): Question, _: &mut Context<Self>) -> Result<(), Failure> {
            reply.send(());
            Ok(())
        }
    }

    #[cfg(not(shuttle))]
    #[tokio::test]
    async fn messages_that_come_one_by_one_need_no_look_at_the_clock() {
        let child = Child::of::<Answerer>("answerer", ());
        let address = child.address();
        let team = Supervisor::named("team").child(child);
        let tree = Root::new().supervisor(team).start().await.unwrap();
        let before = LOOKS.get();
        for _ in 0..100 {
            address.ask(Question).await.unwrap();
        }
        assert_eq!(LOOKS.get(), before);
        tree.stop().await;
    }

    /// How many messages of `time` each are taken before giving way, and how often the clock is looked at.
    fn streak_of(time: Duration) -> (u32, u32) {
        let (mut streak, mut messages, mut looks) = (Streak::default(), 0, 0);
        loop {
            if streak.next_is_due() {
                let now = Moment::from_nanos(1) + time * messages;
                let is_over = streak.is_over(|| {
                    looks += 1;
                    now
                });
                if is_over {
                    return (messages, looks);
                }
            }
            let row = streak.until_due().max(1);
            streak.took(row);
            messages += row;
        }
    }

    #[test]
    fn a_row_that_passes_a_point_at_which_something_is_due_ends_at_one() {
        for (first, row) in [
            (1, 1),
            (1, 2),
            (2, 1),
            (3, 4),
            (1, 31),
            (1, 32),
            (16, 31),
            (5, 11),
            (5, 12),
            (63, 500),
            (64, 1),
        ] {
            let mut streak = Streak::default();
            streak.took(first);
            let passes = row > streak.until_due();
            streak.took_row(row);
            let ends_at_one = Streak {
                messages: first + row,
                ..Streak::default()
            };
            assert_eq!(
                streak.next_is_due(),
                passes || ends_at_one.next_is_due(),
                "{first}, {row}"
            );
            assert!((first + row..first + row + DUE_SELDOM).contains(&streak.messages));
        }
    }

    #[test]
    fn quick_messages_give_way_by_their_number_and_cost_few_looks_at_the_clock() {
        let (messages, looks) = streak_of(Duration::ZERO);
        assert_eq!(messages, MOST);
        assert!(looks < 40, "{looks}");
    }

    #[test]
    fn after_sixteen_of_its_own_others_have_a_turn_though_it_gave_way_meanwhile() {
        let mut streak = Streak::default();
        streak.took(5);
        let mut times_over = 0;
        for own in 0..MOST_OWN {
            assert!(streak.may_take_own(), "{own}");
            streak.took_own();
            assert!(streak.next_is_due(), "another may be due");
            let now = Moment::from_nanos(1) + Duration::from_millis(own.into());
            times_over += u32::from(streak.is_over(|| now));
        }
        assert!(times_over > 0 && !streak.may_take_own());
        streak.took(1);
        assert!(streak.may_take_own());
    }

    #[test]
    fn slow_messages_give_way_soon() {
        assert_eq!(streak_of(Duration::from_millis(1)), (4, 2));
        assert_eq!(streak_of(Duration::from_micros(30)), (8, 3));
    }

    #[test]
    fn messages_of_some_length_give_way_by_the_time_they_took() {
        let (messages, _) = streak_of(Duration::from_micros(1));
        assert!((100..300).contains(&messages), "{messages}");
    }

    #[test]
    fn a_single_message_does_not_look_at_the_clock() {
        let mut streak = Streak::default();
        streak.took(1);
        assert!(!streak.next_is_due() && !streak.is_over(|| panic!("nobody needs the time")));
    }

    #[test]
    fn points_at_which_something_is_due_are_close_at_first() {
        let due = |messages: &u32| {
            let messages = *messages;
            let streak = Streak {
                messages,
                ..Streak::default()
            };
            assert_eq!(streak.next_is_due(), streak.until_due() == 0, "{messages}");
            streak.next_is_due()
        };
        let points: Vec<_> = (0..300).filter(due).collect();
        assert_eq!(points, [0, 2, 4, 8, 16, 32, 48, 64, 128, 192, 256]);
    }
}
