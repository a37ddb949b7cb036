//! The command line as it is written.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use triarch_teams::Span;

use super::bus::BusVerb;
use super::memory::MemoryVerb;
use super::tasks::TaskVerb;
use crate::operations::{
    AgentDead, Ask, Broadcast, Code, Down, Kill, List, LogsRead, Pause, Reload, Restart, Resume, SendPost, Show, Spawn,
    Status, Stop, TeamList, TeamScale, TeamShow, TeamStart, TeamStop, TreeShown, Trouble, Why,
};

/// Runs a fleet of agents as one supervised tree, and shows all of it.
#[derive(Debug, Parser)]
#[command(
    name = "triarch",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 bad usage or description, 3 no receipt in time, 4 not found, 5 refused,\n\
                  69 no runtime, 70 the runtime failed, 130 stopped without waiting.\n\
                  Data goes to standard output, all else to standard error."
)]
pub(super) struct Line {
    #[command(flatten)]
    pub(super) flags: Flags,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What every verb takes.
#[derive(Args, Clone, Debug)]
pub(super) struct Flags {
    /// The description of the fleet; else ./triarch.toml, then the user's own, then the demo.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Prints the answer as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Starts the runtime: builds the tree, and runs until it is told to stop.
    Up(Up),
    /// Stops the runtime and all it runs, in order.
    Down(Down),
    /// Reads the description again, and changes what can be changed while it runs.
    Reload(Reload),
    /// Shows how the runtime is.
    Status(Status),
    /// Shows the tree.
    Tree(Tree),
    /// Tells why an agent is as it is.
    Why(Why),
    /// Shows what a program said, and what happened to it.
    Logs(LogsRead),
    /// Shows the tree, its rates and its troubles on a live screen.
    Top(Top),
    /// Shows, stops, starts and scales teams.
    #[command(subcommand)]
    Team(TeamVerb),
    /// Shows agents, changes them, and sends them posts.
    #[command(subcommand)]
    Agent(AgentVerb),
    /// Publishes on topics, hears what is published, and shows who does.
    #[command(subcommand)]
    Bus(BusVerb),
    /// Reads and writes the store that agents share.
    #[command(subcommand)]
    Memory(MemoryVerb),
    /// Submits tasks, shows them, and waits for them.
    #[command(subcommand)]
    Task(TaskVerb),
    /// Writes, checks and shows the description of the fleet.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Looks for what would keep a runtime from running well on this machine.
    Doctor,
    /// Starts a runtime with the demo, kills one of its agents, and tells how it recovers.
    Demo,
    /// Writes what the runtime is watched with.
    #[command(subcommand)]
    Dashboard(DashboardVerb),
    /// Prints what makes a shell complete the command line.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug, Default)]
pub(super) struct Up {
    /// Stops after that time.
    #[arg(long = "for", value_name = "TIME")]
    pub(super) limit: Option<Span>,
    /// Forgets what was added, scaled, stopped and paused by hand before.
    #[arg(long)]
    pub(super) as_described: bool,
}

#[derive(Args, Debug)]
pub(super) struct Tree {
    #[command(flatten)]
    pub(super) shown: TreeShown,
    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TreeFormat,
    /// Shows it again each second.
    #[arg(long)]
    pub(super) watch: bool,
}

impl Tree {
    /// How it is written, which `--json` says too.
    pub(super) fn form(&self, as_json: bool) -> Result<TreeFormat, Trouble> {
        match self.format {
            TreeFormat::Dot if as_json => Err(Trouble::new(
                Code::Usage,
                "`--format dot` and --json ask for two forms at once",
                "leave one of them out",
            )),
            TreeFormat::Text if as_json => Ok(TreeFormat::Json),
            format => Ok(format),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TreeFormat {
    /// As a table.
    #[default]
    Text,
    /// As a JSON array.
    Json,
    /// For Graphviz.
    Dot,
}

#[derive(Args, Debug)]
pub(super) struct Top {
    /// How often it looks.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub(super) every: Span,
}

#[derive(Debug, Subcommand)]
pub(super) enum TeamVerb {
    /// Lists the teams.
    List(TeamList),
    /// Shows a team and its agents.
    Show(TeamShow),
    /// Stops a team; it stays down until it is started.
    Stop(TeamStop),
    /// Starts a team that was stopped.
    Start(TeamStart),
    /// Changes how many replicas of an agent a team has.
    Scale(TeamScale),
    /// Sends a post to each agent of a team.
    Broadcast(Broadcast),
}

#[derive(Debug, Subcommand)]
pub(super) enum AgentVerb {
    /// Lists the agents of teams.
    List(List),
    /// Shows all that is known of an agent.
    Show(Show),
    /// Adds an agent to a team that runs, until it is forgotten or the team goes.
    Spawn(Spawn),
    /// Stops an agent; it stays down until it is restarted.
    Stop(Stop),
    /// Kills an agent as if from outside; its team decides what follows.
    Kill(Kill),
    /// Stops an agent if it runs, and starts it.
    Restart(Restart),
    /// Lets an agent handle nothing; its mailbox keeps what comes.
    Pause(Pause),
    /// Lets a paused agent go on.
    Resume(Resume),
    /// Sends a post to an agent.
    Send(SendPost),
    /// Sends a post to an agent and waits until it is done.
    Ask(Ask),
    /// Lists the last dead letters of mailboxes: what reached no handler, or survived none.
    Dead(AgentDead),
    /// Shows what a program said, and what happened to it.
    Logs(LogsRead),
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Writes a description to begin with.
    Init {
        /// The folder it is written to.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Says what is wrong with the description.
    Check,
    /// Prints the JSON Schema of descriptions.
    Schema,
    /// Shows each setting, and where it comes from.
    Show,
}

#[derive(Debug, Subcommand)]
pub(super) enum DashboardVerb {
    /// Writes the dashboards for Grafana, the rules for Prometheus and their tests.
    Export {
        /// The folder they are written to.
        folder: PathBuf,
    },
}
