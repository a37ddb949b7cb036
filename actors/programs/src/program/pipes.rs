//! The three pipes to a program, read and written without waiting.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::sys::Process;

/// So much is read at a time: as much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// So many chunks are read before others have their turn.
const CHUNKS_MAX: usize = 4;

/// So many are read of what a program left behind: as much as the largest pipe holds.
const LAST_CHUNKS_MAX: usize = 16;

thread_local! {
    /// One for all programs of a thread: nothing stays in it.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
}

/// What is still open of them.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdin: Option<Sender>,
    pub(super) stdout: Option<Receiver>,
    pub(super) stderr: Option<Receiver>,
}

/// Whether anything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// So many bytes.
    Bytes(usize),
    /// There is no room.
    Nothing,
    /// The program has closed its end.
    Closed,
}

impl Pipes {
    pub(super) fn of(process: &mut Process) -> Self {
        Self {
            stdin: process.stdin.take(),
            stdout: process.stdout.take(),
            stderr: process.stderr.take(),
        }
    }

    /// Writes what there is room for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Wrote {
        let Some(stdin) = &self.stdin else {
            return Wrote::Nothing;
        };
        match stdin.try_write(bytes) {
            Ok(written) => Wrote::Bytes(written),
            Err(error) if is_for_later(&error) => Wrote::Nothing,
            Err(_) => {
                self.stdin = None;
                Wrote::Closed
            }
        }
    }
}

/// Hands what lies in a pipe to `each`; closes it at its end. There is nothing in one that is closed.
pub(super) fn poll_read(pipe: &mut Option<Receiver>, cx: &mut Context<'_>, mut each: impl FnMut(&[u8])) -> Poll<()> {
    let Some(receiver) = pipe else { return Poll::Pending };
    let read = BUFFER.with_borrow_mut(|buffer| poll_chunks(Pin::new(receiver), cx, buffer, &mut each));
    read.map(|is_open| {
        if !is_open {
            *pipe = None;
        }
    })
}

/// Whether the pipe is still open, once anything was read.
fn poll_chunks(
    mut receiver: Pin<&mut Receiver>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
    each: &mut impl FnMut(&[u8]),
) -> Poll<bool> {
    for chunk in 0..CHUNKS_MAX {
        let mut read = ReadBuf::new(buffer);
        match receiver.as_mut().poll_read(cx, &mut read) {
            Poll::Pending if chunk == 0 => return Poll::Pending,
            Poll::Pending => break,
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Ok(())) if !read.filled().is_empty() => each(read.filled()),
            Poll::Ready(_) => return Poll::Ready(false),
        }
        // A pipe that gives less than there is room for is empty: to ask it again would be in vain.
        if read.remaining() > 0 {
            break;
        }
    }
    Poll::Ready(true)
}

/// Hands what a program left in a pipe to `each`, and closes it. Others may still hold its other end, so it has no end
/// to wait for.
pub(super) fn read_last(pipe: &mut Option<Receiver>, mut each: impl FnMut(&[u8])) {
    // tokio hears of what lies there only when it looks next; the pipe itself knows now.
    let Some(Ok(fd)) = pipe.take().map(Receiver::into_nonblocking_fd) else {
        return;
    };
    let mut file = File::from(fd);
    BUFFER.with_borrow_mut(|buffer| {
        for _ in 0..LAST_CHUNKS_MAX {
            match file.read(buffer) {
                Ok(0) => return,
                Ok(read) => each(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
}

/// Whether there is room to write, which there is not where the pipe is closed.
pub(super) fn poll_room(pipe: Option<&Sender>, cx: &mut Context<'_>) -> Poll<()> {
    match pipe {
        // An error shows itself at the next write.
        Some(sender) => sender.poll_write_ready(cx).map(drop),
        None => Poll::Pending,
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
