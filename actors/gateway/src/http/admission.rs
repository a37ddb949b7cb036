//! Who may ask at all, before it is looked at what for.
//!
//! A page in the user's browser can send requests to this machine. It cannot choose the header `Host`, which names the site it
//! believes to speak to, and it cannot hide the header `Origin`, which names the site it comes from. So both are compared,
//! byte by byte and port included, with what this door is called.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use super::answer::Problem;
use crate::metrics::Refusal;

/// What this door is called.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    /// The address itself, localhost with its port, and `others`.
    pub(crate) fn of(address: SocketAddr, others: &[String]) -> Self {
        let own = [address.to_string(), format!("localhost:{}", address.port())];
        Self(own.into_iter().chain(others.iter().cloned()).collect())
    }

    fn has(&self, host: &[u8]) -> bool {
        self.0.iter().any(|known| known.as_bytes() == host)
    }
}

/// Refuses who does not speak to this door, or comes from elsewhere.
pub(super) fn admit(head: &Parts, hosts: &Hosts) -> Result<(), (Problem, Refusal)> {
    let is_plain = head.uri.scheme().is_none() && head.uri.authority().is_none() && head.method != Method::CONNECT;
    if !is_plain {
        return Err((Problem::TARGET, Refusal::Host));
    }
    match the_one(&head.headers, HOST) {
        Some(host) if hosts.has(host) => {}
        Some(_) => return Err((Problem::HOST, Refusal::Host)),
        None => return Err((Problem::HOSTS, Refusal::Host)),
    }
    if !head.headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let site = the_one(&head.headers, ORIGIN).and_then(|origin| origin.strip_prefix(b"http://"));
    match site {
        Some(site) if hosts.has(site) => Ok(()),
        _ => Err((Problem::ORIGIN, Refusal::Origin)),
    }
}

/// The value of a header that stands exactly once.
fn the_one(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn asked(target: &str, headers: &[(&str, &str)]) -> Result<(), u16> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let hosts = Hosts::of("127.0.0.1:7117".parse().unwrap(), &["fleet.local:7117".to_owned()]);
        admit(&head, &hosts).map_err(|(problem, _)| problem.status.as_u16())
    }

    #[test]
    fn who_speaks_to_this_door_is_admitted() {
        for host in ["127.0.0.1:7117", "localhost:7117", "fleet.local:7117"] {
            assert_eq!(asked("/metrics", &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn who_speaks_to_another_is_not() {
        for host in [
            "localhost.evil.com:7117",
            "localhost.evil.com",
            "localhost",
            "localhost:7118",
            "localhost:07117",
            "localhost:",
            "LOCALHOST:7117",
            "LOCALHOST.:7117",
            "localhost.:7117",
            "127.0.0.1",
            "127.1:7117",
            "0.0.0.0:7117",
            "[::1]:7117",
            "user@localhost:7117",
            "",
            "localhost:7117, evil.com",
        ] {
            assert_eq!(asked("/metrics", &[("host", host)]), Err(421), "{host}");
        }
    }

    #[test]
    fn no_host_and_two_hosts_are_refused() {
        assert_eq!(asked("/metrics", &[]), Err(400));
        let twice = [("host", "localhost:7117"), ("host", "localhost:7117")];
        assert_eq!(asked("/metrics", &twice), Err(400));
    }

    #[test]
    fn a_target_in_absolute_form_is_refused_whatever_host_it_names() {
        for target in [
            "http://localhost:7117/metrics",
            "http://evil.com/metrics",
            "localhost:7117",
        ] {
            assert_eq!(asked(target, &[("host", "localhost:7117")]), Err(400), "{target}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
        let from = |origins: &[&str]| {
            let mut headers = vec![("host", "localhost:7117")];
            headers.extend(origins.iter().map(|origin| ("origin", *origin)));
            asked("/metrics", &headers)
        };
        assert_eq!(from(&["http://localhost:7117"]), Ok(()));
        assert_eq!(from(&["http://127.0.0.1:7117"]), Ok(()));
        for origin in [
            "null",
            "http://localhost.evil.com",
            "http://localhost.evil.com:7117",
            "https://localhost:7117",
            "http://localhost",
            "localhost:7117",
            "http://localhost:7117/",
            "",
        ] {
            assert_eq!(from(&[origin]), Err(403), "{origin}");
        }
        assert_eq!(from(&["http://localhost:7117", "http://localhost:7117"]), Err(403));
    }
}
