//! A thousand agents that always fail, and what that costs an agent of another team, as somebody sees it who asks that one through the socket.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use triarch_benches::Scale;
use triarch_benches::figure::percentiles;

use crate::caller::Caller;
use crate::cases::STORM_ASKS;
use crate::house::{House, Running};
use crate::processes::{pause, processor_time, processor_time_of_children};

const FAILING: usize = 1_000;
/// How all of them begin, and nobody else.
const NAME: &str = "failing";
/// Who is asked meanwhile.
const ASKED: &str = "calm/echo";
const ASK_EVERY: Duration = Duration::from_millis(1);

/// Nobody fails: what the same asks take then.
const CALM: &str = r#"
[[team]]
name = "calm"

  [[team.agent]]
  name = "echo"
  kind = "echo"
"#;

/// Until waits of a second, and the usual ones that grow to half a minute, have grown, and the failures have spread over them.
const NATIVES_STEADY: Duration = Duration::from_secs(8);
const USUAL_STEADY: Duration = Duration::from_secs(90);

/// Nobody is in quarantine: each goes on failing.
const ENDLESS: &str = "intensity = { restarts = 1000000, within = \"1s\" }";

/// Each is given a post from time to time, so many in a second all together, and fails at it.
fn natives(backoff: &str, posts: usize) -> String {
    let all: Vec<String> = (1..=FAILING)
        .map(|number| format!("\"storm/{NAME}-{number}\""))
        .collect();
    let all = all.join(", ");
    format!(
        r#"
[[team]]
name = "storm"
{ENDLESS}
{backoff}

  [[team.agent]]
  name = "{NAME}"
  kind = "echo"
  fail_every = 1
  replicas = {FAILING}

[[team]]
name = "feeder"

  [[team.agent]]
  name = "feeder"
  kind = "load"
  rate = {posts}.0
  within = "2s"
  to = [{all}]
"#
    )
}

/// Each ends as soon as it has begun, and waits as agents do where nobody says otherwise.
fn programs() -> String {
    format!(
        r#"
[[team]]
name = "storm"
{ENDLESS}

  [[team.agent]]
  name = "{NAME}"
  kind = "program"
  command = ["false"]
  replicas = {FAILING}
"#
    )
}

/// p99 of the asks in microseconds, the share of a core, and the most lines in a second about one agent.
pub(crate) fn of_natives(scale: &Scale) -> Vec<f64> {
    let natives = natives("backoff = { first = \"100ms\", max = \"1s\" }", FAILING);
    let seen = seen(&natives, NATIVES_STEADY, scale);
    vec![seen.p99, seen.core, seen.lines]
}

/// The same where they wait as agents do where nobody says otherwise, as long as programs that always fail.
pub(crate) fn of_patient_natives(scale: &Scale) -> Vec<f64> {
    let seen = seen(&natives("", FAILING / 20), USUAL_STEADY, scale);
    vec![seen.p99, seen.core, seen.lines]
}

/// The same, and the share of a core that the programs themselves took.
pub(crate) fn of_programs(scale: &Scale) -> Vec<f64> {
    let seen = seen(&programs(), USUAL_STEADY, scale);
    vec![seen.p99, seen.core, seen.lines, seen.core_of_children]
}

pub(crate) fn calm_beside_natives(scale: &Scale) -> Vec<f64> {
    let seen = seen("", Duration::from_secs(2), scale);
    vec![seen.p99, seen.core, seen.lines]
}

pub(crate) fn calm_beside_programs(scale: &Scale) -> Vec<f64> {
    let mut figures = calm_beside_natives(scale);
    figures.push(0.0);
    figures
}

struct Seen {
    p99: f64,
    core: f64,
    core_of_children: f64,
    lines: f64,
}

fn seen(storm: &str, steady: Duration, scale: &Scale) -> Seen {
    let running = House::described(&format!("{CALM}{storm}")).up_with_log();
    pause(if scale.is_quick { steady / 10 } else { steady });
    let pid = running.pid();
    let (begun, said) = (Instant::now(), running.log().len());
    let (used, used_by_children) = (processor_time(pid), processor_time_of_children(pid));
    let p99 = asks(&running, scale);
    let elapsed = begun.elapsed().as_secs_f64();
    let share = |now: Duration, before: Duration| 100.0 * now.saturating_sub(before).as_secs_f64() / elapsed;
    let seen = Seen {
        p99,
        core: share(processor_time(pid), used),
        core_of_children: share(processor_time_of_children(pid), used_by_children),
        lines: most_lines(&running.log()[said..]) as f64 / elapsed,
    };
    assert!(storm.is_empty() || seen.lines > 0.0, "nobody fails");
    seen
}

fn asks(running: &Running, scale: &Scale) -> f64 {
    let times = STORM_ASKS.of(scale);
    let mut caller = Caller::of(running);
    let mut nanos = Vec::with_capacity(times.recorded);
    for number in 0..times.all() {
        let asked = Instant::now();
        caller.done("agent.ask", &json!({ "agent": ASKED, "body": number }));
        if number >= times.unrecorded {
            nanos.push(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        pause(ASK_EVERY.saturating_sub(asked.elapsed()));
    }
    percentiles(nanos, [99], 1e3)[0]
}

/// How many lines are about the one of the failing that most are about.
fn most_lines(log: &str) -> usize {
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for line in log.lines() {
        let whom = line.split([' ', '/', ':']).find(|word| word.starts_with(NAME));
        if let Some(whom) = whom {
            *lines.entry(whom).or_default() += 1;
        }
    }
    lines.into_values().max().unwrap_or_default()
}
