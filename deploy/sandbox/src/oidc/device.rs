//! Device codes: RFC 8628, with the login service's words for what it says meanwhile.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    error::LoginError,
    page,
    registration::{self, Scopes},
    token,
};
use crate::{
    SignIn, Strength,
    http::{Form, Reply, Request},
    people,
    world::World,
};

/// Entra's are good for fifteen minutes.
const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long to wait between two questions, and how much longer for who does not.
const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Without vowels, and without what looks alike.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ23456789";
const CODE_LETTERS: usize = 9;

/// A sign-in that waits for somebody to enter its code.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    user_code: String,
    client_id: String,
    scopes: Scopes,
    made: Timestamp,
    interval: SignedDuration,
    asked: Option<Timestamp>,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    Waiting,
    Declined,
    Entered(SignIn),
}

pub(super) fn begin(world: &Arc<World>, request: &Request) -> Reply {
    let form = request.form();
    let begun = token::public_client(&form).and_then(|app| {
        let scope = form.get("scope").ok_or_else(|| LoginError::missing("scope"))?;
        Ok((app, registration::delegated(world, scope)?))
    });
    let (app, scopes) = match begun {
        Ok(begun) => begun,
        Err(error) => return error.reply(request),
    };
    let user_code = user_code();
    let device = Device {
        user_code: user_code.clone(),
        client_id: app.client_id.to_owned(),
        scopes,
        made: world.clock.now(),
        interval: INTERVAL,
        asked: None,
        answer: Answer::Waiting,
    };
    let device_code = format!("{}{}", crate::mint::unique(), crate::mint::unique());
    world.sign_ins.with(|memory| memory.devices.insert(device_code.clone(), device));
    let uri = format!("{}/{}/oauth2/v2.0/deviceauth", world.base_url, people::TENANT);
    Reply::json(
        200,
        json!({
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": uri,
            "expires_in": LIFE.as_secs(),
            "interval": INTERVAL.as_secs(),
            "message": format!("To sign in, open {uri} and enter the code {user_code} to authenticate."),
        }),
    )
}

/// The page came back with a code.
pub(super) fn entered(world: &World, request: &Request) -> Reply {
    let form = request.form();
    let code = form.get("code").unwrap_or_default();
    let strength = form.get("strength").and_then(|word| word.parse().ok());
    let done = match (form.get("action"), form.get("person"), strength) {
        (Some("cancel"), _, _) => decline(world, code),
        (_, Some(person), Some(strength)) => enter(world, code, person, strength),
        _ => false,
    };
    let told = if done { "Done. You can go back to the device." } else { "Nobody waits for that code." };
    Reply::html(if done { 200 } else { 400 }, page::device(world, Some(told)))
}

/// Codes that somebody waits for.
pub(crate) fn waiting(world: &World) -> Vec<String> {
    let now = world.clock.now();
    world.sign_ins.with(|memory| {
        let open = memory.devices.values().filter(|device| device.is_open(now));
        open.map(|device| device.user_code.clone()).collect()
    })
}

/// Somebody enters a code and signs in; `false` if nobody waits for it, or there is no such person.
pub(crate) fn enter(world: &World, code: &str, person: &str, strength: Strength) -> bool {
    let Some(user) = world.directory.user(person).filter(|user| user.enabled) else { return false };
    let now = world.clock.now();
    answer(world, code, |device| {
        Answer::Entered(SignIn {
            oid: user.id.clone(),
            name: user.name.clone(),
            client_id: device.client_id.clone(),
            strength,
            auth_time: now,
            // Nothing of the request for the device's tokens came by way of the browser.
            nonce: None,
            id_acrs: Vec::new(),
            access_acrs: Vec::new(),
            capabilities: Vec::new(),
        })
    })
}

/// Somebody enters a code and declines.
pub(crate) fn decline(world: &World, code: &str) -> bool {
    answer(world, code, |_| Answer::Declined)
}

fn answer(world: &World, code: &str, made: impl FnOnce(&Device) -> Answer) -> bool {
    let now = world.clock.now();
    world.sign_ins.with(|memory| {
        let code = code.trim();
        let device =
            memory.devices.values_mut().find(|it| it.user_code.eq_ignore_ascii_case(code) && it.is_open(now));
        device.is_some_and(|device| {
            device.answer = made(device);
            true
        })
    })
}

/// The sign-in that a device waits for.
pub(super) fn redeem(world: &World, form: &Form) -> Result<(SignIn, Scopes), LoginError> {
    let app = token::public_client(form)?;
    let name = form.get("device_code").ok_or_else(|| LoginError::missing("device_code"))?;
    let now = world.clock.now();
    world.sign_ins.with(|memory| {
        let refused = |number, error, message: &str| Err(LoginError::new(number, error, message));
        let Some(device) = memory.devices.get_mut(name).filter(|device| device.client_id == app.client_id)
        else {
            return refused(70018, "bad_verification_code", "The device code was not recognized.");
        };
        if now.duration_since(device.made) >= LIFE {
            return refused(70019, "expired_token", "The code has expired. Have the user retry the sign-in.");
        }
        let is_early =
            device.asked.replace(now).is_some_and(|last| now.duration_since(last) < device.interval);
        if is_early {
            device.interval = device.interval.saturating_add(INTERVAL);
            return refused(70016, "slow_down", "The device asks too often.");
        }
        match device.answer.clone() {
            Answer::Waiting => {
                let message = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
                refused(70016, "authorization_pending", message)
            }
            Answer::Declined => refused(65004, "authorization_declined", "The user declined the sign-in."),
            Answer::Entered(sign_in) => {
                let scopes = device.scopes.clone();
                memory.devices.remove(name);
                Ok((sign_in, scopes))
            }
        }
    })
}

impl Device {
    fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.answer, Answer::Waiting) && now.duration_since(self.made) < LIFE
    }
}

fn user_code() -> String {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    let letters = bytes.iter().take(CODE_LETTERS);
    letters
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|letter| char::from(*letter))
        .collect()
}
