//! A state folder on a small disk in memory, which outlives the runtimes that use it, and goes with the test.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::running::Running;
use crate::yard::{Caller, Yard, wrapped};

/// What enters a mount namespace of its own, as far as this user may; `None`, with a word about it, where it may mount
/// nothing.
pub(crate) fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-rm"]];
    let may = |way: &&&[&str]| {
        let mount = ["mount", "-t", "tmpfs", "none", "/mnt"];
        let tried = Command::new(way[0]).args(&way[1..]).args(mount).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let way = ways.iter().find(may).copied();
    if way.is_none() {
        eprintln!("UNTESTED: this user may mount nothing here, so no disk was filled");
    }
    way
}

/// What leads into the mount namespace of a process.
pub(crate) fn entering(pid: u32) -> Vec<String> {
    let pid = pid.to_string();
    let mut words = vec!["nsenter", "-t", &pid, "-m"];
    let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user")).unwrap();
    if of(&pid) != of("self") {
        words.extend(["-U", "--preserve-credentials"]);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// Takes all the room there is.
pub(crate) fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[0; 64]).is_ok() {}
}

pub(crate) struct SmallDisk {
    pub(crate) yard: Yard,
    /// Has the disk for as long as nobody closes its input.
    holder: Child,
}

impl SmallDisk {
    /// Of so many bytes, as `mount` writes them, under the state folder of a runtime with that description.
    pub(crate) fn of(size: &str, description: &str) -> Option<Self> {
        let unshare = unshare()?;
        let yard = Yard::new();
        yard.house.write("triarch.toml", description);
        fs::create_dir(yard.path().join("state")).unwrap();
        let script = format!("mount -t tmpfs -o size={size},mode=700 none state && echo mounted && exec cat");
        let mut holder = Command::new(unshare[0])
            .args(&unshare[1..])
            .args(["sh", "-c", &script])
            .current_dir(yard.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert_eq!(said, "mounted\n");
        Some(Self { yard, holder })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (entering, path) = (entering(self.holder.id()), self.yard.path().display().to_string());
        let mut before: Vec<_> = entering.iter().map(String::as_str).collect();
        before.extend(["sh", "-c", "cd \"$0\" && exec \"$@\"", &path]);
        wrapped(&before, &self.yard.house.command(arguments))
    }

    pub(crate) fn up(&self) -> Running {
        self.yard.up_by(&self.command(&["up"]))
    }

    /// Runs the binary to its end, where it sees the disk.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The state folder, as this process gets at it.
    pub(crate) fn state(&self) -> PathBuf {
        let path = self.yard.path().join("state");
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(path.strip_prefix("/").unwrap())
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::of(&self.state())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = self.holder.kill();
        let _waited = self.holder.wait();
    }
}
