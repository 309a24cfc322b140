//! Every address under Graph's root that the broker asks.
//!
//! Parts are set as path segments, so nothing that is put in can lead elsewhere. A `.` or `..` would:
//! an id made of dots has no address, and there is no way round that.

use elevate_core::names::{AssignmentId, Membership, ObjectId, Relation, RoleDefinitionId};
use url::Url;

const DIRECTORY: [&str; 2] = ["roleManagement", "directory"];

/// Graph's root.
#[derive(Debug, Clone)]
pub(super) struct Root(Url);

impl Root {
    pub(super) const fn new(root: Url) -> Self {
        Self(root)
    }

    /// `/roleManagement/directory/{collection}`.
    pub(super) fn roles(&self, collection: &str) -> Url {
        let [a, b] = DIRECTORY;
        self.at(&[a, b, collection])
    }

    /// Its first row, by id alone.
    pub(super) fn first_of_roles(&self, collection: &str) -> Url {
        asking(self.roles(collection), "$top=1&$select=id")
    }

    /// The collection, as far as it concerns one principal.
    ///
    /// The role and the scope are matched here and not by Graph: all three collections filter by
    /// principal, and a principal holds few.
    pub(super) fn roles_of(&self, collection: &str, principal: ObjectId) -> Url {
        asking(self.roles(collection), &format!("$filter=principalId eq '{principal}'"))
    }

    /// The collection, as far as it concerns one role.
    pub(super) fn roles_by(&self, collection: &str, role: RoleDefinitionId) -> Url {
        asking(self.roles(collection), &format!("$filter=roleDefinitionId eq '{role}'"))
    }

    /// One assignment. `None` when its id cannot be put in an address.
    pub(super) fn assignment(&self, id: &AssignmentId) -> Option<Removable> {
        let [a, b] = DIRECTORY;
        let url = self.at(&[a, b, "roleAssignments", id.as_str()]);
        let is_last = url.path_segments()?.next_back()? == id.as_str();
        is_last.then_some(Removable(url))
    }

    /// Somebody's place in a group. Without `$ref` at its end this would be the address of the person, and
    /// DELETE would delete the person: there is no other function that puts a person behind a group.
    pub(super) fn reference(&self, membership: &Membership, object: ObjectId) -> Removable {
        Removable(self.at(&[
            "groups",
            &membership.group.to_string(),
            collection(membership.relation),
            &object.to_string(),
            "$ref",
        ]))
    }

    /// Where somebody is put into a group.
    pub(super) fn references(&self, membership: &Membership) -> Url {
        self.at(&["groups", &membership.group.to_string(), collection(membership.relation), "$ref"])
    }

    /// Who is in the group itself, or owns it: as many at once as Graph shows.
    pub(super) fn related(&self, membership: &Membership) -> Url {
        let all = self.at(&["groups", &membership.group.to_string(), collection(membership.relation)]);
        asking(all, "$select=id&$top=999")
    }

    /// One part of Graph by its segments.
    pub(super) fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // A root without a path cannot be: only http and https addresses are taken.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The address as a part of a batch has it: behind the root. `None` where it is not below it.
    pub(super) fn relative(&self, url: &Url) -> Option<String> {
        let root = self.0.as_str().trim_end_matches('/');
        url.as_str().strip_prefix(root).filter(|rest| rest.starts_with('/')).map(str::to_owned)
    }

    /// Where a listing goes on: only on the same host, for the token goes with it.
    pub(super) fn next(&self, link: &str) -> Option<Url> {
        let url = Url::parse(link).ok()?;
        let is_bare = url.username().is_empty() && url.password().is_none();
        (url.origin() == self.0.origin() && is_bare).then_some(url)
    }
}

/// What a DELETE may be sent to. Only a role assignment and a place in a group are; see [`Root::assignment`]
/// and [`Root::reference`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removable(Url);

impl Removable {
    /// The address, to read what is there.
    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }
}

/// What Graph calls those who are this to a group.
const fn collection(relation: Relation) -> &'static str {
    match relation {
        Relation::Member => "members",
        Relation::Owner => "owners",
    }
}

/// With this query. A space becomes `%20`: OData does not read `+` as one. Nothing else is escaped, so
/// what is put in must be ours: ids and words.
pub(super) fn asking(mut url: Url, query: &str) -> Url {
    url.set_query(Some(query));
    url
}
