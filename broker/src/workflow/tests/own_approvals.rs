//! The asker's own yes: off, unless a role says so.

use elevate_core::approval::ApprovalRefusal;

use super::world::*;
use crate::ports::Journal as _;
use crate::ports::journal::Page;
use crate::workflow::Refusal;

const OWN: Refusal = Refusal::Approval(ApprovalRefusal::Own);

/// The policy, in which one's own yes counts for `admin` (two leads).
fn with_own() -> String {
    policy().replace("approval_window = \"1h\"", "approval_window = \"1h\"\nown_approval = true")
}

async fn world_with(policy: &str) -> World {
    let world = World::new().await;
    world.apply(policy).await;
    // Ann leads too.
    world.directory.put_in(object(ANN), object(LEADS));
    world
}

#[tokio::test]
async fn where_the_role_says_so_the_askers_own_yes_takes_one_place() {
    let world = world_with(&with_own()).await;
    let id = world.asked(ANN, "admin").await;
    let pending = world.workflow.pending(&person(ANN), &Page { limit: 10, after: None }).await.unwrap();
    assert_eq!(pending.activations.len(), 1);
    let own = world.yes(ANN, id).await.unwrap();
    assert_eq!((own.still_needed(), own.is_own(&own.approvals[0])), (1, true));
    assert_eq!(world.yes(ANN, id).await.unwrap_err(), Refusal::Approval(ApprovalRefusal::Twice));
    world.settle_all().await;
    assert_eq!((world.word(id).await, world.directory.calls("grant")), ("awaiting approval", 0));
    world.yes(LEA, id).await.unwrap();
    world.settle_all().await;
    assert_eq!(world.word(id).await, "active");
}

#[tokio::test]
async fn an_asker_who_is_no_approver_has_no_yes_of_their_own() {
    let world = world_with(&with_own()).await;
    let id = world.asked(BEN, "admin").await;
    assert_eq!(world.yes(BEN, id).await.unwrap_err(), Refusal::Approval(ApprovalRefusal::NotAnApprover));
}

#[tokio::test]
async fn own_approval_must_stand_when_it_is_asked_and_when_the_yes_is_said() {
    for (asked_under, answered_under) in [(with_own(), policy()), (policy(), with_own())] {
        let world = world_with(&asked_under).await;
        let id = world.asked(ANN, "admin").await;
        world.apply(&answered_under).await;
        assert_eq!(world.yes(ANN, id).await.unwrap_err(), OWN);
        assert!(world.store.load(id).await.unwrap().unwrap().approvals.is_empty());
    }
}
