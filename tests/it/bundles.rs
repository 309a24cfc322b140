//! Several roles in one request: asked for, approved and taken back together, and held each by itself.

use elevate_client::Exit;
use elevate_proto::v1::{self as api, ActivationState as State, Outcome};
use elevate_sandbox::people::{ANN, DAVE, GLOBAL_READER, GROUPS_ADMINISTRATOR};
use elevate_sandbox::{Fault, Kind};
use elevate_tests::{POLICY, World, wish};
use tonic::Code::{Aborted, AlreadyExists, NotFound};

use crate::cli::Session;
use crate::refusals::refused;

const ASSIGNMENTS: &str = "/v1.0/roleManagement/directory/roleAssignments";

fn ids(activations: &[api::Activation]) -> Vec<String> {
    activations.iter().map(|one| one.id.clone()).collect()
}

#[tokio::test]
async fn people_ask_for_two_roles_and_one_yes_gives_them_both() {
    let mut session = Session::of(&["ann", "bob"]).await;
    let line = "groups-admin reader --reason-file FOLDER/reason.txt --yes";
    let told = session.types("ann", &format!("activate {line} --for 9h")).await;
    assert!(told.exit == Exit::Usage && told.err.contains("`groups-admin`, and with it all"), "{told:?}");
    let told = session.types("ann", "list").await;
    assert!(told.err.contains("Nothing is held"), "{told:?}");

    let told = session.types("ann", &format!("activate {line} --no-wait --output json")).await;
    let asked = told.json().unwrap();
    let states: Vec<_> = (0..2).map(|nth| asked["activations"][nth]["role"].clone()).collect();
    assert_eq!(states, ["groups-admin", "reader"]);
    let id = asked["activations"][0]["id"].as_str().unwrap().to_owned();
    let reader = asked["activations"][1]["id"].as_str().unwrap().to_owned();
    session.world.until(&reader, State::Active).await;
    assert!(!session.world.holds(&ANN, &GROUPS_ADMINISTRATOR), "nobody has said yes to it");
    let told = session.types("ann", &format!("show {id}")).await;
    assert!(told.out.contains("1 of 2 that were asked for together"), "{told:?}");
    assert!(told.out.contains("  reader  active, until"), "{told:?}");

    let told = session.types("bob", &format!("approve {id} --yes")).await;
    assert!(
        told.exit == Exit::Ok && told.err.contains("1 of 2 roles that were asked for together"),
        "{told:?}"
    );
    session.world.until(&id, State::Active).await;
    assert!(session.world.holds(&ANN, &GROUPS_ADMINISTRATOR) && session.world.holds(&ANN, &GLOBAL_READER));
    // Each is given back by itself.
    session.types("ann", &format!("deactivate {reader}")).await;
    session.world.pass_to(&reader, State::Closed, "5m").await;
    assert!(session.world.holds(&ANN, &GROUPS_ADMINISTRATOR) && !session.world.holds(&ANN, &GLOBAL_READER));
    session.world.compared().await;
}

#[tokio::test]
async fn whoever_waits_is_told_of_each_and_ends_when_all_are_held() {
    let mut session = Session::of(&["ann"]).await;
    let line = "activate reader exchange-admin --reason-file FOLDER/reason.txt --yes";
    let told = session.types("ann", line).await;
    assert_eq!(told.exit, Exit::Ok, "{told:?}");
    for held in ["You hold Global Reader until", "You hold exchange-admin until"] {
        assert!(told.out.contains(held), "{told:?}");
    }
}

#[tokio::test]
async fn a_yes_that_races_a_withdrawal_is_to_all_of_it_or_to_none() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let wishes = [wish("groups-admin"), wish("helpdesk-admin")];
    for round in 0..6 {
        let asked = ids(&ann.ask_together(&wishes).await.unwrap());
        let ready = bob.ready_to_approve_together(&asked[0]).await.unwrap();
        assert_eq!(ready.items.len(), 2);
        // One after the other, or at once.
        let (yes, back) = if round == 0 {
            let back = ann.withdraw_together(&asked[1]).await;
            (bob.approve_together_with(ready).await, back)
        } else {
            tokio::join!(bob.approve_together_with(ready), ann.withdraw_together(&asked[1]))
        };
        let mut approvals = Vec::new();
        for id in &asked {
            approvals.push(ann.show(id).await.unwrap().approvals.len());
        }
        let said = usize::from(yes.is_ok());
        assert_eq!(approvals, [said, said], "round {round}: {yes:?} and {back:?}");
        assert!(round > 0 || (yes.is_err() && back.is_ok()));
        // What the yes let begin is given back; what still waits is withdrawn.
        for id in &asked {
            if ann.withdraw(id).await.is_err() {
                world.until_that(id, |one| one.state() != State::Activating).await;
                let _ = ann.deactivate(id).await;
            }
            world.pass_to(id, State::Closed, "5m").await;
        }
        assert!(!world.holds(&ANN, &GROUPS_ADMINISTRATOR));
    }
    world.compared().await;
}

#[tokio::test]
async fn a_crash_between_the_record_and_the_grants_loses_none_of_them() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let down = Fault::on(ASSIGNMENTS, Kind::FailBefore { status: 503, retry_after: None }).method("POST");
    let fault = world.tenant.faults().add(down);
    let asked = ids(&ann
        .ask_together(&[wish("reader").lasting("1m"), wish("exchange-admin").lasting("1m")])
        .await
        .unwrap());
    world.kill().await;
    world.tenant.faults().clear(fault);
    assert!(world.tenant.directory().assignments().is_empty());
    world.restart().await;
    for id in &asked {
        world.pass_to(id, State::Active, "2m").await;
        assert_eq!(world.grpc("ann").show(id).await.unwrap().bundle_ids, asked);
    }
    assert_eq!(world.tenant.directory().assignments().len(), 2, "one assignment for each");
    for id in &asked {
        world.pass_to(id, State::Closed, "5m").await;
        assert_eq!(world.outcome(id).await, Outcome::Expired);
    }
    assert!(world.tenant.directory().assignments().is_empty());
    world.compared().await;
}

#[tokio::test]
async fn who_may_approve_one_of_them_says_yes_to_that_one_and_sees_no_other() {
    let world = World::start().await;
    let (head, rest) = POLICY.split_once("name = \"helpdesk-admin\"").unwrap();
    let of_dave = rest.replacen("count = 2", "count = 1", 1).replacen(
        "from = [\"group:5a4db0c5-0000-4000-8000-000000000101\"]",
        &format!("from = [\"user:{}\"]", DAVE.id),
        1,
    );
    world.grpc("eve").apply(&format!("{head}name = \"helpdesk-admin\"{of_dave}"), 1).await.unwrap();
    let (ann, bob, dave) = (world.grpc("ann"), world.grpc("bob"), world.grpc("dave"));
    let asked = ids(&ann.ask_together(&[wish("groups-admin"), wish("helpdesk-admin")]).await.unwrap());

    // Neither gets at what waits for the other, by whichever id.
    let call = bob.ready_to_approve_together(&asked[1]);
    refused(&world, "not Bob's", call, NotFound, "ACTIVATION_NOT_FOUND").await;
    refused(&world, "not Dave's", dave.show(&asked[0]), NotFound, "ACTIVATION_NOT_FOUND").await;
    let mut ready = bob.ready_to_approve_together(&asked[0]).await.unwrap();
    assert_eq!(ready.items.iter().map(|item| &item.id).collect::<Vec<_>>(), [&asked[0]]);
    let digest = ann.show(&asked[1]).await.unwrap().digest;
    let other = api::ApprovedItem { id: asked[1].clone(), digest, ..Default::default() };
    let one = ready.clone();
    ready.items.push(other);
    let call = bob.approve_together_with(ready);
    refused(&world, "one that was not shown", call, Aborted, "REQUEST_CHANGED").await;

    assert_eq!(bob.approve_together_with(one).await.unwrap().len(), 1);
    world.until(&asked[0], State::Active).await;
    let waiting = ann.show(&asked[1]).await.unwrap();
    assert_eq!((waiting.state(), waiting.approvals.len()), (State::AwaitingApproval, 0));
    dave.approve_together(&asked[1]).await.unwrap();
    world.until(&asked[1], State::Active).await;
}

#[tokio::test]
async fn a_no_to_one_ends_what_has_not_begun_and_a_taken_slot_leaves_nothing() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let asked = ids(&ann
        .ask_together(&[wish("reader"), wish("groups-admin"), wish("helpdesk-admin")])
        .await
        .unwrap());
    world.until(&asked[0], State::Active).await;
    bob.deny(&asked[1], "not today").await.unwrap();
    for id in &asked[1..] {
        let denied = ann.show(id).await.unwrap();
        assert_eq!((denied.outcome(), denied.detail.as_str()), (Outcome::Denied, "not today"));
    }
    assert!(world.holds(&ANN, &GLOBAL_READER), "what had begun is held on");
    let again = [wish("groups-admin"), wish("reader")];
    let call = ann.ask_together(&again);
    let told = refused(&world, "held already", call, AlreadyExists, "SLOT_TAKEN").await;
    assert!(told.text.starts_with("`reader`, and with it all that was asked together"), "{told:?}");
}
