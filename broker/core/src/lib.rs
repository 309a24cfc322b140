//! The rules of Elevate.
//!
//! Nothing here waits, reads a clock, touches a disk or a network, or fails for a reason outside its
//! arguments. Three functions carry the product:
//!
//! * *may they?* — [`policy::Policy::offer`]
//! * *what state follows?* — [`activation::Activation::apply`]
//! * *what does the world owe it now?* — [`due::due`]
//!
//! Read in this order: [`names`], [`term`], [`policy`], [`approval`], [`activation`], [`due`];
//! then [`binding`] (what a proof is bound to) and [`document`] (TOML, every fault at once).

pub mod activation;
pub mod approval;
pub mod binding;
pub mod document;
pub mod due;
pub mod names;
pub mod policy;
pub mod term;
