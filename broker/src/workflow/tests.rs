//! The use cases, told as stories over the real record. Faked is the outside only: a directory that answers
//! as it is told to, a verifier that signs people in, and a clock moved by hand.

mod accounts;
mod approvals;
mod bundles;
pub(crate) mod emergencies;
mod extending;
mod freezing;
mod grants;
mod holding;
mod importing;
mod interleavings;
mod many;
mod narrowing;
mod office;
pub(crate) mod outside;
mod own_approvals;
mod reconciling;
mod revocations;
mod sight;
mod sign_outs;
mod starting;
mod tickets;
mod together;
mod untimely;
pub(crate) mod world;
