//! The doors as they stand open before the tree starts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};

use crate::claim::Claim;
use crate::config::Config;
use crate::error::Error;
use crate::guests::Bound;

/// How many connections each door keeps, as it is changed while they stand open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub(crate) http: Bound,
    pub(crate) socket: Bound,
}

impl Bounds {
    fn of(config: &Config) -> Self {
        Self {
            http: Bound::new(config.http_connections),
            socket: Bound::new(config.socket_connections),
        }
    }

    /// From now on as many as `config` says; those that are too many go when the next one comes.
    pub fn change(&self, config: &Config) {
        self.http.set(config.http_connections);
        self.socket.set(config.socket_connections);
    }
}

/// The doors, open: who comes waits until the room has started.
#[derive(Debug)]
pub struct Doors {
    pub(crate) config: Config,
    pub(crate) bounds: Bounds,
    pub(crate) socket: Arc<SocketDoor>,
    pub(crate) http: Option<HttpDoor>,
}

/// The socket, held for as long as the room exists.
#[derive(Debug)]
pub(crate) struct SocketDoor {
    pub(crate) listener: UnixListener,
    claim: Arc<Claim>,
}

/// What a process keeps of the doors until it ends, which may be before all is dropped that held the socket: as long as
/// this is there, nobody else has the folder.
#[derive(Debug)]
pub struct Farewell(Arc<Claim>);

impl Farewell {
    /// Takes the socket's file away: whoever comes from now on finds nobody.
    pub fn leave(&self) {
        self.0.leave();
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.leave();
    }
}

/// HTTP, and where it is served.
#[derive(Clone, Debug)]
pub(crate) struct HttpDoor {
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) address: SocketAddr,
}

impl Doors {
    /// Opens them: the socket in `state_dir`, HTTP where the configuration says.
    ///
    /// # Panics
    /// Outside of a tokio runtime: there would be nobody to listen.
    pub fn open(config: Config, state_dir: &Path) -> Result<Self, Error> {
        let config = config.validated()?;
        let (claim, listener) = Claim::take(state_dir)?;
        let claim = Arc::new(claim);
        let listener = UnixListener::from_std(listener).map_err(|source| Error::Open {
            path: claim.path().to_owned(),
            source,
        })?;
        let http = if config.http {
            Some(HttpDoor::open(config.listen)?)
        } else {
            None
        };
        Ok(Self {
            bounds: Bounds::of(&config),
            config,
            socket: Arc::new(SocketDoor { listener, claim }),
            http,
        })
    }

    /// Where the socket is.
    pub fn socket(&self) -> &Path {
        self.socket.claim.path()
    }

    /// How many each of them keeps.
    pub fn bounds(&self) -> Bounds {
        self.bounds.clone()
    }

    /// To be kept until the process has nothing more to do.
    pub fn farewell(&self) -> Farewell {
        Farewell(Arc::clone(&self.socket.claim))
    }

    /// Where HTTP is served, with the port that was found.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|http| http.address)
    }
}

impl HttpDoor {
    fn open(listen: SocketAddr) -> Result<Self, Error> {
        let refused = |source| Error::Listen { listen, source };
        let listener = std::net::TcpListener::bind(listen).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let listener = Arc::new(TcpListener::from_std(listener).map_err(refused)?);
        Ok(Self { listener, address })
    }
}
