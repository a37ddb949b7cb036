//! The command line: a door to the operations, and the verbs that need no runtime.

mod ask;
mod demo;
mod describe;
mod doctor;
mod dot;
mod line;
#[cfg(test)]
mod page;
#[cfg(test)]
mod samples;
mod screen;
mod show;
#[cfg(test)]
mod snapshots;
mod table;
mod top;

use std::ffi::OsString;
use std::fs;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use triarch_teams::Kinds;

use crate::operations::{Code, Down, LogsRead, Reload, Trouble, caused};
use crate::up::{self, complain, print};
use ask::{Connection, tell};
use describe::Described;
use line::{AgentVerb, DashboardVerb, Line, TeamVerb, Tree, TreeFormat, Up, Verb};
use screen::Screen;

/// Does what the arguments ask for; `own` are the kinds that this binary adds.
pub(crate) fn obey(arguments: impl IntoIterator<Item = OsString>, own: Kinds) -> ExitCode {
    let code = match Line::try_parse_from(arguments) {
        Ok(line) => perform(line, own).unwrap_or_else(|trouble| {
            complain(&trouble.told());
            trouble.code.number()
        }),
        Err(error) => {
            let _unread = error.print();
            // Who asks for nothing is shown what there is.
            let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            if error.use_stderr() && !is_help {
                Code::Usage.number()
            } else {
                0
            }
        }
    };
    ExitCode::from(code)
}

fn perform(line: Line, own: Kinds) -> Result<u8, Trouble> {
    let Line { flags, verb } = line;
    let described = Described::new(flags.config, own);
    match verb {
        Verb::Up(arguments) => return start(described, &arguments),
        Verb::Config(verb) => return describe::perform(&verb, &described, flags.json).map(|()| 0),
        Verb::Doctor => return doctor::run(&described, flags.json).map(|()| 0),
        Verb::Demo => return demo::run().map(|()| 0),
        Verb::Dashboard(DashboardVerb::Export { folder }) => return export(&folder).map(|()| 0),
        Verb::Completions { shell } => {
            complete(shell);
            return Ok(0);
        }
        _ => {}
    }
    let state_dir = described.state_dir()?;
    if let Verb::Down(down) = &verb {
        return stop(&state_dir, down, flags.json).map(|()| 0);
    }
    let mut runtime = Connection::of(&state_dir)?;
    match verb {
        Verb::Tree(tree) => show_tree(&mut runtime, &tree, flags.json)?,
        Verb::Logs(asked) | Verb::Agent(AgentVerb::Logs(asked)) => read_logs(&mut runtime, &asked, flags.json)?,
        Verb::Reload(asked) => return reload(&mut runtime, &asked, flags.json),
        Verb::Top(arguments) => top::run(&mut runtime, arguments.every)?,
        verb => answer(&mut runtime, verb, flags.json)?,
    }
    Ok(0)
}

fn start(described: Described, arguments: &Up) -> Result<u8, Trouble> {
    let (ground, programs) = described.ground()?;
    let start = up::Start {
        limit: arguments.limit,
        is_as_described: arguments.as_described,
    };
    Ok(up::run(&ground, programs, start).unwrap_or_else(|error| {
        complain(&caused(&error));
        error.exit_code()
    }))
}

/// Writes dashboards and rules, as they belong to this very version.
fn export(folder: &Path) -> Result<(), Trouble> {
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
        print(&format!("{}\n", path.display()));
    }
    Ok(())
}

fn complete(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Line::command(), "triarch", &mut script);
    print(&String::from_utf8_lossy(&script));
}

/// How often the end of the runtime is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

fn stop(state_dir: &Path, down: &Down, as_json: bool) -> Result<(), Trouble> {
    let stopping = Connection::of(state_dir)?.ask(down)?;
    while triarch_gateway::is_held(state_dir) {
        pause(LOOK_EVERY);
    }
    tell(&stopping, as_json)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command has one thread, and nothing else to do"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

macro_rules! answer {
    ($runtime:expr, $as_json:expr, $verb:expr, { $($pattern:pat => $operation:ident),+ $(,)? }) => {
        match $verb {
            $($pattern => {
                // The process ends with this answer: to give a large one back bit by bit would only take time.
                let answer = ManuallyDrop::new($runtime.ask(&$operation)?);
                tell(&*answer, $as_json)
            })+
            _ => Ok(()),
        }
    };
}

fn answer(runtime: &mut Connection, verb: Verb, as_json: bool) -> Result<(), Trouble> {
    answer!(runtime, as_json, verb, {
        Verb::Status(asked) => asked,
        Verb::Why(asked) => asked,
        Verb::Team(TeamVerb::List(asked)) => asked,
        Verb::Team(TeamVerb::Show(asked)) => asked,
        Verb::Team(TeamVerb::Stop(asked)) => asked,
        Verb::Team(TeamVerb::Start(asked)) => asked,
        Verb::Team(TeamVerb::Scale(asked)) => asked,
        Verb::Team(TeamVerb::Broadcast(asked)) => asked,
        Verb::Agent(AgentVerb::List(asked)) => asked,
        Verb::Agent(AgentVerb::Show(asked)) => asked,
        Verb::Agent(AgentVerb::Spawn(asked)) => asked,
        Verb::Agent(AgentVerb::Stop(asked)) => asked,
        Verb::Agent(AgentVerb::Kill(asked)) => asked,
        Verb::Agent(AgentVerb::Restart(asked)) => asked,
        Verb::Agent(AgentVerb::Pause(asked)) => asked,
        Verb::Agent(AgentVerb::Resume(asked)) => asked,
        Verb::Agent(AgentVerb::Send(asked)) => asked,
        Verb::Agent(AgentVerb::Ask(asked)) => asked,
    })
}

/// What was not taken up is told with the rest, and is the exit code.
fn reload(runtime: &mut Connection, asked: &Reload, as_json: bool) -> Result<u8, Trouble> {
    let reloaded = runtime.ask(asked)?;
    tell(&reloaded, as_json)?;
    Ok(if reloaded.failed.is_empty() {
        0
    } else {
        Code::Failed.number()
    })
}

/// Prints lines as they come; as JSON one object each.
fn read_logs(runtime: &mut Connection, asked: &LogsRead, as_json: bool) -> Result<(), Trouble> {
    let screen = Screen::of_stdout();
    runtime.ask_told(asked, |line| {
        let text = if as_json {
            line.to_string()
        } else {
            show::log_line(&screen, &line)
        };
        print(&(text + "\n"));
    })?;
    Ok(())
}

const WATCH_EVERY: Duration = Duration::from_secs(1);
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

fn show_tree(runtime: &mut Connection, tree: &Tree, as_json: bool) -> Result<(), Trouble> {
    loop {
        let nodes = runtime.ask(&tree.shown)?;
        if tree.watch {
            print(CLEAR);
        }
        match tree.format {
            TreeFormat::Dot => print(&dot::dot(&nodes)),
            TreeFormat::Json => tell(&nodes, true)?,
            TreeFormat::Text => tell(&nodes, as_json)?,
        }
        if !tree.watch {
            let _given_back_with_the_process = ManuallyDrop::new(nodes);
            return Ok(());
        }
        pause(WATCH_EVERY);
    }
}
