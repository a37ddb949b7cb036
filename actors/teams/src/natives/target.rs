//! What an address of the web says, as far as a check needs it.

use std::fmt;

use crate::error::SettingError;

/// Where a check goes, and what it asks for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// The host as it is written, with its port where one is.
    authority: String,
    /// What is asked for of the host: path and query.
    resource: String,
}

/// What is asked for may have a secret in its query.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        write!(f, "Target({host}:{port})")
    }
}

const PORT: u16 = 80;

impl Target {
    /// What the setting `url` says.
    pub(super) fn read(url: &str) -> Result<Self, SettingError> {
        let fault = |problem: &str, remedy: &str| SettingError::of("url", format!("`url` {problem}"), remedy);
        let plain = "write it as in \"http://127.0.0.1:8080/health\"";
        if url.starts_with("https://") {
            let remedy = "check a plain http:// address, or let a `program` agent check this one, such as curl";
            return Err(fault("is one of https, which is not built in", remedy));
        }
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| fault("does not begin with http://", plain))?;
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(fault(
                "has a space, a control character or one beyond ASCII",
                "escape it, as in %20",
            ));
        }
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(fault(
                "has a user's name, which is not built in",
                "check an address that needs none",
            ));
        }
        let (host, port) = host_and_port(authority).ok_or_else(|| fault("names no host and port", plain))?;
        Ok(Self {
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            resource: if resource.starts_with('/') {
                resource.to_owned()
            } else {
                format!("/{resource}")
            },
        })
    }

    /// The request that is sent to it.
    pub(super) fn request(&self) -> String {
        let Self {
            authority, resource, ..
        } = self;
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "GET {resource} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: triarch/{version}\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n"
        )
    }
}

/// The address for people: a query may have a secret in it.
pub(super) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':')?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => PORT,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    (!host.is_empty() && port != 0).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_falls_into_host_port_and_what_is_asked_for() {
        for (url, host, port, first_line) in [
            (
                "http://localhost",
                "localhost",
                80,
                "GET / HTTP/1.1\r\nHost: localhost\r\n",
            ),
            (
                "http://a.b:8080/health",
                "a.b",
                8080,
                "GET /health HTTP/1.1\r\nHost: a.b:8080\r\n",
            ),
            ("http://a?full=1#top", "a", 80, "GET /?full=1 HTTP/1.1\r\nHost: a\r\n"),
            ("http://[::1]:81/", "::1", 81, "GET / HTTP/1.1\r\nHost: [::1]:81\r\n"),
        ] {
            let target = Target::read(url).unwrap();
            assert_eq!((&*target.host, target.port), (host, port), "{url}");
            assert!(target.request().starts_with(first_line), "{}", target.request());
            assert!(target.request().ends_with("\r\n\r\n"));
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_with_a_remedy() {
        for (url, problem) in [
            ("https://a", "https, which is not built in"),
            ("a:80", "does not begin with http://"),
            ("http://", "names no host"),
            ("http://:80", "names no host"),
            ("http://a:0", "names no host and port"),
            ("http://a:+80", "names no host and port"),
            ("http://a:65536", "names no host and port"),
            ("http://[a]", "names no host and port"),
            ("http://[::1]80", "names no host and port"),
            ("http://me:secret@a", "a user's name"),
            ("http://a/\r\nX: 1", "control character"),
            ("http://a/ b", "a space"),
        ] {
            let fault = Target::read(url).unwrap_err();
            assert_eq!(fault.key.as_deref(), Some("url"));
            assert!(fault.problem.contains(problem), "{url}: {fault}");
            assert!(!fault.remedy.is_empty());
        }
    }
}
