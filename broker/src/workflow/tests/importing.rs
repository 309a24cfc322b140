//! A first policy, out of what the tenant holds.

use elevate_core::names::{DirectoryRole, Resource, RoleDefinitionId, Scope};
use elevate_core::policy::import::{Basis, Holder, HolderKind, Holding, Survey};
use elevate_core::policy::read;
use uuid::Uuid;

use super::world::*;
use crate::ports::verifier::AppRole;
use crate::workflow::Refusal;

fn holding(n: u64, role: u32) -> Holding {
    let holder = Holder { id: object(n), kind: HolderKind::User, name: Some(format!("person {n}")) };
    let definition = RoleDefinitionId::from_uuid(Uuid::from_u128(0xdef0_0000 + u128::from(role)));
    let what = Resource::Role(DirectoryRole { definition, scope: Scope::Tenant });
    Holding { holder, what, basis: Basis::Standing, until: None }
}

#[tokio::test]
async fn what_the_broker_granted_itself_is_nobodys_for_good() {
    let world = World::new().await;
    world.held(ANN, "reader").await;
    let holdings = vec![holding(ANN, 1), holding(BEN, 1), holding(ANN, 2)];
    world.directory.surveyed(Survey { holdings, ..Survey::default() });
    let (text, imported) = world.workflow.import(&with(EVE, AppRole::PolicyAdmin)).await.unwrap();
    let policy = read(&text).unwrap().policy;
    let offered: Vec<_> = policy.roles().iter().map(|role| role.eligible.len()).collect();
    assert_eq!((offered, imported.roles.len()), (vec![1, 1], 2), "{text}");
    assert!(text.contains(&object(BEN).to_string()));
    assert_eq!(
        text.matches(&object(ANN).to_string()).count(),
        1,
        "only what she really holds for good: {text}"
    );
}

#[tokio::test]
async fn only_a_policy_admin_imports_and_the_tenant_is_not_asked_for_others() {
    let world = World::new().await;
    world.directory.is_down(true);
    for caller in [person(ANN), with(EVE, AppRole::Auditor), with(EVE, AppRole::Revoker)] {
        let refused = world.workflow.import(&caller).await.unwrap_err();
        assert!(matches!(refused, Refusal::NotAllowed { .. }), "{refused:?}");
    }
    assert_eq!(world.directory.calls("survey"), 0);
    let refused = world.workflow.import(&with(EVE, AppRole::PolicyAdmin)).await.unwrap_err();
    assert!(matches!(refused, Refusal::Unreachable(_)), "{refused:?}");
}
