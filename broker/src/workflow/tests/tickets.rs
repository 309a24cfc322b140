//! Tickets that their own system is asked about.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use elevate_core::activation::{Kind, TicketVerdict};
use elevate_core::binding::policy_digest;
use elevate_core::names::Ticket;
use elevate_core::policy::PolicyVersion;

use super::emergencies::{used, with_break_glass};
use super::office::Asked;
use super::world::*;
use crate::ports::Journal as _;
use crate::ports::journal::Recorded;
use crate::ports::tickets::Said;
use crate::ports::verifier::AppRole;
use crate::workflow::{Refusal, Wish};

/// The policy, in which `reader` has its tickets looked up.
fn checked(unanswered: &str) -> String {
    let rule = format!("ticket_required = true\nticket_check = \"changes\"\n{unanswered}");
    policy().replacen("usual = \"1h\"", &format!("usual = \"1h\"\n{rule}"), 1)
}

async fn world_with(policy: &str) -> World {
    let world = World::new().await;
    world.apply(policy).await;
    world
}

fn under(number: &str) -> Wish {
    Wish { ticket: Some(Ticket::new(number, "ServiceNow").unwrap()), ..World::wish("reader") }
}

async fn ask(world: &World, wish: &Wish) -> Result<Recorded, Refusal> {
    let prepared = world.workflow.prepare(&person(ANN), wish).await?;
    world.ask_with(ANN, world.request_id(), wish, &prepared).await
}

#[tokio::test]
async fn a_confirmed_ticket_goes_on_record_as_that() {
    let world = world_with(&checked("")).await;
    world.tickets.says("CHG1", Said::Confirmed);
    let recorded = ask(&world, &under("CHG1")).await.unwrap();
    assert_eq!(recorded.request.ticket_verdict, Some(TicketVerdict::Confirmed));
    world.settle_all().await;
    assert_eq!(world.word(recorded.id).await, "active");
    // When it was prepared, so that a no comes before the sign-in; and when it was asked.
    let (from, to) = (start(), start() + jiff::SignedDuration::from_hours(1));
    let question = Asked { number: "CHG1".into(), role: "reader".into(), place: "/".into(), from, to };
    assert_eq!(world.tickets.asked(), [question.clone(), question]);
}

#[tokio::test]
async fn a_no_is_told_before_the_sign_in_and_after_it() {
    let world = world_with(&checked("ticket_unanswered = \"allow\"")).await;
    let no = Said::Refused("the change is not approved".to_owned());
    world.tickets.says("CHG1", no.clone());
    let refused = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap_err();
    assert_eq!(refused.reason(), "TICKET_REFUSED");
    assert!(refused.to_string().contains("the change is not approved"), "{refused}");
    // It was good when it was prepared, and is no more.
    world.tickets.says("CHG1", Said::Confirmed);
    let prepared = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap();
    assert_eq!(prepared.ticket_verdict, Some(TicketVerdict::Confirmed));
    world.tickets.says("CHG1", no);
    let refused = world.ask_with(ANN, world.request_id(), &under("CHG1"), &prepared).await.unwrap_err();
    assert_eq!(refused.reason(), "TICKET_REFUSED");
    assert!(world.store.holder(&world.slot_of(ANN, 1)).await.unwrap().is_none(), "nothing was asked");
}

#[tokio::test]
async fn what_silence_means_is_the_roles_choice_and_a_no_unless_it_says_so() {
    let silence = || Said::Unanswered("it did not answer within 5s".to_owned());
    for refuses in ["", "ticket_unanswered = \"refuse\""] {
        let world = world_with(&checked(refuses)).await;
        world.tickets.says("CHG1", silence());
        let refused = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap_err();
        assert_eq!(refused.reason(), "TICKET_UNANSWERED");
        world.tickets.says("CHG1", Said::Confirmed);
        let prepared = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap();
        world.tickets.says("CHG1", silence());
        let refused = world.ask_with(ANN, world.request_id(), &under("CHG1"), &prepared).await.unwrap_err();
        assert_eq!(refused.reason(), "TICKET_UNANSWERED");
        // The sign-in has not counted, so that it can be tried again.
        world.tickets.says("CHG1", Said::Confirmed);
        world.ask_with(ANN, world.request_id(), &under("CHG1"), &prepared).await.unwrap();
    }
    let world = world_with(&checked("ticket_unanswered = \"allow\"")).await;
    world.tickets.says("CHG1", silence());
    let recorded = ask(&world, &under("CHG1")).await.unwrap();
    assert_eq!(recorded.request.ticket_verdict, Some(TicketVerdict::Unanswered));
}

#[tokio::test]
async fn a_broker_that_could_not_ask_lets_nothing_pass_for_silence() {
    let world = world_with(&checked("ticket_unanswered = \"allow\"")).await;
    let not_asked = || Said::NotAsked("too many ask it at this moment".to_owned());
    world.tickets.says("CHG1", not_asked());
    let refused = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap_err();
    assert_eq!(refused.reason(), "TICKET_UNANSWERED");
    world.tickets.says("CHG1", Said::Confirmed);
    let prepared = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap();
    world.tickets.says("CHG1", not_asked());
    let refused = world.ask_with(ANN, world.request_id(), &under("CHG1"), &prepared).await.unwrap_err();
    assert_eq!(refused.reason(), "TICKET_UNANSWERED");
    assert!(world.store.holder(&world.slot_of(ANN, 1)).await.unwrap().is_none(), "nothing was asked");
}

#[tokio::test]
async fn what_was_confirmed_when_it_was_asked_is_not_asked_again_when_it_begins() {
    let world = world_with(&checked("")).await;
    world.tickets.says("CHG1", Said::Confirmed);
    let at = start() + jiff::SignedDuration::from_hours(3);
    let recorded = ask(&world, &Wish { starts_at: Some(at), ..under("CHG1") }).await.unwrap();
    let question = world.tickets.asked().pop().unwrap();
    assert_eq!((question.from, question.to), (at, at + jiff::SignedDuration::from_hours(1)));
    // Its system is gone by then, and that keeps nobody waiting.
    world.tickets.says("CHG1", Said::Unanswered("it cannot be reached".to_owned()));
    world.clock.forward(3 * 3600);
    world.settle_all().await;
    assert_eq!((world.word(recorded.id).await, world.tickets.asked().len()), ("active", 2));
}

#[tokio::test]
async fn an_emergency_asks_no_ticket_system() {
    let policy = with_break_glass().replacen(
        "notify = ",
        "ticket_required = true\nticket_pattern = \"CHG[0-9]+\"\nticket_check = \"changes\"\nnotify = ",
        1,
    );
    let world = world_with(&policy).await;
    let everyday = Wish { role: "admin".parse().unwrap(), ..under("CHG1") };
    let refused = world.workflow.prepare(&person(ANN), &everyday).await.unwrap_err();
    assert_eq!((refused.reason(), world.tickets.asked().len()), ("TICKET_REFUSED", 1));
    // No ticket, or any.
    used(&world, ANN).await.unwrap();
    let emergency = Wish { kind: Kind::BreakGlass, ticket: under("INC7").ticket, ..World::wish("admin") };
    let prepared = world.workflow.prepare(&person(EVE), &emergency).await.unwrap();
    let recorded = world.ask_with(EVE, world.request_id(), &emergency, &prepared).await.unwrap();
    assert_eq!((recorded.request.ticket_verdict, world.tickets.asked().len()), (None, 1));
    assert_eq!(recorded.request.asked.ticket, emergency.ticket);
}

#[tokio::test]
async fn nobody_is_asked_where_the_role_asks_for_nothing_or_no_ticket_is_named() {
    let world = world_with(&checked("").replace("ticket_required = true\n", "")).await;
    let recorded = world.ask(ANN, "reader").await.unwrap();
    assert_eq!(recorded.request.ticket_verdict, None);
    let other = Wish { ticket: under("CHG1").ticket, ..World::wish("writer") };
    assert_eq!(ask(&world, &other).await.unwrap().request.ticket_verdict, None);
    assert_eq!(world.tickets.asked(), []);
}

#[tokio::test]
async fn nobody_is_asked_about_a_ticket_that_the_rule_itself_refuses() {
    let rule =
        checked("").replacen("ticket_required", "ticket_pattern = \"CHG[0-9]{7}\"\nticket_required", 1);
    let world = world_with(&rule).await;
    let refused = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap_err();
    assert_eq!((refused.reason(), world.tickets.asked().len()), ("TICKET_MALFORMED", 0));
    let missing = world.workflow.prepare(&person(ANN), &World::wish("reader")).await.unwrap_err();
    assert_eq!((missing.reason(), world.tickets.asked().len()), ("TICKET_MISSING", 0));
}

#[tokio::test]
async fn a_policy_that_names_a_system_that_is_not_configured_does_not_come_into_force() {
    let world = World::new().await;
    let admin = with(99, AppRole::PolicyAdmin);
    let unknown = checked("").replace("\"changes\"", "\"calendar\"");
    let plan = world.workflow.plan(&admin, &unknown).await.unwrap_err();
    let apply = world.workflow.apply(&admin, &unknown, PolicyVersion(1)).await.unwrap_err();
    let propose = world.workflow.propose(&admin, &unknown, PolicyVersion(1)).await.unwrap_err();
    for refused in [plan, apply, propose] {
        assert_eq!(refused.reason(), "POLICY_INVALID");
        assert!(refused.to_string().contains("line 9: `role[0].ticket_check` names `calendar`"), "{refused}");
        assert!(refused.to_string().contains("no `[tickets.calendar]`; add it there"), "{refused}");
    }
}

#[tokio::test]
async fn a_proposal_whose_system_is_configured_no_more_is_not_confirmed() {
    let world = World::new().await;
    let text = checked("");
    world.workflow.propose(&with(99, AppRole::PolicyAdmin), &text, PolicyVersion(1)).await.unwrap();
    world.tickets.closed.store(true, Ordering::SeqCst);
    let digest = policy_digest(2, &text).to_string();
    let refused = world.workflow.confirm(&with(98, AppRole::PolicyAdmin), &digest).await.unwrap_err();
    assert_eq!(refused.reason(), "POLICY_INVALID");
    world.tickets.closed.store(false, Ordering::SeqCst);
    world.workflow.confirm(&with(98, AppRole::PolicyAdmin), &digest).await.unwrap();
}

#[tokio::test]
async fn a_system_that_is_configured_no_more_is_no_silence_that_might_be_let_pass() {
    let world = world_with(&checked("ticket_unanswered = \"allow\"")).await;
    world.tickets.closed.store(true, Ordering::SeqCst);
    let world = world.again().await;
    let refused = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap_err();
    assert_eq!((refused.reason(), world.tickets.asked().len()), ("TICKET_CHECK_MISSING", 0));
    assert!(refused.to_string().contains("[tickets.changes]"), "{refused}");
}

#[tokio::test]
async fn a_slow_ticket_system_holds_up_nobody_else_and_no_policy() {
    let world = Arc::new(world_with(&checked("")).await);
    world.tickets.says("CHG1", Said::Confirmed);
    let prepared = world.workflow.prepare(&person(ANN), &under("CHG1")).await.unwrap();
    world.tickets.at_desk.shut();
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.ask_with(ANN, world.request_id(), &under("CHG1"), &prepared).await }
    });
    world.tickets.at_desk.reached().await;
    // Others ask, and take back; a policy comes into force.
    let held = world.held(BEN, "writer").await;
    world.workflow.deactivate(&person(BEN), held).await.unwrap();
    world.apply(&policy()).await;
    world.tickets.at_desk.open();
    // And under the one that was replaced meanwhile nothing is asked.
    assert_eq!(asking.await.unwrap().unwrap_err().reason(), "REQUEST_CHANGED");
}
