//! Asking a ticket's own system about it.

use elevate_core::activation::TicketVerdict;
use elevate_core::binding::Asked;
use elevate_core::policy::{EligibleRole, TicketCheck, Unanswered};

use super::{Refusal, Workflow};
use crate::ports::tickets::{Question, Said};

impl Workflow {
    /// What the ticket's own system says of it, where the role asks for that and a ticket is named.
    ///
    /// Asked when a request is prepared, so that a no is told before anybody signs in, and again when it is made: that
    /// answer counts, and goes on record. Waits for somebody else's answer: hold no lock.
    ///
    /// # Errors
    /// It says no; or it says nothing, and the role does not let that pass; or it could not be asked.
    pub(super) async fn vouched(
        &self,
        asked: &Asked,
        offer: &EligibleRole,
    ) -> Result<Option<TicketVerdict>, Refusal> {
        let (Some(TicketCheck { name, unanswered }), Some(ticket)) = (&offer.ticket.check, &asked.ticket)
        else {
            return Ok(None);
        };
        let number = || ticket.number().to_owned();
        if !self.ports.tickets.knows(name) {
            // Silence may be let pass; that nobody would ever be asked may not.
            return Err(Refusal::TicketCheckMissing { number: number(), check: name.clone() });
        }
        let starts_at = asked.starts_at.unwrap_or_else(|| self.now().earliest());
        let place = asked.target.resource().place();
        let question = Question {
            check: name,
            ticket,
            role: &asked.role,
            place: &place,
            requester: asked.principal,
            starts_at,
            ends_at: asked.term.end_from(starts_at),
        };
        let said = self.ports.tickets.ask(&question).await;
        self.tally.ticket(&said);
        match (said, unanswered) {
            (Said::Confirmed, _) => Ok(Some(TicketVerdict::Confirmed)),
            (Said::Refused(why), _) => Err(Refusal::TicketRefused { number: number(), why }),
            (Said::Unanswered(_), Unanswered::Allow) => Ok(Some(TicketVerdict::Unanswered)),
            (Said::Unanswered(why), Unanswered::Refuse) | (Said::NotAsked(why), _) => {
                Err(Refusal::TicketUnanswered { number: number(), why })
            }
        }
    }
}
