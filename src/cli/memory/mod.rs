//! The verbs of the store.

mod get;
mod put;
mod show;
mod sink;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use triarch_memory::Namespace;

use super::describe::Described;
use super::output::{print, tell};
use super::progress::Bar;
use super::screen::Screen;
use super::{answer, reach};
use crate::complaint::complain;
use crate::operations::memory::{
    MemoryBackup, MemoryCompact, MemoryCount, MemoryDelete, MemoryExists, MemoryExport, MemoryForget, MemoryImport,
    MemoryIncrement, MemoryList, MemoryNamespaces, MemoryRestore, MemoryRetain, MemorySearch, MemoryStats, MemoryWatch,
    SHOWN_MAX, TakenUp, namespace,
};
use crate::operations::{Code, Trouble};
use get::Get;
use put::Put;
pub(super) use show::change_line;
use sink::Sink;

#[derive(Debug, Subcommand)]
pub(super) enum MemoryVerb {
    /// Shows what is under a key.
    Get(Get),
    /// Writes a value under a key.
    Put(Put),
    /// Takes away what is under a key.
    Delete(MemoryDelete),
    /// Adds to a whole number, and shows what it came to.
    Increment(MemoryIncrement),
    /// Tells whether there is something under a key: without, it is exit code 4.
    Exists(MemoryExists),
    /// Counts entries.
    Count(MemoryCount),
    /// Lists entries, in the order of their keys.
    List(MemoryList),
    /// Looks for entries by words, tags, keys, times and sizes, and counts them.
    Search(MemorySearch),
    /// Shows changes as they come, until it is stopped.
    Watch(MemoryWatch),
    /// Shows the namespaces: how they are, and how much they hold.
    Namespaces(MemoryNamespaces),
    /// Shows the whole store in figures.
    Stats(MemoryStats),
    /// Writes entries to a file, a line of JSON each.
    Export(Export),
    /// Takes up entries from a file of lines of JSON.
    Import(MemoryImport),
    /// Writes the whole store to a new file, as of one instant, and reads it again.
    Backup(MemoryBackup),
    /// Takes up a backup.
    Restore(MemoryRestore),
    /// Takes away what the retention of namespaces says, now.
    Retain(MemoryRetain),
    /// Takes a snapshot, so that the next start has less to read.
    Compact(MemoryCompact),
    /// Forgets a part of the store that the description names no more, with all that is in it.
    Forget(MemoryForget),
}

/// What is written, and where to.
#[derive(Args, Debug)]
pub(super) struct Export {
    /// The file, which is replaced once all is there; `-` for the standard output.
    file: PathBuf,
    /// The parts of the store; without any, all.
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    namespaces: Vec<Namespace>,
}

pub(super) fn perform(described: &Described, verb: &MemoryVerb, as_json: bool) -> Result<(), Trouble> {
    match verb {
        MemoryVerb::Get(asked) => asked.perform(described, as_json),
        MemoryVerb::Put(asked) => answer(described, &asked.read()?, as_json),
        MemoryVerb::Delete(asked) => answer(described, asked, as_json),
        MemoryVerb::Increment(asked) => answer(described, asked, as_json),
        MemoryVerb::Exists(asked) => exists(described, asked, as_json),
        MemoryVerb::Count(asked) => answer(described, asked, as_json),
        MemoryVerb::List(asked) => list(described, asked, as_json),
        MemoryVerb::Search(asked) => answer(described, asked, as_json),
        MemoryVerb::Watch(asked) => watch(described, asked, as_json),
        MemoryVerb::Namespaces(asked) => answer(described, asked, as_json),
        MemoryVerb::Stats(asked) => answer(described, asked, as_json),
        MemoryVerb::Export(asked) => export(described, asked),
        MemoryVerb::Import(asked) => import(described, asked, as_json),
        MemoryVerb::Backup(asked) => {
            let to = whole(&asked.to)?;
            answer(described, &MemoryBackup { to }, as_json)
        }
        MemoryVerb::Restore(asked) => {
            let mut asked = asked.clone();
            asked.arriving.file = whole(&asked.arriving.file)?;
            answer(described, &asked, as_json)
        }
        MemoryVerb::Retain(asked) => answer(described, asked, as_json),
        MemoryVerb::Compact(asked) => answer(described, asked, as_json),
        MemoryVerb::Forget(asked) => answer(described, asked, as_json),
    }
}

/// The path as the runtime finds it, which stands in another folder.
fn whole(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(|error| {
        let message = format!("{:?} names no file: {error}", path.display().to_string());
        Trouble::new(Code::Usage, message, "name one")
    })
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Where there is nothing, that is the exit code too.
fn exists(described: &Described, asked: &MemoryExists, as_json: bool) -> Result<(), Trouble> {
    let seen = reach(described)?.ask(asked)?;
    tell(&seen, as_json)?;
    if seen.exists {
        Ok(())
    } else {
        Err(Trouble::silent(Code::NotFound))
    }
}

/// Shows no more than were asked for, and says so where there are more.
fn list(described: &Described, asked: &MemoryList, as_json: bool) -> Result<(), Trouble> {
    let most = asked.most.min(SHOWN_MAX);
    let one_more = MemoryList {
        most: most + 1,
        ..asked.clone()
    };
    let mut entries = reach(described)?.ask(&one_more)?;
    let is_cut = entries.len() > most;
    entries.truncate(most);
    tell(&entries, as_json)?;
    if is_cut {
        let on = entries
            .last()
            .map_or_else(String::new, |last| format!(", or go on with --after {}", last.key));
        complain(&format!("there are more than {most}; raise --most{on}"));
    }
    Ok(())
}

/// Prints changes as they come; as JSON one object each.
fn watch(described: &Described, asked: &MemoryWatch, as_json: bool) -> Result<(), Trouble> {
    let screen = Screen::of_stdout();
    reach(described)?.ask_told(asked, |change| {
        let text = if as_json {
            change.to_string()
        } else {
            change_line(&screen, &change)
        };
        print(&(text + "\n"))
    })
}

/// Writes lines as they come.
fn export(described: &Described, asked: &Export) -> Result<(), Trouble> {
    let mut runtime = reach(described)?;
    let mut to = Sink::of(&asked.file)?;
    let told = runtime.ask_told(
        &MemoryExport {
            namespaces: asked.namespaces.clone(),
        },
        |lines| to.write(&lines),
    )?;
    to.end()?;
    complain(&format!("{} exported", show::entries(told.entries)));
    Ok(())
}

/// What comes by the standard input is laid into a file first: the runtime reads it from there.
fn import(described: &Described, asked: &MemoryImport, as_json: bool) -> Result<(), Trouble> {
    let mut asked = asked.clone();
    let laid = is_standard(&asked.arriving.file).then(lay_down).transpose()?;
    asked.arriving.file = match &laid {
        Some(laid) => laid.path().to_owned(),
        None => whole(&asked.arriving.file)?,
    };
    let mut bar = Bar::of("KiB were read");
    let taken = reach(described)?.ask_told(&asked, |progress| {
        bar.show(&progress);
        Ok(())
    });
    bar.wipe();
    let taken = taken?;
    tell(&taken, as_json)?;
    left_out(&taken)
}

/// Which lines are no entries: each is told, and that is the exit code too.
fn left_out(taken: &TakenUp) -> Result<(), Trouble> {
    let refused = &taken.refused;
    refused.first.iter().for_each(|line| complain(&line.to_string()));
    let more = refused.count - refused.first.len() as u64;
    if more > 0 {
        complain(&format!("{more} more are left out"));
    }
    let others = if taken.is_dry {
        "would be taken up"
    } else {
        "were taken up"
    };
    let (lines, remedy) = match refused.count {
        0 => return Ok(()),
        1 => ("1 line is".to_owned(), "mend it, and import it alone"),
        count => (format!("{count} lines are"), "mend them, and import them alone"),
    };
    let message = format!("{lines} no entry that the store takes, and all others {others}");
    Err(Trouble::new(Code::Usage, message, remedy))
}

fn lay_down() -> Result<tempfile::NamedTempFile, Trouble> {
    let laid = tempfile::NamedTempFile::new().and_then(|mut file| {
        io::copy(&mut io::stdin().lock(), &mut file)?;
        file.flush()?;
        Ok(file)
    });
    laid.map_err(|error| {
        let message = format!("the standard input cannot be laid into a file: {error}");
        Trouble::new(Code::Failed, message, "see the disk of temporary files")
    })
}
