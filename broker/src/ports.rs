//! What the use cases need from outside, in our words and with our errors.
//!
//! Each trait is one outside thing: the [`Directory`] that holds assignments, the [`Inventory`] that tells all of
//! them at once, the [`Journal`] that remembers, the [`Verifier`] that knows tokens, the [`Tickets`] that vouch for
//! what is asked under a ticket, the [`Notifier`] that carries word to people and the
//! [`Bookmark`] that keeps how far it has, the [`Clock`]. Adapters implement them and know nothing of each
//! other.

pub mod clock;
pub mod directory;
pub mod inventory;
pub mod journal;
pub mod notifier;
pub mod tickets;
pub mod verifier;

pub use clock::{Clock, TimeKeeper};
pub use directory::Directory;
pub use inventory::Inventory;
pub use journal::Journal;
pub use notifier::{Bookmark, Notifier};
pub use tickets::Tickets;
pub use verifier::Verifier;
