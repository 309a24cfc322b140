//! What Graph sends, as far as the broker reads it.
//!
//! Every field may be absent: what is missing matches nothing, rather than failing a whole listing.

use std::collections::BTreeMap;

use elevate_core::names::{
    AssignmentId, DirectoryRole, Membership, ObjectId, Principal, Resource, Slot, TenantId,
};
use jiff::Timestamp;
use serde::Deserialize;

/// One page of a collection.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next_link: Option<String>,
}

/// A principal's place for a directory role: the slot of the ways that grant roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) principal: Principal,
    pub(super) role: DirectoryRole,
}

impl Place {
    pub(super) const fn slot(&self) -> Slot {
        Slot { principal: self.principal, resource: Resource::Role(self.role) }
    }
}

/// A principal's place in a group: the slot of the ways that grant those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) principal: Principal,
    pub(super) membership: Membership,
}

impl Seat {
    pub(super) const fn slot(&self) -> Slot {
        Slot { principal: self.principal, resource: Resource::Group(self.membership) }
    }
}

/// Who, and what: a role and where, or a group and as what. In every object about one of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    principal_id: Option<String>,
    role_definition_id: Option<String>,
    directory_scope_id: Option<String>,
    group_id: Option<String>,
    access_id: Option<String>,
}

impl About {
    /// The slot it is about; `None` for what the broker never grants, such as an app scope.
    pub(super) fn slot(&self, tenant: TenantId) -> Option<Slot> {
        let resource = match (&self.role_definition_id, &self.group_id) {
            (Some(definition), None) => Resource::Role(DirectoryRole {
                definition: definition.parse().ok()?,
                scope: self.directory_scope_id.as_deref()?.parse().ok()?,
            }),
            (None, Some(group)) => Resource::Group(Membership {
                group: group.parse().ok()?,
                relation: self.access_id.as_deref()?.to_ascii_lowercase().parse().ok()?,
            }),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        Some(Slot { principal: Principal { tenant, object: self.principal()? }, resource })
    }

    pub(super) fn principal(&self) -> Option<ObjectId> {
        self.principal_id.as_deref()?.parse().ok()
    }

    pub(super) fn is(&self, slot: &Slot) -> bool {
        self.slot(slot.principal.tenant).as_ref() == Some(slot)
    }
}

/// `unifiedRoleAssignment`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RoleAssignment {
    pub(super) id: Option<String>,
    #[serde(flatten)]
    pub(super) about: About,
}

impl RoleAssignment {
    pub(super) fn id(&self) -> Option<AssignmentId> {
        self.id.as_deref()?.parse().ok()
    }
}

/// `unifiedRoleAssignmentScheduleInstance`, or `privilegedAccessGroupAssignmentScheduleInstance`: what is
/// active now, one for each assignment, those made outside PIM included.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    id: Option<String>,
    #[serde(flatten)]
    pub(super) about: About,
    member_type: Option<String>,
    #[serde(alias = "assignmentScheduleId")]
    role_assignment_schedule_id: Option<String>,
    role_assignment_origin_id: Option<String>,
    start_date_time: Option<String>,
    end_date_time: Option<String>,
}

impl Instance {
    /// Whether the principal holds it itself, and not through a group or a wider scope.
    pub(super) fn is_direct(&self) -> bool {
        self.member_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("direct"))
    }

    /// The schedule behind it; the same GUID as the request's that made it.
    pub(super) fn schedule(&self) -> Option<AssignmentId> {
        self.role_assignment_schedule_id.as_deref()?.parse().ok()
    }

    /// The plain assignment it shows.
    pub(super) fn origin(&self) -> Option<&str> {
        self.role_assignment_origin_id.as_deref()
    }

    /// What to call it: the schedule where there is one.
    pub(super) fn name(&self) -> Option<AssignmentId> {
        self.schedule().or_else(|| self.origin()?.parse().ok()).or_else(|| self.id.as_deref()?.parse().ok())
    }

    pub(super) fn start(&self) -> Option<Timestamp> {
        self.start_date_time.as_deref()?.parse().ok()
    }

    /// When Entra ends it by itself, if it does.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.end_date_time.as_deref()?.parse().ok()
    }
}

/// `unifiedRoleAssignmentScheduleRequest`, or `privilegedAccessGroupAssignmentScheduleRequest`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleRequest {
    pub(super) id: Option<String>,
    status: Option<String>,
    action: Option<String>,
    justification: Option<String>,
    target_schedule_id: Option<String>,
    schedule_info: Option<ScheduleInfo>,
    #[serde(flatten)]
    pub(super) about: About,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScheduleInfo {
    expiration: Option<Expiration>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expiration {
    end_date_time: Option<String>,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Waits for its start; it can be cancelled.
    Granted,
    /// On its way.
    Pending,
    /// Active, or it was.
    Provisioned,
    /// It will not be, or is no more.
    Over,
}

impl ScheduleRequest {
    pub(super) fn progress(&self) -> Progress {
        match self.status.as_deref().unwrap_or_default() {
            "Granted" => Progress::Granted,
            "Provisioned" => Progress::Provisioned,
            "Canceled" | "Denied" | "Failed" | "Revoked" => Progress::Over,
            // A status that is not known yet is not an end.
            _ => Progress::Pending,
        }
    }

    pub(super) fn status(&self) -> &str {
        self.status.as_deref().unwrap_or("unknown")
    }

    pub(super) fn assigns(&self) -> bool {
        self.action.as_deref().is_some_and(|action| action.eq_ignore_ascii_case("adminAssign"))
    }

    /// Whether it moves the end of what another request made.
    pub(super) fn extends(&self) -> bool {
        self.action.as_deref().is_some_and(|action| action.eq_ignore_ascii_case("adminExtend"))
    }

    pub(super) fn assigns_anything(&self) -> bool {
        let taking = ["adminRemove", "selfDeactivate"];
        !self.action.as_deref().is_some_and(|action| taking.iter().any(|t| action.eq_ignore_ascii_case(t)))
    }

    pub(super) fn says(&self, justification: &str) -> bool {
        self.justification.as_deref() == Some(justification)
    }

    pub(super) fn says_first(&self, words: &str) -> bool {
        self.justification.as_deref().is_some_and(|justification| justification.starts_with(words))
    }

    /// The schedule it makes or changes.
    pub(super) fn schedule(&self) -> Option<AssignmentId> {
        self.target_schedule_id.as_deref()?.parse().ok()
    }

    /// Its own id, and that of the schedule it makes; as a rule the same.
    pub(super) fn ids(&self) -> impl Iterator<Item = AssignmentId> {
        [&self.target_schedule_id, &self.id].into_iter().filter_map(|id| id.as_deref()?.parse().ok())
    }

    /// When it ends what it makes, where it says so by a date.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.schedule_info.as_ref()?.expiration.as_ref()?.end_date_time.as_deref()?.parse().ok()
    }
}

/// The answer of `checkMemberGroups`.
#[derive(Debug, Deserialize)]
pub(super) struct Groups {
    pub(super) value: Vec<String>,
}

/// A user or a group, as far as people read it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) display_name: Option<String>,
}

/// A reference to an object.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "@odata.id")]
    target: Option<String>,
}

impl Reference {
    /// Graph spells the address in more than one way; the id is a segment of all of them.
    pub(super) fn is_to(&self, object: ObjectId) -> bool {
        let address = self.target.as_deref().unwrap_or_default();
        address.split('/').any(|segment| segment.parse() == Ok(object))
    }
}

/// Something in a group, or that owns one.
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    id: Option<String>,
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
}

impl Object {
    pub(super) fn id(&self) -> Option<ObjectId> {
        self.id.as_deref()?.parse().ok()
    }

    pub(super) fn is_person(&self) -> bool {
        self.kind.as_deref() == Some("#microsoft.graph.user")
    }
}

/// A group, as far as it says whether people can be put into it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) id: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) is_assignable_to_role: Option<bool>,
    #[serde(default)]
    pub(super) group_types: Vec<String>,
    pub(super) on_premises_sync_enabled: Option<bool>,
}

/// Somebody in a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) id: Option<String>,
    pub(super) display_name: Option<String>,
}

/// The answer of a `$batch`, in any order.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub(super) responses: Vec<Answered>,
}

/// The answer to one call of it.
#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: serde_json::Value,
}

/// An account, as far as it says whether it can sign in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: Option<String>,
    pub(super) account_enabled: Option<bool>,
}

/// A service principal, with the permissions it offers or none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePrincipal {
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) app_roles: Vec<AppRole>,
}

/// A permission on offer.
#[derive(Debug, Deserialize)]
pub(super) struct AppRole {
    pub(super) id: Option<String>,
    pub(super) value: Option<String>,
}

/// A permission given.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AppRoleAssignment {
    pub(super) app_role_id: Option<String>,
    pub(super) resource_id: Option<String>,
}

/// `unifiedRoleDefinition`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleDefinition {
    pub(super) id: Option<String>,
    pub(super) display_name: Option<String>,
}

/// The token endpoint's answer: RFC 6749, section 5.1. Not to be printed.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) access_token: String,
    pub(super) token_type: Option<String>,
    /// For how many seconds it is good.
    #[serde(default)]
    pub(super) expires_in: serde_json::Value,
    /// Until which second of the epoch: managed identities.
    #[serde(default)]
    pub(super) expires_on: serde_json::Value,
    /// Whose it is: managed identities, not all of them.
    pub(super) client_id: Option<String>,
}

/// And when it says no: section 5.2.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TokenProblem {
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) error_codes: Vec<u32>,
}

/// An error: what kind, by all the codes it names, the most specific first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) codes: Vec<String>,
    pub(super) message: String,
}

impl Problem {
    /// From a body that may be anything.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(ErrorBody { error: Some(error) }) = serde_json::from_slice::<ErrorBody>(body) else {
            return Self::default();
        };
        let message = error.message.clone().unwrap_or_default();
        let mut codes: Vec<_> = error.details.iter().flatten().filter_map(|d| d.code.clone()).collect();
        let mut level = Some(&error);
        while let Some(error) = level {
            codes.extend(error.code.clone());
            level = error.inner_error.as_deref().or(error.innererror.as_deref());
        }
        // Outermost first until here; what a detail says goes with the innermost.
        let details =
            error.details.as_ref().map_or(0, |details| details.iter().filter(|d| d.code.is_some()).count());
        codes.get_mut(details..).unwrap_or_default().reverse();
        codes.rotate_left(details);
        codes.retain_mut(|code| {
            code.retain(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            code.truncate(100);
            !code.is_empty()
        });
        Self { codes, message }
    }

    /// The most specific code, or nothing.
    pub(super) fn code(&self) -> &str {
        self.codes.first().map_or("", String::as_str)
    }

    pub(super) fn is(&self, code: &str) -> bool {
        self.codes.iter().any(|each| each == code)
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Option<ErrorLevel>,
}

#[derive(Deserialize)]
struct ErrorLevel {
    code: Option<String>,
    message: Option<String>,
    details: Option<Vec<ErrorDetail>>,
    #[serde(rename = "innerError")]
    inner_error: Option<Box<Self>>,
    // The older schema spells it so.
    innererror: Option<Box<Self>>,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: Option<String>,
}
