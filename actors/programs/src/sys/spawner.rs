//! The threads that children are born to.
//!
//! A child is killed when the thread that it was born to ends, so that none outlives the runtime. A worker of the async
//! runtime may end before that; these threads do not. There are several, since a birth waits for the disk the program
//! lies on, and more where that does not answer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, LazyLock};

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::oneshot;

use super::birth::{self, Limit, Plan, Stack};
use super::calls;
use super::census::{Census, Groups};
use super::cgroups::Cgroups;
use super::crew::{Crew, Orders};
use super::descriptors;
use super::enclosure::{Doors, Enclosure};
use super::folders;
use super::household::Household;
use super::hunt::{Funeral, Unclaimed};
use super::launch::{self, Command, Enforcement, Launch, LaunchError, Limits, Sandbox};
use super::outstanding::Outstanding;

/// A child that has become its program, with our ends of its streams.
pub(super) struct Born {
    pub(super) funeral: Unclaimed,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) enforcement: Enforcement,
}

struct Order {
    launch: Launch,
    cgroups: Cgroups,
    outstanding: Outstanding,
    reply: oneshot::Sender<Result<Born, LaunchError>>,
}

static CREW: LazyLock<io::Result<Crew<Order>>> = LazyLock::new(begin);

/// Has a child born; it is killed if nobody waits for it any more.
pub(super) async fn spawn(launch: Launch, cgroups: Cgroups) -> Result<Born, LaunchError> {
    let crew = CREW.as_ref().map_err(|error| LaunchError::Preparation {
        what: "a thread to start programs from",
        source: error.kind().into(),
    })?;
    let (reply, answer) = oneshot::channel();
    let order = Order {
        outstanding: Outstanding::of(launch.tag.owner()),
        launch,
        cgroups,
        reply,
    };
    crew.order(order).await.map_err(|_| LaunchError::Ended)?;
    answer.await.map_err(|_| LaunchError::Ended)?
}

fn begin() -> io::Result<Crew<Order>> {
    // Orphans of our programs come back to us, not to the machine's first process.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Crew::begin("triarch-spawner", serve)
}

fn serve(orders: Orders<Order>) {
    let mut stack = Stack::new();
    for order in orders {
        let Order {
            launch,
            cgroups,
            outstanding,
            reply,
        } = order;
        let born = deliver(&launch, &cgroups, outstanding, &mut stack);
        // If nobody waits any more the child comes back here, and its funeral with it.
        drop(reply.send(born));
    }
}

fn deliver(
    launch: &Launch,
    cgroups: &Cgroups,
    outstanding: Outstanding,
    stack: &mut Stack,
) -> Result<Born, LaunchError> {
    let command = Command::of(launch)?;
    let mut enforcement = Enforcement::default();
    let ruleset = ruleset(launch, &command, &mut enforcement)?;
    let filter = match &launch.sandbox {
        Sandbox::Standard { .. } => filter(&mut enforcement),
        Sandbox::None => None,
    };
    let [stdin, stdout, stderr] = [pipe()?, pipe()?, pipe()?];
    let (enclosure, doors) = enclose(launch, cgroups, &mut enforcement)?;
    let left = enclosure.hold(&launch.limits, &mut enforcement);
    let joined: Vec<_> = doors.joined.iter().map(AsRawFd::as_raw_fd).collect();
    let plan = Plan {
        program: &command.file,
        arguments: &birth::list(&command.arguments),
        environment: &birth::list(&command.environment),
        dir: &command.dir,
        streams: [stdin.0.as_fd(), stdout.1.as_fd(), stderr.1.as_fd()],
        born_in: doors.born_in.as_ref().map(AsFd::as_fd),
        joined: &joined,
        limits: &resources(&left, &mut enforcement),
        ruleset: ruleset.as_ref().map(AsFd::as_fd),
        filter,
        is_powerless: matches!(launch.sandbox, Sandbox::Standard { .. }),
        adopts_orphans: !enclosure.tracks(),
    };
    enforcement.holds("no new privileges");
    let (pid, pidfd) = birth::give(&plan, stack).map_err(|(step, source)| {
        enclosure.remove();
        LaunchError::Step {
            program: command.program.clone(),
            step,
            source,
        }
    })?;
    let is_sealed = match &launch.sandbox {
        Sandbox::Standard { write, .. } => ruleset.is_some() && enclosure.is_sealed_from(write),
        Sandbox::None => false,
    };
    let household = Household::new(launch.tag.clone(), pid, enclosure, is_sealed);
    Ok(Born {
        funeral: Unclaimed::from(Funeral::new(household, Arc::new(pidfd), outstanding)),
        stdin: stdin.1,
        stdout: stdout.0,
        stderr: stderr.0,
        enforcement,
    })
}

/// A pipe whose ends stand clear of the numbers that the child's streams get.
fn pipe() -> Result<(OwnedFd, OwnedFd), LaunchError> {
    let clear = |end: OwnedFd| {
        if end.as_raw_fd() < 3 {
            rustix::io::fcntl_dupfd_cloexec(&end, 3)
        } else {
            Ok(end)
        }
    };
    let made = pipe_with(PipeFlags::CLOEXEC).and_then(|(reader, writer)| Ok((clear(reader)?, clear(writer)?)));
    made.map_err(|error| LaunchError::Preparation {
        what: "a pipe for its streams",
        source: error.into(),
    })
}

fn ruleset(launch: &Launch, command: &Command, enforcement: &mut Enforcement) -> Result<Option<OwnedFd>, LaunchError> {
    let Sandbox::Standard { read, write } = &launch.sandbox else {
        return Ok(None);
    };
    folders::ruleset(&command.program, read, write, enforcement).map_err(|source| LaunchError::Preparation {
        what: "the sandbox of its folders",
        source,
    })
}

fn filter(enforcement: &mut Enforcement) -> Option<&'static [seccompiler::sock_filter]> {
    match calls::filter() {
        Ok(filter) => {
            enforcement.holds("system calls");
            Some(filter)
        }
        Err(reason) => {
            enforcement.lacks("system calls", reason);
            None
        }
    }
}

fn enclose(
    launch: &Launch,
    cgroups: &Cgroups,
    enforcement: &mut Enforcement,
) -> Result<(Enclosure, Doors), LaunchError> {
    let enclosure = Enclosure::make(cgroups, &launch.tag, &launch.limits);
    if !enclosure.tracks() {
        let reason = "no control group may be made here; a process that leaves its session, clears its environment \
                      and loses its parents by their own end before it was seen cannot be told from others";
        enforcement.lacks("control group", reason);
        return Ok((enclosure, Doors::default()));
    }
    match enclosure.doors(birth::can_be_born_in_a_group()) {
        Ok(doors) => {
            enforcement.holds("control group");
            Ok((enclosure, doors))
        }
        // It would run without its group for as long as it lives, because of what may pass in a moment.
        Err(source) if launch::is_for_want(&source) => {
            enclosure.remove();
            Err(LaunchError::Preparation {
                what: "its control group",
                source,
            })
        }
        Err(error) => {
            enforcement.lacks("control group", format!("its control group cannot be entered: {error}"));
            enclosure.remove();
            Ok((Enclosure::default(), Doors::default()))
        }
    }
}

/// The limits that each process carries, for what no control group holds.
fn resources(limits: &Limits, enforcement: &mut Enforcement) -> Vec<Limit> {
    let mut resources = vec![Limit::at(libc::RLIMIT_CORE, 0)];
    if let Some(bytes) = limits.memory {
        enforcement.lacks(
            "memory",
            "no control group holds it; each process is held to it on its own",
        );
        // Not the address space, of which many programs reserve far more than they use.
        resources.push(Limit::at(libc::RLIMIT_DATA, bytes));
    }
    if let Some(time) = limits.cpu {
        enforcement.holds("cpu of each process");
        let most = time.as_secs();
        // At the first of the two it gets a signal that tells why, where it would else be killed like by anybody.
        resources.push(Limit {
            resource: libc::RLIMIT_CPU,
            soft: most,
            hard: most.saturating_add(1),
        });
    }
    if let Some(count) = limits.open_files {
        enforcement.holds("open files of each process");
        resources.push(Limit::at(libc::RLIMIT_NOFILE, count));
    } else if let Some(given) = descriptors::given() {
        let count = |count: Option<u64>| count.unwrap_or(libc::RLIM_INFINITY);
        resources.push(Limit {
            resource: libc::RLIMIT_NOFILE,
            soft: count(given.current),
            hard: count(given.maximum),
        });
    }
    if let Some(count) = limits.processes {
        resources.extend(processes(count, enforcement));
    }
    resources
}

/// The kernel counts a user's processes, not an agent's, and none of the administrator's.
fn processes(count: u64, enforcement: &mut Enforcement) -> Option<Limit> {
    let user = rustix::process::getuid();
    if user.is_root() {
        enforcement.lacks(
            "processes",
            "no control group holds it, and root is exempt from other limits",
        );
        return None;
    }
    match Census::take(Groups::OfOrphans) {
        Ok(census) => {
            let reason = "no control group holds it; it is counted with all else that this user runs";
            enforcement.lacks("processes", reason);
            let running = census.threads_of(user.as_raw());
            Some(Limit::at(libc::RLIMIT_NPROC, running.saturating_add(count)))
        }
        Err(error) => {
            enforcement.lacks("processes", format!("the user's processes cannot be counted: {error}"));
            None
        }
    }
}
