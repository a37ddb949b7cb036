//! The descriptor that the socket can be reached by when the process has no other left.
//!
//! ```text
//!   kept ──spend──▶ spent: one more connection is let in
//!     ▲               │
//!     └───────────────┘ a file is opened, a connection ends and leaves its own, or HTTP gives one up that it got meanwhile
//! ```
//!
//! A descriptor that is closed is somebody else's at once where all want one, so it is handed on open.

use std::any::Any;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard};

use triarch_supervision::sync::lock;

/// The reserve of all doors. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reserve(Arc<Mutex<Option<Kept>>>);

/// What holds the descriptor: a file, or a connection that has ended.
type Kept = Box<dyn Any + Send>;

impl Reserve {
    /// Whether there is none, and none is to be had.
    pub(crate) fn is_spent(&self) -> bool {
        let mut kept = self.kept();
        if kept.is_none()
            && let Ok(open) = File::open("/dev/null")
        {
            *kept = Some(Box::new(open));
        }
        kept.is_none()
    }

    /// Closes it, for whoever is waiting; whether there was one.
    pub(crate) fn spend(&self) -> bool {
        self.kept().take().is_some()
    }

    /// Takes what holds a descriptor, if there is nothing else.
    pub(crate) fn keep(&self, what: impl Any + Send) {
        self.kept().get_or_insert_with(|| Box::new(what));
    }

    /// Ends a connection, and takes its descriptor, if there is nothing else: whoever is at the other side is not to wait for that.
    pub(crate) fn keep_closed(&self, stream: impl AsFd + Any + Send) {
        // Who has gone already needs no end.
        let _gone = rustix::net::shutdown(&stream, rustix::net::Shutdown::Both);
        self.keep(stream);
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_connection_whose_descriptor_is_kept_is_over_for_whoever_came() {
        let reserve = Reserve::default();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        reserve.keep_closed(ours);
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "it reads the end");
        assert!(reserve.spend(), "its descriptor is the reserve");
    }

    #[test]
    fn it_is_spent_once_and_comes_back() {
        let reserve = Reserve::default();
        assert!(!reserve.spend());
        assert!(!reserve.is_spent());
        assert!(reserve.spend());
        let held = Arc::new(());
        reserve.keep(Arc::clone(&held));
        reserve.keep(File::open("/dev/null").unwrap());
        assert_eq!(Arc::strong_count(&held), 2, "the first is kept");
        assert!(reserve.spend());
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
