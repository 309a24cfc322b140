use uuid::Uuid;

use super::*;
use crate::names::{DirectoryRole, Membership, ObjectId, Relation, RoleDefinitionId, Scope, TenantId};

fn role() -> DirectoryRole {
    DirectoryRole { definition: RoleDefinitionId::from_uuid(Uuid::from_u128(3)), scope: Scope::Tenant }
}

fn place(relation: Relation) -> Membership {
    Membership { group: ObjectId::from_uuid(Uuid::from_u128(3)), relation }
}

fn asked() -> Asked {
    Asked {
        principal: Principal {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            object: ObjectId::from_uuid(Uuid::from_u128(2)),
        },
        role: "groups-admin".parse().unwrap(),
        target: Target::Assignment(role()),
        term: "2h".parse().unwrap(),
        starts_at: None,
        justification: "restore a mailbox".parse().unwrap(),
        ticket: None,
        policy: PolicyVersion(4),
        continues: None,
    }
}

/// Fixed for ever: clients in other languages compute the same. The bytes were computed apart, from the
/// comment in `activations.proto`, with Python's hashlib.
#[test]
fn the_bytes_are_as_the_contract_says() {
    assert_eq!(
        asked().digest().to_string(),
        "347fa960c8f8ce961cba8f5356a3f192c595b65993fbe9bb3660671f4d84a784"
    );
    let id = ActivationId::from_uuid(Uuid::from_u128(9));
    assert_eq!(
        approval_digest(id, asked().digest(), &Narrowed::NOTHING).to_string(),
        "5b864b4ce87f4d3e790d463d5edfbc52780e24b8a9e81e695293d10f7366b3bf"
    );
    assert_eq!(
        nonce("challenge", asked().digest(), Action::Activate).to_string(),
        "afefaac2b9078ec014b7d2b064631ce16d4566b23583283191457dfdafe2a06b"
    );
}

#[test]
fn every_field_counts() {
    let changes: [fn(&mut Asked); 15] = [
        |a| a.principal.tenant = TenantId::from_uuid(Uuid::from_u128(9)),
        |a| a.principal.object = ObjectId::from_uuid(Uuid::from_u128(9)),
        |a| a.role = "other".parse().unwrap(),
        |a| a.target = Target::Pim(role()),
        |a| {
            let definition = RoleDefinitionId::from_uuid(Uuid::from_u128(9));
            a.target = Target::Assignment(DirectoryRole { definition, ..role() });
        },
        |a| {
            let scope = Scope::Object(ObjectId::from_uuid(Uuid::from_u128(9)));
            a.target = Target::Assignment(DirectoryRole { scope, ..role() });
        },
        |a| a.target = Target::Group(place(Relation::Member)),
        |a| a.target = Target::Group(place(Relation::Owner)),
        |a| a.target = Target::PimGroup(place(Relation::Member)),
        |a| a.term = "3h".parse().unwrap(),
        |a| a.starts_at = Some(Timestamp::UNIX_EPOCH),
        |a| a.justification = "restore a mailbo".parse().unwrap(),
        |a| a.ticket = Some(Ticket::new("1", "").unwrap()),
        |a| a.policy = PolicyVersion(5),
        |a| a.continues = Some(ActivationId::from_uuid(Uuid::from_u128(9))),
    ];
    let mut digests = std::collections::BTreeSet::from([asked().digest()]);
    for change in changes {
        let mut other = asked();
        change(&mut other);
        assert!(digests.insert(other.digest()), "{other:?}");
    }
    // What moves between neighbouring fields is not the same request.
    let ticket = |number, system| Asked { ticket: Some(Ticket::new(number, system).unwrap()), ..asked() };
    assert_ne!(ticket("1", "23").digest(), ticket("12", "3").digest());
}

#[test]
fn a_nonce_is_for_one_challenge_digest_and_action() {
    let digest = asked().digest();
    let one = nonce("challenge", digest, Action::Activate);
    assert_ne!(one, nonce("challengf", digest, Action::Activate));
    assert_ne!(one, nonce("challenge", digest, Action::Approve));
    let id = ActivationId::from_uuid(Uuid::from_u128(9));
    assert_ne!(one, nonce("challenge", approval_digest(id, digest, &Narrowed::NOTHING), Action::Activate));
    assert_ne!(
        approval_digest(id, digest, &Narrowed::NOTHING),
        approval_digest(ActivationId::from_uuid(Uuid::from_u128(8)), digest, &Narrowed::NOTHING)
    );
}

#[test]
fn a_yes_to_less_is_another_yes() {
    let (id, digest) = (ActivationId::from_uuid(Uuid::from_u128(9)), asked().digest());
    let term = Some("1h".parse().unwrap());
    let scope = Some(Scope::AdministrativeUnit(ObjectId::from_uuid(Uuid::from_u128(4))));
    let all = [
        Narrowed::NOTHING,
        Narrowed { term, scope: None },
        Narrowed { term: None, scope },
        Narrowed { term, scope },
        Narrowed { term: Some("30m".parse().unwrap()), scope },
    ];
    let digests: std::collections::BTreeSet<_> =
        all.iter().map(|narrowed| approval_digest(id, digest, narrowed)).collect();
    assert_eq!(digests.len(), all.len());
}

#[test]
fn a_bundle_is_its_members_in_their_order() {
    let (one, two) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    let all = [&[one, two][..], &[two, one], &[one], &[one, one], &[]];
    let digests: std::collections::BTreeSet<_> = all.iter().map(|members| bundle_digest(members)).collect();
    assert_eq!(digests.len(), all.len());
}
