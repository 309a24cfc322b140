//! What the directory holds and held because of a broker, named as the record names it.

use elevate_proto::v1 as api;
use elevate_sandbox::directory::Life;

use super::stage::Stage;

/// Somebody holds a role at a scope, or a place in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The object id of who.
    pub principal: String,
    /// What: see [`named`].
    pub what: String,
    /// From when until when.
    pub life: Life,
}

/// Everything that anybody ever held since the stage was set.
pub fn ever(stage: &Stage) -> Vec<Held> {
    let directory = stage.tenant.directory();
    let roles = directory.every_assignment().into_iter().map(|held| {
        let what = role(&held.role, &held.scope);
        Held { principal: held.principal, what, life: held.life }
    });
    let places = directory.every_membership().into_iter().map(|held| {
        let what = place(held.relation.word(), &held.group);
        Held { principal: held.object, what, life: held.life }
    });
    roles.chain(places).filter(|held| held.life.born > stage.since).collect()
}

/// What is held now.
pub fn now(stage: &Stage) -> Vec<Held> {
    ever(stage).into_iter().filter(|held| held.life.gone.is_none()).collect()
}

/// What an activation is about.
pub fn named(activation: &api::Activation) -> String {
    let Some(target) = &activation.directory_role else { return String::new() };
    if target.group_id.is_empty() {
        role(&target.role_definition_id, &target.scope)
    } else {
        place(&target.relation, &target.group_id)
    }
}

fn role(definition: &str, scope: &str) -> String {
    format!("role {definition} at {scope}")
}

fn place(relation: &str, group: &str) -> String {
    format!("{relation} of {group}")
}

/// Whether this is what that activation is about.
pub fn is_of(held: &Held, activation: &api::Activation) -> bool {
    let who = activation.principal.as_ref().is_some_and(|who| who.object_id == held.principal);
    who && named(activation) == held.what
}
