//! Who may ask PIM for what. The sandbox only shows it: asking is not imitated.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Life, Privilege, Problem, State};

/// Somebody may activate something: a `roleEligibilitySchedule`, or an `eligibilitySchedule` of PIM for Groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligibility {
    /// Its id.
    pub id: String,
    /// The object id of who may.
    pub principal: String,
    /// What they may activate.
    pub what: Privilege,
    /// From when.
    pub start: Timestamp,
    /// Until when; none for good.
    pub end: Option<Timestamp>,
    /// From when until when there is this entry.
    pub life: Life,
}

impl State {
    pub(crate) fn make_eligible(
        &mut self,
        principal: &str,
        what: Privilege,
        end: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<String, Problem> {
        self.check_subject(principal, &what, now)?;
        let same = |e: &Eligibility| e.life.lasts() && e.principal == principal && e.what == what;
        if self.eligibilities.iter().any(same) {
            return Err(Problem::new(400, "RoleAssignmentExists", "The Role assignment already exists."));
        }
        let id = what.schedule_id(&Uuid::new_v4().to_string());
        let (principal, life) = (principal.to_owned(), Life::from(now));
        self.eligibilities.push(Eligibility { id: id.clone(), principal, what, start: now, end, life });
        Ok(id)
    }

    pub(crate) fn end_eligibility(&mut self, id: &str, now: Timestamp) -> bool {
        let found = self.eligibilities.iter_mut().find(|e| e.life.lasts() && e.id == id);
        found.map(|eligibility| eligibility.life.gone = Some(now)).is_some()
    }
}
