//! What a role asks of a ticket.

use std::fmt;
use std::str::FromStr;

use super::{Refusal, Written};
use crate::document::Faults;
use crate::names::{NameError, RoleName, Ticket};

/// What a role asks of the ticket that a request names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketRule {
    /// Whether one must be named.
    pub required: bool,
    /// What its number must look like, as a whole.
    pub pattern: Option<TicketPattern>,
    /// The system that it must be in.
    pub system: Option<String>,
    /// Where the system itself is asked about it.
    pub check: Option<TicketCheck>,
}

/// A question to a ticket system, and what its silence means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCheck {
    /// Which of the configured endpoints is asked.
    pub name: CheckName,
    /// What happens when it gives no answer in time.
    pub unanswered: Unanswered,
}

/// What a ticket system's silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unanswered {
    /// Nothing is granted without its yes.
    Refuse,
    /// The request goes on, and the record says that nobody confirmed the ticket.
    Allow,
}

impl Unanswered {
    /// As written in a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Allow => "allow",
        }
    }
}

impl FromStr for Unanswered {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        [Self::Refuse, Self::Allow]
            .into_iter()
            .find(|unanswered| unanswered.as_str() == text)
            .ok_or_else(|| NameError::new(text, "what silence means (`refuse` or `allow`)"))
    }
}

/// The name of a `[tickets.NAME]` of the broker's configuration: written as a role's name is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckName(String);

impl CheckName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CheckName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wanted = "the name of a ticket check (lower-case letters, digits and inner hyphens, at most 64)";
        let name: Result<RoleName, _> = text.parse();
        name.map(|name| Self(name.to_string())).map_err(|_| NameError::new(text, wanted))
    }
}

/// A regular expression that a whole ticket number must match. Matching takes time linear in the number.
#[derive(Debug, Clone)]
pub struct TicketPattern {
    source: String,
    whole: regex_lite::Regex,
}

impl TicketPattern {
    /// As written in the policy.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether all of `number` matches.
    pub fn matches(&self, number: &str) -> bool {
        self.whole.is_match(number)
    }
}

impl PartialEq for TicketPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for TicketPattern {}

impl FromStr for TicketPattern {
    type Err = regex_lite::Error;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        // Alone first: `a)(b` must not become whole by what is put around it.
        regex_lite::Regex::new(source)?;
        Ok(Self { source: source.to_owned(), whole: regex_lite::Regex::new(&format!("^(?:{source})$"))? })
    }
}

impl Written {
    /// What is wrong with it for a broker that knows these ticket systems and no others.
    pub fn checks_beyond(&self, known: impl Fn(&CheckName) -> bool) -> Faults {
        let mut faults = Faults::default();
        for (role, places) in self.policy.roles().iter().zip(&self.places) {
            if let Some(TicketCheck { name, .. }) =
                role.ticket.check.as_ref().filter(|check| !known(&check.name))
            {
                let problem = format!(
                    "names `{name}`, and the broker's configuration has no `[tickets.{name}]`; add it there and \
                     start the broker again, or leave the check out"
                );
                faults.extend([places.fault("ticket_check", problem)]);
            }
        }
        faults
    }
}

impl TicketRule {
    /// Whether this ticket, or none, will do; whether the ticket's own system agrees is asked elsewhere.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn admits(&self, role: &RoleName, ticket: Option<&Ticket>) -> Result<(), Refusal> {
        let Some(ticket) = ticket else {
            return if self.required { Err(Refusal::TicketMissing { role: role.clone() }) } else { Ok(()) };
        };
        let malformed = |wanted: String| {
            Err(Refusal::TicketMalformed { role: role.clone(), number: ticket.number().to_owned(), wanted })
        };
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.matches(ticket.number())) {
            return malformed(format!("its number must match `{}`", pattern.as_str()));
        }
        match &self.system {
            Some(system) if system != ticket.system() => {
                malformed(format!("it must be in `{system}`; say so with `--ticket-system`"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
