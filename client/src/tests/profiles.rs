//! What is asked for often, by a name.

use elevate_proto::v1;
use expect_test::expect;

use super::bench::{Bench, prepared};
use super::verbs::check;

const FILE: &str = r#"# kept by hand
output = "table"

[profile.oncall]
roles = ["groups-admin"]
for = "2h"
reason = "on call"
ticket_system = "ServiceNow"

[profile.weekly]
role = "reader"
ticket = "CHG7"

[profile.both]
roles = ["groups-admin", "reader"]
"#;

async fn with(file: &str) -> Bench {
    let bench = Bench::signed_in().await;
    let folder = bench.folder.path().join("config");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), file).unwrap();
    bench.broker.says("prepare_activation", &prepared());
    bench
}

async fn asked(bench: &Bench, args: &[&str]) -> v1::PrepareActivationRequest {
    let ran = bench.elevate(&[&["activate", "--dry-run"], args].concat()).await;
    bench.broker.asked("prepare_activation").pop().unwrap_or_else(|| panic!("{ran:?}"))
}

#[tokio::test]
async fn a_profile_says_what_the_command_line_leaves_out() {
    let bench = with(FILE).await;
    let ask = asked(&bench, &["--profile", "oncall"]).await;
    let what =
        |ask: &v1::PrepareActivationRequest| (ask.role.clone(), ask.term_seconds, ask.justification.clone());
    assert_eq!(what(&ask), ("groups-admin".to_owned(), 7200, "on call".to_owned()));
    assert_eq!(ask.ticket, None, "a system alone is for the tickets of the command line");

    let flags = ["reader", "--profile", "oncall", "--for", "1h", "--reason", "a page", "--ticket", "INC1"];
    let ask = asked(&bench, &flags).await;
    assert_eq!(what(&ask), ("reader".to_owned(), 3600, "a page".to_owned()));
    assert_eq!(ask.ticket, Some(v1::Ticket { number: "INC1".to_owned(), system: "ServiceNow".to_owned() }));

    let ask = asked(&bench, &["--profile", "weekly", "--reason", "x", "--ticket-system", "Jira"]).await;
    assert_eq!(ask.ticket, Some(v1::Ticket { number: "CHG7".to_owned(), system: "Jira".to_owned() }));
}

#[tokio::test]
async fn what_a_profile_cannot_do_is_said_and_nothing_is_asked() {
    let bench = with(FILE).await;
    expect![[r#"
        err: error: there is no profile `nights`
        err:   there are: both, oncall, weekly; `elevate profiles` shows them
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["activate", "--profile", "nights"]).await.all());
    expect![[r#"
        err: error: the profile `both` names 2 roles, and this is for one
        err:   say which: ROLE --profile both, ROLE being one of groups-admin, reader; `elevate activate` asks for all of them
        exit: 125
    "#]]
        .assert_eq(&bench.elevate(&["exec", "--profile", "both", "--reason", "x", "--", "true"]).await.all());
    expect![[r#"
        err: error: no role is named
        err:   name one: `elevate activate ROLE`; `elevate roles` shows what you may activate
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["activate", "--reason", "x"]).await.all());
    let bare = ["activate", "reader", "--reason", "x", "--ticket-system", "Jira"];
    expect![[r#"
        err: error: a system without a ticket in it
        err:   name it with `--ticket NUMBER`
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&bare).await.all());
    assert!(!bench.broker.was_called("prepare_activation"));
    let none = Bench::signed_in().await;
    expect![[r#"
        err: error: there is no profile `nights`
        err:   config.toml has none; write one as `[profile.nights]` with `role = "NAME"`
        exit: 2
    "#]]
    .assert_eq(&none.elevate(&["activate", "--profile", "nights"]).await.all());
}

#[tokio::test]
async fn profiles_are_listed() {
    let bench = with(FILE).await;
    check(
        &bench,
        &["profiles"],
        expect![[r#"
        out: PROFILE  ROLE                  FOR  TICKET      WHY
        out: both     groups-admin, reader  -    -           -
        out: oncall   groups-admin          2h   ServiceNow  on call
        out: weekly   reader                -    CHG7        -
        exit: 0
    "#]],
        expect![[r#"
        out: {
        out:   "profiles": [
        out:     {
        out:       "name": "both",
        out:       "roles": [
        out:         "groups-admin",
        out:         "reader"
        out:       ],
        out:       "term_seconds": null,
        out:       "reason": null,
        out:       "ticket": null,
        out:       "ticket_system": null
        out:     },
        out:     {
        out:       "name": "oncall",
        out:       "roles": [
        out:         "groups-admin"
        out:       ],
        out:       "term_seconds": 7200,
        out:       "reason": "on call",
        out:       "ticket": null,
        out:       "ticket_system": "ServiceNow"
        out:     },
        out:     {
        out:       "name": "weekly",
        out:       "roles": [
        out:         "reader"
        out:       ],
        out:       "term_seconds": null,
        out:       "reason": null,
        out:       "ticket": "CHG7",
        out:       "ticket_system": null
        out:     }
        out:   ]
        out: }
        exit: 0
    "#]],
    )
    .await;
    expect![[r#"
        err: config.toml has no `[profile.NAME]`.
        exit: 0
    "#]]
    .assert_eq(&Bench::signed_in().await.elevate(&["profiles"]).await.all());
}

#[tokio::test]
async fn faults_of_a_profile_are_told_with_their_line() {
    let faults = [
        ("for", "[profile.a]\nrole = \"x\"\nfor = \"2 fortnights\"\n"),
        ("both", "[profile.a]\nrole = \"x\"\nroles = [\"y\"]\n"),
        ("none", "# a comment\n[profile.a]\nreason = \"x\"\n"),
        ("empty", "[profile.a]\nroles = []\n"),
        ("unknown", "[profile.a]\nrole = \"x\"\nreasn = \"x\"\n"),
    ];
    let mut told = String::new();
    for (fault, file) in faults {
        let ran = with(file).await.elevate(&["profiles"]).await;
        told.push_str(&format!("{fault}\n{}", ran.all()));
    }
    expect![[r#"
        for
        err: error: `FOLDER/config/config.toml` cannot be used: TOML parse error at line 3, column 7
        err:   |
        err: 3 | for = "2 fortnights"
        err:   |       ^^^^^^^^^^^^^^
        err: unknown time unit "fortnights", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations); write it like `2h` or `1h 30m`
        exit: 2
        both
        err: error: `FOLDER/config/config.toml` cannot be used: TOML parse error at line 1, column 1
        err:   |
        err: 1 | [profile.a]
        err:   | ^^^^^^^^^^^
        err: a profile has `role` or `roles`, not both
        err:   mend it, or delete it and run `elevate login --broker HOST:PORT` again
        exit: 2
        none
        err: error: `FOLDER/config/config.toml` cannot be used: TOML parse error at line 2, column 1
        err:   |
        err: 2 | [profile.a]
        err:   | ^^^^^^^^^^^
        err: a profile needs `role = "NAME"` or `roles = ["NAME"]`
        err:   mend it, or delete it and run `elevate login --broker HOST:PORT` again
        exit: 2
        empty
        err: error: `FOLDER/config/config.toml` cannot be used: TOML parse error at line 1, column 1
        err:   |
        err: 1 | [profile.a]
        err:   | ^^^^^^^^^^^
        err: a profile names at least one role, and none by an empty name
        err:   mend it, or delete it and run `elevate login --broker HOST:PORT` again
        exit: 2
        unknown
        err: error: `FOLDER/config/config.toml` cannot be used: TOML parse error at line 3, column 1
        err:   |
        err: 3 | reasn = "x"
        err:   | ^^^^^
        err: unknown field `reasn`, expected one of `role`, `roles`, `for`, `reason`, `ticket`, `ticket_system`
        err:   mend it, or delete it and run `elevate login --broker HOST:PORT` again
        exit: 2
    "#]].assert_eq(&told);
}

#[tokio::test]
async fn signing_in_leaves_what_people_wrote_as_it_is() {
    let bench = with(FILE).await;
    let ran = bench.elevate(&["login"]).await;
    assert_eq!(ran.exit.code(), 0, "{ran:?}");
    let kept = std::fs::read_to_string(bench.folder.path().join("config/config.toml")).unwrap();
    let (head, profiles) = FILE.split_once("[profile.oncall]").unwrap();
    assert!(kept.starts_with(head.trim_end()) && kept.contains(profiles), "{kept}");
    assert!(kept.contains(&format!("broker = \"localhost:{}\"", bench.port)), "{kept}");
    assert_eq!(bench.elevate(&["profiles"]).await.exit.code(), 0);
}
