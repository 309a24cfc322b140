//! What is asked for often, by a name: `[profile.NAME]` in `config.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::failure::{Failure, Result};

/// All of them, by name.
pub(crate) type Profiles = BTreeMap<String, Profile>;

/// Roles, and how they are asked for. What a command line says counts before it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Profile {
    /// At least one.
    pub(crate) roles: Vec<String>,
    pub(crate) term: Option<Duration>,
    pub(crate) reason: Option<String>,
    pub(crate) ticket: Option<String>,
    pub(crate) ticket_system: Option<String>,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    role: Option<String>,
    roles: Option<Vec<String>>,
    #[serde(default, rename = "for", deserialize_with = "term")]
    term: Option<Duration>,
    reason: Option<String>,
    ticket: Option<String>,
    ticket_system: Option<String>,
}

fn term<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::cli::term(&text).map(Some).map_err(D::Error::custom)
}

impl TryFrom<Written> for Profile {
    type Error = &'static str;

    fn try_from(written: Written) -> std::result::Result<Self, Self::Error> {
        let Written { role, roles, term, reason, ticket, ticket_system } = written;
        let roles = match (role, roles) {
            (Some(role), None) => vec![role],
            (None, Some(roles)) => roles,
            (Some(_), Some(_)) => return Err("a profile has `role` or `roles`, not both"),
            (None, None) => return Err("a profile needs `role = \"NAME\"` or `roles = [\"NAME\"]`"),
        };
        if roles.is_empty() || roles.iter().any(|role| role.trim().is_empty()) {
            return Err("a profile names at least one role, and none by an empty name");
        }
        Ok(Self { roles, term, reason, ticket, ticket_system })
    }
}

impl Profile {
    /// The one role, for a verb that is about one.
    pub(crate) fn only_role(&self, name: &str) -> Result<&str> {
        match self.roles.as_slice() {
            [role] => Ok(role),
            several => Err(Failure::usage(format!(
                "the profile `{name}` names {} roles, and this is for one",
                several.len()
            ))
            .advice(format!(
                "say which: ROLE --profile {name}, ROLE being one of {}; `elevate activate` asks for all of them",
                several.join(", ")
            ))),
        }
    }
}

/// The profile of this name.
pub(crate) fn named<'p>(profiles: &'p Profiles, name: &str) -> Result<&'p Profile> {
    profiles.get(name).ok_or_else(|| {
        let there: Vec<&str> = profiles.keys().map(String::as_str).collect();
        let advice = match there.as_slice() {
            [] => format!("config.toml has none; write one as `[profile.{name}]` with `role = \"NAME\"`"),
            some => format!("there are: {}; `elevate profiles` shows them", some.join(", ")),
        };
        Failure::usage(format!("there is no profile `{name}`")).advice(advice)
    })
}
