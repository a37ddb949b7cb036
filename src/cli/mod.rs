//! The command line: a door to the operations, and the verbs that need no runtime.

mod ask;
mod bus;
mod demo;
mod describe;
mod doctor;
mod dot;
mod health;
mod letters;
mod line;
mod memory;
mod output;
#[cfg(test)]
mod page;
mod programs;
mod progress;
#[cfg(test)]
mod samples;
mod screen;
mod show;
#[cfg(test)]
mod snapshots;
mod table;
mod tasks;
mod top;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use serde::Serialize;
use serde_json::json;
use triarch_gateway::OperationError;
use triarch_teams::{Kinds, Span};

use crate::complaint::{complain, complain_as_it_is};
use crate::operations::{Ask, Code, Down, LogsRead, Operation, Reload, Sent, Trouble, caused};
use crate::share::Shares;
use crate::up;
use ask::Connection;
use describe::Described;
use line::{AgentVerb, DashboardVerb, Line, TeamVerb, Tree, TreeFormat, Up, Verb};
use output::{print, print_json, tell, unwritten};
use screen::Screen;
use show::Show;

/// Does what the arguments ask for; `own` are the kinds that this binary adds, which find the rooms in `shares`.
pub(crate) fn obey(arguments: impl IntoIterator<Item = OsString>, own: Kinds, shares: Shares) -> ExitCode {
    let (done, as_json) = match Line::try_parse_from(arguments) {
        Ok(line) => {
            let as_json = line.flags.json;
            (perform(line, own, shares), as_json)
        }
        Err(error) => (explain(&error), false),
    };
    let code = done.unwrap_or_else(|trouble| {
        let code = trouble.code.number();
        match (trouble.is_silent(), as_json) {
            (true, _) => {}
            (false, true) => complain_as_it_is(&failure(trouble)),
            (false, false) => complain(&trouble.told()),
        }
        code
    });
    ExitCode::from(code)
}

/// What the socket would have answered.
fn failure(trouble: Trouble) -> String {
    json!({ "error": OperationError::from(trouble) }).to_string()
}

/// Prints help where somebody asked for it, and what is wrong with the arguments where something is.
fn explain(error: &clap::Error) -> Result<u8, Trouble> {
    let printed = error.print().and_then(|()| io::stdout().flush());
    if error.use_stderr() {
        return Ok(Code::Usage.number());
    }
    printed.map_err(|error| unwritten(&error))?;
    Ok(0)
}

fn perform(line: Line, own: Kinds, shares: Shares) -> Result<u8, Trouble> {
    let Line { flags, verb } = line;
    let (described, as_json) = (Described::new(flags.config, own, shares), flags.json);
    match verb {
        Verb::Up(arguments) => return start(described, &arguments),
        Verb::Config(verb) => describe::perform(&verb, &described, as_json)?,
        Verb::Doctor => doctor::run(&described, as_json)?,
        Verb::Demo => demo::run(as_json)?,
        Verb::Dashboard(DashboardVerb::Export { folder }) => export(&folder, as_json)?,
        Verb::Completions { shell } => complete(shell)?,
        Verb::Down(_) => stop(&described, as_json)?,
        Verb::Reload(asked) => reload(&described, &asked, as_json)?,
        Verb::Tree(tree) => show_tree(&described, &tree, as_json)?,
        Verb::Logs(asked) => read_logs(&described, &asked, as_json)?,
        Verb::Top(arguments) => top::run(&mut reach(&described)?, arguments.every.0)?,
        Verb::Status(asked) => answer(&described, &asked, as_json)?,
        Verb::Why(asked) => answer(&described, &asked, as_json)?,
        Verb::Team(verb) => of_team(&described, &verb, as_json)?,
        Verb::Agent(verb) => of_agent(&described, &verb, as_json)?,
        Verb::Bus(verb) => bus::perform(&described, &verb, as_json)?,
        Verb::Memory(verb) => memory::perform(&described, &verb, as_json)?,
        Verb::Task(verb) => tasks::perform(&described, &verb, as_json)?,
    }
    Ok(0)
}

fn start(described: Described, arguments: &Up) -> Result<u8, Trouble> {
    let (ground, programs) = described.ground()?;
    let start = up::Start {
        limit: arguments.limit.map(|Span(limit)| limit),
        is_as_described: arguments.as_described,
    };
    Ok(up::run(&ground, programs, start).unwrap_or_else(|error| {
        ground.complain(&caused(&error));
        error.exit_code()
    }))
}

/// Writes dashboards and rules, as they belong to this very version.
fn export(folder: &Path, as_json: bool) -> Result<(), Trouble> {
    let mut paths = Vec::new();
    for (path, contents) in crate::dashboards::files() {
        let path = folder.join(path);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, contents));
        written.map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            Trouble::new(Code::Failed, message, "name a folder that can be written")
        })?;
        if !as_json {
            print(&format!("{}\n", path.display()))?;
        }
        paths.push(path);
    }
    if as_json { print_json(&paths) } else { Ok(()) }
}

fn complete(shell: clap_complete::Shell) -> Result<(), Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "triarch", &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn stop(described: &Described, as_json: bool) -> Result<(), Trouble> {
    let (state_dir, of) = (described.state_dir()?, described.meant()?);
    let stopping = Connection::of(&state_dir)?.ask(&Down { of })?;
    triarch_gateway::await_end(&state_dir, stopping.pid);
    tell(&stopping, as_json)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command has one thread, and nothing else to do"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// The way to the runtime that goes by the description.
fn reach(described: &Described) -> Result<Connection, Trouble> {
    Connection::of(&described.state_dir()?)
}

fn answer<O: Operation>(described: &Described, asked: &O, as_json: bool) -> Result<(), Trouble>
where
    O::Output: Show + Serialize,
{
    // The process ends with this answer: to give a large one back bit by bit would only take time.
    let answer = ManuallyDrop::new(reach(described)?.ask(asked)?);
    tell(&*answer, as_json)
}

fn of_team(described: &Described, verb: &TeamVerb, as_json: bool) -> Result<(), Trouble> {
    match verb {
        TeamVerb::List(asked) => answer(described, asked, as_json),
        TeamVerb::Show(asked) => answer(described, asked, as_json),
        TeamVerb::Stop(asked) => answer(described, asked, as_json),
        TeamVerb::Start(asked) => answer(described, asked, as_json),
        TeamVerb::Scale(asked) => answer(described, asked, as_json),
        TeamVerb::Broadcast(asked) => answer(described, asked, as_json),
    }
}

fn of_agent(described: &Described, verb: &AgentVerb, as_json: bool) -> Result<(), Trouble> {
    match verb {
        AgentVerb::List(asked) => answer(described, asked, as_json),
        AgentVerb::Show(asked) => answer(described, asked, as_json),
        AgentVerb::Spawn(asked) => answer(described, asked, as_json),
        AgentVerb::Stop(asked) => answer(described, asked, as_json),
        AgentVerb::Kill(asked) => answer(described, asked, as_json),
        AgentVerb::Restart(asked) => answer(described, asked, as_json),
        AgentVerb::Pause(asked) => answer(described, asked, as_json),
        AgentVerb::Resume(asked) => answer(described, asked, as_json),
        AgentVerb::Send(asked) => answer(described, asked, as_json),
        AgentVerb::Ask(asked) => ask_agent(described, asked, as_json),
        AgentVerb::Dead(asked) => answer(described, asked, as_json),
        AgentVerb::Logs(asked) => read_logs(described, asked, as_json),
    }
}

/// What the agent says is the data; where it says nothing there is none.
fn ask_agent(described: &Described, asked: &Ask, as_json: bool) -> Result<(), Trouble> {
    let sent: Sent = reach(described)?.ask(asked)?;
    if sent.result.is_none() && !as_json {
        complain(&format!("{}: {}", sent.to, sent.proof.label()));
        return Ok(());
    }
    tell(&sent, as_json)
}

/// What was not taken up is told with the rest, and is the exit code.
fn reload(described: &Described, asked: &Reload, as_json: bool) -> Result<(), Trouble> {
    let of = described.meant()?;
    let reloaded = reach(described)?.ask(&Reload { of, ..asked.clone() })?;
    tell(&reloaded, as_json)?;
    if reloaded.failed.is_empty() {
        Ok(())
    } else {
        Err(Trouble::silent(Code::Failed))
    }
}

/// Prints lines as they come; as JSON one object each.
fn read_logs(described: &Described, asked: &LogsRead, as_json: bool) -> Result<(), Trouble> {
    let screen = Screen::of_stdout();
    let read = reach(described)?.ask_told(asked, |line| {
        let text = if as_json {
            line.to_string()
        } else {
            programs::log_line(&screen, &line)
        };
        print(&(text + "\n"))
    });
    read.map(drop)
}

const WATCH_EVERY: Duration = Duration::from_secs(1);
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

fn show_tree(described: &Described, tree: &Tree, as_json: bool) -> Result<(), Trouble> {
    let form = tree.form(as_json)?;
    let is_cleared = tree.watch && form != TreeFormat::Json && Screen::of_stdout().is_terminal();
    let mut runtime = reach(described)?;
    loop {
        let nodes = ManuallyDrop::new(runtime.ask(&tree.shown)?);
        if is_cleared {
            print(CLEAR)?;
        }
        match form {
            TreeFormat::Dot => print(&dot::dot(&nodes))?,
            TreeFormat::Json => tell(&*nodes, true)?,
            TreeFormat::Text => tell(&*nodes, false)?,
        }
        if !tree.watch {
            return Ok(());
        }
        drop(ManuallyDrop::into_inner(nodes));
        pause(WATCH_EVERY);
    }
}
