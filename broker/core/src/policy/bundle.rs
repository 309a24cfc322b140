//! Several roles under one sign-in.

use std::collections::BTreeSet;

use super::{Bound, ProofRule};
use crate::binding::Asked;
use crate::names::RoleName;

/// The most roles that one sign-in asks for: as many as a person can read before they say yes to them.
pub const BUNDLE_MAX: usize = 10;

/// Why roles cannot be asked for together. Each could be asked for alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleRefusal {
    /// One, or more than are read.
    #[error("{asked} roles are asked for together, and it may be 2 to {BUNDLE_MAX}; ask for them separately")]
    Size {
        /// How many.
        asked: usize,
    },
    /// The same, twice.
    #[error("`{role}` would be held twice at the same place; name it once")]
    Twice {
        /// Which role.
        role: RoleName,
    },
    /// A sign-in satisfies what it was asked for, and it is asked for one authentication context.
    #[error("one role needs the authentication context {one} and another {other}; ask for them separately")]
    ContextsDiffer {
        /// The one.
        one: String,
        /// And another.
        other: String,
    },
}

/// Whether these may be asked for together.
///
/// # Errors
/// There are too few or too many, or two would take one slot.
pub fn may_be_together<'a>(members: impl IntoIterator<Item = &'a Asked>) -> Result<(), BundleRefusal> {
    let (mut asked, mut slots) = (0, BTreeSet::new());
    for member in members {
        asked += 1;
        if !slots.insert(member.target.slot(member.principal)) {
            return Err(BundleRefusal::Twice { role: member.role.clone() });
        }
    }
    if (2..=BUNDLE_MAX).contains(&asked) { Ok(()) } else { Err(BundleRefusal::Size { asked }) }
}

impl ProofRule {
    /// What one sign-in must show to satisfy each of these: the strongest, the freshest, bound by nonce if any of
    /// them is, and the one context that is wanted.
    ///
    /// # Errors
    /// Two contexts are wanted, or there is nothing to satisfy.
    pub fn strictest<'a>(rules: impl IntoIterator<Item = &'a Self>) -> Result<Self, BundleRefusal> {
        let mut rules = rules.into_iter();
        let first = rules.next().ok_or(BundleRefusal::Size { asked: 0 })?.clone();
        rules.try_fold(first, |one, other| {
            let context = match (one.context, &other.context) {
                (Some(one), Some(other)) if one != *other => {
                    let (one, other) = (one.as_str().to_owned(), other.as_str().to_owned());
                    return Err(BundleRefusal::ContextsDiffer { one, other });
                }
                (one, other) => one.or_else(|| other.clone()),
            };
            let is_bound = one.bound == Bound::Nonce || other.bound == Bound::Nonce;
            Ok(Self {
                strength: one.strength.max(other.strength),
                context,
                freshness: one.freshness.min(other.freshness),
                bound: if is_bound { Bound::Nonce } else { Bound::Loose },
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::super::{AuthContext, Strength};
    use super::*;
    use crate::activation::tests::{person, request};

    fn rule(strength: Strength, context: Option<&str>, seconds: i64, bound: Bound) -> ProofRule {
        let context = context.map(|text| AuthContext::new(text).unwrap());
        ProofRule { strength, context, freshness: SignedDuration::from_secs(seconds), bound }
    }

    fn any_rule() -> impl Strategy<Value = ProofRule> {
        let strength = prop_oneof![Just(Strength::Mfa), Just(Strength::PhishingResistant)];
        let context = prop_oneof![Just(None), Just(Some("c1")), Just(Some("c2"))];
        let bound = prop_oneof![Just(Bound::Nonce), Just(Bound::Loose)];
        (strength, context, 10_i64..3600, bound).prop_map(|(s, c, f, b)| rule(s, c, f, b))
    }

    /// Whether a sign-in by `shown` is good enough for `wanted`.
    fn satisfies(shown: &ProofRule, wanted: &ProofRule) -> bool {
        shown.strength >= wanted.strength
            && shown.freshness <= wanted.freshness
            && (wanted.context.is_none() || shown.context == wanted.context)
            && (wanted.bound == Bound::Loose || shown.bound == Bound::Nonce)
    }

    proptest! {
        #[test]
        fn one_sign_in_satisfies_every_role_it_is_for_and_asks_for_no_more(
            rules in prop::collection::vec(any_rule(), 1..6)
        ) {
            let contexts: BTreeSet<_> = rules.iter().filter_map(|rule| rule.context.clone()).collect();
            match ProofRule::strictest(&rules) {
                Ok(one) => {
                    prop_assert!(contexts.len() <= 1);
                    prop_assert!(rules.iter().all(|rule| satisfies(&one, rule)), "{one:?}");
                    prop_assert!(rules.iter().any(|rule| rule.strength == one.strength));
                    prop_assert!(rules.iter().any(|rule| rule.freshness == one.freshness));
                    prop_assert!(rules.iter().any(|rule| rule.bound == one.bound));
                    prop_assert_eq!(one.context, contexts.into_iter().next());
                }
                Err(refused) => {
                    let differ = matches!(refused, BundleRefusal::ContextsDiffer { .. });
                    prop_assert!(differ && contexts.len() > 1);
                }
            }
        }
    }

    #[test]
    fn two_contexts_are_asked_for_separately() {
        let of = |context| rule(Strength::Mfa, Some(context), 300, Bound::Nonce);
        assert_eq!(
            ProofRule::strictest(&[of("c1"), of("c1"), of("c2")]).unwrap_err().to_string(),
            "one role needs the authentication context c1 and another c2; ask for them separately"
        );
        assert!(ProofRule::strictest(&[]).is_err());
    }

    #[test]
    fn two_to_ten_places_are_asked_for_together_and_none_twice() {
        let at = |n: u128| {
            let asked = request(0).asked;
            Asked { principal: person(n + 1), ..asked }
        };
        for (count, fits) in [(0, false), (1, false), (2, true), (10, true), (11, false)] {
            let members: Vec<_> = (0..count).map(at).collect();
            assert_eq!(may_be_together(&members).is_ok(), fits, "{count}");
        }
        let refused = may_be_together(&[at(1), at(2), at(1)]).unwrap_err();
        assert!(matches!(refused, BundleRefusal::Twice { .. }), "{refused}");
    }
}
