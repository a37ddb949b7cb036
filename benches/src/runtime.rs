//! The runtimes every subject on tokio gets alike.

use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// How many workers the multi-thread runtime has.
pub const WORKERS: usize = 2;

/// Runs `work` as a task of a multi-thread runtime with two workers, and ends the runtime.
///
/// # Panics
/// When `work` does.
pub fn on_two_workers<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .expect("threads can start");
    run_as_task(&runtime, work)
}

/// Runs `work` as a task of a runtime on this thread, and ends the runtime.
///
/// # Panics
/// When `work` does.
pub fn on_one_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can start");
    run_as_task(&runtime, work)
}

fn run_as_task<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    match runtime.block_on(runtime.spawn(work)) {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// A runtime on a thread of its own, for the far side of `ask_cross`; ended when dropped.
#[derive(Debug)]
pub struct FarSide {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl FarSide {
    /// Starts it.
    ///
    /// # Panics
    /// When no thread can start.
    pub fn start() -> Self {
        let (end, ended) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can start");
        let handle = runtime.handle().clone();
        let thread = thread::spawn(move || {
            let _ = runtime.block_on(ended);
        });
        Self {
            handle,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Runs `work` there as a task and gives what it gives.
    ///
    /// # Panics
    /// When `work` does.
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (done, result) = oneshot::channel();
        self.handle.spawn(async move { done.send(work.await) });
        result.blocking_recv().expect("the work on the far side ends")
    }
}

impl Drop for FarSide {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
