//! Challenges that are kept nowhere: each carries what it was made for, until when, and our seal on it.
//!
//! ```text
//! version 1 | unique 16 | made 8 | over 8 | tenant 16 | object 16 | digest 32 | action 1 | seal 32
//! ```
//!
//! The seal is HMAC-SHA256 under a key of this process, so a restart voids what was not answered: the
//! client prepares again. The nonce is computed over the whole text, so it is as hard to guess as the seal.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use elevate_core::binding::{self, Action, Digest};
use elevate_core::due::Now;
use elevate_core::names::{ObjectId, Principal, TenantId};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::ports::verifier::{Challenge, Wanted};

/// How long a sign-in may take.
pub(super) const CHALLENGE_TERM: SignedDuration = SignedDuration::from_mins(5);

/// The longest challenge that is looked at; ours have 174 characters.
const TEXT_MAX: usize = 512;

const VERSION: u8 = 1;
const SEAL: usize = 32;

/// Makes challenges, and knows its own.
#[derive(Debug)]
pub(super) struct Seal {
    key: hmac::Key,
    made: AtomicU64,
}

/// What is wrong with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOurs {
    #[error("the challenge is missing")]
    Missing,
    #[error("the challenge is not one of this broker, or is from before it was restarted")]
    Forged,
    #[error("the challenge is more than five minutes old")]
    Over,
    #[error("the challenge was made for another person")]
    OtherPerson,
    #[error("the challenge was made for another request")]
    OtherRequest,
    #[error("the challenge was made for another action")]
    OtherAction,
}

impl Seal {
    /// With a fresh key; `None` if the system gives no random bytes.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key, made: AtomicU64::new(0) })
    }

    /// A challenge for this caller to do exactly this.
    pub(super) fn challenge(&self, caller: Principal, digest: Digest, action: Action, now: Now) -> Challenge {
        // Whole seconds, towards the sooner end.
        let made = now.earliest().as_second();
        let over = now.earliest().saturating_add(CHALLENGE_TERM).map_or(made, Timestamp::as_second);
        let mut bytes = vec![VERSION];
        bytes.extend(self.unique());
        bytes.extend(now.latest().as_second().to_be_bytes());
        bytes.extend(over.to_be_bytes());
        bytes.extend(caller.tenant.uuid().as_bytes());
        bytes.extend(caller.object.uuid().as_bytes());
        bytes.extend(digest.as_bytes());
        bytes.push(letter(action));
        let seal = hmac::sign(&self.key, &sealed(&bytes));
        bytes.extend(seal.as_ref());
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let nonce = nonce(&text, digest, action);
        let expires_at = Timestamp::from_second(over).unwrap_or(now.earliest());
        Challenge { text, nonce, expires_at }
    }

    /// When the challenge was made, if it is ours, still good, and for exactly what is wanted.
    pub(super) fn open(&self, wanted: &Wanted<'_>, now: Now) -> Result<Timestamp, NotOurs> {
        let text = wanted.challenge;
        if text.is_empty() {
            return Err(NotOurs::Missing);
        }
        let bytes = (text.len() <= TEXT_MAX).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        let bytes = bytes.ok_or(NotOurs::Forged)?;
        let (body, seal) =
            bytes.len().checked_sub(SEAL).and_then(|at| bytes.split_at_checked(at)).ok_or(NotOurs::Forged)?;
        // In constant time, and before anything in it is believed.
        hmac::verify(&self.key, &sealed(body), seal).map_err(|_| NotOurs::Forged)?;
        let Opened { made, over, caller, digest, action } = Opened::read(body).ok_or(NotOurs::Forged)?;
        if now.latest() >= over {
            Err(NotOurs::Over)
        } else if caller != wanted.caller {
            Err(NotOurs::OtherPerson)
        } else if digest != wanted.digest {
            Err(NotOurs::OtherRequest)
        } else if action != letter(wanted.action) {
            Err(NotOurs::OtherAction)
        } else {
            Ok(made)
        }
    }

    /// Sixteen bytes that no other challenge has and nobody can tell: a count, under our key. Unlike
    /// asking the system each time, it cannot fail.
    fn unique(&self) -> impl Iterator<Item = u8> {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let tag = hmac::sign(
            &self.key,
            &[b"elevate-challenge-unique-v1".as_slice(), &count.to_be_bytes()].concat(),
        );
        tag.as_ref().iter().take(16).copied().collect::<Vec<_>>().into_iter()
    }
}

/// The `nonce` to sign in with.
pub(super) fn nonce(challenge: &str, digest: Digest, action: Action) -> String {
    URL_SAFE_NO_PAD.encode(binding::nonce(challenge, digest, action).as_bytes())
}

/// Keeps what is sealed apart from everything else that the key is used on.
fn sealed(body: &[u8]) -> Vec<u8> {
    [b"elevate-challenge-v1".as_slice(), body].concat()
}

const fn letter(action: Action) -> u8 {
    match action {
        Action::Activate => 1,
        Action::Approve => 2,
        Action::BreakGlass => 3,
    }
}

/// What a challenge says, once its seal is known to be ours.
struct Opened {
    made: Timestamp,
    over: Timestamp,
    caller: Principal,
    digest: Digest,
    action: u8,
}

impl Opened {
    fn read(body: &[u8]) -> Option<Self> {
        let (version, rest) = body.split_first()?;
        let (_unique, rest) = rest.split_first_chunk::<16>()?;
        let (made, rest) = rest.split_first_chunk::<8>()?;
        let (over, rest) = rest.split_first_chunk::<8>()?;
        let (tenant, rest) = rest.split_first_chunk::<16>()?;
        let (object, rest) = rest.split_first_chunk::<16>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let [action] = rest else { return None };
        (*version == VERSION).then_some(())?;
        Some(Self {
            made: Timestamp::from_second(i64::from_be_bytes(*made)).ok()?,
            over: Timestamp::from_second(i64::from_be_bytes(*over)).ok()?,
            caller: Principal {
                tenant: TenantId::from_uuid(Uuid::from_bytes(*tenant)),
                object: ObjectId::from_uuid(Uuid::from_bytes(*object)),
            },
            digest: Digest::from_bytes(*digest),
            action: *action,
        })
    }
}
