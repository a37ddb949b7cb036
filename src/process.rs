//! The life of the process: one tree, until it ends or somebody wants it to.

use std::ffi::OsString;
use std::future::{Future, pending};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use triarch::prelude::*;
use triarch::tree::{Late, RootEnd};

use crate::arguments::{Command, HELP};
use crate::table::table;
use crate::tree;

const BAD_USAGE: u8 = 2;
const RUNTIME_FAILED: u8 = 70;
const OUT_OF_ORDER: u8 = 130;

/// Does what the arguments ask for.
pub(crate) fn obey(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let code = match Command::read(arguments) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("triarch ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Run { limit }) => run(limit).unwrap_or_else(|failure| {
            complain(&failure.to_string());
            RUNTIME_FAILED
        }),
        Err(error) => {
            complain(&error.to_string());
            BAD_USAGE
        }
    };
    ExitCode::from(code)
}

fn run(limit: Option<Duration>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let code = runtime.block_on(live(limit));
    // An agent that outlived its kill holds a thread, for which nobody is to wait.
    runtime.shutdown_background();
    code
}

async fn live(limit: Option<Duration>) -> Result<u8, Failure> {
    let mut signals = Signals::listen()?;
    let tree = tree::root()?.start().await?;
    print(&table(&tree.observer().snapshot()));
    let enough = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => pending().await,
        }
    };
    let early = tokio::select! {
        end = tree.wait() => Some(end),
        () = enough => None,
        () = signals.next() => None,
    };
    Ok(match early {
        Some(end) => conclude(&end),
        None => stop(&tree, signals.next()).await,
    })
}

/// Stops everybody in order, unless somebody is impatient.
async fn stop(tree: &Tree, impatience: impl Future<Output = ()>) -> u8 {
    tokio::select! {
        biased;
        end = tree.stop() => conclude(&end),
        () = impatience => {
            complain("stopped without waiting for those who had not stopped yet");
            OUT_OF_ORDER
        }
    }
}

/// Tells what was not as it should be; returns the exit code.
fn conclude(end: &RootEnd) -> u8 {
    end.late.iter().for_each(|late| complain(&overdue(late)));
    if end.reason.is_failure() {
        complain(&format!("the root {}", end.reason));
    }
    end.exit_code()
}

fn overdue(late: &Late) -> String {
    let fate = if late.ended {
        "was killed"
    } else {
        "was killed and still holds a thread"
    };
    format!(
        "{}/{} did not stop within {:?} and {fate}",
        late.supervisor, late.child, late.waited
    )
}

/// Data goes to standard output. That nobody reads it is no reason to stop.
fn print(text: &str) -> u8 {
    let _unread = io::stdout().lock().write_all(text.as_bytes());
    0
}

fn complain(text: &str) {
    let _unread = writeln!(io::stderr().lock(), "triarch: {text}");
}

/// The wishes of whoever started the process that it should end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    struct Wait;

    impl Message for Wait {}

    /// Fails at the first message, or takes its time to stop.
    struct Stubborn(Duration);

    impl Agent for Stubborn {
        type Message = Wait;
        type Spec = Duration;

        async fn start(patience: Duration, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
            Ok(Self(patience))
        }

        async fn handle(&mut self, _: Wait, _ctx: &mut Context<Self>) -> Result<(), Failure> {
            Err(Failure::new("had enough"))
        }

        async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
            tokio::time::sleep(self.0).await;
        }
    }

    async fn tree(stubborn: Child<Stubborn>) -> Tree {
        let team = Supervisor::named("team")
            .intensity(Intensity::new(0, Duration::ZERO))
            .child(stubborn);
        let root = Root::new()
            .intensity(Intensity::new(0, Duration::ZERO))
            .supervisor(team);
        root.start().await.unwrap()
    }

    #[tokio::test]
    async fn a_root_that_gives_up_is_code_70() {
        let stubborn = Child::of::<Stubborn>("stubborn", Duration::ZERO);
        let address = stubborn.address();
        let tree = tree(stubborn).await;
        address.send(Wait).await.unwrap();
        assert_eq!(conclude(&tree.wait().await), RUNTIME_FAILED);
    }

    #[tokio::test]
    async fn one_that_stops_in_order_is_code_0_even_if_somebody_was_late() {
        let soon = Shutdown::Within(Duration::from_millis(1));
        let late = Child::of::<Stubborn>("late", Duration::from_mins(1)).shutdown(soon);
        let tree = tree(late).await;
        assert_eq!(stop(&tree, pending()).await, 0);
        let end = tree.wait().await;
        assert_eq!(
            end.late.iter().map(overdue).collect::<Vec<_>>(),
            ["team/late did not stop within 1ms and was killed"]
        );
    }

    #[tokio::test]
    async fn the_impatient_wait_for_nobody() {
        let slow = Child::of::<Stubborn>("slow", Duration::from_secs(1)).shutdown(Shutdown::Infinity);
        let tree = tree(slow).await;
        assert_eq!(stop(&tree, ready(())).await, OUT_OF_ORDER);
        tree.wait().await;
    }
}
