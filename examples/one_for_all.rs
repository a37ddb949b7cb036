//! Three agents that make sense only together: what one sees is all of them in their second life after one failed.
//!
//! With `OneForOne` the lens alone would begin anew, and shutter and film would go on with a camera that is gone.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use triarch::prelude::*;

enum Order {
    Break,
    Life(Reply<u64>),
}

impl Message for Order {}

struct Part;

impl Agent for Part {
    type Message = Order;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        println!("{} starts, life {}", ctx.path(), ctx.incarnation());
        Ok(Self)
    }

    async fn handle(&mut self, order: Order, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match order {
            Order::Break => return Err(Failure::new("dropped on the floor")),
            Order::Life(reply) => reply.send(ctx.incarnation()),
        }
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        println!("{} {reason}", ctx.path());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parts = ["lens", "shutter", "film"].map(|name| Child::of::<Part>(name, ()));
    let addresses = parts.each_ref().map(Child::address);
    let camera = Supervisor::named("camera")
        .strategy(Strategy::OneForAll)
        .children(parts);
    let tree = Root::new().supervisor(camera).start().await?;

    addresses[0].send(Order::Break).await?;
    for address in &addresses {
        let life = address.ask(Order::Life).await?;
        println!("{} answers from life {life}", address.path());
        assert_eq!(life, 2);
    }

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
