//! The store as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::super::screen::{Screen, Tint, harmless, tame};
use super::super::show::{Show, ago, facts, span};
use super::super::table::{Cell, Columns, table};
use crate::operations::memory::{
    BackupSeen, CountSeen, EntrySeen, ExistsSeen, FoundSeen, Gone, GroupSeen, NamespaceLeft, NamespaceSeen, NumberSeen,
    RetainedSeen, StoreSeen, TakenUp, WrittenSeen,
};

/// So much of a value stands in a line.
const VALUE: usize = 60;

pub(super) fn entries(count: u64) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

/// So many bytes in whole units, rounded down.
fn rounded_size(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}

fn time(millis: Option<u64>) -> String {
    millis.map_or_else(String::new, span)
}

/// The value of an entry, as it is written on the command line.
fn value(entry: &EntrySeen) -> String {
    match &entry.base64 {
        Some(base64) => format!("bytes {base64}"),
        None => entry.value.written(),
    }
}

/// The beginning of a value, in one line.
fn brief(entry: &EntrySeen) -> String {
    let value = harmless(&value(entry)).replace('\t', " ");
    match value.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

impl Show for EntrySeen {
    fn show(&self, screen: &Screen) -> String {
        let tags: Vec<_> = self.tags.iter().map(|tag| &**tag).collect();
        let notes = self.metadata.iter().map(|(name, note)| format!("{name}={note}"));
        facts(
            screen,
            &[
                ("value", tame(screen, value(self))),
                ("version", self.version.to_string()),
                ("owner", self.owner.to_string()),
                (
                    "type",
                    tame(screen, self.kind.as_deref().unwrap_or_default().to_owned()),
                ),
                ("tags", tame(screen, tags.join(", "))),
                ("notes", tame(screen, notes.collect::<Vec<_>>().join(", "))),
                ("made", ago(self.age_ms)),
                ("written", ago(self.written_ago_ms)),
                ("read", ago(self.accessed_ago_ms)),
                ("expires in", time(self.expires_in_ms)),
                ("checksum", self.checksum.clone()),
            ],
        )
    }
}

impl Show for WrittenSeen {
    fn show(&self, _screen: &Screen) -> String {
        let done = match (self.is_deleted, self.existed) {
            (true, _) => "deleted",
            (false, true) => "changed",
            (false, false) => "made",
        };
        format!("{} in {} {done}, version {}\n", self.key, self.namespace, self.version)
    }
}

impl Show for NumberSeen {
    fn show(&self, _screen: &Screen) -> String {
        format!("{}\n", self.number)
    }
}

impl Show for ExistsSeen {
    fn show(&self, _screen: &Screen) -> String {
        let told = if self.exists { "there is" } else { "there is nothing" };
        format!("{told}\n")
    }
}

impl Show for CountSeen {
    fn show(&self, _screen: &Screen) -> String {
        format!("{}\n", self.entries)
    }
}

impl Show for NamespaceLeft {
    fn show(&self, _screen: &Screen) -> String {
        let held = entries(self.entries);
        format!(
            "the namespace {} is forgotten, with {held} in {}\n",
            self.namespace,
            rounded_size(self.size_bytes)
        )
    }
}

impl Show for RetainedSeen {
    fn show(&self, screen: &Screen) -> String {
        if self.namespaces.is_empty() {
            return "no namespace has a retention\n".to_owned();
        }
        let lines: Vec<_> = self
            .namespaces
            .iter()
            .map(|(name, gone)| (name.as_str(), left(gone)))
            .collect();
        facts(screen, &lines) + &dry(screen, self.is_dry)
    }
}

/// What went of a namespace, and by which rules.
fn left(gone: &Gone) -> String {
    let rules = [
        ("max_age", gone.max_age),
        ("unaccessed_for", gone.unaccessed_for),
        ("max_entries", gone.max_entries),
        ("max_size", gone.max_size),
    ];
    let by: Vec<_> = rules
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(rule, count)| format!("{count} by {rule}"))
        .collect();
    if by.is_empty() {
        return "nothing".to_owned();
    }
    format!(
        "{}, {}: {}",
        entries(gone.entries),
        rounded_size(gone.size_bytes),
        by.join(", ")
    )
}

/// That nothing was changed, where that is so.
fn dry(screen: &Screen, is_dry: bool) -> String {
    let line = screen.tint(Tint::Faint, "nothing was changed: that was a dry run");
    if is_dry { line + "\n" } else { String::new() }
}

impl Show for Vec<EntrySeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return "there are none\n".to_owned();
        }
        table(screen, ENTRIES, self.iter().map(row))
    }
}

const ENTRIES: Columns<6> = Columns {
    heads: ["namespace", "key", "version", "written", "owner", "value"],
    spare: &["written", "version", "namespace", "owner"],
};

fn row(entry: &EntrySeen) -> [Cell<'_>; 6] {
    [
        entry.namespace.as_str().into(),
        entry.key.as_str().into(),
        Cell::number(Some(entry.version)),
        Cell::number(Some(span(entry.written_ago_ms))),
        (&*entry.owner).into(),
        brief(entry).into(),
    ]
}

impl Show for FoundSeen {
    fn show(&self, screen: &Screen) -> String {
        let mut text = String::new();
        if !self.entries.is_empty() || self.groups.is_empty() {
            text = self.entries.show(screen);
        }
        text.push_str(&self.groups.show(screen));
        let shown = self.entries.len() as u64;
        if shown < self.matched {
            let line = format!("{shown} of {}", entries(self.matched));
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Faint, &line));
        }
        for cut in &self.cuts {
            let line = format!("there may be more: {cut}");
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Poor, &line));
        }
        text
    }
}

impl Show for Vec<GroupSeen> {
    fn show(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return String::new();
        }
        table(screen, GROUPS, self.iter().map(group_row))
    }
}

const GROUPS: Columns<3> = Columns {
    heads: ["group", "entries", "size"],
    spare: &[],
};

fn group_row(group: &GroupSeen) -> [Cell<'_>; 3] {
    let name = if group.name.is_empty() { "(none)" } else { &group.name };
    [
        harmless(name).into(),
        Cell::number(Some(group.entries)),
        Cell::number(Some(rounded_size(group.size_bytes))),
    ]
}

impl Show for Vec<NamespaceSeen> {
    fn show(&self, screen: &Screen) -> String {
        table(screen, NAMESPACES, self.iter().map(namespace_row))
    }
}

const NAMESPACES: Columns<7> = Columns {
    heads: ["namespace", "durability", "entries", "size", "full", "team", "access"],
    spare: &["access", "size", "durability", "team"],
};

fn namespace_row(seen: &NamespaceSeen) -> [Cell<'_>; 7] {
    let share = |of: u64, most: u64| of.saturating_mul(100) / most.max(1);
    let full = share(seen.entries, seen.entries_max).max(share(seen.size_bytes, seen.size_bytes_max));
    let access = |verb: &str| seen.access.get(verb).cloned().unwrap_or_default();
    [
        seen.namespace.as_str().into(),
        (&*seen.durability).into(),
        Cell::number(Some(seen.entries)),
        Cell::number(Some(rounded_size(seen.size_bytes))),
        Cell::number(Some(format!("{full} %"))),
        seen.team.as_deref().unwrap_or_default().into(),
        ["read", "write", "delete"].map(access).join(" ").into(),
    ]
}

impl Show for StoreSeen {
    fn show(&self, screen: &Screen) -> String {
        let mut text = facts(
            screen,
            &[
                ("namespaces", self.namespaces.to_string()),
                ("entries", self.entries.to_string()),
                ("size", rounded_size(self.size_bytes)),
                ("indexes", rounded_size(self.index_bytes)),
                ("refused", self.refused.to_string()),
            ],
        );
        for refusal in &self.refusals {
            let line = format!("{}: {}", ago(refusal.ago_ms), refusal.told());
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Faint, &line));
        }
        if let Some(why) = &self.closed {
            let line = format!("nothing durable is written: {why}");
            let _infallible = writeln!(text, "{}", screen.tint(Tint::Bad, &line));
        }
        text
    }
}

impl Show for TakenUp {
    fn show(&self, screen: &Screen) -> String {
        if self.namespaces.is_empty() {
            return "there was nothing to take up\n".to_owned();
        }
        let fates = |fates: &BTreeMap<String, u64>| {
            let told: Vec<_> = fates.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
            if told.is_empty() {
                "nothing".to_owned()
            } else {
                told.join(", ")
            }
        };
        let lines: Vec<_> = self
            .namespaces
            .iter()
            .map(|(name, counted)| (name.as_str(), fates(counted)))
            .collect();
        facts(screen, &lines) + &dry(screen, self.is_dry)
    }
}

impl Show for BackupSeen {
    fn show(&self, _screen: &Screen) -> String {
        format!(
            "{} in {}, {}\n",
            entries(self.entries),
            self.file.display(),
            rounded_size(self.size_bytes)
        )
    }
}

/// A change that somebody watched for.
pub(in crate::cli) fn change_line(screen: &Screen, change: &Value) -> String {
    let text = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default();
    if let Some(missed) = change.get("missed") {
        return screen.tint(Tint::Bad, &format!("{missed} changes were missed; list anew"));
    }
    let what = text("change");
    if what == "over" {
        return screen.tint(Tint::Bad, "nothing more is told");
    }
    let tint = if what == "put" { Tint::Good } else { Tint::Poor };
    let entry = change.get("entry").cloned().map(serde_json::from_value::<EntrySeen>);
    let value = match entry {
        Some(Ok(entry)) => brief(&entry),
        _ => String::new(),
    };
    let line = format!("{} {} {value}", screen.tint(tint, what), text("key"));
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal_and_goes_elsewhere_as_it_is() {
        let mut entry = crate::cli::samples::entries().remove(0);
        entry.value = serde_json::from_value("one\u{1b}]0;x\u{7}\ntwo".into()).unwrap();
        entry.tags = [std::sync::Arc::from("a\u{1b}b")].into();
        let shown = entry.show(&Screen::terminal());
        assert!(
            !shown.contains(['\u{1b}', '\u{7}']) && shown.contains("one ]0;x \ntwo"),
            "{shown:?}"
        );
        let piped = entry.show(&Screen::plain(None));
        assert!(
            piped.contains("one\u{1b}]0;x\u{7}\ntwo") && piped.contains("a\u{1b}b"),
            "{piped:?}"
        );
    }

    #[test]
    fn amounts_of_bytes_are_short() {
        assert_eq!([7, 20_480, 30 << 20].map(rounded_size), ["7 B", "20 KiB", "30 MiB"]);
    }
}
