//! What the tests play on: a tenant over HTTPS, a real broker beside it with its record on disk, people at
//! their terminals and programs that speak gRPC, and one clock that all of them go by.
//!
//! ```text
//! let world = World::start().await;
//! let asked = world.grpc("ann").ask(&wish("groups-admin").lasting("15m")).await?;
//! world.grpc("bob").approve(&asked.id).await?;
//! world.until(&asked.id, State::Active).await;
//! world.advance("15m");
//! world.until(&asked.id, State::Closed).await;
//! ```
//!
//! Time stands still until a test moves it. What the broker does in answer is waited for, never slept for.

pub mod faults;

mod bundle;
mod caller;
mod hands;
mod logs;
mod refusal;
mod world;

pub use caller::{Caller, Wish, challenge, wish, yes};
pub use hands::Hands;
pub use logs::Logs;
pub use refusal::{Told, told};
pub use world::{Changed, Halted, PATIENCE, POLICY, START, World, eventually, span};

pub use elevate_proto::v1::ActivationState as State;
pub use elevate_proto::v1::Outcome;
