//! For the tests of the store: people, requests and lives to record; the same journal once more, in memory
//! and by brute force; a disk that can be broken.

use std::fs;
use std::num::NonZeroU8;
use std::path::Path;

use elevate_core::activation::{Activation, Actor, Cause, Change, Event, Kind, ProofShown, Request};
use elevate_core::approval::{Approval, ApprovalRequirement, Narrowed};
use elevate_core::binding::Asked;
use elevate_core::names::{
    ActivationId, DirectoryRole, ObjectId, Principal, RequestId, RoleDefinitionId, Scope, Subject, Target,
    TenantId,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::disk::Kernel;
use super::opening::Limits;
use super::{OpenError, Store};

mod disks;
mod model;

pub(super) use disks::{Faulty, PowerCut};
pub(super) use model::{Model, append_to_both, begin, entries};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(super) fn id(n: u64) -> ActivationId {
    ActivationId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

pub(super) fn object(n: u64) -> ObjectId {
    ObjectId::from_uuid(Uuid::from_u128(0xb0b0_0000 + u128::from(n)))
}

pub(super) fn principal(n: u64) -> Principal {
    Principal { tenant: TenantId::from_uuid(Uuid::from_u128(77)), object: object(n) }
}

pub(super) fn proof(n: u64) -> ProofShown {
    ProofShown {
        token: format!("uti-{n}"),
        nonce: if n.is_multiple_of(3) { String::new() } else { format!("nonce-{n}") },
        signed_in_at: at(0),
        methods: vec!["pwd".into(), "mfa".into()],
        contexts: vec![],
    }
}

/// Asked by person `who` for role `what`, the `n`th request in all.
pub(super) fn request(n: u64, who: u64, what: u64, approvers: &[u64]) -> Request {
    Request {
        request_id: RequestId::from_uuid(Uuid::from_u128(0xabc0_0000 + u128::from(n))),
        asked: Asked {
            principal: principal(who),
            role: format!("role-{what}").parse().unwrap(),
            target: Target::Assignment(DirectoryRole {
                definition: RoleDefinitionId::from_uuid(Uuid::from_u128(0xdef0 + u128::from(what))),
                scope: Scope::Tenant,
            }),
            term: Term::from_seconds(3600).unwrap(),
            starts_at: None,
            justification: format!("disk full on machine {n}").parse().unwrap(),
            ticket: None,
            policy: PolicyVersion(1),
            continues: None,
        },
        requirements: approvers
            .iter()
            .map(|n| ApprovalRequirement { count: NonZeroU8::MIN, from: vec![Subject::User(object(*n))] })
            .collect(),
        approval_window: SignedDuration::from_hours(1),
        proof: proof(n),
        at: at(i64::try_from(n).unwrap()),
        kind: Kind::Ordinary,
        own_approval: false,
        sign_out: n.is_multiple_of(2),
        bundle: Vec::new(),
        ticket_verdict: None,
        told: Vec::new(),
    }
}

pub(super) fn by_broker(second: i64, change: Change) -> Event {
    Event { at: at(second), by: Actor::Broker, change }
}

pub(super) fn requested(request: Request) -> Event {
    Event {
        at: request.at,
        by: Actor::Principal(request.asked.principal),
        change: Change::Requested(Box::new(request)),
    }
}

pub(super) fn approved(activation: &Activation, approver: u64, proof_number: u64, second: i64) -> Event {
    let approval = Approval {
        approver: principal(approver),
        request: activation.digest,
        counts_for: (0..activation.request.requirements.len()).collect(),
        at: at(second),
        comment: "go on".into(),
        request_id: RequestId::from_uuid(Uuid::from_u128(61)),
        narrowed: Narrowed::NOTHING,
    };
    Event {
        at: at(second),
        by: Actor::Principal(principal(approver)),
        change: Change::Approved(Box::new(approval), Box::new(proof(proof_number))),
    }
}

/// Everything that might happen to an activation, legal or not.
pub(super) fn possible(activation: &Activation, number: u64, second: i64) -> Vec<Event> {
    let later = |n| at(second + n);
    let mut events: Vec<Event> = [
        Change::ApprovalSought { lapses_at: later(900) },
        Change::Denied { reason: "no".into() },
        Change::Withdrawn,
        Change::Lapsed,
        Change::Scheduled { starts_at: later(5), lapses_at: later(500) },
        Change::ActivationBegun { not_after: later(3600) },
        Change::Refused { reason: "a rule stands against it".into() },
        Change::Activated { held: format!("assignment-{number}").parse().unwrap() },
        Change::Postponed { retry_at: later(7), reason: "503".into() },
        Change::RevocationBegun(Cause::Revoked { reason: "incident".into() }),
        Change::RevocationBegun(Cause::Expired),
        Change::Removed,
        Change::RemovedElsewhere,
        Change::TakenOver { by: id(number) },
        Change::SignedOut,
        Change::SignOutFailed { reason: "no leave to".into() },
    ]
    .into_iter()
    .map(|change| by_broker(second, change))
    .collect();
    events.push(approved(activation, 1000 + number % 3, number, second));
    let reviewer = Actor::Principal(principal(1000));
    let comment = "as it should be".into();
    events.push(Event { at: at(second), by: reviewer, change: Change::Reviewed { comment } });
    events
}

/// Opens with the given limits on the real disk.
pub(super) fn open_with(folder: &Path, limits: Limits) -> Result<Store, OpenError> {
    Store::open_with(folder, limits, Box::new(Kernel))
}

pub(super) fn open(folder: &Path) -> Store {
    open_with(folder, Limits { ballast_bytes: 0, ..Limits::default() }).unwrap()
}

/// Copies a folder as it is just now: what a kill would leave behind.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if fs::copy(entry.path(), target).is_err() {
            // sled removes its files when it likes.
            assert!(!entry.path().exists());
        }
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
