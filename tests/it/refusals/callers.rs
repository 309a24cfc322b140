//! Who is not heard at all, and who lacks the app role.

use elevate_proto::v1 as api;
use elevate_sandbox::people::{AUTOMATION, BROKER};
use elevate_sandbox::{Key, Signature};
use elevate_tests::{Caller, World, told, wish};
use serde_json::json;
use tonic::Code::{PermissionDenied, Unauthenticated};
use tonic::Status;

use super::refused;

/// Every call that needs a token, with a message that would be good enough to be looked at.
async fn every_call(caller: &Caller, id: &str) -> Vec<(&'static str, Result<(), Status>)> {
    let bare = wish("groups-admin");
    let prepared = api::PrepareActivationResponse::default();
    let proof = || api::Proof { id_token: "none".to_owned(), challenge: String::new() };
    let approval = api::PrepareApprovalResponse {
        challenge: None,
        activation: Some(api::Activation { id: id.to_owned(), digest: "0".repeat(64), ..Default::default() }),
    };
    let stream = async {
        caller.record().stream_audit_entries(caller.call(api::StreamAuditEntriesRequest::default())).await
    };
    let plan = api::PlanPolicyRequest { text: String::new() };
    vec![
        ("GetCaller", caller.session().get_caller(caller.call(api::GetCallerRequest {})).await.map(drop)),
        ("ListEligibleRoles", caller.roles().await.map(drop)),
        ("ExplainRole", caller.explain("groups-admin").await.map(drop)),
        ("PrepareActivation", caller.prepare(&bare).await.map(drop)),
        ("RequestActivation", caller.request(bare.request(&prepared, proof())).await.map(drop)),
        ("GetActivation", caller.show(id).await.map(drop)),
        ("ListActivations", caller.list(false).await.map(drop)),
        ("ListActivations of everybody", caller.list(true).await.map(drop)),
        ("WatchActivation", caller.watch(id).await.map(drop)),
        ("WithdrawActivation", caller.withdraw(id).await.map(drop)),
        ("DeactivateActivation", caller.deactivate(id).await.map(drop)),
        ("ListPendingApprovals", caller.pending().await.map(drop)),
        ("PrepareApproval", caller.prepare_approval(id).await.map(drop)),
        ("ApproveActivation", caller.approve_with(elevate_tests::yes(&approval, proof())).await.map(drop)),
        ("DenyActivation", caller.deny(id, "no").await.map(drop)),
        ("RevokeActivation", caller.revoke(id, "no").await.map(drop)),
        ("Sweep", caller.sweep().await.map(drop)),
        ("PlanPolicy", caller.policy().plan_policy(caller.call(plan)).await.map(drop)),
        ("ApplyPolicy", caller.apply("", 1).await.map(drop)),
        ("ProposePolicy", caller.propose("", 1).await.map(drop)),
        ("GetProposal", caller.proposal().await.map(drop)),
        ("ConfirmPolicy", caller.confirm("").await.map(drop)),
        (
            "GetPolicy",
            caller.policy().get_policy(caller.call(api::GetPolicyRequest { version: 0 })).await.map(drop),
        ),
        (
            "ImportPolicy",
            caller.policy().import_policy(caller.call(api::ImportPolicyRequest {})).await.map(drop),
        ),
        ("ListAuditEntries", caller.audit().await.map(drop)),
        ("StreamAuditEntries", stream.await.map(drop)),
    ]
}

#[tokio::test]
async fn without_a_good_access_token_no_call_is_answered() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let mint = world.tenant.tokens();
    let good = mint.access_claims(&eve.sign_in());
    let with = |claim: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        mint.sign(&claims)
    };
    let now = world.hands.now().as_second();
    let another = Key::fresh().unwrap();
    let table = [
        ("none", String::new()),
        ("garbage", "no.token.this".to_owned()),
        ("an ID token", mint.id(&eve.sign_in())),
        ("a proof", mint.id(&eve.sign_in().nonce("n"))),
        ("for another audience", with("aud", json!(elevate_sandbox::people::GRAPH.client_id))),
        ("for Graph itself", mint.graph(&BROKER).unwrap()),
        ("of another tenant", with("tid", json!("5a4db0c5-0000-4000-8000-00000000ffff"))),
        ("by another issuer", with("iss", json!("https://login.microsoftonline.com/common/v2.0"))),
        ("over", with("exp", json!(now - 6))),
        ("to come", with("nbf", json!(now + 6))),
        ("without a scope", with("scp", json!("something_else"))),
        ("to another client", with("azp", json!(elevate_sandbox::people::GRAPH.client_id))),
        ("of nobody", with("oid", json!(""))),
        (
            "by another key of the same name",
            mint.sign_with(&mint.key().header(), &good, &Signature::Rs256(another.named(mint.key().kid()))),
        ),
        (
            "by a key nobody knows",
            mint.sign_with(&another.header(), &good, &Signature::Rs256(another.clone())),
        ),
    ];
    for (what, token) in table {
        let before = world.whole().await;
        for (call, answer) in every_call(&eve.bearing(&token), &asked.id).await {
            let Err(status) = answer else { panic!("{call} was answered with a token that is {what}") };
            let refusal = told(&status);
            let is = (refusal.code, refusal.reason.as_str(), refusal.domain.as_str());
            assert_eq!(is, (Unauthenticated, "TOKEN_INVALID", "elevate"), "{call}, {what}: {refusal:?}");
            assert!(
                refusal.text.contains("elevate login"),
                "{what}: `{}` does not say what to do",
                refusal.text
            );
        }
        assert_eq!(world.whole().await, before, "{what}");
    }
}

#[tokio::test]
async fn two_access_tokens_in_one_call_are_none() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let mut call = ann.call(api::GetCallerRequest {});
    let twice = call.metadata().get("authorization").unwrap().clone();
    call.metadata_mut().append("authorization", twice);
    let status = ann.session().get_caller(call).await.unwrap_err();
    assert_eq!(told(&status).reason, "TOKEN_INVALID");
}

#[tokio::test]
async fn how_to_sign_in_is_told_to_everybody() {
    let world = World::start().await;
    let nobody = world.grpc("ann").bearing("");
    let told =
        nobody.session().get_sign_in(nobody.call(api::GetSignInRequest {})).await.unwrap().into_inner();
    assert_eq!(told.issuer, world.tenant.issuer());
    assert_eq!(told.client_id, elevate_sandbox::people::CLI.client_id);
}

#[tokio::test]
async fn every_call_for_officers_needs_its_app_role() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("groups-admin")).await.unwrap();
    let for_officers = [
        "ListActivations of everybody",
        "RevokeActivation",
        "Sweep",
        "PlanPolicy",
        "ApplyPolicy",
        "ProposePolicy",
        "GetProposal",
        "ConfirmPolicy",
        "GetPolicy",
        "ImportPolicy",
        "ListAuditEntries",
        "StreamAuditEntries",
    ];
    for (call, answer) in every_call(&world.grpc("bob"), &asked.id).await {
        let is_refused = answer.as_ref().err().is_some_and(|status| told(status).reason == "NOT_ALLOWED");
        assert_eq!(is_refused, for_officers.contains(&call), "{call}: {answer:?}");
        if for_officers.contains(&call) {
            let told = refused(&world, call, async { answer }, PermissionDenied, "NOT_ALLOWED").await;
            assert!(told.text.contains("app role"), "{}", told.text);
        }
    }
    assert!(world.grpc("eve").list(true).await.unwrap().iter().any(|each| each.id == asked.id));
}

#[tokio::test]
async fn a_program_revokes_and_sweeps_and_does_nothing_that_only_a_person_may() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let program = world.grpc("eve").bearing(&world.tenant.tokens().app(&AUTOMATION));
    program.sweep().await.unwrap();
    let for_people = [
        "ListEligibleRoles",
        "ExplainRole",
        "PrepareActivation",
        "ListPendingApprovals",
        "PrepareApproval",
        "ApproveActivation",
        "DenyActivation",
        "RequestActivation",
    ];
    for (what, answer) in every_call(&program, &asked.id).await {
        if for_people.contains(&what) {
            refused(&world, what, async { answer }, PermissionDenied, "PEOPLE_ONLY").await;
        }
    }
    assert_eq!(world.grpc("ann").show(&asked.id).await.unwrap().outcome(), elevate_tests::Outcome::Failed);
}
