//! A service: a tree that runs until Ctrl-C, or until its root gives up, and tells what its supervisors decide meanwhile.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::process::ExitCode;
use std::time::Duration;

use triarch::prelude::*;
use triarch::tree::{Fact, Observer};

const BEAT: Duration = Duration::from_millis(100);

struct Beat;

impl Message for Beat {}

/// Counts its beats, and fails at each fifth.
struct Heart(u32);

impl Agent for Heart {
    type Message = Beat;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_after(BEAT, Beat);
        Ok(Self(0))
    }

    async fn handle(&mut self, Beat: Beat, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.0 += 1;
        let missed: Result<(), String> = match self.0 {
            5 => Err("missed a beat".to_owned()),
            _ => Ok(()),
        };
        missed.or_fail()?;
        ctx.send_after(BEAT, Beat);
        Ok(())
    }
}

async fn tell_decisions(observer: Observer) {
    let mut events = observer.events();
    while let Some(event) = events.next().await {
        if let Fact::Decision(decision) = event.fact {
            println!("{}: {decision:?}", event.supervisor);
        }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    // One restart in five seconds is all that a supervisor bears where nothing is said; a service mostly wants more.
    let hearts = Supervisor::named("hearts")
        .intensity(Intensity::new(10, Duration::from_secs(1)))
        .backoff(Backoff::exponential(BEAT, Duration::from_secs(5)))
        .child(Child::of::<Heart>("heart", ()));
    let tree = Root::new().supervisor(hearts).start().await?;
    let end = tokio::select! {
        end = tree.wait() => end,
        () = tell_decisions(tree.observer()) => tree.wait().await,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            tree.stop().await
        }
    };
    println!("it ended: {}", end.reason);
    Ok(ExitCode::from(end.exit_code()))
}
