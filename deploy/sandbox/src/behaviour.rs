//! Where tenants differ from each other: what a registration asked for, which licence there is, which of two
//! answers a service gives. A test or the control door changes it while the tenant runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Strength;

/// How this tenant is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// The optional claims that the registrations opted into, per token type.
    pub claims: OptedIn,
    /// Authentication contexts that a Conditional Access policy guards, and what the policy demands.
    pub contexts: BTreeMap<String, Strength>,
    /// Whether `acrs` is issued for a context that no policy guards. Entra does.
    pub unguarded_acrs: bool,
    /// What a second identical `roleAssignments` POST is told.
    pub duplicate: Duplicate,
    /// What is told who removes a member or owner that is none.
    pub absent_member: AbsentMember,
    /// Whether the tenant has the licence that PIM needs.
    pub premium: bool,
    /// How many entries a page of a listing has when `$top` does not say.
    pub page_size: usize,
    /// How far before the moment of issue `iat` and `nbf` of a token lie. Entra dates tokens back by five minutes.
    pub backdate_seconds: i64,
}

/// Optional claims. In version 2.0 tokens a claim that nobody opted into is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptedIn {
    /// In ID tokens: the command line's registration decides.
    pub id_token: BTreeSet<String>,
    /// In access tokens: the broker API's registration decides.
    pub access_token: BTreeSet<String>,
}

/// The two answers that Graph is known to give to a duplicate role assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicate {
    /// 400 `Request_BadRequest`.
    BadRequest,
    /// 409 `Request_MultipleObjectsWithSameKeyValue`.
    Conflict,
}

/// The two answers that Graph is known to give to the removal of a reference that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsentMember {
    /// 404 `Request_ResourceNotFound`.
    NotFound,
    /// 400 `Request_BadRequest`.
    BadRequest,
}

impl Default for Behaviour {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self {
            claims: OptedIn {
                id_token: names(&["acrs", "amr", "auth_time", "groups"]),
                access_token: names(&["acrs", "amr", "auth_time", "groups", "idtyp", "xms_cc"]),
            },
            contexts: BTreeMap::from([("c1".to_owned(), Strength::Mfa)]),
            unguarded_acrs: true,
            duplicate: Duplicate::BadRequest,
            absent_member: AbsentMember::NotFound,
            premium: true,
            page_size: 100,
            backdate_seconds: 300,
        }
    }
}
