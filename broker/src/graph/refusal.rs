//! Graph's refusals in words for whoever asked.
//!
//! Only codes come through. Messages are written for developers, may name addresses, and change.

use elevate_core::names::Way;

use super::wire::Problem;

/// Graph said no: nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) problem: Problem,
}

/// The rules of PIM that a refusal may name.
const RULES: [(&str, &str); 5] = [
    ("MfaRule", "multifactor authentication of whoever assigns"),
    ("JustificationRule", "a justification"),
    ("TicketingRule", "a ticket"),
    ("ExpirationRule", "a shorter term"),
    ("EligibilityRule", "eligibility in PIM"),
];

impl Refusal {
    /// Whether the same assignment is there already, or asked for.
    ///
    /// Roles and members share `Request_BadRequest`, so there the message must serve as a hint; a read
    /// decides.
    pub(super) fn is_duplicate(&self) -> bool {
        let known = [
            "ConflictingObjects",
            "Request_MultipleObjectsWithSameKeyValue",
            "RoleAssignmentExists",
            "PendingRoleAssignmentRequest",
        ];
        let hinted = self.status == 400
            && self.problem.is("Request_BadRequest")
            && ["conflicting object", "references already exist"].iter().any(|hint| self.hints_at(hint));
        hinted || known.iter().any(|code| self.problem.is(code))
    }

    /// Whether there is no such thing, or not yet where this read was answered.
    pub(super) const fn is_missing(&self) -> bool {
        self.status == 404
    }

    /// Whether there is no such place in the group: Graph says so by this, or by 404.
    pub(super) fn is_no_reference(&self) -> bool {
        self.status == 400 && self.hints_at("references do not exist")
    }

    /// Whether it is that a group would have no owner left.
    pub(super) fn is_last_owner(&self) -> bool {
        self.status == 400 && self.hints_at("at least one owner")
    }

    fn hints_at(&self, words: &str) -> bool {
        self.problem.message.to_ascii_lowercase().contains(words)
    }

    pub(super) fn is(&self, code: &str) -> bool {
        self.problem.is(code)
    }

    /// For an operator: the status and the code.
    pub(super) fn brief(&self) -> String {
        match self.problem.code() {
            "" => format!("status {}", self.status),
            code => format!("{code}, status {}", self.status),
        }
    }

    /// For the asker: what, why and what to do.
    pub(super) fn words(&self, way: Way) -> String {
        let brief = self.brief();
        let first_known = self.problem.codes.iter().find_map(|code| known(code, way));
        match first_known {
            Some(words) if self.is("RoleAssignmentRequestPolicyValidationFailed") => {
                format!("{words}{} ({brief})", self.rules())
            }
            Some(words) => format!("{words} ({brief})"),
            None if self.status == 403 => format!("{} ({brief})", DENIED),
            None => {
                format!("Entra refused to grant it; tell your operator to run `elevated doctor` ({brief})")
            }
        }
    }

    /// For whoever asked for something to be read that the broker can do without.
    pub(super) fn for_reading(&self) -> String {
        let brief = self.brief();
        if self.is("AadPremiumLicenseRequired") {
            format!("the tenant has no licence for Privileged Identity Management ({brief})")
        } else if self.status == 403 {
            format!("Entra does not let the broker read it ({brief})")
        } else {
            format!("Graph refused ({brief})")
        }
    }

    /// Which of PIM's rules stand against it.
    fn rules(&self) -> String {
        let named: Vec<_> = RULES
            .iter()
            .filter(|(rule, _)| self.problem.message.contains(rule))
            .map(|(_, wants)| *wants)
            .collect();
        if named.is_empty() { String::new() } else { format!("; they demand {}", named.join(", ")) }
    }
}

const DENIED: &str = "Entra does not let the broker grant this; tell your operator to run `elevated doctor`";

fn known(code: &str, way: Way) -> Option<&'static str> {
    Some(match code {
        "Authorization_RequestDenied" | "InsufficientPermissions" | "PermissionScopeNotGranted" => DENIED,
        "AadPremiumLicenseRequired" => {
            if way == Way::PimGroup {
                "the tenant has no licence for Privileged Identity Management; tell your operator to grant \
                 this place by the way `group`"
            } else {
                "the tenant has no licence for Privileged Identity Management; tell your operator to grant \
                 this role by the way `assignment`"
            }
        }
        "RoleAssignmentRequestPolicyValidationFailed" => {
            "its own settings in Privileged Identity Management stand against it"
        }
        "RoleAssignmentRequestAcrsValidationFailed" => {
            "its own settings in Privileged Identity Management demand an authentication context \
             that a broker cannot have; tell your operator"
        }
        "InvalidRoleAssignmentRequestSchedule" | "ActiveDurationTooShort" => {
            "Privileged Identity Management does not take this term; ask for a longer one, at least five \
             minutes"
        }
        "InvalidScope" => "the role cannot be held at this scope; tell your operator",
        _ => return None,
    })
}
