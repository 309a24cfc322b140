//! The recipes, against values computed by another program from the contract's text alone.

use elevate_proto::v1;

use super::bench::{ANN, TENANT};
use crate::binding::{Asked, Less, approval_digest, check, nonce};

const DIGEST: &str = "329f5085a418db621641f65f5db9cc5bfab2d455b127c854b8d1085921eee746";

fn digest(
    term_seconds: i64,
    justification: &str,
    ticket: Option<&v1::Ticket>,
    way: &str,
    policy_version: i64,
) -> String {
    Asked {
        principal: &v1::Principal {
            tenant_id: TENANT.to_owned(),
            object_id: ANN.to_owned(),
            display_name: "not bound: names change".to_owned(),
        },
        role: "groups-admin",
        directory_role: &v1::DirectoryRole {
            way: way.to_owned(),
            role_definition_id: "fdd7a751-b60b-444a-984c-02652fe8fa1c".to_owned(),
            scope: "/".to_owned(),
            ..v1::DirectoryRole::default()
        },
        place: "/",
        term_seconds,
        starts_at: None,
        justification,
        ticket,
        policy_version,
        continues: "",
    }
    .digest()
}

#[test]
fn a_request_has_the_digest_that_the_contract_says() {
    let ticket = v1::Ticket { number: " INC0012345 ".to_owned(), system: "ServiceNow".to_owned() };
    assert_eq!(digest(7200, "  reset café’s group\n", Some(&ticket), "assignment", 3), DIGEST);
    assert_eq!(
        digest(5, "x", None, "pim", 1),
        "93026fadeb867a42cf8401d1dc6dc6181cc7ab694341f3136413d368dee0eea8"
    );
}

#[test]
fn an_approval_is_bound_to_activation_and_request() {
    let less = |term_seconds, scope: &str| Less { term_seconds, scope: scope.to_owned() };
    for (less, digest) in [
        (Less::default(), "dbcce0a1eaf7fb9bfecfc0c2d26b8251c725322dfc355bcc669d551c08f6de85"),
        (less(1800, ""), "3944713eb590a29702523cb9491948869aaec58923d77938b2e5faf159d26615"),
        (
            less(1800, "/administrativeUnits/00000000-0000-0000-0000-0000000000c1"),
            "5101fa00d0988eb1ebd39466eeec26e763234beec7a5cabba1688ab24d429aea",
        ),
    ] {
        assert_eq!(approval_digest("0199a1b2-0000-7000-8000-000000000001", DIGEST, &less), digest);
    }
}

#[test]
fn a_challenge_counts_only_for_its_digest_and_action() {
    let expected = "n_XsuRcNOoUzmbBUvAGo3pkMQ8RZr2jK3cTxFGkoaiM";
    assert_eq!(nonce("challenge-1", DIGEST, "activate"), expected);
    let challenge = v1::Challenge {
        challenge: "challenge-1".to_owned(),
        nonce: expected.to_owned(),
        digest: DIGEST.to_owned(),
        ..v1::Challenge::default()
    };
    assert!(check(&challenge, DIGEST, "activate").is_ok());
    assert!(check(&challenge, DIGEST, "approve").is_err());
    assert!(check(&challenge, "another", "activate").is_err());
    let other_nonce = v1::Challenge { nonce: "another".to_owned(), ..challenge };
    assert!(check(&other_nonce, DIGEST, "activate").is_err());
}
