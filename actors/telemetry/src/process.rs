//! What the system knows of this process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use triarch_supervision::metrics::{Elapsed, Gauge, InstrumentError, Instruments};

use crate::metrics;

/// Reads the figures of the process; what the system does not tell stays unknown.
#[derive(Debug)]
pub(crate) struct Process {
    /// Kept open, so that a process without descriptors to spare can still be seen.
    stat: Option<File>,
    start_time: Arc<Gauge>,
    cpu: Arc<Elapsed>,
    resident_memory: Arc<Gauge>,
    open_fds: Arc<Gauge>,
    max_fds: Arc<Gauge>,
    threads: Arc<Gauge>,
}

/// What `/proc/self/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: usize,
    start_ticks: u64,
    resident_pages: usize,
}

impl Process {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        let process = Self {
            stat: File::open("/proc/self/stat").ok(),
            start_time: instruments.single(&metrics::PROCESS_START_TIME_SECONDS)?,
            cpu: instruments.single(&metrics::PROCESS_CPU_SECONDS)?,
            resident_memory: instruments.single(&metrics::PROCESS_RESIDENT_MEMORY_BYTES)?,
            open_fds: instruments.single(&metrics::PROCESS_OPEN_FDS)?,
            max_fds: instruments.single(&metrics::PROCESS_MAX_FDS)?,
            threads: instruments.single(&metrics::PROCESS_THREADS)?,
        };
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        if let (Some(stat), Some(booted)) = (process.stat(), boot_time(&machine)) {
            process.start_time.set((booted + ticks(stat.start_ticks)).as_secs_f64());
        }
        Ok(process)
    }

    pub(crate) fn refresh(&self) {
        if let Some(stat) = self.stat() {
            self.cpu.advance_to(ticks(stat.cpu_ticks));
            self.threads.set_count(stat.threads);
            self.resident_memory.set_count(stat.resident_pages * page_size());
        }
        if let Some(open) = open_fds() {
            self.open_fds.set_count(open);
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.max_fds.set_count(usize::try_from(limit).unwrap_or(usize::MAX));
    }

    fn stat(&self) -> Option<Stat> {
        let mut bytes = [0; 1024];
        let length = self.stat.as_ref()?.read_at(&mut bytes, 0).ok()?;
        Stat::read(std::str::from_utf8(bytes.get(..length)?).ok()?)
    }
}

impl Stat {
    /// The name in parentheses may hold anything, so fields are counted from behind it.
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        // The first field behind the name is the third in the system's own numbering.
        let number = |nth: usize| fields.get(nth - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: number(14)? + number(15)?,
            threads: usize::try_from(number(20)?).ok()?,
            start_ticks: number(22)?,
            resident_pages: usize::try_from(number(24)?).ok()?,
        })
    }
}

/// Since Linux 6.2 the folder's size is their number; before, they are counted one by one.
fn open_fds() -> Option<usize> {
    const FOLDER: &str = "/proc/self/fd";
    let size = fs::metadata(FOLDER).ok()?.len();
    if size > 0 {
        return usize::try_from(size).ok();
    }
    // The one it is read through is not counted.
    Some(fs::read_dir(FOLDER).ok()?.count().saturating_sub(1))
}

fn boot_time(machine: &str) -> Option<Duration> {
    let line = machine.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok().map(Duration::from_secs)
}

fn ticks(ticks: u64) -> Duration {
    let per_second = clock_ticks_per_second().max(1);
    let rest = (ticks % per_second) * 1_000_000_000 / per_second;
    Duration::from_secs(ticks / per_second) + Duration::from_nanos(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_whatever_name_the_process_has() {
        let line =
            "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000000 77 18446744073709551615\n";
        let expected = Stat {
            cpu_ticks: 300,
            threads: 9,
            start_ticks: 12345,
            resident_pages: 77,
        };
        assert_eq!(Stat::read(line), Some(expected));
        assert_eq!(Stat::read("7 (short) S 1"), None);
        assert_eq!(Stat::read(""), None);
    }

    #[test]
    fn the_time_of_boot_is_found_among_other_lines() {
        assert_eq!(
            boot_time("cpu 1 2\nbtime 1700000000\n"),
            Some(Duration::from_secs(1_700_000_000))
        );
        assert_eq!(boot_time("cpu 1 2\n"), None);
    }

    #[test]
    fn a_descriptor_more_is_one_more() {
        let before = open_fds().unwrap();
        let held: Vec<_> = (0..50).map(|_| File::open("/proc/self/stat").unwrap()).collect();
        // Other tests open and close descriptors meanwhile.
        assert!(open_fds().unwrap() >= before + 25, "{before}");
        drop(held);
    }
}
