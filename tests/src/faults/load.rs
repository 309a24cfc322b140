//! People at work: they ask, approve, deny, give back and revoke, without end, and what they were answered is kept.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elevate_proto::v1 as api;
use tokio::task::JoinSet;
use tonic::Status;

use super::Dice;
use super::stage::Stage;
use crate::{Caller, State, wish};

/// Who works with which role, and who could say yes.
const WORK: [(&str, &str, &[&str]); 14] = [
    ("ann", "reader", &[]),
    ("dave", "reader", &[]),
    ("bob", "reader", &[]),
    ("carol", "reader", &[]),
    ("ann", "exchange-admin", &[]),
    ("ann", "user-admin", &[]),
    ("ann", "groups-admin", &["bob"]),
    ("dave", "groups-admin", &["carol"]),
    ("dave", "helpdesk-admin", &["bob", "carol"]),
    ("bob", "exchange-admin", &[]),
    ("carol", "exchange-admin", &[]),
    ("dave", "exchange-admin", &[]),
    ("bob", "groups-admin", &["carol"]),
    ("carol", "groups-admin", &["bob"]),
];

/// Something that the broker said is so: of this activation, at least so many events are on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which activation.
    pub activation: String,
    /// Its version, as answered.
    pub version: i64,
    /// The event that was asked for.
    pub event: &'static str,
    /// Where whoever keeps count elsewhere stood when the answer came.
    pub mark: u64,
}

/// What was answered, and whether to go on.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    kept: Mutex<Vec<Acknowledged>>,
    lost: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
    mark: Mutex<Option<Box<dyn Fn() -> u64 + Send>>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Answers {
    /// With every answer this number is kept.
    pub fn marked(mark: impl Fn() -> u64 + Send + 'static) -> Self {
        let answers = Self::default();
        *answers.0.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(mark));
        answers
    }

    /// All so far.
    pub fn so_far(&self) -> Vec<Acknowledged> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls were never answered, and how many refused.
    pub fn unanswered(&self) -> (u64, u64) {
        (self.0.lost.load(Ordering::Relaxed), self.0.refused.load(Ordering::Relaxed))
    }

    fn keep(&self, event: &'static str, answer: Result<api::Activation, Status>) -> Option<api::Activation> {
        match answer {
            Ok(activation) => {
                let mark = self
                    .0
                    .mark
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .as_ref()
                    .map_or(0, |mark| mark());
                let (version, id) = (activation.version, activation.id.clone());
                let kept = Acknowledged { activation: id, version, event, mark };
                self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
                Some(activation)
            }
            Err(status) => {
                let lost = [
                    tonic::Code::Unavailable,
                    tonic::Code::Unknown,
                    tonic::Code::Cancelled,
                    tonic::Code::DeadlineExceeded,
                ];
                let counter = if lost.contains(&status.code()) { &self.0.lost } else { &self.0.refused };
                counter.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }
}

/// People at work.
#[derive(Debug)]
pub struct Load {
    /// What they were answered.
    pub answers: Answers,
    working: JoinSet<()>,
}

impl Load {
    /// Everybody begins.
    pub fn begin(stage: &Stage, answers: Answers, seed: u64) -> Self {
        let mut working = JoinSet::new();
        for (place, (who, role, approvers)) in WORK.into_iter().enumerate() {
            let dice = Dice::of(seed.wrapping_mul(31).wrapping_add(place as u64));
            let worker = Worker {
                who: stage.grpc(who),
                approvers: approvers.iter().map(|name| stage.grpc(name)).collect(),
                revoker: stage.grpc("eve"),
                role,
                answers: answers.clone(),
                dice,
            };
            working.spawn(worker.work());
        }
        Self { answers, working }
    }

    /// Nobody begins anything new, and what is under way is waited for.
    pub async fn end(mut self) -> Answers {
        self.answers.0.over.store(true, Ordering::Relaxed);
        while self.working.join_next().await.is_some() {}
        self.answers
    }
}

struct Worker {
    who: Caller,
    approvers: Vec<Caller>,
    revoker: Caller,
    role: &'static str,
    answers: Answers,
    dice: Dice,
}

impl Worker {
    async fn work(mut self) {
        while !self.answers.is_over() {
            if self.once().await.is_none() {
                self.pause(200).await;
            }
        }
    }

    async fn pause(&mut self, most: u64) {
        let pause = 1 + self.dice.throw(most);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// One request and what becomes of it. Nothing, where somebody was not answered or refused.
    async fn once(&mut self) -> Option<()> {
        let seconds = 5 + i64::try_from(self.dice.throw(2)).ok()?;
        let wish = wish(self.role).seconds(seconds);
        let asked = self.answers.keep("requested", self.who.ask(&wish).await)?;
        let id = asked.id.as_str();
        match self.dice.throw(10) {
            0 if asked.state() == State::AwaitingApproval => {
                let denied = self.approvers.first()?.deny(id, "not today").await;
                self.answers.keep("denied", denied)?;
                return Some(());
            }
            1 if asked.state() == State::AwaitingApproval => {
                self.answers.keep("withdrawn", self.who.withdraw(id).await)?;
                return Some(());
            }
            _ => {}
        }
        for approver in &self.approvers {
            self.answers.keep("approved", approver.approve(id).await)?;
        }
        let fate = self.dice.throw(10);
        let held_for = Duration::from_millis(self.dice.throw(1500));
        if fate < 7 {
            tokio::time::sleep(held_for).await;
            let (event, done) = if fate < 4 {
                ("revocation-begun", self.who.deactivate(id).await)
            } else {
                ("revocation-begun", self.revoker.revoke(id, "not needed").await)
            };
            self.answers.keep(event, done)?;
            return Some(());
        }
        // Until its end: whoever asks again before is refused.
        while !self.answers.is_over() {
            self.pause(300).await;
            match self.who.show(id).await {
                Ok(shown) if shown.state() == State::Closed => return Some(()),
                _ => {}
            }
        }
        Some(())
    }
}
