//! A miniature Microsoft Entra tenant on loopback.
//!
//! It signs people in over OpenID Connect and answers Microsoft Graph at Entra's own paths, with Entra's own
//! bodies, codes and traps, so that a client written for Entra works against it unchanged. Time is a
//! [`Clock`] that a test moves by hand, and everything that may go wrong on the way to Graph can be asked for
//! by way of [`Faults`].
//!
//! Start at [`Tenant::start`]; who lives there is in [`people`]. It is for tests and for trying Elevate out:
//! it listens on loopback only, its control door under `/sandbox` asks nobody who they are, and the
//! production binaries hold none of it.

mod tenant;
pub use tenant::{Settings, Tenant};

mod clock;
pub use clock::Clock;

pub mod people;
pub mod strength;
pub use strength::Strength;

pub mod directory;
pub use directory::{Directory, Lag};

pub mod faults;
pub use faults::{Fault, Faults, Kind};

pub mod mint;
pub use mint::{Key, Mint, SignIn, Signature};

mod behaviour;
pub use behaviour::{AbsentMember, Behaviour, Duplicate, OptedIn};

mod calls;
pub use calls::{Call, Calls};

pub use oidc::FederatedCredential;

pub mod browser;
pub mod files;
pub mod stage;

pub mod tickets;
pub use tickets::{Change, Tickets};

mod control;
mod graph;
pub mod host;
mod http;
mod keys;
mod oidc;
mod serve;
mod world;
