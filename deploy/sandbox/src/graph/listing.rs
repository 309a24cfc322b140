//! Collections: `$filter`, `$select`, `$expand`, `$top`, and pages. What is not understood is refused, never
//! ignored: a filter that is silently dropped shows somebody else's roles.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Answer, call::Call};
use crate::{
    directory::Problem,
    http::{Reply, put},
};

/// Graph's own limit.
const LARGEST_PAGE: usize = 999;
/// Graph makes `or`s of an `in`, and of those it takes so many.
const MOST_VALUES: usize = 15;

/// What a collection lets itself be asked.
pub(super) struct Terms<'a> {
    /// The name in `@odata.context`.
    pub(super) name: &'a str,
    pub(super) filter: &'a [&'a str],
    pub(super) expand: &'a [&'a str],
    /// What an entry shows when `$select` does not say; everything if empty.
    pub(super) default: &'a [&'a str],
}

/// Answers with the entries that are asked for, page by page.
pub(super) fn page(call: &Call<'_>, terms: &Terms<'_>, entries: Vec<Value>) -> Answer {
    let options = Options::read(call, terms)?;
    let mut found: Vec<Value> = Vec::new();
    for entry in entries {
        if options.filter.iter().all(|condition| condition.holds(&entry)) {
            found.push(entry);
        }
    }
    let total = found.len();
    let size = options.top.unwrap_or(call.world.behaviour().page_size).max(1);
    let rest = found.into_iter().skip(options.skip);
    let shown: Vec<Value> = rest.take(size).map(|entry| options.project(entry, terms)).collect();
    let next = options.skip + shown.len();
    let mut body = json!({ "@odata.context": call.context(terms.name) });
    if options.count {
        put(&mut body, "@odata.count", json!(total));
    }
    if next < total {
        put(&mut body, "@odata.nextLink", json!(next_link(call, next)));
    }
    put(&mut body, "value", Value::Array(shown));
    Ok(Reply::json(200, body))
}

/// Answers with one entry.
pub(super) fn entity(call: &Call<'_>, terms: &Terms<'_>, entry: Value) -> Answer {
    let options = Options::read(call, &Terms { filter: &[], ..*terms })?;
    if options.top.is_some() || options.count || options.skip > 0 {
        return Err(Problem::unsupported("Query options $top, $count and $skiptoken need a collection."));
    }
    let mut entry = options.project(entry, terms);
    put(&mut entry, "@odata.context", json!(call.context(&format!("{}/$entity", terms.name))));
    Ok(Reply::json(200, entry))
}

/// Whether the filter holds one of these fields to given values.
pub(super) fn pins(call: &Call<'_>, terms: &Terms<'_>, fields: &[&str]) -> Result<bool, Problem> {
    let conditions = Options::read(call, terms)?.filter;
    Ok(conditions.iter().any(|condition| !condition.negated && fields.contains(&condition.field.as_str())))
}

/// Which of its relatives an entry is to be shown with.
pub(super) fn expands(call: &Call<'_>, what: &str) -> bool {
    call.query.get("$expand") == Some(what)
}

struct Options {
    filter: Vec<Condition>,
    select: Option<BTreeSet<String>>,
    expand: Option<String>,
    top: Option<usize>,
    skip: usize,
    count: bool,
}

impl Options {
    fn read(call: &Call<'_>, terms: &Terms<'_>) -> Result<Self, Problem> {
        let mut options =
            Self { filter: Vec::new(), select: None, expand: None, top: None, skip: 0, count: false };
        for (name, value) in call.query.pairs() {
            match name {
                "$filter" => options.filter = filter(value, terms.filter)?,
                "$select" => {
                    options.select = Some(value.split(',').map(|name| name.trim().to_owned()).collect())
                }
                "$expand" => options.expand = Some(expand(value, terms.expand)?),
                "$top" => options.top = Some(top(value)?),
                "$skiptoken" => options.skip = skip(value)?,
                "$count" => options.count = value == "true",
                _ if name.starts_with('$') => {
                    return Err(Problem::unsupported(format!(
                        "The query option '{name}' is not supported here."
                    )));
                }
                // What has no dollar sign is none of Graph's business.
                _ => {}
            }
        }
        Ok(options)
    }

    fn project(&self, entry: Value, terms: &Terms<'_>) -> Value {
        let Value::Object(fields) = entry else { return entry };
        let shown = |name: &str| match &self.select {
            _ if name.starts_with("@odata") || self.expand.as_deref() == Some(name) => true,
            Some(select) => select.contains(name),
            None => terms.default.is_empty() || terms.default.contains(&name),
        };
        Value::Object(fields.into_iter().filter(|(name, _)| shown(name)).collect())
    }
}

/// One part of a filter; all parts must hold.
#[derive(Debug, PartialEq)]
struct Condition {
    field: String,
    values: Vec<Value>,
    negated: bool,
}

impl Condition {
    fn holds(&self, entry: &Value) -> bool {
        let is = entry.get(&self.field).unwrap_or(&Value::Null);
        let equal = self.values.iter().any(|value| match (is, value) {
            // Ids and names compare without regard to case, as in the directory.
            (Value::String(is), Value::String(value)) => is.eq_ignore_ascii_case(value),
            _ => is == value,
        });
        equal != self.negated
    }
}

/// `a eq 'x' and b ne 'y' and c in ('x','y')`, in parentheses or not.
fn filter(text: &str, allowed: &[&str]) -> Result<Vec<Condition>, Problem> {
    let invalid = || Problem::new(400, "BadRequest", format!("Invalid filter clause: '{text}'."));
    let mut tokens = tokens(text).ok_or_else(invalid)?.into_iter().peekable();
    let mut conditions = Vec::new();
    loop {
        let mut depth = 0;
        while tokens.next_if(|token| *token == Token::Open).is_some() {
            depth += 1;
        }
        let (Some(Token::Word(field)), Some(Token::Word(operator))) = (tokens.next(), tokens.next()) else {
            return Err(invalid());
        };
        if !allowed.contains(&field.as_str()) {
            let message =
                format!("Unsupported or invalid query filter clause specified for property '{field}'.");
            return Err(Problem::unsupported(message));
        }
        let values = match operator.as_str() {
            "eq" | "ne" => vec![literal(tokens.next()).ok_or_else(invalid)?],
            "in" => {
                tokens.next_if(|token| *token == Token::Open).ok_or_else(invalid)?;
                let mut values = vec![literal(tokens.next()).ok_or_else(invalid)?];
                while tokens.next_if(|token| *token == Token::Comma).is_some() {
                    values.push(literal(tokens.next()).ok_or_else(invalid)?);
                }
                tokens.next_if(|token| *token == Token::Close).ok_or_else(invalid)?;
                if values.len() > MOST_VALUES {
                    return Err(Problem::unsupported(format!(
                        "Too many child clauses specified in search filter expression containing 'OR' operators: \
                         {}. Max allowed: {MOST_VALUES}.",
                        values.len()
                    )));
                }
                values
            }
            other => {
                let message = format!("The operator '{other}' is not supported for property '{field}'.");
                return Err(Problem::unsupported(message));
            }
        };
        conditions.push(Condition { field, values, negated: operator == "ne" });
        while depth > 0 && tokens.next_if(|token| *token == Token::Close).is_some() {
            depth -= 1;
        }
        match tokens.next() {
            _ if depth > 0 => return Err(invalid()),
            None => return Ok(conditions),
            Some(Token::Word(and)) if and == "and" => {}
            Some(Token::Word(or)) if or == "or" => {
                return Err(Problem::unsupported("The operator 'or' is not supported here."));
            }
            Some(_) => return Err(invalid()),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..)?;
        rest = match first {
            '(' => {
                tokens.push(Token::Open);
                after
            }
            ')' => {
                tokens.push(Token::Close);
                after
            }
            ',' => {
                tokens.push(Token::Comma);
                after
            }
            '\'' => {
                let (text, after) = quoted(after)?;
                tokens.push(Token::Text(text));
                after
            }
            _ => {
                let end = rest.find([' ', '(', ')', ',', '\'']).unwrap_or(rest.len());
                tokens.push(Token::Word(rest.get(..end)?.to_owned()));
                rest.get(end..)?
            }
        }
        .trim_start();
    }
    Some(tokens)
}

/// Up to the closing quote; two quotes are one in the text.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

fn literal(token: Option<Token>) -> Option<Value> {
    match token? {
        Token::Text(text) => Some(json!(text)),
        Token::Word(word) => match word.as_str() {
            "true" => Some(json!(true)),
            "false" => Some(json!(false)),
            "null" => Some(Value::Null),
            _ => None,
        },
        _ => None,
    }
}

fn expand(value: &str, allowed: &[&str]) -> Result<String, Problem> {
    if value.contains(',') {
        return Err(Problem::unsupported("Only one property can be expanded in a single query."));
    }
    if allowed.contains(&value) {
        return Ok(value.to_owned());
    }
    let message =
        format!("Parsing OData Select and Expand failed: Could not find a property named '{value}'.");
    Err(Problem::new(400, "BadRequest", message))
}

fn top(value: &str) -> Result<usize, Problem> {
    match value.parse() {
        Ok(top @ 1..=LARGEST_PAGE) => Ok(top),
        _ => Err(Problem::bad(format!(
            "Invalid page size specified: '{value}'. Must be between 1 and 999 inclusive."
        ))),
    }
}

fn skip(token: &str) -> Result<usize, Problem> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("from ").and_then(|number| number.parse().ok()))
        .ok_or_else(|| {
            Problem::new(
                400,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            )
        })
}

fn next_link(call: &Call<'_>, next: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(call.query.pairs().filter(|(name, _)| *name != "$skiptoken"));
    query.append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode(format!("from {next}")));
    format!("{}?{}", call.address(), query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_understood_whole_or_refused() {
        let fields = ["principalId", "roleDefinitionId", "isBuiltIn"];
        let read = |text: &str| filter(text, &fields).map(|conditions| conditions.len());
        for text in ["principalId eq 'a'", "(principalId eq 'a')", "isBuiltIn eq true"] {
            assert_eq!(read(text), Ok(1), "{text}");
        }
        assert_eq!(read("principalId eq 'a' and roleDefinitionId in ('b', 'c')"), Ok(2));
        for text in [
            "",
            "principalId",
            "principalId eq",
            "principalId eq a",
            "principalId eq 'a",
            "principalId eq 'a' or principalId eq 'b'",
            "principalId ge 'a'",
            "scope eq 'a'",
            "(principalId eq 'a'",
            "principalId eq 'a')",
            "principalId eq 'a' and",
            "principalId in ()",
            "startswith(principalId,'a')",
            "not principalId eq 'a'",
        ] {
            assert_eq!(read(text).map_err(|problem| problem.status), Err(400), "{text}");
        }
    }

    #[test]
    fn a_condition_compares_what_the_entry_says() {
        let entry = json!({ "principalId": "A", "endDateTime": null });
        for (text, expected) in [
            ("principalId eq 'a'", true),
            ("principalId ne 'a'", false),
            ("endDateTime eq null", true),
            ("principalId eq 'it''s'", false),
        ] {
            let conditions = filter(text, &["principalId", "endDateTime"]).unwrap();
            assert_eq!(conditions.iter().all(|condition| condition.holds(&entry)), expected, "{text}");
        }
    }
}
