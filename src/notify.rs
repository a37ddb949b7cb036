//! What a service manager is told, by the protocol of `sd_notify`; nothing where there is none.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the service manager listens.
#[derive(Clone, Debug)]
pub(crate) struct Notify {
    socket: Option<SocketAddr>,
    /// How often it wants to hear that the process is well.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment of the process says.
    pub(crate) fn from_environment() -> Self {
        Self::of(
            env::var("NOTIFY_SOCKET").ok().as_deref(),
            env::var("WATCHDOG_USEC").ok().as_deref(),
        )
    }

    fn of(socket: Option<&str>, watchdog: Option<&str>) -> Self {
        let address = socket.and_then(|path| match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(path).ok(),
        });
        let period = watchdog
            .and_then(|micros| micros.parse().ok())
            .map(Duration::from_micros);
        Self {
            socket: address,
            watchdog: period.filter(|period| !period.is_zero()),
        }
    }

    /// How often to say that the process is well: twice as often as it is asked for.
    pub(crate) fn beat(&self) -> Option<Duration> {
        self.socket.as_ref()?;
        self.watchdog.map(|period| period / 2)
    }

    pub(crate) fn ready(&self) {
        self.tell(&format!("READY=1\nMAINPID={}\n", std::process::id()));
    }

    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    /// A service manager that does not listen is no reason to stop.
    fn tell(&self, text: &str) {
        if let Some(socket) = &self.socket {
            let _unheard = send(socket, text);
        }
    }
}

fn send(socket: &SocketAddr, text: &str) -> io::Result<usize> {
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_hears_what_it_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("socket");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::of(path.to_str(), Some("2000000"));
        assert_eq!(notify.beat(), Some(Duration::from_secs(1)));
        notify.ready();
        notify.alive();
        notify.stopping();
        let mut heard = [0; 64];
        let texts = [(); 3].map(|()| {
            let length = manager.recv(&mut heard).unwrap();
            String::from_utf8(heard[..length].to_vec()).unwrap()
        });
        assert!(texts[0].starts_with("READY=1\nMAINPID="), "{texts:?}");
        assert_eq!(texts[1..], ["WATCHDOG=1\n", "STOPPING=1\n"]);
    }

    #[test]
    fn where_there_is_none_nothing_is_told() {
        let notify = Notify::of(None, Some("2000000"));
        assert_eq!(notify.beat(), None);
        notify.ready();
        Notify::of(Some("/nobody/listens/here"), None).ready();
    }
}
