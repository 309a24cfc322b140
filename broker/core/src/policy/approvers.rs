//! Who could say yes, and whether they are enough, before anybody asks.

use std::collections::BTreeSet;

use crate::names::ObjectId;

/// Those who could count for one requirement, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// How many of them must say yes.
    pub count: usize,
    /// Who could.
    pub people: BTreeSet<ObjectId>,
    /// Whether there are others, or may be: the directory has more, or did not answer.
    pub more: bool,
}

/// The most requirements that are looked at together; a role has no more.
const MOST: usize = 10;

/// Whether all these requirements could be met, one person counting for one of them: `None` when that
/// depends on people who are not known.
///
/// By Hall's theorem: exactly when every part of the requirements has enough people between them.
pub fn could_be_met(requirements: &[Candidates]) -> Option<bool> {
    let requirements = requirements.get(..requirements.len().min(MOST)).unwrap_or_default();
    let mut unknown = false;
    for part in 1_u32..(1 << requirements.len()) {
        let chosen = requirements.iter().enumerate().filter(|(nth, _)| part & (1 << nth) != 0);
        let chosen: Vec<_> = chosen.map(|(_, requirement)| requirement).collect();
        let people: BTreeSet<_> = chosen.iter().flat_map(|requirement| &requirement.people).collect();
        if people.len() < chosen.iter().map(|requirement| requirement.count).sum() {
            if !chosen.iter().any(|requirement| requirement.more) {
                return Some(false);
            }
            unknown = true;
        }
    }
    (!unknown).then_some(true)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn of(count: usize, people: &[u128], more: bool) -> Candidates {
        let people = people.iter().map(|id| ObjectId::from_uuid(Uuid::from_u128(*id))).collect();
        Candidates { count, people, more }
    }

    #[test]
    fn one_person_counts_for_one_requirement() {
        assert_eq!(could_be_met(&[]), Some(true));
        assert_eq!(could_be_met(&[of(1, &[1], false), of(1, &[1], false)]), Some(false));
        assert_eq!(could_be_met(&[of(1, &[1], false), of(1, &[1, 2], false)]), Some(true));
        assert_eq!(could_be_met(&[of(2, &[1], false)]), Some(false));
        // Enough by twos and by all, and still two of them have one person between them.
        let three = [of(1, &[1], false), of(1, &[1], false), of(1, &[2, 3, 4], false)];
        assert_eq!(could_be_met(&three), Some(false));
    }

    #[test]
    fn people_who_are_not_known_may_be_enough() {
        assert_eq!(could_be_met(&[of(1, &[], true)]), None);
        assert_eq!(could_be_met(&[of(1, &[1], true)]), Some(true));
        // Others in one group do not help the other.
        assert_eq!(could_be_met(&[of(1, &[], true), of(1, &[], false)]), Some(false));
    }
}
