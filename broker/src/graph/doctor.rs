//! Whether the broker may do in Graph what it is set up to do: for `elevated doctor`.

use std::collections::BTreeSet;

use elevate_core::names::{
    DirectoryRole, Membership, ObjectId, Relation, Resource, RoleDefinitionId, Target, Way,
};
use jiff::SignedDuration;

use super::address::asking;
use super::budget::Priority;
use super::call::{Call, Fault, Line};
use super::credential::{AUDIENCE, Certificate, Credential, FederatedToken, Proof};
use super::schedule::Door;
use super::wire::{Group, Object, RoleDefinition, Seat};
use crate::ports::directory::Unreachable;

mod permissions;

use permissions::{given, needs};

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

pub(super) async fn check(line: &Line, targets: &[Target], signs_out: bool) -> Vec<Finding> {
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
    let (groups, is_over_roles) = groups(line, targets).await;
    let what = "the permissions of the broker's application";
    let unknown = match client_id {
        None => Some(Finding::wrong(
            what,
            "the host does not say which application its identity is",
            "name the identity's application id as `graph.client_id`; only reads were tried",
        )),
        Some(client_id) => match given(line, client_id).await {
            Ok(given) => {
                findings.extend(
                    needs(targets, is_over_roles, signs_out).into_iter().map(|need| need.judged(&given)),
                );
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
    findings.extend(groups);
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

fn membership(target: &Target) -> Option<Membership> {
    match target.resource() {
        Resource::Group(membership) => Some(membership),
        Resource::Role(_) => None,
    }
}

fn role(target: &Target) -> Option<DirectoryRole> {
    match target.resource() {
        Resource::Role(role) => Some(role),
        Resource::Group(_) => None,
    }
}

/// The reads that the ways in use begin with.
async fn tried(line: &Line, targets: &[Target]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut done = BTreeSet::new();
    for target in targets {
        let (what, url) = match target {
            Target::Assignment(role) => {
                ("roleAssignments", line.root.roles_by("roleAssignments", role.definition))
            }
            Target::Pim(role) => {
                let collection = "roleAssignmentScheduleInstances";
                (collection, line.root.roles_by(collection, role.definition))
            }
            Target::Group(membership) => match membership.relation {
                Relation::Member => ("members of groups", line.root.related(membership)),
                Relation::Owner => ("owners of groups", line.root.related(membership)),
            },
            Target::PimGroup(membership) => {
                let filter = format!("$filter=groupId eq '{}'", membership.group);
                ("PIM for Groups", asking(line.root.at(<Seat as Door>::INSTANCES), &filter))
            }
        };
        if !done.insert(what) {
            continue;
        }
        let what = format!("reading {what}");
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

/// The groups that the policy puts people into, and whether the way `group` leads to one that can hold roles.
async fn groups(line: &Line, targets: &[Target]) -> (Vec<Finding>, bool) {
    let mut findings = Vec::new();
    let mut is_over_roles = false;
    let ids: BTreeSet<_> = targets.iter().filter_map(membership).map(|each| each.group).collect();
    for id in ids {
        let (finding, holds_roles) = group(line, id).await;
        let is_by_group = |each: &Target| {
            each.way() == Way::Group && membership(each).is_some_and(|membership| membership.group == id)
        };
        is_over_roles |= holds_roles && targets.iter().any(is_by_group);
        let is_there = finding.is_ok();
        findings.push(finding);
        let owned = Membership { group: id, relation: Relation::Owner };
        if is_there && targets.iter().any(|each| membership(each) == Some(owned)) {
            findings.push(owners(line, &owned).await);
        }
    }
    (findings, is_over_roles)
}

/// Whether people can be put into the group by hand; and whether it can hold directory roles.
async fn group(line: &Line, id: ObjectId) -> (Finding, bool) {
    let what = format!("group {id}");
    let fields = "$select=id,displayName,isAssignableToRole,groupTypes,onPremisesSyncEnabled";
    let url = asking(line.root.at(&["groups", &id.to_string()]), fields);
    let shown = line.send(Call::read("check", Priority::List, url)).await;
    let Group { id: _, display_name, is_assignable_to_role, group_types, on_premises_sync_enabled } =
        match shown.and_then(|body| body.read::<Group>()) {
            Ok(group) if group.id.as_deref().and_then(|shown| shown.parse().ok()) == Some(id) => group,
            Ok(_) => {
                let again = "run `elevated doctor` again";
                return (Finding::wrong(what, "Graph showed another one", again), false);
            }
            Err(Fault::Refused(refusal)) if refusal.is_missing() => {
                let remedy = "correct the id in the policy";
                return (Finding::wrong(what, "the tenant has no such group", remedy), false);
            }
            Err(fault) => {
                let remedy = "run `elevated doctor` again, and check the permission to read groups";
                return (Finding::wrong(what, Unreachable::from(fault).reason, remedy), false);
            }
        };
    let name = display_name.unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let holds_roles = is_assignable_to_role == Some(true);
    let kind = if holds_roles { ", can hold directory roles" } else { "" };
    let what = format!("{what} ({name}{kind})");
    let remedy = "name another group in the policy: one whose members are assigned in Entra";
    let finding = if group_types.iter().any(|kind| kind == "DynamicMembership") {
        Finding::wrong(what, "a rule says who is in it, and nobody else can", remedy)
    } else if on_premises_sync_enabled == Some(true) {
        Finding::wrong(what, "it is kept on the premises and only copied to Entra", remedy)
    } else {
        Finding::fine(what)
    };
    (finding, holds_roles)
}

/// Whether there is a person to whom the group stays when an ownership is taken away.
async fn owners(line: &Line, owned: &Membership) -> Finding {
    let what = format!("owners of group {}", owned.group);
    match line.list::<Object>("check", Priority::List, line.root.related(owned)).await {
        Ok(owners) if owners.iter().any(Object::is_person) => Finding::fine(what),
        Ok(_) => Finding::wrong(
            what,
            "no person owns it, and Entra takes no group from its last owner",
            "give the group an owner who stays; until then the broker makes nobody its owner",
        ),
        Err(fault) => Finding::wrong(
            what,
            Unreachable::from(fault).reason,
            "run `elevated doctor` again, and check the permission to read groups",
        ),
    }
}
