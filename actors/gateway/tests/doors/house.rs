//! A tree with its doors open, and a runtime behind them that does a few odd things.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use triarch_gateway::{
    Bounds, Code, Config, Doors, OperationError, Operations, ProgressSink, Request, Written, metrics, room,
};
use triarch_supervision::metrics::{Catalogue, Instruments, Section, Value as Shown, families};
use triarch_supervision::prelude::*;
use triarch_telemetry::{Exposition, Health, Output};

use crate::patience::soon;

/// A tree with its doors open.
pub(crate) struct House {
    pub(crate) tree: Tree,
    pub(crate) bounds: Bounds,
    pub(crate) exposition: Exposition,
    pub(crate) folder: TempDir,
    pub(crate) socket: PathBuf,
    pub(crate) address: SocketAddr,
    /// How many operations were dropped before they had ended.
    pub(crate) dropped: Arc<AtomicUsize>,
}

/// Performs what tests ask for.
struct Odd {
    dropped: Arc<AtomicUsize>,
}

/// Counts itself where it is dropped before it is forgotten.
struct Unfinished(Arc<AtomicUsize>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Operations for Odd {
    async fn perform(&self, request: Request, progress: ProgressSink) -> Result<Written, OperationError> {
        match request.operation.as_str() {
            "echo" => Written::of(&request.input),
            "whoami" => Written::of(&json!({"uid": request.caller.uid, "pid": request.caller.pid})),
            "fail" => Err(OperationError::new(
                Code::NotFound,
                "nobody is called so",
                "see who there is",
            )),
            "panic" => panic!("the operation fell over"),
            "count" => {
                let most = request.input.as_u64().unwrap_or_default();
                for done in 1..=most {
                    progress.tell(json!({"done": done, "of": most})).await;
                }
                Written::of(&most)
            }
            "pieces" => {
                for piece in 1..=request.input.as_u64().unwrap_or_default() {
                    progress.part(Written::of(&[piece])?).await;
                }
                Written::of(&[0])
            }
            "wait" => {
                let _unfinished = Unfinished(Arc::clone(&self.dropped));
                progress.tell(json!("waiting")).await;
                std::future::pending().await
            }
            "follow" => {
                progress.stays()?;
                progress.tell(json!("following")).await;
                std::future::pending().await
            }
            "insist" => {
                progress.goes_on();
                let unfinished = Unfinished(Arc::clone(&self.dropped));
                progress.tell(json!("begun")).await;
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                // To nobody.
                progress.tell(json!("nearly done")).await;
                std::mem::forget(unfinished);
                Written::of(&"done")
            }
            "linger" => {
                progress.tell(json!("lingering")).await;
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                Written::of(&"done")
            }
            other => Err(OperationError::new(
                Code::Usage,
                format!("no operation is called {other}"),
                "see help",
            )),
        }
    }
}

pub(crate) fn sections() -> Vec<Section> {
    let own = [
        families::SUPERVISION,
        families::MAILBOX,
        families::AGENT,
        metrics::GATEWAY,
    ];
    own.into_iter().chain(triarch_telemetry::metrics::SECTIONS).collect()
}

/// A folder of its own for each test, open to nobody else.
pub(crate) fn folder() -> TempDir {
    let ours_alone = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(ours_alone).tempdir().unwrap()
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..Config::default()
        };
        change(&mut config);
        let instruments = Instruments::new(Catalogue::new(&sections()).unwrap());
        let health = Health::new(&["telemetry", "gateway"]);
        let exposition = Exposition::new(instruments.clone(), health, "0.1.0").unwrap();
        let folder = folder();
        let doors = Doors::open(config, folder.path()).unwrap();
        let (socket, address) = (doors.socket().to_owned(), doors.http().unwrap());
        let bounds = doors.bounds();
        let dropped = Arc::default();
        let operations = Odd {
            dropped: Arc::clone(&dropped),
        };
        let telemetry = triarch_telemetry::room(
            triarch_telemetry::Config::default(),
            Output::to(std::io::sink()),
            None,
            &exposition,
        );
        let root = Root::new()
            .instruments(instruments)
            .supervisor(telemetry.unwrap())
            .supervisor(room(doors, &exposition, operations).unwrap());
        Self {
            tree: root.start().await.unwrap(),
            exposition,
            bounds,
            folder,
            socket,
            address,
            dropped,
        }
    }

    pub(crate) async fn close(self) {
        let end = soon("the tree stops", self.tree.stop()).await;
        assert!(end.is_orderly(), "{end:?}");
        drop(self.tree);
    }

    /// What a series shows: a counter's count or a gauge's level.
    pub(crate) fn figure(&self, name: &str, labels: &[&str]) -> u64 {
        let readings = self.exposition.instruments().read();
        let reading = readings.iter().find(|reading| reading.family.name == name).expect(name);
        let is_meant = |values: Vec<&str>| values == labels;
        let samples = &reading.samples;
        let sample = samples
            .iter()
            .find(|sample| is_meant(sample.labels().map(|(_, value)| value).collect()));
        match sample.map(|sample| &sample.value) {
            Some(Shown::Count(count)) => *count,
            Some(Shown::Level(level)) => level.to_string().parse().unwrap(),
            other => panic!("{name} {labels:?} shows {other:?}"),
        }
    }

    pub(crate) fn refused(&self, door: &str, why: &str) -> u64 {
        self.figure("triarch_gateway_refused_total", &[door, why])
    }

    pub(crate) fn connections(&self, door: &str) -> u64 {
        self.figure("triarch_gateway_connections", &[door])
    }

    /// Sends bytes over HTTP's door and reads until the other side closes.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // One that is cut off with bytes unread is reset; what it was told before counts.
        let _reset = soon("the answer ends", stream.read_to_end(&mut answer)).await;
        String::from_utf8(answer).unwrap()
    }

    /// Asks properly for `path`, once.
    pub(crate) async fn get(&self, path: &str) -> String {
        let host = self.address;
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ))
        .await
    }

    pub(crate) async fn dial(&self) -> UnixStream {
        UnixStream::connect(&self.socket).await.unwrap()
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// What lies behind the head.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
