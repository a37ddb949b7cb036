//! The first steps of a new process, between its birth and the program.
//!
//! The child runs in its parent's memory while the parent's thread waits for it (`CLONE_VM | CLONE_VFORK`), so a birth
//! costs the same however large the runtime is. Until it becomes the program it makes system calls and nothing else: it
//! allocates nothing, takes no lock and cannot panic.
#![expect(
    unsafe_code,
    reason = "no safe interface offers a birth in a given control group, the steps before the program, or descriptors of one's own"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use seccompiler::sock_filter;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::process::Exit;

/// Bytes of stack for the child's steps, which call the C library's wrappers and nothing deeper.
const STACK: usize = 64 * 1024;

/// How many signals there are; a set of them has a bit for each.
const SIGNALS: usize = 64;

/// As many capabilities as a kernel may know.
const CAPABILITIES: u32 = 64;

/// What the superuser may do in the sandbox: own files and other users' (0, 1, 3, 4), signals (5), who it is (6, 7), low ports (10). By what is
/// not here it would see into other processes, whatever Landlock says.
const KEPT: [u32; 8] = [0, 1, 3, 4, 5, 6, 7, 10];

/// What is said of a step that failed: it failed to …
const STEPS: [&str; 14] = [
    "be watched by its parent",
    "outlive its parent's start",
    "begin a session",
    "join its control group",
    "take its limits",
    "take its standard streams",
    "enter its working folder",
    "adopt its orphans",
    "give up privileges",
    "enter its sandbox",
    "close what is not its own",
    "take its list of system calls",
    "take default signals",
    "become the program",
];

/// All that the child needs, made beforehand.
pub(super) struct Plan<'a> {
    pub(super) program: &'a CStr,
    pub(super) arguments: &'a [*const c_char],
    pub(super) environment: &'a [*const c_char],
    pub(super) dir: &'a CStr,
    pub(super) streams: [BorrowedFd<'a>; 3],
    pub(super) born_in: Option<BorrowedFd<'a>>,
    pub(super) joined: &'a [RawFd],
    pub(super) limits: &'a [Limit],
    pub(super) ruleset: Option<BorrowedFd<'a>>,
    pub(super) filter: Option<&'a [sock_filter]>,
    /// Whether the superuser is to be none there.
    pub(super) is_powerless: bool,
    pub(super) adopts_orphans: bool,
}

/// A limit that each process carries, and how far it may raise it by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) resource: u32,
    pub(super) soft: u64,
    pub(super) hard: u64,
}

impl Limit {
    /// One that cannot be raised.
    pub(super) fn at(resource: u32, most: u64) -> Self {
        Self {
            resource,
            soft: most,
            hard: most,
        }
    }
}

/// Which step the child is at, and the error that ended it there.
#[derive(Default)]
struct Progress {
    step: AtomicUsize,
    error: AtomicI32,
}

struct Child<'a> {
    plan: &'a Plan<'a>,
    parent: i32,
    progress: Progress,
}

/// Memory for the child's steps; one birth at a time.
pub(super) struct Stack(Box<[u128]>);

impl Stack {
    pub(super) fn new() -> Self {
        Self(vec![0; STACK / size_of::<u128>()].into_boxed_slice())
    }
}

/// Whether a child can be born into a control group here.
pub(super) const fn can_be_born_in_a_group() -> bool {
    cfg!(all(target_arch = "x86_64", target_pointer_width = "64"))
}

/// A list that ends with a null, as the kernel wants it.
pub(super) fn list(texts: &[std::ffi::CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// A new process that has become the program, or the step it failed at.
pub(super) fn give(plan: &Plan<'_>, stack: &mut Stack) -> Result<(i32, OwnedFd), (&'static str, io::Error)> {
    let child = Child {
        plan,
        parent: super::census::own_pid(),
        progress: Progress::default(),
    };
    let signals = hold_signals();
    let born = clone(&child, stack);
    let_signals(&signals);
    let (pid, pidfd) = born.map_err(|error| ("be born", error))?;
    let error = child.progress.error.load(Ordering::Acquire);
    if error == 0 {
        return Ok((pid, pidfd));
    }
    // It has ended, and only this thread knows of it.
    let _ = ended(&pidfd, true);
    let step = STEPS.get(child.progress.step.load(Ordering::Acquire));
    Err((step.copied().unwrap_or("begin"), io::Error::from_raw_os_error(error)))
}

/// No handler of the runtime may run in the child, which shares its memory.
fn hold_signals() -> libc::sigset_t {
    // SAFETY: a zeroed set is valid memory for the two calls, which write whole sets and have no other effect on memory.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        let mut before: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn let_signals(before: &libc::sigset_t) {
    // SAFETY: the set was filled by `hold_signals`; nothing else is passed.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut());
    }
}

/// `struct clone_args` of `clone3`, as far as the kernel knew it when groups were added to it.
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#[repr(C, align(8))]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const FLAGS: c_int = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn clone(child: &Child<'_>, stack: &mut Stack) -> io::Result<(i32, OwnedFd)> {
    const CLONE_INTO_CGROUP: u64 = 1 << 33;
    let mut pidfd: c_int = -1;
    let mut arguments = Arguments {
        flags: u64::from(FLAGS.unsigned_abs()),
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
        stack: stack.0.as_mut_ptr().expose_provenance() as u64,
        stack_size: size_of_val(&*stack.0) as u64,
        ..Arguments::default()
    };
    if let Some(group) = child.plan.born_in {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(group.as_raw_fd().unsigned_abs());
    }
    let result: i64;
    // SAFETY: The child leaves this block only by `steps`, which does not return, and runs on a stack of its own that
    // outlives it: this thread goes on when the child has become the program or has ended. The child inherits the
    // registers, so it finds `steps` and its argument where the parent put them; the parent loses what the kernel
    // overwrites. The stack's end is aligned to 16 bytes, as a call demands.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {child}",
            "call {steps}",
            "ud2",
            "2:",
            child = in(reg) ptr::from_ref(child).cast::<c_void>(),
            steps = in(reg) steps as extern "C" fn(*mut c_void) -> c_int,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &raw const arguments,
            in("rsi") size_of::<Arguments>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    let refused = i32::try_from(-result).unwrap_or(0);
    if refused > 0 {
        return Err(io::Error::from_raw_os_error(refused));
    }
    let pid = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has put a new descriptor there, which is nobody else's.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
fn clone(child: &Child<'_>, stack: &mut Stack) -> io::Result<(i32, OwnedFd)> {
    let mut pidfd: c_int = -1;
    let end = stack.0.as_mut_ptr_range().end.cast::<c_void>();
    let flags = FLAGS | libc::SIGCHLD;
    // SAFETY: `steps` does not return and runs on a stack of its own that outlives it: this thread goes on when the
    // child has become the program or has ended. `child` and `pidfd` live in this frame until then.
    let pid = unsafe {
        libc::clone(
            steps,
            end,
            flags,
            ptr::from_ref(child).cast_mut().cast(),
            &raw mut pidfd,
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has put a new descriptor there, which is nobody else's.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// The child's life before the program.
extern "C" fn steps(child: *mut c_void) -> c_int {
    // SAFETY: the parent passes a `Child` that it keeps until this process has another memory or none; what is changed
    // in it is atomic.
    let child = unsafe { &*child.cast::<Child<'_>>() };
    child.take_steps();
    let error = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL);
    child.progress.error.store(error.max(1), Ordering::Release);
    // SAFETY: ends this process and nothing else, without the exit handlers, which are the parent's.
    unsafe { libc::_exit(127) }
}

impl Child<'_> {
    /// Returns at the step that failed, whose error is the last one of the system.
    fn take_steps(&self) {
        let steps: [fn(&Self) -> bool; STEPS.len()] = [
            |_| Self::be_watched(),
            Self::have_the_same_parent,
            |_| Self::begin_session(),
            Self::join_groups,
            Self::take_limits,
            Self::take_streams,
            Self::enter_folder,
            Self::adopt_orphans,
            Self::give_up_privileges,
            Self::enter_sandbox,
            |_| Self::close_the_rest(),
            Self::take_filter,
            |_| Self::take_default_signals(),
            Self::become_the_program,
        ];
        for (number, step) in steps.iter().enumerate() {
            self.progress.step.store(number, Ordering::Relaxed);
            if !step(self) {
                return;
            }
        }
    }

    fn be_watched() -> bool {
        // SAFETY: takes numbers only.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 }
    }

    /// A parent that ended before it was watched has left this process to somebody else.
    fn have_the_same_parent(&self) -> bool {
        // SAFETY: takes nothing.
        unsafe { libc::getppid() == self.parent }
    }

    fn begin_session() -> bool {
        // SAFETY: takes nothing.
        unsafe { libc::setsid() >= 0 }
    }

    fn join_groups(&self) -> bool {
        let myself = b"0";
        // SAFETY: reads one byte of a constant.
        let join = |group: &RawFd| unsafe { libc::write(*group, myself.as_ptr().cast(), myself.len()) == 1 };
        self.plan.joined.iter().all(join)
    }

    fn take_limits(&self) -> bool {
        self.plan.limits.iter().all(|limit| {
            let resource = limit.resource;
            let limit = libc::rlimit {
                rlim_cur: limit.soft,
                rlim_max: limit.hard,
            };
            // SAFETY: reads the limit, which lives until the call returns.
            unsafe { libc::setrlimit(resource as _, &raw const limit) == 0 }
        })
    }

    fn take_streams(&self) -> bool {
        let mut streams = (0..).zip(&self.plan.streams);
        // SAFETY: the parent keeps the streams open; what 0, 1 and 2 were in this process is not used any more.
        streams.all(|(number, stream)| unsafe { libc::dup2(stream.as_raw_fd(), number) == number })
    }

    fn enter_folder(&self) -> bool {
        // SAFETY: reads a text that ends with a zero byte.
        unsafe { libc::chdir(self.plan.dir.as_ptr()) == 0 }
    }

    fn adopt_orphans(&self) -> bool {
        // SAFETY: takes numbers only.
        !self.plan.adopts_orphans || unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 }
    }

    fn give_up_privileges(&self) -> bool {
        let is_given_up = |capability: &u32| self.plan.is_powerless && !KEPT.contains(capability);
        for capability in (0..CAPABILITIES).filter(is_given_up) {
            // Refused where there is none such, and to whoever has none to give up.
            // SAFETY: takes numbers only.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
        }
        // SAFETY: takes numbers only.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 }
    }

    fn enter_sandbox(&self) -> bool {
        self.plan.ruleset.is_none_or(|ruleset| {
            // SAFETY: takes numbers only; the parent keeps the ruleset open.
            unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) == 0 }
        })
    }

    fn close_the_rest() -> bool {
        // SAFETY: closes descriptors of this process, whose table is its own; the program is named by its path.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) == 0 }
    }

    fn take_filter(&self) -> bool {
        self.plan.filter.is_none_or(|filter| {
            let Ok(len) = u16::try_from(filter.len()) else {
                return false;
            };
            let program = libc::sock_fprog {
                len,
                filter: filter.as_ptr().cast_mut().cast(),
            };
            // SAFETY: the kernel reads `len` instructions, which have the layout of its own `sock_filter`.
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0 }
        })
    }

    fn take_default_signals() -> bool {
        // The kernel's `struct sigaction`, whose zero is the default. The C library would leave out two signals of its own.
        let default = [0_u64; 4];
        for signal in 1..=SIGNALS {
            // SAFETY: the kernel reads the action, and writes none back; the table of signals is this process's own. The
            // two signals that cannot be set are refused without an effect.
            unsafe {
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    default.as_ptr(),
                    ptr::null_mut::<c_void>(),
                    SIGNALS / 8,
                )
            };
        }
        // SAFETY: a zeroed set is valid memory, and is filled before it is read.
        unsafe {
            let mut none: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) == 0
        }
    }

    fn become_the_program(&self) -> bool {
        let Plan {
            program,
            arguments,
            environment,
            ..
        } = self.plan;
        // SAFETY: both lists end with a null and point to texts that end with a zero byte.
        unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) == 0 }
    }
}

/// From here on this thread has a table of descriptors of its own, with nothing in it but the standard streams, to which a
/// panic is told. For a thread that has just begun; a kernel that cannot do so leaves it the table of all.
pub(super) fn part_with_descriptors() {
    let unshared = libc::CLOSE_RANGE_UNSHARE;
    // SAFETY: takes numbers only; what is closed stays open in the table that this thread leaves.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, unshared) };
}

/// Has the async runtime watch for a child's end.
pub(super) fn watched(pidfd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the descriptor is open and the same as long as the `Arc` that goes in, which nobody can take out again
    // before it is no longer watched.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}

/// How a child of ours ended, once it has; it is gone for good then.
pub(super) fn ended(pidfd: &OwnedFd, is_awaited: bool) -> io::Result<Option<Exit>> {
    let wait = if is_awaited { 0 } else { libc::WNOHANG };
    // SAFETY: zeroed memory is valid for both, which the kernel fills. The system call takes a fifth argument that the C
    // library's function does not.
    let (result, told, usage) = unsafe {
        let mut told: libc::siginfo_t = mem::zeroed();
        let mut usage: libc::rusage = mem::zeroed();
        let result = libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd.as_raw_fd(),
            &raw mut told,
            libc::WEXITED | wait,
            &raw mut usage,
        );
        (result, told, usage)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: what was told is of a child's end, or still zeroed, and then its number is 0.
    let (pid, status) = unsafe { (told.si_pid(), told.si_status()) };
    let has_exited = told.si_code == libc::CLD_EXITED;
    Ok((pid != 0).then(|| Exit {
        code: has_exited.then_some(status),
        signal: (!has_exited).then_some(status),
        cpu_user: duration(usage.ru_utime),
        cpu_system: duration(usage.ru_stime),
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
    }))
}

fn duration(time: libc::timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + Duration::from_micros(micros)
}
