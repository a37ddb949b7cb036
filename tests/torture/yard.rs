//! A runtime's house with programs that do their worst, which leaves nothing behind whatever comes of the test.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use triarch::gateway::{Answer, Client, ClientError, OperationError, socket_path};

use crate::PATIENCE;
use crate::kin::{Kin, Process};
use crate::running::{House, Running};

pub(crate) use crate::running::until;

/// How often a condition is looked at that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The longest torture, or the one for every day.
pub(crate) fn rounds(every_day: usize, full: usize) -> usize {
    let is_full = std::env::var("TRIARCH_TORTURE").is_ok_and(|how| how == "full");
    if is_full { full } else { every_day }
}

/// A house, and whoever belongs to the programs that run in it.
pub(crate) struct Yard {
    pub(crate) house: House,
    kin: RefCell<Kin>,
}

impl Yard {
    pub(crate) fn new() -> Self {
        let house = House::new();
        let kin = RefCell::new(Kin::marked(&mark(&house)));
        Self { house, kin }
    }

    /// A team that is called `team`, of the agents that are described in `agents`.
    pub(crate) fn describe(&self, agents: &str) -> PathBuf {
        let team = "[[team]]\nname = \"team\"\nbackoff = { first = \"10ms\", max = \"100ms\", jitter = 0.0 }\n\
                    intensity = { restarts = 1000, within = \"1m\" }\n";
        self.house.write("triarch.toml", &format!("{team}{agents}"))
    }

    /// The description of one agent: a script for `sh`, and more settings.
    pub(crate) fn agent(&self, name: &str, script: &str, more: &str) -> String {
        let path = self.script(name, script);
        let mark = self.mark();
        let (path, dir) = (path.display(), path.parent().unwrap().display());
        format!(
            "[[team.agent]]\nname = \"{name}\"\nkind = \"program\"\ncommand = [\"sh\", \"{path}\", \"{mark}\"]\n\
             dir = \"{dir}\"\nenv = {{ YARD = \"{mark}\" }}\n{more}\n"
        )
    }

    /// A script in the folder where programs work: the sandbox opens neither the home nor what holds the state.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        fs::create_dir_all(self.path().join("work")).unwrap();
        self.house.write(&format!("work/{name}.sh"), text)
    }

    /// What its programs are known by, in their arguments or their environment.
    pub(crate) fn mark(&self) -> String {
        mark(&self.house)
    }

    pub(crate) fn path(&self) -> &Path {
        self.house.path()
    }

    /// Where the runtime's log goes, which nobody has to read.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn up(&self) -> Running {
        self.up_by(&self.house.command(&["up"]))
    }

    /// As `command` says; its log goes to a file.
    pub(crate) fn up_by(&self, command: &Command) -> Running {
        let log = self.path().join("log").display().to_string();
        House::up_by(wrapped(&["sh", "-c", "exec \"$@\" 2>>\"$0\"", &log], command))
    }

    /// Asks the runtime by its socket; what comes of it, or its error.
    pub(crate) fn ask(&self, operation: &str, input: &Value) -> Result<Value, OperationError> {
        self.caller().ask(operation, input)
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::of(&self.path().join("state"))
    }

    /// What an agent replies.
    pub(crate) fn reply(&self, agent: &str) -> Value {
        self.caller().reply(agent)
    }

    /// What an agent replies, where it does.
    pub(crate) fn try_reply(&self, agent: &str) -> Option<Value> {
        let asked = json!({ "agent": agent, "within": "1s" });
        Some(self.ask("agent.ask", &asked).ok()?["result"].take())
    }

    /// What the runtime counts; 0 where it does not.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let (_, page) = self.house.get("/metrics");
        let value = page.lines().find_map(|line| line.strip_prefix(series));
        value.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Who of the programs is alive.
    pub(crate) fn living(&self) -> Vec<Process> {
        self.kin.borrow_mut().living()
    }

    /// Whether the runtime says that it takes work.
    pub(crate) fn is_ready(&self) -> bool {
        self.house.get("/health/ready").0.starts_with("HTTP/1.1 200 ")
    }

    /// Nobody is left of the programs, and nothing that was made for them.
    pub(crate) fn is_left_by_all(&self) {
        let living = self.living();
        assert!(living.is_empty(), "survivors: {living:#?}");
        let groups = self.kin.borrow().groups_left();
        assert!(groups.is_empty(), "control groups are left: {groups:?}");
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Stops the runtime in order, after a look at who is there.
    pub(crate) fn down(&self, mut runtime: Running) {
        self.living();
        runtime.signal("TERM");
        assert_eq!(runtime.end(PATIENCE), Some(0), "{}", self.log());
        self.is_left_by_all();
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        // Whatever a test that failed has left.
        let kin = self.kin.get_mut();
        for _ in 0..100 {
            let living = kin.living();
            if living.is_empty() {
                break;
            }
            let pids = living.iter().map(|process| process.pid.to_string());
            let _gone = Command::new("kill").arg("-KILL").args(pids).output();
            thread::park_timeout(LOOK_EVERY);
        }
        for _ in 0..100 {
            let owners = kin.groups_left();
            if owners.is_empty() {
                break;
            }
            for owner in owners {
                for group in fs::read_dir(&owner).into_iter().flatten().flatten() {
                    let _stays = fs::remove_dir(group.path());
                }
                let _stays = fs::remove_dir(owner);
            }
            thread::park_timeout(LOOK_EVERY);
        }
    }
}

/// A connection to a runtime.
pub(crate) struct Caller(Client);

impl Caller {
    /// To the runtime with that state folder.
    pub(crate) fn of(state: &Path) -> Self {
        let mut client = Client::connect(&socket_path(state)).unwrap();
        client.wait_at_most(Some(PATIENCE)).unwrap();
        Self(client)
    }

    /// What comes of it, or why nothing does: the runtime says so itself.
    pub(crate) fn ask(&mut self, operation: &str, input: &Value) -> Result<Value, OperationError> {
        self.send(operation, input);
        loop {
            match self.hear().unwrap() {
                Answer::Output(output) => return Ok(output),
                Answer::Error(error) => return Err(error),
                Answer::Progress(_) | Answer::Part(_) => {}
            }
        }
    }

    /// Asks, and does not wait for what comes of it.
    pub(crate) fn send(&mut self, operation: &str, input: &Value) {
        self.0.ask(operation, input).unwrap();
    }

    /// The next line: progress, or an answer.
    pub(crate) fn hear(&mut self) -> Result<Answer<Value>, ClientError> {
        self.0.answer()
    }

    pub(crate) fn reply(&mut self, agent: &str) -> Value {
        let sent = self.ask("agent.ask", &json!({ "agent": agent, "within": "60s" }));
        sent.unwrap_or_else(|error| panic!("{agent} does not reply: {error}"))["result"].take()
    }
}

fn mark(house: &House) -> String {
    format!("mark={}", house.path().file_name().unwrap().to_string_lossy())
}

/// `command`, started by other words before it.
pub(crate) fn wrapped(before: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(before[0]);
    wrapped
        .args(&before[1..])
        .arg(command.get_program())
        .args(command.get_args());
    wrapped.env_clear();
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}
