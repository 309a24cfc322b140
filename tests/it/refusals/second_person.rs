//! What one policy admin alone does not change.

use elevate_tests::{POLICY, World};
use tonic::Code::{Aborted, FailedPrecondition, PermissionDenied};

use super::refused;

/// The tests' policy, in which nobody changes `user-admin` alone.
fn guarded() -> String {
    POLICY.replace("name = \"user-admin\"\n", "name = \"user-admin\"\nprotected = true\n")
}

async fn world() -> World {
    let world = World::start().await;
    // To protect it takes one person.
    world.grpc("eve").apply(&guarded(), 1).await.unwrap();
    world
}

#[tokio::test]
async fn a_protected_role_is_changed_by_two_people_and_both_are_on_record() {
    let world = world().await;
    let (eve, grace) = (world.grpc("eve"), world.grpc("grace"));
    let looser = guarded().replace("longest = \"2h\"", "longest = \"3h\"");
    let told =
        refused(&world, "apply", eve.apply(&looser, 2), PermissionDenied, "SECOND_PERSON_NEEDED").await;
    assert!(told.text.contains("`user-admin` is protected"), "{}", told.text);
    let proposed = eve.propose(&looser, 2).await.unwrap();
    assert_eq!((proposed.version, &proposed.text), (3, &looser));
    // It is in force for nobody, and who proposed it does not confirm it.
    assert_eq!(eve.policy_text().await.unwrap(), guarded());
    let own = eve.confirm(&proposed.digest);
    refused(&world, "own", own, PermissionDenied, "SECOND_PERSON_NEEDED").await;

    let read = grace.proposal().await.unwrap();
    assert_eq!(read.proposed_by.as_ref().unwrap().display_name, "Eve Ealdor");
    let applied = grace.confirm(&read.digest).await.unwrap();
    assert_eq!((applied.version, &applied.text), (3, &looser));
    let id = |who: Option<elevate_proto::v1::Principal>| who.unwrap().object_id;
    assert_eq!(id(applied.applied_by), elevate_sandbox::people::EVE.id);
    assert_eq!(id(applied.confirmed_by), elevate_sandbox::people::GRACE.id);
    let entry =
        eve.audit().await.unwrap().into_iter().rfind(|entry| entry.event == "policy-applied").unwrap();
    assert_eq!(entry.details["confirmed_by"], elevate_sandbox::people::GRACE.id);
    refused(&world, "again", grace.confirm(&read.digest), FailedPrecondition, "NO_PROPOSAL").await;

    // It outlives the process.
    world.restart().await;
    let shown = world.grpc("eve").policy_text().await.unwrap();
    assert_eq!(shown, looser);
}

#[tokio::test]
async fn a_way_round_a_protected_role_needs_a_second_person_too() {
    let world = world().await;
    let eve = world.grpc("eve");
    let (_, rest) =
        guarded().split_once("name = \"user-admin\"").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let block = format!("[[role]]\nname = \"side-door\"{}", rest.split("[role.proof]").next().unwrap());
    for (what, text) in [
        ("without protection", POLICY.to_owned()),
        ("removed", String::new()),
        ("side door", format!("{}\n{}", guarded(), block.replace("protected = true\n", ""))),
    ] {
        refused(&world, what, eve.apply(&text, 2), PermissionDenied, "SECOND_PERSON_NEEDED").await;
    }
    // Another role is nobody's concern but its own.
    assert_eq!(
        eve.apply(&guarded().replacen("longest = \"8h\"", "longest = \"7h\"", 1), 2).await.unwrap().version,
        3
    );
}

#[tokio::test]
async fn what_is_confirmed_is_what_was_read_against_the_version_it_was_read_against() {
    let world = world().await;
    let (eve, grace) = (world.grpc("eve"), world.grpc("grace"));
    refused(&world, "none", grace.confirm("00"), FailedPrecondition, "NO_PROPOSAL").await;
    let first = eve.propose(&guarded().replace("\"2h\"", "\"3h\""), 2).await.unwrap();
    let read = grace.proposal().await.unwrap();
    // Another is slipped under what Grace has read.
    eve.propose(&guarded().replace("\"2h\"", "\"9h\""), 2).await.unwrap();
    refused(&world, "slipped under", grace.confirm(&read.digest), Aborted, "REQUEST_CHANGED").await;

    // Another version comes into force: what was proposed against the one before is dead.
    let second = grace.proposal().await.unwrap();
    assert_ne!(first.digest, second.digest);
    eve.apply(&format!("{}# another\n", guarded()), 2).await.unwrap();
    refused(&world, "dead", grace.confirm(&second.digest), FailedPrecondition, "NO_PROPOSAL").await;
    refused(&world, "moved", eve.propose(&guarded(), 2), Aborted, "POLICY_MOVED").await;
}
