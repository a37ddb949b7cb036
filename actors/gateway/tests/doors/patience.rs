//! Waiting for a stated condition.

use std::future::Future;
use std::time::Duration;

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_mins(3);

/// What comes of `future`, which is expected to end.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, future).await;
    ended.unwrap_or_else(|_| panic!("in vain: {what}"))
}

/// Returns once `is_so`.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, looking).await;
}
