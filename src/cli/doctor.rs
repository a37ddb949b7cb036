//! Looks for what would keep a runtime from running well on this machine.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::SocketAddr;
use std::path::Path;

use rustix::process::geteuid;
use serde::Serialize;

use super::ask::Connection;
use super::describe::Described;
use super::screen::{Screen, Tint};
use super::show::{Show, bytes};
use crate::operations::{Code, Status, Trouble};
use crate::rooms;

/// How one look turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Well,
    Poor,
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    subject: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do, where something is to be done.
    remedy: String,
}

impl Finding {
    fn well(subject: &'static str, found: impl Into<String>) -> Self {
        Self {
            subject,
            verdict: Verdict::Well,
            found: found.into(),
            remedy: String::new(),
        }
    }

    fn not_well(subject: &'static str, verdict: Verdict, found: impl Into<String>, remedy: &str) -> Self {
        Self {
            subject,
            verdict,
            found: found.into(),
            remedy: remedy.to_owned(),
        }
    }
}

/// All that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Findings(Vec<Finding>);

#[cfg(test)]
impl Findings {
    pub(super) fn first(&self) -> &impl Serialize {
        &self.0[0]
    }

    /// For documents and snapshots.
    pub(super) fn of_each_verdict() -> Self {
        Self(vec![
            Finding::well("description", "triarch.toml"),
            open_files("Max open files            256                  1024                 files"),
            Finding::not_well(
                "address",
                Verdict::Bad,
                "127.0.0.1:7117 cannot be listened on: Address already in use (os error 98)",
                LISTEN_ELSEWHERE,
            ),
        ])
    }
}

impl Show for Findings {
    /// Nothing of it is cut: what to do has to be read whole.
    fn show(&self, screen: &Screen) -> String {
        let mut text = String::new();
        for finding in &self.0 {
            let (word, tint) = match finding.verdict {
                Verdict::Well => ("well", Tint::Good),
                Verdict::Poor => ("poor", Tint::Poor),
                Verdict::Bad => ("bad ", Tint::Bad),
            };
            let word = screen.tint(tint, word);
            let _infallible = writeln!(text, "{word}  {:14}  {}", finding.subject, finding.found);
            if !finding.remedy.is_empty() {
                let _infallible = writeln!(text, "{:20}  {}", "", finding.remedy);
            }
        }
        text
    }
}

/// Looks, and tells what it found; fails where something is bad.
pub(super) fn run(described: &Described, as_json: bool) -> Result<(), Trouble> {
    let mut findings = Vec::new();
    match described.load() {
        Ok(loaded) => {
            findings.push(Finding::well("description", loaded.name.clone()));
            findings.extend(open_key(&loaded.config.memory, &described.folder()));
            let (neighbour, of_folder) = of_folder(described);
            findings.extend(of_folder);
            findings.push(address(&loaded.config.gateway, &neighbour));
        }
        Err(trouble) => {
            let remedy = "mend it; `triarch config check` marks what is wrong";
            let first = trouble.message.lines().nth(1).unwrap_or_default().to_owned();
            findings.push(Finding::not_well("description", Verdict::Bad, first, remedy));
        }
    }
    findings.push(open_files(&fs::read_to_string("/proc/self/limits").unwrap_or_default()));
    findings.push(control_groups(
        &fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
    ));
    let is_bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    super::output::tell(&Findings(findings), as_json)?;
    if is_bad {
        return Err(Trouble::new(
            Code::Failed,
            "something would keep a runtime from running",
            "do what stands beside it",
        ));
    }
    Ok(())
}

/// What there is to say of the state folder, and who has it.
fn of_folder(described: &Described) -> (Neighbour, Vec<Finding>) {
    match described.state_dir() {
        Ok(folder) => {
            let (neighbour, runtime) = running(&folder);
            (neighbour, vec![state_folder(&folder), disk(&folder), runtime])
        }
        Err(trouble) => {
            let finding = Finding::not_well(STATE_FOLDER, Verdict::Bad, trouble.message, &trouble.remedy);
            (Neighbour::Unknown, vec![finding])
        }
    }
}

/// The key of the store, where that is for all to read.
fn open_key(memory: &triarch_memory::Settings, folder: &Path) -> Option<Finding> {
    let found = format!("everybody may read {}", memory.open_key(folder)?.display());
    Some(Finding::not_well(
        "key of the store",
        Verdict::Poor,
        found,
        "chmod 600 it",
    ))
}

const STATE_FOLDER: &str = "state folder";

fn state_folder(folder: &Path) -> Finding {
    const SUBJECT: &str = STATE_FOLDER;
    let shown = folder.display().to_string();
    let bad = |found: String| Finding::not_well(SUBJECT, Verdict::Bad, found, ELSEWHERE);
    if SocketAddr::from_pathname(triarch_gateway::socket_path(folder)).is_err() {
        return bad(format!("{shown} is too long a path for the socket in it"));
    }
    let metadata = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return bad(format!("{shown} is no folder")),
        Err(_) => {
            return match may_be_made(folder) {
                Ok(()) => Finding::well(SUBJECT, format!("{shown}, which the first start makes")),
                Err(error) => bad(format!("{shown} cannot be made: {error}")),
            };
        }
    };
    if metadata.uid() != geteuid().as_raw() {
        let found = format!("{shown} belongs to another user");
        return Finding::not_well(SUBJECT, Verdict::Bad, found, OTHER_USER);
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let found = format!("{shown} is open to others: mode {mode:o}");
        return Finding::not_well(SUBJECT, Verdict::Bad, found, "chmod 700 it");
    }
    if let Some(path) = rooms::FOLDERS.iter().find_map(|name| rooms::in_its_place(folder, name)) {
        let found = format!("{} is a file where a folder of the runtime is to be", path.display());
        return Finding::not_well(SUBJECT, Verdict::Bad, found, "move it away");
    }
    let probe = folder.join(".doctor");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&probe);
    let _gone = fs::remove_file(&probe);
    match written {
        Ok(_) => Finding::well(SUBJECT, shown),
        Err(error) => bad(format!("{shown} cannot be written: {error}")),
    }
}

const OTHER_USER: &str = "run triarch as that user, or set runtime.state_dir to another";
const ELSEWHERE: &str = "make it writable, or set runtime.state_dir to another";

/// With less room a journal soon takes nothing; with less than the second it has none for a snapshot beside it.
const BYTES_LEAST: u64 = 16 << 20;
const BYTES_ENOUGH: u64 = 1 << 30;
/// Each journal, log and snapshot is a file.
const FILES_LEAST: u64 = 32;
const FILES_SPARE: u64 = 1_000;

fn disk(folder: &Path) -> Finding {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(&absolute);
    match rustix::fs::statvfs(there) {
        // Some kinds of file systems make as many files as there is room for, and count none.
        Ok(disk) => room_left(
            disk.f_bavail.saturating_mul(disk.f_frsize),
            (disk.f_files > 0).then_some(disk.f_favail),
        ),
        Err(error) => {
            let found = format!("how much room there is cannot be told: {error}");
            Finding::not_well(DISK, Verdict::Poor, found, "see `df` for the state folder")
        }
    }
}

const DISK: &str = "disk";

fn room_left(left: u64, files: Option<u64>) -> Finding {
    let more = files.map_or_else(String::new, |files| format!(" and {files} more files"));
    let found = format!("{}{more} are free", bytes(left));
    let files = files.unwrap_or(u64::MAX);
    let verdict = match () {
        () if left < BYTES_LEAST || files < FILES_LEAST => Verdict::Bad,
        () if left < BYTES_ENOUGH || files < FILES_SPARE => Verdict::Poor,
        () => return Finding::well(DISK, found),
    };
    Finding::not_well(
        DISK,
        verdict,
        found,
        "free space, or set runtime.state_dir to a larger disk",
    )
}

/// Whether a folder can be made where there is none, as far as that can be told without making it.
fn may_be_made(folder: &Path) -> io::Result<()> {
    for nearest in std::path::absolute(folder)?.ancestors() {
        match fs::metadata(nearest) {
            Ok(_) => return tempfile::tempdir_in(nearest).map(drop),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Who has the state folder already.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Neighbour {
    Nobody,
    /// A runtime; where its metrics are.
    Runtime(String),
    /// Perhaps a runtime, which tells nothing.
    Unknown,
}

fn running(folder: &Path) -> (Neighbour, Finding) {
    const SUBJECT: &str = "runtime";
    match triarch_gateway::is_held(folder) {
        Ok(true) => {}
        Ok(false) => return (Neighbour::Nobody, Finding::well(SUBJECT, "none runs with that folder")),
        Err(error) => {
            let found = format!("whether one runs with that folder cannot be seen: {error}");
            let finding = Finding::not_well(SUBJECT, Verdict::Bad, found, OTHER_USER);
            return (Neighbour::Unknown, finding);
        }
    }
    let answered = Connection::of(folder).and_then(|mut runtime| runtime.ask(&Status::default()));
    match answered {
        Ok(status) => (
            Neighbour::Runtime(status.listen),
            Finding::well(SUBJECT, "one runs and answers"),
        ),
        Err(trouble) => {
            let finding = Finding::not_well(SUBJECT, Verdict::Bad, trouble.message, &trouble.remedy);
            (Neighbour::Unknown, finding)
        }
    }
}

const LISTEN_ELSEWHERE: &str = "stop what listens there, or set gateway.listen";

fn address(gateway: &triarch_gateway::Config, neighbour: &Neighbour) -> Finding {
    const SUBJECT: &str = "address";
    let listen = gateway.listen;
    if !gateway.http {
        return Finding::well(SUBJECT, "none is listened on: HTTP is not served");
    }
    let Err(error) = TcpListener::bind(listen) else {
        return Finding::well(SUBJECT, format!("{listen} is free"));
    };
    match neighbour {
        Neighbour::Runtime(at) if at.contains(&format!("//{listen}/")) => {
            Finding::well(SUBJECT, format!("{listen} is in use by the runtime"))
        }
        Neighbour::Unknown if error.kind() == io::ErrorKind::AddrInUse => {
            let found = format!("{listen} is in use, and whether by the runtime cannot be told");
            Finding::not_well(SUBJECT, Verdict::Poor, found, "see to the runtime first")
        }
        _ => {
            let found = format!("{listen} cannot be listened on: {error}");
            Finding::not_well(SUBJECT, Verdict::Bad, found, LISTEN_ELSEWHERE)
        }
    }
}

/// As many as a few hundred programs need.
const FILES_ENOUGH: u64 = 4096;

fn open_files(limits: &str) -> Finding {
    const SUBJECT: &str = "open files";
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let mut numbers = line.into_iter().flat_map(|line| line.split_whitespace().skip(3));
    let mut number = || numbers.next().and_then(|text| text.parse::<u64>().ok());
    let (Some(soft), Some(hard)) = (number(), number()) else {
        return Finding::not_well(SUBJECT, Verdict::Poor, "unknown", "see `ulimit -n`");
    };
    let found = if soft < hard {
        format!("at most {hard}, which triarch up takes; programs get {soft}")
    } else {
        format!("at most {hard}")
    };
    if hard < FILES_ENOUGH {
        let remedy = "a program takes four of them; raise the hard limit (`ulimit -Hn`)";
        return Finding::not_well(SUBJECT, Verdict::Poor, found, remedy);
    }
    Finding::well(SUBJECT, found)
}

fn control_groups(mounts: &str) -> Finding {
    const SUBJECT: &str = "control groups";
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let place = mount.and_then(|line| line.split_whitespace().nth(4));
    let remedy = "limits of memory fall back to those of a process; see docs/OPERATING.md";
    match place {
        Some(place) => Finding::well(SUBJECT, format!("version 2 at {place}")),
        None => Finding::not_well(SUBJECT, Verdict::Poor, "version 2 is not mounted", remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_read_is_bad() {
        let scratch = tempfile::tempdir().unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let finding = state_folder(scratch.path());
        assert_eq!(
            (finding.verdict, finding.remedy.as_str()),
            (Verdict::Bad, "chmod 700 it")
        );
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(state_folder(scratch.path()).verdict, Verdict::Well);
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            0,
            "it leaves nothing behind"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_well_where_it_can_be_made_and_nothing_is_left_of_the_trial() {
        let scratch = tempfile::tempdir().unwrap();
        let finding = state_folder(&scratch.path().join("deep/er"));
        assert_eq!(finding.verdict, Verdict::Well, "{finding:?}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        let file = scratch.path().join("file");
        fs::write(&file, "").unwrap();
        for bad in [file.join("state"), file, scratch.path().join("x".repeat(120))] {
            let finding = state_folder(&bad);
            assert_eq!(finding.verdict, Verdict::Bad, "{finding:?}");
        }
    }

    #[test]
    fn a_file_in_the_place_of_a_rooms_folder_is_bad_and_named() {
        for name in rooms::FOLDERS {
            let scratch = tempfile::tempdir().unwrap();
            fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let path = scratch.path().join(name);
            fs::create_dir(&path).unwrap();
            assert_eq!(state_folder(scratch.path()).verdict, Verdict::Well);
            fs::remove_dir(&path).unwrap();
            fs::write(&path, "").unwrap();
            let finding = state_folder(scratch.path());
            assert_eq!((finding.verdict, &*finding.remedy), (Verdict::Bad, "move it away"));
            assert!(finding.found.starts_with(&path.display().to_string()), "{finding:?}");
        }
    }

    #[test]
    fn little_room_is_poor_and_hardly_any_is_bad_in_bytes_as_in_files() {
        let verdict = |left, files| room_left(left, files).verdict;
        assert_eq!(verdict(BYTES_ENOUGH, Some(FILES_SPARE)), Verdict::Well);
        assert_eq!(verdict(BYTES_ENOUGH, None), Verdict::Well);
        assert_eq!(verdict(BYTES_ENOUGH - 1, None), Verdict::Poor);
        assert_eq!(verdict(BYTES_LEAST - 1, None), Verdict::Bad);
        assert_eq!(verdict(u64::MAX, Some(FILES_SPARE - 1)), Verdict::Poor);
        assert_eq!(verdict(u64::MAX, Some(FILES_LEAST - 1)), Verdict::Bad);
        assert_eq!(room_left(5 << 20, Some(7)).found, "5.0 MiB and 7 more files are free");
        let scratch = tempfile::tempdir().unwrap();
        let [there, not_yet] = [scratch.path().to_owned(), scratch.path().join("deep/er")].map(|path| disk(&path));
        assert!(
            there.found.contains("are free") && not_yet.found.contains("are free"),
            "{not_yet:?}"
        );
    }

    #[test]
    fn few_open_files_are_poor() {
        let limits = |hard| format!("Limit   Soft Limit  Hard Limit Units\nMax open files   1024   {hard}  files\n");
        assert_eq!(open_files(&limits(2048)).verdict, Verdict::Poor);
        let well = open_files(&limits(65_536));
        assert_eq!(well.verdict, Verdict::Well);
        assert_eq!(well.found, "at most 65536, which triarch up takes; programs get 1024");
        assert_eq!(open_files(&limits(1024)).found, "at most 1024");
        assert_eq!(open_files("").found, "unknown");
    }

    #[test]
    fn control_groups_are_found_where_they_are_mounted() {
        let mounts = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(control_groups(mounts).found, "version 2 at /sys/fs/cgroup/unified");
        assert_eq!(control_groups("").verdict, Verdict::Poor);
    }

    #[test]
    fn an_address_in_use_is_bad_unless_the_runtime_has_it_or_nobody_wants_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap();
        let gateway = |http| triarch_gateway::Config {
            listen,
            http,
            ..triarch_gateway::Config::default()
        };
        let verdict = |neighbour| address(&gateway(true), &neighbour).verdict;
        assert_eq!(verdict(Neighbour::Nobody), Verdict::Bad);
        assert_eq!(verdict(Neighbour::Unknown), Verdict::Poor);
        let at = |listen: &str| Neighbour::Runtime(format!("http://{listen}/metrics"));
        assert_eq!(verdict(at(&listen.to_string())), Verdict::Well);
        assert_eq!(verdict(at("127.0.0.1:1")), Verdict::Bad, "a stranger has it");
        assert_eq!(verdict(Neighbour::Runtime("not served".to_owned())), Verdict::Bad);
        assert_eq!(address(&gateway(false), &Neighbour::Nobody).verdict, Verdict::Well);
        drop(taken);
        assert_eq!(verdict(at("127.0.0.1:1")), Verdict::Well);
    }

    #[test]
    fn a_folder_of_another_user_is_bad_whoever_asks() {
        let scratch = tempfile::tempdir().unwrap();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).unwrap();
        // Who may not give it away is not root, to whom the other one belongs.
        let given = std::os::unix::fs::chown(scratch.path(), Some(65_534), None);
        let folder = if given.is_ok() { scratch.path() } else { Path::new("/") };
        let finding = state_folder(folder);
        assert_eq!((finding.verdict, finding.remedy.as_str()), (Verdict::Bad, OTHER_USER));
    }

    #[test]
    fn what_cannot_be_seen_of_a_runtime_is_bad() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(running(scratch.path()).0, Neighbour::Nobody);
        let lock = scratch.path().join("triarch.lock");
        std::os::unix::fs::symlink(&lock, &lock).unwrap();
        let (neighbour, finding) = running(scratch.path());
        assert_eq!((neighbour, finding.verdict), (Neighbour::Unknown, Verdict::Bad));
    }
}
