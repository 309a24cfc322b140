//! The outside, as tests need it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::activation::{ProofShown, State};
use elevate_core::binding::{Action, Digest, nonce};
use elevate_core::due::Now;
use elevate_core::names::{ActivationId, AssignmentId, ObjectId, Principal, Scope, Slot, Target};
use elevate_core::policy::import::Survey;
use elevate_core::policy::{Bound, ProofRule};
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::world;
use crate::ports::clock::Assurance;
use crate::ports::directory::{
    Account, Assignment, ExtendPermit, GrantAnswer, GrantPermit, Held, Members, RevokeAnswer, RevokePermit,
    SignOutAnswer, Unreachable,
};
use crate::ports::verifier::{AppRole, Caller, CallerKind, Challenge, TokenRefusal, VerifiedProof, Wanted};
use crate::ports::{Clock, Directory, Inventory, Journal, Verifier};

/// Time that stands still until somebody moves it.
#[derive(Debug)]
pub(crate) struct Hands(watch::Sender<Now>, Mutex<Assurance>);

impl Hands {
    pub(crate) fn at(moment: Timestamp) -> Self {
        Self(
            watch::Sender::new(Now::exactly(moment)),
            Mutex::new(Assurance::Witnessed { corroborated: true }),
        )
    }

    pub(crate) fn forward(&self, seconds: i64) {
        let step = jiff::SignedDuration::from_secs(seconds);
        self.0.send_modify(|now| *now = Now::between(now.earliest() + step, now.latest() + step));
    }

    /// From now on this is how far the time can be relied on.
    pub(crate) fn is_vouched_for(&self, assurance: Assurance) {
        *self.1.lock().unwrap() = assurance;
        // Whoever waits for time to pass looks again.
        self.0.send_modify(|_| {});
    }

    /// How many wait for time to pass.
    pub(crate) fn sleepers(&self) -> usize {
        self.0.receiver_count()
    }

    /// From now on it may be this much later. Neither bound ever goes back.
    pub(crate) fn unsure_by(&self, seconds: i64) {
        let late = jiff::SignedDuration::from_secs(seconds);
        self.0.send_modify(|now| {
            *now = Now::between(now.earliest(), now.latest().max(now.earliest() + late));
        });
    }

    /// It was as late as it may have been.
    pub(crate) fn sure(&self) {
        self.0.send_modify(|now| *now = Now::exactly(now.latest()));
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Now {
        *self.0.borrow()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let _ = self.0.subscribe().wait_for(|now| now.latest() >= moment).await;
    }

    fn assurance(&self) -> Assurance {
        *self.1.lock().unwrap()
    }
}

/// A gate that calls wait at while it is shut.
#[derive(Debug)]
pub(crate) struct Gate {
    shut: watch::Sender<bool>,
    waiting: Semaphore,
    passing: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { shut: watch::Sender::new(false), waiting: Semaphore::new(0), passing: AtomicBool::new(false) }
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.passing.store(false, Ordering::SeqCst);
        self.shut.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Whoever comes from now on passes; those who wait go on waiting.
    pub(crate) fn open_for_others(&self) {
        self.passing.store(true, Ordering::SeqCst);
    }

    pub(crate) async fn pass(&self) {
        if *self.shut.borrow() && !self.passing.load(Ordering::SeqCst) {
            self.waiting.add_permits(1);
            let _ = self.shut.subscribe().wait_for(|shut| !shut).await;
        }
    }

    /// Resolves when one more call has come to the shut gate.
    pub(crate) async fn reached(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }
}

/// What a fake directory is to do at the next call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Does it, and says so.
    Does,
    /// Does it, and the answer is lost.
    DoesUnheard,
    /// Does nothing, and the answer is lost.
    Fails,
    /// Does nothing, and asks to be left alone.
    Busy(Duration),
    /// Says no.
    Refuses,
}

#[derive(Debug, Default)]
struct Inside {
    groups: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    held: BTreeMap<Slot, (AssignmentId, Option<ActivationId>)>,
    down: bool,
    grants: VecDeque<Answer>,
    extends: VecDeque<Answer>,
    revokes: VecDeque<Answer>,
    poisoned: BTreeSet<ActivationId>,
    accounts: BTreeMap<ObjectId, Option<Account>>,
    sign_outs: VecDeque<Answer>,
    signed_out: Vec<ObjectId>,
    calls: Vec<String>,
    wrongs: Vec<String>,
    lagging: BTreeSet<Slot>,
    names: BTreeMap<ObjectId, String>,
    made: u64,
    survey: Survey,
}

/// A directory that answers as it is told, and watches what is asked of it.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    inside: Mutex<Inside>,
    watched: OnceLock<(Arc<dyn Journal>, Arc<Hands>)>,
    pub(crate) at_groups: Gate,
    pub(crate) at_look: Gate,
    pub(crate) at_grant: Gate,
    pub(crate) at_extend: Gate,
    pub(crate) at_revoke: Gate,
    pub(crate) at_names: Gate,
}

impl Fake {
    pub(crate) fn watches(&self, journal: Arc<dyn Journal>, clock: Arc<Hands>) {
        self.watched.set((journal, clock)).unwrap();
    }

    /// It answers again, and does what it is asked.
    pub(crate) fn recovers(&self) {
        let mut inside = self.inside();
        inside.down = false;
        inside.grants.clear();
        inside.extends.clear();
        inside.revokes.clear();
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub(crate) fn put_in(&self, person: ObjectId, group: ObjectId) {
        self.inside().groups.entry(person).or_default().insert(group);
    }

    pub(crate) fn take_out(&self, person: ObjectId, group: ObjectId) {
        self.inside().groups.entry(person).or_default().remove(&group);
    }

    pub(crate) fn is_down(&self, down: bool) {
        self.inside().down = down;
    }

    pub(crate) fn will_grant(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inside().grants.extend(answers);
    }

    pub(crate) fn will_extend(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inside().extends.extend(answers);
    }

    pub(crate) fn will_revoke(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inside().revokes.extend(answers);
    }

    /// This one is never seen gone.
    pub(crate) fn never_revokes(&self, id: ActivationId) {
        self.inside().poisoned.insert(id);
    }

    /// Asked for everything at once, it tells this.
    pub(crate) fn surveyed(&self, survey: Survey) {
        self.inside().survey = survey;
    }

    /// How the account stands from now on; `None` when the directory does not say.
    pub(crate) fn account_is(&self, object: ObjectId, account: Option<Account>) {
        self.inside().accounts.insert(object, account);
    }

    pub(crate) fn will_sign_out(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inside().sign_outs.extend(answers);
    }

    /// Who was signed out, in order.
    pub(crate) fn signed_out(&self) -> Vec<ObjectId> {
        self.inside().signed_out.clone()
    }

    pub(crate) fn calls_it(&self, object: ObjectId, name: &str) {
        self.inside().names.insert(object, name.to_owned());
    }

    /// Somebody assigns it by hand.
    pub(crate) fn assign(&self, slot: Slot) -> AssignmentId {
        let mut inside = self.inside();
        inside.made += 1;
        let id: AssignmentId = format!("by-hand-{}", inside.made).parse().unwrap();
        inside.held.insert(slot, (id.clone(), None));
        id
    }

    /// Its lists go on showing something at this slot, and its reads do not.
    pub(crate) fn still_lists(&self, slot: Slot) {
        self.inside().lagging.insert(slot);
    }

    /// A grant got through after all.
    pub(crate) fn made_for(&self, id: ActivationId, slot: Slot) {
        self.inside().held.insert(slot, ("got-through".parse().unwrap(), Some(id)));
    }

    /// Somebody takes away by hand what is there.
    pub(crate) fn clear(&self, slot: Slot) {
        self.inside().held.remove(&slot);
    }

    pub(crate) fn holds(&self, slot: Slot) -> Option<(AssignmentId, Option<ActivationId>)> {
        self.inside().held.get(&slot).cloned()
    }

    pub(crate) fn all(&self) -> Vec<(Slot, (AssignmentId, Option<ActivationId>))> {
        self.inside().held.iter().map(|(slot, held)| (*slot, held.clone())).collect()
    }

    pub(crate) fn calls(&self, named: &str) -> usize {
        self.inside().calls.iter().filter(|call| *call == named).count()
    }

    /// What was asked of it that never may be.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.inside().wrongs.clone()
    }

    fn note(&self, call: &str) -> Result<(), Unreachable> {
        let mut inside = self.inside();
        inside.calls.push(call.to_owned());
        let out = || Unreachable { reason: "out of reach".to_owned(), after: None };
        if inside.down { Err(out()) } else { Ok(()) }
    }
}

#[async_trait]
impl Inventory for Fake {
    async fn survey(&self) -> Result<Survey, Unreachable> {
        self.note("survey")?;
        Ok(self.inside().survey.clone())
    }
}

#[async_trait]
impl Directory for Fake {
    async fn look(&self, principal: Principal, target: &Target) -> Result<Held, Unreachable> {
        self.note("look")?;
        self.at_look.pass().await;
        Ok(self.holds(target.slot(principal)).map_or(Held::Nothing, |(id, _)| Held::By(id)))
    }

    async fn grant(&self, permit: &GrantPermit) -> GrantAnswer {
        let (journal, clock) = self.watched.get().unwrap();
        let recorded = journal.load(permit.activation()).await.unwrap();
        let wrong = match recorded {
            None => Some("without a record"),
            Some(it) if it.still_needed() > 0 => Some("without approval"),
            Some(it) => match it.state {
                State::Activating { not_after, .. } if not_after != permit.not_after() => {
                    Some("with another end")
                }
                State::Activating { not_after, .. } if clock.now().latest() >= not_after => Some("late"),
                State::Activating { .. } => None,
                _ => Some("without an intent"),
            },
        };
        let down = self.note("grant").is_err();
        self.at_grant.pass().await;
        let mut inside = self.inside();
        if let Some(wrong) = wrong {
            inside.wrongs.push(format!("{} was granted {wrong}", permit.activation()));
        }
        let unclear = |after| GrantAnswer::Unclear { reason: "no answer".to_owned(), after };
        let answer = if down { Answer::Fails } else { inside.grants.pop_front().unwrap_or(Answer::Does) };
        if let Answer::Fails = answer {
            return unclear(None);
        }
        if let Answer::Busy(after) = answer {
            return unclear(Some(after));
        }
        if let Answer::Refuses = answer {
            return GrantAnswer::Refused("not today".to_owned());
        }
        match inside.held.get(permit.slot()) {
            Some((id, Some(by))) if *by == permit.activation() => return GrantAnswer::Done(id.clone()),
            Some(_) => return GrantAnswer::Refused("somebody else assigned it".to_owned()),
            None => {}
        }
        inside.made += 1;
        let id: AssignmentId = format!("assignment-{}", inside.made).parse().unwrap();
        inside.held.insert(*permit.slot(), (id.clone(), Some(permit.activation())));
        if answer == Answer::Does { GrantAnswer::Done(id) } else { unclear(None) }
    }

    async fn extend(&self, permit: &ExtendPermit) -> GrantAnswer {
        let (journal, clock) = self.watched.get().unwrap();
        let wrong = match journal.load(permit.activation()).await.unwrap() {
            None => Some("without a record"),
            Some(it) if it.still_needed() > 0 => Some("without approval"),
            Some(it) => match it.state {
                State::Activating { not_after, .. } if not_after != permit.not_after() => {
                    Some("with another end")
                }
                State::Activating { .. } if clock.now().latest() >= permit.held_until() => Some("late"),
                State::Activating { .. } => None,
                _ => Some("without an intent"),
            },
        };
        let down = self.note("extend").is_err();
        self.at_extend.pass().await;
        let mut inside = self.inside();
        if let Some(wrong) = wrong {
            inside.wrongs.push(format!("{} was extended {wrong}", permit.activation()));
        }
        let unclear = |after| GrantAnswer::Unclear { reason: "no answer".to_owned(), after };
        let answer = if down { Answer::Fails } else { inside.extends.pop_front().unwrap_or(Answer::Does) };
        let there = inside.held.get(permit.slot()).map(|(id, _)| id.clone());
        match (answer, there) {
            (Answer::Refuses, _) => GrantAnswer::Refused("not today".to_owned()),
            (Answer::Busy(after), _) => unclear(Some(after)),
            (Answer::Does, Some(id)) if id == *permit.held() => GrantAnswer::Done(id),
            (Answer::Does, Some(_)) => GrantAnswer::Refused("somebody else assigned it".to_owned()),
            _ => unclear(None),
        }
    }

    async fn revoke(&self, permit: &RevokePermit) -> RevokeAnswer {
        let down = self.note("revoke").is_err();
        self.at_revoke.pass().await;
        let mut inside = self.inside();
        let not_yet = |after| RevokeAnswer::NotYet { reason: "not confirmed".to_owned(), after };
        if down || inside.poisoned.contains(&permit.activation()) {
            return not_yet(None);
        }
        let answer = inside.revokes.pop_front().unwrap_or(Answer::Does);
        match answer {
            Answer::Fails | Answer::Refuses => return not_yet(None),
            Answer::Busy(after) => return not_yet(Some(after)),
            Answer::Does | Answer::DoesUnheard => {}
        }
        // What another made, and this one took over, it knows by its name.
        if let Some((id, Some(by))) = inside.held.get(permit.slot())
            && (*by == permit.activation() || permit.held() == Some(id))
        {
            inside.held.remove(permit.slot());
        }
        if answer == Answer::Does { RevokeAnswer::Gone } else { not_yet(None) }
    }

    async fn accounts(
        &self,
        people: &BTreeSet<Principal>,
    ) -> Result<BTreeMap<Principal, Account>, Unreachable> {
        self.note("accounts")?;
        let inside = self.inside();
        let account = |object| inside.accounts.get(object).copied().unwrap_or(Some(Account::Enabled));
        Ok(people.iter().filter_map(|who| Some((*who, account(&who.object)?))).collect())
    }

    async fn sign_out(&self, principal: Principal) -> SignOutAnswer {
        let down = self.note("sign-out").is_err();
        let mut inside = self.inside();
        let answer = if down { Answer::Fails } else { inside.sign_outs.pop_front().unwrap_or(Answer::Does) };
        let unclear = |after| SignOutAnswer::Unclear { reason: "no answer".to_owned(), after };
        match answer {
            Answer::Fails => return unclear(None),
            Answer::Busy(after) => return unclear(Some(after)),
            Answer::Refuses => return SignOutAnswer::Refused("no leave to".to_owned()),
            Answer::Does | Answer::DoesUnheard => {}
        }
        inside.signed_out.push(principal.object);
        if answer == Answer::Does { SignOutAnswer::Done } else { unclear(None) }
    }

    async fn groups_of(
        &self,
        principal: Principal,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, Unreachable> {
        self.note("groups")?;
        self.at_groups.pass().await;
        let inside = self.inside();
        let own = inside.groups.get(&principal.object).cloned().unwrap_or_default();
        Ok(own.intersection(groups).copied().collect())
    }

    async fn members_of(&self, group: ObjectId, most: usize) -> Result<Members, Unreachable> {
        self.note("members")?;
        let inside = self.inside();
        let here = inside.groups.iter().filter(|(_, groups)| groups.contains(&group));
        let mut people: Vec<_> = here.map(|(id, _)| (*id, inside.names.get(id).cloned())).collect();
        people.sort();
        let more = people.len() > most;
        people.truncate(most);
        Ok(Members { people, more })
    }

    async fn assignments(&self, target: &Target) -> Result<Vec<Assignment>, Unreachable> {
        self.note("list")?;
        let here = |slot: &Slot| slot.resource == target.resource();
        let all = self.all().into_iter().filter(|(slot, _)| here(slot));
        let mut listed: Vec<_> = all.map(|(slot, (id, _))| Assignment { id, slot }).collect();
        let lagging = self.inside().lagging.clone();
        let late = lagging.into_iter().filter(here);
        listed.extend(late.map(|slot| Assignment { id: "long-gone".parse().unwrap(), slot }));
        Ok(listed)
    }

    async fn display_name(&self, object: ObjectId) -> Option<String> {
        self.note("name").ok()?;
        self.at_names.pass().await;
        self.inside().names.get(&object).cloned()
    }

    async fn scope_name(&self, scope: Scope) -> Option<String> {
        match scope {
            Scope::Tenant => None,
            Scope::AdministrativeUnit(id) | Scope::Object(id) => self.display_name(id).await,
        }
    }
}

/// Signs people in, and knows what it signed.
#[derive(Debug)]
pub(crate) struct Desk {
    clock: Arc<Hands>,
    signed: Mutex<BTreeMap<String, (Principal, String, Timestamp)>>,
    made: Mutex<u64>,
    pub(crate) at_proof: Gate,
}

impl Desk {
    pub(crate) fn new(clock: Arc<Hands>) -> Self {
        Self { clock, signed: Mutex::default(), made: Mutex::default(), at_proof: Gate::default() }
    }

    fn number(&self) -> u64 {
        let mut made = self.made.lock().unwrap();
        *made += 1;
        *made
    }

    /// The ID token of a sign-in for this challenge, now.
    pub(crate) fn sign_in(&self, who: Principal, challenge: &Challenge) -> String {
        let token = format!("token-{}", self.number());
        let signed = (who, challenge.nonce.clone(), self.clock.now().earliest());
        self.signed.lock().unwrap().insert(token.clone(), signed);
        token
    }
}

#[async_trait]
impl Verifier for Desk {
    /// Bearers read `person 7` or `program 7`, and then the app roles.
    async fn caller(&self, bearer: &str) -> Result<Caller, TokenRefusal> {
        let mut words = bearer.split(' ');
        let kind = match words.next() {
            Some("person") => CallerKind::Person,
            Some("program") => CallerKind::Workload,
            _ => return Err(TokenRefusal::Invalid("not a token".to_owned())),
        };
        let number = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let all = [AppRole::PolicyAdmin, AppRole::Auditor, AppRole::Revoker];
        let roles = words.filter_map(|word| all.into_iter().find(|role| role.word() == word)).collect();
        Ok(Caller { kind, roles, ..world::person(number) })
    }

    fn challenge(&self, _: Principal, digest: Digest, action: Action) -> Challenge {
        let text = format!("challenge-{}", self.number());
        let nonce = nonce(&text, digest, action).to_string();
        Challenge { text, nonce, expires_at: self.clock.now().latest() }
    }

    async fn proof(&self, proof: &str, wanted: &Wanted<'_>) -> Result<VerifiedProof, TokenRefusal> {
        self.at_proof.pass().await;
        let signed = self.signed.lock().unwrap().get(proof).cloned();
        let (who, signed_for, at) =
            signed.ok_or_else(|| TokenRefusal::NotAProof("nobody signed that".to_owned()))?;
        let ProofRule { freshness, bound, .. } = wanted.rule;
        if who != wanted.caller {
            return Err(TokenRefusal::Foreign);
        }
        if self.clock.now().latest().duration_since(at) > *freshness {
            return Err(TokenRefusal::Stale { allowed: freshness.to_string() });
        }
        let right = nonce(wanted.challenge, wanted.digest, wanted.action).to_string();
        if *bound == Bound::Nonce && signed_for != right {
            return Err(TokenRefusal::Unbound { why: "another nonce".to_owned() });
        }
        Ok(VerifiedProof::attested(ProofShown {
            token: proof.to_owned(),
            nonce: if *bound == Bound::Nonce { right } else { String::new() },
            signed_in_at: at,
            methods: vec!["mfa".to_owned()],
            contexts: Vec::new(),
        }))
    }
}
