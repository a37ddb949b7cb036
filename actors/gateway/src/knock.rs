//! A socket on this machine is connected to, for no longer than one has patience.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

/// Connects, unless so many wait to be let in already that for so long there is no room for one more: then it would block.
pub(crate) fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // By this the system bounds how long one waits to be let in too.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
    // A signal does not end the patience: there is nothing that it could be for.
    rustix::io::retry_on_intr(|| net::connect(&socket, &address))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, None)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn one_that_lets_nobody_in_is_knocked_at_for_as_long_as_one_has_patience() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let stuck = UnixListener::bind(&path).unwrap();
        net::listen(&stuck, 0).unwrap();
        let patience = Duration::from_millis(20);
        let first = connect(&path, patience).unwrap();
        assert_eq!(first.write_timeout().unwrap(), None);
        let refused = connect(&path, patience).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock, "{refused}");
        drop(stuck.accept().unwrap());
        connect(&path, patience).unwrap();
    }
}
