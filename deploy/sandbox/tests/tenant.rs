//! The tenant as a client written for Entra meets it: over HTTPS, with its own certificate authority, and with
//! time moved by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "clippy knows a test by its attribute, and what tests share has none"
)]

#[path = "tenant/accounts.rs"]
mod accounts;
#[path = "tenant/applications.rs"]
mod applications;
#[path = "tenant/control.rs"]
mod control;
#[path = "tenant/elsewhere.rs"]
mod elsewhere;
#[path = "tenant/faults.rs"]
mod faults;
#[path = "tenant/graph.rs"]
mod graph;
#[path = "tenant/groups.rs"]
mod groups;
#[path = "tenant/pim.rs"]
mod pim;
#[path = "tenant/pim_changes.rs"]
mod pim_changes;
#[path = "tenant/pim_groups.rs"]
mod pim_groups;
#[path = "tenant/role_settings.rs"]
mod role_settings;
#[path = "tenant/scopes.rs"]
mod scopes;
#[path = "tenant/setting.rs"]
mod setting;
#[path = "tenant/sign_in.rs"]
mod sign_in;
