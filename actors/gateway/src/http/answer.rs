//! What is answered.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::operation::Code;

pub(super) type Answer = Response<Full<Bytes>>;

/// What one too many is told.
pub(super) const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// Why a request is not answered as it was meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    detail: &'static str,
    remedy: &'static str,
}

impl Problem {
    pub(super) const TARGET: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: Code::Refused,
        detail: "the target of the request is not a path",
        remedy: "this is no proxy: ask for a path",
    };
    pub(super) const HOST: Self = Self {
        status: StatusCode::MISDIRECTED_REQUEST,
        code: Code::Refused,
        detail: "the header Host does not name this door",
        remedy: "name it as it is configured, with its port, or add the name under gateway.hosts",
    };
    pub(super) const HOSTS: Self = Self {
        status: StatusCode::BAD_REQUEST,
        code: Code::Refused,
        detail: "the request does not have exactly one header Host",
        remedy: "send one",
    };
    pub(super) const ORIGIN: Self = Self {
        status: StatusCode::FORBIDDEN,
        code: Code::Refused,
        detail: "the request comes from another site",
        remedy: "ask without a browser, or from a page of this door",
    };
    pub(super) const NOWHERE: Self = Self {
        status: StatusCode::NOT_FOUND,
        code: Code::NotFound,
        detail: "nothing is served at this path",
        remedy: "ask for /metrics, /health/live or /health/ready",
    };
    pub(super) const METHOD: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: Code::Usage,
        detail: "the path is there, but only to be read",
        remedy: "use GET or HEAD",
    };

    /// The answer, in the form of RFC 9457.
    pub(super) fn answer(self) -> Answer {
        let problem = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code.label(),
            "detail": self.detail,
            "remedy": self.remedy,
        });
        let mut answer = answer(self.status, "application/problem+json", problem.to_string().into());
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        answer
    }
}

/// What `shown` is, as JSON.
pub(super) fn json(status: StatusCode, shown: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(shown).unwrap_or_default();
    answer(status, "application/json", text.into())
}

pub(super) fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
