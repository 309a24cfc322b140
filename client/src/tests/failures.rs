//! What a command says when it cannot, and the code it ends in.

use elevate_proto::v1;
use expect_test::expect;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::bench::{Bench, ID, refusal};
use crate::exit::Exit;

#[tokio::test]
async fn every_reason_of_the_contract_has_its_exit_code() {
    for (code, reason, expected) in [
        (Code::InvalidArgument, "FIELD_INVALID", 2),
        (Code::InvalidArgument, "JUSTIFICATION_MISSING", 2),
        (Code::InvalidArgument, "TERM_TOO_LONG", 2),
        (Code::InvalidArgument, "TICKET_MISSING", 2),
        (Code::InvalidArgument, "POLICY_INVALID", 2),
        (Code::Unauthenticated, "TOKEN_INVALID", 3),
        (Code::PermissionDenied, "PROOF_WEAK", 4),
        (Code::PermissionDenied, "NOT_ALLOWED", 4),
        (Code::PermissionDenied, "PEOPLE_ONLY", 4),
        (Code::PermissionDenied, "OWN_APPROVAL", 4),
        (Code::NotFound, "ROLE_NOT_OFFERED", 4),
        (Code::NotFound, "ACTIVATION_NOT_FOUND", 5),
        (Code::AlreadyExists, "ALREADY_APPROVED", 6),
        (Code::AlreadyExists, "SLOT_TAKEN", 6),
        (Code::AlreadyExists, "EXTENDED_ALREADY", 6),
        (Code::FailedPrecondition, "NOT_EXTENDED", 6),
        (Code::FailedPrecondition, "ASSIGNED_ELSEWHERE", 6),
        (Code::FailedPrecondition, "WRONG_STATE", 6),
        (Code::FailedPrecondition, "NO_POLICY", 6),
        (Code::Aborted, "REQUEST_CHANGED", 6),
        (Code::Aborted, "CONTENDED", 6),
        (Code::ResourceExhausted, "TOO_MANY", 7),
        (Code::Unavailable, "TENANT_UNREACHABLE", 7),
        (Code::Unavailable, "TIME_UNSURE", 7),
        (Code::Unavailable, "DRAINING", 7),
        (Code::DeadlineExceeded, "", 7),
        (Code::Internal, "INTERNAL", 1),
    ] {
        let failure = crate::failure::Failure::from(refusal(code, reason, "so it is"));
        assert_eq!(failure.exit().code(), expected, "{reason}");
    }
}

#[test]
fn the_codes_are_in_the_help() {
    expect![[r#"
        Exit codes:
            0  done
            1  something unexpected
            2  the command line, or a value in it, cannot be used as given
            3  not signed in, or the session is over: run `elevate login`
            4  refused by a rule: not allowed, not offered, own approval, weak sign-in
            5  no such activation, or not yours to see
            6  not in this state: there already, over already, or changed meanwhile
            7  broker, sign-in service or directory unreachable, busy or too slow
            8  the activation is over and nothing is held: denied, lapsed, withdrawn, failed
            9  a role that is to be gone is not yet seen gone (sweep, revoke)
           10  a test of the policy fails, or a warning counts (policy test, policy lint --strict)
          130  interrupted
        `exec` has its own: see `elevate exec --help`"#]]
    .assert_eq(&Exit::table());
    use clap::CommandFactory as _;
    assert!(crate::cli::Cli::command().render_long_help().to_string().contains(&Exit::table()));
}

#[tokio::test]
async fn a_refusal_says_what_why_and_what_to_do() {
    let bench = Bench::signed_in().await;
    let told = refusal(Code::NotFound, "ACTIVATION_NOT_FOUND", "no such activation, or not for you to see");
    bench.broker.fails("get_activation", told);
    expect![[r#"
        err: error: no such activation, or not for you to see
        err:   `elevate list --all` shows yours, `elevate pending` what waits for you
        exit: 5
    "#]]
    .assert_eq(&bench.elevate(&["show", ID]).await.all());
    expect![[r#"
        err: {"error":{"advice":"`elevate list --all` shows yours, `elevate pending` what waits for you","code":"not_found","exit":5,"fields":[],"message":"no such activation, or not for you to see","reason":"ACTIVATION_NOT_FOUND","retry_after_seconds":null}}
        exit: 5
    "#]].assert_eq(&bench.elevate(&["show", ID, "--output", "json"]).await.all());
}

#[tokio::test]
async fn every_fault_of_a_message_is_shown_and_when_to_try_again() {
    let mut details = ErrorDetails::new();
    details.set_error_info("TOO_MANY", "elevate", std::collections::HashMap::new());
    details.set_retry_info(Some(std::time::Duration::from_secs(12)));
    details.add_bad_request_violation("term_seconds", "5 to 86400");
    details.add_bad_request_violation("ticket.number", "1 to 100 characters");
    let bench = Bench::signed_in().await;
    bench
        .broker
        .fails("get_caller", Status::with_error_details(Code::ResourceExhausted, "too many calls", details));
    expect![[r#"
        err: error: too many calls
        err:   term_seconds: 5 to 86400
        err:   ticket.number: 1 to 100 characters
        err:   try again in 12s
        exit: 7
    "#]]
    .assert_eq(&bench.elevate(&["whoami"]).await.all());
    expect![[r#"
        err: {"error":{"advice":null,"code":"resource_exhausted","exit":7,"fields":[{"field":"term_seconds","problem":"5 to 86400"},{"field":"ticket.number","problem":"1 to 100 characters"}],"message":"too many calls","reason":"TOO_MANY","retry_after_seconds":12}}
        exit: 7
    "#]].assert_eq(&bench.elevate(&["whoami", "--output", "json"]).await.all());
}

#[tokio::test]
async fn faults_of_a_policy_in_several_files_name_the_file() {
    let bench = Bench::signed_in().await;
    let folder = bench.folder.path().join("policy");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.toml"), "[[role]]\nname = \"a\"\n").unwrap();
    std::fs::write(folder.join("b.toml"), "[[role]]\nname = \"b\"\nlongest = \"9 years\"\n").unwrap();
    std::fs::write(folder.join("notes.txt"), "not part of it").unwrap();
    let mut details = ErrorDetails::new();
    details.set_error_info("POLICY_INVALID", "elevate", std::collections::HashMap::new());
    details.add_bad_request_violation("line 2: role[0].usual", "is missing");
    details.add_bad_request_violation("line 7: role[1].longest", "is longer than a day");
    let status = Status::with_error_details(Code::InvalidArgument, "the policy has 2 faults", details);
    bench.broker.fails("plan_policy", status);
    let path = folder.to_str().unwrap();
    expect![[r#"
        err: error: the policy has 2 faults
        err:   a.toml line 1: role[0].usual: is missing
        err:   b.toml line 3: role[1].longest: is longer than a day
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["policy", "plan", path]).await.all());
    let asked: Vec<v1::PlanPolicyRequest> = bench.broker.asked("plan_policy");
    assert_eq!(
        asked[0].text,
        "# --- file: a.toml\n[[role]]\nname = \"a\"\n# --- file: b.toml\n[[role]]\nname = \"b\"\nlongest = \"9 years\"\n"
    );
}

#[tokio::test]
async fn a_broker_that_cannot_be_reached_is_told_in_plain_words() {
    let mut bench = Bench::signed_in().await;
    let ran = bench.elevate(&["whoami", "--broker", "localhost:1"]).await;
    expect![[r#"
        err: error: cannot reach the broker at localhost:1: the connection was refused
        err:   check the port, and whether the broker runs
        exit: 7
    "#]]
    .assert_eq(&ran.all());

    // Signed by nobody we know.
    let other = super::bench::Certificates::new();
    std::fs::write(bench.folder.path().join("ca.pem"), &other.ca).unwrap();
    expect![[r#"
        err: error: cannot reach the broker at broker:8443: its certificate is signed by nobody trusted here
        err:   if the broker has a CA of its own, name it with `--ca FILE`; get the file from the people who run it
        exit: 7
    "#]].assert_eq(&bench.elevate(&["whoami"]).await.all());

    // The right CA, another name.
    std::fs::write(bench.folder.path().join("ca.pem"), &bench.certificates.ca).unwrap();
    let by_number = format!("127.0.0.1:{}", bench.port);
    let ran = bench.elevate(&["whoami", "--broker", &by_number]).await;
    assert!(ran.err.contains("its certificate is for another name"), "{ran:?}");
    assert_eq!(ran.exit, Exit::Unreachable);

    // TLS 1.2 is no TLS here.
    let old = bench.certificates.server(&[&rustls::version::TLS12], true);
    bench.port = bench.broker.serve_tls(old).await;
    let ran = bench.elevate(&["whoami", "--broker", &format!("localhost:{}", bench.port)]).await;
    expect![[r#"
        err: error: cannot reach the broker at broker:8443: it does not speak TLS 1.3
        err:   check the port, and what stands between here and the broker
        exit: 7
    "#]]
    .assert_eq(&ran.all());
}

#[tokio::test]
async fn what_cannot_be_read_as_a_command_is_a_usage_error() {
    let mut bench = Bench::new().await;
    for args in [
        &["activate"][..],
        &["activate", "x", "--for", "1M"],
        &["activate", "x", "--for", "0s"],
        &["activate", "x", "--for", "2 fortnights"],
        &["nonsense"],
        &["login", "--workload"],
        &["list", "--output", "yaml"],
        &["whoami", "--broker", "no port"],
        &["whoami", "--ca", "/nowhere/ca.pem", "--timeout", "0s"],
    ] {
        let ran = bench.elevate(args).await;
        assert_eq!((ran.exit, ran.out.as_str()), (Exit::Usage, ""), "{args:?}: {}", ran.err);
    }
    expect![[r#"
        err: error: invalid value '1M' for '--for <TIME>': that is 1month; ask for whole seconds from 5s to 24h; `M` is a month and `m` a minute
        err:
        err: For more information, try '--help'.
        exit: 2
    "#]].assert_eq(&bench.elevate(&["activate", "x", "--for", "1M"]).await.all());
    expect![[r#"
        err: {"error":{"advice":null,"code":"client","exit":2,"fields":[],"message":"invalid value '1M' for '--for <TIME>': that is 1month; ask for whole seconds from 5s to 24h; `M` is a month and `m` a minute","reason":"USAGE","retry_after_seconds":null}}
        exit: 2
    "#]].assert_eq(&bench.elevate(&["activate", "x", "--for", "1M", "--output", "json"]).await.all());
    bench.env.remove("ELEVATE_BROKER");
    expect![[r#"
        err: error: no broker is known
        err:   name it once with `elevate login --broker HOST:PORT`, or set ELEVATE_BROKER
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["list"]).await.all());
    bench.env.insert("ELEVATE_OUTPUT".to_owned(), "yaml".to_owned());
    expect![[r#"
        err: error: output `yaml` is neither `table` nor `json`
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["list"]).await.all());
}

#[tokio::test]
async fn an_unknown_key_in_the_configuration_is_refused() {
    let bench = Bench::signed_in().await;
    let folder = bench.folder.path().join("config");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "broker = \"localhost:1\"\nbrokr = \"x\"\n").unwrap();
    expect![[r#"
        err: error: `FOLDER/config/config.toml` cannot be used: TOML parse error at line 2, column 1
        err:   |
        err: 2 | brokr = "x"
        err:   | ^^^^^
        err: unknown field `brokr`, expected one of `broker`, `ca`, `cert`, `key`, `output`, `profile`
        err:   mend it, or delete it and run `elevate login --broker HOST:PORT` again
        exit: 2
    "#]]
    .assert_eq(&bench.elevate(&["whoami"]).await.all());
}

#[tokio::test]
async fn help_and_version_are_no_errors() {
    let bench = Bench::new().await;
    for args in [&["--help"][..], &["--version"], &["activate", "--help"]] {
        let ran = bench.elevate(args).await;
        assert!(ran.exit == Exit::Ok && ran.err.is_empty() && !ran.out.is_empty(), "{args:?}");
    }
    let alone = bench.elevate(&[]).await;
    assert!(alone.exit == Exit::Usage && alone.out.is_empty() && alone.err.contains("Usage:"));
}
