//! What may not be asked for.

use elevate_proto::v1 as api;
use elevate_sandbox::people::{ANN, BOB, GLOBAL_READER};
use elevate_tests::{State, Wish, World, told, wish};
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable};
use tonic::{Code, Status};

use super::{fields, refused};

#[tokio::test]
async fn a_role_that_is_not_there_and_one_that_is_not_offered_are_one_answer() {
    let world = World::start().await;
    let asked = |who: &'static str, role: &'static str| {
        let world = &world;
        async move {
            let call = world.grpc(who);
            let told = refused(world, role, call.prepare(&wish(role)), NotFound, "ROLE_NOT_OFFERED").await;
            let status = call.prepare(&wish(role)).await.unwrap_err();
            // All that a caller can see of it, but for the name that they typed themselves.
            let text = told.text.replace(role, "ROLE");
            let details = String::from_utf8_lossy(status.details()).replace(role, "ROLE");
            (text, details.replace(&told.text, "TEXT").into_bytes().len() - status.message().len())
        }
    };
    let unknown = asked("ann", "no-such-role").await;
    for (who, role) in [("bob", "user-admin"), ("dave", "app-admin"), ("eve", "groups-admin")] {
        let (text, length) = asked(who, role).await;
        assert_eq!(text, unknown.0, "{who} learns something about {role}");
        assert_eq!(
            length + role.len(),
            unknown.1 + "no-such-role".len(),
            "{who} learns something about {role}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_the_field_that_is_wrong() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let long = "x".repeat(1001);
    let number = "7".repeat(101);
    let table: Vec<(&str, Wish, &str, &str)> = vec![
        ("a name that is none", wish("Groups Admin!"), "FIELD_INVALID", "role"),
        ("no name", wish(""), "FIELD_INVALID", "role"),
        (
            "longer than the role allows",
            wish("groups-admin").lasting("8h1s"),
            "TERM_TOO_LONG",
            "term_seconds",
        ),
        ("longer than any role allows", wish("groups-admin").lasting("25h"), "FIELD_INVALID", "term_seconds"),
        (
            "longer than there is time",
            wish("groups-admin").seconds(i64::MAX),
            "FIELD_INVALID",
            "term_seconds",
        ),
        ("a negative term", wish("groups-admin").seconds(-1), "FIELD_INVALID", "term_seconds"),
        ("the most negative term", wish("groups-admin").seconds(i64::MIN), "FIELD_INVALID", "term_seconds"),
        ("hardly any time", wish("groups-admin").seconds(4), "FIELD_INVALID", "term_seconds"),
        (
            "shorter than Entra can end",
            wish("security-reader").lasting("4m59s"),
            "TERM_TOO_SHORT",
            "term_seconds",
        ),
        ("no justification", wish("groups-admin").because(""), "JUSTIFICATION_MISSING", "justification"),
        ("a blank one", wish("groups-admin").because(" \n\t "), "JUSTIFICATION_MISSING", "justification"),
        ("a long one", wish("groups-admin").because(&long), "FIELD_INVALID", "justification"),
        ("one that rings a bell", wish("groups-admin").because("a\u{7}b"), "FIELD_INVALID", "justification"),
        ("no ticket where one is needed", wish("app-admin"), "TICKET_MISSING", "ticket"),
        ("a long ticket", wish("app-admin").under(&number), "FIELD_INVALID", "ticket"),
    ];
    for (what, wish, reason, field) in table {
        let told = refused(&world, what, ann.prepare(&wish), InvalidArgument, reason).await;
        assert_eq!(fields(&told), [field], "{what}");
        // What could not be prepared cannot be asked for either, whatever it is sent with.
        let prepared = api::PrepareActivationResponse {
            term_seconds: wish.seconds,
            policy_version: 1,
            ..Default::default()
        };
        let proof = api::Proof { id_token: "none".to_owned(), challenge: String::new() };
        let message = wish.request(&prepared, proof);
        let told = refused(&world, what, ann.request(message), InvalidArgument, reason).await;
        assert_eq!(fields(&told), [field], "{what}, asked for unprepared");
    }
}

#[tokio::test]
async fn a_refused_attempt_is_on_record_with_who_what_and_why_its_preparation_too() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    ann.prepare(&wish("no-such-role")).await.unwrap_err();
    let own = bob.ask(&wish("groups-admin")).await.unwrap();
    bob.prepare_approval(&own.id).await.unwrap_err();
    ann.deactivate(&own.id).await.unwrap_err();
    // To look is no attempt.
    ann.show(&own.id).await.unwrap_err();
    let refused: Vec<_> = world.grpc("eve").audit().await.unwrap();
    let refused: Vec<_> = refused
        .iter()
        .filter(|entry| entry.event == "attempt-refused")
        .map(|entry| {
            let detail = |key: &str| entry.details.get(key).map(String::as_str).unwrap_or_default();
            let who = entry.actor.as_ref().unwrap().object_id.as_str();
            (who, detail("attempt"), detail("reason"), entry.role.as_str(), entry.activation_id.as_str())
        })
        .collect();
    assert_eq!(
        refused,
        [
            (ANN.id, "PrepareActivation", "ROLE_NOT_OFFERED", "no-such-role", ""),
            (BOB.id, "PrepareApproval", "OWN_APPROVAL", "", own.id.as_str()),
            (ANN.id, "DeactivateActivation", "ACTIVATION_NOT_FOUND", "", own.id.as_str()),
        ]
    );
}

#[tokio::test]
async fn a_request_with_a_field_missing_or_malformed_is_refused_by_that_field() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let prepared = ann.prepare(&wish("groups-admin")).await.unwrap();
    let proof = ann.proof(prepared.challenge.as_ref().unwrap());
    let good = wish("groups-admin").request(&prepared, proof);
    type Spoil = fn(&mut api::RequestActivationRequest);
    let table: [(&str, Spoil, &str); 5] = [
        ("no request id", |m| m.request_id.clear(), "request_id"),
        ("a request id that is none", |m| m.request_id = "7".to_owned(), "request_id"),
        ("no proof", |m| m.proof = None, "proof"),
        ("a negative policy version", |m| m.policy_version = -1, "policy_version"),
        ("no role", |m| m.role.clear(), "role"),
    ];
    for (what, spoil, field) in table {
        let mut message = good.clone();
        spoil(&mut message);
        let told = refused(&world, what, ann.request(message), InvalidArgument, "FIELD_INVALID").await;
        assert_eq!(fields(&told), [field], "{what}");
    }
    // Nothing of that spent the proof.
    ann.request(good).await.unwrap();
}

#[tokio::test]
async fn a_message_beyond_its_bound_is_not_even_read() {
    let world = World::start().await;
    let (ann, eve) = (world.grpc("ann"), world.grpc("eve"));
    let before = world.whole().await;
    let long = wish("groups-admin").because(&"x".repeat(70 * 1024));
    let status = ann.prepare(&long).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    let status = eve.apply(&"#".repeat(2 * 1024 * 1024), 1).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert_eq!(world.whole().await, before);
    // The connection is not worse for it.
    ann.prepare(&wish("groups-admin")).await.unwrap();
}

#[tokio::test]
async fn one_person_has_one_live_activation_of_a_role() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let first = ann.ask(&wish("groups-admin")).await.unwrap();
    let again = wish("groups-admin").because("once more");
    let told = refused(&world, "while it waits", ann.ask(&again), AlreadyExists, "SLOT_TAKEN").await;
    assert!(told.text.contains(&first.id), "{}", told.text);
    world.grpc("bob").approve(&first.id).await.unwrap();
    world.until(&first.id, State::Active).await;
    refused(&world, "while it is held", ann.ask(&again), AlreadyExists, "SLOT_TAKEN").await;
    // Another person's is another slot.
    world.grpc("dave").ask(&again).await.unwrap();
}

#[tokio::test]
async fn two_requests_at_one_moment_begin_one_activation() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let mut messages = Vec::new();
    for _ in 0..8 {
        let prepared = ann.prepare(&wish("groups-admin")).await.unwrap();
        let proof = ann.proof(prepared.challenge.as_ref().unwrap());
        messages.push(wish("groups-admin").request(&prepared, proof));
    }
    let calls = messages.into_iter().map(|message| {
        let ann = ann.clone();
        tokio::spawn(async move { ann.request(message).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut begun = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => begun += 1,
            Err(status) => assert_eq!(told(&status).reason, "SLOT_TAKEN"),
        }
    }
    assert_eq!(begun, 1);
    assert_eq!(world.grpc("eve").list(true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_role_that_somebody_else_assigned_is_not_activated() {
    let world = World::start().await;
    world.tenant.directory().assign_in_portal(ANN.id, GLOBAL_READER.id, "/").unwrap();
    let ann = world.grpc("ann");
    let told =
        refused(&world, "standing", ann.prepare(&wish("reader")), FailedPrecondition, "ASSIGNED_ELSEWHERE")
            .await;
    assert!(told.text.contains("not by this broker"), "{}", told.text);
}

#[tokio::test]
async fn without_a_policy_nothing_can_be_asked_for() {
    let world = World::without_policy(&[]).await;
    let ann = world.grpc("ann");
    refused(&world, "ask", ann.prepare(&wish("reader")), FailedPrecondition, "NO_POLICY").await;
    refused(&world, "look", ann.roles(), FailedPrecondition, "NO_POLICY").await;
}

#[tokio::test]
async fn while_graph_cannot_be_reached_nothing_new_is_decided_and_it_is_said_when_to_come_back() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let asked = ann.ask(&wish("groups-admin")).await.unwrap();
    let outage = world.tenant.faults().graph_outage();
    let bob = world.grpc("bob");
    let calls: [(&str, Result<(), Status>); 3] = [
        ("to ask", ann.prepare(&wish("reader")).await.map(drop)),
        ("to look", ann.roles().await.map(drop)),
        ("to approve", bob.prepare_approval(&asked.id).await.map(drop)),
    ];
    for (what, answer) in calls {
        let told = refused(&world, what, async { answer }, Unavailable, "DIRECTORY_UNREACHABLE").await;
        assert!(told.again_in.is_some(), "{what}: nothing says when to try again");
    }
    world.tenant.faults().clear(outage);
    bob.approve(&asked.id).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_never_read_the_tenants_keys_believes_nobody_and_says_why() {
    let world = World::without_broker(&[]).await;
    let outage = world.tenant.faults().login_outage();
    world.restart().await;
    let status = world.grpc("ann").roles().await.unwrap_err();
    let refusal = told(&status);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Unavailable, "TENANT_UNREACHABLE"), "{refusal:?}");
    assert!(refusal.again_in.is_some());
    let (status, text) = world.admin("/readyz").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("keys"), "{text}");

    world.tenant.faults().clear(outage);
    world.advance("1m");
    let answer = world.grpc("ann").roles().await.unwrap_err();
    assert_eq!(told(&answer).reason, "NO_POLICY", "once they can be read, people are known again");
}
