//! Workers that come and go at run time: what one sees is a pool that grows to three, shares out work, and shrinks again.
//!
//! Whoever still holds the address of a worker that left learns that it is closed.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use triarch::prelude::*;

struct Square(u64, Reply<u64>);

impl Message for Square {}

struct Worker;

impl Agent for Worker {
    type Message = Square;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        println!("{} joins", ctx.path());
        Ok(Self)
    }

    async fn handle(&mut self, Square(number, reply): Square, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        reply.send(number * number);
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, ctx: &mut Context<Self>) {
        println!("{} leaves", ctx.path());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tree = Root::new().supervisor(Supervisor::dynamic("pool")).start().await?;
    let pool = tree.observer().supervisor("pool")?;

    let mut workers = Vec::new();
    for number in 1..=3 {
        let worker = Child::of::<Worker>(format!("worker-{number}"), ());
        let (address, _started) = pool.start_child(worker).await?;
        workers.push(address);
    }
    assert_eq!(pool.count_children().await?.active, 3);

    let mut sum = 0;
    for (number, worker) in (1..=9).zip(workers.iter().cycle()) {
        sum += worker.ask(|reply| Square(number, reply)).await?;
    }
    println!("the squares of 1 to 9 sum up to {sum}");
    assert_eq!(sum, 285);

    pool.terminate_child("worker-2").await?;
    println!("{} are left", pool.count_children().await?.active);
    assert_eq!(pool.count_children().await?.active, 2);

    let Err(error) = workers[1].ask(|reply| Square(1, reply)).await else {
        return Err("a worker that left answered".into());
    };
    println!("{error}");
    assert!(workers[1].is_closed() && !workers[0].is_closed());

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
