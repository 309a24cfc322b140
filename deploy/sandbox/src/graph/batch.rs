//! `$batch`: several calls in one. The batch succeeds even if none of them does, and faults strike each of them.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, ROOT, call::Call, failure};
use crate::{
    directory::Problem,
    http::{Content, Reply, Request, put},
    serve,
};

/// Graph's own limit.
const MOST_CALLS: usize = 20;

pub(super) fn answer(call: &Call<'_>) -> Answer {
    if call.method() != "POST" {
        return Err(call.not_allowed());
    }
    let body = call.body()?;
    let items =
        body.get("requests").and_then(Value::as_array).ok_or_else(|| malformed("requests is missing"))?;
    if items.is_empty() || items.len() > MOST_CALLS {
        return Err(malformed(&format!("the number of requests must be between 1 and {MOST_CALLS}")));
    }
    let items = items.iter().map(Item::read).collect::<Result<Vec<_>, _>>()?;
    check_order(&items)?;
    let mut statuses: BTreeMap<&str, u16> = BTreeMap::new();
    let mut responses = Vec::new();
    for item in &items {
        let failed =
            |id: &String| statuses.get(id.to_lowercase().as_str()).is_none_or(|status| *status >= 400);
        let reply = if item.depends_on.iter().any(failed) {
            let message = "The request failed because a request it depends on failed.";
            super::refuse(call.request, &Problem::new(424, "FailedDependency", message))
        } else {
            perform(call, item)
        };
        statuses.insert(&item.key, reply.status);
        responses.push(item.response(reply));
    }
    // Answers come in any order, so nobody may count on ours.
    responses.reverse();
    Ok(Reply::json(200, json!({ "responses": responses })))
}

struct Item {
    id: String,
    /// Ids are equal whatever their case.
    key: String,
    method: String,
    url: String,
    headers: HeaderMap,
    body: Option<Value>,
    depends_on: Vec<String>,
}

impl Item {
    fn read(item: &Value) -> Result<Self, Problem> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let required = |name: &str| text(name).ok_or_else(|| malformed(&format!("a request has no {name}")));
        let (id, url) = (required("id")?, required("url")?);
        if url.contains("://") {
            return Err(malformed("the url of a request must be relative"));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in item.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Some(Ok(value))) = (name, value.as_str().map(HeaderValue::from_str)) {
                headers.insert(name, value);
            }
        }
        let body = item.get("body").filter(|body| !body.is_null()).cloned();
        if body.is_some() && !headers.contains_key("content-type") {
            return Err(malformed("a request with a body needs a Content-Type header"));
        }
        let depends_on = item.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            key: id.to_lowercase(),
            id,
            method: required("method")?.to_uppercase(),
            url,
            headers,
            body,
            depends_on: depends_on.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    fn response(&self, reply: Reply) -> Value {
        let mut headers: BTreeMap<_, _> = reply.headers.into_iter().collect();
        if matches!(reply.body, Content::Json(_)) {
            headers.insert("Content-Type".to_owned(), "application/json".to_owned());
        }
        let mut response = json!({ "id": self.id, "status": reply.status, "headers": headers });
        if let Content::Json(body) = reply.body {
            put(&mut response, "body", body);
        }
        response
    }
}

/// Ids must be unique, and a call may only depend on one before it.
fn check_order(items: &[Item]) -> Result<(), Problem> {
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for item in items {
        if let Some(id) = item.depends_on.iter().find(|id| !before.contains(id.to_lowercase().as_str())) {
            return Err(malformed(&format!(
                "request '{}' depends on '{id}', which is not before it",
                item.id
            )));
        }
        if !before.insert(&item.key) {
            return Err(malformed(&format!("the request id '{}' is not unique", item.id)));
        }
    }
    Ok(())
}

fn perform(call: &Call<'_>, item: &Item) -> Reply {
    let (path, query) = item.url.split_once('?').unwrap_or((&item.url, ""));
    let mut headers = item.headers.clone();
    if let Some(bearer) = call.request.headers.get("authorization") {
        headers.insert("authorization", bearer.clone());
    }
    let request = Request {
        method: item.method.clone(),
        path: format!("{ROOT}/{}", path.trim_start_matches('/')),
        query: query.to_owned(),
        headers,
        body: item.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default(),
        at: call.request.at,
        id: Uuid::new_v4(),
    };
    if path.trim_start_matches('/').starts_with("$batch") {
        return failure(&request, 400);
    }
    let struck = call.world.faults.strike(&request.method, &request.path);
    // Inside a batch no connection can be lost; what would have been is a gateway's timeout.
    let reply = serve::suffer(call.world, &request, &struck).unwrap_or_else(|| failure(&request, 504));
    call.world.calls.add(crate::Call {
        at: request.at,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        status: Some(reply.status),
        client_request_id: request.header("client-request-id").map(str::to_owned),
        batched: true,
    });
    reply
}

fn malformed(what: &str) -> Problem {
    Problem::new(400, "BadRequest", format!("Invalid batch payload format: {what}."))
}
