//! Every verb in every state that an activation can stand in.

use elevate_proto::v1::Activation;
use elevate_sandbox::{Fault, Kind};
use elevate_tests::{State, World, wish};
use tonic::{Code, Status};

use super::refused;

/// What a verb does in a state.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    /// It is legal there, and moves it: told by the stories.
    Moves,
    /// What it wants is so already: it succeeds and changes nothing.
    Nothing,
    /// It cannot follow.
    Wrong,
}
use Does::{Moves, Nothing, Wrong};

const GRAPH: &str = "/v1.0/roleManagement/directory/roleAssignments";

/// An activation of Ann's in the state of this name.
async fn bring(world: &World, state: &str) -> String {
    let (ann, bob, eve) = (world.grpc("ann"), world.grpc("bob"), world.grpc("eve"));
    let faults = world.tenant.faults();
    let id = ann.ask(&wish("groups-admin").lasting("1h")).await.unwrap().id;
    let is_held = async |id: &str| {
        bob.approve(id).await.unwrap();
        world.until(id, State::Active).await;
    };
    match state {
        "awaiting approval" => {}
        "scheduled" => {
            faults.add(Fault::on(GRAPH, Kind::FailBefore { status: 503, retry_after: None }).method("GET"));
            bob.approve(&id).await.unwrap();
            world.until_that(&id, |shown| shown.state() == State::Scheduled && shown.tries > 0).await;
        }
        "activating" => {
            faults.add(Fault::on(GRAPH, Kind::FailBefore { status: 500, retry_after: None }).method("POST"));
            bob.approve(&id).await.unwrap();
            world.until_that(&id, |shown| shown.state() == State::Activating && shown.tries > 0).await;
        }
        "active" => is_held(&id).await,
        "revoking" => {
            is_held(&id).await;
            faults
                .add(Fault::on(GRAPH, Kind::FailBefore { status: 500, retry_after: None }).method("DELETE"));
            ann.deactivate(&id).await.unwrap();
            world.until_that(&id, |shown| shown.state() == State::Revoking && shown.tries > 0).await;
        }
        "denied" => drop(bob.deny(&id, "no").await.unwrap()),
        "withdrawn" => drop(ann.withdraw(&id).await.unwrap()),
        "lapsed" => {
            world.advance("4h");
            world.until(&id, State::Closed).await;
        }
        "failed" => {
            world.tenant.directory().set_permissions(
                &elevate_sandbox::people::BROKER,
                ["GroupMember.Read.All", "User.Read.All", "RoleManagement.Read.Directory"],
            );
            bob.approve(&id).await.unwrap();
            world.until(&id, State::Closed).await;
        }
        "expired" => {
            is_held(&id).await;
            world.advance("1h");
            world.until(&id, State::Closed).await;
        }
        "revoked" => {
            is_held(&id).await;
            eve.revoke(&id, "no").await.unwrap();
            world.until(&id, State::Closed).await;
        }
        other => panic!("nobody knows how to bring one to be {other}"),
    }
    id
}

#[tokio::test]
async fn a_verb_that_cannot_follow_says_where_it_stands_and_changes_nothing() {
    //                      approve deny     withdraw deactivate revoke
    let table: [(&str, [Does; 5]); 11] = [
        ("awaiting approval", [Moves, Moves, Moves, Wrong, Moves]),
        ("scheduled", [Wrong, Wrong, Moves, Wrong, Moves]),
        ("activating", [Wrong, Wrong, Wrong, Moves, Moves]),
        ("active", [Wrong, Wrong, Wrong, Moves, Moves]),
        ("revoking", [Wrong, Wrong, Wrong, Nothing, Nothing]),
        ("denied", [Wrong, Nothing, Wrong, Wrong, Wrong]),
        ("withdrawn", [Wrong, Wrong, Nothing, Wrong, Wrong]),
        ("lapsed", [Wrong, Wrong, Wrong, Wrong, Wrong]),
        ("failed", [Wrong, Wrong, Wrong, Wrong, Wrong]),
        ("expired", [Wrong, Wrong, Wrong, Nothing, Wrong]),
        ("revoked", [Wrong, Wrong, Wrong, Nothing, Wrong]),
    ];
    for (state, does) in table {
        let world = World::start().await;
        let id = bring(&world, state).await;
        let (ann, carol, eve) = (world.grpc("ann"), world.grpc("carol"), world.grpc("eve"));
        for (verb, does) in ["approve", "deny", "withdraw", "deactivate", "revoke"].into_iter().zip(does) {
            let call = async || -> Result<Activation, Status> {
                match verb {
                    "approve" => carol.approve(&id).await,
                    "deny" => carol.deny(&id, "no").await,
                    "withdraw" => ann.withdraw(&id).await,
                    "deactivate" => ann.deactivate(&id).await,
                    _ => eve.revoke(&id, "no").await,
                }
            };
            let what = format!("to {verb} what is {state}");
            match does {
                Moves => {}
                Nothing => {
                    let before = world.whole().await;
                    call().await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
                    assert_eq!(world.whole().await, before, "{what}");
                }
                Wrong => drop(refused(&world, &what, call(), Code::FailedPrecondition, "WRONG_STATE").await),
            }
        }
    }
}
