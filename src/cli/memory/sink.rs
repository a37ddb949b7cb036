//! Where exported lines go.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::output::unwritten;
use super::is_standard;
use crate::complaint::complain;
use crate::draft::{Draft, Kind, folder_of};
use crate::operations::{Code, Trouble};

/// So many links lead on to one another at most.
const LINKS_MAX: usize = 40;

/// Where lines go: a file has all of them, or stays what it was.
pub(super) struct Sink<'a> {
    path: &'a Path,
    to: To,
}

enum To {
    /// The standard output, or what is no plain file, such as a pipe.
    At(Box<dyn Write>),
    /// A file beside that one, whose place it takes.
    Beside(BufWriter<Draft>),
}

impl<'a> Sink<'a> {
    pub(super) fn of(path: &'a Path) -> Result<Self, Trouble> {
        let to = if is_standard(path) {
            Ok(To::At(Box::new(BufWriter::new(io::stdout()))))
        } else {
            To::file(path)
        };
        let to = to.map_err(|error| not_opened(path, &error))?;
        Ok(Self { path, to })
    }

    pub(super) fn write(&mut self, lines: &Value) -> Result<(), Trouble> {
        let to: &mut dyn Write = match &mut self.to {
            To::At(to) => to,
            To::Beside(to) => to,
        };
        let mut lines = lines.as_array().into_iter().flatten();
        let written = lines.try_for_each(|line| writeln!(to, "{line}"));
        written.map_err(|error| unfinished(self.path, &error))
    }

    /// All is there.
    pub(super) fn end(self) -> Result<(), Trouble> {
        let ended = match self.to {
            To::At(mut to) => to.flush(),
            To::Beside(to) => take_place(to),
        };
        ended.map_err(|error| unfinished(self.path, &error))
    }
}

impl To {
    fn file(path: &Path) -> io::Result<Self> {
        // What a link leads to is written, and the link stays.
        let place = led_to(path)?;
        let there = fs::metadata(&place).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let opened = fs::OpenOptions::new().write(true).open(&place)?;
            return Ok(Self::At(Box::new(BufWriter::new(opened))));
        }
        if there.is_some() {
            // Whoever may not write the file does not replace it either.
            fs::OpenOptions::new().append(true).open(&place)?;
        }
        // What the runtime keeps to itself, and may keep sealed, stands open there.
        let draft = Draft::of(Kind::Export, place, 0o600, complain)?;
        if let Some(there) = there {
            draft.file().set_permissions(there.permissions())?;
        }
        Ok(Self::Beside(BufWriter::new(draft)))
    }
}

/// Where links lead, whether there is something or not.
fn led_to(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::canonicalize(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            led => return led,
        }
        let Ok(next) = fs::read_link(&place) else {
            return Ok(place);
        };
        place = folder_of(&place).join(next);
    }
    Err(io::Error::other("its links lead on and on"))
}

fn take_place(to: BufWriter<Draft>) -> io::Result<()> {
    let draft = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    draft.take_place()
}

/// What is wrong with a file before anything is written to it.
fn not_opened(path: &Path, error: &io::Error) -> Trouble {
    let shown = path.display();
    let (message, remedy) = match error.kind() {
        ErrorKind::NotFound => (missing(path), "make that folder, or name a file in another"),
        ErrorKind::IsADirectory => (format!("{shown} is a folder"), "name a file in it"),
        ErrorKind::PermissionDenied => (
            format!("{shown}, or its folder, may not be written"),
            "name a file in a folder that you may write",
        ),
        _ => (
            format!("{shown} cannot be written: {error}"),
            "name a file that can be written",
        ),
    };
    Trouble::new(Code::Failed, message, remedy)
}

/// Which folder is not there.
fn missing(path: &Path) -> String {
    let place = led_to(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(&place).display();
    if path.is_symlink() {
        format!(
            "{} leads to {}, and there is no folder {folder}",
            path.display(),
            place.display()
        )
    } else {
        format!("there is no folder {folder}")
    }
}

fn unfinished(path: &Path, error: &io::Error) -> Trouble {
    if is_standard(path) {
        return unwritten(error);
    }
    if error.kind() == ErrorKind::ResourceBusy {
        let message = format!("{} is mounted there, and cannot be replaced", path.display());
        let remedy = "export to another file, or to `-` and write that into it";
        return Trouble::new(Code::Failed, message, remedy);
    }
    let message = format!("{} cannot be written to its end: {error}", path.display());
    Trouble::new(Code::Failed, message, "see its disk")
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_what_it_was_until_all_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all");
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let read = || fs::read_to_string(&path).unwrap();
        let mut sink = Sink::of(&path).unwrap();
        sink.write(&json!([{ "key": "a" }])).unwrap();
        assert_eq!(read(), "before");
        drop(sink);
        assert_eq!(
            (read(), fs::read_dir(&folder).unwrap().count()),
            ("before".to_owned(), 1)
        );
        let mut sink = Sink::of(&path).unwrap();
        sink.write(&json!([{ "key": "a" }, { "key": "b" }])).unwrap();
        sink.end().unwrap();
        assert_eq!(read(), "{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o640);
        let other = folder.path().join("other");
        Sink::of(&other).unwrap().end().unwrap();
        assert_eq!(mode(&other), 0o600, "nobody else may read what nobody has opened");
    }

    #[test]
    fn what_is_no_plain_file_and_what_a_link_leads_to_is_written_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        fs::write(&target, "before").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for path in [&link, Path::new("/dev/null")] {
            let mut sink = Sink::of(path).unwrap();
            sink.write(&json!([{}])).unwrap();
            sink.end().unwrap();
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "{}\n");
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_link_to_what_is_not_there_stays_and_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("second", at("first")).unwrap();
        std::os::unix::fs::symlink(at("target"), at("second")).unwrap();
        let first = at("first");
        let mut sink = Sink::of(&first).unwrap();
        sink.write(&json!([{}])).unwrap();
        sink.end().unwrap();
        assert!(at("first").is_symlink() && at("second").is_symlink());
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "{}\n");
    }

    #[test]
    fn what_cannot_be_written_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("no/such", at("lost")).unwrap();
        std::os::unix::fs::symlink("round", at("round")).unwrap();
        for (name, says) in [
            ("no/file", ["there is no folder ", "/no; make that folder"]),
            ("lost", ["lost leads to ", "/no; make that folder"]),
            ("round", ["round cannot be written: ", "name a file"]),
            (".", [" is a folder", "name a file in it"]),
        ] {
            let told = Sink::of(&at(name)).err().unwrap().told();
            assert!(says.iter().all(|part| told.contains(part)), "{name}: {told}");
        }
        assert_eq!(names(&folder), ["lost", "round"]);
        let busy = unfinished(&at("all"), &io::Error::from(ErrorKind::ResourceBusy)).told();
        assert!(busy.contains("/all is mounted there"), "{busy}");
    }

    #[test]
    fn drafts_that_nobody_writes_any_more_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".triarch-export-dead", "triarch-export-mine", ".triarch-export"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::create_dir(at(".triarch-export-folder")).unwrap();
        let (other, all) = (at("other"), at("all"));
        let living = Sink::of(&other).unwrap();
        assert_eq!(names(&folder).len(), 4, "the dead is gone, and the living there");
        let sink = Sink::of(&all).unwrap();
        assert_eq!(names(&folder).len(), 5);
        living.end().unwrap();
        sink.end().unwrap();
        let left = [
            ".triarch-export",
            ".triarch-export-folder",
            "all",
            "other",
            "triarch-export-mine",
        ];
        assert_eq!(names(&folder), left);
    }

    #[test]
    fn exports_to_one_folder_at_once_all_come_to_their_end() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..4 {
                let path = folder.path().join(format!("all{number}"));
                scope.spawn(move || {
                    for _ in 0..100 {
                        let mut sink = Sink::of(&path).unwrap();
                        sink.write(&json!([{ "key": "a" }])).unwrap();
                        sink.end().unwrap();
                    }
                });
            }
        });
        assert_eq!(names(&folder), ["all0", "all1", "all2", "all3"]);
    }
}
