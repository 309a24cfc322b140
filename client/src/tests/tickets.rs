//! What a ticket's own system said, as people and programs read it.

use elevate_proto::v1;
use expect_test::expect;
use tonic::Code;
use v1::{ActivationState as State, TicketVerdict as Verdict};

use super::bench::{Bench, ID, activation, prepared, refusal};
use crate::exit::Exit;

const ASK: [&str; 9] = [
    "activate",
    "groups-admin",
    "--ticket",
    "INC0012345",
    "--ticket-system",
    "ServiceNow",
    "--reason-file",
    "-",
    "--dry-run",
];

#[tokio::test]
async fn what_it_says_is_shown_before_the_sign_in_and_on_the_record() {
    for (verdict, line, word) in [
        (Verdict::Unspecified, "ServiceNow INC0012345", None),
        (Verdict::Confirmed, "ServiceNow INC0012345, confirmed there", Some("confirmed")),
        (
            Verdict::Unanswered,
            "ServiceNow INC0012345, not confirmed: nobody answered there",
            Some("unanswered"),
        ),
    ] {
        let bench = Bench::signed_in().await;
        let mut told = prepared();
        told.set_ticket_verdict(verdict);
        bench.broker.says("prepare_activation", &told);
        let mut shown = activation(State::Active);
        shown.set_ticket_verdict(verdict);
        bench.broker.says("get_activation", &shown);
        let line = format!("ticket {line}");
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let ran = bench.typing(&ASK, "reset a group").await;
        assert!(ran.err.lines().any(|each| plain(each) == line), "{ran:?}");
        let ran = bench.elevate(&["show", ID]).await;
        assert!(ran.out.lines().any(|each| plain(each) == line), "{ran:?}");
        let json = bench.typing(&[&ASK[..], &["--output", "json"]].concat(), "reset a group").await.json();
        assert_eq!(json["asked"]["ticket_verdict"].as_str(), word);
        let json = bench.elevate(&["show", ID, "--output", "json"]).await.json();
        assert_eq!(json["ticket_verdict"].as_str(), word);
    }
}

#[tokio::test]
async fn a_no_and_a_silence_have_words_and_codes_of_their_own() {
    for (code, reason, told, exit) in [
        (
            Code::PermissionDenied,
            "TICKET_REFUSED",
            "ticket `INC0012345` does not stand for this: it is closed; look at it in its system, or name another with `--ticket`",
            Exit::Refused,
        ),
        (
            Code::Unavailable,
            "TICKET_UNANSWERED",
            "ticket `INC0012345` could not be confirmed: it cannot be reached; nothing was changed, try again in a moment, and tell the people who run the broker if it stays so",
            Exit::Unreachable,
        ),
        (
            Code::FailedPrecondition,
            "TICKET_CHECK_MISSING",
            "ticket `INC0012345` cannot be confirmed: the broker's configuration has no `[tickets.changes]`; nothing was changed, ask the people who run the broker to add it",
            Exit::State,
        ),
    ] {
        let bench = Bench::signed_in().await;
        bench.broker.fails("prepare_activation", refusal(code, reason, told));
        let ran = bench.typing(&ASK, "reset a group").await;
        assert_eq!((ran.exit, ran.err.trim()), (exit, format!("error: {told}").as_str()));
        let ran = bench.typing(&[&ASK[..], &["--output", "json"]].concat(), "reset a group").await;
        let error: serde_json::Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
        assert_eq!(
            (error["error"]["reason"].as_str(), error["error"]["exit"].as_u64()),
            (Some(reason), Some(exit.code().into()))
        );
        assert!(error["error"]["advice"].is_string());
    }
    expect!["4"].assert_eq(&Exit::Refused.code().to_string());
}

#[tokio::test]
async fn explain_says_what_a_role_wants_of_a_ticket() {
    let (pattern, system) = ("CHG[0-9]{7}", "ServiceNow");
    for (required, pattern, system, checked, line) in [
        (false, "", "", false, None),
        (true, "", "", false, Some("ticket needed")),
        (
            true,
            pattern,
            system,
            true,
            Some("ticket needed: like `CHG[0-9]{7}`, in `ServiceNow`, its own system is asked"),
        ),
        (false, "", "", true, Some("ticket if one is named: its own system is asked")),
    ] {
        let bench = Bench::signed_in().await;
        let role = v1::EligibleRole {
            name: "groups-admin".to_owned(),
            ticket_required: required,
            ticket_pattern: pattern.to_owned(),
            ticket_system: system.to_owned(),
            ticket_checked: checked,
            ..v1::EligibleRole::default()
        };
        let explained = v1::ExplainRoleResponse { role: Some(role), ..v1::ExplainRoleResponse::default() };
        bench.broker.says("explain_role", &explained);
        let told = bench.elevate(&["explain", "groups-admin"]).await.out;
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = told.lines().map(words).find(|line| line.starts_with("ticket"));
        assert_eq!(found.as_deref(), line, "{told}");
    }
}
