//! The place of the socket: a folder that is ours alone, and one runtime in it at a time.
//!
//! A lock beside the socket tells a runtime that lives from one that died: the system drops it with its process. So what a
//! dead one left behind is replaced, and two that start at once do not both believe that the other is dead.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

use crate::error::Error;
use crate::knock::connect;

const SOCKET: &str = "triarch.sock";
const LOCK: &str = "triarch.lock";

/// Who has just won the lock needs a moment to write itself down, and who looks at it to let go: so often, and so long after each
/// other, is looked for that.
const LOOKS: u32 = 50;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How long a stranger may take to let somebody in.
const LET_IN: Duration = Duration::from_secs(2);

/// Where the socket of a runtime with that state folder is.
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join(SOCKET)
}

/// Whether a runtime lives that has that state folder, where that can be seen.
pub fn is_held(state_dir: &Path) -> io::Result<bool> {
    match File::open(state_dir.join(LOCK)) {
        // Nobody makes a claim on what is no folder.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        lock => Ok(!is_had(lock?.try_lock_shared())?),
    }
}

/// Whether the runtime that has that state folder is the process `pid`, as it calls itself.
pub(crate) fn is_held_by(state_dir: &Path, pid: u32) -> bool {
    is_held(state_dir).is_ok_and(|is_held| is_held) && pid_in(&state_dir.join(LOCK)) == Some(pid)
}

fn is_had(lock: Result<(), TryLockError>) -> io::Result<bool> {
    match lock {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The socket's place, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    /// Which file the socket is.
    file: FileId,
    /// Let go with the process, whatever ends it.
    _lock: File,
}

impl Claim {
    /// Takes the place in `folder` and listens there.
    pub(crate) fn take(folder: &Path) -> Result<(Self, UnixListener), Error> {
        close_folder(folder)?;
        let path = socket_path(folder);
        let lock = lock(&folder.join(LOCK), &path)?;
        clear(&path)?;
        let opened = |source| Error::Open {
            path: path.clone(),
            source,
        };
        let listener = UnixListener::bind(&path).map_err(opened)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(opened)?;
        listener.set_nonblocking(true).map_err(opened)?;
        let file = file_id(&path).map_err(opened)?;
        Ok((
            Self {
                path,
                file,
                _lock: lock,
            },
            listener,
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the socket's file away, and keeps the place.
    pub(crate) fn leave(&self) {
        // Where the folder was moved or made anew, another runtime's socket may be there; our own that stays behind is replaced
        // by the next runtime.
        if file_id(&self.path).is_ok_and(|file| file == self.file) {
            let _stays = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A file whatever it is called: its device and its number there.
type FileId = (u64, u64);

fn file_id(path: &Path) -> io::Result<FileId> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Makes the folder where there is none; refuses one that others can look into.
fn close_folder(folder: &Path) -> Result<(), Error> {
    let opened = |source| Error::Open {
        path: folder.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(opened)?;
    let metadata = fs::metadata(folder).map_err(opened)?;
    let (folder, mode) = (folder.to_owned(), metadata.mode() & 0o7777);
    if metadata.uid() != geteuid().as_raw() {
        return Err(Error::FolderNotOurs { folder });
    }
    if mode & 0o077 != 0 {
        return Err(Error::FolderOpen { folder, mode });
    }
    Ok(())
}

fn lock(path: &Path, socket: &Path) -> Result<File, Error> {
    let opened = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(opened)?;
    if !is_won(&file).map_err(opened)? {
        return Err(Error::Held {
            path: socket.to_owned(),
            pid: holder(path),
        });
    }
    write_pid(&file).map_err(opened)?;
    Ok(file)
}

/// Takes the lock, where no runtime has it. Whoever only looks whether one has it holds it for a moment, together with others
/// who look, and is waited for.
#[expect(clippy::disallowed_methods, reason = "nothing runs yet that would be held up")]
fn is_won(file: &File) -> io::Result<bool> {
    for _ in 0..LOOKS {
        if is_had(file.try_lock())? {
            return Ok(true);
        }
        if !is_had(file.try_lock_shared())? {
            return Ok(false);
        }
        file.unlock()?;
        thread::sleep(LOOK_EVERY);
    }
    Ok(false)
}

/// Writes down who holds the lock.
fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// Who holds the lock, as it wrote itself down.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever asks this has lost, and does nothing else meanwhile"
)]
fn holder(path: &Path) -> String {
    holder_seen(path, || thread::sleep(LOOK_EVERY))
}

fn holder_seen(path: &Path, mut pause: impl FnMut()) -> String {
    let mut looks = (0..LOOKS).map(|look| {
        if look > 0 {
            pause();
        }
        living_pid_in(path)
    });
    looks.find_map(|pid| pid).unwrap_or_else(|| "unknown".to_owned())
}

/// The process that wrote itself down last, where there is one: what stands there of a dead one tells nothing.
fn living_pid_in(path: &Path) -> Option<String> {
    let pid = Pid::from_raw(pid_in(path)?.try_into().ok()?)?;
    (test_kill_process(pid) != Err(Errno::SRCH)).then(|| pid.as_raw_nonzero().to_string())
}

/// The process that wrote itself down last, living or not.
fn pid_in(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

/// Who holds the lock beside a socket, as it wrote itself down.
pub(crate) fn holder_beside(socket: &Path) -> String {
    holder(&socket.with_file_name(LOCK))
}

/// Removes what a dead runtime left behind, and nothing else.
fn clear(path: &Path) -> Result<(), Error> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(Error::Open {
                path: path.to_owned(),
                source,
            });
        }
    };
    let path = path.to_owned();
    if !found.file_type().is_socket() {
        return Err(Error::NoSocket { path });
    }
    // Somebody may listen there who knows nothing of the lock; whoever has no room for one more listens too.
    let knocked = connect(&path, LET_IN);
    if knocked.is_ok() || knocked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
        let pid = "unknown".to_owned();
        return Err(Error::Held { path, pid });
    }
    fs::remove_file(&path).map_err(|source| Error::Open { path, source })
}

#[cfg(test)]
mod tests {
    use std::ops::Deref;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A folder of its own for each test: it is not there yet, and goes with the one it is in.
    struct Folder {
        path: PathBuf,
        _above: tempfile::TempDir,
    }

    impl Deref for Folder {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.path
        }
    }

    fn folder() -> Folder {
        let above = tempfile::tempdir().unwrap();
        Folder {
            path: above.path().join("state"),
            _above: above,
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn folder_socket_and_lock_are_ours_alone_and_the_socket_goes_with_the_claim() {
        let folder = folder();
        let (claim, _listener) = Claim::take(&folder).unwrap();
        assert_eq!(
            (mode(&folder), mode(claim.path()), mode(&folder.join(LOCK))),
            (0o700, 0o600, 0o600)
        );
        drop(claim);
        assert!(!socket_path(&folder).exists());
    }

    #[test]
    fn whoever_looks_whether_it_is_held_keeps_nobody_from_it() {
        let folder = folder();
        drop(Claim::take(&folder).unwrap());
        let is_over = AtomicBool::new(false);
        let (looks, begun) = std::sync::mpsc::sync_channel(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _held = is_held(&folder).unwrap();
                    let _first = looks.try_send(());
                }
            });
            begun.recv().unwrap();
            let refused = (0..200).filter(|_| Claim::take(&folder).is_err()).count();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(refused, 0, "of 200");
        });
    }

    #[test]
    fn it_is_held_by_the_one_that_holds_it_and_by_nobody_else() {
        let folder = folder();
        assert!(!is_held(&folder).unwrap());
        let own = std::process::id();
        let (claim, _listener) = Claim::take(&folder).unwrap();
        assert!(is_held(&folder).unwrap());
        assert!(is_held_by(&folder, own) && !is_held_by(&folder, own + 1));
        drop(claim);
        assert!(!is_held(&folder).unwrap() && !is_held_by(&folder, own));
        assert!(!is_held(&folder.join(LOCK)).unwrap(), "nobody has what is no folder");
        fs::remove_file(folder.join(LOCK)).unwrap();
        std::os::unix::fs::symlink(LOCK, folder.join(LOCK)).unwrap();
        assert!(is_held(&folder).is_err(), "it cannot be told");
    }

    #[test]
    fn a_folder_open_to_others_is_refused_and_left_as_it_is() {
        let folder = folder();
        DirBuilder::new().mode(0o750).create(&*folder).unwrap();
        fs::set_permissions(&*folder, Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(
            Claim::take(&folder),
            Err(Error::FolderOpen { mode: 0o750, .. })
        ));
        assert_eq!(mode(&folder), 0o750);
    }

    #[test]
    fn the_place_of_one_that_lives_is_refused_and_that_of_a_dead_one_taken() {
        let folder = folder();
        let (claim, listener) = Claim::take(&folder).unwrap();
        assert!(matches!(Claim::take(&folder), Err(Error::Held { .. })));
        // As after a kill: the file is there, nobody listens, nobody holds the lock.
        drop(listener);
        let path = claim.path().to_owned();
        let aside = folder.join("aside");
        fs::rename(&path, &aside).unwrap();
        drop(claim);
        fs::rename(&aside, &path).unwrap();
        let (claim, _listener) = Claim::take(&folder).unwrap();
        UnixStream::connect(claim.path()).unwrap();
        drop(claim);
    }

    #[test]
    fn one_whose_folder_was_moved_away_leaves_the_socket_of_the_next_there() {
        let (folder, moved) = (folder(), folder());
        let (first, listener) = Claim::take(&folder).unwrap();
        fs::rename(&*folder, &*moved).unwrap();
        let (second, _listener) = Claim::take(&folder).unwrap();
        drop(listener);
        drop(first);
        UnixStream::connect(second.path()).unwrap();
        drop(second);
        assert!(!socket_path(&folder).exists());
    }

    #[test]
    fn one_that_writes_itself_down_late_or_over_a_dead_one_is_told_by_its_number() {
        let folder = folder();
        let (claim, _listener) = Claim::take(&folder).unwrap();
        let path = folder.join(LOCK);
        for earlier in ["", "2147483647\n", "7", "no number\n"] {
            fs::write(&path, earlier).unwrap();
            let mut pauses = 0;
            let holder = holder_seen(&path, || {
                pauses += 1;
                if pauses == 3 {
                    write_pid(&File::options().write(true).open(&path).unwrap()).unwrap();
                }
            });
            assert_eq!((holder, pauses), (std::process::id().to_string(), 3));
        }
        fs::write(&path, "2147483647\n").unwrap();
        assert_eq!(holder_seen(&path, || ()), "unknown");
        drop(claim);
    }

    #[test]
    fn one_that_listens_without_the_lock_is_left_alone() {
        let folder = folder();
        DirBuilder::new().mode(0o700).create(&*folder).unwrap();
        let stranger = UnixListener::bind(socket_path(&folder)).unwrap();
        assert!(matches!(Claim::take(&folder), Err(Error::Held { .. })));
        drop(stranger);
        assert!(Claim::take(&folder).is_ok());
    }

    #[test]
    fn what_is_no_socket_is_not_removed() {
        let folder = folder();
        DirBuilder::new().mode(0o700).create(&*folder).unwrap();
        fs::write(socket_path(&folder), "precious").unwrap();
        assert!(matches!(Claim::take(&folder), Err(Error::NoSocket { .. })));
        assert_eq!(fs::read(socket_path(&folder)).unwrap(), b"precious");
    }
}
