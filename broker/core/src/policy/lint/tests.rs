use expect_test::expect;

use crate::policy::read;

const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
const READER: &str = "f2ef992c-3afb-46b9-b7cf-a126ee74c451";

fn warned(text: &str) -> String {
    let warnings = read(text).unwrap_or_else(|faults| panic!("{faults}")).warnings();
    warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn role(name: &str, definition: &str, more: &str) -> String {
    format!(
        "[[role]]\nname = \"{name}\"\nway = \"assignment\"\nrole_definition = \"{definition}\"\nlongest = \"8h\"\n{more}\n"
    )
}

const STAFF: &str = "eligible = [\"group:00000000-0000-0000-0000-0000000000b1\"]\n";
const ANN: &str = "user:00000000-0000-0000-0000-0000000000a1";
const TEST: &str =
    "[[test]]\nname = \"t\"\nwho = \"user:00000000-0000-0000-0000-0000000000a9\"\nmay_not = [\"a\"]\n";

#[test]
fn a_policy_that_is_well_has_no_warning() {
    let approvers = "[[role.approval]]\ncount = 1\nfrom = [\"group:00000000-0000-0000-0000-0000000000b2\"]\n[role.proof]\nstrength = \"phishing-resistant\"\n";
    let text =
        role("a", GLOBAL_ADMINISTRATOR, &format!("{STAFF}{approvers}")) + &role("b", READER, STAFF) + TEST;
    assert_eq!(warned(&text), "");
}

#[test]
fn what_looks_like_a_mistake_is_told_with_its_line() {
    let approval = |from: &str| format!("[[role.approval]]\ncount = 1\nfrom = [\"{from}\"]\n");
    let bare =
        role("bare", GLOBAL_ADMINISTRATOR, &format!("{STAFF}[role.proof]\nbound_by = \"freshness\"\n"));
    let denied = format!("eligible = [\"{ANN}\"]\ndenied = [\"{ANN}\"]\n");
    let none = role("none", READER, &denied);
    let some = role(
        "some",
        "5d6b6bb7-de71-4623-b4af-96380a352509",
        &format!(
            "eligible = [\"{ANN}\", \"group:00000000-0000-0000-0000-0000000000b1\"]\ndenied = [\"{ANN}\"]\n{}",
            approval(ANN)
        ),
    );
    let each = role(
        "each",
        "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
        &format!("{STAFF}{}", approval("group:00000000-0000-0000-0000-0000000000b1")),
    );
    let alone = role(
        "alone",
        "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b",
        &format!("eligible = [\"{ANN}\"]\n{}", approval(ANN)),
    );
    let twice = role("twice", READER, STAFF).replace("8h", "24h");
    let text = [bare, none, some, each, alone, twice].concat();
    expect![[r#"
        line 1: `test` is missing: nothing says what this policy is meant to say
        line 2: `role[0].name` gives Global Administrator, which is tier 0, and nobody has to say yes
        line 7: `role[0].proof` gives Global Administrator, which is tier 0, for a sign-in that a look-alike site can pass on
        line 7: `role[0].proof` gives Global Administrator, which is tier 0, for a sign-in that is not bound to the request
        line 16: `role[1].denied` names everybody who is `eligible`: nobody can ask for this role
        line 24: `role[2].denied` names user:00000000-0000-0000-0000-0000000000a1, and so does `eligible`: the denial wins
        line 25: `role[2].approval` names only people who are denied the role themselves; is that meant?
        line 35: `role[3].approval` names only people who may ask for it themselves: they say yes to each other
        line 45: `role[4].approval` names only the one person who may ask: their own yes does not count
        line 49: `role[5].usual` is 1day: who names no term holds it for so long
        line 50: `role[5].name` `twice` means the same in the directory as `none` above: who holds one cannot ask for the other"#]].assert_eq(&warned(&text));
}

#[test]
fn own_approval_is_warned_of_where_it_leaves_nobody_else_or_does_nothing() {
    let group = |count: u8| {
        format!(
            "[[role.approval]]\ncount = {count}\nfrom = [\"group:00000000-0000-0000-0000-0000000000b2\"]\n"
        )
    };
    let with = |more: &str| role("a", READER, &format!("own_approval = true\n{STAFF}{more}")) + TEST;
    expect!["line 6: `role[0].own_approval` lets an approver who asks have the role alone: one yes is enough, and it may be their own"].assert_eq(&warned(&with(&group(1))));
    expect!["line 6: `role[0].own_approval` changes nothing: nobody has to say yes"]
        .assert_eq(&warned(&with("")));
    assert_eq!(warned(&with(&group(2))), "");
    assert_eq!(warned(&with(&(group(1) + &group(1)))), "");
}

#[test]
fn what_a_ticket_check_lets_past_is_warned_of() {
    let with = |more: &str| warned(&(role("a", READER, &format!("{STAFF}{more}")) + TEST));
    let check = "ticket_check = \"changes\"\n";
    let required = format!("ticket_required = true\n{check}");
    assert_eq!(with(&required), "");
    assert_eq!(
        with(check),
        "line 7: `role[0].ticket_check` asks nobody where no ticket is named: say `ticket_required = true` if one must be"
    );
    let lenient = format!("{required}ticket_unanswered = \"allow\"\n");
    assert_eq!(
        with(&lenient),
        "line 9: `role[0].ticket_unanswered` lets pass what the ticket system fails over, and any number will do: say \
         with `ticket_pattern` what a number looks like"
    );
    assert_eq!(with(&format!("{lenient}ticket_pattern = \"CHG[0-9]{{7}}\"\n")), "");
}
