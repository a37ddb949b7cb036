//! What the kernel shows of processes and groups, and what it means when it shows nothing.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

/// A file of a process.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) bytes: Vec<u8>,
    /// Whose it is.
    pub(super) uid: u32,
}

/// How the files of processes are read: by number and name.
pub(super) type Reader<'a> = &'a dyn Fn(i32, &str) -> io::Result<Shown>;

/// As `/proc` has them.
pub(super) fn of_process(pid: i32, what: &str) -> io::Result<Shown> {
    let mut file = File::open(format!("/proc/{pid}/{what}"))?;
    let uid = file.metadata()?.uid();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Shown { bytes, uid })
}

/// Nothing where it is gone, or not for us to see. What could not be read for any other reason, such as that no descriptor
/// is left, is no sign that nobody is there.
pub(super) fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(shown) => Ok(Some(shown)),
        Err(error) if is_gone(&error) || is_hidden(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A group that goes while it is read is no device any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH | libc::ENODEV))
}

/// Processes of other users, and groups of threads, which show their processes above.
fn is_hidden(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EACCES | libc::EPERM | libc::EOPNOTSUPP)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_is_no_sign_that_nobody_is_there() {
        let read = |number| if_there::<()>(Err(io::Error::from_raw_os_error(number)));
        for gone in [libc::ENOENT, libc::ESRCH, libc::ENODEV, libc::EACCES] {
            assert_eq!(read(gone).unwrap(), None);
        }
        for unknown in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EIO] {
            assert_eq!(read(unknown).unwrap_err().raw_os_error(), Some(unknown));
        }
        assert_eq!(if_there(Ok(1)).unwrap(), Some(1));
    }
}
