//! A first policy, out of what the tenant holds: it is without a fault, comes into force, and gives the roles.

use elevate_sandbox::directory::{Privilege, Relation, RoleSettings};
use elevate_sandbox::people::{self, ANN, APPROVERS, AUTOMATION, BOB, DAVE, EVE, STAFF};
use elevate_tests::{State, World, wish};

fn role(role: &people::Role, scope: &str) -> Privilege {
    Privilege::Role { role: role.id.to_owned(), scope: scope.to_owned() }
}

/// A tenant as tenants are on the first day.
fn lived_in(world: &World) {
    let directory = world.tenant.directory();
    let unit = format!("/administrativeUnits/{}", people::UNIT);
    let eligible = |who: &str, what: Privilege| directory.make_eligible(who, what, None).map(drop).unwrap();
    let standing = |who: &str, role: &people::Role| {
        directory.assign_in_portal(who, role.id, "/").map(drop).unwrap();
    };
    standing(EVE.id, &people::GLOBAL_ADMINISTRATOR);
    standing(AUTOMATION.object_id, &people::SECURITY_READER);
    standing(people::TIER0_OPERATORS.id, &people::HELPDESK_ADMINISTRATOR);
    standing(DAVE.id, &people::GLOBAL_READER);
    eligible(ANN.id, role(&people::GROUPS_ADMINISTRATOR, "/"));
    eligible(BOB.id, role(&people::USER_ADMINISTRATOR, &unit));
    eligible(
        ANN.id,
        Privilege::Group { group: people::TIER0_OPERATORS.id.to_owned(), relation: Relation::Member },
    );
    let settings = RoleSettings {
        longest: "PT2H".to_owned(),
        approval: true,
        approvers: vec![APPROVERS.id.to_owned()],
        ticket: true,
        ..RoleSettings::default()
    };
    directory.set_role_settings(&role(&people::GROUPS_ADMINISTRATOR, "/"), settings);
}

#[tokio::test]
async fn what_is_imported_is_without_a_fault_comes_into_force_and_gives_the_roles_on_pims_terms() {
    let world = World::without_policy(&[]).await;
    lived_in(&world);
    let eve = world.signed_in("eve").await;
    let folder = world.folder().join("policy").display().to_string();
    let told = eve.types(&["policy", "import", &folder]).await;
    assert_eq!(told.exit.code(), 0, "{}{}", told.out, told.err);
    let lint = eve.types(&["policy", "lint", &folder]).await;
    assert_eq!(lint.exit.code(), 0, "{}{}", lint.out, lint.err);
    assert!(lint.out.contains(" 0 faults, "), "{}", lint.out);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected = [
        "00-import.toml",
        "global-administrator.toml",
        "global-reader.toml",
        "groups-administrator.toml",
        "helpdesk-administrator.toml",
        "tier-0-operators-member.toml",
        "user-administrator-in-branch-office.toml",
    ];
    assert_eq!(files, expected);
    let preface = std::fs::read_to_string(format!("{folder}/00-import.toml")).unwrap();
    assert!(preface.contains("no role of Security Reader") && preface.contains(AUTOMATION.name), "{preface}");

    let applied = eve.types(&["policy", "apply", "--yes", &folder]).await;
    assert_eq!(applied.exit.code(), 0, "{}{}", applied.out, applied.err);
    let ann = world.grpc("ann");
    ann.ask(&wish("groups-administrator").lasting("3h").under("INC1")).await.unwrap_err();
    ann.ask(&wish("groups-administrator").lasting("1h")).await.unwrap_err();
    let asked = ann.ask(&wish("groups-administrator").lasting("1h").under("INC1")).await.unwrap();
    assert_eq!((asked.state(), asked.approvals_needed), (State::AwaitingApproval, 1));
    world.grpc("bob").approve(&asked.id).await.unwrap();
    world.until(&asked.id, State::Active).await;

    // What the broker granted by it is nobody's for good: it changes nothing of a second import.
    let again = world.folder().join("again").display().to_string();
    let told = eve.types(&["policy", "import", &again]).await;
    assert_eq!(told.exit.code(), 0, "{}{}", told.out, told.err);
    for file in files {
        let read = |folder: &str| std::fs::read_to_string(format!("{folder}/{file}")).unwrap();
        assert_eq!(read(&folder), read(&again), "{file}");
    }
}

#[tokio::test]
async fn without_a_licence_only_what_is_held_for_good_is_imported_and_the_import_says_so() {
    let world = World::without_policy(&[]).await;
    lived_in(&world);
    world.tenant.change_behaviour(|behaviour| behaviour.premium = false);
    let eve = world.signed_in("eve").await;
    let told = eve.types(&["policy", "import", "--output", "json"]).await;
    assert_eq!(told.exit.code(), 0, "{}{}", told.out, told.err);
    let told = told.json().unwrap();
    assert!(told["notes"].to_string().contains("no licence"), "{}", told["notes"]);
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("way = \"assignment\"") && !text.contains("way = \"pim"), "{text}");
    assert!(text.contains(DAVE.id) && !text.contains(BOB.id), "{text}");

    let dave = world.signed_in("dave").await;
    let refused = dave.types(&["policy", "import"]).await;
    assert_eq!(refused.exit.code(), 4, "{}{}", refused.out, refused.err);
    assert!(!refused.out.contains(STAFF.id));
}

#[tokio::test]
async fn an_import_that_graph_does_not_answer_whole_is_none() {
    let world = World::without_policy(&[]).await;
    lived_in(&world);
    let outage = world.tenant.faults().graph_outage();
    let eve = world.signed_in("eve").await;
    let path = world.folder().join("policy");
    let told = eve.types(&["policy", "import", &path.display().to_string()]).await;
    assert_ne!(told.exit.code(), 0, "{}{}", told.out, told.err);
    assert!(!path.exists());
    world.tenant.faults().clear(outage);
}
