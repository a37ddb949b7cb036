//! `http-check`: asks a web server each so often whether it is well, and tells of changes.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use triarch_supervision::prelude::*;

use super::health::{Change, Health};
use super::lookup::Lookup;
use super::outgoing::{Outgoing, Recipients};
use super::response::{NoResponse, Response};
use super::show;
use super::target::{Target, without_query};
use crate::error::SettingError;
use crate::kind::{Kind, Seat};
use crate::post::{Post, PostOffice};
use crate::span::Span;

/// How much of a response is read at once.
const PIECE: usize = 1024;
const EVERY_MIN: Duration = Duration::from_millis(10);
/// How long it is there for posts, at least, between two checks.
/// The statuses that an answer may end with.
const STATUSES: RangeInclusive<u16> = 200..=599;
const GAP: Duration = Duration::from_millis(1);
const TIMEOUT: Span = Span(Duration::from_secs(2));

/// The settings of an `http-check`. Nobody prints them: their address may have a secret in it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// What it asks for: a plain `http://` address.
    url: String,
    /// How often it asks.
    #[serde(default = "every")]
    every: Span,
    /// How long it waits for the head of the answer: `every`, or two seconds where that is longer, if nothing is said.
    timeout: Option<Span>,
    /// The status that means that all is well.
    #[serde(default = "expect")]
    #[schemars(range(min = *STATUSES.start(), max = *STATUSES.end()))]
    expect: u16,
    /// How many failures in a row mean that it is down.
    #[serde(default = "failures")]
    failures: NonZeroU32,
    /// Whom it tells that it went down or up: paths such as `team/agent`, or `agent` for one of its own team.
    #[serde(default)]
    notify: Vec<String>,
}

fn every() -> Span {
    Span(Duration::from_secs(30))
}

fn expect() -> u16 {
    200
}

fn failures() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(2)
}

pub(super) struct HttpChecks {
    office: Arc<PostOffice>,
}

impl HttpChecks {
    pub(super) fn new(office: Arc<PostOffice>) -> Self {
        Self { office }
    }
}

impl Kind for HttpChecks {
    type Settings = Settings;
    type Agent = HttpCheck;

    fn name(&self) -> &'static str {
        "http-check"
    }

    fn about(&self) -> &'static str {
        "Asks a web server each so often whether it is well, and tells of changes."
    }

    fn spec(&self, seat: Seat<Settings>) -> Result<Spec, SettingError> {
        let Settings {
            every, timeout, expect, ..
        } = seat.settings;
        let timeout = timeout.unwrap_or(every.min(TIMEOUT));
        SettingError::unless_at_least(EVERY_MIN, "every", every)?;
        if timeout.0.is_zero() || timeout > every || timeout >= seat.rules.shutdown {
            let problem = format!("`timeout` is {timeout}");
            let remedy = "set more than nothing, no more than `every`, and less than `shutdown`";
            return Err(SettingError::of("timeout", problem, remedy));
        }
        if !STATUSES.contains(&expect) {
            let problem = format!("`expect` is {expect}, which is no final status");
            return Err(SettingError::of(
                "expect",
                problem,
                format!("set one of {} to {}", STATUSES.start(), STATUSES.end()),
            ));
        }
        Ok(Spec {
            target: Target::read(&seat.settings.url)?,
            url: Arc::from(without_query(&seat.settings.url)),
            every: every.0,
            timeout: timeout.0,
            expect,
            failures: seat.settings.failures,
            notify: Recipients::read("notify", &seat.settings.notify, &seat.team)?,
            office: Arc::clone(&self.office),
        })
    }
}

/// What each life of a check begins from.
#[derive(Clone)]
pub(super) struct Spec {
    url: Arc<str>,
    target: Target,
    every: Duration,
    timeout: Duration,
    expect: u16,
    failures: NonZeroU32,
    notify: Recipients,
    office: Arc<PostOffice>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no connection: {0}")]
    NoConnection(#[source] io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    #[error(transparent)]
    NoResponse(#[from] NoResponse),
    #[error("no answer within {}", Span(*.0))]
    TooLate(Duration),
    #[error("the status is {found}, not {expected}")]
    OtherStatus { found: u16, expected: u16 },
}

/// Asks a web server whether it is well.
#[derive(Debug)]
pub(super) struct HttpCheck {
    spec: Spec,
    lookup: Lookup,
    health: Health,
    checks: u64,
    failed: u64,
    /// How the last check went.
    last: Option<Result<Duration, String>>,
    outgoing: Outgoing,
}

impl Agent for HttpCheck {
    type Message = Post;
    type Spec = Spec;

    async fn start(spec: Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_after(Duration::ZERO, spec.office.reminder(ctx.path(), "check"));
        Ok(Self {
            health: Health::new(spec.failures),
            checks: 0,
            failed: 0,
            last: None,
            outgoing: Outgoing::default(),
            lookup: Lookup::default(),
            spec,
        })
    }

    async fn handle(&mut self, post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if !post.is_reminder() {
            show(self, post);
            return Ok(());
        }
        let asked = Moment::now();
        let checked = self.check().await.map(|()| Moment::now().since(asked));
        self.checks += 1;
        self.failed += u64::from(checked.is_err());
        let change = self.health.checked(checked.is_ok());
        self.last = Some(checked.map_err(|trouble| trouble.to_string()));
        if let Some(change) = change {
            self.tell(change, ctx);
        }
        // Set anew each time: timers go before posts, and checks that fill their period would keep posts away.
        let wait = (asked + self.spec.every).since(Moment::now()).max(GAP);
        ctx.send_after(wait, self.spec.office.reminder(ctx.path(), "check"));
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        let last = self.last.as_ref();
        Some(json!({
            "url": self.spec.url,
            "health": self.health.state(),
            "checks": self.checks,
            "failed": self.failed,
            "failed_in_a_row": self.health.failures_in_a_row(),
            "last_seconds": last.and_then(|last| last.as_ref().ok()).map(Duration::as_secs_f64),
            "last_trouble": last.and_then(|last| last.as_ref().err()),
            "posts": self.outgoing.shown(),
        }))
    }
}

impl HttpCheck {
    async fn check(&mut self) -> Result<(), Trouble> {
        let Spec {
            target,
            timeout,
            expect,
            ..
        } = &self.spec;
        let asked = tokio::time::timeout(*timeout, ask(&mut self.lookup, target));
        let found = asked.await.unwrap_or(Err(Trouble::TooLate(*timeout)))?;
        let expected = *expect;
        if found == expected {
            Ok(())
        } else {
            Err(Trouble::OtherStatus { found, expected })
        }
    }

    fn tell(&mut self, change: Change, ctx: &Context<Self>) {
        let kind = match change {
            Change::WentUp => "up",
            Change::WentDown => "down",
        };
        let trouble = self.last.as_ref().and_then(|last| last.as_ref().err());
        let body = json!({ "url": self.spec.url, "trouble": trouble });
        let (tree, me) = (ctx.observer(), ctx.path());
        for to in self.spec.notify.iter() {
            let post = self.spec.office.post(Arc::clone(&me), kind, body.clone());
            self.outgoing.send(&tree, to, post);
        }
    }
}

async fn ask(lookup: &mut Lookup, target: &Target) -> Result<u16, Trouble> {
    let found = lookup.addresses(&target.host, target.port).await;
    let connected = TcpStream::connect(&*found.map_err(Trouble::NoConnection)?).await;
    exchange(connected.map_err(Trouble::NoConnection)?, &target.request()).await
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<u16, Trouble> {
    stream.write_all(request.as_bytes()).await.map_err(Trouble::Broken)?;
    let (mut response, mut piece) = (Response::default(), [0; PIECE]);
    loop {
        let count = stream.read(&mut piece).await.map_err(Trouble::Broken)?;
        if let Some(status) = response.take(&piece[..count])? {
            return Ok(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use triarch_supervision::testing::Probe;

    use super::super::natives;
    use super::super::stage::fault;
    use super::*;
    use crate::post::tests::office;
    use crate::receipt::Stage;
    use crate::room::room;

    #[tokio::test]
    async fn a_status_comes_in_pieces_and_the_rest_is_left() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let server = async {
            let mut request = [0; 18];
            theirs.read_exact(&mut request).await.unwrap();
            theirs
                .write_all(b"HTTP/1.1 302 Elsewhere\r\nA: b\r\n\r\n")
                .await
                .unwrap();
            request
        };
        let (status, request) = tokio::join!(exchange(ours, "GET / HTTP/1.1\r\n\r\n"), server);
        assert_eq!((status.unwrap(), &request), (302, b"GET / HTTP/1.1\r\n\r\n"));
    }

    #[tokio::test]
    async fn one_that_hangs_up_has_not_answered() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let server = async {
            theirs.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            drop(theirs);
        };
        let (status, ()) = tokio::join!(exchange(ours, ""), server);
        assert_eq!(status.unwrap_err().to_string(), "the response ended within its head");
    }

    /// A check of `listener`, in a team beside an ear.
    async fn check(listener: &TcpListener) -> (Tree, Probe<Post>) {
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let config = json!({ "name": "team", "agent": [{ "name": "check", "kind": "http-check", "url": url,
            "every": "50ms", "failures": 2, "notify": ["test/ear", "ghost"] }] });
        let kinds = natives(Arc::new(office(1)), crate::places::Places::seen_from("."));
        let team = room(&serde_json::from_value(config).unwrap(), &kinds, 10).unwrap();
        let (ear, probe) = Probe::<Post>::child("ear");
        let root = Root::new()
            .supervisor(Supervisor::named("test").child(ear))
            .supervisor(team);
        (root.start().await.unwrap(), probe)
    }

    /// Answers each request with the next of `answers`, and with the last one for ever.
    async fn serve(listener: &TcpListener, answers: &[&str]) {
        let last = answers.last().unwrap();
        for answer in answers.iter().chain(std::iter::repeat(last)) {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; PIECE];
            // Whoever has given up by now does not mind.
            let count = stream.read(&mut request).await.unwrap_or(0);
            assert!(count == 0 || request.starts_with(b"GET /health HTTP/1.1\r\n"));
            let _given_up = stream.write_all(answer.as_bytes()).await;
        }
    }

    #[tokio::test]
    async fn it_tells_that_a_server_went_down_and_up_again() {
        const WELL: &str = "HTTP/1.1 200 OK\r\n\r\n";
        const ILL: &str = "HTTP/1.1 503 Later\r\n\r\n";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (tree, mut ear) = check(&listener).await;
        let story = async { (ear.expect_next().await, ear.expect_next().await) };
        let (down, up) = tokio::select! {
            told = story => told,
            () = serve(&listener, &[WELL, ILL, WELL, ILL, ILL, ILL, WELL]) => unreachable!(),
        };
        assert_eq!((&*down.from, &*down.kind, &*up.kind), ("team/check", "down", "up"));
        assert!(down.body["trouble"].is_string(), "{}", down.body);
        assert_eq!(up.body["trouble"], Value::Null);
        assert!(tree.stop().await.is_orderly());
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_down() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (tree, mut ear) = check(&listener).await;
        let down = ear.expect_next().await;
        assert_eq!(
            (&*down.kind, &down.body["trouble"]),
            ("down", &json!("no answer within 50ms"))
        );
        let (post, stages) = office(2).registered("me", "ask", Value::Null);
        tree.observer().send_to("team/check", post).await.unwrap();
        assert_eq!(stages.recv_async().await.unwrap().1, Stage::Delivered);
        let Ok((_, Stage::Done(state))) = stages.recv_async().await else {
            panic!("it does not say how it is")
        };
        assert_eq!(
            (&state["health"], &state["last_seconds"]),
            (&json!("down"), &Value::Null)
        );
        assert!(tree.stop().await.is_orderly());
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused() {
        let key = |more: Value| {
            let mut check = json!({ "name": "a", "kind": "http-check", "url": "http://a" });
            check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            fault(&check).key
        };
        assert_eq!(key(json!({ "url": "https://a" })).as_deref(), Some("url"));
        assert_eq!(key(json!({ "every": "1ms" })).as_deref(), Some("every"));
        assert_eq!(
            key(json!({ "every": "1s", "timeout": "2s" })).as_deref(),
            Some("timeout")
        );
        assert_eq!(key(json!({ "timeout": "0s" })).as_deref(), Some("timeout"));
        assert_eq!(key(json!({ "timeout": "6s" })).as_deref(), Some("timeout"));
        assert_eq!(key(json!({ "expect": 100 })).as_deref(), Some("expect"));
        assert_eq!(key(json!({ "notify": ["A"] })).as_deref(), Some("notify"));
    }
}
