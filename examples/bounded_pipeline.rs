//! A fast stage before a slow one: what one sees is the sender slowed down to the pace of the slowest, and no mailbox
//! ever deeper than its capacity.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::{Duration, Instant};

use triarch::prelude::*;

const CAPACITY: u32 = 4;
const SHEETS: u32 = 30;
const PACE: Duration = Duration::from_millis(10);

struct Sheet;

impl Message for Sheet {}

/// A stage takes its time for each sheet and hands it on, where there is a next one.
#[derive(Clone)]
struct Stage {
    takes: Duration,
    next: Option<Address<Sheet>>,
}

impl Agent for Stage {
    type Message = Sheet;
    type Spec = Self;

    async fn start(stage: Self, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(stage)
    }

    async fn handle(&mut self, sheet: Sheet, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::time::sleep(self.takes).await;
        match &self.next {
            Some(next) => Ok(next.send(sheet).await?),
            None => Ok(()),
        }
    }
}

fn stage(name: &str, takes: Duration, next: Option<Address<Sheet>>) -> Child<Stage> {
    Child::of::<Stage>(name, Stage { takes, next }).capacity(CAPACITY as usize)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let press = stage("press", PACE, None);
    let fold = stage("fold", Duration::ZERO, Some(press.address()));
    let (folded, pressed) = (fold.address(), press.address());
    let line = Supervisor::named("line").child(press).child(fold);
    let tree = Root::new().supervisor(line).start().await?;

    let begun = Instant::now();
    for number in 1..=SHEETS {
        folded.send(Sheet).await?;
        if number % 6 == 0 {
            let depths = [&folded, &pressed].map(|stage| stage.figures().depth);
            let at = begun.elapsed().as_millis();
            println!("{at:>3} ms: sheet {number} sent, {depths:?} wait at fold and press");
        }
    }
    let sending = begun.elapsed();

    for stage in [&folded, &pressed] {
        let figures = stage.figures();
        let (most, capacity) = (figures.high_water, figures.capacity);
        println!("{}: at most {most} of {capacity} waited", stage.path());
        assert!(most <= u64::from(CAPACITY));
    }
    let at_least = PACE * (SHEETS - 2 * (CAPACITY + 1));
    println!("sending took {sending:?}; without being held back it takes next to nothing");
    assert!(sending >= at_least, "{sending:?} is less than {at_least:?}");

    assert!(tree.stop().await.is_orderly());
    Ok(())
}
