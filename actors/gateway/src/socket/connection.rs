//! One connection: reads requests line by line, has them performed one after the other, writes what comes of them.

use std::fmt;
use std::future::pending;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::io::{Interest, Ready};
use tokio::net::UnixStream;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Observer, Phase};

use crate::guests::{Arrival, Guest, Outstayed};
use crate::metrics::Refusal;
use crate::operation::{
    Caller, Code, OperationError, Performer, Performing, ProgressSink, ProgressStream, Request, Told, Written,
};
use crate::patience::Patience;
use crate::reserve::Reserve;
use crate::wire::{Answer, Asked, LINE_MAX, too_long};

/// How long the last lines may take when the room is stopped.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// How often one who has closed its own direction is looked at: has it closed the other too?
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long somebody may leave what was written unread, before what was asked for ends.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// So much of a line that was begun is kept for one who does not read it.
const KEPT_UNREAD: usize = 1 << 20;

/// What the one incarnation starts from.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) arrival: Arrival<UnixStream>,
    pub(super) performer: Performer,
    pub(super) reserve: Reserve,
    pub(super) caller: Caller,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Arc<UnixStream>,
    guest: Guest,
    performer: Performer,
    /// Gets what the connection was held by.
    reserve: Reserve,
    caller: Caller,
    /// What was read and not yet understood; so much of it is known to hold no end of a line.
    inbox: Vec<u8>,
    searched: usize,
    /// What is to be written, and how much of it is.
    outbox: Vec<u8>,
    written: usize,
    in_hand: Option<InHand>,
    is_closing: bool,
    /// Whoever asked left it unread, and is told so when it reads again.
    is_unread: bool,
    /// Whoever asked has gone, and what was asked for is carried through.
    is_left: bool,
}

/// The operation at work.
struct InHand {
    performing: Performing,
    progress: ProgressStream,
    begun: Instant,
    has_told: bool,
}

impl fmt::Debug for InHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHand")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// What came of waiting for an operation.
enum Step {
    Told(Told),
    Ended(Result<Written, OperationError>),
    Left,
}

impl Agent for Connection {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (stream, guest) = settings.arrival.take().ok_or_else(Failure::ignore)?;
        Ok(Self {
            stream: Arc::new(stream),
            guest,
            performer: settings.performer,
            reserve: settings.reserve,
            caller: settings.caller,
            inbox: Vec::new(),
            searched: 0,
            outbox: Vec::new(),
            written: 0,
            in_hand: None,
            is_closing: false,
            is_unread: false,
            is_left: false,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    /// One step: each can be dropped at its `await` and begun anew without a loss.
    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let step = if self.is_left {
            self.carry_through().await
        } else if !self.outbox.is_empty() {
            self.write().await
        } else if self.is_closing {
            Err(io::ErrorKind::ConnectionAborted.into())
        } else if self.in_hand.is_some() {
            self.work().await
        } else {
            self.listen().await
        };
        if step.is_err() {
            // Whoever was there has gone or was asked to; that is no failure of the connection's agent.
            self.forget_written();
            self.is_left = self.in_hand.as_ref().is_some_and(InHand::is_to_go_on);
        }
        if step.is_err() && !self.is_left {
            self.cancel();
            ctx.stop();
        }
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        let is_over = is_over(&ctx.observer());
        if let Some(in_hand) = self.in_hand.take() {
            self.conclude(&in_hand, Err(undone(is_over)));
        } else if *reason == ExitReason::Shutdown && self.outbox.is_empty() {
            // Whoever asks next finds this as the answer.
            self.say(&Answer::Error(ended(is_over)));
        }
        // As far as they are taken at once: for one that does not read, everybody else would wait.
        let unwritten = self.outbox.get(self.written..).unwrap_or_default();
        let _unheard = self.stream.try_write(unwritten);
    }
}

impl Connection {
    async fn write(&mut self) -> io::Result<()> {
        let unwritten = self.outbox.get(self.written..).unwrap_or_default();
        let is_unread = self.is_unread;
        let overdue = async {
            if is_unread {
                return pending().await;
            }
            tokio::time::sleep(READ_WITHIN).await;
        };
        let written = tokio::select! {
            biased;
            written = write(&self.stream, unwritten) => written?,
            _ = self.guest.outstayed() => return Err(io::ErrorKind::TimedOut.into()),
            () = overdue => return self.leave_unread(),
        };
        self.written += written;
        if self.written >= self.outbox.len() {
            self.forget_written();
            if self.in_hand.is_none() {
                self.guest.note(Patience::answered);
            }
        }
        Ok(())
    }

    /// Nobody reads: what was asked for ends, and why is left for whoever reads on.
    fn leave_unread(&mut self) -> io::Result<()> {
        self.guest.metrics().refused(Refusal::Slow);
        let is_to_go_on = self.in_hand.as_ref().is_some_and(InHand::is_to_go_on);
        let rest = line_begun(&self.outbox, self.written);
        if is_to_go_on || rest.len() > KEPT_UNREAD {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let is_all = self.in_hand.is_none() && rest.len() == self.outbox.len() - self.written;
        self.guest.note(Patience::unread);
        self.is_unread = true;
        if is_all {
            return Ok(());
        }
        (self.outbox, self.written) = (rest.to_vec(), 0);
        self.cancel();
        let message = format!(
            "nobody read what came of it for {} s, so that it was ended",
            READ_WITHIN.as_secs()
        );
        self.say(&Answer::Error(OperationError::new(
            Code::Failed,
            message,
            "ask again, and read on",
        )));
        self.is_closing = true;
        Ok(())
    }

    /// Takes the next request, or reads more of it.
    async fn listen(&mut self) -> io::Result<()> {
        if let Some(line) = self.next_line() {
            self.begin(&line);
            return Ok(());
        }
        if self.inbox.len() > LINE_MAX {
            self.refuse(too_long());
            self.is_closing = true;
            return Ok(());
        }
        let read = tokio::select! {
            biased;
            outstayed = self.guest.outstayed() => {
                self.send_off(outstayed);
                return Ok(());
            }
            read = read(&self.stream, &mut self.inbox) => read?,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let unsearched = self.inbox.get(self.searched..).unwrap_or_default();
        let Some(at) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.inbox.len();
            return None;
        };
        let rest = self.inbox.split_off(self.searched + at + 1);
        self.searched = 0;
        let line = std::mem::replace(&mut self.inbox, rest);
        Some(line)
    }

    fn begin(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        if line.len() > LINE_MAX {
            return self.refuse(too_long());
        }
        match Asked::read(line) {
            Ok(asked) => self.perform(asked),
            Err(error) => self.refuse(error),
        }
    }

    /// Whoever asks next finds this as the answer.
    fn send_off(&mut self, outstayed: Outstayed) {
        let message = match outstayed {
            Outstayed::Wanted => "somebody else got the place of this connection, which had asked nothing for longest",
            Outstayed::Slow => "this connection has asked nothing for too long",
        };
        self.say(&Answer::Error(OperationError::new(Code::Refused, message, "ask again")));
        self.is_closing = true;
    }

    fn perform(&mut self, asked: Asked) {
        if !self.guest.asks() {
            return self.send_off(Outstayed::Wanted);
        }
        let request = Request {
            operation: asked.operation,
            input: asked.input,
            caller: self.caller,
        };
        let (sink, progress) = ProgressSink::at(self.guest.place());
        self.in_hand = Some(InHand {
            performing: self.performer.begin(request, sink),
            progress,
            begun: Instant::now(),
            has_told: false,
        });
    }

    fn refuse(&mut self, error: OperationError) {
        self.guest.metrics().refused(Refusal::Malformed);
        self.say(&Answer::Error(error));
    }

    /// Waits for what the operation has to say; and for its end, or that of the connection.
    async fn work(&mut self) -> io::Result<()> {
        let Some(in_hand) = &mut self.in_hand else {
            return Ok(());
        };
        match in_hand.step(left(&self.stream)).await {
            Step::Told(Told::Progress(progress)) => {
                in_hand.has_told = true;
                self.say(&Answer::Progress(progress));
            }
            Step::Told(Told::Part(part)) => {
                in_hand.has_told = true;
                self.say(&Answer::Part(part));
            }
            Step::Ended(ended) => {
                if let Some(in_hand) = self.in_hand.take() {
                    self.conclude(&in_hand, ended);
                }
            }
            Step::Left => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(())
    }

    fn conclude(&mut self, in_hand: &InHand, ended: Result<Written, OperationError>) {
        let code = ended.as_ref().err().map(|error| error.code);
        let metrics = self.guest.metrics();
        metrics.answered(code, in_hand.begun.elapsed(), in_hand.is_own_pace());
        let answer = ended.map_or_else(Answer::Error, Answer::Output);
        self.say(&answer);
    }

    /// Answers may be large, and mostly nothing waits before them.
    fn say(&mut self, answer: &Answer) {
        if self.outbox.is_empty() {
            self.outbox = answer.written();
        } else {
            self.outbox.extend(answer.written());
        }
    }

    fn cancel(&mut self) {
        if self.in_hand.take().is_some() {
            self.guest.metrics().cancelled();
        }
    }

    /// Has the operation end for nobody who listens.
    async fn carry_through(&mut self) -> io::Result<()> {
        while let Some(in_hand) = &mut self.in_hand {
            if let Step::Ended(ended) = in_hand.step(pending()).await
                && let Some(in_hand) = self.in_hand.take()
            {
                self.conclude(&in_hand, ended);
            }
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    /// Nothing more is to be written; the room that a large answer took is given back.
    fn forget_written(&mut self) {
        self.outbox = Vec::new();
        self.written = 0;
        self.is_unread = false;
    }
}

impl InHand {
    /// Whether how long it takes is the runtime's own doing.
    fn is_own_pace(&self) -> bool {
        !self.has_told && !self.progress.has_waited()
    }

    /// Whether it is carried through, though whoever asked has gone.
    fn is_to_go_on(&self) -> bool {
        self.progress.is_to_go_on()
    }

    /// What comes next; or that whoever asked has `left`.
    async fn step(&mut self, left: impl Future<Output = ()>) -> Step {
        let performing = AssertUnwindSafe(&mut self.performing).catch_unwind();
        let ended = tokio::select! {
            biased;
            Some(told) = self.progress.next() => return Step::Told(told),
            ended = performing => ended,
            () = left => return Step::Left,
        };
        let ended = ended.unwrap_or_else(|_panic| {
            let message = "the operation panicked";
            Err(OperationError::new(
                Code::RuntimeFailed,
                message,
                "see the log, and report it",
            ))
        });
        // What it told last goes before what it ended with; then this is asked once more.
        match self.progress.try_next() {
            Some(told) => {
                self.performing = Box::pin(std::future::ready(ended));
                Step::Told(told)
            }
            None => Step::Ended(ended),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reserve.keep_closed(Arc::clone(&self.stream));
    }
}

/// Whether the whole runtime ends, and not only its doors.
fn is_over(tree: &Observer) -> bool {
    let root = tree.state("root");
    root.is_ok_and(|state| matches!(state, Phase::Stopping | Phase::Stopped | Phase::Failed))
}

/// What becomes of a request that is in hand when its connection ends.
fn undone(is_over: bool) -> OperationError {
    if is_over {
        let remedy = "start the runtime and ask again";
        return OperationError::new(Code::NotRunning, "the runtime stopped before this was done", remedy);
    }
    let message = "this connection was ended before this was done";
    OperationError::new(Code::Failed, message, "look whether it was done, or ask again")
}

/// What is said to one that asks nothing when its connection ends.
fn ended(is_over: bool) -> OperationError {
    if is_over {
        let remedy = "start one with `triarch up`";
        return OperationError::new(Code::NotRunning, "the runtime has stopped", remedy);
    }
    OperationError::new(Code::Refused, "this connection was ended", "ask again")
}

/// What is left of the line of `outbox` of which a part is written: nothing where none is.
fn line_begun(outbox: &[u8], written: usize) -> &[u8] {
    let (before, rest) = outbox.split_at(written);
    if before.last().is_none_or(|byte| *byte == b'\n') {
        return &[];
    }
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(rest.len(), |end| end + 1);
    rest.get(..end).unwrap_or_default()
}

/// Writes as much as is taken; waits until anything is.
async fn write(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    stream.async_io(Interest::WRITABLE, || stream.try_write(bytes)).await
}

/// Reads what has come; waits until anything has.
async fn read(stream: &UnixStream, into: &mut Vec<u8>) -> io::Result<usize> {
    stream.async_io(Interest::READABLE, || stream.try_read_buf(into)).await
}

/// Returns when the other side has closed both directions, as its end does. One who has closed only its own may still
/// read, so it is looked at again and again.
async fn left(stream: &UnixStream) {
    loop {
        let heard = stream.ready(Interest::READABLE).await;
        let both = stream.ready(Interest::READABLE | Interest::WRITABLE);
        let is_closed = both.await.map_or(true, Ready::is_write_closed);
        if is_closed || heard.is_err() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
