//! How soon a native agent that failed is ready again, as somebody sees it who asks it through the socket.

use std::time::Instant;

use serde_json::{Value, json};
use triarch_benches::Scale;
use triarch_benches::figure::percentiles;

use crate::caller::Caller;
use crate::cases::{FAILURES, Times};
use crate::house::House;

const AGENT: &str = "team/glass";

/// It answers one post of each life, and fails at the next. What bounds restarts and waits before them is out of the way.
const DESCRIPTION: &str = r#"
[[team]]
name = "team"
intensity = { restarts = 1000000, within = "1s" }
backoff = { first = "0s", max = "0s" }

  [[team.agent]]
  name = "glass"
  kind = "echo"
  fail_every = 2
"#;

/// From when the post is sent at which it fails until its next life has answered one: p50 and p99 in microseconds. Both ways through the socket are in it twice.
pub(crate) fn ready_again(scale: &Scale) -> Vec<f64> {
    let running = House::described(DESCRIPTION).up();
    let mut caller = Caller::of(&running);
    let question = json!({ "agent": AGENT, "body": 7 });
    let answered = |answer: Result<Value, String>| answer.is_ok_and(|sent| sent["result"] == 7);
    assert!(answered(caller.ask("agent.ask", &question)), "its first life answers");
    let times: Times = FAILURES.of(scale);
    let mut nanos = Vec::with_capacity(times.recorded);
    for failure in 0..times.all() {
        let begun = Instant::now();
        let failed = caller.ask("agent.ask", &question);
        let again = caller.ask("agent.ask", &question);
        let elapsed = begun.elapsed();
        assert!(failed.is_err(), "it fails at each second post: {failed:?}");
        assert!(answered(again), "its next life answers");
        if failure >= times.unrecorded {
            nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    percentiles(nanos, [50, 99], 1e3)
}
