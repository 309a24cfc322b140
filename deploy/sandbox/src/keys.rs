//! The keys that sign tokens: which are published, and which one signs.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use serde_json::{Value, json};

use crate::{Key, mint};

/// The login service's key ring. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Arc<Mutex<Ring>>);

#[derive(Debug)]
struct Ring {
    signing: Key,
    published: Vec<Key>,
}

impl Keys {
    pub(crate) fn fresh() -> Result<Self> {
        let key = first_key()?.named(&mint::unique());
        Ok(Self(Arc::new(Mutex::new(Ring { signing: key.clone(), published: vec![key] }))))
    }

    pub(crate) fn signing(&self) -> Key {
        self.with(|ring| ring.signing.clone())
    }

    /// A new key signs from now on; the old ones stay published until they are withdrawn.
    pub(crate) fn rotate(&self) -> Result<String> {
        let key = Key::fresh()?;
        Ok(self.with(|ring| {
            ring.signing = key.clone();
            ring.published.push(key.clone());
            key.kid().to_owned()
        }))
    }

    /// A key is published no more, also the one that signs: tokens by it are then worth nothing.
    pub(crate) fn withdraw(&self, kid: &str) -> bool {
        self.with(|ring| {
            let before = ring.published.len();
            ring.published.retain(|key| key.kid() != kid);
            ring.published.len() != before
        })
    }

    pub(crate) fn list(&self) -> Value {
        self.with(|ring| {
            let published: Vec<_> = ring.published.iter().map(Key::kid).collect();
            json!({ "signing": ring.signing.kid(), "published": published })
        })
    }

    /// The key set as the login service publishes it. Each key says whose tokens it may sign.
    pub(crate) fn published(&self, issuer: &str) -> Value {
        let keys: Vec<Value> = self.with(|ring| ring.published.iter().map(|key| key.jwk(issuer)).collect());
        json!({ "keys": keys })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Ring) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An RSA key takes a tenth of a second to make, and tests start tenants by the dozen: the first key of every
/// tenant in a process is the same, under another name each time. Later keys are their own.
fn first_key() -> Result<Key> {
    static FIRST: Mutex<Option<Key>> = Mutex::new(None);
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*first {
        Some(key) => Ok(key.clone()),
        None => Ok(first.insert(Key::fresh()?).clone()),
    }
}
