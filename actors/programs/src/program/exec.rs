//! A program that runs once for each post: body in, reply out, exit code as the result.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use serde_json::Value;
use triarch_supervision::prelude::*;
use triarch_teams::{Post, Span};

use super::actor::Program;
use super::begin;
use super::chronicle::Chronicle;
use super::ends::{self, Life};
use super::lines::Lines;
use super::machine::{RECALLED, is_notice};
use super::message;
use super::pipes::{self, Pipes, Wrote};
use super::plan::Parts;
use super::waits::{StopWatch, passed, until_end};
use crate::error::ProgramError;
use crate::logs::Notebook;
use crate::pulse::Beating;
use crate::records::{EndReason, ExitRecord, InHand};
use crate::settings::Mode;
use crate::sys::{Exit, Process, Survey};

/// The variables by which a program learns of its post.
const POST: &str = "TRIARCH_POST";
const KIND: &str = "TRIARCH_POST_KIND";
const FROM: &str = "TRIARCH_POST_FROM";
const TASK: &str = "TRIARCH_TASK";
const TASK_KIND: &str = "TRIARCH_TASK_KIND";
const TASK_ATTEMPT: &str = "TRIARCH_TASK_ATTEMPT";
const TASK_INPUTS: &str = "TRIARCH_TASK_INPUTS";

/// The most bytes of inputs: the system gives a program no longer variables.
const INPUTS_MAX: usize = 100 << 10;

/// Runs a program for one post after the other.
#[derive(Debug)]
pub(super) struct Runs {
    plan: Arc<Parts>,
    incarnation: u64,
    count: u64,
    beating: Beating,
}

/// Why a run is over.
#[derive(Clone, Copy, Debug)]
enum Over {
    Exit(Exit),
    TooLong,
    Wall,
    Expired,
    Stopped,
    Recalled,
}

/// One run. Dropped before it is over, it was its agent that was killed.
#[derive(Debug)]
struct Run {
    plan: Arc<Parts>,
    life: Life,
    is_over: bool,
    process: Process,
    streams: Streams,
}

/// What a run is told and what it says.
#[derive(Debug)]
struct Streams {
    pipes: Pipes,
    body: Vec<u8>,
    written: usize,
    reply: Vec<u8>,
    reply_max: usize,
    err: Lines,
    chronicle: Chronicle,
}

/// Why nothing came of a run.
#[derive(Debug)]
enum Vain {
    /// Of another something may.
    Once(String),
    /// Another would come to the same.
    Always(String),
}

impl Runs {
    pub(super) fn new(plan: Arc<Parts>, incarnation: u64) -> Self {
        Self {
            beating: plan.beating(incarnation),
            plan,
            incarnation,
            count: 0,
        }
    }

    pub(super) fn state(&self) -> Value {
        serde_json::json!({ "mode": "exec", "runs": self.count })
    }

    /// Runs the program for `post`. What goes wrong is the post's failure, not the agent's.
    pub(super) async fn take(&mut self, post: Post, ctx: &mut Context<Program>) {
        if post.deadline.is_some_and(|deadline| deadline < Moment::now()) {
            return post.receipt.failed("its deadline passed before it was delivered");
        }
        if post.receipt.is_recalled() {
            return post.receipt.lost(RECALLED);
        }
        if is_notice(&post) {
            // What is recalled has seen so by itself: what runs was stopped, and what waits is not begun.
            return post.receipt.done(Value::Null);
        }
        let stop = StopWatch::of(ctx);
        let mut notebook = self.plan.notebook(self.incarnation);
        let more = match variables(&post) {
            Ok(more) => more,
            Err(why) => return post.receipt.failed(why),
        };
        let process = match begin::begin(&self.plan, self.incarnation, &more, self.count == 0, &mut notebook).await {
            Ok(process) => process,
            Err(error) => return post.receipt.failed(error.to_string()),
        };
        self.count += 1;
        post.receipt.delivered();
        let run = Run::begun(Arc::clone(&self.plan), self.incarnation, process, &post, notebook);
        self.perform(run, post, &stop).await;
    }

    async fn perform(&self, mut run: Run, post: Post, stop: &StopWatch) {
        let begun = Moment::now();
        let wall = self.plan.wall.map(|wall| begun + wall.0);
        let over = run.until_over(&post, wall, post.ends(begun), stop).await;
        let clue = match over {
            Over::Exit(exit) => ends::clue(&self.plan.recipe, exit, || run.process.was_short_of_memory()),
            _ => None,
        };
        let patience = match over {
            Over::Stopped | Over::Recalled => self.plan.patience,
            _ => Duration::ZERO,
        };
        run.streams.pipes.stdin = None;
        let survey = run.stop(patience).await;
        let exit = run.process.ended().await;
        run.streams.read_last();
        let more = ends::force(patience, exit, survey).or_else(|| clue.clone());
        run.tell_end(over.reason(), exit, survey, more.as_deref());
        let result = run.result(over, clue, self.plan.wall);
        if !matches!(over, Over::Stopped | Over::Recalled) {
            // The agent does not fall with a run, so it does not recover either.
            let _recovered = self.beating.answered(Moment::now().since(begun), result.is_err());
        }
        match (over, result) {
            (_, Ok(result)) => post.receipt.done(result),
            // Whatever its code: many end well at SIGTERM with the work undone.
            (Over::Stopped | Over::Recalled, Err(Vain::Once(why))) => post.receipt.lost(why),
            (_, Err(Vain::Once(why))) => post.receipt.failed(why),
            (_, Err(Vain::Always(why))) => post.receipt.failed_for_good(why),
        }
    }
}

impl Over {
    fn reason(self) -> EndReason {
        match self {
            Self::Exit(exit) => ends::reason(exit),
            Self::Wall => EndReason::Wall,
            Self::TooLong | Self::Expired | Self::Stopped | Self::Recalled => EndReason::Stopped,
        }
    }
}

impl Run {
    fn begun(plan: Arc<Parts>, incarnation: u64, mut process: Process, post: &Post, notebook: Notebook) -> Self {
        let links = &plan.links;
        let life = Life::begun(incarnation, process.pid());
        let in_hand = InHand {
            kind: Arc::clone(&post.kind),
            since: Moment::now(),
        };
        let present = links.records.begin(&plan.path, incarnation, life.pid());
        present.show(0, 1, Some(in_hand), None);
        let chronicle = Chronicle::new(notebook, links.metrics.clone());
        Self {
            streams: Streams::of(&mut process, &post.body, plan.line_max, chronicle),
            plan,
            life,
            is_over: false,
            process,
        }
    }

    async fn until_over(&mut self, post: &Post, wall: Option<Moment>, ends: Option<Moment>, stop: &StopWatch) -> Over {
        let Self { process, streams, .. } = self;
        loop {
            streams.write();
            if streams.is_too_long() {
                return Over::TooLong;
            }
            if stop.is_asked() {
                return Over::Stopped;
            }
            tokio::select! {
                biased;
                exit = process.ended() => return Over::Exit(exit),
                () = poll_fn(|cx| streams.poll(cx)) => {}
                () = passed(wall) => return Over::Wall,
                () = passed(ends) => return Over::Expired,
                () = post.receipt.recalled() => return Over::Recalled,
                () = stop.look() => {}
            }
        }
    }

    /// Ends the program and all it started, and listens to it meanwhile.
    async fn stop(&mut self, patience: Duration) -> Survey {
        let Self { process, streams, .. } = self;
        until_end(process.stop(patience), |cx| streams.poll(cx)).await
    }

    /// Tells how it ended.
    fn tell_end(&mut self, reason: EndReason, exit: Exit, survey: Survey, more: Option<&str>) {
        self.is_over = true;
        let Parts { links, path, .. } = &*self.plan;
        let chronicle = &mut self.streams.chronicle;
        chronicle.notebook.event(ends::said(reason, exit, survey, more));
        links.metrics.exited(reason);
        links.metrics.survivors.add(survey.survivors as u64);
        links.records.end(path, self.life.incarnation);
        let record = ExitRecord {
            posts: 1,
            lines: chronicle.last_lines(),
            why: more.map(str::to_owned),
            ..ends::record(self.life, Mode::Exec, reason, exit, Some(survey))
        };
        chronicle.ended(links, path, record);
    }

    fn result(&self, over: Over, clue: Option<String>, wall: Option<Span>) -> Result<Value, Vain> {
        let streams = &self.streams;
        let too_long = || Vain::Always(format!("its reply is longer than {} bytes", streams.reply_max));
        let once = |why: &str| Vain::Once(why.to_owned());
        match over {
            Over::Exit(exit) => match ends::failure(exit, clue, || streams.chronicle.last_lines()) {
                Some(failure) => Err(Vain::Once(failure.to_string())),
                None if streams.is_too_long() => Err(too_long()),
                None => Ok(read(&streams.reply)),
            },
            Over::TooLong => Err(too_long()),
            Over::Wall => {
                Err(Vain::Once(wall.map_or_else(String::new, |wall| {
                    ProgramError::Wall { wall }.to_string()
                })))
            }
            Over::Expired => Err(once("its deadline passed before the program ended")),
            Over::Stopped => Err(once("the program was stopped before it ended")),
            Over::Recalled => Err(once(RECALLED)),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_over {
            let Parts { links, path, .. } = &*self.plan;
            self.streams.chronicle.killed(links, path, self.life, Mode::Exec, 1);
        }
    }
}

impl Streams {
    fn of(process: &mut Process, body: &Value, reply_max: usize, chronicle: Chronicle) -> Self {
        Self {
            pipes: Pipes::of(process),
            body: match body {
                Value::String(text) => text.as_bytes().to_vec(),
                Value::Null => Vec::new(),
                other => other.to_string().into_bytes(),
            },
            written: 0,
            reply: Vec::new(),
            reply_max,
            err: Lines::new(reply_max),
            chronicle,
        }
    }

    fn is_too_long(&self) -> bool {
        self.reply.len() > self.reply_max
    }

    /// Writes what there is room for; the end of the body is the end of its input.
    fn write(&mut self) {
        while self.pipes.stdin.is_some() {
            if self.written == self.body.len() {
                self.pipes.stdin = None;
                return;
            }
            match self.pipes.write(&self.body[self.written..]) {
                Wrote::Bytes(bytes) => self.written += bytes,
                Wrote::Nothing => return,
                // Not every program cares for its input.
                Wrote::Closed => self.pipes.stdin = None,
            }
        }
    }

    /// Hears what it says; ready when there was anything, or there is room for more of its input.
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let (reply, most) = (&mut self.reply, self.reply_max);
        let of_out = pipes::poll_read(&mut self.pipes.stdout, cx, |chunk| append(reply, chunk, most));
        let (lines, chronicle) = (&mut self.err, &mut self.chronicle);
        let of_err = pipes::poll_read(&mut self.pipes.stderr, cx, |chunk| {
            lines.feed(chunk, |line| chronicle.line_of_err(line));
        });
        chronicle.notebook.flush();
        if of_out.is_ready() || of_err.is_ready() {
            return Poll::Ready(());
        }
        pipes::poll_room(self.pipes.stdin.as_ref(), cx)
    }

    fn read_last(&mut self) {
        let (reply, most) = (&mut self.reply, self.reply_max);
        pipes::read_last(&mut self.pipes.stdout, |chunk| append(reply, chunk, most));
        let (lines, chronicle) = (&mut self.err, &mut self.chronicle);
        pipes::read_last(&mut self.pipes.stderr, |chunk| {
            lines.feed(chunk, |line| chronicle.line_of_err(line));
        });
        lines.end(|line| chronicle.line_of_err(line));
    }
}

/// By which a program learns of its post, and of the task that it is.
fn variables(post: &Post) -> Result<Vec<(&'static str, String)>, String> {
    let mut variables = vec![
        (POST, post.id.to_string()),
        (KIND, post.kind.to_string()),
        (FROM, post.from.to_string()),
    ];
    let Some(brief) = &post.task else { return Ok(variables) };
    variables.extend([
        (TASK, brief.id.to_string()),
        (TASK_KIND, brief.kind.clone()),
        (TASK_ATTEMPT, brief.attempt.to_string()),
    ]);
    if !brief.inputs.is_empty() {
        let inputs = serde_json::to_string(&brief.inputs).map_err(|error| error.to_string())?;
        if inputs.len() > INPUTS_MAX {
            return Err(format!(
                "the results that it waited for have {} bytes, and a program in exec mode takes {INPUTS_MAX}; hand on where they are kept",
                inputs.len()
            ));
        }
        variables.push((TASK_INPUTS, inputs));
    }
    Ok(variables)
}

/// One byte more than the most is enough to know that it is too long.
fn append(reply: &mut Vec<u8>, chunk: &[u8], most: usize) {
    let room = (most + 1).saturating_sub(reply.len());
    reply.extend_from_slice(&chunk[..chunk.len().min(room)]);
}

/// A reply in JSON is what it says; any other is its text.
fn read(reply: &[u8]) -> Value {
    let text = reply.trim_ascii_end();
    message::value(text).unwrap_or_else(|| Value::String(String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_is_json_or_text() {
        assert_eq!(read(b"{\"a\": 1}\n"), json!({"a": 1}));
        assert_eq!(read(b"two\nlines\r\n"), json!("two\nlines"));
        assert_eq!(read(b""), json!(""));
        assert_eq!(read(b"\xff"), json!("\u{fffd}"));
        let deep = "[".repeat(65) + &"]".repeat(65);
        assert_eq!(read(deep.as_bytes()), json!(deep));
    }

    #[test]
    fn no_more_of_a_reply_is_kept_than_shows_that_it_is_too_long() {
        let mut reply = Vec::new();
        for _ in 0..10 {
            append(&mut reply, b"abc", 4);
        }
        assert_eq!(reply, b"abcab");
    }
}
