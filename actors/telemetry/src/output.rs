//! Where lines go.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use triarch_supervision::sync::lock;

/// Where lines go: a writer that outlives the incarnations of whoever writes.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<dyn Write + Send>>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

impl Output {
    /// To the process's standard error.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }

    /// To any writer.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
        }
    }

    /// Writes on a thread that may block: a reader that is slow holds up nobody but the caller.
    pub(crate) async fn write(&self, text: String) -> io::Result<()> {
        let writer = Arc::clone(&self.writer);
        let written = tokio::task::spawn_blocking(move || {
            let mut writer = lock(&writer);
            writer.write_all(text.as_bytes())?;
            writer.flush()
        });
        written.await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }
}
