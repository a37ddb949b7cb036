//! A handler that takes the rest of a batch at once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::testing::{Faults, Faulty};

use crate::agents::{kill_agent, pause};
use crate::patience::{SECOND, quiet};

enum Line {
    Number(u64),
    /// The handler that takes it fails.
    Bad,
    /// The handler that takes it panics.
    Worse,
    /// The handler that takes it waits that long.
    Slow(Duration),
}

impl Message for Line {}

/// What each call of the handler took.
type Calls = Arc<Mutex<Vec<Vec<u64>>>>;

struct Table(Calls);

impl Agent for Table {
    type Message = Line;
    type Spec = Calls;

    async fn start(calls: Calls, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(calls))
    }

    async fn handle(&mut self, first: Line, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.0.lock().unwrap().push(Vec::new());
        let mut next = Some(first);
        while let Some(line) = next {
            match line {
                Line::Number(number) => self.0.lock().unwrap().last_mut().unwrap().push(number),
                Line::Bad => return Err(Failure::new("a bad line")),
                Line::Worse => panic!("a worse line"),
                Line::Slow(time) => tokio::time::sleep(time).await,
            }
            next = ctx.next_of_batch();
        }
        Ok(())
    }
}

struct Scene {
    tree: Tree,
    table: Address<Line>,
    calls: Calls,
}

/// A table that has handled its first batch already, which tells that it takes batches: a line of its own, then the others.
async fn scene(shape: impl FnOnce(Child<Table>) -> Child<Table>) -> Scene {
    let calls = Calls::default();
    let child = shape(Child::of::<Table>("a", Arc::clone(&calls)).capacity(16));
    let table = child.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(9, SECOND))
        .child(child);
    let tree = Root::new().supervisor(team).start().await.unwrap();
    table.send_many(numbers(0..3)).await.unwrap();
    let scene = Scene { tree, table, calls };
    scene.rest().await;
    scene.calls.lock().unwrap().clear();
    scene
}

fn numbers(range: std::ops::Range<u64>) -> Vec<Line> {
    range.map(Line::Number).collect()
}

impl Scene {
    async fn rest(&self) {
        quiet().await;
        assert_eq!(self.table.figures().depth, 0);
    }

    fn calls(&self) -> Vec<Vec<u64>> {
        self.calls.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_for_the_rest_of_a_batch_gets_it_in_order_and_nothing_else() {
    let scene = scene(|child| child).await;
    scene.table.send_many(numbers(0..5)).await.unwrap();
    scene.table.send(Line::Number(5)).await.unwrap();
    scene.table.send_many(numbers(6..9)).await.unwrap();
    scene.rest().await;
    assert_eq!(scene.calls(), [vec![0, 1, 2, 3, 4], vec![5], vec![6, 7, 8]]);
    let figures = scene.table.figures();
    assert_eq!((figures.enqueued, figures.handled, figures.failed), (12, 12, 0));
    scene.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_in_which_a_handler_fails_only_the_message_it_took_last_has_failed() {
    for bad in [Line::Bad, Line::Worse] {
        let scene = scene(|child| child).await;
        let mut lines = numbers(0..4);
        lines[2] = bad;
        scene.table.send_many(lines).await.unwrap();
        scene.rest().await;
        // The next life has the rest, and is to be told once more that batches are taken.
        assert_eq!(scene.calls(), [vec![0, 1], vec![3]]);
        let figures = scene.table.figures();
        assert_eq!((figures.enqueued, figures.handled, figures.failed), (7, 6, 1));
        scene.tree.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_killed_amid_a_batch_leaves_the_rest_to_the_next_life() {
    let scene = scene(|child| child).await;
    let mut lines = numbers(0..4);
    lines[1] = Line::Slow(10 * SECOND);
    scene.table.send_many(lines).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let figures = scene.table.figures();
    assert_eq!(
        (figures.handled, figures.depth),
        (3 + 1, 2),
        "what it has taken has left its room"
    );
    kill_agent(&scene.tree).await;
    scene.rest().await;
    assert_eq!(scene.calls(), [vec![0], vec![2], vec![3]]);
    let figures = scene.table.figures();
    assert_eq!((figures.enqueued, figures.handled, figures.failed), (7, 6, 1));
    scene.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_with_a_time_budget_is_given_each_message_by_itself() {
    let scene = scene(|child| child.handle_within(SECOND, OnStuck::Report)).await;
    scene.table.send_many(numbers(0..3)).await.unwrap();
    scene.rest().await;
    assert_eq!(scene.calls(), [[0], [1], [2]]);
    scene.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_to_stop_or_to_pause_is_given_no_more_of_a_batch() {
    let scene = scene(|child| child).await;
    let mut lines = numbers(0..4);
    lines[1] = Line::Slow(SECOND);
    scene.table.send_many(lines).await.unwrap();
    tokio::time::sleep(SECOND / 2).await;
    pause(&scene.tree).await;
    scene.table.send(Line::Number(4)).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(scene.calls(), [[0]]);
    assert_eq!(scene.table.figures().depth, 3);
    scene.tree.stop().await;
    assert_eq!(scene.calls(), [[0]]);
}

/// One that asks for the rest of a batch also at what came to it by a timer.
#[tokio::test(start_paused = true)]
async fn what_an_agent_has_asked_for_itself_is_part_of_no_batch() {
    const BEAT: u64 = 1000;

    struct Beating(Calls);

    impl Agent for Beating {
        type Message = Line;
        type Spec = Calls;

        async fn start(calls: Calls, ctx: &mut Context<Self>) -> Result<Self, Failure> {
            ctx.send_every(SECOND, || Line::Number(BEAT));
            Ok(Self(calls))
        }

        async fn handle(&mut self, first: Line, ctx: &mut Context<Self>) -> Result<(), Failure> {
            let mut taken = Vec::new();
            let mut next = Some(first);
            while let Some(Line::Number(number)) = next {
                taken.push(number);
                // Of a batch it takes two at a time, and is long about it, so that the timer comes in the middle of one.
                next = if taken.len() < 2 { ctx.next_of_batch() } else { None };
            }
            if taken[0] < BEAT {
                tokio::time::sleep(SECOND).await;
            }
            self.0.lock().unwrap().push(taken);
            Ok(())
        }
    }

    let calls = Calls::default();
    let child = Child::of::<Beating>("a", Arc::clone(&calls));
    let address = child.address();
    let tree = Root::new()
        .supervisor(Supervisor::named("team").child(child))
        .start()
        .await
        .unwrap();
    address.send_many(numbers(0..200)).await.unwrap();
    tokio::time::sleep(200 * SECOND).await;
    let calls = calls.lock().unwrap().clone();
    let is_pure = |call: &Vec<u64>| *call == [BEAT] || !call.contains(&BEAT);
    assert!(calls.iter().all(is_pure), "{calls:?}");
    // Not only before the batch and behind it: its timer is looked at all the while.
    let last = calls.iter().rposition(|call| call.contains(&199)).unwrap();
    let between = calls[..last].iter().filter(|call| **call == [BEAT]).count();
    assert!(between >= 3, "{calls:?}");
    assert!(calls.iter().any(|call| call.len() == 2), "{calls:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_resumes_after_an_error_goes_on_with_the_rest_of_the_batch() {
    let scene = scene(|child| child.on_error(OnError::Resume)).await;
    let mut lines = numbers(0..5);
    lines[1] = Line::Bad;
    scene.table.send_many(lines).await.unwrap();
    scene.rest().await;
    assert_eq!(scene.calls(), [vec![0], vec![2, 3, 4]]);
    let figures = scene.table.figures();
    assert_eq!((figures.enqueued, figures.handled, figures.failed), (8, 7, 1));
    scene.tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_within_another_is_lent_the_batch_too() {
    let calls = Calls::default();
    let child = Faulty::<Table>::child("a", Arc::clone(&calls), &Faults::new());
    let address = child.address();
    let team = Supervisor::named("team").child(child);
    let tree = Root::new().supervisor(team).start().await.unwrap();
    for _ in 0..3 {
        address.send_many(numbers(0..4)).await.unwrap();
        quiet().await;
    }
    let calls = calls.lock().unwrap().clone();
    assert_eq!(calls[calls.len() - 2..], [[0, 1, 2, 3], [0, 1, 2, 3]], "{calls:?}");
    let figures = address.figures();
    assert_eq!((figures.enqueued, figures.handled, figures.depth), (12, 12, 0));
    tree.stop().await;
}
