//! Which folders a program may read, run programs from, and write: Landlock.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use super::launch::{Enforcement, is_for_want};

/// What this crate knows how to ask for; an older kernel grants what it knows.
const KNOWN: ABI = ABI::V9;

/// What programs of a system consist of, and where they ask what system they are on.
pub(crate) const SYSTEM: [&str; 16] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
];

/// Devices that are no way to anything.
const DEVICES: [&str; 10] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
    "/dev/mqueue",
];

/// The ruleset that holds a program to its folders; none where the kernel has no Landlock.
pub(super) fn ruleset(
    program: &Path,
    read: &[PathBuf],
    write: &[PathBuf],
    enforcement: &mut Enforcement,
) -> io::Result<Option<OwnedFd>> {
    let mut missing = Vec::new();
    let mut rules = Rules(empty().map_err(io::Error::other)?);
    let to_read = AccessFs::from_read(KNOWN) & !AccessFs::ResolveUnix;
    for path in SYSTEM.into_iter().map(Path::new).chain([program]) {
        rules.grant(path, to_read)?;
    }
    for path in DEVICES.into_iter().map(Path::new) {
        rules.grant(path, AccessFs::from_all(KNOWN) & !AccessFs::Execute)?;
    }
    for path in read {
        if !rules.grant(path, to_read)? {
            missing.push(path);
        }
    }
    for path in write {
        if !rules.grant(path, AccessFs::from_all(KNOWN))? {
            missing.push(path);
        }
    }
    let ruleset: Option<OwnedFd> = rules.0.into();
    say(ruleset.is_some(), &missing, enforcement);
    Ok(ruleset)
}

/// One that grants nothing yet.
fn empty() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::Signal)?
        .scope(Scope::AbstractUnixSocket)?
        .create()
}

struct Rules(RulesetCreated);

impl Rules {
    /// Whether there is anything at `path` to grant.
    fn grant(&mut self, path: &Path, access: BitFlags<AccessFs>) -> io::Result<bool> {
        let opened = match PathFd::new(path).map_err(io::Error::other) {
            Ok(opened) => opened,
            // It is there, and the program would miss it.
            Err(error) if is_for_want(&error) => return Err(error),
            Err(_) => return Ok(false),
        };
        let access = if path.is_dir() {
            access
        } else {
            access & AccessFs::from_file(KNOWN)
        };
        let added = (&mut self.0).add_rule(PathBeneath::new(opened, access));
        added.map(|_| true).map_err(io::Error::other)
    }
}

fn say(is_there: bool, missing: &[&PathBuf], enforcement: &mut Enforcement) {
    if !is_there {
        enforcement.lacks("folders", "this kernel has no Landlock, or it is switched off at boot");
        enforcement.lacks("signals to others", "this kernel has no Landlock");
        return;
    }
    enforcement.holds("folders");
    for path in missing {
        enforcement.lacks("a folder of the sandbox", format!("{} is not there", path.display()));
    }
    if knows_scopes() {
        enforcement.holds("signals to others");
    } else {
        enforcement.lacks(
            "signals to others",
            "Landlock of this kernel has no scopes; they came with Linux 6.12",
        );
    }
    if !knows_sockets() {
        let reason = "Landlock of this kernel lets it connect to any Unix socket of its user; Linux 7.1 would not";
        enforcement.lacks("Unix sockets", reason);
    }
}

fn strict() -> Ruleset {
    Ruleset::default().set_compatibility(CompatLevel::HardRequirement)
}

fn knows_scopes() -> bool {
    strict().scope(Scope::Signal).is_ok()
}

fn knows_sockets() -> bool {
    strict().handle_access(AccessFs::ResolveUnix).is_ok()
}
