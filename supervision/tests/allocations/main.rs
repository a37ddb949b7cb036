//! What a message costs in allocations, once the mailbox has its size.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod sys;

use triarch_supervision::prelude::*;

const WARM: u64 = 10_000;
const TELLS: u64 = 100_000;

struct Adder(u64);

enum Sum {
    Add(u64),
    Total(Reply<u64>),
}

impl Message for Sum {}

impl Agent for Adder {
    type Message = Sum;
    type Spec = ();

    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(0))
    }

    async fn handle(&mut self, message: Sum, _: &mut Context<Self>) -> Result<(), Failure> {
        match message {
            Sum::Add(number) => self.0 += number,
            Sum::Total(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

async fn tell(adder: &Address<Sum>, count: u64) {
    for _ in 0..count {
        adder.send(Sum::Add(1)).await.ok().unwrap();
    }
}

/// Alone in its process, which counts for all threads.
#[tokio::test]
async fn a_tell_allocates_nothing() {
    let child = Child::of::<Adder>("adder", ());
    let adder = child.address();
    let tree = Root::new()
        .supervisor(Supervisor::named("team").child(child))
        .start()
        .await
        .unwrap();
    tell(&adder, WARM).await;
    let before = sys::allocations();
    tell(&adder, TELLS).await;
    let of_tells = sys::allocations() - before;
    assert_eq!(adder.ask(Sum::Total).await, Ok(WARM + TELLS));
    assert!(of_tells < TELLS / 1_000, "{TELLS} tells allocated {of_tells} times");
    tree.stop().await;
}
