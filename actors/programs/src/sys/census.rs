//! All processes of the machine at one moment, and who of them belongs together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::looks;
use super::reading::{self, Reader, Shown, if_there};
use super::seen::Seen;
use super::tag::VARIABLE;
use super::ties::Ties;

/// A process of an agent: the program itself or one that it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessView {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// The name of its program, as the kernel keeps it: 15 bytes.
    pub command: String,
    /// The time of the processor that it has used.
    pub cpu: Duration,
    /// Its resident memory.
    pub memory_bytes: u64,
    /// R running, S sleeping, D waiting for a device, T stopped, Z ended.
    pub state: char,
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
    pub(super) state: char,
    pub(super) threads: u64,
    /// When it began, in ticks since the machine did: with the number, this names one process for good.
    pub(super) began: u64,
    pub(super) command: String,
    ticks: u64,
    pages: u64,
    pub(super) uid: Option<u32>,
    pub(super) tag: Option<String>,
    /// The text of its `/proc/…/cgroup`, where it was asked for.
    pub(super) groups: Option<String>,
}

/// One process, for good: its number and when it began.
pub(super) type Identity = (i32, u64);

/// All processes at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    pub(super) entries: BTreeMap<i32, Entry>,
    /// When it was begun, where everybody is in it: who was there then and is not in it has ended.
    whole_since: Option<Instant>,
    ties: OnceLock<Ties>,
}

/// From whom it is told who else belongs to a program.
pub(super) struct Roots<'a> {
    /// Whether a tag is theirs.
    pub(super) is_tag: &'a dyn Fn(&str) -> bool,
    /// Whether a text of control groups names theirs.
    pub(super) is_group: &'a dyn Fn(&str) -> bool,
    /// Who is in their control groups.
    pub(super) inmates: &'a BTreeSet<i32>,
    /// Who was seen to belong to them.
    pub(super) seen: &'a Seen,
}

/// Whose control groups are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// Only those of this process's own ended children, who show nothing else.
    OfOrphans,
    /// Everybody's.
    OfAll,
}

impl Entry {
    pub(super) fn identity(&self) -> Identity {
        (self.pid, self.began)
    }

    /// Whether anything of it still runs. The first thread may have ended before the others.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }

    /// From the text of `/proc/…/stat`.
    pub(super) fn of_stat(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(" (")?;
        let (command, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let signed = |at: usize| fields.get(at)?.parse::<i32>().ok();
        Some(Self {
            pid: pid.parse().ok()?,
            command: command.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: signed(1)?,
            session: signed(3)?,
            ticks: number(11)?.saturating_add(number(12)?),
            threads: number(17)?,
            began: number(19)?,
            pages: number(21)?,
            ..Self::default()
        })
    }

    /// The process that has this number now, if one has.
    pub(super) fn of_pid(pid: i32) -> io::Result<Option<Self>> {
        Self::read_by(&reading::of_process, pid)
    }

    fn read_by(read: Reader<'_>, pid: i32) -> io::Result<Option<Self>> {
        let stat = if_there(read(pid, "stat"))?;
        Ok(stat.and_then(|stat| Self::of_stat(&text(&stat))))
    }

    fn complete(mut self, read: Reader<'_>, groups: Groups, own: i32) -> io::Result<Self> {
        if self.is_alive()
            && let Some(environment) = if_there(read(self.pid, "environ"))?
        {
            (self.uid, self.tag) = (Some(environment.uid), tag_in(&environment.bytes));
        }
        let is_orphan = self.parent == own && !self.is_alive();
        if groups == Groups::OfAll || is_orphan {
            self.groups = if_there(read(self.pid, "cgroup"))?.map(|groups| text(&groups));
        }
        Ok(self)
    }

    pub(super) fn shown(&self) -> ProcessView {
        let per_second = rustix::param::clock_ticks_per_second();
        ProcessView {
            pid: self.pid,
            parent: self.parent,
            command: self.command.clone(),
            cpu: Duration::from_millis(self.ticks.saturating_mul(1000) / per_second.max(1)),
            memory_bytes: self.pages.saturating_mul(rustix::param::page_size() as u64),
            state: self.state,
        }
    }
}

impl Census {
    /// Looks at every process there is.
    pub(super) fn take(groups: Groups) -> io::Result<Self> {
        looks::one();
        let (mut pids, begun) = (Vec::new(), Instant::now());
        for entry in fs::read_dir("/proc")? {
            pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
        }
        Ok(Self {
            whole_since: Some(begun),
            ..Self::read_by(&reading::of_process, pids, groups)?
        })
    }

    /// Looks at these processes, and at those that lead their sessions; who has ended meanwhile is nobody.
    pub(super) fn of(pids: impl IntoIterator<Item = i32>, groups: Groups) -> io::Result<Self> {
        Self::with_leaders(&reading::of_process, pids, groups)
    }

    /// Without a session's leader it is not known whether he has ended, and his number may be another's.
    fn with_leaders(read: Reader<'_>, pids: impl IntoIterator<Item = i32>, groups: Groups) -> io::Result<Self> {
        let mut census = Self::read_by(read, pids, groups)?;
        let sessions: BTreeSet<_> = census.entries.values().map(|entry| entry.session).collect();
        let leaders = sessions.into_iter().filter(|pid| !census.entries.contains_key(pid));
        let leaders = Self::read_by(read, leaders.collect::<Vec<_>>(), groups)?;
        census.entries.extend(leaders.entries);
        Ok(census)
    }

    /// One who could not be looked at may be anybody, so there is no census without him.
    fn read_by(read: Reader<'_>, pids: impl IntoIterator<Item = i32>, groups: Groups) -> io::Result<Self> {
        let own = own_pid();
        let mut entries = BTreeMap::new();
        for pid in pids {
            if let Some(entry) = Entry::read_by(read, pid)? {
                entries.insert(entry.pid, entry.complete(read, groups, own)?);
            }
        }
        Ok(Self {
            entries,
            ..Self::default()
        })
    }

    /// Forgets who has ended and leads no session any more: his number may be another's soon, or is.
    pub(super) fn prune(&self, seen: &mut Seen) {
        let Some(begun) = self.whole_since else { return };
        let goes_on = |session| !self.ties().of_session(session).is_empty();
        seen.look_through(begun, |pid| self.identity_of(pid), goes_on);
    }

    /// Who has this number.
    pub(super) fn identity_of(&self, pid: i32) -> Option<Identity> {
        self.entries.get(&pid).map(Entry::identity)
    }

    /// How many threads a user has.
    pub(super) fn threads_of(&self, user: u32) -> u64 {
        let own = self.entries.values().filter(|entry| entry.uid == Some(user));
        own.map(|entry| entry.threads).sum()
    }

    /// Who belongs to `roots`: they, who is in a session that one of them led, and all their descendants; never this
    /// process or one it descends from. It looks at nobody else.
    pub(super) fn kin(&self, roots: &Roots<'_>) -> Vec<&Entry> {
        let ties = self.ties();
        let led = roots
            .seen
            .pids()
            .filter(|session| self.was_led_by(*session, roots.seen));
        let led = led.flat_map(|session| ties.of_session(session).iter().copied());
        let mut to_come: Vec<i32> = self.roots(roots, ties).chain(led).collect();
        let mut kin = BTreeSet::new();
        while let Some(pid) = to_come.pop() {
            if !ties.spared.contains(&pid) && kin.insert(pid) {
                to_come.extend(ties.children_of(pid).iter().chain(ties.of_session(pid)));
            }
        }
        kin.iter().filter_map(|pid| self.entries.get(pid)).collect()
    }

    fn roots<'a>(&'a self, roots: &'a Roots<'_>, ties: &'a Ties) -> impl Iterator<Item = i32> + 'a {
        let is_ours = |pid: &i32| {
            let entry = self.entries.get(pid);
            entry.is_some_and(|entry| entry.uid.is_none_or(may_be_ours))
        };
        let tagged = ties.by_tag.iter().filter(|(tag, _)| (roots.is_tag)(tag));
        let tagged = tagged.flat_map(|(_, pids)| pids).copied().filter(is_ours);
        let grouped = ties.grouped.iter().copied().filter(|pid| {
            let groups = self.entries.get(pid).and_then(|entry| entry.groups.as_deref());
            groups.is_some_and(|groups| (roots.is_group)(groups))
        });
        let is_seen = |pid: &i32| self.identity_of(*pid).is_some_and(|identity| roots.seen.has(identity));
        let known = roots
            .inmates
            .iter()
            .copied()
            .filter(|pid| self.entries.contains_key(pid));
        tagged
            .chain(grouped)
            .chain(known)
            .chain(roots.seen.pids().filter(is_seen))
    }

    /// Who stands to whom how: found out once, for all who ask.
    fn ties(&self) -> &Ties {
        self.ties.get_or_init(|| Ties::of(&self.entries))
    }

    /// Whether somebody who was seen, and has ended, led this session. While it has members no other process gets its
    /// number; whoever has that number and began later leads a session of his own.
    fn was_led_by(&self, session: i32, seen: &Seen) -> bool {
        let leader = self.entries.get(&session);
        seen.leader_of(session)
            .is_some_and(|began| leader.is_none_or(|leader| leader.began == began))
    }
}

/// The numbers of this process's children, of all of its threads.
pub(super) fn children() -> Vec<i32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let listed = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| {
        list.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect::<Vec<i32>>()
    };
    listed.flat_map(numbers).collect()
}

pub(super) fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Whether a process of this user can have been started by this one, which gives nobody another user.
fn may_be_ours(uid: u32) -> bool {
    let own = rustix::process::geteuid();
    own.is_root() || own.as_raw() == uid
}

fn text(shown: &Shown) -> String {
    String::from_utf8_lossy(&shown.bytes).into_owned()
}

fn tag_in(environment: &[u8]) -> Option<String> {
    environment.split(|byte| *byte == 0).find_map(|pair| {
        let value = pair.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::sys) fn process(pid: i32, parent: i32, session: i32) -> Entry {
        Entry {
            pid,
            parent,
            session,
            state: 'S',
            threads: 1,
            began: u64::from(pid.unsigned_abs()),
            ..Entry::default()
        }
    }

    pub(in crate::sys) fn census(entries: impl IntoIterator<Item = Entry>) -> Census {
        Census {
            entries: entries.into_iter().map(|entry| (entry.pid, entry)).collect(),
            whole_since: Some(Instant::now()),
            ..Census::default()
        }
    }

    /// Who leads a session, and began then.
    pub(in crate::sys) fn leader((pid, began): Identity) -> Entry {
        Entry {
            began,
            ..process(pid, 1, pid)
        }
    }

    fn kin(census: &Census, inmates: &[i32], seen: &[Identity]) -> Vec<i32> {
        let seen: Vec<_> = seen.iter().copied().map(leader).collect();
        kin_of(census, inmates, &Seen::of(&seen))
    }

    pub(in crate::sys) fn kin_of(census: &Census, inmates: &[i32], seen: &Seen) -> Vec<i32> {
        let roots = Roots {
            is_tag: &|tag| tag == "ours",
            is_group: &|groups| groups.contains("/ours"),
            inmates: &inmates.iter().copied().collect(),
            seen,
        };
        census.kin(&roots).iter().map(|entry| entry.pid).collect()
    }

    fn tagged(entry: Entry, tag: &str) -> Entry {
        Entry {
            tag: Some(tag.to_owned()),
            ..entry
        }
    }

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let text = "42 (a ) b (c) R 7 41 40 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 3 0 9000 1000 12 18446744073709551615";
        let entry = Entry::of_stat(text).unwrap();
        assert_eq!((entry.pid, entry.parent, entry.session), (42, 7, 40));
        assert_eq!((entry.command.as_str(), entry.state), ("a ) b (c", 'R'));
        assert_eq!(
            (entry.ticks, entry.threads, entry.began, entry.pages),
            (300, 3, 9000, 12)
        );
        assert_eq!(Entry::of_stat("42 (a"), None);
    }

    #[test]
    fn descendants_belong_to_the_tagged_however_far() {
        let all = census([
            tagged(process(10, 2, 10), "ours"),
            process(11, 10, 11),
            process(12, 11, 12),
            tagged(process(20, 2, 20), "theirs"),
            process(21, 20, 20),
        ]);
        assert_eq!(kin(&all, &[], &[]), [10, 11, 12]);
    }

    #[test]
    fn a_control_group_names_those_that_nothing_else_shows() {
        let ended = Entry {
            groups: Some("0::/ours/a".to_owned()),
            state: 'Z',
            ..process(31, 1, 31)
        };
        assert_eq!(kin(&census([process(30, 1, 30), ended]), &[30], &[]), [30, 31]);
    }

    #[test]
    fn a_session_outlives_its_leader_but_not_his_number() {
        let orphan = process(41, 1, 40);
        assert_eq!(kin(&census([orphan.clone()]), &[], &[(40, 40)]), [41]);
        assert_eq!(
            kin(&census([orphan.clone(), process(40, 1, 40)]), &[], &[(40, 7)]),
            [0; 0]
        );
        assert_eq!(kin(&census([orphan]), &[], &[]), [0; 0]);
    }

    #[test]
    fn whoever_was_seen_is_known_again_unless_the_number_is_anothers() {
        let all = census([process(50, 1, 50), process(51, 50, 51)]);
        assert_eq!(kin(&all, &[], &[(50, 50)]), [50, 51]);
        assert_eq!(kin(&all, &[], &[(50, 49)]), [0; 0]);
    }

    #[test]
    fn this_process_and_those_above_it_are_never_kin() {
        let own = own_pid();
        let all = census([
            tagged(process(60, 1, 60), "ours"),
            tagged(process(own, 60, 60), "ours"),
            process(61, 60, 60),
        ]);
        assert_eq!(kin(&all, &[], &[]), [0; 0]);
        assert_eq!(kin(&all, &[own], &[]), [0; 0]);
    }

    const LIVES: &str = "1 1 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 9000 1000 12";

    /// Reads of a machine with a process 5, which is ours by its environment, except for `what`, which fails.
    fn failing(pid: i32, what: &str, number: i32) -> impl Fn(i32, &str) -> io::Result<Shown> + '_ {
        move |asked, name| {
            let bytes = match name {
                _ if (asked, name) == (pid, what) => return Err(io::Error::from_raw_os_error(number)),
                "stat" => format!("{asked} (program) S 1 {LIVES}"),
                "environ" if asked == 5 => "TRIARCH_TAG=ours".to_owned(),
                _ => String::new(),
            };
            Ok(Shown {
                bytes: bytes.into_bytes(),
                uid: 0,
            })
        }
    }

    #[test]
    fn whoever_could_not_be_looked_at_has_not_ended() {
        let look = |what, number| {
            let census = Census::read_by(&failing(5, what, number), [5, 6], Groups::OfAll);
            census.map(|census| census.entries.into_keys().collect::<Vec<_>>())
        };
        for what in ["stat", "environ", "cgroup"] {
            for number in [libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
                assert_eq!(look(what, number).unwrap_err().raw_os_error(), Some(number), "{what}");
            }
        }
        assert_eq!(look("stat", libc::ESRCH).unwrap(), [6]);
        assert_eq!(look("stat", libc::EPERM).unwrap(), [6]);
        assert_eq!(look("environ", libc::EACCES).unwrap(), [5, 6]);
        let all = Census::read_by(&failing(0, "", 0), [5, 6], Groups::OfAll).unwrap();
        assert_eq!(kin(&all, &[], &[]), [5]);
    }

    #[test]
    fn with_some_of_a_session_its_leader_is_looked_at() {
        let read = |asked: i32, name: &str| {
            let bytes = match (asked, name) {
                (70, "stat") => format!("70 (stranger) S 1 70 70 {}", &LIVES[4..]).into_bytes(),
                (_, "stat") => format!("{asked} (program) S 1 70 70 {}", &LIVES[4..]).into_bytes(),
                _ => Vec::new(),
            };
            Ok(Shown { bytes, uid: 0 })
        };
        let some = Census::with_leaders(&read, [71, 72], Groups::OfOrphans).unwrap();
        assert_eq!(some.entries.keys().copied().collect::<Vec<_>>(), [70, 71, 72]);
        assert_eq!(kin(&some, &[], &[(70, 70)]), [0; 0], "another has the number");
        assert_eq!(kin(&some, &[], &[(70, 9000)]), [70, 71, 72]);
    }

    #[test]
    fn the_tag_is_read_from_anywhere_in_an_environment() {
        assert_eq!(tag_in(b"A=1\0TRIARCH_TAG=x:y:1\0B=2\0"), Some("x:y:1".to_owned()));
        assert_eq!(tag_in(b"XTRIARCH_TAG=x\0TRIARCH_TAGS=y\0"), None);
    }

    #[test]
    fn a_process_lives_as_long_as_one_of_its_threads() {
        let ended = |threads| Entry {
            state: 'Z',
            threads,
            ..Entry::default()
        };
        assert!(!ended(1).is_alive());
        assert!(ended(2).is_alive());
    }
}
