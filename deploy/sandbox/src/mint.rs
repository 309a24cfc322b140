//! Tokens, made without a sign-in: good ones for the everyday test, and forged ones for the rest.

mod key;
pub use key::{Key, Signature};

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    FederatedCredential, Strength,
    people::{self, App, Person},
    world::World,
};

/// Entra puts at most so many groups into a token; beyond that it says where to ask.
const MOST_GROUPS: usize = 200;

/// Signs whatever it is told to, with the login service's own key or another.
#[derive(Clone, Debug)]
pub struct Mint {
    world: Arc<World>,
}

/// A sign-in, as far as a token tells of it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The object id of who signed in.
    pub oid: String,
    /// The short name, from which the token's names are made.
    pub name: String,
    /// To which client.
    pub client_id: String,
    /// How strongly.
    pub strength: Strength,
    /// When they last really authenticated.
    pub auth_time: Timestamp,
    /// The nonce of the authorization request.
    pub nonce: Option<String>,
    /// The authentication contexts that were asked for in the ID token.
    pub id_acrs: Vec<String>,
    /// The authentication contexts that were asked for in the access token.
    pub access_acrs: Vec<String>,
    /// The capabilities that the client declared (`xms_cc`).
    pub capabilities: Vec<String>,
}

impl SignIn {
    /// `person` signs in to the command line just now, with MFA.
    #[must_use]
    pub fn fresh(person: &Person, now: Timestamp) -> Self {
        Self {
            oid: person.id.to_owned(),
            name: person.name.to_owned(),
            client_id: people::CLI.client_id.to_owned(),
            strength: Strength::Mfa,
            auth_time: now,
            nonce: None,
            id_acrs: Vec::new(),
            access_acrs: Vec::new(),
            capabilities: Vec::new(),
        }
    }

    /// With this strength.
    #[must_use]
    pub fn strength(mut self, strength: Strength) -> Self {
        self.strength = strength;
        self
    }

    /// With this nonce.
    #[must_use]
    pub fn nonce(mut self, nonce: &str) -> Self {
        self.nonce = Some(nonce.to_owned());
        self
    }

    /// Authenticated at this time.
    #[must_use]
    pub fn auth_time(mut self, at: Timestamp) -> Self {
        self.auth_time = at;
        self
    }

    /// With an authentication context asked for, in both tokens.
    #[must_use]
    pub fn acrs(mut self, context: &str) -> Self {
        self.id_acrs.push(context.to_owned());
        self.access_acrs.push(context.to_owned());
        self
    }
}

impl Mint {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    /// The access token for the broker's API that this sign-in yields.
    #[must_use]
    pub fn access(&self, sign_in: &SignIn) -> String {
        self.sign(&self.access_claims(sign_in))
    }

    /// The ID token that this sign-in yields.
    #[must_use]
    pub fn id(&self, sign_in: &SignIn) -> String {
        self.sign(&self.id_claims(sign_in))
    }

    /// The access token for the broker's API that an application gets for itself.
    #[must_use]
    pub fn app(&self, app: &App) -> String {
        self.sign(&self.app_claims(app, "1"))
    }

    /// The claims of [`Mint::access`], to be altered and signed.
    #[must_use]
    pub fn access_claims(&self, sign_in: &SignIn) -> Value {
        let mut claims = self.common(people::BROKER.client_id, &sign_in.oid);
        claims.extend(object(json!({
            "azp": sign_in.client_id,
            "azpacr": "0",
            "name": self.display_name(sign_in),
            "preferred_username": user_principal_name(sign_in),
            "scp": "access_as_user",
            "sub": pairwise(&sign_in.oid, people::BROKER.client_id),
        })));
        let roles = self.world.directory.app_roles(&sign_in.oid);
        if !roles.is_empty() {
            claims.insert("roles".to_owned(), json!(roles));
        }
        let opted = self.world.behaviour().claims.access_token;
        self.optional(&mut claims, &opted, sign_in, &sign_in.access_acrs);
        if opted.contains("xms_cc") && !sign_in.capabilities.is_empty() {
            claims.insert("xms_cc".to_owned(), json!(sign_in.capabilities));
        }
        Value::Object(claims)
    }

    /// The claims of [`Mint::id`], to be altered and signed.
    #[must_use]
    pub fn id_claims(&self, sign_in: &SignIn) -> Value {
        let mut claims = self.common(&sign_in.client_id, &sign_in.oid);
        claims.extend(object(json!({
            "name": self.display_name(sign_in),
            "preferred_username": user_principal_name(sign_in),
            "sub": pairwise(&sign_in.oid, &sign_in.client_id),
        })));
        if let Some(nonce) = &sign_in.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        self.optional(&mut claims, &self.world.behaviour().claims.id_token, sign_in, &sign_in.id_acrs);
        Value::Object(claims)
    }

    /// The claims of [`Mint::app`]; `azpacr` is `1` after a secret and `2` after a certificate.
    #[must_use]
    pub fn app_claims(&self, app: &App, azpacr: &str) -> Value {
        let mut claims = self.common(people::BROKER.client_id, app.object_id);
        claims.extend(object(json!({ "azp": app.client_id, "azpacr": azpacr, "sub": app.object_id })));
        if self.world.behaviour().claims.access_token.contains("idtyp") {
            claims.insert("idtyp".to_owned(), json!("app"));
        }
        let roles = self.world.directory.app_roles(app.object_id);
        if !roles.is_empty() {
            claims.insert("roles".to_owned(), json!(roles));
        }
        Value::Object(claims)
    }

    /// The claims of a token that the outer issuer makes for the broker, as a cluster makes one for a pod: what the
    /// federated credential says that is registered from the start.
    #[must_use]
    pub fn outer_claims(&self) -> Value {
        let now = self.world.clock.now().as_second();
        let FederatedCredential { issuer, subject, audience } = self.world.federation.registered_at_start();
        json!({ "iss": issuer, "sub": subject, "aud": [audience], "iat": now, "nbf": now, "exp": now + 3600 })
    }

    /// Signs claims as the outer issuer.
    #[must_use]
    pub fn outer(&self, claims: &Value) -> String {
        let key = self.world.federation.key();
        self.sign_with(&key.header(), claims, &Signature::Rs256(key))
    }

    /// Signs claims with the key that the login service signs with now.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let key = self.key();
        self.sign_with(&key.header(), claims, &Signature::Rs256(key))
    }

    /// Signs any header and claims in any way, valid or not.
    #[must_use]
    pub fn sign_with(&self, header: &Value, claims: &Value, signature: &Signature) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.over(message.as_bytes())))
    }

    /// The key that the login service signs with now.
    #[must_use]
    pub fn key(&self) -> Key {
        self.world.keys.signing()
    }

    /// A Graph token as the broker's application gets one, or `None` if there is no such application.
    #[must_use]
    pub fn graph(&self, app: &App) -> Option<String> {
        self.world.sign_ins.graph_token(&self.world, app.client_id).map(|(token, _)| token)
    }

    fn common(&self, audience: &str, oid: &str) -> Map<String, Value> {
        let now = self.world.clock.now().as_second();
        let issued = now - self.world.behaviour().backdate_seconds;
        object(json!({
            "aud": audience,
            "iss": self.world.issuer(),
            "iat": issued,
            "nbf": issued,
            "exp": now + lifetime(),
            "oid": oid,
            "tid": people::TENANT,
            "uti": unique(),
            "ver": "2.0",
        }))
    }

    fn optional(
        &self,
        claims: &mut Map<String, Value>,
        opted: &BTreeSet<String>,
        sign_in: &SignIn,
        asked: &[String],
    ) {
        if opted.contains("amr") {
            claims.insert("amr".to_owned(), json!(sign_in.strength.amr()));
        }
        if opted.contains("auth_time") {
            claims.insert("auth_time".to_owned(), json!(sign_in.auth_time.as_second()));
        }
        let granted: Vec<_> =
            asked.iter().filter(|context| self.world.grants(context, sign_in.strength)).collect();
        if opted.contains("acrs") && !granted.is_empty() {
            claims.insert("acrs".to_owned(), json!(granted));
        }
        if opted.contains("groups") {
            self.groups(claims, &sign_in.oid);
        }
    }

    fn groups(&self, claims: &mut Map<String, Value>, oid: &str) {
        let groups = self.world.directory.groups_of(oid);
        if groups.len() > MOST_GROUPS {
            // The address is that of a service that is gone: whoever needs the groups must ask Graph.
            let endpoint =
                format!("https://graph.windows.net/{}/users/{oid}/getMemberObjects", people::TENANT);
            claims.insert("_claim_names".to_owned(), json!({ "groups": "src1" }));
            claims.insert("_claim_sources".to_owned(), json!({ "src1": { "endpoint": endpoint } }));
        } else if !groups.is_empty() {
            claims.insert("groups".to_owned(), json!(groups));
        }
    }

    fn display_name(&self, sign_in: &SignIn) -> String {
        self.world.directory.display_name(&sign_in.oid).unwrap_or_else(|| sign_in.name.clone())
    }
}

/// Entra gives access tokens a random life of 60 to 90 minutes.
pub(crate) fn lifetime() -> i64 {
    let [byte, ..] = *Uuid::new_v4().as_bytes();
    3600 + i64::from(byte) * 1800 / 255
}

/// A short unique id, as `uti` has.
pub(crate) fn unique() -> String {
    URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())
}

/// `sub` names a person towards one application only.
fn pairwise(oid: &str, audience: &str) -> String {
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{oid} {audience}").as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

fn user_principal_name(sign_in: &SignIn) -> String {
    format!("{}@{}", sign_in.name, people::DOMAIN)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
