//! The record on disk: a [`Journal`] that needs no server.
//!
//! ```text
//! append -> writer thread: decide against index and group -> log: one write, one sync -> index -> answer
//! ```
//!
//! The *log* is the truth: append-only segment files, each leaf checksummed, every leaf a leaf of an
//! RFC 6962 tree. The *index* (sled) holds what can be looked up and is made again from the log whenever
//! anything about it is odd. The *anchor* beside them says how far the log had come, so that one that was
//! cut, or an older copy, is refused instead of believed.
//!
//! What is acknowledged is synced. Any error of the disk ends the store for good: everything waiting and
//! everything later answers [`StoreFault`], reads too, and [`Store::fatal`] tells the process to end.
//!
//! Reading order: `record` (the stored form), `log`, `tree`, `anchor`, `index`, `guard`, then `writer` and
//! `opening` and `ballast`; `operate` is for operators. `bookmark` keeps how far the record was told, beside it.

use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use elevate_core::names::{ActivationId, Principal, RequestId, Slot};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ports::Journal;
use crate::ports::journal::{
    Append, AppendError, AppliedPolicy, Entry, Filter, Found, Freeze, Note, Page, Position, Recorded, Said,
    StoreFault,
};

mod anchor;
mod ballast;
mod bookmark;
mod disk;
mod guard;
mod index;
mod log;
#[cfg(feature = "simulation")]
pub mod memory;
mod opening;
mod operate;
mod record;
mod time;
mod tree;
mod writer;

pub use opening::OpenError;
pub use operate::{
    BackedUp, Checked, IndexVerdict, Reanchored, Rebuilt, Restored, Rollback, backup, check, reanchor,
    rebuild, restore,
};
pub use tree::Root;

use index::{Answer, Broken, Index};
use log::Segments;
use opening::{Limits, Parts};
use writer::{Command, Writer};

/// How many appends may wait. Whoever comes then waits to be let in.
const WAITING_MAX: usize = 1024;

/// How many entries one read gives, at the most.
const READ_MAX: usize = 1000;

/// Where the record is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder, made if it is not there; nothing else may be kept in it.
    pub folder: PathBuf,
}

/// The record, open. There is one in a process, and one process at a time.
pub struct Store {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    writer: Option<JoinHandle<()>>,
}

/// What readers and the writer have in common.
struct Shared {
    folder: PathBuf,
    index: Index,
    segments: Segments,
    size: watch::Sender<Position>,
    fault: watch::Sender<Option<StoreFault>>,
    high_water: Option<Timestamp>,
    boot_id: Option<String>,
    ballast_bytes: u64,
    has_room: AtomicBool,
    // Last, so that the index is closed before another process may open it.
    _lock: File,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the record, or begins one in an empty folder. Brings the index up to the log, or makes it
    /// again; cuts off what a crash left half written and nobody was told of.
    ///
    /// Takes as long as reading the log once does; call it where blocking is allowed.
    ///
    /// # Errors
    /// The record is not as it was left, or cannot be read or written: what, why, and what to do.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        Self::open_with(&settings.folder, Limits::default(), Box::new(disk::Kernel))
    }

    fn open_with(folder: &Path, limits: Limits, disk: Box<dyn disk::Disk>) -> Result<Self, OpenError> {
        let Parts { lock, log, index, applied, anchor, has_room } = Parts::open(folder, limits, disk)?;
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            index,
            segments: log.segments(),
            size: watch::Sender::new(Position(applied.tree.size())),
            fault: watch::Sender::new(None),
            high_water: applied.high_water,
            boot_id: anchor.boot_before.clone(),
            ballast_bytes: limits.ballast_bytes,
            has_room: AtomicBool::new(has_room),
            _lock: lock,
        });
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        let writer = Writer::new(Arc::clone(&shared), log, applied, anchor, limits);
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|error| OpenError::io("start the writer for", folder, error))?;
        Ok(Self { shared, commands, writer: Some(writer) })
    }

    /// Ends the store in good order: what waits is written, then the anchor. Later calls that write fail.
    ///
    /// # Errors
    /// The store had failed, or failed over this.
    pub async fn close(&self) -> Result<(), StoreFault> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Close(reply)).await?;
        answer.await.map_err(|_| self.shared.ended())?
    }

    /// Lets the anchor stand for everything written so far. To be called now and then: by itself the
    /// writer looks at the anchor only when it writes, and a quiet broker's newest entries would stay
    /// beyond it.
    ///
    /// # Errors
    /// The store had failed.
    pub async fn anchor(&self) -> Result<(), StoreFault> {
        self.send(Command::Anchor).await
    }

    /// Takes the ballast again, where it was let go of over a full disk and there is room again. To be called
    /// now and then, like [`Store::anchor`].
    pub async fn regain_room(&self) {
        if self.has_room() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let taken = tokio::task::spawn_blocking(move || ballast::take(&shared.folder, shared.ballast_bytes));
        match taken.await {
            Ok(Ok(())) => {
                self.shared.has_room.store(true, Ordering::SeqCst);
                tracing::info!("there is room on the disk again: requests are taken");
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the disk has no room: nothing new is taken, revocations go on");
            }
            Err(_) => {}
        }
    }

    /// As if the disk were full.
    #[cfg(test)]
    pub(crate) fn lose_room(&self) {
        self.shared.has_room.store(false, Ordering::SeqCst);
    }

    /// Ends when the store has failed, with why; the process must then end too (code 70), without another
    /// answer to anybody. Never ends while the store is well.
    pub fn fatal(&self) -> impl Future<Output = StoreFault> + Send + 'static {
        let mut fault = self.shared.fault.subscribe();
        async move {
            let failed = fault.wait_for(Option::is_some).await.ok().and_then(|fault| fault.clone());
            match failed {
                Some(fault) => fault,
                None => std::future::pending().await,
            }
        }
    }

    /// The latest time in any entry when the store was opened: no clock may be believed that is behind it.
    pub fn high_water(&self) -> Option<Timestamp> {
        self.shared.high_water
    }

    /// The boot of the machine that the record was last written under, if it was known.
    pub fn last_boot_id(&self) -> Option<&str> {
        self.shared.boot_id.as_deref()
    }

    async fn send(&self, command: Command) -> Result<(), StoreFault> {
        self.shared.sound()?;
        self.commands.send(command).await.map_err(|_| self.shared.ended())
    }

    /// Asks the index where asking takes no time.
    fn ask<T>(&self, question: impl FnOnce(&Index) -> Answer<T>) -> Result<T, StoreFault> {
        self.shared.ask(question)
    }

    /// Asks where it may take a while: not on the threads that serve.
    async fn ask_apart<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Shared) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || question(&shared)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.shared.fail("a question to it was broken off".to_owned())),
        }
    }
}

impl Drop for Store {
    /// Whatever was sent is still written, and the anchor too.
    fn drop(&mut self) {
        self.commands = mpsc::channel(1).0;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so by `fatal`.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Journal for Store {
    async fn append_all(&self, appends: Vec<Append>) -> Result<Vec<Recorded>, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Append { appends, reply }).await?;
        answer.await.map_err(|_| self.shared.ended())?
    }

    async fn note(&self, note: Note) -> Result<Position, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Note { note, reply }).await?;
        answer.await.map_err(|_| self.shared.ended())?
    }

    async fn load(&self, id: ActivationId) -> Result<Option<Recorded>, StoreFault> {
        Ok(self.ask(|index| index.activation(id))?.map(Recorded::loaded))
    }

    async fn holder(&self, slot: &Slot) -> Result<Option<ActivationId>, StoreFault> {
        self.ask(|index| index.holder(slot))
    }

    async fn begun_by(
        &self,
        principal: Principal,
        request: RequestId,
    ) -> Result<Option<ActivationId>, StoreFault> {
        self.ask(|index| index.begun_by(principal, request))
    }

    async fn due(
        &self,
        until: Timestamp,
        after: Option<(Timestamp, ActivationId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, ActivationId)>, StoreFault> {
        self.ask(|index| index.due(until, after, limit))
    }

    async fn next_due(&self, moment: Timestamp) -> Result<Option<Timestamp>, StoreFault> {
        self.ask(|index| index.next_due(moment))
    }

    async fn find(&self, filter: &Filter, page: &Page) -> Result<Found, StoreFault> {
        let (filter, page) = (filter.clone(), page.clone());
        let found = self.ask_apart(move |shared| shared.ask(|index| index.find(&filter, &page)));
        let (activations, next) = found.await?;
        Ok(Found { activations: activations.into_iter().map(Recorded::loaded).collect(), next })
    }

    async fn census(&self) -> Result<Vec<(&'static str, u64)>, StoreFault> {
        self.ask_apart(|shared| shared.ask(Index::census)).await
    }

    async fn policy(&self) -> Result<Option<AppliedPolicy>, StoreFault> {
        self.ask_apart(|shared| {
            let Some((_, at)) = shared.ask(Index::applied)?.policy else { return Ok(None) };
            match shared.read(at, 1)?.pop().map(|entry| entry.said) {
                Some(Said::Note(Note::PolicyApplied(policy))) => Ok(Some(policy)),
                _ => Err(shared.fail(format!("entry {} is not the policy that the index says", at.0))),
            }
        })
        .await
    }

    async fn proposal(&self) -> Result<Option<AppliedPolicy>, StoreFault> {
        self.ask_apart(|shared| {
            let Some((_, at)) = shared.ask(Index::applied)?.proposal else { return Ok(None) };
            match shared.read(at, 1)?.pop().map(|entry| entry.said) {
                Some(Said::Note(Note::PolicyProposed(policy))) => Ok(Some(policy)),
                _ => Err(shared.fail(format!("entry {} is not the proposal that the index says", at.0))),
            }
        })
        .await
    }

    async fn freeze(&self) -> Result<Option<Freeze>, StoreFault> {
        Ok(self.ask(Index::applied)?.freeze)
    }

    async fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, StoreFault> {
        self.ask_apart(move |shared| shared.read(from, limit.min(READ_MAX))).await
    }

    fn has_room(&self) -> bool {
        self.shared.has_room.load(Ordering::SeqCst)
    }

    fn size(&self) -> watch::Receiver<Position> {
        self.shared.size.subscribe()
    }
}

impl Shared {
    fn sound(&self) -> Result<(), StoreFault> {
        self.fault.borrow().clone().map_or(Ok(()), Err)
    }

    /// Why there is no answer any more.
    fn ended(&self) -> StoreFault {
        self.sound().err().unwrap_or_else(|| StoreFault("it is closed".to_owned()))
    }

    /// Ends the store. The first reason stays.
    fn fail(&self, reason: String) -> StoreFault {
        self.fault.send_if_modified(|fault| {
            let first = fault.is_none();
            if first {
                tracing::error!(%reason, "the store failed; this process must end");
                *fault = Some(StoreFault(reason));
            }
            first
        });
        self.ended()
    }

    /// Ends the store over its index. One that is damaged is set aside, or the next start would trip over
    /// it too.
    fn fail_over(&self, broken: &Broken) -> StoreFault {
        if let Broken::Damaged(_) = broken
            && self.sound().is_ok()
            && let Err(error) = guard::set_aside(&self.folder)
        {
            tracing::error!(%error, "the damaged index could not be set aside; delete it before the next start");
        }
        if let Broken::Disk { full: true, .. } = broken {
            ballast::let_go(&self.folder);
        }
        self.fail(broken.to_string())
    }

    fn ask<T>(&self, question: impl FnOnce(&Index) -> Answer<T>) -> Result<T, StoreFault> {
        self.sound()?;
        // sled asserts what damage can make untrue; a panic there is an answer like any other.
        catch_unwind(AssertUnwindSafe(|| question(&self.index)))
            .unwrap_or_else(|_| Err(Broken::Damaged("sled panicked".to_owned())))
            .map_err(|broken| self.fail_over(&broken))
    }

    fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, StoreFault> {
        self.sound()?;
        let to = from.0.saturating_add(limit as u64).min(self.size.borrow().0);
        let mut entries = Vec::new();
        let read = self.segments.read_from(from.0, to, |leaf| {
            let said = record::said_by(leaf.bytes);
            said.map(|said| entries.push(Entry { position: Position(leaf.position), said }))
        });
        match read {
            Ok(()) => Ok(entries),
            Err(error) => Err(self.fail(error.to_string())),
        }
    }
}

impl OpenError {
    fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), error }
    }

    fn index(folder: &Path, reason: String) -> Self {
        Self::Index { folder: folder.to_owned(), reason, full: false }
    }

    fn over_index(folder: &Path, broken: &Broken) -> Self {
        let full = matches!(broken, Broken::Disk { full: true, .. });
        Self::Index { folder: folder.to_owned(), reason: broken.to_string(), full }
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
