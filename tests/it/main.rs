//! The whole of Elevate as a black box: a tenant over HTTPS, a real broker, real people's commands.

mod bundles;
mod cli;
mod crash;
mod credentials;
mod deciding;
mod documents;
mod emergencies;
mod expiry;
mod extending;
mod foreign;
mod groups;
mod holding;
mod importing;
mod logging;
mod lost;
mod notices;
mod proofs;
mod refusals;
mod revoking;
mod secrets;
mod serving;
mod store;
mod story;
mod tickets;
mod tidy;
