//! What somebody outside does with the runtime meanwhile, each thing so often.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::caller::Caller;
use crate::fleet::{ASKED, DURABLE, INN, LINES, NAMESPACE, RUNS, SKILLS};
use crate::house::Running;

/// Between two turns.
pub(crate) const EVERY: Duration = Duration::from_millis(20);

/// In every so many turns.
const WRITES: u64 = 5;
const PROGRAMS: u64 = 25;
const GUESTS: u64 = 50;
const FOLLOWERS: u64 = 100;
const SCRAPES: u64 = 250;
const COMMANDS: u64 = 500;

/// How often each was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) asks: u64,
    pub(crate) tasks: u64,
    pub(crate) publications: u64,
    pub(crate) entries: u64,
    pub(crate) programs: u64,
    pub(crate) guests: u64,
    pub(crate) connections: u64,
    pub(crate) scrapes: u64,
    pub(crate) commands: u64,
}

pub(crate) struct Work<'a> {
    running: &'a Running,
    caller: Caller,
    turn: u64,
    pub(crate) done: Done,
    /// The nanoseconds of each ask since somebody took them.
    pub(crate) nanos: Vec<u64>,
}

impl<'a> Work<'a> {
    pub(crate) fn at(running: &'a Running) -> Self {
        Self {
            running,
            caller: Caller::of(running),
            turn: 0,
            done: Done::default(),
            nanos: Vec::new(),
        }
    }

    pub(crate) fn turn(&mut self) {
        self.ask();
        let is_time_for = |every| self.turn.is_multiple_of(every);
        let [writes, programs, guests, followers, scrapes, commands] =
            [WRITES, PROGRAMS, GUESTS, FOLLOWERS, SCRAPES, COMMANDS].map(is_time_for);
        if writes {
            self.write();
        }
        if programs {
            self.ask_programs();
        }
        if guests {
            self.have_a_guest();
        }
        if followers {
            self.follow();
        }
        if scrapes {
            self.running.get("/metrics");
            self.done.scrapes += 1;
        }
        if commands {
            self.command();
        }
        self.turn += 1;
    }

    fn ask(&mut self) {
        let (asked, body) = (Instant::now(), self.turn);
        let answer = self.caller.done("agent.ask", &json!({ "agent": ASKED, "body": body }));
        self.nanos
            .push(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        assert!(answer["result"] == body, "{ASKED} answers with what it was asked");
        self.done.asks += 1;
    }

    fn write(&mut self) {
        let task = |skill| json!({ "kind": skill, "needs": [skill], "body": { "of": self.turn } });
        self.caller.done("task.submit", &json!({ "tasks": SKILLS.map(task) }));
        self.done.tasks += SKILLS.len() as u64;
        let body = json!({ "topic": DURABLE, "body": { "number": self.turn } });
        self.caller.done("bus.publish", &body);
        self.done.publications += 1;
        let key = format!("turns/{}", self.turn);
        let entry = json!({ "namespace": NAMESPACE, "key": key, "value": { "words": "as they come" }, "tag": ["hot"] });
        self.caller.done("memory.put", &entry);
        self.done.entries += 1;
    }

    fn ask_programs(&mut self) {
        for agent in [LINES, RUNS] {
            self.caller.done("agent.ask", &json!({ "agent": agent, "body": "abc" }));
            self.done.programs += 1;
        }
    }

    /// An agent of a name that was never there comes, answers, and leaves.
    fn have_a_guest(&mut self) {
        let name = format!("guest-{}", self.turn);
        let spawned = json!({ "team": INN, "name": name, "kind": "echo" });
        self.caller.done("agent.spawn", &spawned);
        let agent = format!("{INN}/{name}");
        self.caller.done("agent.ask", &json!({ "agent": agent }));
        self.caller
            .done("agent.stop", &json!({ "agent": agent, "forget": true }));
        self.done.guests += 1;
    }

    /// Somebody looks on for a moment, and everybody else has a connection of their own.
    fn follow(&mut self) {
        let mut follower = Caller::of(self.running);
        let looking_on = follower.0.ask("bus.tap", &json!({ "pattern": "**" }));
        looking_on.expect("the runtime hears");
        self.caller = Caller::of(self.running);
        self.caller.done("status", &json!({}));
        self.done.connections += 2;
    }

    fn command(&mut self) {
        let mut command = self.running.command(&["agent", "list"]);
        let listed = command.stdout(Stdio::null()).status();
        assert!(listed.is_ok_and(|status| status.success()), "{command:?} fails");
        self.done.commands += 1;
    }
}
