//! What programs publish and subscribe to.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use triarch_bus::{Class, Filter, Pattern, Pick, Subscribe, Terms};

use super::Rooms;
use super::sheaf::Aim;
use super::terms::{TermsWish, check, usual};
use crate::fleet::Ground;
use crate::operations::{
    BusPublish, BusRequest, BusSend, Code, Place, Trouble, publish as publish_for, request as request_for,
    send as send_for,
};

/// A subscription as an agent asks for it.
#[derive(Debug, Deserialize)]
#[serde(from = "Written")]
pub(crate) struct Wish {
    pattern: String,
    pub(crate) filter: Option<String>,
    /// One of a group gets each event.
    pub(crate) group: Option<String>,
    /// How the group finds that one, where this founds it.
    pub(crate) pick: Option<Pick>,
    /// By which it goes on where it left off.
    pub(crate) name: Option<String>,
    pub(crate) from: Option<Place>,
    pub(crate) terms: Terms,
}

/// The same as a program writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pattern: String,
    filter: Option<String>,
    group: Option<String>,
    pick: Option<Pick>,
    name: Option<String>,
    from: Option<Place>,
    #[serde(default = "until_it_is_done")]
    class: Class,
    #[serde(default)]
    terms: TermsWish,
}

impl From<Written> for Wish {
    fn from(written: Written) -> Self {
        Self {
            filter: written.filter,
            group: written.group,
            pick: written.pick,
            name: written.name,
            from: written.from,
            terms: written.terms.of(written.class),
            ..Self::of(written.pattern)
        }
    }
}

/// How a subscription goes, whatever it is for.
#[derive(Debug, PartialEq)]
pub(super) struct Manner {
    filter: Option<String>,
    from: Option<Place>,
    pick: Option<Pick>,
    terms: Terms,
}

impl Manner {
    /// Whether it says from where in its log on, and so is not what was there before.
    pub(super) fn begins_anew(&self) -> bool {
        self.from.is_some()
    }
}

/// An agent answers what it gets.
fn until_it_is_done() -> Class {
    Class::AtLeastOnce
}

impl Wish {
    /// All of a pattern.
    pub(crate) fn of(pattern: String) -> Self {
        Self {
            pattern,
            filter: None,
            group: None,
            pick: None,
            name: None,
            from: None,
            terms: usual(until_it_is_done()),
        }
    }

    /// With nothing to answer.
    pub(crate) fn at_most_once(&mut self) {
        let (Terms { class, when_full, .. }, before) = (usual(Class::AtMostOnce), usual(self.terms.class));
        // What was said of it before stays.
        let is_usual = self.terms.when_full == before.when_full;
        let when_full = if is_usual { when_full } else { self.terms.when_full };
        self.terms = Terms {
            class,
            when_full,
            ..self.terms
        };
    }

    /// What it is for, of which there is one, and how it goes.
    pub(super) fn parted(self) -> (Aim<String>, Manner) {
        let Self {
            pattern,
            filter,
            group,
            pick,
            name,
            from,
            terms,
        } = self;
        let manner = Manner {
            filter,
            from,
            pick,
            terms,
        };
        (Aim { pattern, group, name }, manner)
    }

    pub(crate) fn what(&self, agent: &Arc<str>) -> Result<Subscribe, Trouble> {
        check(&self.terms)?;
        let mut what = Subscribe::new(Pattern::new(&self.pattern)?, Arc::clone(agent)).terms(self.terms);
        if let Some(filter) = &self.filter {
            what = what.filter(Filter::new(filter)?);
        }
        if let Some(group) = &self.group {
            what = what.group(&**group, self.pick.unwrap_or_default());
        } else if self.pick.is_some() {
            let remedy = "name the group, or leave out pick";
            return Err(Trouble::new(
                Code::Usage,
                "pick says how a group finds one, and there is no group",
                remedy,
            ));
        }
        if let Some(place) = self.from {
            what = what.from(place.into());
        }
        if let Some(name) = &self.name {
            what = what.named(&**name);
        }
        Ok(what)
    }
}

/// Publishes what stands in `what`, or sends it to whom it names.
pub(super) async fn publish(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    if what.contains_key("to") {
        return send(rooms, agent, what);
    }
    let asked: BusPublish = read(
        what,
        "publication",
        r#"{"type":"publish","topic":"plant.pump","body":{}}"#,
    )?;
    let published = publish_for(&rooms.bus, agent, asked).await?;
    let told = serde_json::to_value(published).unwrap_or_default();
    Ok(without_nothing(told))
}

fn send(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    let asked: BusSend = read(
        what,
        "event for an agent",
        r#"{"type":"publish","to":"team/agent","body":{}}"#,
    )?;
    let ground = rooms.ground.upgrade();
    let fleet = ground.as_ref().and_then(Ground::fleet);
    let sent = send_for(&rooms.bus, fleet.as_ref(), agent, &asked)?;
    Ok(serde_json::to_value(sent).unwrap_or_default())
}

/// Asks what stands in `what`, and waits for the first answer.
pub(super) async fn request(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    let asked: BusRequest = read(
        what,
        "request",
        r#"{"type":"request","id":"1","topic":"plant.pump","body":{},"timeout_ms":5000}"#,
    )?;
    let answer = request_for(&rooms.bus, agent, asked).await?;
    Ok(serde_json::to_value(answer).unwrap_or_default())
}

/// What is not there is not told.
fn without_nothing(mut told: Value) -> Value {
    if let Value::Object(fields) = &mut told {
        fields.retain(|_, value| !value.is_null());
    }
    told
}

/// Has what is asked for in `what` brought to the program, until it ends or unsubscribes.
pub(super) fn subscribe(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    let wish: Wish = read(what, "subscription", r#"{"type":"subscribe","pattern":"plant.*"}"#)?;
    let told = json!({ "pattern": wish.pattern });
    hear(rooms, agent, wish)?;
    Ok(told)
}

/// Has what an agent wishes for brought to it.
pub(crate) fn hear(rooms: &Rooms, agent: &Arc<str>, wish: Wish) -> Result<(), Trouble> {
    let subscribe = wish.what(agent)?;
    rooms.rounds.begin(agent, wish, subscribe)
}

/// Ends what an agent hears of a pattern; whether there was any.
pub(crate) fn hear_no_more(rooms: &Rooms, agent: &Arc<str>, pattern: &str) -> bool {
    rooms.rounds.end(agent, pattern) > 0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Farewell {
    pattern: String,
}

/// Ends the program's subscriptions to a pattern.
pub(super) fn unsubscribe(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    let Farewell { pattern } = read(
        what,
        "end of a subscription",
        r#"{"type":"unsubscribe","pattern":"plant.*"}"#,
    )?;
    if !hear_no_more(rooms, agent, &pattern) {
        let message = format!("it does not subscribe to {pattern:?}");
        let remedy = "unsubscribe from a pattern as it was subscribed to";
        return Err(Trouble::new(Code::NotFound, message, remedy));
    }
    Ok(json!({ "pattern": pattern }))
}

fn read<T: DeserializeOwned>(what: Map<String, Value>, noun: &str, example: &str) -> Result<T, Trouble> {
    serde_json::from_value(Value::Object(what)).map_err(|error| {
        let message = format!("that is no {noun}: {error}");
        Trouble::new(Code::Usage, message, format!("write it as in {example}"))
    })
}
