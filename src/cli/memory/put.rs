//! What is put: a word of the command line, a file, or what comes by the standard input.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use triarch_gateway::LINE_MAX;
use triarch_memory::Value;

use super::is_standard;
use crate::operations::memory::{Kept, MemoryPut, warn_of_slip};
use crate::operations::{Code, STANDARD, Trouble, all};

/// What is put, and where.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct Put {
    #[command(flatten)]
    entry: MemoryPut,
    /// What: JSON, or text; `-` for what comes by the standard input.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    value: Option<String>,
    /// What stands in that file.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Keeps it as bytes, as it is given, instead of as JSON or text.
    #[arg(long)]
    bytes: bool,
}

impl Put {
    pub(super) fn read(&self) -> Result<MemoryPut, Trouble> {
        let given = match (&self.value, &self.file) {
            (Some(value), _) if value != STANDARD => value.clone().into_bytes(),
            (_, file) => read(file.as_deref().unwrap_or(Path::new(STANDARD)))?,
        };
        let mut entry = self.entry.clone();
        if self.bytes {
            entry.base64 = Value::bytes(given).as_base64();
        } else {
            entry.value = kept(given)?;
        }
        let size = serde_json::to_vec(&entry).map_or(0, |request| request.len());
        if size + ENVELOPE > LINE_MAX {
            let message = format!(
                "{} is too large for one request, which has {LINE_MAX} bytes",
                self.entry.key
            );
            return Err(Trouble::new(
                Code::Usage,
                message,
                "write it as a line of a file, and import that",
            ));
        }
        Ok(entry)
    }
}

/// What a request has beside what is asked for.
const ENVELOPE: usize = 256;

fn kept(given: Vec<u8>) -> Result<Kept, Trouble> {
    let usage = |message: String, remedy: &str| Trouble::new(Code::Usage, message, remedy);
    let text = String::from_utf8(given).map_err(|_| {
        usage(
            "the value is neither JSON nor text".to_owned(),
            "keep it as it is with --bytes",
        )
    })?;
    warn_of_slip("the value", &text);
    text.parse().map_err(|problem| usage(problem, ""))
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let read = if is_standard(path) {
        all(io::stdin().lock())
    } else {
        File::open(path).and_then(all)
    };
    read.map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        Trouble::new(Code::Usage, message, "name a file that can be read")
    })
}
