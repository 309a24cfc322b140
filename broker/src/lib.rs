//! `elevated`: the broker.
//!
//! ```text
//! request -> verify -> decide -> record intent -> grant -> record -> wake -> revoke -> confirm -> close
//!   grpc    identity   core        journal       graph    journal   reaper   graph     graph    journal
//! ```
//!
//! Who may know whom: `core` <- [`ports`] <- {`notify`, `workflow` <- {`grpc`, `reaper`}}; the adapters
//! ([`graph`], [`store`], [`identity`], [`tickets`], [`notice_log`]) know [`ports`] and core and their own library, never
//! each other; `app` wires.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod graph;
pub mod grpc;
pub mod identity;
pub mod memory;
pub mod notice_log;
pub mod notify;
pub mod ports;
pub mod reaper;
pub mod store;
pub mod telemetry;
pub mod tickets;
pub mod tls;
pub mod workflow;
