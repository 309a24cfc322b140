//! Errors in the login service's own shape: a word of the protocol, and an `AADSTS` number that says more.

use jiff::tz::TimeZone;
use serde_json::json;

use crate::http::{Reply, Request};

/// A refusal of the login service.
#[derive(Clone, Debug)]
pub(super) struct LoginError {
    pub(super) number: u32,
    pub(super) error: &'static str,
    pub(super) message: String,
    status: u16,
}

impl LoginError {
    pub(super) fn new(number: u32, error: &'static str, message: impl Into<String>) -> Self {
        // What is wrong with the client's credential is 401, everything else 400.
        let status = if error == "invalid_client" { 401 } else { 400 };
        Self { number, error, message: message.into(), status }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request body must contain the following parameter: '{parameter}'.");
        Self::new(900_144, "invalid_request", message)
    }

    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// `AADSTS…: message Trace ID: … Correlation ID: … Timestamp: …`
    pub(super) fn description(&self, request: &Request) -> String {
        format!(
            "AADSTS{}: {} Trace ID: {} Correlation ID: {} Timestamp: {}",
            self.number,
            self.message,
            request.id,
            request.client_id(),
            timestamp(request),
        )
    }

    pub(super) fn reply(&self, request: &Request) -> Reply {
        Reply::json(
            self.status,
            json!({
                "error": self.error,
                "error_description": self.description(request),
                "error_codes": [self.number],
                "timestamp": timestamp(request),
                "trace_id": request.id.to_string(),
                "correlation_id": request.client_id(),
                "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.number),
            }),
        )
    }
}

fn timestamp(request: &Request) -> String {
    request.at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
