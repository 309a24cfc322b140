//! Roles for emergencies, against a tenant: held without approval, told, taken away, looked at.

use elevate_proto::v1 as api;
use elevate_sandbox::people::{EXCHANGE_ADMINISTRATOR, FRANK};
use elevate_tests::{Outcome, POLICY, State, World, wish};
use tonic::Code;

async fn world() -> World {
    let world = World::start().await;
    let rescue = format!(
        "{POLICY}\n[[role]]\nname = \"rescue\"\nway = \"assignment\"\nrole_definition = \"{}\"\nlongest = \"1h\"\n\
         [[role.approval]]\ncount = 2\nfrom = [\"group:5a4db0c5-0000-4000-8000-000000000101\"]\n\
         [role.break_glass]\neligible = [\"user:{}\"]\nlongest = \"30m\"\n",
        EXCHANGE_ADMINISTRATOR.id, FRANK.id
    );
    world.grpc("eve").apply(&rescue, 1).await.expect("a good policy");
    world
}

#[tokio::test]
async fn a_person_who_is_named_gets_it_without_approval_and_once_until_somebody_has_looked() {
    let world = world().await;
    let (frank, bob) = (world.grpc("frank"), world.grpc("bob"));
    let offered = frank.roles().await.unwrap();
    let rescue = offered.iter().find(|role| role.name == "rescue").expect("offered for emergencies");
    assert!(
        rescue.break_glass_only && rescue.break_glass.as_ref().is_some_and(|o| o.longest_seconds == 1800)
    );
    assert_eq!(frank.ask(&wish("rescue")).await.unwrap_err().code(), Code::NotFound, "not every day");
    assert_eq!(bob.ask(&wish("rescue").in_an_emergency()).await.unwrap_err().code(), Code::NotFound);

    let asked = frank.ask(&wish("rescue").in_an_emergency()).await.unwrap();
    assert_eq!(asked.kind(), api::ActivationKind::BreakGlass);
    let held = world.until(&asked.id, State::Active).await;
    assert_eq!((held.term_seconds, held.review), (1800, Some(api::Review::default())));
    assert!(world.holds(&FRANK, &EXCHANGE_ADMINISTRATOR));

    world.advance("30m");
    assert_eq!(world.outcome(&asked.id).await, Outcome::Expired);
    assert!(!world.holds(&FRANK, &EXCHANGE_ADMINISTRATOR));
    let again = frank.ask(&wish("rescue").in_an_emergency()).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition, "{again}");

    let close = |comment: &str| api::CloseReviewRequest { id: asked.id.clone(), comment: comment.to_owned() };
    let own = frank.review().close_review(frank.call(close("fine"))).await.unwrap_err();
    assert_eq!(own.code(), Code::PermissionDenied, "{own}");
    world.restart().await;
    let bob = world.grpc("bob");
    let open = bob.review().list_reviews(bob.call(api::ListReviewsRequest::default())).await.unwrap();
    assert_eq!(open.into_inner().activations[0].id, asked.id);
    let closed = bob.review().close_review(bob.call(close("as it should be"))).await.unwrap().into_inner();
    let review = closed.review.unwrap();
    assert_eq!(
        (review.comment.as_str(), review.by.unwrap().display_name.as_str()),
        ("as it should be", "Bob Baker")
    );
    let frank = world.grpc("frank");
    assert!(frank.ask(&wish("rescue").in_an_emergency()).await.is_ok());

    let record = world.record_of(&asked.id).await;
    assert_eq!((record[0].as_str(), record.last().map(String::as_str)), ("break-glass", Some("reviewed")));
}

#[tokio::test]
async fn an_emergency_asks_for_the_proof_that_its_own_rule_names() {
    let world = world().await;
    let frank = world.grpc("frank");
    let emergency = wish("rescue").in_an_emergency();
    let prepared = frank.prepare(&emergency).await.unwrap();
    let challenge = prepared.challenge.clone().unwrap();
    assert_eq!(challenge.requirement.as_ref().unwrap().strength, "phishing-resistant");
    let by_phone = frank.proof_by(&challenge, |it| it.strength(elevate_sandbox::Strength::Mfa));
    let refused = frank.request(emergency.request(&prepared, by_phone)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert_eq!(world.writes(), [""; 0]);
}
