//! The verbs of the bus.

mod show;

use clap::Subcommand;

use super::answer;
use super::describe::Described;
use super::output::print;
use super::reach;
use super::screen::Screen;
use crate::operations::{
    BusCancel, BusDead, BusDrop, BusForget, BusPlanned, BusPublish, BusReplay, BusRequest, BusSend, BusShow,
    BusSubscribe, BusTap, BusTopics, Operation, Trouble,
};
pub(super) use show::event_line;

#[derive(Debug, Subcommand)]
pub(super) enum BusVerb {
    /// Publishes on a topic; on a durable one it returns once it is on disk.
    Publish(BusPublish),
    /// Sends to one agent, to several or to a whole team; each gets it as an event, until it has answered it.
    Send(BusSend),
    /// Asks whoever hears a topic, and waits for the first answer.
    Request(BusRequest),
    /// Prints what is published, as it comes.
    Subscribe(BusSubscribe),
    /// Prints what is published on any topic, and slows down nobody.
    Tap(BusTap),
    /// Lists the topics that something was published on.
    Topics(BusTopics),
    /// Shows a topic: who subscribes to it, and how far they are.
    Show(BusShow),
    /// Lists dead letters of the bus: what could not be delivered, oldest first.
    Dead(BusDead),
    /// Hands dead letters to their subscriptions again.
    Replay(BusReplay),
    /// Forgets dead letters.
    Drop(BusDrop),
    /// Forgets a named subscription that nobody uses any more, or a log that the description names no more.
    Forget(BusForget),
    /// Lists what is to be published later, soonest first.
    Planned(BusPlanned),
    /// Calls off what was to be published later.
    Cancel(BusCancel),
}

pub(super) fn perform(described: &Described, verb: &BusVerb, as_json: bool) -> Result<(), Trouble> {
    match verb {
        BusVerb::Publish(asked) => answer(described, asked, as_json),
        BusVerb::Send(asked) => answer(described, asked, as_json),
        BusVerb::Request(asked) => answer(described, asked, as_json),
        BusVerb::Subscribe(asked) => follow(described, asked, as_json),
        BusVerb::Tap(asked) => follow(described, asked, as_json),
        BusVerb::Topics(asked) => answer(described, asked, as_json),
        BusVerb::Show(asked) => answer(described, asked, as_json),
        BusVerb::Dead(asked) => answer(described, asked, as_json),
        BusVerb::Replay(asked) => answer(described, asked, as_json),
        BusVerb::Drop(asked) => answer(described, asked, as_json),
        BusVerb::Forget(asked) => answer(described, asked, as_json),
        BusVerb::Planned(asked) => answer(described, asked, as_json),
        BusVerb::Cancel(asked) => answer(described, asked, as_json),
    }
}

/// Prints events as they come, one in a line; as JSON one object each.
fn follow<O: Operation>(described: &Described, asked: &O, as_json: bool) -> Result<(), Trouble> {
    let screen = Screen::of_stdout();
    let heard = reach(described)?.ask_told(asked, |event| {
        let text = if as_json {
            event.to_string()
        } else {
            event_line(&screen, &event)
        };
        print(&(text + "\n"))
    });
    heard.map(drop)
}
