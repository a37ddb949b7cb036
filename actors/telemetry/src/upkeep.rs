//! Level 3: the agent that tidies up behind what other libraries count.
//!
//! Their recorder keeps every sample of a histogram until somebody drains it, so somebody has to.

use std::time::Duration;

use triarch_supervision::prelude::*;

use crate::foreign;

const TIDY_EVERY: Duration = Duration::from_secs(1);

/// Drain what has gathered.
#[derive(Debug)]
pub(crate) struct Tidy;

impl Message for Tidy {
    const OVERFLOW: Overflow = Overflow::Reject;
}

/// Drains the recorder each second.
#[derive(Debug)]
pub(crate) struct Upkeep;

impl Agent for Upkeep {
    type Message = Tidy;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_in_step(TIDY_EVERY, || Tidy);
        Ok(Self)
    }

    async fn handle(&mut self, _: Tidy, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if let Some(recorder) = foreign::recorder() {
            recorder.run_upkeep();
        }
        Ok(())
    }
}
