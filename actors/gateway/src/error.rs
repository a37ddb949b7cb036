//! What can go wrong in this room.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use triarch_supervision::metrics::InstrumentError;

/// Why the doors do not open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// HTTP for other machines.
    #[error("HTTP would listen on {listen}, which other machines reach; listen on 127.0.0.1")]
    NotLoopback {
        /// The address in question.
        listen: SocketAddr,
    },
    /// No connection is allowed.
    #[error("a door that keeps no connections admits nobody; allow at least 1")]
    NoConnections,
    /// A host that says no port.
    #[error("the host {host:?} lacks its port; write it as in localhost:7117")]
    HostWithoutPort {
        /// The host in question.
        host: String,
    },
    /// The address is taken, or is not this machine's.
    #[error("HTTP cannot be served on {listen}: {source}; free the port or choose another under gateway.listen")]
    Listen {
        /// The address in question.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can look into the folder of the socket.
    #[error("the folder {} is open to others (mode {mode:o}); close it with `chmod 700 {}`", folder.display(), folder.display())]
    FolderOpen {
        /// The folder in question.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The folder of the socket belongs to somebody else.
    #[error("the folder {} belongs to another user; choose another under runtime.state_dir", folder.display())]
    FolderNotOurs {
        /// The folder in question.
        folder: PathBuf,
    },
    /// Another runtime runs with that folder.
    #[error("another runtime, pid {pid}, holds {}; stop it with `triarch down`, or choose another runtime.state_dir", path.display())]
    Held {
        /// The socket in question.
        path: PathBuf,
        /// The process of that runtime.
        pid: String,
    },
    /// What lies in the socket's place is none.
    #[error("{} lies where the socket belongs and is none; remove it", path.display())]
    NoSocket {
        /// The path in question.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("{} cannot be had for the socket: {source}; see that its folder can be written and has a short path, or set runtime.state_dir to another", path.display())]
    Open {
        /// What could not be made or read.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The instruments do not know the room's metrics.
    #[error("the room's metrics cannot be had; put its section into the catalogue")]
    Instrument(#[from] InstrumentError),
}
