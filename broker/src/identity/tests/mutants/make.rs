//! How a good token is spoilt.

use aws_lc_rs::hmac;

use super::super::*;
use super::pools::Pools;

/// One number decides everything that follows from it (`SplitMix64`).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n).unwrap()).unwrap()
    }

    pub(super) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// A JSON object as it is written: names may stand in it twice, and values be anything.
#[derive(Debug, Clone)]
pub(super) struct Sheet(pub(super) Vec<(String, String)>);

impl Sheet {
    pub(super) fn of(object: &Value) -> Self {
        Self(
            object
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
        )
    }

    pub(super) fn text(&self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(here, _)| here == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(here, _)| here != name);
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(here, _)| here == name).map(|(_, value)| value.clone())
    }

    /// One thing wrong with it, out of `pool`, or with its shape.
    fn spoil(&mut self, dice: &mut Dice, pool: &[(&str, Vec<String>)]) {
        let (name, values) = dice.pick(pool);
        let hostile = dice.pick(values).clone();
        let held = self.value(name).unwrap_or_else(|| "1".to_owned());
        match dice.below(12) {
            0 => self.remove(name),
            1 => self.set(name, "null".to_owned()),
            2 => self.set(name, format!("[{held}]")),
            3 => self.set(name, format!("{{\"value\":{held}}}")),
            // Twice: the good one first or last.
            4 => self.0.push(((*name).to_owned(), hostile)),
            5 => self.0.insert(0, ((*name).to_owned(), hostile)),
            6 => {
                self.remove(name);
                let upper = name.to_uppercase();
                self.0.push((upper, held));
            }
            _ => self.set(name, hostile),
        }
    }
}

/// Where a token is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Access,
    /// Ann's proof to activate.
    Activate,
    /// Bob's proof to approve.
    Approve,
}

/// A key of the tenant or of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Rsa,
    RsaPss,
    Pinned,
    PinnedPss,
    Ec,
    Attacker,
    AttackerPss,
    AttackerEc,
}

pub(super) static PINNED: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static ATTACKER_EC: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&crypto::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());

impl Signer {
    fn algorithm(self) -> &'static str {
        match self {
            Self::Rsa | Self::Pinned | Self::Attacker => "RS256",
            Self::RsaPss | Self::PinnedPss | Self::AttackerPss => "PS256",
            Self::Ec | Self::AttackerEc => "ES256",
        }
    }

    fn kid(self) -> &'static str {
        match self {
            Self::Rsa | Self::RsaPss => "rsa",
            Self::Pinned | Self::PinnedPss => "pinned",
            Self::Ec => "ec",
            Self::Attacker | Self::AttackerPss | Self::AttackerEc => "attacker",
        }
    }

    pub(super) fn header(self) -> Sheet {
        Sheet::of(&json!({"typ": "JWT", "alg": self.algorithm(), "kid": self.kid()}))
    }

    pub(super) fn sign(self, text: &str) -> Vec<u8> {
        match self {
            Self::Rsa => rsa_signature(&RSA, &RSA_PKCS1_SHA256, text),
            Self::RsaPss => rsa_signature(&RSA, &RSA_PSS_SHA256, text),
            Self::Pinned => rsa_signature(&PINNED, &RSA_PKCS1_SHA256, text),
            Self::PinnedPss => rsa_signature(&PINNED, &RSA_PSS_SHA256, text),
            Self::Ec => ec_signature(text),
            Self::Attacker => rsa_signature(&OTHER_RSA, &RSA_PKCS1_SHA256, text),
            Self::AttackerPss => rsa_signature(&OTHER_RSA, &RSA_PSS_SHA256, text),
            Self::AttackerEc => {
                ATTACKER_EC.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
            }
        }
    }

    fn public(self) -> Value {
        match self {
            Self::AttackerEc => {
                let point = ATTACKER_EC.public_key().as_ref();
                changed(ec_key("attacker"), &json!({"x": b64(&point[1..33]), "y": b64(&point[33..65])}))
            }
            _ => rsa_key("attacker", &OTHER_RSA),
        }
    }
}

/// A good token, and what it is made of.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) door: Door,
    pub(super) signer: Signer,
    pub(super) claims: Sheet,
    pub(super) text: String,
}

impl Base {
    pub(super) fn new(door: Door, signer: Signer, claims: &Value) -> Self {
        let claims = Sheet::of(claims);
        let text = minted(&signer.header().text(), &claims.text(), |text| signer.sign(text));
        Self { door, signer, claims, text }
    }

    fn parts(&self) -> [&str; 3] {
        self.text.split('.').collect::<Vec<_>>().try_into().unwrap()
    }
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SPECIAL: &[u8] = b".=+/ \n\t\r%\"{}~,;:@!\x00\x7f";

/// A few bytes of it are others.
pub(super) fn edited(base: &Base, dice: &mut Dice) -> String {
    let mut bytes = base.text.clone().into_bytes();
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            break;
        }
        let place = dice.below(bytes.len());
        let byte = match dice.below(6) {
            0 => *dice.pick(SPECIAL),
            1 => bytes[place] ^ (1 << dice.below(7)),
            _ => *dice.pick(BASE64),
        };
        match dice.below(10) {
            0..5 => bytes[place] = byte,
            5 | 6 => bytes.insert(place, byte),
            7 => drop(bytes.remove(place)),
            8 => bytes.truncate(place),
            _ => {
                let other = dice.below(bytes.len());
                bytes.swap(place, other);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Put together otherwise, under the signature that it had.
pub(super) fn restructured(base: &Base, all: &[Base], pools: &Pools, dice: &mut Dice) -> String {
    let other = dice.pick(all);
    let ([head, body, seal], [head_2, body_2, seal_2]) = (base.parts(), other.parts());
    let mut header = base.signer.header();
    let mut claims = base.claims.clone();
    match dice.below(16) {
        0..4 => {
            for _ in 0..=dice.below(2) {
                claims.spoil(dice, &pools.claims);
            }
            format!("{head}.{}.{seal}", b64(claims.text()))
        }
        4..7 => {
            header.spoil(dice, &pools.header);
            format!("{}.{body}.{seal}", b64(header.text()))
        }
        7 => format!("{}.{body}.{seal}", b64(other.signer.header().text())),
        8 => format!("{head}.{body_2}.{seal}"),
        9 => format!("{head}.{body}.{seal_2}"),
        10 => format!("{head_2}.{body_2}.{seal}"),
        11 => format!(
            "{head}.{body}.{seal}{}",
            dice.pick(&["=", "==", "=.", ".", " ", "\n", "A", "AA", "\u{0}"])
        ),
        12 => format!("{}.{}", base.text, other.text),
        13 => {
            let tail = dice.pick(&["", ".", ".AA", ".e30"]);
            format!("{}.{body}{tail}", b64(dice.pick(&pools.unsigned)))
        }
        14 => {
            // One token within another.
            header.set("cty", "\"JWT\"".to_owned());
            format!("{}.{}.{seal}", b64(header.text()), b64(&other.text))
        }
        _ => match dice.below(6) {
            0 => json!({"protected": head, "payload": body, "signature": seal}).to_string(),
            1 => json!({"payload": body, "signatures": [{"protected": head, "signature": seal}]}).to_string(),
            2 => format!("{seal}.{body}.{head}"),
            3 => format!("{body}.{head}.{seal}"),
            4 => format!("{head}.{body}"),
            _ => format!("{head}..{seal}"),
        },
    }
}

/// What somebody makes who has no key of the tenant.
pub(super) fn forged(base: &Base, pools: &Pools, dice: &mut Dice) -> String {
    let mut claims = base.claims.clone();
    if dice.once_in(2) {
        claims.spoil(dice, &pools.claims);
    }
    if dice.once_in(5) {
        // The public key for a shared secret.
        let secret = dice.pick(&pools.secrets);
        let mut header = base.signer.header();
        header.set("alg", json!(dice.pick(&["HS256", "RS256", "ES256", "PS256", "none"])).to_string());
        return minted(&header.text(), &claims.text(), |text| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec()
        });
    }
    // RSA is slow to sign with.
    let by = match dice.below(6) {
        0 => Signer::Attacker,
        1 => Signer::AttackerPss,
        _ => Signer::AttackerEc,
    };
    let mut header = by.header();
    if dice.once_in(2) {
        header.set("kid", json!(dice.pick(&["rsa", "pinned", "ec", "EC", "", "../ec"])).to_string());
    }
    match dice.below(8) {
        0 | 1 => header.set("jwk", by.public().to_string()),
        2 => header.set("jku", "\"https://evil.example/keys\"".to_owned()),
        3 => header.set("x5u", "\"https://evil.example/cert\"".to_owned()),
        4 => header.set("x5c", "[\"MIIC\"]".to_owned()),
        _ => {}
    }
    if dice.once_in(4) {
        header.spoil(dice, &pools.header);
    }
    minted(&header.text(), &claims.text(), |text| by.sign(text))
}

/// Claims that are not to be believed, and yet the tenant signed them.
pub(super) fn resigned(base: &Base, pools: &Pools, dice: &mut Dice) -> String {
    let mut claims = base.claims.clone();
    // Some stay good, or the test would not see what is wrongly refused.
    for _ in 0..dice.below(4) {
        claims.spoil(dice, &pools.claims);
    }
    let by = match dice.below(40) {
        0 => Signer::Rsa,
        1 => Signer::RsaPss,
        2 => Signer::Pinned,
        3 | 4 => Signer::PinnedPss,
        _ => Signer::Ec,
    };
    let mut header = by.header();
    if dice.once_in(6) {
        header.spoil(dice, &pools.header);
    }
    minted(&header.text(), &claims.text(), |text| by.sign(text))
}
