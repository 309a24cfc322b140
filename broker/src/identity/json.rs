//! JSON objects read without leniency.
//!
//! Two members of one name are refused at every depth: readers that disagree on which one counts is how a
//! validated claim and a used claim come to differ (RFC 7519 section 4, RFC 8725 section 2.4). A member
//! that is absent, one that is null, and one of another type are three refusals; none is "not given".

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The longest text that is read, in bytes. Entra's `scp` is the longest of those we look at.
const TEXT_MAX: usize = 2048;

/// A JSON object in which every name occurs once.
#[derive(Debug)]
pub(super) struct Object(Map<String, Value>);

/// What is wrong with a member, as the end of a sentence. Holds names and never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("has no `{0}`")]
    Absent(String),
    #[error("has null for `{0}`")]
    Null(String),
    #[error("has a `{name}` that is not {wanted}")]
    Wrong { name: String, wanted: &'static str },
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    pub(super) fn wrong(name: &str, wanted: &'static str) -> Self {
        Self::Wrong { name: name.to_owned(), wanted }
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl Object {
    /// `None`: not one JSON object, or two members of one name somewhere in it.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        match serde_json::from_slice(bytes) {
            Ok(Strict(Value::Object(members))) => Some(Self(members)),
            _ => None,
        }
    }

    /// Whether it is there at all, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text that must be there and not be empty.
    pub(super) fn text(&self, name: &str) -> Result<&str, Fault> {
        needed(name, self.text_if_any(name)?)
    }

    /// A text that may be absent, but not null and not empty.
    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<&str>, Fault> {
        let Some(value) = self.member(name)? else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Fault::wrong(name, "a text"))?;
        if text.is_empty() || text.len() > TEXT_MAX {
            return Err(Fault::wrong(name, "a text of 1 to 2048 bytes"));
        }
        Ok(Some(text))
    }

    /// A number that must be there: whole, and not below zero.
    pub(super) fn whole(&self, name: &str) -> Result<u64, Fault> {
        let value = needed(name, self.member(name)?)?;
        value.as_u64().ok_or_else(|| Fault::wrong(name, "a whole number"))
    }

    /// A moment that must be there: a whole number of seconds since 1970 (`NumericDate` without its
    /// fractions, which Entra never sends).
    pub(super) fn moment(&self, name: &str) -> Result<Timestamp, Fault> {
        needed(name, self.moment_if_any(name)?)
    }

    /// A moment that may be absent, but not null.
    pub(super) fn moment_if_any(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        let Some(value) = self.member(name)? else { return Ok(None) };
        let moment = value
            .as_u64()
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        moment.map(Some).ok_or_else(|| Fault::wrong(name, "a whole number of seconds since 1970"))
    }

    /// A list of texts that may be absent, but not null: at most `most`, each at most `longest` bytes.
    pub(super) fn texts_if_any(
        &self,
        name: &str,
        most: usize,
        longest: usize,
    ) -> Result<Option<Vec<&str>>, Fault> {
        let Some(value) = self.member(name)? else { return Ok(None) };
        let items = value.as_array().ok_or_else(|| Fault::wrong(name, "a list of texts"))?;
        if items.len() > most {
            return Err(Fault::wrong(name, "a list of a bearable length"));
        }
        let fits = |text: &&str| !text.is_empty() && text.len() <= longest;
        let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().filter(fits)).collect();
        texts.map(Some).ok_or_else(|| Fault::wrong(name, "a list of short texts"))
    }

    /// A list of objects that must be there: at most `most`.
    pub(super) fn into_objects(mut self, name: &str, most: usize) -> Result<Vec<Self>, Fault> {
        self.member(name)?;
        let items = match self.0.remove(name) {
            None => return Err(Fault::Absent(name.to_owned())),
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(_) => return Err(Fault::wrong(name, "a list of a bearable length")),
        };
        let object = |item| match item {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Fault::wrong(name, "a list of objects")),
        };
        items.into_iter().map(object).collect()
    }

    fn member(&self, name: &str) -> Result<Option<&Value>, Fault> {
        match self.0.get(name) {
            Some(Value::Null) => Err(Fault::Null(name.to_owned())),
            other => Ok(other),
        }
    }
}

fn needed<T>(name: &str, found: Option<T>) -> Result<T, Fault> {
    found.ok_or_else(|| Fault::Absent(name.to_owned()))
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no name occurs twice")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}
