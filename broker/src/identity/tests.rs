//! A tenant that signs whatever it is told to, and a clock moved by hand. Everything inside is ours.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self as crypto, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use elevate_core::binding::{Action, Digest};
use elevate_core::due::Now;
use elevate_core::names::{Principal, TenantId};
use elevate_core::policy::{Bound, ProofRule, Strength};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::keys::source::Source;
use super::{Identity, KeyFault, Settings};
use crate::ports::clock::Assurance;
use crate::ports::verifier::{Caller, TokenRefusal, Wanted};
use crate::ports::{Clock, Verifier as _};

mod access;
mod challenges;
mod keys;
mod mutants;
mod proofs;
mod tokens;
mod web;

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER: &str = "99f988bf-86f1-41af-91ab-2d7cd011db99";
const ANN: &str = "071cc716-8147-4397-a5ba-b2105951cc0b";
const BROKER: &str = "b0000000-0000-4000-8000-000000000001";
const CLIENT: &str = "c0000000-0000-4000-8000-000000000002";
const START: i64 = 1_800_000_000;

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static OTHER_RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static EC: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&crypto::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());

/// A clock that stands still until told otherwise.
#[derive(Debug)]
struct Hands {
    now: Mutex<Now>,
    moved: Notify,
    assurance: Mutex<Assurance>,
}

impl Hands {
    fn new() -> Arc<Self> {
        let assurance = Mutex::new(Assurance::Witnessed { corroborated: true });
        Arc::new(Self { now: Mutex::new(Now::exactly(at(0))), moved: Notify::new(), assurance })
    }

    /// Seconds after the start, surely.
    fn set(&self, seconds: i64) {
        self.set_between(seconds, seconds);
    }

    fn set_between(&self, earliest: i64, latest: i64) {
        *self.now.lock().unwrap() = Now::between(at(earliest), at(latest));
        self.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Now {
        *self.now.lock().unwrap()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let moved = self.moved.notified();
        if self.now().latest() < moment {
            moved.await;
        }
    }

    fn assurance(&self) -> Assurance {
        *self.assurance.lock().unwrap()
    }
}

/// What the tenant publishes, and how often it was asked.
#[derive(Debug, Default)]
struct Published {
    documents: Mutex<BTreeMap<String, String>>,
    reads: AtomicUsize,
    /// Where given, a read of keys waits for it.
    gate: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
}

#[derive(Debug)]
struct Tenant(Arc<Published>);

#[async_trait]
impl Source for Tenant {
    async fn read(&self, address: &Url) -> Result<Vec<u8>, KeyFault> {
        let is_keys = address.path().ends_with("/keys");
        if is_keys {
            self.0.reads.fetch_add(1, Ordering::SeqCst);
            let gate = self.0.gate.lock().unwrap().clone();
            if let Some(gate) = gate {
                gate.acquire().await.unwrap().forget();
            }
        }
        let documents = self.0.documents.lock().unwrap();
        documents
            .get(address.as_str())
            .map(|text| text.clone().into_bytes())
            .ok_or_else(|| KeyFault::new(format!("`{address}` answered 503")))
    }
}

fn issuer() -> String {
    format!("https://login.example/{TENANT}/v2.0")
}

fn discovery_address() -> String {
    format!("{}/.well-known/openid-configuration", issuer())
}

fn keys_address() -> String {
    format!("https://login.example/{TENANT}/discovery/v2.0/keys")
}

/// A broker's verifier, its clock, and its tenant.
struct House {
    identity: Arc<Identity>,
    clock: Arc<Hands>,
    tenant: Arc<Published>,
}

impl House {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Hands::new();
        let tenant = Arc::new(Published::default());
        let mut settings = settings(clock.clone());
        change(&mut settings);
        let identity = Identity::reading(settings, Box::new(Tenant(tenant.clone()))).unwrap();
        let house = Self { identity: Arc::new(identity), clock, tenant };
        house.publish_discovery(&json!({"issuer": issuer(), "jwks_uri": keys_address()}));
        house.publish(&[rsa_key("rsa", &RSA), ec_key("ec")]);
        house
    }

    fn publish_discovery(&self, document: &Value) {
        self.tenant.documents.lock().unwrap().insert(discovery_address(), document.to_string());
    }

    fn publish(&self, keys: &[Value]) {
        self.tenant.documents.lock().unwrap().insert(keys_address(), json!({"keys": keys}).to_string());
    }

    fn outage(&self) {
        self.tenant.documents.lock().unwrap().clear();
    }

    fn reads(&self) -> usize {
        self.tenant.reads.load(Ordering::SeqCst)
    }

    async fn caller(&self, claims: &Value) -> Result<Caller, TokenRefusal> {
        self.identity.caller(&signed(claims)).await
    }
}

fn settings(clock: Arc<Hands>) -> Settings {
    let mut settings = Settings::entra(
        TENANT.parse().unwrap(),
        BROKER.to_owned(),
        CLIENT.to_owned(),
        reqwest::Client::new(),
        clock,
    );
    settings.issuer = issuer();
    settings
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

fn ann() -> Principal {
    Principal { tenant: TENANT.parse::<TenantId>().unwrap(), object: ANN.parse().unwrap() }
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_key(kid: &str, pair: &RsaKeyPair) -> Value {
    let public = pair.public_key();
    json!({
        "kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "x5c": ["MIIC"],
        "issuer": "https://login.example/{tenantid}/v2.0",
        "n": b64(public.modulus().big_endian_without_leading_zero()),
        "e": b64(public.exponent().big_endian_without_leading_zero()),
    })
}

fn ec_key(kid: &str) -> Value {
    let point = EC.public_key().as_ref();
    json!({
        "kty": "EC", "use": "sig", "kid": kid, "crv": "P-256", "alg": "ES256",
        "x": b64(&point[1..33]), "y": b64(&point[33..65]),
    })
}

fn rsa_signature(pair: &RsaKeyPair, padding: &'static dyn RsaEncoding, text: &str) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    signature
}

fn ec_signature(text: &str) -> Vec<u8> {
    EC.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
}

/// A token of these very texts.
fn minted(header: &str, payload: &str, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let text = format!("{}.{}", b64(header), b64(payload));
    let signature = b64(sign(&text));
    format!("{text}.{signature}")
}

/// As the tenant signs: ES256 here, for speed. The other algorithms have their own tests.
fn signed_text(payload: &str) -> String {
    minted(r#"{"typ":"JWT","alg":"ES256","kid":"ec"}"#, payload, ec_signature)
}

fn signed(claims: &Value) -> String {
    signed_text(&claims.to_string())
}

/// With members set, or taken out where the value is null.
fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// A person's access token as Entra makes it: `iat` and `nbf` five minutes back.
fn access() -> Value {
    json!({
        "aud": BROKER, "iss": issuer(), "iat": START - 300, "nbf": START - 300, "exp": START + 3600,
        "azp": CLIENT, "azpacr": "0", "oid": ANN, "sub": "pairwise", "tid": TENANT, "uti": "uti-1",
        "scp": "access_as_user", "ver": "2.0", "name": "Ann Archer", "preferred_username": "ann@contoso.example",
    })
}

/// A program's.
fn app_only() -> Value {
    json!({
        "aud": BROKER, "iss": issuer(), "iat": START - 300, "nbf": START - 300, "exp": START + 3600,
        "azp": OTHER, "azpacr": "2", "oid": ANN, "sub": ANN, "tid": TENANT, "uti": "uti-2",
        "roles": ["Elevate.Auditor"], "ver": "2.0",
    })
}

/// The ID token of a sign-in ten seconds ago, with this nonce.
fn id_token(nonce: &str) -> Value {
    json!({
        "aud": CLIENT, "iss": issuer(), "iat": START - 300, "nbf": START - 300, "exp": START + 3600,
        "auth_time": START - 10, "amr": ["fido", "mfa"], "acrs": ["c1", "c7"], "nonce": nonce,
        "oid": ANN, "sub": "pairwise", "tid": TENANT, "uti": "uti-3", "ver": "2.0",
    })
}

fn digest() -> Digest {
    Digest::from_bytes([7; 32])
}

fn rule() -> ProofRule {
    ProofRule {
        strength: Strength::Mfa,
        context: None,
        freshness: SignedDuration::from_mins(5),
        bound: Bound::Nonce,
    }
}

fn wanted<'a>(challenge: &'a str, rule: &'a ProofRule) -> Wanted<'a> {
    Wanted { caller: ann(), action: Action::Activate, digest: digest(), challenge, rule }
}

/// Every way in which one claim of a good token can be wrong, as texts of whole payloads.
fn spoilt(good: &Value, name: &str, may_be_absent: bool) -> Vec<(String, String)> {
    let value = &good[name];
    let without = changed(good.clone(), &json!({ name: null }));
    let with = |other: Value| {
        let mut claims = good.clone();
        claims[name] = other;
        claims.to_string()
    };
    let mut cases = vec![
        ("null".to_owned(), with(Value::Null)),
        ("boolean".to_owned(), with(json!(true))),
        ("object".to_owned(), with(json!({ "value": value }))),
        ("list in a list".to_owned(), with(json!([[value]]))),
        ("huge".to_owned(), with(json!("a".repeat(3000)))),
        ("empty".to_owned(), with(json!(""))),
        ("fraction".to_owned(), with(json!(1.5))),
        ("below zero".to_owned(), with(json!(-1))),
        ("list of numbers".to_owned(), with(json!([1]))),
        ("long list".to_owned(), with(json!(vec!["mfa"; 65]))),
        ("list of long texts".to_owned(), with(json!(["a".repeat(200)]))),
    ];
    match value {
        Value::Array(_) => cases.push(("text".to_owned(), with(value[0].clone()))),
        Value::Number(number) => {
            cases.push(("text".to_owned(), with(json!(number.to_string()))));
            cases.push(("list".to_owned(), with(json!([value]))));
            cases.push(("past the calendar".to_owned(), with(json!(u64::MAX))));
            let text = with(json!("HERE"));
            cases.push(("endless".to_owned(), text.replace("\"HERE\"", "1e400")));
            cases.push(("with an exponent".to_owned(), text.replace("\"HERE\"", "18e8")));
        }
        _ => {
            cases.push(("list".to_owned(), with(json!([value]))));
            cases.push(("number".to_owned(), with(json!(1))));
        }
    }
    let text = good.to_string();
    let body = text.strip_prefix('{').unwrap();
    cases.push(("twice".to_owned(), format!("{{\"{name}\":{value},{body}")));
    let escaped: String = name.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    cases.push(("twice, once escaped".to_owned(), format!("{{\"{escaped}\":{value},{body}")));
    if !may_be_absent {
        let mut other_case = without.clone();
        other_case[name.to_uppercase()] = value.clone();
        cases.push(("absent".to_owned(), without.to_string()));
        cases.push(("in another case".to_owned(), other_case.to_string()));
    }
    cases
}
