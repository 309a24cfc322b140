//! A refusal, as a client reads it.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a refused call was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What kind of failure.
    pub code: Code,
    /// The stable word of `ErrorInfo`; empty if there is none.
    pub reason: String,
    /// Whose word it is.
    pub domain: String,
    /// Which fields of the message, and what is wrong with each.
    pub fields: Vec<(String, String)>,
    /// For people.
    pub text: String,
    /// When it makes sense to try again.
    pub again_in: Option<Duration>,
}

/// Reads a status and its details.
pub fn told(status: &Status) -> Told {
    let details = status.get_error_details();
    let info = details.error_info();
    let fields = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    Told {
        code: status.code(),
        reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
        domain: info.map(|info| info.domain.clone()).unwrap_or_default(),
        fields: fields.into_iter().map(|each| (each.field, each.description)).collect(),
        text: status.message().to_owned(),
        again_in: details.retry_info().and_then(|info| info.retry_delay),
    }
}
