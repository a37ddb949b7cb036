//! Tasks that programs submit.

use std::fmt::Display;

use serde_json::{Map, Value, json};
use triarch_work::task::Submission;

use super::Rooms;
use crate::operations::{Code, Trouble, is_for_somebody};

/// Submits the task that stands in `what`, as `triarch task submit --file` reads it.
pub(super) async fn submit(rooms: &Rooms, mut what: Map<String, Value>) -> Result<Value, Trouble> {
    let for_later = what.remove("for_later").unwrap_or(Value::Bool(false));
    let Value::Bool(for_later) = for_later else {
        return Err(no_task(&"`for_later` is neither true nor false"));
    };
    let submission: Submission = serde_json::from_value(Value::Object(what)).map_err(|error| no_task(&error))?;
    if let Some(ground) = rooms.ground.upgrade().filter(|_| !for_later) {
        is_for_somebody(&submission, || ground.running())?;
    }
    let accepted = rooms.tasks.submit(vec![submission]).await?;
    let first = accepted.first();
    Ok(first.map_or(
        Value::Null,
        |accepted| json!({ "task": accepted.task, "is_known": accepted.is_known }),
    ))
}

fn no_task(why: &dyn Display) -> Trouble {
    let remedy = "write it as in {\"type\":\"submit\",\"kind\":\"build\",\"body\":{}}";
    Trouble::new(Code::Usage, format!("that is no task: {why}"), remedy)
}
