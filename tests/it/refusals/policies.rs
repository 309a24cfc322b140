//! What is no policy, and what a change of policy does to requests under way.

use elevate_proto::v1 as api;
use elevate_tests::{Outcome, POLICY, State, World, wish};
use tonic::Code::{Aborted, FailedPrecondition, InvalidArgument};

use super::refused;

const FAULTY: &str = r#"[[role]]
name = "Two Words"
way = "magic"
role_definition = "fdd7a751"
eligible = []
longest = "soon"
colour = "red"

[[role]]
name = "b"
way = "pim"
role_definition = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
eligible = ["user:5a4db0c5-0000-4000-8000-000000000001"]
longest = "1m"

[[role.approval]]
count = 0
from = ["group:5a4db0c5-0000-4000-8000-000000000101"]

[role.proof]
strength = "some"
"#;

#[tokio::test]
async fn every_fault_of_a_policy_is_told_at_once_with_its_line_and_nothing_is_applied() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let faulty = || api::PlanPolicyRequest { text: FAULTY.to_owned() };
    let planned = async { eve.policy().plan_policy(eve.call(faulty())).await.map(drop) };
    let planned = refused(&world, "plan", planned, InvalidArgument, "POLICY_INVALID").await;
    let applied = refused(&world, "apply", eve.apply(FAULTY, 1), InvalidArgument, "POLICY_INVALID").await;
    assert_eq!(planned.fields, applied.fields, "to plan it and to apply it tell the same");
    let places: Vec<_> = applied.fields.iter().map(|(place, _)| place.as_str()).collect();
    for (line, key) in [
        (2, "name"),
        (3, "way"),
        (4, "role_definition"),
        (5, "eligible"),
        (6, "longest"),
        (7, "colour"),
        (14, "longest"),
        (17, "count"),
        (21, "strength"),
    ] {
        let found =
            places.iter().any(|place| place.starts_with(&format!("line {line}:")) && place.contains(key));
        assert!(found, "line {line} ({key}) is not among {places:#?}");
    }
    assert!(applied.text.contains("9 faults"), "{}", applied.text);

    let broken = refused(&world, "syntax", eve.apply("[[role", 1), InvalidArgument, "POLICY_INVALID").await;
    assert!(broken.fields[0].0.starts_with("line 1"), "{broken:?}");
    // What is in force goes on.
    world.grpc("ann").prepare(&wish("groups-admin")).await.unwrap();
}

#[tokio::test]
async fn a_policy_that_does_not_say_what_its_tests_expect_is_not_applied() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let test = "[[test]]\nname = \"ann\"\nwho = \"user:5a4db0c5-0000-4000-8000-000000000001\"\n";
    let failing = format!("{POLICY}{test}may = [\"user-admin\", \"reader\"]\n");
    let plan = || api::PlanPolicyRequest { text: failing.clone() };
    let planned = async { eve.policy().plan_policy(eve.call(plan())).await.map(drop) };
    refused(&world, "plan", planned, InvalidArgument, "POLICY_INVALID").await;
    let told = refused(&world, "apply", eve.apply(&failing, 1), InvalidArgument, "POLICY_INVALID").await;
    assert!(told.fields.len() == 1 && told.fields[0].1.contains("expected that `reader`"), "{told:?}");
    // The same test of a policy that says so.
    let staff = "groups = [\"group:5a4db0c5-0000-4000-8000-000000000102\"]\n";
    assert_eq!(eve.apply(&format!("{failing}{staff}"), 1).await.unwrap().version, 2);
}

#[tokio::test]
async fn a_policy_planned_against_an_older_one_is_not_applied() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    for (what, version) in [("none", 0), ("to come", 2), ("far away", i64::MAX)] {
        let told = refused(&world, what, eve.apply(POLICY, version), Aborted, "POLICY_MOVED").await;
        assert!(told.text.contains("version 1"), "{}", told.text);
    }
    refused(&world, "negative", eve.apply(POLICY, -1), InvalidArgument, "FIELD_INVALID").await;
    let other = format!("{POLICY}# another\n");
    assert_eq!(eve.apply(&other, 1).await.unwrap().version, 2);
    // Word for word what is in force is no new version, however often it is applied.
    let record = world.whole().await;
    assert_eq!(eve.apply(&other, 2).await.unwrap().version, 2);
    assert_eq!(world.whole().await, record);
}

#[tokio::test]
async fn two_policies_applied_at_one_moment_follow_each_other_or_one_is_refused() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let calls: Vec<_> = (0..6)
        .map(|nth| {
            let eve = eve.clone();
            tokio::spawn(async move { eve.apply(&format!("{POLICY}# another {nth}\n"), 1).await })
        })
        .collect();
    let mut applied = 0;
    for call in calls {
        applied += i32::from(call.await.unwrap().is_ok());
    }
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn what_was_prepared_under_one_policy_is_not_asked_under_the_next() {
    let world = World::start().await;
    let ann = world.grpc("ann");
    let prepared = ann.prepare(&wish("groups-admin")).await.unwrap();
    let message = wish("groups-admin").request(&prepared, ann.proof(prepared.challenge.as_ref().unwrap()));
    let other = POLICY.replace("longest = \"8h\"", "longest = \"7h\"");
    world.grpc("eve").apply(&other, 1).await.unwrap();
    let told = refused(&world, "old", ann.request(message.clone()), Aborted, "REQUEST_CHANGED").await;
    assert!(told.text.contains("prepare it again"), "{}", told.text);
    // To claim the new version does not help: the sign-in was for the old one.
    let mut claimed = message;
    claimed.policy_version = 2;
    refused(&world, "claimed", ann.request(claimed), tonic::Code::PermissionDenied, "PROOF_UNBOUND").await;
}

#[tokio::test]
async fn a_role_that_left_the_policy_is_neither_approved_nor_begun() {
    let world = World::start().await;
    let (ann, bob) = (world.grpc("ann"), world.grpc("bob"));
    let asked = ann.ask(&wish("groups-admin")).await.unwrap();
    let (_, rest) = POLICY.split_once("# Two approvers.").unwrap();
    world.grpc("eve").apply(rest, 1).await.unwrap();
    refused(&world, "approve", bob.approve(&asked.id), Aborted, "REQUEST_CHANGED").await;
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn who_is_eligible_no_more_when_it_begins_is_granted_nothing() {
    let world = World::start().await;
    let asked = world.grpc("ann").ask(&wish("groups-admin")).await.unwrap();
    let staff = elevate_sandbox::people::STAFF.id;
    assert!(world.tenant.directory().remove_member(staff, elevate_sandbox::people::ANN.id));
    world.grpc("bob").approve(&asked.id).await.unwrap();
    let ended = world.until(&asked.id, State::Closed).await;
    assert_eq!(
        (ended.outcome(), ended.detail.as_str()),
        (Outcome::Failed, "the role is no longer offered to you")
    );
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn before_the_first_policy_there_is_none_to_show() {
    let world = World::without_policy(&[]).await;
    let eve = world.grpc("eve");
    let show =
        async { eve.policy().get_policy(eve.call(api::GetPolicyRequest { version: 0 })).await.map(drop) };
    refused(&world, "show", show, FailedPrecondition, "NO_POLICY").await;
}

#[tokio::test]
async fn an_earlier_version_can_be_had_again_word_for_word_and_one_that_never_was_cannot() {
    let world = World::start().await;
    let eve = world.grpc("eve");
    let mut texts = vec![POLICY.to_owned()];
    for nth in 1..4 {
        texts.push(format!("{POLICY}# the {nth}th\n"));
        eve.apply(&texts[nth], i64::try_from(nth).unwrap()).await.unwrap();
    }
    let get = async |version| {
        let request = eve.call(api::GetPolicyRequest { version });
        let policy = eve.policy().get_policy(request).await?.into_inner();
        Ok::<_, tonic::Status>((policy.version, policy.text))
    };
    for (nth, text) in texts.iter().enumerate() {
        let version = i64::try_from(nth).unwrap() + 1;
        assert_eq!(get(version).await.unwrap(), (version, text.clone()));
    }
    assert_eq!(get(0).await.unwrap().0, 4);
    let none = async { get(5).await.map(drop) };
    refused(&world, "none", none, FailedPrecondition, "NO_POLICY").await;
}

#[tokio::test]
async fn a_plan_says_who_gains_and_loses_what_and_what_becomes_of_live_activations() {
    let world = World::start().await;
    let (ann, eve) = (world.grpc("ann"), world.grpc("eve"));
    let held = ann.ask(&wish("reader")).await.unwrap();
    world.until(&held.id, State::Active).await;
    let waiting = ann.ask(&wish("groups-admin")).await.unwrap();
    let plan = async |text: &str| {
        let request = eve.call(api::PlanPolicyRequest { text: text.to_owned() });
        eve.policy().plan_policy(request).await.unwrap().into_inner().changes
    };
    let live = |change: &api::RoleChange| {
        let told = |live: &api::LiveActivation| (live.activation.clone().unwrap().id, live.fate.clone());
        change.live.iter().map(told).collect::<Vec<_>>()
    };
    let shifts = |shifts: &[api::Shift]| {
        let told = |shift: &api::Shift| format!("{} {} ({})", shift.right, shift.subject, shift.display_name);
        shifts.iter().map(told).collect::<Vec<_>>()
    };

    // Dave instead of Staff may read, and Approvers say no more yes to groups-admin but Carol does.
    let (staff, approvers) =
        ("group:5a4db0c5-0000-4000-8000-000000000102", "group:5a4db0c5-0000-4000-8000-000000000101");
    let (carol, dave) =
        ("user:5a4db0c5-0000-4000-8000-000000000003", "user:5a4db0c5-0000-4000-8000-000000000004");
    let (groups, rest) = POLICY.split_once("# Two approvers.").unwrap();
    let (between, reader) = rest.split_once("# Nobody has to say yes.").unwrap();
    let text = [groups.replace(approvers, carol).as_str(), between, reader.replacen(staff, dave, 1).as_str()]
        .concat();
    let changes = plan(&text).await;
    let [groups, reader] = changes.as_slice() else { panic!("{changes:#?}") };
    assert_eq!(shifts(&groups.gains), [format!("approve {carol} (Carol Cooper)")]);
    assert_eq!(shifts(&groups.loses), [format!("approve {approvers} (Approvers)")]);
    assert_eq!(live(groups), [(waiting.id.clone(), "checked-again".to_owned())]);
    assert_eq!(shifts(&reader.gains), [format!("ask {dave} (Dave Dyer)")]);
    assert_eq!(shifts(&reader.loses), [format!("ask {staff} (Staff)")]);
    assert_eq!(live(reader), [(held.id.clone(), "keeps-terms".to_owned())]);

    // What is asked for and not there any more does not begin; what is held stays.
    let changes = plan("").await;
    let of = |role: &str| changes.iter().find(|change| change.role == role).unwrap();
    assert_eq!(live(of("groups-admin")), [(waiting.id.clone(), "will-not-begin".to_owned())]);
    assert_eq!(live(of("reader")), [(held.id.clone(), "keeps-terms".to_owned())]);
    assert_eq!(of("reader").live_activation_ids, [held.id]);
}
