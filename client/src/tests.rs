//! The command as people and programs meet it: a person at a terminal, a broker and a tenant on loopback.
//! Everything is real but the three of them: TLS, gRPC, OpenID Connect, files.

mod admin;
mod asking;
mod bench;
mod binding;
mod board;
mod broker;
mod bundle;
mod device;
mod dry;
mod emergencies;
mod exec;
mod explain;
mod extending;
mod failures;
mod forms;
mod history;
mod importing;
mod login;
mod narrowing;
mod picker;
mod policy;
mod profiles;
mod prove;
mod revoking;
mod settings;
mod tenant;
mod tickets;
mod verbs;
mod waiting;
