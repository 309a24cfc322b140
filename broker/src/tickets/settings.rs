//! Where ticket systems are, and how they are asked.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use elevate_core::policy::CheckName;
use url::Url;

/// What a ticket's number stands for in an address.
const NUMBER: &str = "{number}";

/// A ticket system, and how it is asked.
#[derive(Debug, Clone)]
pub struct System {
    /// What policies call it.
    pub name: CheckName,
    /// Where, and in which of the two forms.
    pub form: Form,
    /// How long it may take.
    pub deadline: Duration,
    /// What it knows the broker by.
    pub secret: Option<Secret>,
    /// The only roots to trust for it, when given; else the system's.
    pub ca: Option<PathBuf>,
}

/// The two forms of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The whole question is posted, and the answer is a decision.
    Question(Address),
    /// The ticket is read, and its state decides.
    Lookup {
        /// With `{number}` in it.
        url: Address,
        /// Where the ticket's own number stands in what is read: a JSON pointer.
        number: String,
        /// Where its state stands: likewise.
        state: String,
        /// The states that are a yes.
        accepted: Vec<String>,
    },
}

/// A secret, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The file that holds it; read at every use.
    pub file: PathBuf,
    /// In which header.
    pub shown: ShownAs,
}

/// How a secret is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownAs {
    /// `Authorization: Bearer {secret}`.
    Bearer,
    /// `Authorization: Basic …`: the file holds `user:password`.
    Basic,
    /// The secret itself, in a header of this name.
    Header(http::HeaderName),
}

impl FromStr for ShownAs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = || text.strip_prefix("header:")?.parse().ok().map(Self::Header);
        match text {
            "bearer" => Ok(Self::Bearer),
            "basic" => Ok(Self::Basic),
            _ => named().ok_or_else(|| format!("`{text}` is none of `bearer`, `basic` and `header:NAME`")),
        }
    }
}

/// An address over https: also on this host, where another process may have taken the port of one that is down. May have
/// `{number}` in its path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address for a ticket of this number, which is taken as it is: the caller sees to what is in it.
    pub fn of(&self, number: &str) -> Option<Url> {
        Url::parse(&self.0.replace(NUMBER, number)).ok()
    }

    /// Whether `{number}` is in it.
    pub fn names_a_number(&self) -> bool {
        self.0.contains(NUMBER)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address that begins with https:// and names a host");
        let url = Self(text.to_owned());
        let (one, other) = (url.of("1").ok_or_else(wrong)?, url.of("2").ok_or_else(wrong)?);
        let is_safe = text.starts_with("https://");
        let is_written = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
        let is_bare = one.fragment().is_none() && one.username().is_empty() && one.password().is_none();
        // A ticket's number must not choose whom we ask.
        let is_one_place =
            one.origin() == other.origin() && one.host_str().is_some_and(|host| !host.is_empty());
        if is_safe && is_written && is_bare && is_one_place { Ok(url) } else { Err(wrong()) }
    }
}

#[cfg(test)]
impl Address {
    /// An address as it is, for a ticket system that a test serves without encryption.
    pub(super) fn of_a_test(text: &str) -> Self {
        Self(text.to_owned())
    }
}
