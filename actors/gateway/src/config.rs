//! What may be set, its meaning and its default.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The settings of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where HTTP is served: an address of this machine alone. Port 0 takes any that is free.
    #[schemars(extend("format" = "socket"))]
    pub listen: SocketAddr,
    /// Whether it may be served where other machines reach it, though nothing is encrypted and nobody is asked who they are.
    pub insecure: bool,
    /// Whether HTTP is served at all.
    pub http: bool,
    /// Further values of the header Host that are answered, each with its port, beside the address itself and localhost.
    pub hosts: Vec<String>,
    /// How many HTTP connections are kept; one more takes the place of the one that has waited longest.
    pub http_connections: usize,
    /// How many connections of the command line are kept, in the same way. An eighth of them is kept free of whoever follows or waits for an agent.
    pub socket_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7117)),
            insecure: false,
            http: true,
            hosts: Vec::new(),
            http_connections: 256,
            socket_connections: 64,
        }
    }
}

impl Config {
    /// Refuses what would open a door to other machines, or to nobody.
    pub fn validated(self) -> Result<Self, Error> {
        let first = self.faults().into_iter().next();
        first.map_or(Ok(self), |(_, fault)| Err(fault))
    }

    /// All that would, by the key to change.
    pub fn faults(&self) -> Vec<(&'static str, Error)> {
        let listen = self.listen;
        let mut faults = Vec::new();
        if self.http && !self.insecure && !listen.ip().is_loopback() {
            faults.push(("listen", Error::NotLoopback { listen }));
        }
        if self.http_connections == 0 {
            faults.push(("http_connections", Error::NoConnections));
        }
        if self.socket_connections == 0 {
            faults.push(("socket_connections", Error::NoConnections));
        }
        if let Some(host) = self.hosts.iter().find(|host| !has_port(host)) {
            faults.push(("hosts", Error::HostWithoutPort { host: host.clone() }));
        }
        faults
    }
}

fn has_port(host: &str) -> bool {
    let port = host.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>()));
    matches!(port, Some((name, Ok(_))) if !name.is_empty() && !name.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config
            .validated()
            .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn the_defaults_are_safe_and_valid() {
        let config = Config::default();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7117");
        assert_eq!(refused(|_| {}), "accepted");
    }

    #[test]
    fn a_door_to_other_machines_is_refused() {
        for listen in ["0.0.0.0:7117", "192.168.0.7:7117", "[::]:7117"] {
            let expected = format!("HTTP would listen on {listen}, which other machines reach; listen on 127.0.0.1");
            assert_eq!(refused(|config| config.listen = listen.parse().unwrap()), expected);
        }
        assert_eq!(
            refused(|config| config.listen = "[::1]:7117".parse().unwrap()),
            "accepted"
        );
    }

    #[test]
    fn a_host_is_answered_with_its_port_only() {
        assert_eq!(
            refused(|config| config.hosts = vec!["fleet.local:7117".to_owned()]),
            "accepted"
        );
        for host in ["fleet.local", ":7117", "fleet.local:", "a b:1"] {
            assert!(
                refused(|config| config.hosts = vec![host.to_owned()]).contains("port"),
                "{host}"
            );
        }
    }

    #[test]
    fn doors_that_admit_nobody_are_refused() {
        assert!(refused(|config| config.http_connections = 0).contains("at least 1"));
        assert!(refused(|config| config.socket_connections = 0).contains("at least 1"));
    }
}
