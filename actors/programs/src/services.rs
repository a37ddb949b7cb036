//! What the rest of the runtime does for programs: lines beyond posts are wishes, which somebody else fulfils.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The type of a line by which it asks something of others.
pub(crate) const REQUEST: &str = "request";

/// The types of lines by which a program wishes for something.
pub const SERVICES: [&str; 6] = ["publish", REQUEST, "subscribe", "unsubscribe", "memory", "submit"];

/// Something that a program wishes for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// One of [`SERVICES`].
    pub service: &'static str,
    /// By which the program knows the answer; without it there is none.
    pub id: Option<String>,
    /// What stands in its line beside these.
    pub what: Map<String, Value>,
}

/// A wish at work: its result, or what is wrong and what to do.
pub type Fulfilling = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// Fulfils what programs wish for.
pub trait Services: Send + Sync + fmt::Debug {
    /// Does what the agent at that path, which names no part of a team, wishes for.
    fn fulfil(&self, agent: &Arc<str>, service: &'static str, what: Map<String, Value>) -> Fulfilling;

    /// The program of the agent at that path has ended: what it had asked for to come is over.
    fn ended(&self, agent: &Arc<str>);
}

/// Where there are none.
#[derive(Debug)]
pub(crate) struct NoServices;

impl Services for NoServices {
    fn fulfil(&self, _agent: &Arc<str>, service: &'static str, _what: Map<String, Value>) -> Fulfilling {
        Box::pin(async move { Err(format!("there is nobody for {service} here; leave it out")) })
    }

    fn ended(&self, _agent: &Arc<str>) {}
}
