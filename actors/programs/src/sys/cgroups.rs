//! The control groups of this machine that the runtime may make groups within.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::apart::apart;
use super::launch;

/// Where a group says what limits those within it may have.
const HANDED_DOWN: &str = "cgroup.subtree_control";

/// The groups that ours are made in, where the machine offers any; looked up once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroups {
    /// The group of the second version that ours are made in.
    pub(super) unified: Option<PathBuf>,
    /// The groups of the first version that ours are made in.
    pub(super) pids: Option<PathBuf>,
    pub(super) memory: Option<PathBuf>,
    pub(super) freezer: Option<PathBuf>,
}

static FOUND: LazyLock<Cgroups> = LazyLock::new(|| {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    Cgroups::of(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup")).where_we_may(may_make_groups)
});

/// A mounted hierarchy: what it is, the group its root shows, and where.
struct Mount<'a> {
    kind: &'a str,
    options: &'a str,
    shown: &'a str,
    point: &'a str,
}

impl Cgroups {
    pub(super) fn found() -> &'static Self {
        &FOUND
    }

    /// From the texts of `mountinfo` and `cgroup` in `/proc/self`.
    fn of(mounts: &str, groups: &str) -> Self {
        let group = |controller: &str| {
            groups.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (controllers, path) = rest.split_once(':')?;
                controllers.split(',').any(|one| one == controller).then_some(path)
            })
        };
        let mounts: Vec<_> = mounts.lines().filter_map(mount).collect();
        let unified = mounts.iter().find(|mount| mount.kind == "cgroup2");
        let first = |controller: &str| {
            let has = |mount: &&Mount<'_>| mount.options.split(',').any(|one| one == controller);
            let mount = mounts.iter().filter(|mount| mount.kind == "cgroup").find(has)?;
            within(mount, group(controller)?)
        };
        Self {
            unified: unified.and_then(|mount| within(mount, group("")?)),
            pids: first("pids"),
            memory: first("memory"),
            freezer: first("freezer"),
        }
    }

    fn where_we_may(mut self, may: impl Fn(&Path) -> bool) -> Self {
        for path in [&mut self.unified, &mut self.pids, &mut self.memory, &mut self.freezer] {
            *path = path.take().filter(|path| may(path));
        }
        if let Some(own) = &self.unified
            && !offers_limits(own)
            && let Some(above) = own.parent()
            && above.join(HANDED_DOWN).exists()
            && may(above)
            && offers_limits(above)
        {
            self.unified = Some(above.to_owned());
        }
        self
    }
}

/// Hands what limits there are down to groups within `path`; a group that has processes of its own cannot.
pub(super) fn offers_limits(path: &Path) -> bool {
    let hand_down = |what: &str| write(&path.join(HANDED_DOWN), what).is_ok();
    let memory = hand_down("+memory");
    hand_down("+pids") && memory
}

fn mount(line: &str) -> Option<Mount<'_>> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let mut kind = kind.split(' ');
    Some(Mount {
        shown: place.next()?,
        point: place.next()?,
        kind: kind.next()?,
        options: kind.nth(1)?,
    })
}

/// Whether whoever may write `folder` reaches files of control groups by it, those within it and it itself.
pub(super) fn reaches_groups(folder: &Path) -> bool {
    static POINTS: LazyLock<Vec<PathBuf>> =
        LazyLock::new(|| points(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    POINTS.is_empty() || is_beside_one_of(&folder, &POINTS)
}

/// Where control groups are mounted.
fn points(mounts: &str) -> Vec<PathBuf> {
    let mounts = mounts.lines().filter_map(mount);
    let groups = mounts.filter(|mount| matches!(mount.kind, "cgroup" | "cgroup2"));
    groups.map(|mount| PathBuf::from(mount.point)).collect()
}

fn is_beside_one_of(folder: &Path, points: &[PathBuf]) -> bool {
    points
        .iter()
        .any(|point| folder.starts_with(point) || point.starts_with(folder))
}

/// Where `group` lies below a mount.
fn within(mount: &Mount<'_>, group: &str) -> Option<PathBuf> {
    let shown = mount.shown.trim_end_matches('/');
    let below = group.strip_prefix(shown).unwrap_or(group).trim_start_matches('/');
    let is_visible = !below.split('/').any(|part| part == "..");
    is_visible.then(|| Path::new(mount.point).join(below))
}

fn may_make_groups(path: &Path) -> bool {
    let trial = path.join(format!("triarch-trial-{}", std::process::id()));
    fs::create_dir(&trial).and_then(|()| fs::remove_dir(&trial)).is_ok()
}

/// Writes to a file that the kernel has made.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let write = || OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    match write() {
        // A limit, or a kill, that is not made for what may pass in a moment.
        Err(error) if launch::is_for_want(&error) => apart(write),
        done => done,
    }
}

/// Makes the group at `path`, unless it is there.
pub(super) fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:7 - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn both_versions_are_found_side_by_side() {
        let cgroups = Cgroups::of(BOTH, "8:pids:/\n4:memory:/box/a\n0::/\n");
        let expected = Cgroups {
            unified: Some("/sys/fs/cgroup/unified/".into()),
            pids: Some("/sys/fs/cgroup/pids/".into()),
            memory: Some("/sys/fs/cgroup/memory/box/a".into()),
            freezer: None,
        };
        assert_eq!(cgroups, expected);
    }

    #[test]
    fn a_mount_that_shows_a_part_is_looked_into_from_there() {
        let mounts = "41 31 0:38 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let unified = |groups| Cgroups::of(mounts, groups).unified;
        assert_eq!(unified("0::/box/a\n"), Some("/sys/fs/cgroup/a".into()));
        assert_eq!(unified("0::/../elsewhere\n"), None);
    }

    #[test]
    fn whoever_writes_a_folder_reaches_groups_that_lie_in_it_or_around_it() {
        let points = points(BOTH);
        assert_eq!(points.len(), 3);
        let reaches = |folder: &str| is_beside_one_of(Path::new(folder), &points);
        for folder in ["/", "/sys", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified/box"] {
            assert!(reaches(folder), "{folder}");
        }
        for folder in ["/srv/me", "/sys/devices", "/sys/fs/cgroup/pids.d"] {
            assert!(!reaches(folder), "{folder}");
        }
    }

    #[test]
    fn where_no_group_may_be_made_there_is_no_ground() {
        let cgroups = Cgroups::of(BOTH, "8:pids:/\n4:memory:/box/a\n0::/\n").where_we_may(|_| false);
        assert_eq!(cgroups, Cgroups::default());
    }
}
