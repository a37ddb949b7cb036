//! Tasks that programs submit.

use serde_json::{Map, Value, json};
use triarch_work::task::Submission;

use super::Rooms;
use crate::operations::{Code, Trouble};

/// Submits the task that stands in `what`, as `triarch task submit --file` reads it.
pub(super) async fn submit(rooms: &Rooms, what: Map<String, Value>) -> Result<Value, Trouble> {
    let submission: Submission = serde_json::from_value(Value::Object(what)).map_err(|error| {
        let message = format!("that is no task: {error}");
        Trouble::new(
            Code::Usage,
            message,
            "write it as in {\"type\":\"submit\",\"kind\":\"build\",\"body\":{}}",
        )
    })?;
    let accepted = rooms.tasks.submit(vec![submission]).await?;
    let first = accepted.first();
    Ok(first.map_or(
        Value::Null,
        |accepted| json!({ "task": accepted.task, "is_known": accepted.is_known }),
    ))
}
