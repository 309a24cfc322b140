//! Requests and answers as the tenant's parts see them: read to the end, and not yet written.

use axum::{
    body::Body,
    http::{self, HeaderMap, StatusCode, header},
};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::Value;
use url::form_urlencoded;
use uuid::Uuid;

/// A request, read to the end.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// When it came, by the tenant's clock.
    pub(crate) at: Timestamp,
    /// The tenant's own id for it.
    pub(crate) id: Uuid,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The client's id for the request, or else ours, as Graph does it.
    pub(crate) fn client_id(&self) -> String {
        self.header("client-request-id").map_or_else(|| self.id.to_string(), str::to_owned)
    }

    pub(crate) fn query(&self) -> Form {
        Form::parse(self.query.as_bytes())
    }

    pub(crate) fn form(&self) -> Form {
        Form::parse(&self.body)
    }

    /// The path's segments, decoded.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path.split('/').skip(1).map(decode).collect()
    }
}

/// Names and values of a query or a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value, if it is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(each, value)| *each == name && !value.is_empty()).map(|(_, value)| value)
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// An answer that is not yet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Nothing,
    Json(Value),
    Html(String),
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    pub(crate) fn html(status: u16, page: String) -> Self {
        Self { status, headers: Vec::new(), body: Content::Html(page) }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Content::Nothing }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::empty(302).header("Location", to)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The answer as it goes out. `Date` is the tenant's time: a broker takes its own from there.
    pub(crate) fn into_response(self, now: Timestamp) -> http::Response<Body> {
        let (content_type, body) = match self.body {
            Content::Nothing => (None, Body::empty()),
            Content::Json(json) => (Some("application/json; charset=utf-8"), Body::from(json.to_string())),
            Content::Html(page) => (Some("text/html; charset=utf-8"), Body::from(page)),
        };
        let mut response = http::Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        let standing = [
            ("date", Some(date.as_str())),
            ("content-type", content_type),
            ("cache-control", Some("no-store")),
        ];
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
        for (name, value) in standing.into_iter().chain(own) {
            let name = header::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Some(Ok(value))) = (name, value.map(header::HeaderValue::from_str)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Sets a field of a JSON object.
pub(crate) fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(name.to_owned(), value);
    }
}

fn decode(segment: &str) -> String {
    // In a path a plus sign is a plus sign.
    form_urlencoded::parse(segment.replace('+', "%2B").replace('=', "%3D").replace('&', "%26").as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}
