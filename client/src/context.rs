//! What a verb works with.

use std::sync::Arc;

use elevate_proto::v1;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::connect::Broker;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::login;
use crate::render::Look;
use crate::settings::Settings;
use crate::world::{Browser, Clock, Commands, Keyring, Keys};

/// The parts of the world that are not the terminal.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) browser: Arc<dyn Browser>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Arc<dyn Keyring>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) commands: Arc<dyn Commands>,
    /// Told when the person presses Ctrl-C. Who runs a command listens to it; else the whole run does.
    pub(crate) interrupt: Arc<Notify>,
}

/// Terminal, outside and settings.
pub(crate) struct Context {
    pub(crate) console: Console,
    pub(crate) outside: Outside,
    pub(crate) settings: Settings,
}

/// The shortest beginning of an id that is looked up.
const PREFIX_MIN: usize = 6;
/// As many as the broker gives in a page.
const PAGE: i32 = 100;
/// How many pages are read when a person asks for a list, or for an id by its beginning.
pub(crate) const PAGES_MAX: usize = 20;

impl Context {
    pub(crate) fn new(console: Console, outside: Outside, settings: Settings) -> Self {
        Self { console, outside, settings }
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    /// How answers look now.
    pub(crate) fn look(&self) -> Look {
        self.console.look(self.now())
    }

    /// How what is said beside them looks now.
    pub(crate) fn look_aside(&self) -> Look {
        self.console.look_aside(self.now())
    }

    /// The broker, called by whoever is signed in.
    pub(crate) async fn broker(&mut self) -> Result<Broker> {
        let token = login::access_token(self).await?;
        Broker::connect(&self.settings).await?.bearing(&token)
    }

    /// The whole id of which the person gave all or the beginning, out of what they can see.
    pub(crate) async fn whole_id(&mut self, broker: &Broker, given: &str, among: Among) -> Result<String> {
        let given = given.trim().to_lowercase();
        if Uuid::try_parse(&given).is_ok_and(|_| given.len() == 36) {
            return Ok(given);
        }
        if given.len() < PREFIX_MIN || !given.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
            return Err(Failure::usage(format!("`{given}` is no id of an activation"))
                .advice(format!("give the id, or at least {PREFIX_MIN} characters of its beginning")));
        }
        let mut seen = Vec::new();
        if among != Among::Own {
            seen.extend(pending(broker).await?);
        }
        if among != Among::Pending {
            seen.extend(own(broker, true, "").await?);
        }
        let mut ids: Vec<String> =
            seen.into_iter().map(|activation| activation.id).filter(|id| id.starts_with(&given)).collect();
        ids.sort();
        ids.dedup();
        match ids.as_slice() {
            [id] => Ok(id.clone()),
            [] => Err(Failure::new(
                Exit::NotFound,
                "ACTIVATION_NOT_FOUND",
                format!("no activation that you can see begins with `{given}`"),
            )
            .advice("`elevate list --all` shows yours, `elevate pending` what waits for you; others need the whole id")),
            several => Err(Failure::usage(format!("`{given}` is the beginning of {} activations", several.len()))
                .advice(format!("it may be one of: {}", several.join(", ")))),
        }
    }
}

/// Where the beginning of an id is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// The caller's own.
    Own,
    /// What waits for the caller.
    Pending,
    /// Both.
    Both,
}

/// The caller's activations.
pub(crate) async fn own(broker: &Broker, include_closed: bool, role: &str) -> Result<Vec<v1::Activation>> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let page = v1::ListActivationsRequest {
            everybody: false,
            role: role.to_owned(),
            include_closed,
            page_size: PAGE,
            page_token,
        };
        let answer = broker.activations().list_activations(broker.call(page)).await?.into_inner();
        found.extend(answer.activations);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// What waits for the caller's answer.
pub(crate) async fn pending(broker: &Broker) -> Result<Vec<v1::Activation>> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let page = v1::ListPendingApprovalsRequest { page_size: PAGE, page_token };
        let answer = broker.approvals().list_pending_approvals(broker.call(page)).await?.into_inner();
        found.extend(answer.activations);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(found)
}
