//! A small world: a policy, some people, and the broker over a record in a folder of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use elevate_core::activation::{Actor, Change, Event, Kind, Outcome, State};
use elevate_core::approval::Narrowed;
use elevate_core::names::{
    ActivationId, DirectoryRole, ObjectId, Principal, RequestId, RoleDefinitionId, Scope, Slot, Target,
    TenantId,
};
use elevate_core::policy::PolicyVersion;
use elevate_core::term::Term;
use jiff::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use super::office::Office;
use super::outside::{Desk, Fake, Hands};
use crate::ports::journal::{Entry, Note, Position, Recorded, Said};
use crate::ports::verifier::{AppRole, Caller, CallerKind};
use crate::ports::{Clock as _, Journal as _};
use crate::store::{Settings, Store};
use crate::workflow::{Next, Ports, Prepared, Refusal, ToApprove, Wish, Workflow, Yes};

/// Who may ask, and who is asked.
pub(crate) const STAFF: u64 = 900;
pub(crate) const LEADS: u64 = 901;
pub(crate) const OWNERS: u64 = 902;

/// Whoever is up to 19 is staff; 20 to 29 lead, 30 to 39 own.
pub(crate) const ANN: u64 = 1;
pub(crate) const BEN: u64 = 2;
pub(crate) const LEA: u64 = 20;
pub(crate) const LEO: u64 = 21;
pub(crate) const OLA: u64 = 30;
pub(crate) const EVE: u64 = 66;

pub(crate) fn object(n: u64) -> ObjectId {
    ObjectId::from_uuid(Uuid::from_u128(0xb0b0_0000_0000 + u128::from(n)))
}

pub(crate) fn principal(n: u64) -> Principal {
    Principal { tenant: TenantId::from_uuid(Uuid::from_u128(77)), object: object(n) }
}

pub(crate) fn person(n: u64) -> Caller {
    Caller {
        principal: principal(n),
        kind: CallerKind::Person,
        roles: BTreeSet::new(),
        name: format!("person {n}"),
    }
}

pub(crate) fn with(n: u64, role: AppRole) -> Caller {
    Caller { roles: [role].into(), ..person(n) }
}

pub(crate) fn program(n: u64) -> Caller {
    Caller { kind: CallerKind::Workload, ..person(n) }
}

fn role(name: &str, number: u32, more: &str) -> String {
    format!(
        "[[role]]\nname = \"{name}\"\nway = \"assignment\"\nrole_definition = \"{}\"\n\
         eligible = [\"group:{}\"]\nlongest = \"8h\"\nusual = \"1h\"\n{more}\n",
        Uuid::from_u128(0xdef0_0000 + u128::from(number)),
        object(STAFF),
    )
}

fn approval(count: u8, group: u64) -> String {
    format!("[[role.approval]]\ncount = {count}\nfrom = [\"group:{}\"]\n", object(group))
}

/// `reader` and `writer` need nobody, `admin` two leads, `owner` a lead and an owner.
pub(crate) fn policy() -> String {
    [
        role("reader", 1, ""),
        role("writer", 2, ""),
        role("admin", 3, &format!("approval_window = \"1h\"\n{}", approval(2, LEADS))),
        role("owner", 4, &format!("{}{}", approval(1, LEADS), approval(1, OWNERS))),
    ]
    .concat()
}

/// The same without the role of this name.
pub(crate) fn policy_without(name: &str) -> String {
    let text = policy();
    let roles = text.split("[[role]]").filter(|role| !role.is_empty());
    let kept = roles.filter(|role| !role.contains(&format!("name = \"{name}\"")));
    kept.map(|role| format!("[[role]]{role}")).collect()
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<Fake>,
    pub(crate) clock: Arc<Hands>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) tickets: Arc<Office>,
    ids: AtomicU64,
    _folder: TempDir,
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&Settings { folder: folder.path().join("record") }).unwrap());
        let clock = Arc::new(Hands::at(start()));
        let directory = Arc::new(Fake::default());
        directory.watches(Arc::clone(&store) as _, Arc::clone(&clock));
        for n in 0..40 {
            directory.put_in(object(n), object(STAFF + n.saturating_sub(10) / 10));
        }
        let desk = Arc::new(Desk::new(Arc::clone(&clock)));
        let tickets = Arc::new(Office::default());
        let workflow = Arc::new(open(&store, &clock, &directory, &desk, &tickets).await);
        let world = Self {
            workflow,
            store,
            directory,
            clock,
            desk,
            tickets,
            ids: AtomicU64::new(1),
            _folder: folder,
        };
        world.apply(&policy()).await;
        world
    }

    /// The broker once more over the same record, as after a kill.
    pub(crate) async fn again(self) -> Self {
        let workflow =
            Arc::new(open(&self.store, &self.clock, &self.directory, &self.desk, &self.tickets).await);
        Self { workflow, ..self }
    }

    pub(crate) async fn apply(&self, text: &str) {
        let admin = with(99, AppRole::PolicyAdmin);
        let version = match self.workflow.policy(&admin, PolicyVersion(0)).await {
            Ok(applied) => applied.version,
            Err(_) => PolicyVersion(0),
        };
        self.workflow.apply(&admin, text, version).await.unwrap();
    }

    pub(crate) fn request_id(&self) -> RequestId {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        RequestId::from_uuid(Uuid::from_u128(0xabc0_0000_0000 + u128::from(number)))
    }

    pub(crate) fn wish(role: &str) -> Wish {
        Wish {
            role: role.parse().unwrap(),
            term: None,
            justification: "disk full".parse().unwrap(),
            ticket: None,
            kind: Kind::Ordinary,
            starts_at: None,
            scope: None,
            continues: None,
        }
    }

    /// A wish to go on longer, for this many seconds.
    pub(crate) fn longer(role: &str, old: ActivationId, seconds: i64) -> Wish {
        let term = Term::from_seconds(seconds).unwrap();
        Wish { term: Some(term), continues: Some(old), ..Self::wish(role) }
    }

    /// Prepares, signs in, asks to go on longer.
    pub(crate) async fn extend(
        &self,
        who: u64,
        role: &str,
        old: ActivationId,
        seconds: i64,
    ) -> Result<Recorded, Refusal> {
        let wish = Self::longer(role, old, seconds);
        let prepared = self.workflow.prepare(&person(who), &wish).await?;
        self.ask_with(who, self.request_id(), &wish, &prepared).await
    }

    /// Prepares, signs in, asks.
    pub(crate) async fn ask(&self, who: u64, role: &str) -> Result<Recorded, Refusal> {
        let wish = Self::wish(role);
        let prepared = self.workflow.prepare(&person(who), &wish).await?;
        self.ask_with(who, self.request_id(), &wish, &prepared).await
    }

    pub(crate) async fn ask_with(
        &self,
        who: u64,
        request_id: RequestId,
        wish: &Wish,
        prepared: &Prepared,
    ) -> Result<Recorded, Refusal> {
        let token = self.desk.sign_in(principal(who), &prepared.challenge);
        let under = prepared.asked.policy;
        let challenge = &prepared.challenge.text;
        self.workflow.request(&person(who), request_id, wish, under, &token, challenge).await
    }

    pub(crate) async fn asked(&self, who: u64, role: &str) -> ActivationId {
        self.ask(who, role).await.unwrap().id
    }

    /// Prepares, signs in, says yes.
    pub(crate) async fn yes(&self, who: u64, id: ActivationId) -> Result<Recorded, Refusal> {
        let ToApprove { recorded, much, challenge, .. } =
            self.workflow.prepare_approval(&person(who), id, &Narrowed::NOTHING).await?;
        let token = self.desk.sign_in(principal(who), &challenge);
        let yes = Yes {
            request_id: self.request_id(),
            digest: recorded.digest,
            much,
            comment: "",
            proof: &token,
            challenge: &challenge.text,
        };
        self.workflow.approve(&person(who), id, yes).await
    }

    /// Asked and held.
    pub(crate) async fn held(&self, who: u64, role: &str) -> ActivationId {
        let id = self.asked(who, role).await;
        self.settle(id).await;
        assert_eq!(self.word(id).await, "active");
        id
    }

    pub(crate) async fn settle(&self, id: ActivationId) -> Next {
        self.workflow.settle(id).await.unwrap()
    }

    /// Settles what is due now, until nothing is.
    pub(crate) async fn settle_all(&self) {
        for _ in 0..100 {
            let due = self.store.due(self.clock.now().latest(), None, 1000).await.unwrap();
            if due.is_empty() {
                return;
            }
            for (_, id) in due {
                self.settle(id).await;
            }
        }
        panic!("something is due for ever");
    }

    /// The same while the clock is unsure: what only may be due by then is left for later.
    pub(crate) async fn settle_what_is_surely_due(&self) {
        for (_, id) in self.store.due(self.clock.now().latest(), None, 1000).await.unwrap() {
            self.settle(id).await;
        }
    }

    /// Resolves when it stands so.
    pub(crate) async fn reaches(&self, id: ActivationId, word: &str) {
        let mut changes = self.workflow.changes();
        while self.word(id).await != word {
            changes.recv().await.unwrap();
        }
    }

    pub(crate) async fn state(&self, id: ActivationId) -> State {
        self.store.load(id).await.unwrap().unwrap().state.clone()
    }

    /// Withdrawn past the locks, as another broker over the same record would.
    pub(crate) async fn another_withdraws(&self, id: ActivationId) {
        let recorded = self.store.load(id).await.unwrap().unwrap();
        let by = Actor::Principal(recorded.request.asked.principal);
        let event = Event { at: self.clock.now().latest(), by, change: Change::Withdrawn };
        self.store.append(id, recorded.version, vec![event]).await.unwrap();
    }

    pub(crate) async fn store_digest(&self, id: ActivationId) -> elevate_core::binding::Digest {
        self.store.load(id).await.unwrap().unwrap().digest
    }

    pub(crate) async fn store_version(&self, id: ActivationId) -> u64 {
        self.store.load(id).await.unwrap().unwrap().version
    }

    pub(crate) async fn word(&self, id: ActivationId) -> &'static str {
        self.state(id).await.word()
    }

    pub(crate) async fn outcome(&self, id: ActivationId) -> Outcome {
        match self.state(id).await {
            State::Closed { outcome, .. } => outcome,
            open => panic!("not closed: {open:?}"),
        }
    }

    pub(crate) async fn slot(&self, id: ActivationId) -> Slot {
        self.store.load(id).await.unwrap().unwrap().slot()
    }

    pub(crate) fn slot_of(&self, who: u64, role: u32) -> Slot {
        let definition = Uuid::from_u128(0xdef0_0000 + u128::from(role));
        Target::Assignment(DirectoryRole {
            definition: RoleDefinitionId::from_uuid(definition),
            scope: Scope::Tenant,
        })
        .slot(principal(who))
    }

    async fn entries(&self) -> Vec<Entry> {
        self.store.read(Position(0), 1000).await.unwrap()
    }

    /// What has happened to it, in words.
    pub(crate) async fn life(&self, id: ActivationId) -> Vec<&'static str> {
        let told = |entry: Entry| match entry.said {
            Said::Activation { id: of, event, .. } if of == id => Some(event.change.word()),
            _ => None,
        };
        self.entries().await.into_iter().filter_map(told).collect()
    }

    pub(crate) async fn changes(&self, id: ActivationId) -> Vec<Change> {
        let told = |entry: Entry| match entry.said {
            Said::Activation { id: of, event, .. } if of == id => Some(event.change),
            _ => None,
        };
        self.entries().await.into_iter().filter_map(told).collect()
    }

    pub(crate) async fn drift(&self) -> usize {
        let is = |entry: &Entry| matches!(entry.said, Said::Note(Note::Drift { .. }));
        self.entries().await.iter().filter(|entry| is(entry)).count()
    }
}

async fn open(
    store: &Arc<Store>,
    clock: &Arc<Hands>,
    directory: &Arc<Fake>,
    desk: &Arc<Desk>,
    tickets: &Arc<Office>,
) -> Workflow {
    let ports = Ports {
        directory: Arc::clone(directory) as _,
        inventory: Arc::clone(directory) as _,
        journal: Arc::clone(store) as _,
        verifier: Arc::clone(desk) as _,
        tickets: Arc::clone(tickets) as _,
        clock: Arc::clone(clock) as _,
    };
    Workflow::open(ports).await.unwrap()
}
