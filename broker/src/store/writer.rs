//! The one thread that writes. What waits is taken together, decided one after another against the index
//! and what the group has already admitted, written and synced at once, and only then answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::anchor::{self, Anchor};
use super::ballast;
use super::index::{Applied, Broken, Denied, Draft};
use super::log::Log;
use super::opening::{Anchored, Limits};
use crate::ports::journal::{Append, AppendError, Note, Position, Recorded, StoreFault};

/// How many appends are written together, at the most.
const GROUP_MAX: usize = 256;

/// And how many bytes, about.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long an anchor may be behind, while anything is written.
const ANCHOR_EVERY: Duration = Duration::from_secs(60);

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Append {
        appends: Vec<Append>,
        reply: oneshot::Sender<Result<Vec<Recorded>, AppendError>>,
    },
    Note {
        note: Note,
        reply: oneshot::Sender<Result<Position, AppendError>>,
    },
    Close(oneshot::Sender<Result<(), StoreFault>>),
    /// Nothing may come for a long time: let the anchor stand for what is written.
    Anchor,
}

/// An answer that is given once the group is on disk. Nobody may be there to hear it.
enum Answer {
    Append(oneshot::Sender<Result<Vec<Recorded>, AppendError>>, Result<Vec<Recorded>, AppendError>),
    Note(oneshot::Sender<Result<Position, AppendError>>, Result<Position, AppendError>),
    Close(oneshot::Sender<Result<(), StoreFault>>, Result<(), StoreFault>),
}

impl Answer {
    fn give(self) {
        match self {
            Self::Append(reply, answer) => drop(reply.send(answer)),
            Self::Note(reply, answer) => drop(reply.send(answer)),
            Self::Close(reply, answer) => drop(reply.send(answer)),
        }
    }

    fn give_fault(self, fault: &StoreFault) {
        match self {
            Self::Append(reply, _) => drop(reply.send(Err(fault.clone().into()))),
            Self::Note(reply, _) => drop(reply.send(Err(fault.clone().into()))),
            Self::Close(reply, _) => drop(reply.send(Err(fault.clone()))),
        }
    }
}

impl Command {
    fn give_fault(self, fault: &StoreFault) {
        match self {
            Self::Append { reply, .. } => drop(reply.send(Err(fault.clone().into()))),
            Self::Note { reply, .. } => drop(reply.send(Err(fault.clone().into()))),
            Self::Close(reply) => drop(reply.send(Err(fault.clone()))),
            Self::Anchor => {}
        }
    }
}

/// Whoever owns everything that writes.
pub(super) struct Writer {
    shared: Arc<Shared>,
    log: Log,
    applied: Applied,
    anchored: Anchored,
    anchored_at: Instant,
    /// Whether the anchor was asked for.
    wanted: bool,
    limits: Limits,
}

/// Says so when the writer panics: its callers get no answer, and the process must end.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail_over(&Broken::Damaged("the writer panicked".to_owned()));
        }
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        log: Log,
        applied: Applied,
        anchored: Anchored,
        limits: Limits,
    ) -> Self {
        Self { shared, log, applied, anchored, anchored_at: Instant::now(), wanted: false, limits }
    }

    /// Writes until it is told to close, nobody is left who could send, or something fails.
    pub(super) fn run(mut self, mut waiting: mpsc::Receiver<Command>) {
        let _alarm = Alarm(Arc::clone(&self.shared));
        let mut open = true;
        while open {
            let Some(first) = waiting.blocking_recv() else { break };
            let mut group = vec![first];
            while group.len() < GROUP_MAX
                && let Ok(next) = waiting.try_recv()
            {
                group.push(next);
            }
            let mut group = group.into_iter();
            while open && group.len() > 0 {
                open = self.write(&mut group);
            }
            if self.shared.sound().is_err() {
                group.for_each(|command| command.give_fault(&self.shared.ended()));
            }
        }
        // A reader may have found the fault; what waits is told the same.
        waiting.close();
        while let Some(command) = waiting.blocking_recv() {
            command.give_fault(&self.shared.ended());
        }
        if open && self.shared.sound().is_ok() {
            let _ = self.close();
        }
    }

    /// Writes as many commands as make a group; whether to go on.
    fn write(&mut self, commands: &mut impl Iterator<Item = Command>) -> bool {
        let mut answers = Vec::new();
        let mut closing = None;
        let written = self.decide(commands, &mut answers, &mut closing);
        let outcome = written.and_then(|()| self.shared.sound());
        match outcome {
            Ok(()) => answers.into_iter().for_each(Answer::give),
            Err(fault) => {
                answers.into_iter().chain(closing).for_each(|answer| answer.give_fault(&fault));
                return false;
            }
        }
        if let Some(closing) = closing {
            match self.close() {
                Ok(()) => closing.give(),
                Err(fault) => closing.give_fault(&fault),
            }
            return false;
        }
        self.anchor_if_due().is_ok()
    }

    fn decide(
        &mut self,
        commands: &mut impl Iterator<Item = Command>,
        answers: &mut Vec<Answer>,
        closing: &mut Option<Answer>,
    ) -> Result<(), StoreFault> {
        self.shared.sound()?;
        let shared = Arc::clone(&self.shared);
        let mut draft = Draft::new(&shared.index, self.applied.clone());
        let mut appends = Vec::new();
        let mut bytes = 0_usize;
        let mut fault = None;
        while fault.is_none() && bytes < GROUP_BYTES_MAX {
            let Some(command) = commands.next() else { break };
            let answer = match command {
                Command::Append { appends: wanted, reply } => {
                    let admitted = draft.admit(&wanted).map(|(leaves, now)| {
                        bytes = leaves.iter().fold(bytes, |sum, leaf| sum.saturating_add(leaf.len()));
                        appends.push(leaves);
                        now.into_iter().map(Recorded::appended).collect()
                    });
                    Answer::Append(reply, self.settled(admitted, &mut fault))
                }
                Command::Note { note, reply } => {
                    let admitted = draft.admit_note(&note).map(|(leaf, position)| {
                        bytes = bytes.saturating_add(leaf.len());
                        appends.push(vec![leaf]);
                        position
                    });
                    Answer::Note(reply, self.settled(admitted, &mut fault))
                }
                Command::Close(reply) => {
                    *closing = Some(Answer::Close(reply, Ok(())));
                    break;
                }
                Command::Anchor => {
                    self.wanted = true;
                    continue;
                }
            };
            answers.push(answer);
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        if appends.is_empty() {
            return Ok(());
        }
        let rolled = self.log.append(&appends);
        let rolled = rolled.map_err(|error| {
            if ballast::is_full(&error) {
                // For the next start, which could not write either.
                ballast::let_go(&self.shared.folder);
            }
            self.shared.fail(format!("cannot write the log: {error}"))
        })?;
        self.applied = shared.index.take(draft).map_err(|broken| self.shared.fail_over(&broken))?;
        self.shared.size.send_replace(Position(self.applied.tree.size()));
        if rolled {
            // From here on the new file cannot go missing unnoticed.
            self.anchor()?;
        }
        Ok(())
    }

    /// What to answer; a fault of the store ends the group too.
    fn settled<T>(
        &self,
        admitted: Result<T, Denied>,
        fault: &mut Option<StoreFault>,
    ) -> Result<T, AppendError> {
        let refused = match admitted {
            Ok(answer) => return Ok(answer),
            Err(Denied::Broken(broken)) => self.shared.fail_over(&broken).into(),
            Err(Denied::Refused(AppendError::Store(StoreFault(reason)))) => self.shared.fail(reason).into(),
            Err(Denied::Refused(refused)) => return Err(refused),
        };
        *fault = self.shared.sound().err();
        Err(refused)
    }

    fn anchor_if_due(&mut self) -> Result<(), StoreFault> {
        let behind = self.applied.tree.size().saturating_sub(self.anchored.size);
        let late = self.wanted || self.anchored_at.elapsed() >= ANCHOR_EVERY;
        self.wanted = false;
        if behind >= self.limits.anchor_every || (behind > 0 && late) {
            return self.anchor();
        }
        Ok(())
    }

    fn anchor(&mut self) -> Result<(), StoreFault> {
        let anchor = Anchor {
            generation: self.anchored.generation.saturating_add(1),
            tree: self.applied.tree.clone(),
            high_water: self.applied.high_water,
            boot_id: anchor::boot_id(),
        };
        let written = anchor.write(&self.shared.folder, self.log.disk());
        written.map_err(|error| {
            ballast::let_go_over(&self.shared.folder, &error);
            self.shared.fail(error.to_string())
        })?;
        self.anchored.generation = anchor.generation;
        self.anchored.size = anchor.tree.size();
        self.anchored_at = Instant::now();
        Ok(())
    }

    fn close(&mut self) -> Result<(), StoreFault> {
        // Both slots, so that it takes the loss of both to forget anything.
        self.anchor()?;
        self.anchor()?;
        self.shared.index.flush().map_err(|broken| self.shared.fail_over(&broken))
    }
}
