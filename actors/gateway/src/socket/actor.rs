//! Lets in who comes, if it is the same user.

use std::sync::Arc;

use rustix::process::geteuid;
use tokio::net::UnixStream;
use triarch_supervision::prelude::*;

use super::connection::{self, Connection};
use crate::accepting::{Came, Porter, serve};
use crate::doors::SocketDoor;
use crate::guests::{Arrival, Guest, Guests};
use crate::metrics::{Door, Refusal};
use crate::operation::{Caller, Code, OperationError, Performer};
use crate::reserve::Reserve;
use crate::wire::Answer;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) door: Arc<SocketDoor>,
    pub(crate) guests: Guests,
    pub(crate) reserve: Reserve,
    pub(crate) performer: Performer,
}

/// Stands at the socket.
#[derive(Debug)]
pub(crate) struct Socket {
    settings: Settings,
    porter: Porter,
}

impl Agent for Socket {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            porter: Porter::with_reserve(settings.guests.clone(), settings.reserve.clone()),
            settings,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match self.porter.next(&self.settings.door.listener).await {
            Some(Came::Admitted(stream, guest)) => self.receive(stream, guest, ctx).await,
            Some(Came::Surplus(stream)) => send_away(&stream, "the runtime serves as many as it may", "try again"),
            None => {}
        }
        Ok(())
    }
}

impl Socket {
    async fn receive(&self, stream: UnixStream, guest: Guest, ctx: &mut Context<Self>) {
        let Some(caller) = caller(&stream) else {
            guest.metrics().refused(Refusal::Credentials);
            send_away(&stream, "the runtime belongs to another user", "ask as that user");
            return;
        };
        let name = format!("{}-{}", Door::Socket.label(), guest.number);
        let settings = connection::Settings {
            arrival: Arrival::new(stream, guest),
            performer: self.settings.performer.clone(),
            reserve: self.settings.reserve.clone(),
            caller,
        };
        let connection = Child::of::<Connection>(name, settings)
            .capacity(1)
            .restart(Restart::Temporary)
            .shutdown(Shutdown::Within(connection::FAREWELL));
        serve(ctx, connection).await;
    }
}

/// Who is at the other end, as the system vouches for it; `None` where it is another user.
fn caller(stream: &UnixStream) -> Option<Caller> {
    let credentials = stream.peer_cred().ok()?;
    (credentials.uid() == geteuid().as_raw()).then(|| Caller {
        door: Door::Socket,
        uid: credentials.uid(),
        pid: credentials.pid(),
    })
}

/// Says why, as far as one that has just come takes it without anybody waiting.
fn send_away(stream: &UnixStream, message: &str, remedy: &str) {
    let error = OperationError::new(Code::Refused, message, remedy);
    let _unheard = stream.try_write(&Answer::Error(error).written());
}
