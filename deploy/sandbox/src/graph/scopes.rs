//! What a role can be held over besides the whole tenant: administrative units and single objects.

use serde_json::{Value, json};

use super::{
    Answer,
    call::Call,
    listing::{self, Terms},
    shape,
};
use crate::{
    directory::Problem,
    people::{self, Registration},
};

const READ_UNITS: [&str; 4] = [
    "AdministrativeUnit.Read.All",
    "AdministrativeUnit.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const READ_APPLICATIONS: [&str; 4] =
    ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
/// To ask what an id is, whatever it is, takes the right to read everything.
const READ_ANYTHING: [&str; 2] = ["Directory.Read.All", "Directory.ReadWrite.All"];
const UNITS: Terms<'_> = Terms {
    name: "directory/administrativeUnits",
    filter: &["id", "displayName"],
    expand: &[],
    default: &[],
};
const APPLICATIONS: Terms<'_> =
    Terms { name: "applications", filter: &["id", "appId", "displayName"], expand: &[], default: &[] };
const OBJECTS: Terms<'_> = Terms { name: "directoryObjects", filter: &[], expand: &[], default: &[] };

pub(super) fn units(call: &Call<'_>, rest: &[&str]) -> Answer {
    call.needs(&READ_UNITS)?;
    match (call.method(), rest) {
        ("GET", []) => listing::page(call, &UNITS, vec![unit()]),
        ("GET", [id]) if *id == people::UNIT => listing::entity(call, &UNITS, unit()),
        ("GET", [id]) => Err(Problem::not_found(id)),
        (_, [] | [_]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

/// `applications`: the registrations, whose ids are not those of their service principals.
pub(super) fn applications(call: &Call<'_>, rest: &[&str]) -> Answer {
    call.needs(&READ_APPLICATIONS)?;
    match (call.method(), rest) {
        ("GET", []) => {
            listing::page(call, &APPLICATIONS, people::REGISTRATIONS.iter().map(registration).collect())
        }
        ("GET", [id]) => {
            let found = people::REGISTRATIONS.iter().find(|each| each.id == *id);
            listing::entity(call, &APPLICATIONS, registration(found.ok_or_else(|| Problem::not_found(id))?))
        }
        (_, [] | [_]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

/// `directoryObjects/{id}`: whatever it is.
pub(super) fn object(call: &Call<'_>, rest: &[&str]) -> Answer {
    call.needs(&READ_ANYTHING)?;
    match (call.method(), rest) {
        ("GET", [id]) => {
            listing::entity(call, &OBJECTS, find(call, id).ok_or_else(|| Problem::not_found(id))?)
        }
        (_, [] | [_]) => Err(call.not_allowed()),
        (_, [.., last]) => Err(Problem::no_such_path(last)),
    }
}

fn find(call: &Call<'_>, id: &str) -> Option<Value> {
    if id == people::UNIT {
        return Some(typed("administrativeUnit", unit()));
    }
    if let Some(found) = people::REGISTRATIONS.iter().find(|each| each.id == id) {
        return Some(typed("application", registration(found)));
    }
    call.world.directory.look(|state| {
        let object = Some(shape::object(state, id)).filter(|object| !object.is_null());
        object.filter(|_| state.replicated(id, call.now))
    })
}

fn typed(kind: &str, mut object: Value) -> Value {
    crate::http::put(&mut object, "@odata.type", json!(format!("#microsoft.graph.{kind}")));
    object
}

fn unit() -> Value {
    json!({
        "id": people::UNIT,
        "displayName": "Branch office",
        "description": null,
        "visibility": null,
        "isMemberManagementRestricted": false,
        "membershipType": null,
    })
}

fn registration(registration: &Registration) -> Value {
    let Registration { name, id, client_id } = registration;
    json!({ "id": id, "appId": client_id, "displayName": name, "signInAudience": "AzureADMyOrg" })
}
