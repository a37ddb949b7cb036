//! The store as a whole: its figures, and what goes in and out of it.

mod arriving;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_memory::{Client, Conflicts, ExchangeError, Exported, Line, Namespace, Refused, RestoreReport};

use super::super::{Code, Operation, Trouble};
use super::{NamespaceSeen, StoreSeen, namespace, open};
use crate::draft::{Draft, Kind, free};
use crate::fleet::Fleet;

/// Shows the namespaces: how they are, and how much they hold.
#[derive(Args, Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MemoryNamespaces {}

impl Operation for MemoryNamespaces {
    const NAME: &'static str = "memory.namespaces";
    type Output = Vec<NamespaceSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<NamespaceSeen>, Trouble> {
        let namespaces = fleet.memory()?.namespaces().into_iter();
        Ok(namespaces.map(NamespaceSeen::from).collect())
    }
}

/// Shows the whole store in figures.
#[derive(Args, Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MemoryStats {}

impl Operation for MemoryStats {
    const NAME: &'static str = "memory.stats";
    type Output = StoreSeen;

    async fn perform(self, fleet: &Fleet) -> Result<StoreSeen, Trouble> {
        Ok(StoreSeen::of(fleet.memory()?))
    }
}

/// Takes a snapshot, so that the next start has less to read.
#[derive(Args, Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MemoryCompact {}

impl Operation for MemoryCompact {
    const NAME: &'static str = "memory.compact";
    type Output = StoreSeen;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<StoreSeen, Trouble> {
        let client = fleet.memory()?;
        client.compact().await?;
        Ok(StoreSeen::of(client))
    }
}

/// Tells entries as lines of JSON.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MemoryExport {
    /// The parts of the store; without any, all.
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    #[serde(default)]
    pub(crate) namespaces: Vec<Namespace>,
}

/// How much was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExportTold {
    pub(crate) entries: u64,
}

/// So many entries, and so many bytes or little more, are told at a time.
const TOLD_AT_ONCE: usize = 256;
const TOLD_BYTES: usize = 1 << 20;

impl Operation for MemoryExport {
    const NAME: &'static str = "memory.export";
    type Output = ExportTold;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(mut self, fleet: &Fleet) -> Result<ExportTold, Trouble> {
        let client = fleet.memory()?;
        if self.namespaces.is_empty() {
            self.namespaces = client.namespaces().into_iter().map(|shown| shown.namespace).collect();
        }
        // One that is not there is told before anything is written.
        for namespace in &self.namespaces {
            open(client, namespace.as_str())?;
        }
        let mut told = ExportTold::default();
        for namespace in &self.namespaces {
            told.entries += export(fleet, client, namespace).await?;
        }
        Ok(told)
    }
}

async fn export(fleet: &Fleet, client: &Client, namespace: &Namespace) -> Result<u64, Trouble> {
    let (drawer, clock) = (open(client, namespace.as_str())?, client.store().clock());
    let (mut after, mut count) = (None, 0);
    loop {
        let page = drawer.list("", after.as_ref(), TOLD_AT_ONCE)?;
        let Some((last, _)) = page.last() else { return Ok(count) };
        after = Some(last.clone());
        let (mut lines, mut bytes) = (Vec::new(), 0);
        for (key, entry) in page {
            bytes += entry.value().len();
            lines.push(line(namespace, &Line::of(key, &entry, clock)));
            count += 1;
            if bytes >= TOLD_BYTES {
                fleet.tell(std::mem::take(&mut lines).into()).await;
                bytes = 0;
            }
        }
        fleet.tell(lines.into()).await;
    }
}

/// A line of a namespace that says which it is.
fn line(namespace: &Namespace, line: &Line) -> Value {
    let mut line = serde_json::to_value(line).unwrap_or_default();
    if let Value::Object(line) = &mut line {
        line.insert("namespace".to_owned(), namespace.as_str().into());
    }
    line
}

/// What becomes of an entry whose key is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Taken {
    /// It takes the place of the one that is there.
    #[default]
    Overwrite,
    /// It is left out.
    Skip,
    /// JSON objects become one, the new fields first; else it takes the place.
    Merge,
    /// It gets a key of its own: `key~1`, `key~2` and so on.
    Rename,
}

impl From<Taken> for Conflicts {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Overwrite => Self::Overwrite,
            Taken::Skip => Self::Skip,
            Taken::Merge => Self::Merge,
            Taken::Rename => Self::Rename,
        }
    }
}

/// What of a file is taken up, and how.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Arriving {
    /// The file.
    pub(crate) file: PathBuf,
    /// What becomes of an entry whose key is taken.
    #[arg(long, value_enum, default_value_t)]
    #[serde(default)]
    pub(crate) conflicts: Taken,
    /// Only tells what would become of them.
    #[arg(long)]
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// Takes up entries from a file of lines of JSON.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryImport {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) arriving: Arriving,
}

impl Operation for MemoryImport {
    const NAME: &'static str = "memory.import";
    type Output = TakenUp;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<TakenUp, Trouble> {
        Box::pin(arriving::import(fleet, &self.arriving)).await
    }
}

/// Takes up a backup.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryRestore {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) arriving: Arriving,
}

impl Operation for MemoryRestore {
    const NAME: &'static str = "memory.restore";
    type Output = TakenUp;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<TakenUp, Trouble> {
        let Arriving {
            file,
            conflicts,
            dry_run,
        } = self.arriving;
        let opened = File::open(&file).map_err(|error| unread(&file, &error))?;
        let restored = fleet.memory()?.restore(opened, conflicts.into(), dry_run).await;
        match restored {
            Ok(report) => Ok(TakenUp::of(report, dry_run)),
            Err(ExchangeError::Midway { fault, taken }) => Err(TakenUp::of(*taken, dry_run).so_far((*fault).into())),
            Err(error) => Err(error.into()),
        }
    }
}

fn unread(file: &Path, error: &io::Error) -> Trouble {
    let message = format!("{} cannot be read: {error}", file.display());
    Trouble::new(Code::Usage, message, "name a file that the runtime may read")
}

/// What was taken up, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakenUp {
    pub(crate) is_dry: bool,
    /// Namespaces that were not there.
    pub(crate) defined: Vec<Namespace>,
    /// Entries by what became of them, in each namespace.
    pub(crate) namespaces: BTreeMap<Namespace, BTreeMap<String, u64>>,
    /// Lines that are no entries, or none that their namespace holds.
    #[serde(default)]
    pub(crate) refused: Refused,
    /// Namespaces into which not all went, each with why.
    #[serde(skip)]
    pub(crate) incomplete: BTreeMap<Namespace, String>,
}

impl TakenUp {
    fn of(report: RestoreReport, is_dry: bool) -> Self {
        let mut taken = Self {
            is_dry,
            defined: report.defined,
            incomplete: report.incomplete,
            ..Self::default()
        };
        for (namespace, counted) in report.namespaces {
            taken.count(namespace, counted);
        }
        taken
    }

    /// What went wrong after that.
    fn so_far(&self, trouble: Trouble) -> Trouble {
        let told = self.namespaces.iter().filter(|(_, fates)| !fates.is_empty());
        let mut told: Vec<_> = told
            .map(|(namespace, fates)| {
                let fates = fates.iter().map(|(fate, count)| format!("{count} {fate}"));
                format!("{} in {namespace}", fates.collect::<Vec<_>>().join(", "))
            })
            .collect();
        if let Some(first) = self.refused.first.first() {
            told.push(format!("{} left out ({first})", self.refused.count));
        }
        let others: Vec<_> = self.incomplete.keys().map(Namespace::as_str).collect();
        let trouble = Trouble {
            message: match others.len() {
                0 | 1 => trouble.message,
                count => format!(
                    "{} (not all went into {count} namespaces: {})",
                    trouble.message,
                    others.join(", ")
                ),
            },
            ..trouble
        };
        if told.is_empty() {
            return trouble;
        }
        let (told, then) = (
            told.join(", "),
            if self.is_dry { "would be, then" } else { "were, then" },
        );
        Trouble {
            message: format!("{told} {then}: {}", trouble.message),
            ..trouble
        }
    }

    fn count(&mut self, namespace: Namespace, counted: Exported) {
        let fates = self.namespaces.entry(namespace).or_default();
        for (fate, count) in [
            ("written", counted.written),
            ("overwritten", counted.overwritten),
            ("merged", counted.merged),
            ("renamed", counted.renamed),
            ("skipped", counted.skipped),
            ("expired", counted.expired),
            ("newer", counted.newer),
        ] {
            if count > 0 {
                *fates.entry(fate.to_owned()).or_default() += count;
            }
        }
    }
}

/// Writes the whole store to a new file, as of one instant, and reads it again.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryBackup {
    /// The new file, or a folder where one is made that is called after the time.
    pub(crate) to: PathBuf,
}

/// A backup that was written, and read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupSeen {
    pub(crate) file: PathBuf,
    pub(crate) entries: u64,
    pub(crate) size_bytes: u64,
}

impl Operation for MemoryBackup {
    const NAME: &'static str = "memory.backup";
    type Output = BackupSeen;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<BackupSeen, Trouble> {
        let client = fleet.memory()?;
        let file = if self.to.is_dir() {
            self.to.join(after_the_time(client))
        } else {
            self.to
        };
        let (draft, opened) = draft(fleet, &file).map_err(|error| unwritten(&file, &error))?;
        let done = client.back_up(opened).await?;
        let placed = tokio::task::spawn_blocking(|| draft.take_free_place()).await;
        let placed = placed.map_err(|error| Trouble::failed(format!("the backup ended early: {error}")))?;
        placed.map_err(|error| unwritten(&file, &error))?;
        Ok(BackupSeen {
            file,
            entries: done.entries,
            size_bytes: done.bytes,
        })
    }
}

/// Half a backup is none, and nobody but its user is to read what namespaces keep from each other.
fn draft(fleet: &Fleet, file: &Path) -> io::Result<(Draft, File)> {
    free(file)?;
    let draft = Draft::of(Kind::Backup, file.to_owned(), 0o600, |text| {
        fleet.ground().complain(text);
    })?;
    let opened = draft.file().try_clone()?;
    Ok((draft, opened))
}

fn after_the_time(client: &Client) -> String {
    let clock = client.store().clock();
    let time = humantime::format_rfc3339_seconds(clock.wall(clock.now())).to_string();
    format!("memory-{}.backup", time.replace(':', "-"))
}

fn unwritten(file: &Path, error: &io::Error) -> Trouble {
    let file = file.display();
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Trouble::new(Code::Refused, format!("{file} is there already"), "name a new file");
    }
    let message = format!("{file} cannot be written: {error}");
    Trouble::new(
        Code::Failed,
        message,
        "name a file in a folder that the runtime may write",
    )
}
