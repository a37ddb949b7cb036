//! Agents that hang, are away or begin anew, and what is learnt and heard of the others.

use super::*;

/// What waits in a mailbox takes longer than any test.
const QUIET: Messages = Messages {
    handled: 0,
    waiting: 1_000,
};

impl House {
    /// It is looked who has left tasks lying.
    pub(super) fn let_go(&mut self, now: Moment) {
        let messages = |name: &Worker| self.messages.get(name).copied().unwrap_or(QUIET);
        self.hands.let_go(now, messages, &mut self.effects);
    }

    /// It is through with so many messages, and has no end of others.
    fn has_handled(&mut self, name: &str, handled: u64) {
        self.messages.insert(worker(name), Messages { handled, ..QUIET });
    }

    /// A dispatcher begins where all posts are where the last one knew them to be.
    pub(super) fn begins_anew(&mut self) {
        self.hands.begins_anew(|_| true, &mut self.effects);
    }
}

#[test]
fn what_an_agent_does_not_begin_for_long_is_given_back_and_it_gets_nothing_before_it_moves() {
    let mut house = House::of(&[taker("t/a", 2, 2)]);
    house.asked();
    let fences = house.claimed("t/a", 4, 3);
    house.staged(fences[0], Stage::Delivered);
    house.done();
    house.let_go(house.now);
    let nearly = house.now + BEGIN_GRACE - Duration::from_nanos(1);
    house.let_go(nearly);
    assert_eq!(house.done(), []);
    house.let_go(house.now + BEGIN_GRACE);
    assert_eq!(
        house.done(),
        [
            tell(fences[1], Word::GivenBack),
            Effect::Recall(fences[1]),
            tell(fences[2], Word::GivenBack),
        ],
        "what it has begun is its own, and what is kept ready for it would lie there as long"
    );
    let late = house.claimed("t/a", 1, 1)[0];
    assert_eq!(
        house.done(),
        [tell(late, Word::GivenBack)],
        "what it had asked for before"
    );
    house.let_go(house.now + BEGIN_GRACE * 9);
    assert_eq!((house.done(), house.asked()), (vec![], vec![]));
    house.assert_sound();
    house.hands.revoked(fences[0], &mut house.effects);
    for seconds in [0, 60] {
        let now = house.now + BEGIN_GRACE * 10 + Duration::from_secs(seconds);
        house.let_go(now);
    }
    assert_eq!(house.done(), [Effect::Recall(fences[0])]);
    assert_eq!(house.asked(), [], "that it is waited for no longer says nothing of it");
    house.assert_sound();
    house.staged(fences[1], Stage::Lost("it was recalled".to_owned()));
    assert_eq!(house.asked(), [("t/a".into(), 4)], "its mailbox has moved");
    house.assert_sound();
}

#[test]
fn an_agent_that_begins_what_it_left_lying_too_long_is_waited_for_like_any_other_that_was_recalled() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.let_go(house.now);
    house.now = house.now + BEGIN_GRACE;
    house.let_go(house.now);
    house.done();
    house.staged(fence, Stage::Delivered);
    assert_eq!(
        house.done(),
        [],
        "nobody is told that it has begun: the task is somebody else's"
    );
    house.let_go(house.now);
    assert_eq!(house.asked(), []);
    house.let_go(house.now + RECALL_GRACE);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.assert_sound();
}

#[test]
fn the_next_task_of_one_that_hangs_goes_to_others() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let hangs = house.claimed("t/a", 1, 1)[0];
    house.staged(hangs, Stage::Delivered);
    house.hands.revoked(hangs, &mut house.effects);
    house.let_go(house.now);
    house.now = house.now + RECALL_GRACE;
    house.let_go(house.now);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    let next = house.claimed("t/a", 1, 1)[0];
    house.done();
    house.let_go(house.now);
    house.let_go(house.now + BEGIN_GRACE);
    assert_eq!(house.done(), [tell(next, Word::GivenBack), Effect::Recall(next)]);
    house.let_go(house.now + BEGIN_GRACE * 9);
    assert_eq!(house.asked(), [], "no more posts are put into its mailbox");
}

#[test]
fn an_agent_that_handles_other_posts_meanwhile_does_not_hang() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.done();
    for minute in 0..10 {
        house.has_handled("t/a", minute);
        house.let_go(house.now + BEGIN_GRACE * u32::try_from(minute).unwrap());
        assert_eq!(house.done(), [], "in minute {minute}");
    }
    house.let_go(house.now + BEGIN_GRACE * 10 - Duration::from_nanos(1));
    assert_eq!(house.done(), []);
    house.let_go(house.now + BEGIN_GRACE * 10);
    assert_eq!(house.done(), [tell(fence, Word::GivenBack), Effect::Recall(fence)]);
}

#[test]
fn an_agent_that_takes_a_task_and_does_not_begin_it_hangs_whatever_else_it_handles() {
    let mut house = House::of(&[taker("t/a", 1, 4)]);
    house.asked();
    let fence = house.claimed("t/a", 5, 1)[0];
    house.done();
    for minute in 0..8 {
        // Three lie before it, and the task is the last of them.
        let (handled, waiting) = (u64::from(minute), 4);
        house.messages.insert(worker("t/a"), Messages { handled, waiting });
        house.let_go(house.now + BEGIN_GRACE * minute);
        let expected: &[Effect] = match minute {
            5 => &[tell(fence, Word::GivenBack), Effect::Recall(fence)],
            _ => &[],
        };
        assert_eq!(house.done(), expected, "in minute {minute}");
        let asked = if minute < 5 { house.asked() } else { Vec::new() };
        assert_eq!(house.asked(), [], "in minute {minute}");
        for (_, most) in asked {
            house.claimed("t/a", most, 0);
        }
        house.assert_sound();
    }
    house.staged(fence, Stage::Delivered);
    assert_eq!(house.asked(), [("t/a".into(), 4)], "it came to it");
    house.assert_sound();
}

#[test]
fn what_is_taken_back_from_an_agent_is_told_until_it_is_heard() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.staged(fences[0], Stage::Delivered);
    house.hands.staff(&Arc::from([]), &mut house.effects);
    let told: Vec<_> = house
        .done()
        .into_iter()
        .filter(|effect| matches!(effect, Effect::Tell { .. }))
        .collect();
    assert_eq!(told.len(), 3, "that one is begun, and that both come back: {told:?}");
    for fence in fences {
        house.hands.unheard(fence);
    }
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), told[1..]);
    house.hands.tell_again(&mut house.effects);
    assert_eq!(house.done(), []);
}

#[test]
fn an_agent_that_hung_gets_tasks_again_once_it_has_handled_anything() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let lies = house.claimed("t/a", 2, 1)[0];
    house.let_go(house.now);
    house.let_go(house.now + BEGIN_GRACE);
    house.let_go(house.now + BEGIN_GRACE * 2);
    assert_eq!(house.asked(), []);
    house.has_handled("t/a", 1);
    house.let_go(house.now + BEGIN_GRACE * 2);
    house.assert_sound();
    assert_eq!(house.asked(), [("t/a".into(), 1)], "one lies there still");
    house.staged(lies, Stage::Lost("it was recalled".to_owned()));
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
}

#[test]
fn time_in_which_nobody_looked_makes_nobody_hang() {
    let mut house = House::of(&[taker("t/a", 2, 0)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    house.staged(fences[1], Stage::Delivered);
    house.hands.revoked(fences[1], &mut house.effects);
    house.done();
    house.let_go(house.now);
    let late = house.now + BEGIN_GRACE;
    house.hands.looked_away(late);
    house.let_go(late);
    assert_eq!((house.done(), house.asked()), (vec![], vec![]));
    house.let_go(late + RECALL_GRACE);
    assert_eq!(house.asked(), [("t/a".into(), 1)]);
    house.let_go(late + BEGIN_GRACE);
    assert_eq!(
        house.done(),
        [tell(fences[0], Word::GivenBack), Effect::Recall(fences[0])]
    );
}

#[test]
fn how_long_tasks_take_is_learnt_from_those_that_are_done_from_their_begin_on() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    house.asked();
    let fences = house.claimed("t/a", 2, 2);
    let mean = |house: &House| house.hands.takers[&worker("t/a")].service.mean();
    house.now = house.now + Duration::from_secs(5);
    house.staged(fences[0], Stage::Delivered);
    house.now = house.now + Duration::from_secs(2);
    house.staged(fences[0], Stage::Failed("no ink".to_owned()));
    assert_eq!(mean(&house), None, "it takes no time to fail");
    house.staged(fences[1], Stage::Delivered);
    house.now = house.now + Duration::from_secs(3);
    house.staged(fences[1], Stage::Done(json!(1)));
    assert_eq!(mean(&house), Some(Duration::from_secs(3)));
    house.assert_sound();
}

#[test]
fn what_the_queue_says_of_a_task_that_is_not_over_ends_nothing() {
    let mut house = House::of(&[taker("t/a", 1, 0)]);
    house.asked();
    let fence = house.claimed("t/a", 1, 1)[0];
    house.staged(fence, Stage::Delivered);
    house.done();
    house.hands.misfit(fence, "too large".to_owned(), &mut house.effects);
    assert_eq!(house.done(), []);
    assert_eq!(house.standings("t/a"), [Whereabouts::Begun]);
}

#[test]
fn the_next_life_asks_anew_for_what_the_last_one_asked_for() {
    let mut house = House::of(&[taker("t/a", 1, 1)]);
    assert_eq!(house.asked(), [("t/a".into(), 2)]);
    house.begins_anew();
    house.assert_sound();
    assert_eq!(house.asked(), [("t/a".into(), 2)]);
}

#[test]
fn who_is_away_or_takes_tasks_no_more_has_nothing_given_back_for_it() {
    for is_away in [true, false] {
        let mut house = House::of(&[taker("t/a", 1, 8), taker("t/b", 1, 8)]);
        house.asked();
        let own = house.claimed("t/b", 1, 1)[0];
        house.claimed("t/a", 1, 9);
        house.staged(own, Stage::Delivered);
        if is_away {
            house.hands.seen(&worker("t/b"), false, &mut house.effects);
        } else {
            let staff = [team(&[taker("t/a", 1, 8)])].into();
            house.hands.staff(&staff, &mut house.effects);
        }
        house.done();
        house.staged(own, Stage::Done(json!(1)));
        let word = Word::Done { result: b"1".to_vec() };
        assert_eq!(house.done(), [tell(own, word)]);
    }
}
