//! Where exported lines go.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::super::output::unwritten;
use super::is_standard;
use crate::operations::{Code, Trouble};

/// Where lines go: a file has all of them, or stays what it was.
pub(super) struct Sink<'a> {
    path: &'a Path,
    to: To,
}

enum To {
    /// The standard output, or what is no plain file, such as a pipe.
    At(Box<dyn Write>),
    /// A file beside that one, whose place it takes.
    Beside(BufWriter<NamedTempFile>, PathBuf),
}

impl<'a> Sink<'a> {
    pub(super) fn of(path: &'a Path) -> Result<Self, Trouble> {
        let to = if is_standard(path) {
            Ok(To::At(Box::new(BufWriter::new(io::stdout()))))
        } else {
            To::file(path)
        };
        let to = to.map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            Trouble::new(Code::Failed, message, "name a file that can be written")
        })?;
        Ok(Self { path, to })
    }

    pub(super) fn write(&mut self, lines: &Value) -> Result<(), Trouble> {
        let to: &mut dyn Write = match &mut self.to {
            To::At(to) => to,
            To::Beside(to, _) => to,
        };
        let mut lines = lines.as_array().into_iter().flatten();
        let written = lines.try_for_each(|line| writeln!(to, "{line}"));
        written.map_err(|error| unfinished(self.path, &error))
    }

    /// All is there.
    pub(super) fn end(self) -> Result<(), Trouble> {
        let ended = match self.to {
            To::At(mut to) => to.flush(),
            To::Beside(to, place) => take_place(to, &place),
        };
        ended.map_err(|error| unfinished(self.path, &error))
    }
}

impl To {
    fn file(path: &Path) -> io::Result<Self> {
        // What a link leads to is written, and the link stays.
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let there = fs::metadata(&place).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let opened = fs::OpenOptions::new().write(true).open(&place)?;
            return Ok(Self::At(Box::new(BufWriter::new(opened))));
        }
        if there.is_some() {
            // Whoever may not write the file does not replace it either.
            fs::OpenOptions::new().append(true).open(&place)?;
        }
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = tempfile::Builder::new()
            .prefix(".triarch-export-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        if let Some(there) = there {
            beside.as_file().set_permissions(there.permissions())?;
        }
        Ok(Self::Beside(BufWriter::new(beside), place))
    }
}

fn take_place(to: BufWriter<NamedTempFile>, place: &Path) -> io::Result<()> {
    let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(place)?;
    Ok(())
}

fn unfinished(path: &Path, error: &io::Error) -> Trouble {
    if is_standard(path) {
        return unwritten(error);
    }
    let message = format!("{} cannot be written to its end: {error}", path.display());
    Trouble::new(Code::Failed, message, "see its disk")
}

#[cfg(test)]
mod tests {
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
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
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
}
