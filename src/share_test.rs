use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use triarch_bus::{Class, Draft, Payload, Query, Retry, Start, Topic, WhenFull};
use triarch_memory::Key;
use triarch_supervision::prelude::*;
use triarch_teams::{Kind, Kinds, Post, Seat, SettingError};
use triarch_work::task::Submission;

use super::*;
use crate::cli;

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// Hears readings, writes them down, and has somebody look at each; looks itself too, and fails where it is told to.
struct Guards(Shares);

impl Kind for Guards {
    type Settings = Settings;
    type Agent = Guard;

    fn name(&self) -> &'static str {
        "guard"
    }

    fn about(&self) -> &'static str {
        "Guards the plant."
    }

    fn spec(&self, _seat: Seat<Settings>) -> Result<Shares, SettingError> {
        Ok(self.0.clone())
    }
}

struct Guard(Share);

impl Agent for Guard {
    type Message = Post;
    type Spec = Shares;

    async fn start(shares: Shares, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let share = shares.of(&ctx.path())?;
        share.hear(Events::of("plant.*").filter("payload.celsius gt 30"))?;
        Ok(Self(share))
    }

    async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let shared = self.0.memory.open("shared")?;
        match &*post.kind {
            "event" if post.body["topic"] == "few" => {
                post.receipt.failed("no ink");
                return Ok(());
            }
            "few" => {
                let first = Duration::from_millis(1);
                let retry = |usual: Terms| Retry {
                    tries: 2,
                    first,
                    ..usual.retry
                };
                self.0.hear(Events::of("few").terms(|usual| Terms {
                    retry: retry(usual),
                    ..usual
                }))?;
            }
            "first" => self.0.hear(Events::of("log.*").from_the_first())?,
            "since" => self
                .0
                .hear(Events::of("log.*").since(Timestamp(post.body.as_u64().unwrap_or_default())))?,
            "event" => {
                let celsius = post.body["body"]["celsius"].clone();
                shared.increment(&Key::new("heard")?, 1).await?;
                let task = json!({ "kind": "look", "needs": ["eyes"], "body": celsius });
                self.0
                    .tasks
                    .submit(vec![serde_json::from_value::<Submission>(task)?])
                    .await?;
            }
            "task" => drop(shared.increment(&Key::new("looked")?, 1).await?),
            "deaf" => drop(self.0.hear_no_more("plant.*")),
            "more" => {
                self.0.hear(Events::of("yard.*"))?;
                shared.increment(&Key::new("asked")?, 1).await?;
            }
            _ => return Err(Failure::new("told to fail")),
        }
        post.receipt.done(Value::Null);
        Ok(())
    }
}

/// A runtime with that kind, in a thread of its own.
struct Running {
    shares: Shares,
    folder: tempfile::TempDir,
    thread: Option<std::thread::JoinHandle<ExitCode>>,
}

const DESCRIPTION: &str = "
[gateway]
listen = \"127.0.0.1:0\"

[[bus.durable]]
topics = \"log.**\"

[[team]]
name = \"crew\"
  [[team.agent]]
  name = \"guard\"
  kind = \"guard\"
  capabilities = [\"eyes\"]
  replicas = ";

impl Running {
    fn up(replicas: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Two agents are too many for one supervisor: each stands in a part of its own.
        let state = format!("[runtime]\nspan = 1\nstate_dir = {:?}\n", folder.path().join("state"));
        std::fs::write(
            folder.path().join("triarch.toml"),
            format!("{state}{DESCRIPTION}{replicas}\n"),
        )
        .unwrap();
        let mut running = Self {
            shares: Shares::default(),
            folder,
            thread: None,
        };
        let (line, shares) = (running.line(&["up"]), running.shares.clone());
        running.thread = Some(std::thread::spawn(move || {
            let kinds = Kinds::new().with(Guards(shares.clone()));
            cli::obey(line, kinds, shares)
        }));
        running
    }

    fn line(&self, verb: &[&str]) -> Vec<OsString> {
        let file = self.folder.path().join("triarch.toml");
        let program = ["triarch".into(), "--config".into(), file.into_os_string()];
        program.into_iter().chain(verb.iter().map(OsString::from)).collect()
    }

    /// Does what a command line says, with the kinds of the runtime.
    fn run(&self, verb: &[&str]) -> ExitCode {
        let kinds = Kinds::new().with(Guards(Shares::default()));
        cli::obey(self.line(verb), kinds, Shares::default())
    }

    /// Sends a guard a post of that kind, or asks it.
    fn tell(&self, verb: &str, guard: &str, kind: &str) {
        self.tell_it(verb, guard, kind, "1");
    }

    fn tell_it(&self, verb: &str, guard: &str, kind: &str, body: &str) {
        let told = self.run(&["agent", verb, guard, body, "--kind", kind]);
        assert_eq!(told, ExitCode::SUCCESS, "{kind}");
    }

    /// The shares, once that agent is there.
    fn share_with(&self, agent: &str) -> Share {
        let mut share = None;
        until(|| {
            share = self.shares.of("crew/probe").ok();
            let is_said = |verb: &[&str]| self.run(verb) == ExitCode::SUCCESS;
            // The second is refused until all have started.
            share.is_some() && is_said(&["agent", "show", agent]) && is_said(&["team", "show", "crew"])
        });
        share.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let down = self.run(&["down"]);
        let ended = self.thread.take().map(|thread| thread.join().unwrap());
        if !std::thread::panicking() {
            assert_eq!((down, ended), (ExitCode::SUCCESS, Some(ExitCode::SUCCESS)));
        }
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let looks = (0..3_000).any(|_| {
        std::thread::park_timeout(Duration::from_millis(10));
        is_so()
    });
    assert!(looks, "it did not come to it");
}

fn publish(share: &Share, celsius: u64) -> usize {
    publish_to(share, "plant.pump", celsius)
}

fn publish_to(share: &Share, topic: &str, celsius: u64) -> usize {
    let draft = Draft::new("reading", Payload::json(&json!({ "celsius": celsius })));
    let published = share.bus.publish("crew/probe", &Topic::new(topic).unwrap(), draft);
    published.unwrap().matched
}

/// What the guard has written down under that key.
fn noted(share: &Share, key: &str) -> Value {
    let entry = share.memory.open("shared").unwrap().get(key).unwrap();
    entry.and_then(|entry| entry.value().as_json()).unwrap_or_default()
}

#[test]
fn an_agent_of_ones_own_hears_writes_and_has_tasks_done_in_each_of_its_lives() {
    let running = Running::up(1);
    let share = running.share_with("guard-1");
    for celsius in [20, 35, 40] {
        publish(&share, celsius);
    }
    until(|| (noted(&share, "heard"), noted(&share, "looked")) == (json!(2), json!(2)));
    let entry = share.memory.open("shared").unwrap().get("heard").unwrap().unwrap();
    assert_eq!(entry.owner(), "crew/guard-1");
    running.tell("ask", "guard-1", "more");
    assert_eq!(publish_to(&share, "yard.gate", 1), 1);
    until(|| noted(&share, "heard") == json!(3));

    running.tell("send", "guard-1", "fail");
    until(|| {
        publish(&share, 50);
        noted(&share, "heard") != json!(3)
    });
    assert_eq!(publish(&share, 50), 1, "it hears again");
    assert_eq!(
        publish_to(&share, "yard.gate", 1),
        0,
        "what the life before heard ended with it"
    );
    running.tell("ask", "guard-1", "deaf");
    assert_eq!(publish(&share, 60), 0);
}

#[test]
fn what_an_agent_heard_that_has_left_ends_with_the_next_event() {
    let running = Running::up(2);
    let share = running.share_with("guard-2");
    until(|| publish(&share, 35) == 2);
    running.tell("ask", "guard-2", "more");
    let shared = share.memory.open("shared").unwrap();
    let asked = shared.get("asked").unwrap().unwrap();
    assert_eq!(asked.owner(), "crew/guard-2", "its part of the team is not its name");
    assert_eq!(running.run(&["team", "scale", "crew", "guard", "1"]), ExitCode::SUCCESS);
    until(|| publish(&share, 35) == 1);
}

#[test]
fn what_is_sent_to_agents_of_ones_own_reaches_them_though_they_hear_nothing() {
    let running = Running::up(2);
    let share = running.share_with("guard-2");
    until(|| share.bus.team("crew").len() == 2);
    let hot = Draft::new("reading", Payload::json(&json!({ "celsius": 35 })));
    // The second stands in another part of its team than the first, and is known by the team alone.
    share.bus.send("crew/probe", "crew/guard-2", &hot).unwrap();
    until(|| noted(&share, "heard") == json!(1));
    assert_eq!(share.bus.broadcast("crew/probe", "crew", &hot).unwrap().len(), 2);
    until(|| noted(&share, "heard") == json!(3));
    for nobody in ["crew/guard-3", "crew.1/guard-2", "bus/courier"] {
        assert!(share.bus.send("crew/probe", nobody, &hot).is_err(), "{nobody}");
    }
    until(|| share.bus.tally().waiting == 0);
    assert_eq!(share.bus.tally().dead, 0);
}

#[test]
fn an_agent_of_ones_own_hears_under_terms_of_its_own_and_from_a_time_on() {
    let running = Running::up(1);
    let share = running.share_with("guard-1");
    running.tell("ask", "guard-1", "few");
    publish_to(&share, "few", 1);
    let dead = || share.bus.dead_letters(&Query::default(), 0, 9);
    until(|| dead().len() == 1);
    assert_eq!((dead()[0].failures, dead()[0].why.as_deref()), (2, Some("no ink")));

    for celsius in ["20", "35", "40"] {
        let body = format!("{{\"celsius\":{celsius}}}");
        assert_eq!(running.run(&["bus", "publish", "log.a", &body]), ExitCode::SUCCESS);
    }
    let log = share.bus.logs()[0].topics.clone();
    let second = share.bus.stored("crew/probe", &log, Start::Offset(1), 1).unwrap()[0]
        .envelope
        .time;
    running.tell_it("ask", "guard-1", "since", &second.0.to_string());
    until(|| noted(&share, "heard") == json!(2));
}

#[test]
fn an_agent_of_ones_own_hears_what_a_log_has_kept_from_the_first_on() {
    let running = Running::up(1);
    let share = running.share_with("guard-1");
    for celsius in ["20", "35", "40"] {
        let body = format!("{{\"celsius\":{celsius}}}");
        assert_eq!(running.run(&["bus", "publish", "log.a", &body]), ExitCode::SUCCESS);
    }
    running.tell("ask", "guard-1", "first");
    until(|| noted(&share, "heard") == json!(3));
}

#[test]
fn what_is_said_of_a_full_inbox_stays_in_whatever_order_it_is_said() {
    let drops = |usual| Terms {
        when_full: WhenFull::DropNewest,
        ..usual
    };
    for events in [
        Events::of("a").terms(drops).at_most_once(),
        Events::of("a").at_most_once().terms(drops),
    ] {
        let Terms { class, when_full, .. } = events.0.terms;
        assert_eq!((class, when_full), (Class::AtMostOnce, WhenFull::DropNewest));
    }
    assert_eq!(Events::of("a").at_most_once().0.terms.when_full, WhenFull::DropOldest);
}

#[test]
fn what_an_agent_of_ones_own_may_hear_is_bounded_as_it_is_for_programs() {
    let refused = |events: Events| events.0.what(&"crew/guard".into()).unwrap_err().told();
    let bound = refused(Events::of("a").terms(|usual| Terms { bound: 0, ..usual }));
    assert_eq!(bound, "terms.bound is 0; say 1 to 100000, or leave it out");
    let pick = refused(Events::of("a").pick(Pick::Random));
    assert!(
        pick.contains("there is no group; name the group, or leave out pick"),
        "{pick}"
    );
    let grouped = Events::of("a").group("g").pick(Pick::Random).at_most_once();
    assert_eq!(
        (grouped.0.terms.class, grouped.0.terms.when_full),
        (Class::AtMostOnce, WhenFull::DropOldest)
    );
    assert!(grouped.0.what(&"crew/guard".into()).is_ok());
}

#[test]
fn before_a_runtime_has_begun_there_is_nothing_to_share() {
    assert_eq!(Shares::default().of("crew/guard").unwrap_err(), ShareError::NotThere);
}
