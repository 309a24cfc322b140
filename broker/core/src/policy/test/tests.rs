use expect_test::expect;

use crate::policy::{parse, read};

/// Staff may ask for both, Dave may not, and two of Approvers say yes to one of them.
const RULES: &str = r#"[[role]]
name = "groups-admin"
way = "assignment"
role_definition = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
eligible = ["group:00000000-0000-0000-0000-0000000000b1"]
denied = ["user:00000000-0000-0000-0000-0000000000d1"]
longest = "8h"

[[role]]
name = "app-admin"
way = "pim"
role_definition = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
eligible = ["group:00000000-0000-0000-0000-0000000000b1"]
longest = "4h"
ticket_required = true
[[role.approval]]
count = 2
from = ["group:00000000-0000-0000-0000-0000000000b2"]
[role.proof]
strength = "phishing-resistant"
context = "c1"

"#;

fn told(tests: &str) -> String {
    match parse(&format!("{RULES}{tests}")) {
        Ok(_) => "every test holds".to_owned(),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn tests_that_hold_are_no_fault() {
    expect!["every test holds"].assert_eq(&told(
        r#"[[test]]
name = "staff may ask"
who = "user:00000000-0000-0000-0000-0000000000a1"
groups = ["group:00000000-0000-0000-0000-0000000000b1"]
may = ["groups-admin", "app-admin"]
[[test.needs]]
role = "app-admin"
approvals = 2
approvers = ["group:00000000-0000-0000-0000-0000000000b2"]
ticket = true
strength = "phishing-resistant"
context = "c1"
longest = "4h"
[[test.needs]]
role = "groups-admin"
approvals = 0
ticket = false
strength = "mfa"
context = "none"

[[test]]
name = "a stranger may nothing"
who = "user:00000000-0000-0000-0000-0000000000a2"
may_not = ["groups-admin", "app-admin"]
"#,
    ));
}

#[test]
fn a_test_that_fails_says_what_was_expected_and_what_was_found_with_its_line() {
    expect![[r#"
        line 27: `test[0].may` fails "dave may ask": expected that `groups-admin` is offered to them, found that `denied` names user:00000000-0000-0000-0000-0000000000d1
        line 28: `test[0].may_not` fails "dave may ask": expected that `app-admin` is not offered to them, found that `eligible` names group:00000000-0000-0000-0000-0000000000b1
        line 33: `test[1].needs[0].role` fails "a stranger": expected that `groups-admin` is offered to them, found that `eligible` names neither them nor a group of theirs
        line 41: `test[2].needs[0].approvals` fails "terms": of `app-admin`, expected 1, found 2
        line 42: `test[2].needs[0].approvers` fails "terms": of `app-admin`, expected user:00000000-0000-0000-0000-0000000000a1, found group:00000000-0000-0000-0000-0000000000b2
        line 43: `test[2].needs[0].ticket` fails "terms": of `app-admin`, expected not needed, found needed
        line 44: `test[2].needs[0].strength` fails "terms": of `app-admin`, expected mfa, found phishing-resistant
        line 45: `test[2].needs[0].context` fails "terms": of `app-admin`, expected none, found c1
        line 46: `test[2].needs[0].longest` fails "terms": of `app-admin`, expected 3h, found 4h"#]]
    .assert_eq(&told(
        r#"[[test]]
name = "dave may ask"
who = "user:00000000-0000-0000-0000-0000000000d1"
groups = ["group:00000000-0000-0000-0000-0000000000b1"]
may = ["groups-admin"]
may_not = ["app-admin"]
[[test]]
name = "a stranger"
who = "user:00000000-0000-0000-0000-0000000000a1"
[[test.needs]]
role = "groups-admin"
approvals = 7
[[test]]
name = "terms"
who = "user:00000000-0000-0000-0000-0000000000a1"
groups = ["group:00000000-0000-0000-0000-0000000000b1"]
[[test.needs]]
role = "app-admin"
approvals = 1
approvers = ["user:00000000-0000-0000-0000-0000000000a1"]
ticket = false
strength = "mfa"
context = "none"
longest = "3h"
"#,
    ));
}

#[test]
fn a_test_that_cannot_mean_anything_is_a_fault() {
    expect![[r#"
        line 23: `test[0].name` is missing
        line 23: `test[0]` tests nothing; say `may`, `may_not` or `[[test.needs]]`
        line 24: `test[0].who` must be one person, `user:{object id}`; the groups they are in stand in `groups`
        line 25: `test[0].groups` must name groups, each as `group:{object id}`
        line 26: `test[0].mayn't` is not known here; is it misspelt?
        line 30: `test[1].may` names `grups-admin`, and no role is called that
        line 31: `test[1].may_not` names `apps-admin`, and no role is called that
        line 33: `test[1].needs[0].role` names `none`, and no role is called that
        line 34: `test[1].needs[0].approvals` must be a whole number from 0 to 200
        line 35: `test[1].needs[0].context` is wrong: it must be an authentication context, `c1` to `c99`, or `none`
        line 36: `test[1].needs[0].aprovers` is not known here; is it misspelt?
        line 41: `test[2].may_not` names `groups-admin`, and so does `may`"#]]
    .assert_eq(&told(
        r#"[[test]]
who = "group:00000000-0000-0000-0000-0000000000b1"
groups = ["user:00000000-0000-0000-0000-0000000000b1"]
"mayn't" = ["groups-admin"]
[[test]]
name = "no such roles"
who = "user:00000000-0000-0000-0000-0000000000a1"
may = ["grups-admin"]
may_not = ["apps-admin"]
[[test.needs]]
role = "none"
approvals = -1
context = "c0"
aprovers = []
[[test]]
name = "both"
who = "user:00000000-0000-0000-0000-0000000000a1"
may = ["groups-admin"]
may_not = ["groups-admin"]
"#,
    ));
}

#[test]
fn what_was_applied_can_be_read_though_a_test_of_it_failed() {
    let failing = "[[test]]\nname = \"x\"\nwho = \"user:00000000-0000-0000-0000-0000000000a1\"\nmay = [\"app-admin\"]\n";
    let written = read(&format!("{RULES}{failing}")).unwrap();
    assert_eq!(written.verdicts().map(|verdict| verdict.failures.len()).collect::<Vec<_>>(), [1]);
}
