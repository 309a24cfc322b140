//! What things are called: one type a meaning, valid or not at all.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Why a name was refused, in the words of whoever typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {wanted}")]
pub struct NameError {
    given: String,
    wanted: &'static str,
}

impl NameError {
    pub(crate) fn new(given: &str, wanted: &'static str) -> Self {
        // What a stranger typed comes back in errors: keep it short and without control characters.
        let given = given.chars().filter(|c| !c.is_control()).take(80).collect();
        Self { given, wanted }
    }
}

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// From its sixteen bytes.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// Its sixteen bytes.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            /// Only the hyphenated form: one id, one spelling (letters in either case).
            fn from_str(text: &str) -> Result<Self, NameError> {
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == 36 && !id.is_nil() => Ok(Self(id)),
                    _ => Err(NameError::new(text, $wanted)),
                }
            }
        }
    };
}

guid!(
    /// An Entra tenant.
    TenantId, "a tenant id (a GUID such as 72f988bf-86f1-41af-91ab-2d7cd011db47)"
);
guid!(
    /// A user, group or service principal within a tenant: the `oid` claim, Graph's `id`.
    ObjectId, "an object id (a GUID such as 071cc716-8147-4397-a5ba-b2105951cc0b)"
);
guid!(
    /// A directory role, by template id or by the directory's own id (for built-in roles the same).
    RoleDefinitionId, "a role definition id (a GUID such as fdd7a751-b60b-444a-984c-02652fe8fa1c)"
);
guid!(
    /// One activation, for its whole life. Made by the broker, ordered by time (UUID version 7).
    ActivationId, "an activation id (a GUID as printed by `elevate list`)"
);
guid!(
    /// Chosen by the caller: a mutation repeated under the same id happens once.
    RequestId, "a request id (a GUID)"
);

/// What people type to name an eligible role: lower-case letters, digits and inner hyphens, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

impl RoleName {
    /// The longest name, in characters.
    pub const MAX: usize = 64;

    /// The name as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edges_hold = !text.starts_with('-') && !text.ends_with('-');
        if !text.is_empty() && text.len() <= Self::MAX && text.chars().all(plain) && edges_hold {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(
                text,
                "a role name (lower-case letters, digits and inner hyphens, at most 64)",
            ))
        }
    }
}

/// Where a directory role counts. Graph's `directoryScopeId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole tenant: `/`.
    Tenant,
    /// One administrative unit: `/administrativeUnits/{id}`.
    AdministrativeUnit(ObjectId),
    /// One directory object, such as an app registration: `/{id}`, without a segment before it.
    Object(ObjectId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("/"),
            Self::AdministrativeUnit(id) => write!(f, "/administrativeUnits/{id}"),
            Self::Object(id) => write!(f, "/{id}"),
        }
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wanted = "a scope (`/`, `/administrativeUnits/{id}` or `/{object id}`)";
        let refused = |_| NameError::new(text, wanted);
        if text == "/" {
            return Ok(Self::Tenant);
        }
        if let Some(id) = text.strip_prefix("/administrativeUnits/") {
            return id.parse().map(Self::AdministrativeUnit).map_err(refused);
        }
        match text.strip_prefix('/') {
            Some(id) => id.parse().map(Self::Object).map_err(refused),
            None => Err(NameError::new(text, wanted)),
        }
    }
}

/// Somebody or something that may hold a role: known by `(tenant, object)`, never by name or mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    /// The tenant that vouches for it.
    pub tenant: TenantId,
    /// Its object id there.
    pub object: ObjectId,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.object)
    }
}

/// Whom a policy names: one user, or everybody in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One user, written `user:{object id}`.
    User(ObjectId),
    /// Everybody in the group, nested groups included, written `group:{object id}`.
    Group(ObjectId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = |_| NameError::new(text, "`user:{object id}` or `group:{object id}`");
        match text.split_once(':') {
            Some(("user", id)) => id.parse().map(Self::User).map_err(refused),
            Some(("group", id)) => id.parse().map(Self::Group).map_err(refused),
            _ => Err(NameError::new(text, "`user:{object id}` or `group:{object id}`")),
        }
    }
}

/// A directory role at a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryRole {
    /// Which role.
    pub definition: RoleDefinitionId,
    /// Where it counts.
    pub scope: Scope,
}

/// What one can be to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// In it: has what the group has.
    Member,
    /// Decides who is in it.
    Owner,
}

impl Relation {
    /// As written in a policy; Graph's `accessId`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Relation {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "member" => Ok(Self::Member),
            "owner" => Ok(Self::Owner),
            _ => Err(NameError::new(text, "a relation to a group (`member` or `owner`)")),
        }
    }
}

/// A place in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Membership {
    /// Which group.
    pub group: ObjectId,
    /// As what.
    pub relation: Relation,
}

/// What can be held in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A directory role at a scope.
    Role(DirectoryRole),
    /// A place in a group.
    Group(Membership),
}

impl Resource {
    /// The id of what is held: of the role definition, or of the group.
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Role(role) => role.definition.uuid(),
            Self::Group(membership) => membership.group.uuid(),
        }
    }

    /// Where it counts, or as what: a scope, or a relation.
    pub fn place(&self) -> String {
        match self {
            Self::Role(role) => role.scope.to_string(),
            Self::Group(membership) => membership.relation.to_string(),
        }
    }

    /// Whether whoever holds this holds `other` by it: the same, or the same role at a narrower scope.
    ///
    /// What lies within an administrative unit is the directory's to say and changes there, so nothing
    /// but the unit itself is taken to be narrower than it.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Role(wide), Self::Role(narrow)) => {
                wide.definition == narrow.definition
                    && (wide.scope == Scope::Tenant || wide.scope == narrow.scope)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role {} at {}", role.definition, role.scope),
            Self::Group(membership) => write!(f, "{} of group {}", membership.relation, membership.group),
        }
    }
}

/// How the broker grants, chosen per role in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Entra PIM's `roleAssignmentScheduleRequests`: Entra ends the grant itself, the broker confirms.
    Pim,
    /// `roleAssignments`: works without a licence, and only the broker ends it.
    Assignment,
    /// A group's `members` or `owners`: only the broker ends it.
    Group,
    /// PIM for Groups' `assignmentScheduleRequests`: Entra ends it itself, as with [`Way::Pim`].
    PimGroup,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pim, Self::Assignment, Self::Group, Self::PimGroup];

    /// As written in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pim => "pim",
            Self::Assignment => "assignment",
            Self::Group => "group",
            Self::PimGroup => "pim-group",
        }
    }

    /// Whether Entra itself ends the grant: then it is at least five minutes long.
    pub const fn is_pim(self) -> bool {
        matches!(self, Self::Pim | Self::PimGroup)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Way {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|way| way.as_str() == text).ok_or_else(|| {
            NameError::new(text, "a way of granting (`pim`, `assignment`, `group` or `pim-group`)")
        })
    }
}

/// What is held when a role is active, and by which of Graph's doors it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// By [`Way::Pim`].
    Pim(DirectoryRole),
    /// By [`Way::Assignment`].
    Assignment(DirectoryRole),
    /// By [`Way::Group`].
    Group(Membership),
    /// By [`Way::PimGroup`].
    PimGroup(Membership),
}

impl Target {
    /// By which door.
    pub const fn way(&self) -> Way {
        match self {
            Self::Pim(_) => Way::Pim,
            Self::Assignment(_) => Way::Assignment,
            Self::Group(_) => Way::Group,
            Self::PimGroup(_) => Way::PimGroup,
        }
    }

    /// What is held.
    pub const fn resource(&self) -> Resource {
        match self {
            Self::Pim(role) | Self::Assignment(role) => Resource::Role(*role),
            Self::Group(membership) | Self::PimGroup(membership) => Resource::Group(*membership),
        }
    }

    /// The slot that `principal` takes by holding this.
    pub const fn slot(&self, principal: Principal) -> Slot {
        Slot { principal, resource: self.resource() }
    }

    /// Where a directory role counts; a place in a group has no scope.
    pub const fn scope(&self) -> Option<Scope> {
        match self {
            Self::Pim(role) | Self::Assignment(role) => Some(role.scope),
            Self::Group(_) | Self::PimGroup(_) => None,
        }
    }

    /// Whether `other` is this, or less of it by the same door.
    pub fn covers(&self, other: &Self) -> bool {
        self.way() == other.way() && self.resource().covers(&other.resource())
    }

    /// The same at another scope; `None` where there is no scope to choose, or none so narrow.
    pub fn narrowed_to(&self, scope: Scope) -> Option<Self> {
        let narrowed = match self {
            Self::Pim(role) => Self::Pim(DirectoryRole { scope, ..*role }),
            Self::Assignment(role) => Self::Assignment(DirectoryRole { scope, ..*role }),
            Self::Group(_) | Self::PimGroup(_) => return None,
        };
        self.covers(&narrowed).then_some(narrowed)
    }
}

/// The place an activation takes: at most one live activation each.
///
/// The way of granting is no part of it: by either door it is the same assignment in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Who holds.
    pub principal: Principal,
    /// What.
    pub resource: Resource,
}

/// The directory's own name for an assignment it holds. Opaque: an assignment id or a schedule id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssignmentId(String);

impl AssignmentId {
    /// The longest id taken from the directory, in bytes.
    pub const MAX: usize = 512;

    /// The id as the directory wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AssignmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AssignmentId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'));
        if !text.is_empty() && text.len() <= Self::MAX && plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new(text, "an assignment id"))
        }
    }
}

/// Whether a letter shows what it is: no control character, and none of those that are not seen and turn
/// the order of the others (Unicode's bidirectional controls, UAX #9) or hide between them (what Unicode calls
/// default-ignorable, `DerivedCoreProperties.txt`). Who approves a request must read what was written. U+FE0F stays,
/// which only makes a picture of the letter before it.
pub fn is_plain(letter: char) -> bool {
    let hidden = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !letter.is_control() && !hidden
}

/// Why the role is needed, in the asker's own words. Kept in the record, never in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Justification(String);

impl Justification {
    /// The longest, in characters.
    pub const MAX: usize = 1000;

    /// As it stands on record: the rules of the day on which it was given let it through, and a rule that came
    /// later must not make the record unreadable.
    pub const fn recorded(words: String) -> Self {
        Self(words)
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Justification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Justification({} characters)", self.0.chars().count())
    }
}

impl FromStr for Justification {
    type Err = NameError;

    /// White space around it is dropped; what is left must be there, short enough, and on plain lines.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let wanted = "a justification (1 to 1000 characters, none of them a control character or hidden)";
        let words = text.trim();
        let plain = words.chars().all(|letter| letter == '\n' || is_plain(letter));
        if !words.is_empty() && words.chars().count() <= Self::MAX && plain {
            Ok(Self(words.to_owned()))
        } else {
            // The words themselves stay out of the error: it may be logged.
            Err(NameError::new(if words.is_empty() { "" } else { "that text" }, wanted))
        }
    }
}

/// A ticket in another system, as given; not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    number: String,
    system: String,
}

impl Ticket {
    /// The longest number or system, in characters.
    pub const MAX: usize = 100;

    /// A ticket's number, and the system it is kept in (which may be empty).
    pub fn new(number: &str, system: &str) -> Result<Self, NameError> {
        let fits = |text: &str| text.chars().count() <= Self::MAX && text.chars().all(is_plain);
        if !number.trim().is_empty() && fits(number) && fits(system) {
            Ok(Self { number: number.trim().to_owned(), system: system.trim().to_owned() })
        } else {
            Err(NameError::new(number, "a ticket number (1 to 100 characters, and a system of at most 100)"))
        }
    }

    /// As it stands on record; see [`Justification::recorded`].
    pub const fn recorded(number: String, system: String) -> Self {
        Self { number, system }
    }

    /// For example `INC0012345`.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// For example `ServiceNow`; empty when not given.
    pub fn system(&self) -> &str {
        &self.system
    }
}

#[cfg(test)]
mod tests;
