//! supervisord with the same programs, as its documentation describes it: no option beside those that give it a folder of its own,
//! and names to a hundred of one program.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use triarch_benches::Scale;

use crate::cases::{SLOW_KILLS, SLOW_RUNS};
use crate::commands::timed;
use crate::house::Process;
use crate::processes::{Watch, pause};
use crate::programs::{PROGRAM, PROGRAMS, SLEEPING, killed_in_turn, until_all_run};
use crate::tools::{self, Supervisord};

/// It counts a program as started after a second (`startsecs`), and one that ends sooner as one that does not start.
const COUNTED_AS_STARTED: Duration = Duration::from_millis(2_500);

/// A folder with a configuration in it.
struct Estate {
    folder: TempDir,
}

impl Estate {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let place = folder.path().display();
        let configuration = format!(
            "[unix_http_server]
file={place}/supervisor.sock

[supervisord]
nodaemon=true
logfile={place}/supervisord.log
pidfile={place}/supervisord.pid
childlogdir={place}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{place}/supervisor.sock

[program:sleeper]
command={PROGRAM} {SLEEPING}
process_name=%(program_name)s-%(process_num)s
numprocs={PROGRAMS}
numprocs_start=1
autorestart=true
"
        );
        fs::write(folder.path().join("supervisord.conf"), configuration).expect("a configuration can be written");
        Self { folder }
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("supervisord.conf")
    }

    fn start(&self) -> (Instant, Process) {
        let mut command = Command::new(&installed().daemon);
        command.arg("-c").arg(self.configuration());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        (begun, Process::spawn(&mut command))
    }

    fn control(&self, verb: &str) -> Command {
        let mut command = Command::new(&installed().control);
        command.arg("-c").arg(self.configuration()).arg(verb);
        command
    }
}

fn installed() -> &'static Supervisord {
    let found = tools::get().supervisord.as_ref();
    found.expect("entries of a peer that is not there are left out")
}

/// From its start until all programs run, in milliseconds.
pub(crate) fn start(_: &Scale) -> Vec<f64> {
    let estate = Estate::new();
    let (begun, process) = estate.start();
    let took = until_all_run(&mut Watch::children_of(process.pid()), begun).1;
    vec![took.as_secs_f64() * 1e3]
}

/// From a kill until the next life is a process, and until the death was seen: p50 and p99 of each in milliseconds.
pub(crate) fn respawns(scale: &Scale) -> Vec<f64> {
    let estate = Estate::new();
    let (begun, process) = estate.start();
    let mut watch = Watch::children_of(process.pid());
    let (programs, _) = until_all_run(&mut watch, begun);
    pause(COUNTED_AS_STARTED);
    killed_in_turn(programs, &mut watch, SLOW_KILLS.of(scale))
}

/// The command that lists them: p50 and p95 in milliseconds.
pub(crate) fn list(scale: &Scale) -> Vec<f64> {
    let estate = Estate::new();
    let (begun, process) = estate.start();
    until_all_run(&mut Watch::children_of(process.pid()), begun);
    pause(COUNTED_AS_STARTED);
    timed(SLOW_RUNS.of(scale), || estate.control("status"), "sleeper-100")
}
