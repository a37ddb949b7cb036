//! What the queue is asked and told, and what comes of that.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::TaskError;
use crate::machine::View;
use crate::queue::{Request, TaskAddress, Word};
use crate::task::Claim;
use crate::words::{Fence, TaskId, Worker};

/// What a question to the queue came to.
pub(super) enum Heard {
    /// There is nothing for it yet.
    Nothing {
        request: Request,
        withdrawal: watch::Receiver<()>,
    },
    Claims {
        worker: Worker,
        most: usize,
        claims: Result<Vec<Claim>, TaskError>,
    },
    Told {
        fence: Fence,
        was_last: bool,
        outcome: Result<(), TaskError>,
    },
    Listed(Result<Vec<View>, TaskError>),
}

pub(super) type Asking = Pin<Box<dyn Future<Output = Heard> + Send>>;

pub(super) async fn claim(
    tasks: TaskAddress,
    request: Request,
    mut withdrawal: watch::Receiver<()>,
    pause: Duration,
) -> Heard {
    let (worker, most) = (request.worker.clone(), request.most);
    let claims = tokio::select! {
        biased;
        claims = tasks.claim(request.clone()) => claims,
        // What is on its way to it then is given back at once.
        _ended = withdrawal.changed() => {
            let claims = Ok(Vec::new());
            return Heard::Claims { worker, most, claims };
        }
    };
    if !request.waits && claims.as_ref().is_ok_and(Vec::is_empty) {
        return Heard::Nothing { request, withdrawal };
    }
    if claims.is_err() {
        // The queue takes nothing for now: it is not asked without a pause.
        tokio::time::sleep(pause).await;
    }
    Heard::Claims { worker, most, claims }
}

pub(super) async fn tell(tasks: TaskAddress, task: TaskId, fence: Fence, word: Word) -> Heard {
    let was_last = !matches!(word, Word::Began | Word::Alive { .. });
    let outcome = tasks.tell(task, fence, word).await;
    Heard::Told {
        fence,
        was_last,
        outcome,
    }
}
