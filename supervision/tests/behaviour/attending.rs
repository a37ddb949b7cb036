//! What an agent attends to beside its messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use triarch_supervision::prelude::*;

use crate::agents::{Log, grow, pause, team};
use crate::patience::{SECOND, node_until, quiet, soon, until};

/// What the world hands to the agent, and the means to tell it.
#[derive(Clone, Default)]
struct Inlet {
    items: Arc<Mutex<VecDeque<u32>>>,
    more: Arc<Notify>,
}

impl Inlet {
    fn hand_in(&self, item: u32) {
        self.items.lock().unwrap().push_back(item);
        self.more.notify_one();
    }

    async fn next(&self) -> u32 {
        loop {
            if let Some(item) = self.items.lock().unwrap().pop_front() {
                return item;
            }
            self.more.notified().await;
        }
    }
}

enum Tell {
    Number(u32),
    /// Send yourself another of it, so that there is always a message.
    Again(Address<Tell>),
}

impl Message for Tell {}

/// Reads from an inlet: 0 is a failure, 1 a panic, 2 the wish to end, 3 comes in for ever.
struct Attendant {
    inlet: Inlet,
    log: Log,
}

impl Agent for Attendant {
    type Message = Tell;
    type Spec = (Inlet, Log);

    async fn start((inlet, log): Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self { inlet, log })
    }

    async fn handle(&mut self, message: Tell, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match message {
            Tell::Number(number) => self.log.write(format!("told {number}")),
            Tell::Again(address) => {
                let _full = address.try_send(Tell::Again(address.clone()));
            }
        }
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match self.inlet.next().await {
            0 => return Err(Failure::new("the inlet broke")),
            1 => panic!("the inlet burst"),
            2 => ctx.stop(),
            3 => self.inlet.hand_in(3),
            item => self.log.write(format!("life {} took {item}", ctx.incarnation())),
        }
        Ok(())
    }
}

async fn attendant(change: impl FnOnce(Child<Attendant>) -> Child<Attendant>) -> (Tree, Address<Tell>, Inlet, Log) {
    let (inlet, log) = (Inlet::default(), Log::default());
    let child = change(Child::of::<Attendant>("a", (inlet.clone(), log.clone())));
    let address = child.address();
    (grow(team().child(child)).await, address, inlet, log)
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_is_attended_to_in_its_order_between_messages() {
    let (tree, address, inlet, log) = attendant(|child| child).await;
    for item in 10..13 {
        inlet.hand_in(item);
        quiet().await;
        address.send(Tell::Number(item)).await.unwrap();
    }
    inlet.hand_in(13);
    inlet.hand_in(14);
    until("the last is taken", || log.has("life 1 took 14")).await;
    let expected = [
        "life 1 took 10",
        "told 10",
        "life 1 took 11",
        "told 11",
        "life 1 took 12",
        "told 12",
        "life 1 took 13",
        "life 1 took 14",
    ];
    assert_eq!(log.lines(), expected);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_while_the_agent_is_paused() {
    let (tree, address, inlet, log) = attendant(|child| child).await;
    pause(&tree).await;
    address.send(Tell::Number(1)).await.unwrap();
    inlet.hand_in(10);
    until("it is taken", || log.has("life 1 took 10")).await;
    assert!(!log.has("told 1"));
    tree.stop().await;
}

#[tokio::test]
async fn a_stream_of_messages_does_not_keep_it_away() {
    let (tree, address, inlet, log) = attendant(|child| child).await;
    address.send(Tell::Again(address.clone())).await.unwrap();
    inlet.hand_in(10);
    until("it is taken", || log.has("life 1 took 10")).await;
    tree.stop().await;
}

#[tokio::test]
async fn a_stream_of_its_own_does_not_keep_messages_and_its_end_away() {
    let (tree, address, inlet, log) = attendant(|child| child).await;
    inlet.hand_in(3);
    address.send(Tell::Number(1)).await.unwrap();
    until("it is handled", || log.has("told 1")).await;
    let end = soon("the tree stops", tree.stop()).await;
    assert!(end.is_orderly(), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_a_panic_and_a_wish_to_end_mean_what_they_mean_in_a_handler() {
    let (tree, _address, inlet, log) = attendant(|child| child.restart(Restart::Transient)).await;
    for (item, reason) in [(0, "failed: the inlet broke"), (1, "panicked: the inlet burst")] {
        inlet.hand_in(item);
        let restarted = |node: &triarch_supervision::tree::NodeView| node.incarnation == u64::from(item) + 2;
        node_until(&tree, "team/a", restarted).await;
        let last = tree.observer().node("team/a").unwrap().last_exit.unwrap();
        assert!(last.to_string().starts_with(reason), "{last}");
    }
    inlet.hand_in(10);
    until("the third life attends", || log.has("life 3 took 10")).await;
    inlet.hand_in(2);
    node_until(&tree, "team/a", |node| node.last_exit == Some(ExitReason::Normal)).await;
    assert_eq!(tree.observer().dead_letters().list().len(), 0, "no message was in hand");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_resumes_attends_again_after_a_failure() {
    let (tree, _address, inlet, log) = attendant(|child| child.on_error(OnError::Resume)).await;
    inlet.hand_in(0);
    inlet.hand_in(10);
    until("it goes on", || log.has("life 1 took 10")).await;
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_in_it_is_stopped_at_once() {
    let (tree, ..) = attendant(|child| child.shutdown(Shutdown::Within(SECOND))).await;
    quiet().await;
    let end = soon("the tree stops", tree.stop()).await;
    assert!(end.is_orderly(), "{end:?}");
}
