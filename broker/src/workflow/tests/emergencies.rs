//! Roles for emergencies: who may, on which terms, and what follows.

use elevate_core::activation::{Kind, Outcome, Review};
use elevate_core::approval::ApprovalRefusal;
use elevate_core::policy;

use super::world::*;
use crate::ports::journal::Page;
use crate::ports::verifier::{AppRole, TokenRefusal};
use crate::workflow::{Refusal, Wish};

/// `admin` once more, which takes two leads every day and nobody in an emergency; Ann and Eve may.
pub(crate) fn with_break_glass() -> String {
    let (ann, eve, owners) = (object(ANN), object(EVE), object(OWNERS));
    let emergency = format!(
        "notify = [\"group:{owners}\"]\n[role.break_glass]\neligible = [\"user:{ann}\", \"user:{eve}\"]\n\
         longest = \"30m\"\n[[role.approval]]"
    );
    let text = policy();
    let (before, admin) = text.split_once("name = \"admin\"").unwrap();
    format!("{before}name = \"admin\"{}", admin.replacen("[[role.approval]]", &emergency, 1))
}

fn emergency(term: Option<&str>) -> Wish {
    let term = term.map(|term| term.parse().unwrap());
    Wish { kind: Kind::BreakGlass, term, ..World::wish("admin") }
}

async fn world() -> World {
    let world = World::new().await;
    world.apply(&with_break_glass()).await;
    world
}

pub(crate) async fn used(world: &World, who: u64) -> Result<elevate_core::names::ActivationId, Refusal> {
    let wish = emergency(None);
    let prepared = world.workflow.prepare(&person(who), &wish).await?;
    let asked = world.ask_with(who, world.request_id(), &wish, &prepared).await?;
    world.settle_all().await;
    Ok(asked.id)
}

#[tokio::test]
async fn a_person_who_is_named_holds_it_at_once_and_everybody_concerned_is_told() {
    let world = world().await;
    let id = used(&world, ANN).await.unwrap();
    assert_eq!(world.word(id).await, "active");
    assert_eq!(world.life(id).await, ["break-glass", "scheduled", "activation-begun", "activated"]);
    let recorded = world.workflow.show(&with(99, AppRole::Auditor), id).await.unwrap();
    assert_eq!(recorded.term.to_string(), "30m", "its own term, and not the role's usual one");
    assert_eq!(recorded.review, Review::Open);
    let told: Vec<_> = recorded.request.told.iter().map(ToString::to_string).collect();
    let groups = [LEADS, OWNERS].map(|group| format!("group:{}", object(group)));
    assert_eq!(told, groups, "those who would have been asked, and those who are named besides");
    // They see it, and nobody else does.
    assert!(world.workflow.show(&person(LEA), id).await.is_ok());
    assert!(world.workflow.show(&person(OLA), id).await.is_ok());
    assert_eq!(world.workflow.show(&person(BEN), id).await.unwrap_err(), Refusal::ActivationNotFound);
    assert_eq!(world.directory.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn it_is_for_those_who_are_named_and_no_longer_than_it_says() {
    let world = world().await;
    let not_offered = policy::Refusal::NotOffered { role: "admin".parse().unwrap() };
    // Ben is eligible every day, and named by nobody for an emergency; a role without the offer is the same.
    assert_eq!(used(&world, BEN).await.unwrap_err(), not_offered.into());
    let wish = Wish { role: "reader".parse().unwrap(), ..emergency(None) };
    let refused = world.workflow.prepare(&person(ANN), &wish).await.unwrap_err();
    assert_eq!(refused.reason(), "ROLE_NOT_OFFERED");
    let refused = world.workflow.prepare(&person(ANN), &emergency(Some("31m"))).await.unwrap_err();
    assert_eq!(refused.reason(), "TERM_TOO_LONG");
    // Eve is not staff, and not eligible every day.
    assert!(world.workflow.prepare(&person(EVE), &World::wish("admin")).await.is_err());
    assert!(used(&world, EVE).await.is_ok());
    // A deny wins here too.
    let denied =
        with_break_glass().replace("notify = ", &format!("denied = [\"user:{}\"]\nnotify = ", object(ANN)));
    world.apply(&denied).await;
    assert_eq!(used(&world, ANN).await.unwrap_err().reason(), "ROLE_NOT_OFFERED");
}

#[tokio::test]
async fn a_sign_in_for_the_everyday_request_is_none_for_the_emergency() {
    let world = world().await;
    for (signed_for, asked_for) in [(Kind::Ordinary, Kind::BreakGlass), (Kind::BreakGlass, Kind::Ordinary)] {
        // The same request to the last field, but for the offer it is asked under.
        let wish = |kind| Wish { kind, ..emergency(Some("20m")) };
        let prepared = world.workflow.prepare(&person(ANN), &wish(signed_for)).await.unwrap();
        let asked = world.ask_with(ANN, world.request_id(), &wish(asked_for), &prepared).await;
        assert!(matches!(asked, Err(Refusal::Token(TokenRefusal::Unbound { .. }))), "{asked:?}");
    }
}

#[tokio::test]
async fn it_cannot_be_used_again_before_somebody_else_has_looked_at_it() {
    let world = world().await;
    let id = used(&world, ANN).await.unwrap();
    let close = async |who, comment| world.workflow.close_review(&who, id, comment).await;
    let refused = close(person(LEA), "too early").await.unwrap_err();
    assert_eq!(refused.reason(), "WRONG_STATE", "while it is held");
    world.clock.forward(30 * 60);
    world.settle_all().await;
    assert_eq!(world.word(id).await, "closed");
    assert_eq!(used(&world, ANN).await.unwrap_err(), Refusal::ReviewOpen { by: id });
    // The everyday way is open to her, and the emergency to others.
    assert!(world.workflow.prepare(&person(ANN), &World::wish("admin")).await.is_ok());
    let other = used(&world, EVE).await.unwrap();

    assert_eq!(close(person(ANN), "fine").await.unwrap_err(), Refusal::OwnReview);
    assert_eq!(close(with(ANN, AppRole::Auditor), "fine").await.unwrap_err(), Refusal::OwnReview);
    assert_eq!(close(person(BEN), "fine").await.unwrap_err(), Refusal::ActivationNotFound);
    assert_eq!(close(program(99), "fine").await.unwrap_err(), Refusal::PeopleOnly);
    let page = Page { limit: 10, after: None };
    let open = async |who| {
        let found = world.workflow.reviews(&who, &page).await.unwrap();
        found.activations.iter().map(|open| open.id).collect::<Vec<_>>()
    };
    assert_eq!(open(person(LEA)).await, [other, id]);
    assert_eq!(open(with(99, AppRole::Auditor)).await, [other, id]);
    assert_eq!(open(person(BEN)).await, []);

    let reviewed = close(person(LEA), "as it should be").await.unwrap();
    assert!(matches!(&reviewed.review, Review::Closed { by, .. } if *by == principal(LEA)));
    assert!(close(person(LEA), "again").await.is_ok(), "a repetition changes nothing");
    assert_eq!(close(person(OLA), "me too").await.unwrap_err().reason(), "WRONG_STATE");
    assert_eq!(open(person(LEA)).await, [other]);
    assert_eq!(world.life(id).await.last(), Some(&"reviewed"));
    assert!(used(&world, ANN).await.is_ok());
}

#[tokio::test]
async fn one_that_came_to_nothing_needs_no_review() {
    let world = world().await;
    world.directory.will_grant([super::outside::Answer::Refuses]);
    let id = used(&world, ANN).await.unwrap();
    assert!(matches!(world.outcome(id).await, Outcome::Failed { .. }));
    assert_eq!(world.workflow.close_review(&person(LEA), id, "?").await.unwrap_err().reason(), "WRONG_STATE");
    assert!(used(&world, ANN).await.is_ok(), "who met a hiccup in an emergency tries again");
}

#[tokio::test]
async fn who_is_named_no_more_when_it_begins_gets_nothing() {
    let world = world().await;
    let wish = emergency(None);
    let prepared = world.workflow.prepare(&person(ANN), &wish).await.unwrap();
    let id = world.ask_with(ANN, world.request_id(), &wish, &prepared).await.unwrap().id;
    world.apply(&policy()).await;
    world.settle_all().await;
    assert!(matches!(world.outcome(id).await, Outcome::Failed { .. }));
    assert_eq!(world.directory.calls("grant"), 0);
}

#[tokio::test]
async fn nobody_is_asked_and_nobody_can_say_yes() {
    let world = world().await;
    let id = used(&world, ANN).await.unwrap();
    let refused = world.yes(LEA, id).await.unwrap_err();
    assert!(
        matches!(refused, Refusal::Approval(ApprovalRefusal::NotAnApprover) | Refusal::WrongState { .. }),
        "{refused:?}"
    );
    // But ended by those who may.
    world.workflow.revoke(&with(99, AppRole::Revoker), id, "enough").await.unwrap();
    world.settle_all().await;
    assert_eq!(world.word(id).await, "closed");
}
