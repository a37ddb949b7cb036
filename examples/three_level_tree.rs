//! A tree of three levels that heals: what one sees is a worker that fails, its successor that answers at the same
//! address, and the tree as it stands then.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use triarch::prelude::*;
use triarch::tree::Level;

enum Job {
    Square(u64, Reply<u64>),
    Fail,
}

impl Message for Job {}

struct Worker;

impl Agent for Worker {
    type Message = Job;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        println!("{} starts, life {}", ctx.path(), ctx.incarnation());
        Ok(Self)
    }

    async fn handle(&mut self, job: Job, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match job {
            Job::Square(number, reply) => reply.send(number * number),
            Job::Fail => return Err(Failure::new("was told to fail")),
        }
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        println!("{} {reason}", ctx.path());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Child::of::<Worker>("worker", ());
    let address = worker.address();
    let team = Supervisor::named("team")
        .intensity(Intensity::new(3, Duration::from_secs(5)))
        .child(worker);
    let tree = Root::new().supervisor(team).start().await?;

    assert_eq!(address.ask(|reply| Job::Square(7, reply)).await?, 49);
    address.send(Job::Fail).await?;
    let square = address.ask(|reply| Job::Square(8, reply)).await?;
    assert_eq!(square, 64, "the same address, the next life");

    for node in tree.observer().snapshot() {
        let indent = 2 * (usize::from(node.level.number()) - 1);
        println!(
            "{:indent$}{} is {:?}, life {}",
            "", node.path, node.state, node.incarnation
        );
    }
    let worker = tree.observer().node("team/worker")?;
    assert_eq!(
        (worker.level, worker.incarnation, worker.restarts),
        (Level::Agent, 2, 1)
    );

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
