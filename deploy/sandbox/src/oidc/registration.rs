//! What the app registrations say about redirects, resources and scopes.

use url::Url;

use super::error::LoginError;
use crate::{
    people::{self, App},
    world::World,
};

/// What an access token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// The broker's API.
    Broker,
    /// Microsoft Graph.
    Graph,
}

/// What a sign-in asked for.
#[derive(Clone, Debug)]
pub(super) struct Scopes {
    pub(super) asked: String,
    pub(super) resource: Resource,
    pub(super) openid: bool,
    pub(super) offline: bool,
}

pub(super) fn app(client_id: &str) -> Result<App, LoginError> {
    people::APPS.into_iter().find(|app| app.client_id == client_id && *app != people::GRAPH).ok_or_else(
        || {
            let message = format!(
                "Application with identifier '{client_id}' was not found in the directory 'Elevate sandbox'."
            );
            LoginError::new(700_016, "unauthorized_client", message)
        },
    )
}

/// Loopback, `http`, no path: any port will do, and IPv6 will not.
pub(super) fn check_redirect(app: &App, redirect_uri: &str) -> Result<Url, LoginError> {
    let mismatch = || {
        let message = format!(
            "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs \
             configured for the application '{}'.",
            app.client_id
        );
        LoginError::new(50011, "invalid_request", message)
    };
    let url = Url::parse(redirect_uri).map_err(|_| mismatch())?;
    let loopback = url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let plain = url.username().is_empty() && url.password().is_none();
    if *app == people::CLI && loopback && bare && plain { Ok(url) } else { Err(mismatch()) }
}

/// What a person may be asked to agree to: the sign-in itself, and one resource.
pub(super) fn delegated(world: &World, scope: &str) -> Result<Scopes, LoginError> {
    let mut scopes =
        Scopes { asked: scope.to_owned(), resource: Resource::Graph, openid: false, offline: false };
    let mut resources = Vec::new();
    for word in scope.split_whitespace() {
        match word {
            "openid" => scopes.openid = true,
            "offline_access" => scopes.offline = true,
            "profile" | "email" => {}
            _ => {
                let resource = resource_of(world, word)?;
                if !resources.contains(&resource) {
                    resources.push(resource);
                }
            }
        }
    }
    match resources.as_slice() {
        // With no resource named, the access token is for Graph, as ever.
        [] => Ok(scopes),
        [resource] => Ok(Scopes { resource: *resource, ..scopes }),
        _ => {
            let message = "Provided value for the input parameter scope is not valid because it contains more than one resource.";
            Err(LoginError::new(28000, "invalid_request", message))
        }
    }
}

/// What an application may ask for itself: everything it was given, and nothing by name.
pub(super) fn application(world: &World, scope: &str) -> Result<Resource, LoginError> {
    if !scope.ends_with("/.default") {
        let message = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
             with /.default suffixed to the resource identifier (application ID URI)."
        );
        return Err(LoginError::new(1_002_012, "invalid_scope", message));
    }
    resource_of(world, scope)
}

fn resource_of(world: &World, scope: &str) -> Result<Resource, LoginError> {
    let (resource, permission) = scope.rsplit_once('/').unwrap_or(("", scope));
    let broker = people::BROKER.client_id;
    if resource == broker || resource.strip_prefix("api://").is_some_and(|id| id == broker) {
        return match permission {
            "access_as_user" | ".default" => Ok(Resource::Broker),
            _ => Err(LoginError::new(
                65005,
                "invalid_client",
                format!("The scope '{permission}' is not defined on the application '{broker}'."),
            )
            .status(400)),
        };
    }
    let graph = ["https://graph.microsoft.com", people::GRAPH.client_id, world.base_url.as_str()];
    if graph.contains(&resource) {
        return Ok(Resource::Graph);
    }
    let message =
        format!("The resource principal named {resource} was not found in the tenant named Elevate sandbox.");
    Err(LoginError::new(500_011, "invalid_resource", message))
}
