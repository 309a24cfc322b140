//! How Graph writes times, and how it shows who an id names.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    directory::{ObjectKind, State, User},
    people,
};

pub(super) fn time(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%S%.fZ").to_string())
}

pub(super) fn maybe_time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}

/// A user, group or service principal as it appears among members or expanded.
pub(super) fn object(state: &State, id: &str) -> Value {
    match state.kind_of(id) {
        Some(ObjectKind::User) => {
            let user = state.user(id);
            json!({
                "@odata.type": "#microsoft.graph.user",
                "id": id,
                "displayName": user.map(|user| user.display_name.clone()),
                "userPrincipalName": user.map(User::user_principal_name),
            })
        }
        Some(ObjectKind::Group) => json!({
            "@odata.type": "#microsoft.graph.group",
            "id": id,
            "displayName": state.group(id).map(|group| group.name.clone()),
        }),
        Some(ObjectKind::ServicePrincipal) => {
            let app = people::APPS.iter().find(|app| app.object_id == id);
            json!({
                "@odata.type": "#microsoft.graph.servicePrincipal",
                "id": id,
                "appId": app.map(|app| app.client_id),
                "displayName": app.map(|app| app.name),
            })
        }
        None => Value::Null,
    }
}

pub(super) fn role(id: &str) -> Value {
    people::ROLES.iter().find(|role| role.id == id).map_or(Value::Null, |role| {
        json!({
            "id": role.id,
            "displayName": role.name,
            "description": format!("Holds what the sandbox knows of the role {}.", role.name),
            "isBuiltIn": role.built_in,
            "isEnabled": true,
            "templateId": role.id,
            "version": "1",
            "resourceScopes": ["/"],
            "rolePermissions": [{
                "allowedResourceActions": ["microsoft.directory/users/standard/read"],
                "condition": null,
            }],
        })
    })
}
