//! One connection: hyper reads and writes, this sees to it that it ends.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use triarch_supervision::prelude::*;
use triarch_telemetry::Exposition;

use super::admission::Hosts;
use super::answer::Answer;
use super::route::Pages;
use super::stream::Heard;
use super::{HEAD_MAX, HEADERS_MAX};
use crate::guests::{Arrival, Guest};
use crate::metrics::Refusal;
use crate::patience::Patience;

/// How long an answer in hand may take when the room is stopped.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What the one incarnation starts from.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) arrival: Arrival<TcpStream>,
    pub(super) hosts: Hosts,
    pub(super) exposition: Exposition,
}

/// One connection.
pub(super) struct Connection {
    served: Pin<Box<http1::Connection<TokioIo<Heard>, Clerk>>>,
    guest: Arc<Guest>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("guest", &self.guest.number)
            .finish_non_exhaustive()
    }
}

impl Agent for Connection {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (stream, guest) = settings.arrival.take().ok_or_else(Failure::ignore)?;
        // An answer goes out in few large pieces; where this cannot be set they only go out later.
        let _slower = stream.set_nodelay(true);
        let guest = Arc::new(guest);
        let pages = Pages {
            hosts: settings.hosts,
            exposition: settings.exposition,
            observer: ctx.observer(),
            metrics: guest.metrics().clone(),
        };
        let clerk = Clerk {
            pages: Arc::new(pages),
            guest: Arc::clone(&guest),
        };
        let heard = Heard {
            stream,
            guest: Arc::clone(&guest),
        };
        let served = reading().serve_connection(TokioIo::new(heard), clerk);
        Ok(Self {
            served: Box::pin(served),
            guest,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        tokio::select! {
            biased;
            ended = self.served.as_mut() => {
                if ended.is_err_and(|error| error.is_parse()) {
                    self.guest.metrics().refused(Refusal::Malformed);
                }
            }
            _ = self.guest.outstayed() => {}
        }
        ctx.stop();
        Ok(())
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        // One that ended by itself must not be polled again; and for one that has yet to ask, everybody else would wait.
        if *reason == ExitReason::Shutdown && self.guest.is_being_served() {
            self.served.as_mut().graceful_shutdown();
            let _cut_off = tokio::time::timeout(FAREWELL / 2, self.served.as_mut()).await;
        }
    }
}

/// How requests are read, and within which bounds.
pub(super) fn reading() -> http1::Builder {
    let mut reading = http1::Builder::new();
    reading
        .header_read_timeout(None)
        .max_header_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX);
    reading
}

/// Answers the requests of one connection.
#[derive(Debug)]
struct Clerk {
    pages: Arc<Pages>,
    guest: Arc<Guest>,
}

impl Service<Request<Incoming>> for Clerk {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.guest.note(Patience::asked);
        let (pages, guest) = (Arc::clone(&self.pages), Arc::clone(&self.guest));
        let head = request.into_parts().0;
        Box::pin(async move {
            let answer = pages.answer(head).await;
            guest.note(Patience::answered);
            Ok(answer)
        })
    }
}
