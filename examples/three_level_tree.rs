//! A tree of three levels that heals: a worker fails, its supervisor replaces it, its address stays.

use std::time::Duration;

use triarch::prelude::*;

enum Job {
    Square(u64, Reply<u64>),
    Fail,
}

impl Message for Job {}

struct Worker {
    incarnation: u64,
}

impl Agent for Worker {
    type Message = Job;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        println!("{} starts, life {}", ctx.path(), ctx.incarnation());
        Ok(Self {
            incarnation: ctx.incarnation(),
        })
    }

    async fn handle(&mut self, job: Job, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match job {
            Job::Square(number, reply) => drop(reply.send(number * number)),
            Job::Fail => return Err(Failure::new(format!("life {} was told to fail", self.incarnation))),
        }
        Ok(())
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
    assert_eq!(
        address.ask(|reply| Job::Square(8, reply)).await?,
        64,
        "the same address, the next life"
    );

    for node in tree.observer().snapshot() {
        println!(
            "{:indent$}{} {:?}, life {}",
            "",
            node.path,
            node.state,
            node.incarnation,
            indent = usize::from(node.level)
        );
    }
    let end = tree.stop().await;
    assert!(end.is_orderly(), "{end:?}");
    Ok(())
}
