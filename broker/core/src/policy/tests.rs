use uuid::Uuid;

use super::*;
use crate::names::{Membership, Principal, Relation, TenantId};

const ANN: &str = "00000000-0000-0000-0000-0000000000a1";
const TEAM: &str = "00000000-0000-0000-0000-0000000000b1";
const DEFINITION: &str = "fdd7a751-b60b-444a-984c-02652fe8fa1c";

fn standing(user: &str, groups: &[&str]) -> Standing {
    Standing {
        principal: Principal {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            object: user.parse().unwrap(),
        },
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
    }
}

fn policy(text: &str) -> Policy {
    parse(text).unwrap_or_else(|faults| panic!("{faults}"))
}

fn simple(more: &str) -> String {
    format!(
        "[[role]]\nname = \"groups-admin\"\nway = \"assignment\"\nrole_definition = \"{DEFINITION}\"\n\
         eligible = [\"group:{TEAM}\"]\nlongest = \"8h\"\n{more}"
    )
}

#[test]
fn a_missing_role_and_one_not_offered_are_one_answer() {
    let policy = policy(&simple(""));
    let stranger = standing(ANN, &[]);
    let missing = policy.offer(&stranger, &"no-such-role".parse().unwrap()).unwrap_err().to_string();
    let withheld = policy.offer(&stranger, &"groups-admin".parse().unwrap()).unwrap_err().to_string();
    assert_eq!(missing.replace("no-such-role", "X"), withheld.replace("groups-admin", "X"));
    assert!(policy.offer(&standing(ANN, &[TEAM]), &"groups-admin".parse().unwrap()).is_ok());
}

#[test]
fn a_deny_always_wins() {
    let policy = policy(&simple(&format!("denied = [\"user:{ANN}\"]\n")));
    let name = "groups-admin".parse().unwrap();
    assert!(policy.offer(&standing(ANN, &[TEAM]), &name).is_err());
    assert!(policy.offer(&standing("00000000-0000-0000-0000-0000000000a2", &[TEAM]), &name).is_ok());
}

#[test]
fn no_match_means_no() {
    assert!(Policy::default().offer(&standing(ANN, &[TEAM]), &"a".parse().unwrap()).is_err());
    assert_eq!(policy("").roles(), &[]);
}

#[test]
fn what_an_offer_admits() {
    let named = Ticket::new("CHG1", "").unwrap();
    let offered = |text: &str| policy(&simple(text)).roles()[0].clone();
    let pim = |text: &str| policy(&simple(text).replace("\"assignment\"", "\"pim\"")).roles()[0].clone();
    for (offer, asked, ticket, expected) in [
        (offered(""), "8h", false, "yes"),
        (offered(""), "5s", false, "yes"),
        (offered(""), "8h 1s", false, "8h 1s is longer than `groups-admin` allows; ask for 8h or less"),
        (
            pim(""),
            "4m 59s",
            false,
            "4m 59s is shorter than Entra PIM can grant for `groups-admin`; ask for 5m or more",
        ),
        (pim(""), "5m", false, "yes"),
        (
            offered("ticket_required = true"),
            "1h",
            false,
            "`groups-admin` needs a ticket; name it with `--ticket NUMBER`",
        ),
        (offered("ticket_required = true"), "1h", true, "yes"),
    ] {
        let said = match offer.admits(asked.parse().unwrap(), ticket.then_some(&named), None) {
            Ok(()) => "yes".to_owned(),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(said, expected, "{asked}");
    }
}

#[test]
fn what_is_not_said_has_the_safe_value() {
    let role = policy(&simple("")).roles()[0].clone();
    assert_eq!(role.title, "groups-admin");
    assert_eq!(role.target.resource().place(), "/");
    assert_eq!(role.ticket, TicketRule::default());
    assert_eq!(role.start_ahead, SignedDuration::from_hours(24 * 7));
    assert!(!role.own_approval && !role.sign_out && !role.protected);
    assert_eq!((role.notify.len(), role.break_glass), (0, None));
    assert_eq!(role.usual, role.longest);
    assert_eq!(role.approval_window, SignedDuration::from_hours(24));
    let proof = ProofRule {
        strength: Strength::Mfa,
        context: None,
        freshness: SignedDuration::from_mins(5),
        bound: Bound::Nonce,
    };
    assert_eq!(role.proof, proof);
}

#[test]
fn every_fault_of_a_policy_comes_at_once_and_with_its_line() {
    let text = format!(
        r#"[[role]]
name = "Groups Admin"
way = "magic"
role_definition = "x"
scope = "everywhere"
eligible = []
longest = "2 days"
usual = "9h"
aproval_window = "1h"
[[role.approval]]
count = 0
from = ["user:{ANN}"]
[[role.approval]]
count = 2
from = ["user:{ANN}"]
[role.proof]
strength = "strong"
context = "c0"
fresh_within = "2h"

[[role]]
name = "two"
way = "pim"
role_definition = "{DEFINITION}"
eligible = ["group:{TEAM}", "group:{TEAM}", "team"]
longest = "1m"

[[role]]
name = "two"
way = "assignment"
role_definition = "{DEFINITION}"
eligible = ["group:{TEAM}"]
longest = "1h"
usual = "2h"
approval_window = "1s"

[defaults]
x = 1
"#
    );
    expect_test::expect![[r#"
        line 2: `role[0].name` is wrong: `Groups Admin` is not a role name (lower-case letters, digits and inner hyphens, at most 64)
        line 3: `role[0].way` is wrong: `magic` is not a way of granting (`pim`, `assignment`, `group` or `pim-group`)
        line 4: `role[0].role_definition` is not known here; is it misspelt?
        line 5: `role[0].scope` is not known here; is it misspelt?
        line 6: `role[0].eligible` names nobody
        line 7: `role[0].longest` is wrong: `2 days` means 2days, and a grant lasts from 5s to 1day
        line 9: `role[0].aproval_window` is not known here; is it misspelt?
        line 11: `role[0].approval[0].count` must be a whole number from 1 to 20
        line 14: `role[0].approval[1].count` asks for 2 people, and `from` names 1
        line 17: `role[0].proof.strength` is wrong: it must be `mfa` or `phishing-resistant`
        line 18: `role[0].proof.context` is wrong: it must be an authentication context, `c1` to `c99`
        line 19: `role[0].proof.fresh_within` means 2h, and must be from 10s to 1h
        line 25: `role[1].eligible[2]` is wrong: `team` is not `user:{object id}` or `group:{object id}`
        line 25: `role[1].eligible` names somebody twice
        line 26: `role[1].longest` is less than 5m, and Entra PIM ends nothing sooner; use `way = "assignment"`
        line 29: `role[2].name` `two` is taken by a role above
        line 34: `role[2].usual` is 2h, which is more than `longest` (1h)
        line 35: `role[2].approval_window` means 1s, and must be from 10s to 14days
        line 37: `defaults` is not known here; is it misspelt?"#]]
    .assert_eq(&parse(&text).unwrap_err().to_string());
}

#[test]
fn a_count_of_zero_or_none_is_an_error() {
    for rule in ["count = 0\n", "", "count = -1\n", "count = \"1\"\n"] {
        let text = simple(&format!("[[role.approval]]\n{rule}from = [\"user:{ANN}\"]\n"));
        assert!(parse(&text).is_err(), "{rule:?}");
    }
}

#[test]
fn an_authentication_context_is_c1_to_c99() {
    for (text, fits) in [
        ("c1", true),
        ("c99", true),
        ("c0", false),
        ("c01", false),
        ("c100", false),
        ("C1", false),
        ("c", false),
        ("1", false),
        ("c1 ", false),
    ] {
        assert_eq!(AuthContext::new(text).is_some(), fits, "{text}");
    }
}

#[test]
fn every_group_that_matters_is_looked_up() {
    let text = simple(&format!(
        "denied = [\"group:00000000-0000-0000-0000-0000000000b2\"]\n[[role.approval]]\ncount = 1\nfrom = [\"user:{ANN}\", \"group:00000000-0000-0000-0000-0000000000b3\"]\n"
    ));
    let groups: Vec<_> = policy(&text).groups().iter().map(ToString::to_string).collect();
    assert_eq!(
        groups,
        [TEAM, "00000000-0000-0000-0000-0000000000b2", "00000000-0000-0000-0000-0000000000b3"]
    );
}

const GROUP_ROLE: &str = "[[role]]\nname = \"ops\"\nway = \"group\"\n\
    group = \"00000000-0000-0000-0000-0000000000c1\"\n\
    eligible = [\"group:00000000-0000-0000-0000-0000000000b1\"]\nlongest = \"1h\"\n";

#[test]
fn a_role_may_be_a_place_in_a_group() {
    let place = |text: &str| policy(text).roles()[0].target;
    let membership =
        |relation| Membership { group: "00000000-0000-0000-0000-0000000000c1".parse().unwrap(), relation };
    assert_eq!(place(GROUP_ROLE), Target::Group(membership(Relation::Member)));
    assert_eq!(
        place(&GROUP_ROLE.replace("way = \"group\"", "way = \"pim-group\"\nrelation = \"owner\"")),
        Target::PimGroup(membership(Relation::Owner))
    );
    for (wrong, said) in [
        (
            "role_definition = \"fdd7a751-b60b-444a-984c-02652fe8fa1c\"",
            "`role[0].role_definition` is not known",
        ),
        ("scope = \"/\"", "`role[0].scope` is not known"),
        ("relation = \"friend\"", "is not a relation to a group (`member` or `owner`)"),
    ] {
        let faults = parse(&format!("{GROUP_ROLE}{wrong}\n")).unwrap_err().to_string();
        assert!(faults.contains(said), "{faults}");
    }
    let of_a_role = parse(&simple("group = \"00000000-0000-0000-0000-0000000000c1\"\n")).unwrap_err();
    assert!(of_a_role.to_string().contains("`role[0].group` is not known"), "{of_a_role}");
}

#[test]
fn an_emergency_offer_is_for_named_people_and_shorter() {
    let with =
        |table: &str| parse(&simple(&format!("denied = [\"user:{ANN}\"]\n[role.break_glass]\n{table}")));
    let other = "00000000-0000-0000-0000-0000000000a2";
    let role = with(&format!("eligible = [\"user:{ANN}\", \"user:{other}\"]\nlongest = \"1h\"\n")).unwrap();
    let role = &role.roles()[0];
    let offer = role.break_glass_for(&standing(other, &[])).unwrap();
    assert_eq!(
        (offer.longest.to_string().as_str(), offer.proof.strength),
        ("1h", Strength::PhishingResistant)
    );
    assert_eq!(offer.proof.bound, Bound::Nonce);
    assert!(role.break_glass_for(&standing(ANN, &[])).is_none(), "denied");
    assert!(role.break_glass_for(&standing("00000000-0000-0000-0000-0000000000a3", &[TEAM])).is_none());
    for (wrong, said) in [
        (
            format!("eligible = [\"group:{TEAM}\"]\nlongest = \"1h\"\n"),
            "names a group; an emergency is for people who are named",
        ),
        (
            format!("eligible = [\"user:{other}\"]\nlongest = \"9h\"\n"),
            "is 9h, which is more than the role's own `longest` (8h)",
        ),
        (format!("eligible = [\"user:{other}\"]\n"), "`role[0].break_glass.longest` is missing"),
        (
            format!("eligible = [\"user:{other}\"]\nlongest = \"1h\"\nbound_by = \"freshness\"\n"),
            "`role[0].break_glass.bound_by` is not known",
        ),
        ("longest = \"1h\"\n".to_owned(), "`role[0].break_glass.eligible` is missing"),
    ] {
        let faults = with(&wrong).unwrap_err().to_string();
        assert!(faults.contains(said), "{faults}");
    }
}

#[test]
fn what_is_said_of_tickets_must_make_sense() {
    let rule = |text: &str| parse(&simple(text)).map(|policy| policy.roles()[0].ticket.clone());
    let checked = rule("ticket_check = \"service-now\"\n").unwrap().check.unwrap();
    assert_eq!((checked.name.as_str(), checked.unanswered), ("service-now", Unanswered::Refuse));
    let lenient = rule("ticket_check = \"service-now\"\nticket_unanswered = \"allow\"\n").unwrap();
    assert_eq!(lenient.check.unwrap().unanswered, Unanswered::Allow);
    for (wrong, said) in [
        (
            "ticket_unanswered = \"allow\"\n",
            "`role[0].ticket_unanswered` says what silence means, and `ticket_check` asks nobody",
        ),
        ("ticket_pattern = \"(\"\n", "`role[0].ticket_pattern` is wrong"),
        ("ticket_check = \"Service Now\"\n", "is not the name of a ticket check"),
    ] {
        let faults = rule(wrong).unwrap_err().to_string();
        assert!(faults.contains(said), "{faults}");
    }
}

#[test]
fn a_start_lies_no_further_ahead_than_the_role_allows() {
    let role = policy(&simple("start_ahead = \"2h\"\n")).roles()[0].clone();
    let ahead = |hours| role.admits("1h".parse().unwrap(), None, Some(SignedDuration::from_hours(hours)));
    assert!(ahead(2).is_ok());
    assert_eq!(
        ahead(3).unwrap_err().to_string(),
        "`groups-admin` may begin at most 2h from now; ask later, or for an earlier start"
    );
}

#[test]
fn a_scope_is_the_offered_one_or_within_it() {
    let unit = "/administrativeUnits/00000000-0000-0000-0000-0000000000c1";
    let app = "/00000000-0000-0000-0000-0000000000c2";
    for (offered, asked, fits) in [
        ("/", "/", true),
        ("/", unit, true),
        ("/", app, true),
        (unit, unit, true),
        (unit, "/", false),
        (unit, app, false),
        (app, unit, false),
    ] {
        let role = policy(&simple(&format!("scope = \"{offered}\"\n"))).roles()[0].clone();
        let target = role.target_at(Some(asked.parse().unwrap()));
        assert_eq!(target.is_ok(), fits, "{asked} within {offered}");
        assert_eq!(target.map_or_else(|_| asked.to_owned(), |target| target.resource().place()), asked);
    }
    assert!(policy(GROUP_ROLE).roles()[0].target_at(Some("/".parse().unwrap())).is_err());
}
