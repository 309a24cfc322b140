use serde_json::json;

use super::*;
use crate::ports::Directory;
use crate::ports::directory::{Assignment, GrantAnswer, Held, RevokeAnswer};

const WAY: Way = Way::Group;
const GROUP: &str = GROUPS_ADMIN;

pub(super) fn name() -> AssignmentId {
    id(&format!("{GROUP}_member_{ANN}"))
}

pub(super) fn owner() -> Target {
    Target::Group(Membership { group: GROUP.parse().unwrap(), relation: Relation::Owner })
}

pub(super) fn get() -> String {
    format!("GET groups/{GROUP}/members/{ANN}/$ref")
}

pub(super) fn list() -> String {
    format!("GET groups/{GROUP}/members?$select=id&$top=999")
}

pub(super) fn owners() -> String {
    format!("GET groups/{GROUP}/owners?$select=id&$top=999")
}

fn add() -> String {
    format!("POST groups/{GROUP}/members/$ref")
}

fn remove() -> String {
    format!("DELETE groups/{GROUP}/members/{ANN}/$ref")
}

pub(super) fn user(id: &str) -> Value {
    json!({ "@odata.type": "#microsoft.graph.user", "id": id })
}

pub(super) fn shown() -> Reply {
    // As Graph spells it, and not as it was sent.
    let address = format!(
        "https://graph.microsoft.com/v2/{TENANT}/directoryObjects/{}/Microsoft.DirectoryServices.User",
        ANN.to_uppercase()
    );
    ok(json!({ "@odata.id": address }))
}

fn bad(message: &str) -> Reply {
    reply(400, json!({ "error": { "code": "Request_BadRequest", "message": message } }).to_string())
}

fn there_already() -> Reply {
    bad("One or more added object references already exist for the following modified properties: 'members'.")
}

fn not_there() -> Reply {
    bad(
        "One or more removed object references do not exist for the following modified properties: 'members'.",
    )
}

fn last_owner() -> Reply {
    bad("The group must have at least one owner, hence this owner cannot be removed.")
}

fn wait_of(answer: &RevokeAnswer) -> Option<u64> {
    match answer {
        RevokeAnswer::NotYet { after, .. } => Some(after.map_or(0, |after| after.as_secs())),
        RevokeAnswer::Gone => None,
    }
}

#[tokio::test]
async fn a_member_is_added_by_reference_and_has_a_name() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(add(), reply(204, ""));
    assert_eq!(graph.grant(&first_try(WAY)).await, GrantAnswer::Done(name()));
    let seen = stub.is_done();
    let object = stub.url(&format!("/v1.0/directoryObjects/{ANN}")).to_string();
    assert_eq!(seen[0].json(), json!({ "@odata.id": object }));
    assert!(!format!("{seen:?}").contains("INC7"), "the justification stays in the record");
}

#[tokio::test]
async fn each_answer_to_a_first_try_has_one_meaning() {
    for (answer, words) in [
        (there_already(), "somebody else gave you this place"),
        (problem(403, "Authorization_RequestDenied"), "elevated doctor"),
        (bad("Unable to update the specified properties for on-premises mastered"), "elevated doctor"),
        (reply(400, "<html>"), "status 400"),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(add(), answer.clone());
        match graph.grant(&first_try(WAY)).await {
            GrantAnswer::Refused(said) => {
                assert!(said.contains(words), "{answer:?}: {said}");
                assert!(!said.contains("://") && !said.contains("role"), "{said}");
            }
            other => panic!("{answer:?} became {other:?}"),
        }
        stub.is_done();
    }
    for (answer, wait) in [
        (missing(), None),
        (problem(409, "Directory_ConcurrencyViolation").with("retry-after", "3"), Some(3)),
        (problem(429, "TooManyRequests").with("retry-after", "7.5"), Some(7)),
        (problem(500, "x"), None),
        (problem(503, "x").with("retry-after", "12"), Some(12)),
        (problem(504, "x"), None),
        (lost(), None),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(add(), answer.clone());
        match graph.grant(&first_try(WAY)).await {
            GrantAnswer::Unclear { after, .. } => assert_eq!(after.map(|after| after.as_secs()), wait),
            other => panic!("{answer:?} became {other:?}"),
        }
        stub.is_done();
    }
}

#[tokio::test]
async fn a_later_try_reads_before_it_sends() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), shown());
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(name()), "its reply was lost");

    // By its address it is not there yet, and the list is ahead.
    stub.expect(get(), missing()).expect(list(), value(&[user(BEN), user(ANN)]));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(name()));

    stub.expect(get(), missing()).expect(list(), nothing()).expect(add(), reply(204, ""));
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(name()), "it never arrived");

    stub.expect(get(), problem(500, "x"));
    let answer = graph.grant(&later_try(WAY)).await;
    assert!(matches!(answer, GrantAnswer::Unclear { .. }), "nothing is sent unseen: {answer:?}");
    stub.is_done();
}

#[tokio::test]
async fn who_is_there_already_after_an_earlier_try_is_read_back() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), missing())
        .expect(list(), nothing())
        .expect(add(), there_already())
        .expect(get(), shown());
    assert_eq!(graph.grant(&later_try(WAY)).await, GrantAnswer::Done(name()));

    stub.expect(get(), missing())
        .expect(list(), nothing())
        .expect(add(), there_already())
        .expect(get(), missing())
        .expect(list(), nothing());
    let answer = graph.grant(&later_try(WAY)).await;
    assert!(matches!(answer, GrantAnswer::Unclear { after: Some(_), .. }), "reads lag: {answer:?}");
    stub.is_done();
}

#[tokio::test]
async fn nothing_is_sent_when_its_time_is_up() {
    let Bench { stub, clock, graph } = bench().await;
    clock.advance(3600);
    assert!(matches!(graph.grant(&first_try(WAY)).await, GrantAnswer::Unclear { .. }));
    stub.is_done();
}

#[tokio::test]
async fn only_a_place_of_ones_own_counts_as_held() {
    let Bench { stub, graph, .. } = bench().await;
    let look = async || graph.look(slot().principal, &target(WAY)).await;
    stub.expect(get(), shown());
    assert_eq!(look().await, Ok(Held::By(name())));

    // She is in a group that is in the group: its list shows that group, and not her.
    let nested = json!({ "@odata.type": "#microsoft.graph.group", "id": BEN });
    stub.expect(get(), missing()).expect(list(), value(&[nested, json!({})]));
    assert_eq!(look().await, Ok(Held::Nothing));
    for seen in stub.is_done() {
        assert_eq!(seen.header("consistencylevel"), None);
        assert!(
            !seen.line.contains("transitive") && !seen.line.contains("checkMemberGroups"),
            "{}",
            seen.line
        );
    }

    stub.expect(get(), missing()).expect(list(), missing());
    assert!(look().await.unwrap_err().reason.contains("no group"), "a group that is not there");
    let bens = format!("https://graph.microsoft.com/v1.0/directoryObjects/{BEN}");
    stub.expect(get(), ok(json!({ "@odata.id": bens })));
    assert!(look().await.is_err(), "an answer about somebody else");
    for broken in [problem(500, "x"), problem(403, "x"), ok(json!({ "values": [] }))] {
        stub.expect(get(), missing()).expect(list(), broken);
        assert!(look().await.is_err());
    }
    stub.is_done();
}

#[tokio::test]
async fn everybody_in_the_group_itself_is_listed_on_all_pages() {
    let Bench { stub, graph, .. } = bench().await;
    let next = stub.url(&format!("/v1.0/groups/{GROUP}/members?page=2")).to_string();
    let first = json!({ "value": [user(BEN)], "@odata.nextLink": next });
    stub.expect(list(), ok(first))
        .expect(format!("GET groups/{GROUP}/members?page=2"), value(&[user(ANN), json!({ "id": "?" })]));
    let ben = Principal { object: BEN.parse().unwrap(), ..slot().principal };
    let wanted = [(format!("{GROUP}_member_{BEN}"), ben), (name().to_string(), slot().principal)];
    let wanted = wanted.map(|(name, who)| Assignment { id: id(&name), slot: target(WAY).slot(who) });
    assert_eq!(graph.assignments(&target(WAY)).await.unwrap(), wanted);
    stub.is_done();
}

#[tokio::test]
async fn a_member_is_removed_by_reference_and_read_back() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), shown())
        .expect(remove(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), value(&[user(BEN)]));
    assert_eq!(graph.revoke(&revocation(WAY, Some(name().as_str()))).await, RevokeAnswer::Gone);
    let seen = stub.is_done();
    assert!(seen[1].line.ends_with("/$ref"), "without it, the person is deleted");
    assert_eq!(seen[1].header("x-ms-throttle-priority"), Some("High"));
}

#[tokio::test]
async fn who_is_removed_and_still_shown_is_not_removed_twice_at_once() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(name().as_str()));
    stub.expect(get(), shown()).expect(remove(), reply(204, "")).expect(get(), shown());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(2));
    clock.advance(2);
    // By its address it is gone, and the list still shows it.
    stub.expect(get(), missing()).expect(list(), value(&[user(ANN)]));
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(2));
    clock.advance(2);
    stub.expect(get(), missing()).expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();

    // One that did not last is done again, half a minute later.
    stub.expect(get(), shown()).expect(remove(), reply(204, "")).expect(get(), shown());
    assert!(wait_of(&graph.revoke(&permit).await).is_some());
    clock.advance(30);
    stub.expect(get(), shown())
        .expect(remove(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn who_no_read_shows_yet_is_removed_all_the_same() {
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(get(), missing())
        .expect(list(), nothing())
        .expect(remove(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&revocation(WAY, Some(name().as_str()))).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn not_being_there_to_be_removed_proves_nothing() {
    for answer in [missing(), not_there(), lost()] {
        let Bench { stub, clock, graph } = bench().await;
        let permit = revocation(WAY, Some(name().as_str()));
        stub.expect(get(), shown()).expect(remove(), answer.clone());
        let is_lost = answer.cut.is_some();
        if !is_lost {
            stub.expect(get(), missing()).expect(list(), nothing());
        }
        assert_eq!(wait_of(&graph.revoke(&permit).await), Some(if is_lost { 0 } else { 30 }));
        let rest = if is_lost { vec![(0, Some(30)), (30, None)] } else { vec![(29, Some(1)), (1, None)] };
        for (passed, wait) in rest {
            clock.advance(passed);
            stub.expect(get(), missing()).expect(list(), nothing());
            if passed == 0 {
                stub.expect(remove(), not_there()).expect(get(), missing()).expect(list(), nothing());
            }
            assert_eq!(wait_of(&graph.revoke(&permit).await), wait, "{answer:?}");
        }
        stub.is_done();
    }
}

#[tokio::test]
async fn each_failure_to_remove_leaves_it_to_be_tried_again() {
    for (answer, wait) in [
        (problem(403, "Authorization_RequestDenied"), 0),
        (bad("something else"), 0),
        (problem(429, "x").with("retry-after", "9"), 9),
        (problem(500, "x"), 0),
        (problem(503, "x").with("retry-after", "2.128"), 2),
    ] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(get(), shown()).expect(remove(), answer.clone());
        assert_eq!(wait_of(&graph.revoke(&revocation(WAY, None)).await), Some(wait), "{answer:?}");
        stub.is_done();
    }
}

#[tokio::test]
async fn a_grant_never_heard_of_is_looked_for_twice_and_taken_back_when_it_got_through() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, None);
    stub.expect(get(), missing()).expect(list(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30));
    clock.advance(30);
    stub.expect(get(), missing())
        .expect(list(), value(&[user(ANN)]))
        .expect(remove(), reply(204, ""))
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}

#[tokio::test]
async fn a_person_or_a_group_that_was_deleted_holds_nothing() {
    for listed in [nothing(), missing()] {
        let Bench { stub, clock, graph } = bench().await;
        let permit = revocation(WAY, Some(name().as_str()));
        for wait in [Some(30), None] {
            stub.expect(get(), missing()).expect(list(), listed.clone());
            if wait.is_some() {
                stub.expect(remove(), missing()).expect(get(), missing()).expect(list(), listed.clone());
            }
            assert_eq!(wait_of(&graph.revoke(&permit).await), wait);
            clock.advance(30);
        }
        stub.is_done();
    }
    // And to a person that is not there nothing is given, now or ever.
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(add(), missing());
    let answer = graph.grant(&first_try(WAY)).await;
    assert!(matches!(answer, GrantAnswer::Unclear { .. }), "may be known later: {answer:?}");
    stub.is_done();
}

#[tokio::test]
async fn a_read_that_failed_is_no_sight_of_absence() {
    let Bench { stub, clock, graph } = bench().await;
    let permit = revocation(WAY, Some(name().as_str()));
    stub.expect(get(), missing()).expect(list(), problem(500, "x"));
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(0));
    clock.advance(60);
    stub.expect(get(), missing())
        .expect(list(), nothing())
        .expect(remove(), missing())
        .expect(get(), missing())
        .expect(list(), nothing());
    assert_eq!(wait_of(&graph.revoke(&permit).await), Some(30), "only now the first was seen");
    stub.is_done();
}

#[tokio::test]
async fn nobody_is_made_the_only_owner() {
    let application = json!({ "@odata.type": "#microsoft.graph.servicePrincipal", "id": BEN });
    for alone in [vec![], vec![application.clone()], vec![user(ANN)]] {
        let Bench { stub, graph, .. } = bench().await;
        stub.expect(owners(), value(&alone));
        let answer = graph.grant(&first_try_of(owner())).await;
        assert!(
            matches!(&answer, GrantAnswer::Refused(why) if why.contains("an owner who stays")),
            "{answer:?}"
        );
        stub.is_done();
    }
    let Bench { stub, graph, .. } = bench().await;
    stub.expect(owners(), value(&[application, user(BEN)]))
        .expect(format!("POST groups/{GROUP}/owners/$ref"), reply(204, ""));
    let name = id(&format!("{GROUP}_owner_{ANN}"));
    assert_eq!(graph.grant(&first_try_of(owner())).await, GrantAnswer::Done(name));
    stub.is_done();

    // After an earlier try it may be on its way: neither is it sent again, nor is it called refused.
    stub.expect(format!("GET groups/{GROUP}/owners/{ANN}/$ref"), missing())
        .expect(owners(), nothing())
        .expect(owners(), nothing());
    let answer = graph.grant(&later_try_of(owner())).await;
    assert!(matches!(answer, GrantAnswer::Unclear { .. }), "{answer:?}");
    stub.is_done();
}

#[tokio::test]
async fn who_became_the_last_owner_stays_until_there_is_another_and_it_says_so() {
    let Bench { stub, graph, .. } = bench().await;
    let get = format!("GET groups/{GROUP}/owners/{ANN}/$ref");
    let remove = format!("DELETE groups/{GROUP}/owners/{ANN}/$ref");
    let permit = revocation_of(owner(), None);
    stub.expect(&get, shown()).expect(&remove, last_owner());
    match graph.revoke(&permit).await {
        RevokeAnswer::NotYet { reason, .. } => {
            assert!(reason.contains("make somebody else an owner"), "{reason}")
        }
        RevokeAnswer::Gone => panic!("they still own it"),
    }
    stub.expect(&get, shown())
        .expect(&remove, reply(204, ""))
        .expect(&get, missing())
        .expect(owners(), value(&[user(BEN)]));
    assert_eq!(graph.revoke(&permit).await, RevokeAnswer::Gone);
    stub.is_done();
}
