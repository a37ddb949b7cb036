//! What a door asks of the runtime, and what the runtime answers.
//!
//! The doors know no operation by name: they carry a [`Request`] to whatever implements [`Operations`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::guests::Place;
use crate::metrics::Door;

/// How much progress may wait to be told before the operation waits.
const PROGRESS_KEPT: usize = 16;

/// One typed request to the runtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is asked for, as in `agent.list`.
    pub operation: String,
    /// What it is to be done with.
    pub input: Value,
    /// Who asks.
    pub caller: Caller,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Through which door.
    pub door: Door,
    /// As which user.
    pub uid: u32,
    /// From which process, where the system tells.
    pub pid: Option<i32>,
}

/// Performs requests: the runtime.
pub trait Operations: Send + Sync + 'static {
    /// Does what `request` asks for. Dropped at any `await` when whoever asked has gone, unless it
    /// [goes on](ProgressSink::goes_on).
    fn perform(
        &self,
        request: Request,
        progress: ProgressSink,
    ) -> impl Future<Output = Result<Written, OperationError>> + Send;
}

/// What came of an operation, in JSON that is written already: doors pass it on and need not know what it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written(Box<RawValue>);

impl Written {
    /// Writes `output`.
    pub fn of(output: &impl Serialize) -> Result<Self, OperationError> {
        let written = serde_json::value::to_raw_value(output);
        written.map(Self).map_err(|error| {
            let message = format!("what came of it cannot be written: {error}");
            OperationError::new(Code::RuntimeFailed, message, "report it")
        })
    }
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// An operation at work.
pub(crate) type Performing = Pin<Box<dyn Future<Output = Result<Written, OperationError>> + Send>>;

/// [`Operations`] of whatever type.
#[derive(Clone)]
pub(crate) struct Performer(Arc<dyn Fn(Request, ProgressSink) -> Performing + Send + Sync>);

impl fmt::Debug for Performer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performer").finish_non_exhaustive()
    }
}

impl Performer {
    pub(crate) fn new(operations: impl Operations) -> Self {
        let operations = Arc::new(operations);
        Self(Arc::new(move |request, progress| {
            let operations = Arc::clone(&operations);
            Box::pin(async move { operations.perform(request, progress).await })
        }))
    }

    pub(crate) fn begin(&self, request: Request, progress: ProgressSink) -> Performing {
        (self.0)(request, progress)
    }
}

/// Where an operation tells how far it is.
#[derive(Clone, Debug)]
pub struct ProgressSink {
    told: mpsc::Sender<Told>,
    manner: Arc<Manner>,
    /// What is kept for whoever asked, where that is bounded.
    place: Option<Place>,
}

/// What an operation told, in its order.
#[derive(Debug)]
pub struct ProgressStream {
    told: mpsc::Receiver<Told>,
    manner: Arc<Manner>,
}

/// What sort of operation it is.
#[derive(Debug, Default)]
struct Manner {
    waits: AtomicBool,
    goes_on: AtomicBool,
}

/// What an operation tells before its end.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// How far it is.
    Progress(Value),
    /// The next piece of its output.
    Part(Written),
}

impl ProgressSink {
    /// A sink, and where what goes into it comes out.
    pub fn channel() -> (Self, ProgressStream) {
        let (sender, receiver) = mpsc::channel(PROGRESS_KEPT);
        let manner = Arc::new(Manner::default());
        let sink = Self {
            told: sender,
            manner: Arc::clone(&manner),
            place: None,
        };
        (sink, ProgressStream { told: receiver, manner })
    }

    /// The same, for one at a door.
    pub(crate) fn at(place: Place) -> (Self, ProgressStream) {
        let (sink, stream) = Self::channel();
        (
            Self {
                place: Some(place),
                ..sink
            },
            stream,
        )
    }

    /// What is asked for takes as long as somebody else does, and keeps its place that long. It is not to be begun where
    /// that is refused: the places that are left are for those who are soon gone.
    pub fn stays(&self) -> Result<(), OperationError> {
        if self.place.as_ref().is_none_or(Place::stays) {
            return Ok(());
        }
        let message =
            "as many wait or follow as may, and the other connections are kept for questions that are soon answered";
        let remedy = "end one of those, or raise gateway.socket_connections and reload";
        Err(OperationError::new(Code::Refused, message, remedy))
    }

    /// Tells something; waits while a slow reader has not taken what came before.
    pub async fn tell(&self, progress: Value) {
        // Where nobody listens any more the operation is about to be dropped.
        let _gone = self.told.send(Told::Progress(progress)).await;
    }

    /// Hands over a piece of the output, which what the operation ends with is the last piece of; waits as
    /// [`tell`](Self::tell) does.
    pub async fn part(&self, part: Written) {
        let _gone = self.told.send(Told::Part(part)).await;
    }

    /// How long it takes is not the runtime's doing: it waits for an agent, or for whom it is asked to wait for.
    pub fn waits(&self) {
        self.manner.waits.store(true, Ordering::Relaxed);
    }

    /// What is begun is carried through, though whoever asked has gone.
    pub fn goes_on(&self) {
        self.manner.goes_on.store(true, Ordering::Relaxed);
    }

    /// Tells something unless a slow reader has not taken what came before; returns whether it did.
    pub fn try_tell(&self, progress: Value) -> bool {
        self.told.try_send(Told::Progress(progress)).is_ok()
    }
}

impl ProgressStream {
    /// The next; `None` when the operation is done with it.
    pub async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }

    /// Whether the operation waits for somebody.
    pub fn has_waited(&self) -> bool {
        self.manner.waits.load(Ordering::Relaxed)
    }

    /// Whether it is carried through, though whoever asked has gone.
    pub fn is_to_go_on(&self) -> bool {
        self.manner.goes_on.load(Ordering::Relaxed)
    }

    /// The next, if it is there already.
    pub fn try_next(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }
}

/// Why an operation failed: what a command exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Code {
    /// The operation failed: 1.
    Failed,
    /// The request cannot be understood or is not allowed as it stands: 2.
    Usage,
    /// No receipt came in time: 3.
    NoReceipt,
    /// What it is about is not there: 4.
    NotFound,
    /// Whoever asks may not: 5.
    Refused,
    /// No runtime runs: 69.
    NotRunning,
    /// The runtime failed: 70.
    RuntimeFailed,
}

impl Code {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Usage,
        Self::NoReceipt,
        Self::NotFound,
        Self::Refused,
        Self::NotRunning,
        Self::RuntimeFailed,
    ];

    /// What a command exits with.
    pub const fn number(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoReceipt => 3,
            Self::NotFound => 4,
            Self::Refused => 5,
            Self::NotRunning => 69,
            Self::RuntimeFailed => 70,
        }
    }

    /// The word for it in metrics and answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NoReceipt => "no_receipt",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::NotRunning => "not_running",
            Self::RuntimeFailed => "runtime_failed",
        }
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> Self {
        code.number()
    }
}

impl TryFrom<u8> for Code {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        let code = Self::ALL.into_iter().find(|code| code.number() == number);
        code.ok_or_else(|| format!("{number} is no code of an operation's failure"))
    }
}

/// Why an operation failed, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct OperationError {
    /// Which kind of failure.
    pub code: Code,
    /// What failed, on what.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl OperationError {
    /// A failure of that kind.
    pub fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (message, remedy) = (message.into(), remedy.into());
        Self { code, message, remedy }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_written_with_its_number_and_read_again() {
        let error = OperationError::new(Code::NotFound, "no agent is called a", "see triarch agent list");
        let written = json!({"code": 4, "message": "no agent is called a", "remedy": "see triarch agent list"});
        assert_eq!(serde_json::to_value(&error).unwrap(), written);
        assert_eq!(serde_json::from_value::<OperationError>(written).unwrap(), error);
        let unknown = json!({"code": 6, "message": "", "remedy": ""});
        assert!(serde_json::from_value::<OperationError>(unknown).is_err());
    }

    #[test]
    fn each_code_is_found_by_its_number() {
        for code in Code::ALL {
            assert_eq!(Code::try_from(code.number()), Ok(code));
        }
    }

    #[tokio::test]
    async fn a_slow_reader_holds_the_teller_back() {
        let (sink, mut stream) = ProgressSink::channel();
        for index in 0..PROGRESS_KEPT {
            assert!(sink.try_tell(json!(index)));
        }
        assert!(!sink.try_tell(json!("too much")));
        assert_eq!(stream.next().await, Some(Told::Progress(json!(0))));
        sink.tell(json!("again")).await;
        drop(sink);
        let mut rest = Vec::new();
        while let Some(told) = stream.next().await {
            rest.push(told);
        }
        assert_eq!(
            (rest.len(), rest.last()),
            (PROGRESS_KEPT, Some(&Told::Progress(json!("again"))))
        );
    }
}
