//! Lets in who comes.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use triarch_supervision::prelude::*;
use triarch_telemetry::Exposition;

use super::admission::Hosts;
use super::answer;
use super::connection::{self, Connection};
use crate::accepting::{Came, Porter, serve};
use crate::guests::{Arrival, Guest, Guests};
use crate::metrics::Door;
use crate::reserve::Reserve;

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) hosts: Hosts,
    pub(crate) guests: Guests,
    pub(crate) reserve: Reserve,
    pub(crate) exposition: Exposition,
}

/// Stands at the HTTP door.
#[derive(Debug)]
pub(crate) struct Http {
    settings: Settings,
    porter: Porter,
}

impl Agent for Http {
    type Message = Nothing;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self {
            porter: Porter::new(settings.guests.clone(), settings.reserve.clone()),
            settings,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match self.porter.next(&*self.settings.listener).await {
            Some(Came::Admitted(stream, guest)) => self.receive(stream, guest, ctx).await,
            // One line, as far as it is taken without anybody waiting.
            Some(Came::Surplus(stream)) => drop(stream.try_write(answer::FULL)),
            None => {}
        }
        Ok(())
    }
}

impl Http {
    async fn receive(&self, stream: TcpStream, guest: Guest, ctx: &mut Context<Self>) {
        let name = format!("{}-{}", Door::Http.label(), guest.number);
        let settings = connection::Settings {
            arrival: Arrival::new(stream, guest),
            hosts: self.settings.hosts.clone(),
            exposition: self.settings.exposition.clone(),
        };
        let connection = Child::of::<Connection>(name, settings)
            .capacity(1)
            .restart(Restart::Temporary)
            .shutdown(Shutdown::Within(connection::FAREWELL));
        serve(ctx, connection).await;
    }
}
