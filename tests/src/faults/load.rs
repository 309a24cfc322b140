//! People at work: they ask, approve, deny, give back, revoke one and many, freeze and thaw, without end, and what they
//! were answered is kept.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elevate_proto::v1 as api;
use elevate_sandbox::people;
use tokio::task::JoinSet;
use tonic::Status;

use super::Dice;
use super::stage::Stage;
use crate::{Caller, State, wish};

/// Who works with which role, for how many seconds, and who could say yes. Entra keeps what PIM gives for five minutes.
const WORK: [(&str, &str, i64, &[&str]); 20] = [
    ("ann", "reader", 5, &[]),
    ("dave", "reader", 5, &[]),
    ("bob", "reader", 5, &[]),
    ("carol", "reader", 5, &[]),
    ("ann", "exchange-admin", 5, &[]),
    ("ann", "user-admin", 5, &[]),
    ("ann", "groups-admin", 5, &["bob"]),
    ("dave", "groups-admin", 5, &["carol"]),
    ("dave", "helpdesk-admin", 5, &["bob", "carol"]),
    ("bob", "exchange-admin", 5, &[]),
    ("carol", "exchange-admin", 5, &[]),
    ("dave", "exchange-admin", 5, &[]),
    ("bob", "groups-admin", 5, &["carol"]),
    ("carol", "groups-admin", 5, &["bob"]),
    ("ann", "operator", 5, &[]),
    ("bob", "operator", 5, &[]),
    ("dave", "operator", 5, &[]),
    ("carol", "keeper", 5, &[]),
    ("carol", "security-reader", 300, &[]),
    ("carol", "tier0", 300, &[]),
];

/// Whatever event it was: so many are on record.
pub const ANY: &str = "";

/// Something that the broker said is so, and is on record therefore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// What it is about.
    pub of: Subject,
    /// The event that was asked for.
    pub event: &'static str,
    /// Where whoever keeps count elsewhere stood when the answer came.
    pub mark: u64,
}

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An activation.
    Activation {
        /// Which.
        id: String,
        /// Its version, where the answer says one: so many events are on record.
        version: Option<i64>,
    },
    /// The broker itself: whether anything new is granted.
    Broker {
        /// In whose words, each said once.
        reason: String,
    },
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

    /// Keeps what was answered about one activation.
    pub fn keep(
        &self,
        event: &'static str,
        answer: Result<api::Activation, Status>,
    ) -> Option<api::Activation> {
        let activation = self.answered(answer)?;
        // What had not begun is over at once, by another event.
        let event =
            if event == "revocation-begun" && activation.state() == State::Closed { ANY } else { event };
        self.note(
            event,
            Subject::Activation { id: activation.id.clone(), version: Some(activation.version) },
        );
        Some(activation)
    }

    /// Keeps what was answered about the broker.
    pub fn keep_freeze(&self, event: &'static str, answer: Result<api::Frozen, Status>) -> Option<()> {
        let reason = self.answered(answer)?.reason;
        self.note(event, Subject::Broker { reason });
        Some(())
    }

    /// Keeps what was answered of each that is taken away at once, until all are on record.
    pub async fn keep_many(
        &self,
        answer: Result<tonic::Response<tonic::Streaming<api::RevocationProgress>>, Status>,
    ) -> Option<()> {
        let mut steps = self.answered(answer)?.into_inner();
        loop {
            let step = self.answered(steps.message().await)??;
            match step.step() {
                api::RevocationStep::Begun => {
                    self.note("revocation-begun", Subject::Activation { id: step.id, version: None });
                }
                api::RevocationStep::AllRecorded => return Some(()),
                _ => {}
            }
        }
    }

    fn note(&self, event: &'static str, of: Subject) {
        let mark = self.0.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = mark.as_ref().map_or(0, |mark| mark());
        let kept = Acknowledged { of, event, mark };
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    }

    fn answered<T>(&self, answer: Result<T, Status>) -> Option<T> {
        let status = match answer {
            Ok(answer) => return Some(answer),
            Err(status) => status,
        };
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
        for (place, (who, role, seconds, approvers)) in WORK.into_iter().enumerate() {
            let dice = Dice::of(seed.wrapping_mul(31).wrapping_add(place as u64));
            let worker = Worker {
                who: stage.grpc(who),
                approvers: approvers.iter().map(|name| stage.grpc(name)).collect(),
                revoker: stage.grpc("eve"),
                role,
                seconds,
                answers: answers.clone(),
                dice,
            };
            working.spawn(worker.work());
        }
        let dice = Dice::of(seed.wrapping_mul(37));
        let warden = Warden { eve: stage.grpc("eve"), answers: answers.clone(), dice, count: 0 };
        working.spawn(warden.work());
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
    seconds: i64,
    answers: Answers,
    dice: Dice,
}

/// Somebody who freezes, thaws, and takes away all that one person has.
struct Warden {
    eve: Caller,
    answers: Answers,
    dice: Dice,
    count: u64,
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
        let seconds = self.seconds + i64::try_from(self.dice.throw(2)).ok()?;
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
        if fate < 7 && self.seconds < 300 {
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

impl Warden {
    async fn work(mut self) {
        while !self.answers.is_over() {
            tokio::time::sleep(Duration::from_millis(300 + self.dice.throw(2000))).await;
            self.count += 1;
            if self.dice.throw(2) == 0 {
                self.take_all_of_somebody().await;
            } else {
                self.freeze_for_a_while().await;
            }
        }
    }

    async fn take_all_of_somebody(&mut self) {
        let whose = [people::ANN, people::BOB, people::CAROL, people::DAVE][self.dice.place(4)].id;
        let selection = api::RevocationSelection { principal_object_id: whose.into(), ..Default::default() };
        let reason = format!("incident {}", self.count);
        let message = api::RevokeActivationsRequest { selection: Some(selection), reason };
        let answer = self.eve.revocation().revoke_activations(self.eve.call(message)).await;
        self.answers.keep_many(answer).await;
    }

    /// Until it is answered that it is over: what stays frozen is no load.
    async fn freeze_for_a_while(&mut self) {
        let message = api::FreezeRequest { reason: format!("freeze {}", self.count) };
        let frozen = self.eve.revocation().freeze(self.eve.call(message)).await;
        self.answers.keep_freeze("frozen", frozen.map(tonic::Response::into_inner));
        tokio::time::sleep(Duration::from_millis(self.dice.throw(150))).await;
        for attempt in 0..100 {
            let message = api::ThawRequest { reason: format!("thaw {} {attempt}", self.count) };
            match self.eve.revocation().thaw(self.eve.call(message)).await {
                // Nothing is frozen: the answer to the one before was lost, or that to the freeze was a refusal.
                Err(status) if status.code() == tonic::Code::FailedPrecondition => return,
                answer => {
                    let answer = answer.map(tonic::Response::into_inner);
                    if self.answers.keep_freeze("thawed", answer).is_some() || self.answers.is_over() {
                        return;
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
