//! Everything that a running tenant is, apart from its socket: what every answer is made from.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    Behaviour, Calls, Clock, Directory, Faults, Strength, Tickets,
    files::Files,
    keys::Keys,
    oidc::{Federation, SignIns},
    people,
};

#[derive(Debug)]
pub(crate) struct World {
    /// `https://localhost:PORT`.
    pub(crate) base_url: String,
    /// `http://127.0.0.1:PORT`, where the host says who it is.
    pub(crate) host_url: String,
    pub(crate) clock: Clock,
    pub(crate) files: Files,
    pub(crate) keys: Keys,
    pub(crate) directory: Directory,
    pub(crate) sign_ins: SignIns,
    pub(crate) federation: Federation,
    pub(crate) tickets: Tickets,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) behaviour: Arc<Mutex<Behaviour>>,
}

impl World {
    pub(crate) fn issuer(&self) -> String {
        format!("{}/{}/v2.0", self.base_url, people::TENANT)
    }

    pub(crate) fn token_endpoint(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.base_url, people::TENANT)
    }

    pub(crate) fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_behaviour(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// Whether a sign-in of this strength gets this authentication context into its token. The trap is the
    /// last line: where no policy guards the context, Entra issues it to anybody who asks.
    pub(crate) fn grants(&self, context: &str, strength: Strength) -> bool {
        let behaviour = self.behaviour();
        match behaviour.contexts.get(context) {
            Some(demanded) => strength.satisfies(*demanded),
            None => behaviour.unguarded_acrs,
        }
    }
}
