//! Files of lines, bounded in size and number: for logs and whatever else only grows.
//!
//! ```text
//!   lines ──▶ <name> ──full──▶ <name>.1 ──▶ <name>.2 ──▶ gone
//! ```
//!
//! Whoever writes may be killed in the middle of a line, and the disk may be full in the middle of one. Such a line is ended
//! before the next is written, and readers pass it over.

use std::fs::{DirBuilder, File, OpenOptions, rename};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The size at which a file makes way for a new one.
    pub file_bytes: u64,
    /// How many files there are, the newest among them.
    pub files: usize,
}

/// A file of lines and the older ones that made way for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFile {
    newest: PathBuf,
    bounds: Bounds,
}

/// The disk took less than all.
#[derive(Debug, thiserror::Error)]
#[error("{} takes no more lines; see its disk", path.display())]
pub struct Refused {
    /// How many bytes of the text were taken, all of them whole lines.
    pub taken: usize,
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub why: io::Error,
}

/// One of the files, to be read.
#[derive(Debug)]
pub struct Piece {
    /// Tells it from the others under whatever name it is.
    pub number: u64,
    /// The file itself.
    pub file: File,
}

impl LineFile {
    /// Whose newest lines are to stand in `newest`. Nothing is touched yet.
    pub fn new(newest: PathBuf, bounds: Bounds) -> Self {
        Self { newest, bounds }
    }

    /// Where the newest lines stand.
    pub fn newest(&self) -> &Path {
        &self.newest
    }

    /// The file that is `age` files older than the newest.
    pub fn older(&self, age: usize) -> PathBuf {
        if age == 0 {
            return self.newest.clone();
        }
        let mut name = self.newest.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }

    /// Adds whole lines. `parting` is told of a file whose lines are about to go.
    pub fn append(&self, text: &[u8], mut parting: impl FnMut(&Path)) -> Result<(), Refused> {
        let mut taken = 0;
        while taken < text.len() {
            let added = self.add_some(&text[taken..], &mut parting);
            taken += added.map_err(|why| Refused {
                taken,
                path: self.newest.clone(),
                why,
            })?;
        }
        Ok(())
    }

    /// Adds as much as the newest file has room for, or makes room.
    fn add_some(&self, text: &[u8], parting: &mut impl FnMut(&Path)) -> io::Result<usize> {
        let mut file = opened(&self.newest)?;
        let size = ended(&mut file)?;
        let share = share(size, text, self.bounds.file_bytes);
        if share == 0 {
            self.make_way(&file, parting)?;
        } else if let Err(error) = file.write_all(&text[..share]) {
            // Half a line would only be in the way. Where even that fails, the next one to write ends it.
            let _cut = file.set_len(size);
            return Err(error);
        }
        Ok(share)
    }

    fn make_way(&self, newest: &File, parting: &mut impl FnMut(&Path)) -> io::Result<()> {
        let oldest = self.older(self.bounds.files.saturating_sub(1));
        if oldest.exists() {
            parting(&oldest);
        }
        for age in (1..self.bounds.files).rev() {
            match rename(self.older(age - 1), self.older(age)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.bounds.files <= 1 {
            newest.set_len(0)?;
        }
        Ok(())
    }

    /// The files there are, oldest first, each once whatever makes way meanwhile; but for those in which nothing stands yet that
    /// tells them from others.
    pub fn pieces(&self) -> io::Result<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        for age in 0..self.bounds.files {
            match Piece::opened(&self.older(age)) {
                // It has just made way, and is at hand already.
                Ok(Some(piece)) if pieces.last().is_some_and(|newer| newer.number == piece.number) => {}
                Ok(piece) => pieces.extend(piece),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        pieces.reverse();
        Ok(pieces)
    }
}

/// So much of a file tells it from others: its first line, which has a time.
const BEGINNING: u64 = 512;

impl Piece {
    fn opened(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let number = beginning(&mut file)?;
        Ok(number.map(|number| Self { number, file }))
    }

    /// Its whole lines from `offset` on, of `most` bytes at most, and where they end. A line that is longer is passed over. A
    /// file that was cut short begins anew.
    pub fn lines(&mut self, offset: u64, most: u64) -> io::Result<(Vec<u8>, u64)> {
        let size = self.file.metadata()?.len();
        let offset = if size < offset { 0 } else { offset };
        // Not to its end: something else may stand there that has none.
        let left = size - offset;
        self.file.seek(SeekFrom::Start(offset))?;
        let mut text = Vec::new();
        (&mut self.file).take(most.min(left)).read_to_end(&mut text)?;
        text.truncate(memchr::memrchr(b'\n', &text).map_or(0, |last| last + 1));
        let end = offset + text.len() as u64;
        if text.is_empty() && most < left {
            let end = self.line_end(left - most)?.map_or(offset, |rest| offset + most + rest);
            return Ok((text, end));
        }
        Ok((text, end))
    }

    /// How many of the next `left` bytes belong to the line in the middle of which the file is read; none where it has no end.
    fn line_end(&mut self, left: u64) -> io::Result<Option<u64>> {
        let (mut rest, mut skipped) = (BufReader::new(&mut self.file).take(left), 0);
        loop {
            let chunk = rest.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            if let Some(end) = memchr::memchr(b'\n', chunk) {
                return Ok(Some(skipped + end as u64 + 1));
            }
            let bytes = chunk.len();
            skipped += bytes as u64;
            rest.consume(bytes);
        }
    }
}

/// Tells a file from the others. Its number in the file system does not: that of a file that is gone is given to the next one.
/// Nothing does while its first line is being written.
fn beginning(file: &mut File) -> io::Result<Option<u64>> {
    let mut text = Vec::new();
    let read = file.take(BEGINNING).read_to_end(&mut text)?;
    let is_enough = read as u64 == BEGINNING;
    let end = memchr::memchr(b'\n', &text).or_else(|| is_enough.then_some(read));
    Ok(end.map(|end| {
        let mut hasher = DefaultHasher::new();
        text[..end].hash(&mut hasher);
        hasher.finish()
    }))
}

/// How much of `text` a file of so many bytes takes: whole lines. Nothing, where it has to make way first; a line that is
/// larger than a file has one to itself.
fn share(size: u64, text: &[u8], file_bytes: u64) -> usize {
    let room = usize::try_from(file_bytes.saturating_sub(size)).unwrap_or(usize::MAX);
    if text.len() <= room {
        return text.len();
    }
    match memchr::memrchr(b'\n', &text[..room]) {
        Some(end) => end + 1,
        None if size == 0 => memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1),
        None => 0,
    }
}

/// Ends the last line where somebody was stopped in the middle of it; returns the size of the file.
fn ended(file: &mut File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let Some(last) = size.checked_sub(1) else { return Ok(0) };
    let mut end = [0];
    if file.read_at(&mut end, last)? == 0 || end == [b'\n'] {
        return Ok(size);
    }
    file.write_all(b"\n")?;
    Ok(size + 1)
}

/// Opens a file that nobody else may read, in folders that nobody else may enter; makes what is not there.
fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.open(path).or_else(|error| match path.parent() {
        Some(folder) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            options.open(path)
        }
        _ => Err(error),
    })
}

#[cfg(test)]
#[path = "files_test.rs"]
mod tests;
