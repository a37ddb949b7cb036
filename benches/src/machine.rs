//! The machine: what it is, and what of its memory this process holds.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// A line that says where the figures come from: cores, processor, profile, compiler, commit.
pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let profile = if cfg!(debug_assertions) {
        "unoptimised (not a measurement)"
    } else {
        "optimised"
    };
    let rustc = first_line_of("rustc", &["--version"]).unwrap_or_else(|| "rustc unknown".into());
    let commit = first_line_of("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".into());
    format!(
        "{cores} cores, {}, build {profile}, {rustc}, commit {commit}",
        processor()
    )
}

fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    model
        .and_then(|line| line.split(':').nth(1))
        .map_or("processor unknown".into(), |name| name.trim().into())
}

fn first_line_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.to_owned())
}

/// The bytes of this process that are resident (`VmRSS`).
///
/// # Panics
/// Where there is no `/proc`.
pub fn resident_bytes() -> u64 {
    resident_bytes_of(std::process::id())
}

/// The bytes of a process that are resident.
///
/// # Panics
/// Where there is no `/proc`, or no such process.
pub fn resident_bytes_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("resident memory is read from /proc");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("the kernel reports VmRSS");
    let kibibytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.expect("VmRSS is a number of kB") * 1_024
}

/// The processor time that this process has used, in the kernel's ticks of 10 ms.
///
/// # Panics
/// Where there is no `/proc`.
pub fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("processor time is read from /proc");
    // After the name, which may hold anything: state, …, and as the 12th and 13th the ticks in programs and in the kernel.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().expect("a count of ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// What each of `agents` added to what was resident `before`.
pub fn resident_per_agent(before: u64, agents: usize) -> f64 {
    resident_bytes().saturating_sub(before) as f64 / agents as f64
}

/// More than a core's own caches hold.
const CACHES: usize = 64 << 20;

/// Fills the caches with nothing of use, so that what is measured next finds them alike whatever came before: to fill a
/// queue with a million messages does the same, and is no part of what stopping its agent costs.
pub fn displace_caches() {
    std::hint::black_box(vec![1_u8; CACHES]);
}
