//! Rules that one person alone does not change.

use std::collections::BTreeSet;

use super::Policy;
use crate::names::RoleName;

/// The protected roles that a new policy touches, so that a second policy admin must confirm it: whose own
/// rule would change or go, and those that another rule would give by a new way round. To add a protected role
/// takes one person.
pub fn touched(before: &Policy, after: &Policy) -> BTreeSet<RoleName> {
    let changed = |name: &RoleName| before.role(name) != after.role(name);
    let round = |role: &super::EligibleRole| {
        let same = after.roles().iter().filter(|other| other.target.resource() == role.target.resource());
        same.into_iter().any(|other| changed(&other.name))
    };
    let protected = before.roles().iter().filter(|role| role.protected);
    protected.filter(|role| changed(&role.name) || round(role)).map(|role| role.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    const STAFF: &str = "eligible = [\"group:00000000-0000-0000-0000-0000000000b1\"]\n";

    fn role(name: &str, definition: &str, more: &str) -> String {
        format!(
            "[[role]]\nname = \"{name}\"\nway = \"assignment\"\nrole_definition = \"{definition}\"\n\
             longest = \"8h\"\n{STAFF}{more}"
        )
    }

    const GROUPS: &str = "fdd7a751-b60b-444a-984c-02652fe8fa1c";
    const READER: &str = "f2ef992c-3afb-46b9-b7cf-a126ee74c451";

    fn told(before: &str, after: &str) -> Vec<String> {
        let touched = touched(&parse(before).unwrap(), &parse(after).unwrap());
        touched.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_a_removal_and_the_end_of_protection_need_a_second_person() {
        let guarded = role("guarded", GROUPS, "protected = true\n");
        let free = role("free", READER, "");
        let both = format!("{guarded}{free}");
        assert_eq!(told(&both, &both.replace("\"8h\"", "\"9h\"")), ["guarded"]);
        assert_eq!(told(&both, &free), ["guarded"]);
        assert_eq!(told(&both, &both.replace("protected = true\n", "")), ["guarded"]);
        assert_eq!(told(&both, &role("renamed", GROUPS, "protected = true\n")), ["guarded"]);
    }

    #[test]
    fn an_addition_and_the_change_of_another_role_do_not() {
        let guarded = role("guarded", GROUPS, "protected = true\n");
        let free = role("free", READER, "");
        assert!(told(&free, &format!("{free}{guarded}")).is_empty());
        assert!(told(&format!("{guarded}{free}"), &guarded).is_empty());
        assert!(told("", &guarded).is_empty());
    }

    #[test]
    fn a_way_round_needs_one_too() {
        let guarded = role("guarded", GROUPS, "protected = true\n");
        let other = role("other", GROUPS, "ticket_required = true\n");
        assert_eq!(told(&guarded, &format!("{guarded}{other}")), ["guarded"]);
        let looser = other.replace("ticket_required = true\n", "");
        assert_eq!(told(&format!("{guarded}{other}"), &format!("{guarded}{looser}")), ["guarded"]);
        // To take such a way away takes one person.
        assert_eq!(told(&format!("{guarded}{other}"), &guarded), Vec::<String>::new());
    }
}
