//! Tickets that their own system is asked about: a real broker, and the ticket system beside the tenant.

use std::path::PathBuf;

use elevate_broker::doctor;
use elevate_client::Exit;
use elevate_proto::v1::{ActivationState as State, TicketVerdict as Verdict};
use elevate_sandbox::people::{ANN, GLOBAL_READER};
use elevate_sandbox::{Change, Fault, Kind, Tenant};
use elevate_tests::{Logs, POLICY, World, wish};
use tonic::Code::{FailedPrecondition, InvalidArgument, PermissionDenied, Unavailable};

use crate::cli::Session;
use crate::refusals::refused;

/// The tests' policy, in which `reader` wants a change.
fn checked(check: &str, more: &str) -> String {
    let rule = format!(
        "name = \"reader\"\nticket_required = true\nticket_pattern = \"CHG[0-9]{{4}}\"\nticket_system = \"Changes\"\n\
         ticket_check = \"{check}\"\n{more}"
    );
    POLICY.replacen("name = \"reader\"\n", &rule, 1)
}

/// Nobody here waits long.
fn soon(_: &Tenant, text: String) -> String {
    ["calendar", "changes"].iter().fold(text, |text, name| {
        text.replace(&format!("[tickets.{name}]\n"), &format!("[tickets.{name}]\ndeadline = \"300ms\"\n"))
    })
}

async fn world_with(policy: &str) -> World {
    let world = World::written(soon).await;
    world.grpc("eve").apply(policy, 1).await.unwrap();
    world
}

#[tokio::test]
async fn a_role_begins_under_a_change_that_its_calendar_confirms() {
    for check in ["calendar", "changes"] {
        let world = world_with(&checked(check, "")).await;
        world.tenant.tickets().put("CHG0001", Change::in_state("Implement"));
        world.tenant.tickets().put("CHG0002", Change::in_state("Draft"));
        let ann = world.grpc("ann");
        let under = |number: &str| wish("reader").under_one_of("Changes", number);
        for (what, asked, reason) in [
            ("no ticket", wish("reader"), "TICKET_MISSING"),
            ("another number", under("CHG1"), "TICKET_MALFORMED"),
            ("another system", wish("reader").under_one_of("Jira", "CHG0001"), "TICKET_MALFORMED"),
        ] {
            refused(&world, what, ann.ask(&asked), InvalidArgument, reason).await;
        }
        let told =
            refused(&world, "draft", ann.ask(&under("CHG0002")), PermissionDenied, "TICKET_REFUSED").await;
        assert!(told.text.contains("Draft"), "{told:?}");
        refused(&world, "unknown", ann.ask(&under("CHG0003")), PermissionDenied, "TICKET_REFUSED").await;
        assert!(!world.holds(&ANN, &GLOBAL_READER));

        let asked = ann.ask(&under("CHG0001")).await.unwrap();
        assert_eq!(asked.ticket_verdict(), Verdict::Confirmed);
        world.until(&asked.id, State::Active).await;
        assert!(world.holds(&ANN, &GLOBAL_READER));
        let audit = world.grpc("eve").audit().await.unwrap();
        let on_record = audit.iter().find(|entry| entry.event == "requested").unwrap();
        assert_eq!(on_record.details["ticket_verdict"], "confirmed");
        let refusals = audit.iter().filter(|entry| entry.event == "attempt-refused");
        let reasons: Vec<_> = refusals.map(|entry| entry.details["reason"].as_str()).collect();
        assert_eq!(reasons.iter().filter(|reason| **reason == "TICKET_REFUSED").count(), 2, "{reasons:?}");
    }
}

#[tokio::test]
async fn a_calendar_is_told_for_when_the_role_is_asked() {
    let world = world_with(&checked("calendar", "")).await;
    let hour = |hour| Some(format!("2026-01-05T{hour}:00:00Z").parse().unwrap());
    let window = Change { state: "Implement".to_owned(), from: hour("08"), until: hour("09") };
    world.tenant.tickets().put("CHG0001", window);
    let ann = world.grpc("ann");
    let two_hours = wish("reader").under_one_of("Changes", "CHG0001").lasting("2h");
    let told = refused(&world, "too long", ann.ask(&two_hours), PermissionDenied, "TICKET_REFUSED").await;
    assert!(told.text.contains("not to be carried out at that time"), "{told:?}");
    ann.ask(&two_hours.lasting("30m")).await.unwrap();
}

#[tokio::test]
async fn silence_and_slowness_are_a_no_unless_the_role_says_otherwise() {
    let slow = Fault::on("/tickets/**", Kind::Latency { milliseconds: 2000 });
    let broken = Fault::on("/tickets/**", Kind::FailBefore { status: 503, retry_after: None });
    let gone = Fault::on("/tickets/**", Kind::Drop);
    for check in ["calendar", "changes"] {
        let world = world_with(&checked(check, "")).await;
        world.tenant.tickets().put("CHG0001", Change::in_state("Implement"));
        let under = wish("reader").under_one_of("Changes", "CHG0001");
        let (ann, dave) = (world.grpc("ann"), world.grpc("dave"));
        for fault in [&slow, &broken, &gone] {
            let fault = world.tenant.faults().add(fault.clone());
            let told =
                refused(&world, "nobody answers", ann.ask(&under), Unavailable, "TICKET_UNANSWERED").await;
            assert!(told.again_in.is_some(), "{told:?}");
            world.tenant.faults().clear(fault);
        }
        world.grpc("eve").apply(&checked(check, "ticket_unanswered = \"allow\"\n"), 2).await.unwrap();
        let outage = world.tenant.faults().tickets_outage();
        let asked = ann.ask(&under).await.unwrap();
        assert_eq!(asked.ticket_verdict(), Verdict::Unanswered);
        world.until(&asked.id, State::Active).await;
        world.tenant.faults().clear(outage);
        // A no is a no all the same.
        world.tenant.tickets().put("CHG0001", Change::in_state("Closed"));
        refused(&world, "closed", dave.ask(&under), PermissionDenied, "TICKET_REFUSED").await;
    }
}

#[tokio::test]
async fn a_check_that_is_not_configured_does_not_come_into_force() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let told =
        refused(&world, "unknown", eve.apply(&checked("jira", ""), 1), InvalidArgument, "POLICY_INVALID")
            .await;
    let (place, problem) = &told.fields[0];
    assert!(place.contains("role[3].ticket_check") && problem.contains("no `[tickets.jira]`"), "{told:?}");
}

/// As [`soon`], and without the calendar once it is marked as gone.
fn perhaps_gone(tenant: &Tenant, text: String) -> String {
    let text = soon(tenant, text);
    if is_gone(tenant).exists() { text.replace("[tickets.calendar]", "[tickets.another]") } else { text }
}

fn is_gone(tenant: &Tenant) -> PathBuf {
    tenant.folder().join("calendar-is-gone")
}

#[tokio::test]
async fn a_check_that_left_the_configuration_lets_nobody_in_and_keeps_nothing_from_being_taken_back() {
    let world = World::written(perhaps_gone).await;
    let lenient = checked("calendar", "ticket_unanswered = \"allow\"\n");
    world.grpc("eve").apply(&lenient, 1).await.unwrap();
    world.tenant.tickets().put("CHG0001", Change::in_state("Implement"));
    let under = wish("reader").under_one_of("Changes", "CHG0001");
    let held = world.grpc("ann").ask(&under).await.unwrap();
    world.until(&held.id, State::Active).await;

    std::fs::write(is_gone(&world.tenant), "").unwrap();
    world.restart().await;
    let dave = world.grpc("dave");
    let told = refused(&world, "gone", dave.ask(&under), FailedPrecondition, "TICKET_CHECK_MISSING").await;
    assert!(told.text.contains("no `[tickets.calendar]`"), "{told:?}");
    let (eve, again) = (world.grpc("eve"), lenient + "# again\n");
    refused(&world, "again", eve.apply(&again, 2), InvalidArgument, "POLICY_INVALID").await;
    world.grpc("ann").deactivate(&held.id).await.unwrap();
    world.until(&held.id, State::Closed).await;
    assert!(!world.holds(&ANN, &GLOBAL_READER));
}

#[tokio::test]
async fn a_secret_that_is_gone_is_no_silence_and_the_broker_starts_without_it() {
    let world = world_with(&checked("changes", "ticket_unanswered = \"allow\"\n")).await;
    world.tenant.tickets().put("CHG0001", Change::in_state("Implement"));
    let under = wish("reader").under_one_of("Changes", "CHG0001");
    let secret = world.tenant.folder().join(elevate_sandbox::files::TICKETS_SECRET);
    let kept = std::fs::read_to_string(&secret).unwrap();
    std::fs::remove_file(&secret).unwrap();
    world.restart().await;
    let ann = world.grpc("ann");
    refused(&world, "no secret", ann.ask(&under), Unavailable, "TICKET_UNANSWERED").await;
    let address = world.address();
    let ill = doctor::examine(&world.config(address, address)).await.to_string();
    assert!(ill.contains("tickets-secret cannot be used"), "{ill}");
    // It is read at every use.
    std::fs::write(&secret, kept).unwrap();
    assert_eq!(ann.ask(&under).await.unwrap().ticket_verdict(), Verdict::Confirmed);
}

#[tokio::test]
async fn the_command_line_says_what_the_ticket_system_said() {
    let mut session = Session::on(world_with(&checked("calendar", "")).await);
    session.world.signed_in("ann").await;
    session.world.tenant.tickets().put("CHG0001", Change::in_state("Implement"));
    let ask = "activate reader --ticket CHG0001 --ticket-system Changes --reason-file FOLDER/reason.txt";
    let dry = session.types("ann", &format!("{ask} --dry-run")).await;
    assert!(dry.exit == Exit::Ok && dry.err.contains("Changes CHG0001, confirmed there"), "{dry:?}");
    let told = session.types("ann", &format!("{ask} --yes")).await;
    assert_eq!(told.exit, Exit::Ok, "{told:?}");
    let shown = session.types("ann", "show ID").await;
    assert!(shown.out.contains("Changes CHG0001, confirmed there"), "{shown:?}");
    session.types("ann", "deactivate ID").await;
    let id = session.newest().await;
    session.world.until(&id, State::Closed).await;
    session.world.tenant.tickets().put("CHG0001", Change::in_state("Closed"));
    let told = session.types("ann", &format!("{ask} --dry-run")).await;
    assert_eq!(told.exit, Exit::Refused, "{told:?}");
    assert!(told.err.contains("CHG0001 is in the state Closed"), "{told:?}");
    let outage = session.world.tenant.faults().tickets_outage();
    let told = session.types("ann", &format!("{ask} --yes")).await;
    assert_eq!(told.exit, Exit::Unreachable, "{told:?}");
    session.world.tenant.faults().clear(outage);
}

#[tokio::test]
async fn doctor_looks_at_every_ticket_system_and_no_secret_is_told() {
    let logs = Logs::kept();
    let world = world_with(&checked("calendar", "")).await;
    let address = world.address();
    let config = world.config(address, address);
    let well = doctor::examine(&config).await.to_string();
    for name in ["calendar", "changes"] {
        assert!(well.contains(&format!("ok    the ticket system `{name}` answers")), "{well}");
    }
    let outage = world.tenant.faults().tickets_outage();
    let ill = doctor::examine(&config).await.to_string();
    assert!(ill.contains("FAIL  the ticket system `calendar`"), "{ill}");
    assert!(ill.contains("do: check `url`, `secret_file` and `ca` under [tickets.calendar]"), "{ill}");
    world.grpc("ann").ask(&wish("reader").under_one_of("Changes", "CHG0001")).await.unwrap_err();
    world.tenant.faults().clear(outage);
    let secret_file = world.tenant.folder().join(elevate_sandbox::files::TICKETS_SECRET);
    let secret = std::fs::read_to_string(&secret_file).unwrap();
    std::fs::write(&secret_file, "not-the-canary").unwrap();
    let stranger = doctor::examine(&config).await.to_string();
    assert!(stranger.contains("the ticket system `changes`: it does not let the broker ask"), "{stranger}");
    let (text, metrics) = (logs.text(), world.admin("/metrics").await.1);
    assert!(text.contains("a ticket system gave no answer"), "the logs are not read here");
    for said in [&text, &metrics, &well, &ill, &stranger] {
        assert!(!said.contains(&secret) && !said.contains("not-the-canary"), "{said}");
    }
    assert!(metrics.contains("elevate_ticket_checks_total{said=\"unanswered\"} 1"), "{metrics}");
}
