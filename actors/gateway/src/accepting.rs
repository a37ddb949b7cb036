//! Letting in who comes, and what a door does when nobody can be let in.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use triarch_supervision::prelude::*;

use crate::guests::{Guest, Guests};
use crate::metrics::Refusal;
use crate::reserve::Reserve;

/// How long a door waits that has no descriptor for whoever comes.
pub(crate) const BACK_OFF: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) trait Listener: Send + Sync {
    type Stream: AsFd + Send + 'static;

    fn poll_accept(&self, task: &mut Task<'_>) -> Poll<io::Result<Self::Stream>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&self, task: &mut Task<'_>) -> Poll<io::Result<TcpStream>> {
        let accepted = Self::poll_accept(self, task);
        accepted.map_ok(|(stream, _)| stream)
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    fn poll_accept(&self, task: &mut Task<'_>) -> Poll<io::Result<UnixStream>> {
        let accepted = Self::poll_accept(self, task);
        accepted.map_ok(|(stream, _)| stream)
    }
}

/// Who came.
#[derive(Debug)]
pub(crate) enum Came<S> {
    /// One that is let in.
    Admitted(S, Guest),
    /// One too many.
    Surplus(S),
}

/// Stands at a door and lets in who comes.
#[derive(Debug)]
pub(crate) struct Porter {
    guests: Guests,
    reserve: Reserve,
    may_spend: bool,
}

impl Porter {
    /// One that gives up whom it lets in while the reserve is spent.
    pub(crate) fn new(guests: Guests, reserve: Reserve) -> Self {
        Self {
            guests,
            reserve,
            may_spend: false,
        }
    }

    /// One that may spend the reserve, so that its door opens when no other does.
    pub(crate) fn with_reserve(guests: Guests, reserve: Reserve) -> Self {
        Self {
            guests,
            reserve,
            may_spend: true,
        }
    }

    /// The next who comes; `None` where it is to be called again.
    pub(crate) async fn next<L: Listener>(&self, listener: &L) -> Option<Came<L::Stream>> {
        let accepted = if self.may_spend && self.reserve.is_spent() {
            within_back_off(listener).await?
        } else {
            poll_fn(|task| listener.poll_accept(task)).await
        };
        match accepted {
            Ok(stream) => self.admit(stream),
            Err(error) => self.make_room(&error, listener).await,
        }
    }

    async fn make_room<L: Listener>(&self, error: &io::Error, listener: &L) -> Option<Came<L::Stream>> {
        match judge(error, self.may_spend && !self.reserve.is_spent()) {
            Verdict::Again => None,
            Verdict::SpendReserve => {
                self.guests.metrics().refused(Refusal::Exhausted);
                self.reserve.spend();
                let stream = within_back_off(listener).await?.ok()?;
                self.admit(stream)
            }
            Verdict::BackOff => {
                self.guests.metrics().refused(Refusal::Exhausted);
                tokio::time::sleep(BACK_OFF).await;
                None
            }
        }
    }

    fn admit<S: AsFd + Send + 'static>(&self, stream: S) -> Option<Came<S>> {
        if !self.may_spend && self.reserve.is_spent() {
            self.guests.metrics().refused(Refusal::Exhausted);
            self.reserve.keep_closed(stream);
            return None;
        }
        Some(match self.guests.admit() {
            Some(guest) => Came::Admitted(stream, guest),
            None => Came::Surplus(stream),
        })
    }
}

async fn within_back_off<L: Listener>(listener: &L) -> Option<io::Result<L::Stream>> {
    let accepted = poll_fn(|task| listener.poll_accept(task));
    tokio::time::timeout(BACK_OFF, accepted).await.ok()
}

/// Makes `child` an agent of the same room as the agent of `ctx`. Where the room is being stopped, who came is sent away.
pub(crate) async fn serve<D: Agent, A: Agent>(ctx: &mut Context<D>, child: Child<A>) {
    let path = ctx.path();
    let room = path.split('/').next().unwrap_or_default();
    if let Ok(room) = ctx.observer().supervisor(room) {
        let _sent_away = room.start_child(child).await;
    }
}

/// What follows when a connection was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// That one has gone; the next may be there.
    Again,
    /// Make room by the descriptor that was kept for this.
    SpendReserve,
    /// Nothing can be done but to wait: who comes waits too.
    BackOff,
}

/// Judges why a connection was not accepted.
pub(crate) fn judge(error: &io::Error, has_reserve: bool) -> Verdict {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) if has_reserve => Verdict::SpendReserve,
        Some(Errno::CONNABORTED | Errno::INTR | Errno::CONNRESET | Errno::PROTO | Errno::PERM) => Verdict::Again,
        // Also what nobody has thought of: a door that tries again at once may do so for ever.
        _ => Verdict::BackOff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_gone_is_passed_over_and_exhaustion_is_waited_for() {
        let judged = |errno: Errno, has_reserve| judge(&io::Error::from(errno), has_reserve);
        assert_eq!(judged(Errno::CONNABORTED, true), Verdict::Again);
        assert_eq!(judged(Errno::MFILE, true), Verdict::SpendReserve);
        assert_eq!(judged(Errno::NFILE, true), Verdict::SpendReserve);
        assert_eq!(judged(Errno::MFILE, false), Verdict::BackOff);
        assert_eq!(judged(Errno::NOMEM, true), Verdict::BackOff);
        assert_eq!(judged(Errno::IO, true), Verdict::BackOff);
        assert_eq!(judge(&io::Error::other("whatever"), true), Verdict::BackOff);
    }
}
