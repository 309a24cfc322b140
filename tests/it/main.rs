//! The whole of Elevate as a black box: a tenant over HTTPS, a real broker, real people's commands.

mod expiry;
mod foreign;
mod lost;
mod proofs;
mod refusals;
mod story;
