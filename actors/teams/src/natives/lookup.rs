//! The addresses of a host. Nobody knows how long they are looked up, and a thread of the process waits for them meanwhile: so an
//! agent has one such thread at most.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tokio::task::{JoinHandle, spawn_blocking};

/// Looks up a host and a port, however long that takes.
type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// What is known of the addresses of a host.
#[derive(Debug)]
pub(super) struct Lookup {
    resolve: Resolve,
    under_way: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self::by(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }
}

impl Lookup {
    fn by(resolve: Resolve) -> Self {
        Self {
            resolve,
            under_way: None,
        }
    }

    /// Its addresses now. Given up, it goes on, and whoever asks next waits for that.
    pub(super) async fn addresses(&mut self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        // What it came to since it was given up is an answer of then.
        let under_way = self.under_way.take().filter(|lookup| !lookup.is_finished());
        let lookup = self.under_way.insert(under_way.unwrap_or_else(|| {
            let (resolve, host) = (self.resolve, host.to_owned());
            spawn_blocking(move || resolve(&host, port))
        }));
        let found = lookup.await;
        self.under_way = None;
        found.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    static IS_OVER: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn dead(_host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        let (is_over, told) = &IS_OVER;
        let waited = told.wait_while(is_over.lock().unwrap(), |is_over| !*is_over);
        waited
            .map(|_| Vec::new())
            .map_err(|gone| io::Error::other(gone.to_string()))
    }

    #[tokio::test]
    async fn while_one_is_under_way_no_other_is_begun() {
        let mut lookup = Lookup::by(dead);
        for _ in 0..50 {
            let found = timeout(Duration::from_millis(2), lookup.addresses("host.example", 80)).await;
            assert!(found.is_err());
        }
        let begun = BEGUN.load(Ordering::Relaxed);
        *IS_OVER.0.lock().unwrap() = true;
        IS_OVER.1.notify_all();
        assert_eq!(begun, 1);
        assert!(lookup.addresses("host.example", 80).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_address_is_looked_up_by_nobody() {
        let mut lookup = Lookup::by(|_, _| Err(io::Error::other("asked")));
        let local = |port| vec![SocketAddr::from(([127, 0, 0, 1], port))];
        assert_eq!(lookup.addresses("127.0.0.1", 7).await.unwrap(), local(7));
        assert!(lookup.addresses("localhost", 7).await.is_err());
        let found = Lookup::default().addresses("localhost", 7).await.unwrap();
        assert!(found.iter().any(|address| address.ip().is_loopback()), "{found:?}");
    }
}
