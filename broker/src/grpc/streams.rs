//! Streams: how many, how long, and how they end.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elevate_core::names::Principal;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::status;

/// Open streams of one principal, and of all.
const EACH: usize = 16;
const ALL: usize = 2000;

/// A stream ends after this long, and the client comes back with a token that is good then.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What a streaming call answers with.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Counts open streams, and ends them all at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    open: Arc<Mutex<HashMap<Principal, usize>>>,
    stop: CancellationToken,
}

/// One open stream; counted until dropped.
#[derive(Debug)]
pub(super) struct Open {
    principal: Principal,
    open: Arc<Mutex<HashMap<Principal, usize>>>,
    stop: CancellationToken,
}

impl Open {
    /// Resolves when the stream is to end, whatever its client does.
    pub(super) async fn over(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(LONGEST) => {}
        }
    }
}

impl Streams {
    /// A place for one more stream of this principal.
    pub(super) fn open(&self, principal: Principal) -> Result<Open, Status> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(&principal).copied().unwrap_or_default();
        if own >= EACH || all >= ALL {
            return Err(status::too_many_streams());
        }
        open.insert(principal, own.saturating_add(1));
        Ok(Open { principal, open: Arc::clone(&self.open), stop: self.stop.clone() })
    }

    /// Ends every stream, so that the server can.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.principal) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.principal);
            }
        }
    }
}

/// Hands on one answer. `false` when the client has gone or the stream is over: a client that does not
/// read keeps no stream open.
pub(super) async fn give<T>(
    answers: &mpsc::Sender<Result<T, Status>>,
    answer: Result<T, Status>,
    over: Pin<&mut impl Future<Output = ()>>,
) -> bool {
    tokio::select! {
        given = answers.send(answer) => given.is_ok(),
        () = over => false,
    }
}

/// A stream fed by a task: what it sends is waited for by the client, so a slow one holds nobody up.
pub(super) fn fed<T: Send + 'static>() -> (mpsc::Sender<Result<T, Status>>, Answers<T>) {
    let (sender, receiver) = mpsc::channel(16);
    (sender, Box::pin(ReceiverStream::new(receiver)))
}

#[cfg(test)]
mod tests;
