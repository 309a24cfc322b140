//! What a policy says by itself, and its way into files and back.

use std::path::PathBuf;

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;

use super::bench::{Bench, ann, at, refusal};
use super::verbs::check;
use crate::exit::Exit;

const STAFF: &str = "group:5a4db0c5-0000-4000-8000-000000000102";
const ROLE: &str = r#"[[role]]
name = "reader"
way = "assignment"
role_definition = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
eligible = ["group:5a4db0c5-0000-4000-8000-000000000102"]
longest = "8h"
"#;
const TEST: &str = r#"[[test]]
name = "staff may read"
who = "user:5a4db0c5-0000-4000-8000-000000000001"
groups = ["group:5a4db0c5-0000-4000-8000-000000000102"]
may = ["reader"]
"#;

/// Somebody without a broker: none is needed.
async fn alone() -> Bench {
    let mut bench = Bench::new().await;
    bench.env.insert("ELEVATE_BROKER".to_owned(), "localhost:1".to_owned());
    bench
}

/// A folder with these files in it.
fn folder(bench: &Bench, files: &[(&str, &str)]) -> PathBuf {
    let folder = bench.folder.path().join("policy");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn policy_lint_tells_every_fault_and_warning_with_file_and_line_and_asks_no_broker() {
    let bench = alone().await;
    let text = format!("{ROLE}denied = [\"{STAFF}\"]\n");
    let path = folder(&bench, &[("10-reader.toml", &text), ("20-tests.toml", TEST)]);
    let path = path.to_str().unwrap();
    check(&bench, &["policy", "lint", path], expect![[r#"
        out: fault: 20-tests.toml line 5: `test[0].may` fails "staff may read": expected that `reader` is offered to them, found that `denied` names group:5a4db0c5-0000-4000-8000-000000000102
        out: warning: 10-reader.toml line 7: `role[0].denied` names everybody who is `eligible`: nobody can ask for this role
        out: 1 role, 1 test: 1 fault, 1 warning
        exit: 2
    "#]], expect![[r#"
        out: {
        out:   "roles": 1,
        out:   "tests": 1,
        out:   "faults": [
        out:     {
        out:       "place": "20-tests.toml line 5",
        out:       "key": "test[0].may",
        out:       "problem": "fails \"staff may read\": expected that `reader` is offered to them, found that `denied` names group:5a4db0c5-0000-4000-8000-000000000102"
        out:     }
        out:   ],
        out:   "warnings": [
        out:     {
        out:       "place": "10-reader.toml line 7",
        out:       "key": "role[0].denied",
        out:       "problem": "names everybody who is `eligible`: nobody can ask for this role"
        out:     }
        out:   ]
        out: }
        exit: 2
    "#]]).await;

    std::fs::write(bench.folder.path().join("policy/10-reader.toml"), ROLE.replace("8h", "8x")).unwrap();
    check(&bench, &["policy", "lint", path], expect![[r#"
        out: fault: 10-reader.toml line 6: `role[0].longest` is wrong: `8x` is not a length of time; write it like `2h`, `45m` or `1h 30m`
        out: 1 fault, 0 warnings
        exit: 2
    "#]], expect![[r#"
        out: {
        out:   "roles": null,
        out:   "tests": null,
        out:   "faults": [
        out:     {
        out:       "place": "10-reader.toml line 6",
        out:       "key": "role[0].longest",
        out:       "problem": "is wrong: `8x` is not a length of time; write it like `2h`, `45m` or `1h 30m`"
        out:     }
        out:   ],
        out:   "warnings": []
        out: }
        exit: 2
    "#]]).await;
}

#[tokio::test]
async fn policy_lint_lets_a_warning_count_where_that_is_wanted() {
    let bench = alone().await;
    let path = folder(&bench, &[("reader.toml", ROLE)]);
    let path = path.to_str().unwrap();
    expect![[r#"
        out: warning: reader.toml line 1: `test` is missing: nothing says what this policy is meant to say
        out: 1 role, 0 tests: 0 faults, 1 warning
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["policy", "lint", path]).await.all());
    assert_eq!(bench.elevate(&["policy", "lint", path, "--strict"]).await.exit, Exit::Untrue);
    std::fs::write(bench.folder.path().join("policy/tests.toml"), TEST).unwrap();
    assert_eq!(bench.elevate(&["policy", "lint", path, "--strict"]).await.exit, Exit::Ok);
}

#[tokio::test]
async fn policy_test_runs_the_tests_and_fails_when_one_does() {
    let bench = alone().await;
    let other = TEST.replace("staff may read", "staff may not").replace("may =", "may_not =");
    let path = folder(&bench, &[("a.toml", ROLE), ("b.toml", &format!("{TEST}{other}"))]);
    let path = path.to_str().unwrap();
    check(&bench, &["policy", "test", path], expect![[r#"
        out: ok      staff may read
        out: FAILED  staff may not
        out:           b.toml line 10: `test[1].may_not` expected that `reader` is not offered to them, found that `eligible` names group:5a4db0c5-0000-4000-8000-000000000102
        out: 2 tests: 1 held, 1 failed
        exit: 10
    "#]], expect![[r#"
        out: {
        out:   "tests": [
        out:     {
        out:       "name": "staff may read",
        out:       "place": "b.toml line 1",
        out:       "held": true,
        out:       "failures": []
        out:     },
        out:     {
        out:       "name": "staff may not",
        out:       "place": "b.toml line 6",
        out:       "held": false,
        out:       "failures": [
        out:         {
        out:           "place": "b.toml line 10",
        out:           "key": "test[1].may_not",
        out:           "problem": "expected that `reader` is not offered to them, found that `eligible` names group:5a4db0c5-0000-4000-8000-000000000102"
        out:         }
        out:       ]
        out:     }
        out:   ],
        out:   "held": 1,
        out:   "failed": 1
        out: }
        exit: 10
    "#]]).await;

    std::fs::write(bench.folder.path().join("policy/b.toml"), TEST).unwrap();
    expect![[r#"
        out: ok      staff may read
        out: 1 test: 1 held, 0 failed
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["policy", "test", path]).await.all());
    std::fs::write(bench.folder.path().join("policy/a.toml"), "[[role]]\n").unwrap();
    expect![[r#"
        err: error: the policy has 5 faults
        err:   a.toml line 1: role[0].name: is missing
        err:   a.toml line 1: role[0].way: is missing
        err:   a.toml line 1: role[0].eligible: is missing: a list such as `["group:{object id}"]`
        err:   a.toml line 1: role[0].longest: is missing
        err:   b.toml line 5: test[0].may: names `reader`, and no role is called that
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["policy", "test", path]).await.all());
    expect![[r#"
        err: error: cannot read the policy `/nowhere`: No such file or directory (os error 2)
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["policy", "test", "/nowhere"]).await.all());
}

#[tokio::test]
async fn a_file_of_a_folder_changes_no_role_of_another() {
    let bench = alone().await;
    let more = "[[role.approval]]\ncount = 1\n";
    let path = folder(&bench, &[("a.toml", ROLE), ("b.toml", more), ("c.toml", ROLE)]);
    expect![[r#"
        err: error: the policy has 1 fault
        err:   b.toml line 1: role: must be written as `[[role]]`
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["policy", "test", path.to_str().unwrap()]).await.all());
    std::fs::remove_file(bench.folder.path().join("policy/b.toml")).unwrap();
    expect![[r#"
        err: error: the policy has 1 fault
        err:   c.toml line 2: role[1].name: `reader` is taken by a role above
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["policy", "test", path.to_str().unwrap()]).await.all());
}

fn policy(version: i64, text: &str) -> v1::Policy {
    v1::Policy {
        version,
        text: text.to_owned(),
        applied_by: Some(ann()),
        applied_at: at(0),
        confirmed_by: None,
    }
}

#[tokio::test]
async fn policy_export_writes_the_files_that_were_applied() {
    let bench = Bench::signed_in().await;
    let applied = format!("# --- file: a.toml\n{ROLE}# --- file: b.toml\n{TEST}");
    bench.broker.says("get_policy", &policy(3, &applied));
    let out = bench.folder.path().join("out");
    let args = ["policy", "export", out.to_str().unwrap()];
    let ran = bench.elevate(&args).await;
    assert_eq!((ran.exit, ran.out.contains("Version 3 is in")), (Exit::Ok, true), "{ran:?}");
    assert_eq!(std::fs::read_to_string(out.join("a.toml")).unwrap(), ROLE);
    assert_eq!(std::fs::read_to_string(out.join("b.toml")).unwrap(), TEST);

    // What is there is written over only when that is said, and a stranger in the folder never goes along.
    let again = bench.elevate(&args).await;
    assert!(again.exit == Exit::Usage && again.err.contains("--force"), "{again:?}");
    assert_eq!(bench.elevate(&[&args[..], &["--force"]].concat()).await.exit, Exit::Ok);
    std::fs::write(out.join("c.toml"), "").unwrap();
    let stranger = bench.elevate(&[&args[..], &["--force"]].concat()).await;
    assert!(stranger.exit == Exit::Usage && stranger.err.contains("c.toml"), "{stranger:?}");

    // One file, and standard output, have it whole.
    let one = bench.folder.path().join("one.toml");
    let told = bench.elevate(&["policy", "export", one.to_str().unwrap(), "--output", "json"]).await;
    assert_eq!(std::fs::read_to_string(&one).unwrap(), applied);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&told["version"], told["files"].as_array().unwrap().len()), (&serde_json::json!(3), 1));
    assert_eq!(bench.elevate(&["policy", "export"]).await.out, applied);
}

#[tokio::test]
async fn policy_export_takes_an_earlier_version_and_writes_nowhere_else() {
    let bench = Bench::signed_in().await;
    let out = bench.folder.path().join("out");
    bench.broker.says("get_policy", &policy(1, "# --- file: ../../x.toml\n"));
    let ran = bench.elevate(&["policy", "export", "--version", "1", out.to_str().unwrap()]).await;
    assert_eq!(ran.exit, Exit::Ok, "{ran:?}");
    assert_eq!(std::fs::read_to_string(out.join("policy.toml")).unwrap(), "# --- file: ../../x.toml\n");
    let asked: Vec<v1::GetPolicyRequest> = bench.broker.asked("get_policy");
    assert_eq!(asked[0].version, 1);

    let bench = Bench::signed_in().await;
    let refused = refusal(Code::PermissionDenied, "NOT_ALLOWED", "this needs the app role");
    bench.broker.fails("get_policy", refused);
    assert_eq!(bench.elevate(&["policy", "export"]).await.exit, Exit::Refused);
}

/// Somebody with a policy at hand that touches a protected role, and a broker that says so.
async fn guarded() -> (Bench, String) {
    let bench = Bench::signed_in().await;
    let path = folder(&bench, &[("a.toml", ROLE)]).join("a.toml").to_str().unwrap().to_owned();
    let change =
        v1::RoleChange { role: "reader".to_owned(), kind: "changed".to_owned(), ..Default::default() };
    bench.broker.says("plan_policy", &v1::PlanPolicyResponse { current_version: 3, changes: vec![change] });
    let why = "`reader` is protected; propose the policy, and let another policy admin confirm it";
    bench.broker.fails("apply_policy", refusal(Code::PermissionDenied, "SECOND_PERSON_NEEDED", why));
    let proposal = v1::Proposal {
        version: 4,
        text: ROLE.to_owned(),
        proposed_by: Some(ann()),
        proposed_at: at(-5),
        digest: "what the broker says".to_owned(),
    };
    bench.broker.says("propose_policy", &proposal);
    bench.broker.says("get_proposal", &proposal);
    (bench, path)
}

#[tokio::test]
async fn policy_apply_proposes_what_needs_a_second_person_and_does_not_succeed() {
    let (bench, path) = guarded().await;
    check(&bench, &["policy", "apply", &path, "--yes"], expect![[r#"
        out: `reader` is protected: proposed as version 4, and not in force. Another policy admin confirms it with `elevate policy confirm`
        err: version 3 is in force; this would change:
        err: ~ reader (changed)
        exit: 4
    "#]], expect![[r#"
        out: {
        out:   "version": 4,
        out:   "text": "[[role]]\nname = \"reader\"\nway = \"assignment\"\nrole_definition = \"88d8e3e3-8f55-4a1e-953a-9b9898b8876b\"\neligible = [\"group:5a4db0c5-0000-4000-8000-000000000102\"]\nlongest = \"8h\"\n",
        out:   "proposed_by": {
        out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:     "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:     "display_name": "Ann"
        out:   },
        out:   "proposed_at": "2026-11-20T14:55:00Z",
        out:   "digest": "what the broker says"
        out: }
        err: version 3 is in force; this would change:
        err: ~ reader (changed)
        exit: 4
    "#]]).await;
    let asked: Vec<v1::ProposePolicyRequest> = bench.broker.asked("propose_policy");
    assert_eq!((asked[0].current_version, asked[0].text.as_str()), (3, ROLE));
}

#[tokio::test]
async fn policy_confirm_shows_what_is_proposed_and_confirms_exactly_that() {
    let (bench, _) = guarded().await;
    let unattended = bench.elevate(&["policy", "confirm"]).await;
    assert!(unattended.exit == Exit::Usage && unattended.err.contains("--yes"), "{unattended:?}");
    assert!(bench.broker.asked::<v1::ConfirmPolicyRequest>("confirm_policy").is_empty());
    bench.broker.says("confirm_policy", &v1::Policy { confirmed_by: Some(ann()), ..policy(4, ROLE) });
    check(&bench, &["policy", "confirm", "--yes"], expect![[r#"
        out: Version 4 of the policy is in force
        err: version 4, proposed by Ann (071cc716-8147-4397-a5ba-b2105951cc0b) at 15:55 (5m ago), not in force
        err: version 3 is in force; this would change:
        err: ~ reader (changed)
        exit: 0
    "#]], expect![[r#"
        out: {
        out:   "version": 4,
        out:   "text": "[[role]]\nname = \"reader\"\nway = \"assignment\"\nrole_definition = \"88d8e3e3-8f55-4a1e-953a-9b9898b8876b\"\neligible = [\"group:5a4db0c5-0000-4000-8000-000000000102\"]\nlongest = \"8h\"\n",
        out:   "applied_by": {
        out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:     "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:     "display_name": "Ann"
        out:   },
        out:   "applied_at": "2026-11-20T15:00:00Z",
        out:   "confirmed_by": {
        out:     "tenant_id": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        out:     "object_id": "071cc716-8147-4397-a5ba-b2105951cc0b",
        out:     "display_name": "Ann"
        out:   }
        out: }
        err: version 4, proposed by Ann (071cc716-8147-4397-a5ba-b2105951cc0b) at 15:55 (5m ago), not in force
        err: version 3 is in force; this would change:
        err: ~ reader (changed)
        exit: 0
    "#]]).await;
    // Over what was shown, whatever the broker says the digest is.
    let asked: Vec<v1::ConfirmPolicyRequest> = bench.broker.asked("confirm_policy");
    expect!["e88bd9f564355208d48f8c5e89b76e4d7e8bbc4b12fca6b2ca13b94a5ec5d341"].assert_eq(&asked[0].digest);
    expect![[r#"
        out: [[role]]
        out: name = "reader"
        out: way = "assignment"
        out: role_definition = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
        out: eligible = ["group:5a4db0c5-0000-4000-8000-000000000102"]
        out: longest = "8h"
        err: version 4, proposed by Ann (071cc716-8147-4397-a5ba-b2105951cc0b) at 15:55 (5m ago), not in force
        exit: 0
    "#]]
    .assert_eq(&bench.elevate(&["policy", "show", "--proposed"]).await.all());

    let bench = Bench::signed_in().await;
    let none = refusal(Code::FailedPrecondition, "NO_PROPOSAL", "no policy is proposed");
    bench.broker.fails("get_proposal", none);
    expect![[r#"
        err: error: no policy is proposed
        err:   `elevate policy apply` proposes one where a protected role is touched
        exit: 6
    "#]]
    .assert_eq(&bench.elevate(&["policy", "confirm"]).await.all());
}
