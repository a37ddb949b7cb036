//! Posts are conserved, whatever the program says and however little of a line it got.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use triarch_supervision::metrics::Value as Metric;
use triarch_teams::receipt::{DROPPED, Stage, Stages};
use triarch_teams::{PostId, PostOffice};

use super::*;
use crate::testing::{instruments, office};

const BOUNDS: Bounds = Bounds {
    unanswered_max: 8,
    line: 1_000,
    answers: true,
};

fn now() -> Moment {
    Moment::from_nanos(1_000)
}

/// A machine, and posts for it.
struct Desk {
    office: PostOffice,
    machine: Machine,
    posts: Vec<(PostId, Stages)>,
}

impl Desk {
    fn new(bounds: Bounds) -> Self {
        Self {
            office: office(),
            machine: Machine::new(bounds, Carried::default()),
            posts: Vec::new(),
        }
    }

    fn take(&mut self) -> PostId {
        let (post, stages) = self.office.registered("me", "greet", json!(self.posts.len()));
        let id = post.id;
        self.posts.push((id, stages));
        self.machine.take(post, now());
        id
    }

    fn write_all(&mut self) -> usize {
        self.machine.wrote(self.machine.unwritten().len(), now())
    }

    fn delivered(&mut self) -> PostId {
        let id = self.take();
        self.write_all();
        id
    }

    /// Does what the machine asks for; returns a fault.
    fn hear(&mut self, said: Said) -> Option<Fault> {
        match self.machine.hear(said) {
            Effect::Accept(receipt) => receipt.accepted(),
            Effect::End(open, Ok(result)) => open.receipt.done(result),
            Effect::End(open, Err(why)) => open.receipt.failed(why),
            Effect::Blame(fault) => return Some(fault),
            _ => {}
        }
        None
    }

    fn stages(&self, post: usize) -> Vec<Stage> {
        self.posts[post].1.drain().map(|(_, stage)| stage).collect()
    }
}

#[test]
fn a_post_is_delivered_when_all_of_its_line_is_written() {
    let mut desk = Desk::new(BOUNDS);
    desk.take();
    desk.take();
    let all = desk.machine.unwritten().len();
    assert_eq!(desk.machine.wrote(1, now()), 0);
    assert_eq!(desk.machine.wrote(all / 2, now()), 1);
    assert_eq!((desk.stages(0), desk.stages(1)), (vec![Stage::Delivered], vec![]));
    assert_eq!(desk.machine.wrote(all - all / 2 - 1, now()), 1);
    assert_eq!(desk.stages(1), [Stage::Delivered]);
    assert!(desk.machine.unwritten().is_empty());
}

#[test]
fn a_reply_is_its_result_and_a_done_after_it_says_nothing_new() {
    let mut desk = Desk::new(BOUNDS);
    let id = desk.delivered();
    assert_eq!(desk.hear(Said::Accepted(id)), None);
    assert_eq!(desk.hear(Said::Reply(id, json!(7))), None);
    assert_eq!(desk.hear(Said::Done(id, Ok(Value::Null))), None);
    assert_eq!(
        desk.stages(0),
        [Stage::Delivered, Stage::Accepted, Stage::Done(json!(7))]
    );
}

#[test]
fn a_post_fails_with_the_words_of_the_program() {
    let mut desk = Desk::new(BOUNDS);
    let id = desk.delivered();
    desk.hear(Said::Done(id, Err("no ink".to_owned())));
    assert_eq!(desk.stages(0), [Stage::Delivered, Stage::Failed("no ink".to_owned())]);
}

#[test]
fn how_far_a_post_is_shows_and_a_recalled_one_is_not_written() {
    let mut desk = Desk::new(BOUNDS);
    let (mut post, _stages) = desk.office.registered("me", "task", json!(1));
    let (id, errand) = (post.id, post.errand());
    desk.machine.take(post, now());
    let all = desk.machine.unwritten().len();
    desk.machine.wrote(all, now());
    assert_eq!(desk.hear(Said::Progress(id, 40)), None);
    assert_eq!(errand.percent(), Some(40));
    desk.hear(Said::Reply(id, json!(1)));
    assert_eq!(desk.hear(Said::Progress(id, 50)), Some(Fault::Late));
    let (mut post, stages) = desk.office.registered("me", "task", json!(2));
    post.errand().recall();
    desk.machine.take(post, now());
    assert!(desk.machine.unwritten().is_empty());
    assert_eq!(stages.recv().unwrap().1, Stage::Lost(RECALLED.to_owned()));
}

#[test]
fn an_answer_that_comes_twice_is_late_and_one_that_nobody_asked_for_is_unknown() {
    let mut desk = Desk::new(BOUNDS);
    let id = desk.delivered();
    let stranger = office().post("me", "x", json!(null)).id;
    assert_ne!(id, stranger);
    assert_eq!(desk.hear(Said::Reply(stranger, json!(1))), Some(Fault::UnknownId));
    assert_eq!(desk.hear(Said::Accepted(stranger)), Some(Fault::UnknownId));
    assert_eq!(desk.hear(Said::Reply(id, json!(1))), None);
    assert_eq!(desk.hear(Said::Reply(id, json!(2))), Some(Fault::Late));
    assert_eq!(desk.hear(Said::Done(id, Err("late".to_owned()))), Some(Fault::Late));
}

#[test]
fn a_post_of_the_kind_cancel_whose_sender_waits_is_a_post_like_any_other() {
    let mut desk = Desk::new(BOUNDS);
    let (post, stages) = desk.office.registered("me", RECALL, json!("my order"));
    let id = post.id;
    desk.machine.take(post, now());
    assert_eq!(desk.write_all(), 1);
    assert_eq!(desk.machine.counts(), (0, 1));
    assert_eq!(desk.hear(Said::Reply(id, json!("cancelled"))), None);
    let told: Vec<_> = stages.drain().map(|(_, stage)| stage).collect();
    assert_eq!(told, [Stage::Delivered, Stage::Done(json!("cancelled"))]);
}

#[test]
fn a_program_may_answer_a_notice_and_nothing_follows_from_that() {
    let mut desk = Desk::new(BOUNDS);
    let notice = desk.office.post("work/dispatcher", RECALL, json!({ "id": "x" }));
    let id = notice.id;
    desk.machine.take(notice, now());
    assert_eq!(
        desk.hear(Said::Reply(id, json!(1))),
        Some(Fault::UnknownId),
        "not written yet"
    );
    desk.write_all();
    assert_eq!(desk.machine.counts(), (0, 0), "nobody waits for an answer");
    for said in [
        Said::Accepted(id),
        Said::Progress(id, 50),
        Said::Reply(id, json!(1)),
        Said::Reply(id, json!(1)),
        Said::Done(id, Ok(Value::Null)),
        Said::Done(id, Err("no such post".to_owned())),
    ] {
        assert_eq!(desk.hear(said), None);
    }
}

#[test]
fn an_answer_before_the_line_is_written_answers_nothing() {
    let mut desk = Desk::new(BOUNDS);
    let id = desk.take();
    assert_eq!(desk.hear(Said::Reply(id, json!(1))), Some(Fault::UnknownId));
    desk.write_all();
    assert_eq!(desk.hear(Said::Reply(id, json!(1))), None);
}

#[test]
fn no_more_than_may_be_are_with_the_program() {
    let mut desk = Desk::new(BOUNDS);
    let first = desk.delivered();
    for _ in 1..BOUNDS.unanswered_max {
        assert!(!desk.machine.is_full());
        desk.take();
    }
    assert!(desk.machine.is_full());
    assert_eq!(desk.machine.counts(), (7, 1));
    desk.hear(Said::Done(first, Ok(Value::Null)));
    assert!(!desk.machine.is_full());
}

#[test]
fn of_a_program_that_never_answers_no_post_is_kept() {
    let mut desk = Desk::new(Bounds {
        answers: false,
        ..BOUNDS
    });
    desk.delivered();
    assert_eq!(desk.machine.counts(), (0, 0));
    assert_eq!(desk.stages(0), [Stage::Delivered, Stage::Lost(DROPPED.to_owned())]);
}

#[test]
fn an_event_is_done_once_a_program_has_it_that_never_answers() {
    let mut desk = Desk::new(Bounds {
        answers: false,
        ..BOUNDS
    });
    let (post, stages) = desk.office.registered("bus/courier", "event", json!(1));
    desk.machine.take(post, now());
    desk.write_all();
    let told: Vec<_> = stages.drain().map(|(_, stage)| stage).collect();
    assert_eq!(told, [Stage::Delivered, Stage::Done(Value::Null)]);
}

#[test]
fn what_is_wanted_no_more_keeps_nothing_from_the_program() {
    let mut desk = Desk::new(Bounds {
        unanswered_max: 1,
        ..BOUNDS
    });
    let deliver = |desk: &mut Desk| {
        let (mut post, _stages) = desk.office.registered("me", "task", json!(1));
        let (id, errand) = (post.id, post.errand());
        desk.machine.take(post, now());
        desk.write_all();
        (id, errand)
    };
    let is_full = |desk: &mut Desk| {
        desk.machine.count_recalled();
        desk.machine.is_full()
    };
    let (first, errand) = deliver(&mut desk);
    assert!(is_full(&mut desk));
    errand.recall();
    assert!(!is_full(&mut desk));
    let (_, errand) = deliver(&mut desk);
    assert!(is_full(&mut desk));
    errand.recall();
    assert!(is_full(&mut desk), "it has as many again that are wanted no more");
    desk.hear(Said::Done(first, Ok(Value::Null)));
    assert!(!desk.machine.is_full());
}

#[test]
fn a_post_that_nobody_needs_or_that_is_too_long_is_not_written() {
    let mut desk = Desk::new(BOUNDS);
    let (post, stages) = desk.office.registered("me", "greet", json!(null));
    desk.machine.take(post.before(Moment::from_nanos(999)), now());
    let (long, long_stages) = desk.office.registered("me", "greet", json!("x".repeat(2_000)));
    desk.machine.take(long, now());
    assert!(desk.machine.unwritten().is_empty());
    let last = |stages: &Stages| stages.drain().last().unwrap().1;
    assert_eq!(
        last(&stages),
        Stage::Failed("its deadline passed before it was delivered".to_owned())
    );
    assert!(matches!(last(&long_stages), Stage::Failed(why) if why.ends_with("the program takes 1000")));
}

#[test]
fn a_state_is_shown_when_it_is_another() {
    let mut desk = Desk::new(BOUNDS);
    let busy = || Said::Status("busy".to_owned());
    assert!(matches!(desk.machine.hear(busy()), Effect::Show("busy")));
    assert!(matches!(desk.machine.hear(busy()), Effect::Nothing));
    assert_eq!(desk.machine.state(), Some("busy"));
}

#[test]
fn what_the_program_never_saw_goes_to_the_next_life_from_the_beginning_of_its_line() {
    let mut desk = Desk::new(BOUNDS);
    desk.take();
    let first = desk.machine.unwritten().len();
    desk.take();
    let lines = desk.machine.unwritten()[first..].to_vec();
    desk.machine.wrote(first + 5, now());
    let (carried, open) = desk.machine.end(now());
    assert_eq!((carried.len(), open.len()), (1, 1));
    desk.machine = Machine::new(BOUNDS, carried);
    assert_eq!(desk.machine.unwritten(), lines);
    assert_eq!(desk.write_all(), 1);
    assert_eq!(desk.stages(1), [Stage::Delivered]);
}

/// A post that is needed for so many seconds from `now` on.
fn needed_for(desk: &Desk, seconds: u64) -> (Post, Stages) {
    let (post, stages) = desk.office.registered("me", "greet", json!(",\"deadline_ms\":1}"));
    (post.before(now() + Duration::from_secs(seconds)), stages)
}

fn over() -> Stage {
    Stage::Failed("its deadline passed before it was delivered".to_owned())
}

#[test]
fn what_nobody_needs_any_more_is_not_written_though_it_was_taken_in_time() {
    let mut desk = Desk::new(BOUNDS);
    desk.take();
    let (first, firsts) = needed_for(&desk, 1);
    let (second, seconds) = needed_for(&desk, 1);
    let (third, thirds) = needed_for(&desk, 60);
    let begun = desk.machine.unwritten().len() + 5;
    for post in [first, second, third] {
        desk.machine.take(post, now());
    }
    let term = now() + Duration::from_secs(3);
    assert!(desk.machine.revised_at().is_some_and(|at| at <= term));
    desk.machine.wrote(begun, now());
    desk.machine.revise(term);
    assert!(firsts.is_empty(), "some of it is written");
    assert_eq!(seconds.try_recv().unwrap().1, over());
    let text = String::from_utf8(desk.machine.unwritten().to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with(r#","deadline_ms":1000}"#), "{}", lines[0]);
    assert!(lines[1].ends_with(r#"1}","deadline_ms":57000}"#), "{}", lines[1]);
    assert!(desk.lines_are_whole());
    assert_eq!(desk.write_all(), 2);
    assert_eq!(thirds.try_recv().unwrap().1, Stage::Delivered);
}

#[test]
fn the_next_life_gets_what_is_needed_still_and_how_much_time_is_left() {
    let mut desk = Desk::new(BOUNDS);
    let (first, firsts) = needed_for(&desk, 1);
    let (second, seconds) = needed_for(&desk, 10_000);
    let (third, thirds) = needed_for(&desk, 4_000);
    for post in [first, second.within(Duration::from_secs(9)), third] {
        desk.machine.take(post, now());
    }
    let (carried, _open) = desk.machine.end(now() + Duration::from_secs(2));
    assert_eq!((carried.len(), firsts.try_recv().unwrap().1), (2, over()));
    let hour = now() + Duration::from_hours(1);
    let mut machine = Machine::new(BOUNDS, carried.wanted(hour));
    let told = |machine: &Machine| {
        let text = String::from_utf8(machine.unwritten().to_vec()).unwrap();
        let left = |line: &str| line.rsplit_once(':').unwrap().1.to_owned();
        text.lines().map(left).collect::<Vec<_>>()
    };
    assert_eq!(told(&machine), ["9000}", "400000}"]);
    // The program does not read for a while.
    assert_eq!(machine.revised_at(), Some(Moment::default()));
    machine.revise(hour + Duration::from_secs(500));
    assert_eq!(
        (told(&machine), thirds.try_recv().unwrap().1),
        (vec!["9000}".to_owned()], over())
    );
    machine.wrote(machine.unwritten().len(), hour);
    assert_eq!(seconds.try_recv().unwrap().1, Stage::Delivered);
}

#[test]
fn a_notice_that_its_program_did_not_live_to_read_is_no_loss() {
    let instruments = instruments();
    let office = PostOffice::new(7, &instruments).unwrap();
    let mut machine = Machine::new(BOUNDS, Carried::default());
    machine.take(office.post("work/dispatcher", RECALL, json!({ "id": "x" })), now());
    let (carried, open) = machine.end(now());
    assert_eq!((carried.len(), open.len()), (0, 0));
    let ended = |stage: &str| {
        let readings = instruments.read();
        let receipts = readings
            .iter()
            .find(|reading| reading.family.name == "triarch_team_receipts_total");
        let mut samples = receipts.unwrap().samples.iter();
        let sample = samples.find(|sample| sample.labels().any(|(_, value)| value == stage));
        sample.map(|sample| sample.value.clone())
    };
    assert_eq!(
        (ended("done"), ended("lost")),
        (Some(Metric::Count(1)), Some(Metric::Count(0)))
    );
}

#[derive(Clone, Debug)]
enum Step {
    Take,
    /// Part of what is to be written, in 255ths.
    Write(u8),
    Reply(u8),
    Done(u8, bool),
    Accept(u8),
    /// The program ends and the next life begins.
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Take),
        4 => any::<u8>().prop_map(Step::Write),
        3 => any::<u8>().prop_map(Step::Reply),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(post, ok)| Step::Done(post, ok)),
        1 => any::<u8>().prop_map(Step::Accept),
        1 => Just(Step::End),
    ]
}

impl Desk {
    fn run(&mut self, step: &Step) {
        let any = |post: u8, posts: &[(PostId, Stages)]| posts.get(usize::from(post)).map(|(id, _)| *id);
        match *step {
            Step::Take if !self.machine.is_full() => {
                self.take();
            }
            Step::Take => {}
            Step::Write(share) => {
                let bytes = self.machine.unwritten().len() * usize::from(share) / 255;
                self.machine.wrote(bytes, now() + Duration::from_nanos(1));
            }
            Step::Reply(post) => {
                any(post, &self.posts).and_then(|id| self.hear(Said::Reply(id, json!(1))));
            }
            Step::Done(post, ok) => {
                let outcome = if ok { Ok(Value::Null) } else { Err("x".to_owned()) };
                any(post, &self.posts).and_then(|id| self.hear(Said::Done(id, outcome)));
            }
            Step::Accept(post) => {
                any(post, &self.posts).and_then(|id| self.hear(Said::Accepted(id)));
            }
            Step::End => {
                let (carried, open) = self.machine.end(now());
                for receipt in open {
                    receipt.failed("it ended");
                }
                self.machine = Machine::new(BOUNDS, carried);
            }
        }
    }

    /// The line of each post that waits, in order, and nothing else.
    fn lines_are_whole(&self) -> bool {
        let text = &self.machine.out[self.machine.written - self.machine.of_first..];
        let lengths: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
        let expected: Vec<_> = self.machine.waiting.iter().map(|waiting| waiting.bytes).collect();
        self.machine.waiting.is_empty() || lengths == expected
    }
}

proptest! {
    #[test]
    fn each_post_ends_at_most_once_and_none_disappears(steps in prop::collection::vec(step(), 0..200)) {
        let mut desk = Desk::new(BOUNDS);
        for step in &steps {
            desk.run(step);
            let (waiting, open) = desk.machine.counts();
            prop_assert!(waiting + open <= BOUNDS.unanswered_max);
            prop_assert!(desk.lines_are_whole());
        }
        let (waiting, open) = desk.machine.counts();
        let histories: Vec<Vec<Stage>> = (0..desk.posts.len()).map(|post| desk.stages(post)).collect();
        let ended = histories.iter().filter(|stages| stages.last().is_some_and(Stage::is_last)).count();
        prop_assert_eq!(ended + waiting + open, histories.len());
        for stages in &histories {
            prop_assert!(stages.iter().filter(|stage| stage.is_last()).count() <= 1);
            let was_delivered = stages.first() == Some(&Stage::Delivered);
            prop_assert!(stages.is_empty() || was_delivered, "{:?}", stages);
        }
    }
}
