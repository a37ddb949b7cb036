//! What an agent is told of a task.

use serde_json::Value;
use triarch_teams::{Brief, BriefInput};

use crate::task::Claim;

/// A body or a result in JSON is what it says; any other is its text.
pub fn as_value(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

pub(super) fn brief(claim: &Claim) -> Brief {
    let inputs = claim.inputs.iter().map(|input| BriefInput {
        task: input.task.number(),
        result: as_value(&input.result),
    });
    Brief {
        id: claim.task.number(),
        kind: claim.kind.to_string(),
        attempt: claim.attempt,
        inputs: inputs.collect(),
        budget: claim.budget,
    }
}
