//! Whoever is disabled or deleted in the directory loses what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use elevate_core::activation::{Actor, Cause, Change, State};
use elevate_core::names::{ActivationId, Principal};
use jiff::{SignedDuration, Timestamp};

use super::{Refusal, Workflow};
use crate::ports::directory::Account;
use crate::ports::journal::{Filter, Page, StoreFault};

/// Reads lag: an account that is missing must be missing twice, this far apart.
const AGREEMENT: SignedDuration = SignedDuration::from_secs(30);

/// So many accounts are asked about at once: as many as one call to Graph takes, so that one that fails leaves
/// little unknown.
const AT_ONCE: usize = 20;

/// Who was missing when somebody looked. Lost with the process, which costs two more looks.
#[derive(Debug, Default)]
pub(super) struct Missing(Mutex<BTreeMap<Principal, Timestamp>>);

impl Missing {
    fn since(&self) -> MutexGuard<'_, BTreeMap<Principal, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workflow {
    /// One look at the accounts of all who hold something. An account that is disabled, or missing twice, loses
    /// it. Where the directory does not answer, nothing is concluded.
    ///
    /// # Errors
    /// The store failed; the process must end.
    pub async fn watch_accounts(&self) -> Result<(), StoreFault> {
        let holders = self.holders().await?;
        self.missing.since().retain(|who, _| holders.contains_key(who));
        let people: Vec<_> = holders.keys().copied().collect();
        for some in people.chunks(AT_ONCE) {
            let asked = self.now();
            let accounts = match self.ports.directory.accounts(&some.iter().copied().collect()).await {
                Ok(accounts) => accounts,
                Err(unreachable) => {
                    tracing::warn!(reason = %unreachable.reason, holders = some.len(),
                        "whether the accounts of those who hold a role are enabled could not be read");
                    continue;
                }
            };
            for (who, account) in accounts {
                let deleted = match account {
                    Account::Enabled => {
                        self.missing.since().remove(&who);
                        continue;
                    }
                    Account::Disabled => false,
                    Account::Missing if self.is_missing_still(who, asked.earliest()) => true,
                    Account::Missing => continue,
                };
                for id in holders.get(&who).into_iter().flatten() {
                    self.close(*id, deleted).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether it was missing before, long enough ago: from the first answer to the second question.
    fn is_missing_still(&self, who: Principal, asked: Timestamp) -> bool {
        let answered = self.now().latest();
        let since = *self.missing.since().entry(who).or_insert(answered);
        asked.duration_since(since) >= AGREEMENT
    }

    /// Who holds something, or may: the intent is on record.
    async fn holders(&self) -> Result<BTreeMap<Principal, BTreeSet<ActivationId>>, StoreFault> {
        let filter = Filter { live_only: true, ..Filter::default() };
        let mut page = Page { limit: 500, after: None };
        let mut holders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        loop {
            let found = self.ports.journal.find(&filter, &page).await?;
            for recorded in found.activations {
                if matches!(recorded.state, State::Activating { .. } | State::Active { .. }) {
                    holders.entry(recorded.request.asked.principal).or_default().insert(recorded.id);
                }
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(holders),
            }
        }
    }

    async fn close(&self, id: ActivationId, deleted: bool) -> Result<(), StoreFault> {
        let _writer = self.locks.lock(id).await;
        let Some(recorded) = self.ports.journal.load(id).await? else { return Ok(()) };
        let change = match &recorded.state {
            // What continues another made nothing of its own.
            State::Activating { .. } if recorded.is_to_take_over() => {
                Change::Refused { reason: closed_account(deleted).to_owned() }
            }
            State::Activating { .. } | State::Active { .. } => {
                Change::RevocationBegun(Cause::AccountClosed { deleted })
            }
            State::Requested
            | State::AwaitingApproval { .. }
            | State::Scheduled { .. }
            | State::Revoking { .. }
            | State::Closed { .. } => return Ok(()),
        };
        match self.record(&recorded, Actor::Broker, change, self.now()).await {
            Err(Refusal::Store(fault)) => Err(fault),
            // Somebody was faster: the next look sees what they left.
            _ => Ok(()),
        }
    }

    /// What stands against beginning, as far as the account goes: a refusal, or that nothing is known.
    pub(super) async fn account_stands(&self, who: Principal) -> Result<(), Closed> {
        match self.ports.directory.accounts(&[who].into()).await {
            Ok(accounts) => match accounts.get(&who) {
                Some(Account::Enabled) => Ok(()),
                Some(Account::Disabled) => Err(Closed::Surely(closed_account(false).to_owned())),
                // One look proves nothing: it does not begin, and may later.
                Some(Account::Missing) => Err(Closed::Perhaps(closed_account(true).to_owned(), None)),
                None => Err(Closed::Perhaps(
                    "the directory did not say whether the account is enabled".to_owned(),
                    None,
                )),
            },
            Err(unreachable) => Err(Closed::Perhaps(unreachable.reason, unreachable.after)),
        }
    }
}

/// Why somebody's request does not begin now.
#[derive(Debug)]
pub(super) enum Closed {
    /// The account is disabled.
    Surely(String),
    /// It is not known to be enabled; and how long the directory asked to be left alone.
    Perhaps(String, Option<std::time::Duration>),
}

const fn closed_account(deleted: bool) -> &'static str {
    if deleted { "the directory shows no such account" } else { "the account is disabled" }
}
