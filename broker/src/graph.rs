//! The [`Directory`] over Microsoft Graph v1.0.
//!
//! One file a way of granting, and one for what the two of PIM share; all of them speak through one line,
//! which holds the broker's credential, keeps the budget and says of each call whether it was done,
//! refused, or may have happened. Nothing here waits for an answer twice: who asks, asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use elevate_core::names::{DirectoryRole, Membership, ObjectId, Principal, Scope, Target, TenantId};
use elevate_core::policy::import::Survey;
use url::Url;

use crate::ports::directory::{
    Account, Assignment, Directory, ExtendPermit, GrantAnswer, GrantPermit, Held, Members, RevokeAnswer,
    RevokePermit, SignOutAnswer, Unreachable,
};
use crate::ports::{Clock, Inventory};

mod absence;
mod accounts;
mod address;
mod assignment;
mod batch;
mod budget;
mod call;
mod credential;
mod doctor;
mod group;
mod people;
mod pim;
mod pim_group;
mod refusal;
mod schedule;
mod survey;
mod together;
mod wire;

#[cfg(test)]
mod tests;

use budget::Priority;
use call::Call;
use wire::{Place, Seat};

pub use call::{Meter, Wire};
pub use credential::{
    Application, Certificate, Credential, CredentialError, FederatedToken, FederatedTokenError,
    ManagedIdentity, Proof, Source,
};
pub use doctor::{Finding, Wrong};

/// Where Graph and the tenant's token endpoint are, and who the broker is there.
#[derive(Debug)]
pub struct Settings {
    /// The tenant: slots and principals of another are refused.
    pub tenant: TenantId,
    /// Who the broker is, and how it shows that.
    pub credential: Credential,
    /// Graph's root, such as `https://graph.microsoft.com/v1.0`. National clouds have their own.
    pub graph: Url,
    /// What a token is asked for; see [`Settings::scope_of`].
    pub scope: String,
    /// The longest that one call may take.
    pub deadline: Duration,
}

impl Settings {
    /// The longest that one call may take, unless said otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(30);

    /// `{origin}/.default` of Graph's root: every application permission the broker was given.
    pub fn scope_of(graph: &Url) -> String {
        format!("{}/.default", graph.origin().ascii_serialization())
    }

    /// The token endpoint of `tenant` under a login root such as `https://login.microsoftonline.com`.
    ///
    /// # Errors
    /// The root cannot carry a path.
    pub fn token_endpoint_of(login: &Url, tenant: TenantId) -> Result<Url, SettingsError> {
        let mut endpoint = login.clone();
        let refused = |()| SettingsError::Open { what: "the login address", given: login.to_string() };
        endpoint.path_segments_mut().map_err(refused)?.pop_if_empty().extend([
            tenant.to_string().as_str(),
            "oauth2",
            "v2.0",
            "token",
        ]);
        Ok(endpoint)
    }
}

/// An address that a credential must not be sent to, or had from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Others could read along.
    #[error("{what} `{given}` is not an https address; only a loopback host may do with http")]
    Open {
        /// Which.
        what: &'static str,
        /// What it is.
        given: String,
    },
    /// Somebody else would say who the broker is.
    #[error(
        "the managed identity's address `{given}` is not of this host; it must be http on loopback or link-local"
    )]
    NotHere {
        /// What it is.
        given: String,
    },
}

impl SettingsError {
    fn not_here(address: &Url) -> Self {
        Self::NotHere { given: address.to_string() }
    }
}

/// Entra ID by Microsoft Graph.
#[derive(Debug)]
pub struct Graph {
    tenant: TenantId,
    line: call::Line,
    absences: absence::Absences,
    names: people::Names,
    circles: people::Circles,
}

impl Graph {
    /// Speaks to Graph over `http`, which must follow no redirects.
    ///
    /// # Errors
    /// An address is neither https nor on this host.
    pub fn new(
        settings: Settings,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        let wire = Arc::new(http.clone());
        Self::over(settings, http, wire, clock)
    }

    /// The same, with what carries questions and answers in place of `http`, which then only makes them up.
    ///
    /// # Errors
    /// An address is neither https nor on this host.
    pub fn over(
        settings: Settings,
        http: reqwest::Client,
        wire: Arc<dyn Wire>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        guarded("the Graph address", &settings.graph)?;
        if let Credential::Application(application) = &settings.credential {
            guarded("the token endpoint", &application.token_endpoint)?;
        }
        Ok(Self {
            tenant: settings.tenant,
            line: call::Line::new(settings, http, wire, clock),
            absences: absence::Absences::default(),
            names: people::Names::default(),
            circles: people::Circles::default(),
        })
    }

    /// What it has done so far, and what it may still do.
    pub fn meter(&self) -> Meter {
        self.line.meter()
    }

    /// Asks for the sake of the `Date` of the answer, which the clock hears, whatever else it says.
    pub async fn ask_the_time(&self) {
        // One row of what every broker may read. Among the confirmations: without the time nothing is granted.
        let url = self.line.root.first_of_roles("roleDefinitions");
        let _ = self.line.send(Call::read("time", Priority::Confirm, url)).await;
    }

    /// Whether the broker may do what these targets need, and sign people out where a role wants that: for
    /// `elevated doctor`.
    pub async fn check(&self, targets: &[Target], signs_out: bool) -> Vec<Finding> {
        doctor::check(&self.line, targets, signs_out).await
    }

    fn is_home(&self, tenant: TenantId) -> Result<(), Unreachable> {
        if tenant == self.tenant {
            Ok(())
        } else {
            Err(Unreachable { reason: format!("tenant {tenant} is not the broker's own"), after: None })
        }
    }
}

#[async_trait]
impl Directory for Graph {
    async fn look(&self, principal: Principal, target: &Target) -> Result<Held, Unreachable> {
        self.is_home(principal.tenant)?;
        let place = |role: &DirectoryRole| Place { principal, role: *role };
        let seat = |membership: &Membership| Seat { principal, membership: *membership };
        match target {
            Target::Assignment(role) => assignment::look(&self.line, &place(role)).await,
            Target::Pim(role) => schedule::look(&self.line, &place(role)).await,
            Target::Group(membership) => group::look(&self.line, &seat(membership)).await,
            Target::PimGroup(membership) => schedule::look(&self.line, &seat(membership)).await,
        }
    }

    async fn grant(&self, permit: &GrantPermit) -> GrantAnswer {
        let principal = permit.slot().principal;
        if let Err(foreign) = self.is_home(principal.tenant) {
            return GrantAnswer::Refused(foreign.reason);
        }
        let place = |role: &DirectoryRole| Place { principal, role: *role };
        let seat = |membership: &Membership| Seat { principal, membership: *membership };
        match permit.target() {
            Target::Assignment(role) => assignment::grant(&self.line, permit, &place(role)).await,
            Target::Pim(role) => schedule::grant(&self.line, permit, &place(role)).await,
            Target::Group(membership) => group::grant(&self.line, permit, &seat(membership)).await,
            Target::PimGroup(membership) => schedule::grant(&self.line, permit, &seat(membership)).await,
        }
    }

    async fn revoke(&self, permit: &RevokePermit) -> RevokeAnswer {
        let principal = permit.slot().principal;
        if let Err(foreign) = self.is_home(principal.tenant) {
            return RevokeAnswer::NotYet { reason: foreign.reason, after: None };
        }
        let place = |role: &DirectoryRole| Place { principal, role: *role };
        let seat = |membership: &Membership| Seat { principal, membership: *membership };
        match permit.target() {
            Target::Assignment(role) => {
                assignment::revoke(&self.line, &self.absences, permit, &place(role)).await
            }
            Target::Pim(role) => schedule::revoke(&self.line, &self.absences, permit, &place(role)).await,
            Target::Group(membership) => {
                group::revoke(&self.line, &self.absences, permit, &seat(membership)).await
            }
            Target::PimGroup(membership) => {
                schedule::revoke(&self.line, &self.absences, permit, &seat(membership)).await
            }
        }
    }

    async fn extend(&self, permit: &ExtendPermit) -> GrantAnswer {
        let principal = permit.slot().principal;
        if let Err(foreign) = self.is_home(principal.tenant) {
            return GrantAnswer::Refused(foreign.reason);
        }
        let place = |role: &DirectoryRole| Place { principal, role: *role };
        let seat = |membership: &Membership| Seat { principal, membership: *membership };
        match permit.target() {
            Target::Assignment(role) => assignment::extend(&self.line, permit, &place(role)).await,
            Target::Pim(role) => schedule::extend(&self.line, permit, &place(role)).await,
            Target::Group(membership) => group::extend(&self.line, permit, &seat(membership)).await,
            Target::PimGroup(membership) => schedule::extend(&self.line, permit, &seat(membership)).await,
        }
    }

    async fn accounts(
        &self,
        people: &BTreeSet<Principal>,
    ) -> Result<BTreeMap<Principal, Account>, Unreachable> {
        people.iter().try_for_each(|person| self.is_home(person.tenant))?;
        accounts::accounts(&self.line, people).await
    }

    async fn sign_out(&self, principal: Principal) -> SignOutAnswer {
        if let Err(foreign) = self.is_home(principal.tenant) {
            return SignOutAnswer::Refused(foreign.reason);
        }
        accounts::sign_out(&self.line, principal.object).await
    }

    async fn groups_of(
        &self,
        principal: Principal,
        groups: &BTreeSet<ObjectId>,
    ) -> Result<BTreeSet<ObjectId>, Unreachable> {
        self.is_home(principal.tenant)?;
        people::groups_of(&self.line, principal.object, groups).await
    }

    async fn assignments(&self, target: &Target) -> Result<Vec<Assignment>, Unreachable> {
        match target {
            Target::Assignment(role) => assignment::list(&self.line, self.tenant, role).await,
            Target::Pim(role) => pim::list(&self.line, self.tenant, role).await,
            Target::Group(membership) => group::list(&self.line, self.tenant, membership).await,
            Target::PimGroup(membership) => pim_group::list(&self.line, self.tenant, membership).await,
        }
    }

    async fn members_of(&self, group: ObjectId, most: usize) -> Result<Members, Unreachable> {
        people::members_of(&self.line, &self.circles, group, most).await
    }

    async fn display_name(&self, object: ObjectId) -> Option<String> {
        people::display_name(&self.line, &self.names, object).await
    }

    async fn scope_name(&self, scope: Scope) -> Option<String> {
        people::scope_name(&self.line, &self.names, scope).await
    }
}

#[async_trait]
impl Inventory for Graph {
    async fn survey(&self) -> Result<Survey, Unreachable> {
        survey::survey(&self.line, &self.names, self.tenant).await
    }
}

/// A credential goes over TLS, or nowhere but to this host.
fn guarded(what: &'static str, address: &Url) -> Result<(), SettingsError> {
    let is_here = match address.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match address.scheme() {
        "https" if address.host().is_some() => Ok(()),
        "http" if is_here => Ok(()),
        _ => Err(SettingsError::Open { what, given: address.to_string() }),
    }
}
