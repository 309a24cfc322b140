//! Whether the broker may do in Graph what it is set up to do: for `elevated doctor`.

use std::collections::{BTreeMap, BTreeSet};

use elevate_core::names::{DirectoryRole, Resource, RoleDefinitionId, Target, Way};
use jiff::SignedDuration;
use uuid::Uuid;

use super::address::asking;
use super::budget::Priority;
use super::call::{Call, Fault, Line};
use super::credential::{AUDIENCE, Certificate, Credential, FederatedToken, Proof};
use super::wire::{AppRoleAssignment, RoleDefinition, ServicePrincipal};
use crate::ports::directory::Unreachable;

/// How long before its end a certificate is worth a word.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: String,
    /// What is wrong with it, if anything is.
    pub wrong: Option<Wrong>,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    fn fine(what: impl Into<String>) -> Self {
        Self { what: what.into(), wrong: None }
    }

    fn wrong(what: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), wrong: Some(Wrong { problem: problem.into(), remedy: remedy.into() }) }
    }

    /// Whether nothing is.
    pub const fn is_ok(&self) -> bool {
        self.wrong.is_none()
    }
}

pub(super) async fn check(line: &Line, targets: &[Target]) -> Vec<Finding> {
    let mut findings = vec![credential(line).await];
    let token = match line.tokens.token().await {
        Ok(token) => token,
        Err(fault) => {
            let problem = Unreachable::from(fault).reason;
            findings.push(Finding::wrong("a token for Graph", problem, remedy(line.tokens.credential())));
            return findings;
        }
    };
    findings.push(Finding::fine("a token for Graph"));
    let client_id = match line.tokens.credential() {
        Credential::Application(application) => Some(application.client_id),
        Credential::ManagedIdentity { identity, client_id } => {
            client_id.or(identity.user_assigned()).or(token.client_id())
        }
    };
    let ways: BTreeSet<_> = targets.iter().map(Target::way).collect();
    let what = "the permissions of the broker's application";
    let unknown = match client_id {
        None => Some(Finding::wrong(
            what,
            "the host does not say which application its identity is",
            "name the identity's application id as `graph.client_id`; only reads were tried",
        )),
        Some(client_id) => match given(line, client_id).await {
            Ok(given) => {
                findings.extend(needs(&ways).into_iter().map(|need| need.judged(&given)));
                None
            }
            Err(fault) => Some(Finding::wrong(
                what,
                Unreachable::from(fault).reason,
                "give it Application.Read.All to have them checked one by one; only reads were tried",
            )),
        },
    };
    if let Some(unknown) = unknown {
        findings.push(unknown);
        findings.extend(tried(line, targets).await);
    }
    let roles: BTreeSet<_> = targets.iter().filter_map(role).map(|role| role.definition).collect();
    for role in roles {
        findings.push(definition(line, role).await);
    }
    findings
}

/// What to do when there is no token.
const fn remedy(credential: &Credential) -> &'static str {
    match credential {
        Credential::Application(application) => match &application.proof {
            Proof::Certificate(_) | Proof::Secret(_) => {
                "check the tenant, the client id, and that this certificate or secret is on the application \
                 registration"
            }
            Proof::Federated(_) => {
                "check the tenant, the client id, and that the application registration has a federated credential \
                 with exactly the token's issuer, subject and audience"
            }
        },
        Credential::ManagedIdentity { .. } => {
            "check that this host has the identity, and that nothing on it bars the way to the endpoint"
        }
    }
}

async fn credential(line: &Line) -> Finding {
    match line.tokens.credential() {
        Credential::ManagedIdentity { identity, .. } => {
            Finding::fine(format!("the broker's credential, {}", identity.described()))
        }
        Credential::Application(application) => match &application.proof {
            Proof::Secret(_) => Finding::fine(
                "the broker's credential, a client secret (a certificate is safer: whoever reads a secret once can \
                 use it from anywhere)",
            ),
            Proof::Certificate(certificate) => own(line, certificate),
            Proof::Federated(token) => federated(line, token).await,
        },
    }
}

fn own(line: &Line, certificate: &Certificate) -> Finding {
    let ends = certificate.not_after();
    let what = format!("the broker's certificate, good until {ends}");
    let left = ends.duration_since(line.clock.now().latest());
    let remedy = "make a new one, put it on the application registration, and then on the broker";
    if left <= SignedDuration::ZERO {
        Finding::wrong(what, "it has ended", remedy)
    } else if left < ENDS_SOON {
        Finding::wrong(what, "it ends within thirty days", remedy)
    } else {
        Finding::fine(what)
    }
}

/// What the token in the file says about itself is what the federated credential must say.
async fn federated(line: &Line, token: &FederatedToken) -> Finding {
    let what = format!("the broker's credential, the federated token in {}", token.file().display());
    let token = token.clone();
    let says = match tokio::task::spawn_blocking(move || token.look()).await {
        Ok(Ok(says)) => says,
        Ok(Err(error)) => {
            return Finding::wrong(
                what,
                error.to_string(),
                "correct `graph.federated_token_file`, or renew the token",
            );
        }
        Err(panicked) => return Finding::wrong(what, panicked.to_string(), "run `elevated doctor` again"),
    };
    let what = format!(
        "{what}: issuer `{}`, subject `{}`, audience `{}`",
        says.issuer,
        says.subject,
        says.audiences.join("`, `")
    );
    match says.ends_at {
        Some(end) if end <= line.clock.now().latest() => {
            Finding::wrong(what, format!("it ended at {end}"), "see why whatever renews it does not")
        }
        // National clouds have their own, which begin alike.
        _ if !matches!(says.audiences.as_slice(), [one] if one.starts_with(AUDIENCE)) => Finding::wrong(
            what,
            format!("Entra's audience for such tokens is `{AUDIENCE}`"),
            "have the outer issuer make it out to that audience, and to no other",
        ),
        _ => Finding::fine(what),
    }
}

fn role(target: &Target) -> Option<DirectoryRole> {
    match target.resource() {
        Resource::Role(role) => Some(role),
        Resource::Group(_) => None,
    }
}

/// Something to be allowed: any of these permissions does, the least first.
struct Need {
    for_what: &'static str,
    any_of: &'static [&'static str],
}

impl Need {
    fn judged(&self, given: &BTreeSet<String>) -> Finding {
        let least = self.any_of.first().copied().unwrap_or_default();
        let what = format!("permission to {}", self.for_what);
        match self.any_of.iter().find(|each| given.contains(**each)) {
            Some(held) => Finding::fine(format!("{what} ({held})")),
            None => Finding::wrong(
                what,
                format!("the application lacks {least}"),
                format!(
                    "add the application permission {least} of Microsoft Graph and let an administrator consent"
                ),
            ),
        }
    }
}

/// Microsoft's permissions reference names these as the least first, and then the wider ones.
fn needs(ways: &BTreeSet<Way>) -> Vec<Need> {
    let mut needs = vec![
        Need {
            for_what: "see who is in which group",
            any_of: &[
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
        },
        Need {
            for_what: "read people's names",
            any_of: &["User.ReadBasic.All", "User.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        },
    ];
    let read_roles = Need {
        for_what: "read role assignments",
        any_of: &[
            "RoleManagement.Read.Directory",
            "RoleManagement.ReadWrite.Directory",
            "Directory.Read.All",
        ],
    };
    if ways.contains(&Way::Assignment) {
        needs.push(Need {
            for_what: "assign roles by the way `assignment`",
            any_of: &["RoleManagement.ReadWrite.Directory"],
        });
    } else {
        needs.push(read_roles);
    }
    if ways.is_empty() {
        // Which ways the policy goes is not known, or there is none yet: one of them must be open.
        needs.push(Need {
            for_what: "assign roles, by one way or the other",
            any_of: &["RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"],
        });
    }
    if ways.contains(&Way::Pim) {
        needs.push(Need {
            for_what: "assign roles by the way `pim`",
            any_of: &["RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"],
        });
    }
    needs
}

/// The application permissions that the broker was given.
async fn given(line: &Line, client_id: Uuid) -> Result<BTreeSet<String>, Fault> {
    let read = |url| line.send(Call::read("check", Priority::List, url));
    let itself = format!("servicePrincipals(appId='{client_id}')");
    let url = asking(line.root.at(&[&itself]), "$select=id");
    let itself: ServicePrincipal = read(url).await?.read()?;
    let id = itself.id.ok_or_else(|| Fault::unclear("Graph showed a service principal without an id"))?;
    let url = line.root.at(&["servicePrincipals", &id, "appRoleAssignments"]);
    let assigned: Vec<AppRoleAssignment> = line.list("check", Priority::List, url).await?;
    let mut by_resource: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for AppRoleAssignment { app_role_id, resource_id } in assigned {
        if let (Some(role), Some(resource)) = (app_role_id, resource_id) {
            by_resource.entry(resource).or_default().insert(role);
        }
    }
    let mut given = BTreeSet::new();
    for (resource, roles) in by_resource {
        let url = asking(line.root.at(&["servicePrincipals", &resource]), "$select=id,appRoles");
        let offered: ServicePrincipal = read(url).await?.read()?;
        let held = offered
            .app_roles
            .into_iter()
            .filter(|role| role.id.as_ref().is_some_and(|id| roles.contains(id)));
        given.extend(held.filter_map(|role| role.value));
    }
    Ok(given)
}

/// The reads that the ways in use begin with.
async fn tried(line: &Line, targets: &[Target]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut done = BTreeSet::new();
    for target in targets {
        let Some(role) = role(target) else { continue };
        let collection =
            if target.way().is_pim() { "roleAssignmentScheduleInstances" } else { "roleAssignments" };
        if !done.insert(collection) {
            continue;
        }
        let url = line.root.roles_by(collection, role.definition);
        let what = format!("reading {collection}");
        findings.push(match line.send(Call::read("check", Priority::List, url)).await {
            Ok(_) => Finding::fine(what),
            Err(fault) => {
                let problem = Unreachable::from(fault).reason;
                Finding::wrong(
                    what,
                    problem,
                    format!("give the application what the way `{}` needs", target.way()),
                )
            }
        });
    }
    findings
}

/// Whether the role is there, under this very id: reads match by it.
async fn definition(line: &Line, role: RoleDefinitionId) -> Finding {
    let what = format!("role definition {role}");
    let url = line.root.at(&["roleManagement", "directory", "roleDefinitions", &role.to_string()]);
    let shown = line.send(Call::read("check", Priority::List, url)).await;
    match shown.and_then(|body| body.read::<RoleDefinition>()) {
        Ok(RoleDefinition { id: Some(id), display_name }) if id.parse() == Ok(role) => {
            let name = display_name.unwrap_or_default();
            Finding::fine(format!(
                "{what} ({})",
                name.chars().filter(|c| !c.is_control()).collect::<String>()
            ))
        }
        Ok(_) => Finding::wrong(
            what,
            "the tenant knows it under another id",
            "name the role in the policy by the id that the tenant shows, not by its template's",
        ),
        Err(Fault::Refused(refusal)) if refusal.is_missing() => {
            Finding::wrong(what, "the tenant has no such role", "correct the id in the policy")
        }
        Err(fault) => {
            let problem = Unreachable::from(fault).reason;
            Finding::wrong(
                what,
                problem,
                "run `elevated doctor` again, and check the permission to read roles",
            )
        }
    }
}
