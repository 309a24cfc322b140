//! What the login service remembers: codes and tokens that it gave out, and assertions that it saw.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::{device::Device, registration::Scopes};
use crate::{SignIn, mint, world::World};

/// Entra's codes live about ten minutes.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Entra's refresh tokens live ninety days, however often they are used.
const REFRESH_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A host's tokens live a day, and are given out again until an hour before their end.
pub(crate) const HOST_LIFE: SignedDuration = SignedDuration::from_hours(24);
const HOST_RENEWED: SignedDuration = SignedDuration::from_hours(1);

/// A Graph token of the host's managed identity.
#[derive(Clone, Debug)]
pub(crate) struct HostToken {
    pub(crate) token: String,
    pub(crate) made: Timestamp,
    pub(crate) ends: Timestamp,
}

/// The login service's memory.
#[derive(Debug, Default)]
pub(crate) struct SignIns(Mutex<Memory>);

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Sign-ins that wait for a code to be entered, by the device's own code.
    pub(super) devices: BTreeMap<String, Device>,
    /// The token that the host has of its managed identity, until when, and when it was made.
    host: Option<HostToken>,
    codes: BTreeMap<String, Code>,
    refresh: BTreeMap<String, Refresh>,
    graph: BTreeMap<String, GraphToken>,
    /// By client and `jti`, until when the assertion would be valid.
    assertions: BTreeMap<(String, String), Timestamp>,
}

/// A sign-in that is waiting to be redeemed.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) sign_in: SignIn,
    pub(super) scopes: Scopes,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) made: Timestamp,
    pub(super) redeemed: bool,
}

impl Code {
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.made) >= CODE_LIFE
    }
}

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) sign_in: SignIn,
    pub(super) scopes: Scopes,
    pub(super) made: Timestamp,
}

impl Refresh {
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        now.duration_since(self.made) >= REFRESH_LIFE
    }
}

/// Who a Graph token is for. Nobody but Graph can tell.
#[derive(Clone, Debug)]
pub(crate) struct GraphToken {
    /// The application that asked; none for a token that a person got, which may do nothing here.
    pub(crate) client_id: Option<String>,
    pub(crate) expires: Timestamp,
}

impl SignIns {
    pub(super) fn remember_code(&self, code: Code) -> String {
        let name = format!("1.{}{}", mint::unique(), mint::unique());
        self.with(|memory| memory.codes.insert(name.clone(), code));
        name
    }

    /// Gives the code as it was before; from now on it counts as redeemed.
    pub(super) fn redeem(&self, name: &str) -> Option<Code> {
        self.with(|memory| {
            let code = memory.codes.get_mut(name)?;
            let before = code.clone();
            code.redeemed = true;
            Some(before)
        })
    }

    pub(super) fn remember_refresh(&self, refresh: Refresh) -> String {
        let name = format!("1.{}{}{}", mint::unique(), mint::unique(), mint::unique());
        self.with(|memory| memory.refresh.insert(name.clone(), refresh));
        name
    }

    pub(super) fn refresh(&self, name: &str) -> Option<Refresh> {
        self.with(|memory| memory.refresh.get(name).cloned())
    }

    /// A Graph token for an application, and for how many seconds it is good.
    pub(crate) fn graph_token(&self, world: &World, client_id: &str) -> Option<(String, i64)> {
        crate::people::APPS.iter().find(|app| app.client_id == client_id)?;
        Some(self.remember_graph(world, Some(client_id.to_owned())))
    }

    pub(super) fn remember_graph(&self, world: &World, client_id: Option<String>) -> (String, i64) {
        let now = world.clock.now();
        let life = mint::lifetime();
        (self.remember_graph_for(client_id, now, SignedDuration::from_secs(life)), life)
    }

    pub(crate) fn graph(&self, token: &str) -> Option<GraphToken> {
        self.with(|memory| memory.graph.get(token).cloned())
    }

    /// `false` if this assertion was seen before.
    pub(super) fn first_use(&self, client: &str, jti: &str, until: Timestamp, now: Timestamp) -> bool {
        self.with(|memory| {
            memory.assertions.retain(|_, until| *until > now);
            memory.assertions.insert((client.to_owned(), jti.to_owned()), until).is_none()
        })
    }

    /// The host's Graph token. The same one is given out until its end is near.
    pub(crate) fn host_token(&self, world: &World) -> HostToken {
        let now = world.clock.now();
        let kept = self.with(|memory| memory.host.clone());
        if let Some(kept) = kept.filter(|kept| now.duration_since(kept.made) < HOST_LIFE - HOST_RENEWED) {
            return kept;
        }
        let client_id = Some(crate::people::HOST.client_id.to_owned());
        let token = self.remember_graph_for(client_id, now, HOST_LIFE);
        let made = HostToken { token, made: now, ends: now.saturating_add(HOST_LIFE).unwrap_or(now) };
        self.with(|memory| memory.host = Some(made.clone()));
        made
    }

    fn remember_graph_for(&self, client_id: Option<String>, now: Timestamp, life: SignedDuration) -> String {
        let expires = now.saturating_add(life).unwrap_or(now);
        let name = format!("EwB4{}{}{}", mint::unique(), mint::unique(), mint::unique());
        self.with(|memory| memory.graph.insert(name.clone(), GraphToken { client_id, expires }));
        name
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
