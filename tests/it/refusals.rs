//! Bad input gets a clear error with a stable reason, and no change of state.

mod asking;
mod callers;
mod deciding;
mod policies;
mod second_person;
mod states;

use std::fmt::Debug;
use std::future::Future;

use elevate_tests::{Told, World, told};
use tonic::{Code, Status};

/// A call that must be refused with this code and reason. Neither the record of activations nor the
/// directory may be another one afterwards.
pub(crate) async fn refused<T: Debug>(
    world: &World,
    what: &str,
    call: impl Future<Output = Result<T, Status>>,
    code: Code,
    reason: &str,
) -> Told {
    let before = world.whole().await;
    let status = match call.await {
        Ok(answer) => panic!("{what}: it was not refused: {answer:#?}"),
        Err(status) => status,
    };
    let told = told(&status);
    assert_eq!((told.code, told.reason.as_str()), (code, reason), "{what}: {told:#?}");
    assert_eq!(told.domain, "elevate", "{what}");
    assert!(!told.text.is_empty() && !told.text.contains("Error"), "{what}: `{}` says nothing", told.text);
    assert_eq!(world.whole().await, before, "{what}: refused, and something changed");
    told
}

/// The fields that a refusal names.
pub(crate) fn fields(told: &Told) -> Vec<&str> {
    told.fields.iter().map(|(field, _)| field.as_str()).collect()
}
