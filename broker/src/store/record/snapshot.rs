//! Activations as the index keeps them. A change here takes another number of its form.

use elevate_core::activation::{Activation, Outcome, Retry, Review, SignOut, State};
use elevate_core::names::ActivationId;
use elevate_proto::record::v1 as stored;

use super::parts::{
    approval_form, approval_in, cause_form, cause_in, digest_in, id_form, id_in, parsed, principal_form,
    principal_in, request_form, request_in, target_form, target_in, term_in, time_form, time_in,
};
use super::{Read, Unreadable};

pub(super) fn activation_form(activation: &Activation) -> Read<stored::Activation> {
    let Activation {
        id,
        request,
        digest,
        approvals,
        term,
        target,
        review,
        sign_out,
        state,
        held_from,
        ended_by,
        version,
    } = activation;
    Ok(stored::Activation {
        id: id_form(id.uuid()),
        request: Some(request_form(request)?),
        digest: digest.as_bytes().to_vec(),
        approvals: approvals.iter().map(approval_form).collect::<Read<_>>()?,
        version: *version,
        held_from: held_from.map(time_form),
        ended_by: ended_by.map(principal_form),
        term_seconds: term.seconds(),
        target: Some(target_form(target)),
        review: review_form(review),
        sign_out: sign_out_form(sign_out),
        state: Some(state_form(state)),
    })
}

pub(super) fn activation_in(form: stored::Activation) -> Read<Activation> {
    let stored::Activation {
        id,
        request,
        digest,
        approvals,
        version,
        term_seconds,
        target,
        review,
        sign_out,
        held_from,
        ended_by,
        state,
    } = form;
    Ok(Activation {
        id: ActivationId::from_uuid(id_in(&id)?),
        request: request_in(request.ok_or(Unreadable::Faulty("an activation without a request"))?)?,
        digest: digest_in(&digest)?,
        approvals: approvals.into_iter().map(approval_in).collect::<Read<_>>()?,
        term: term_in(term_seconds)?,
        target: target_in(target)?,
        review: review_in(review)?,
        sign_out: sign_out_in(sign_out)?,
        state: state_in(state.ok_or(Unreadable::Faulty("an activation without a state"))?)?,
        held_from: held_from.map(|at| time_in(Some(at))).transpose()?,
        ended_by: ended_by.map(|who| principal_in(Some(who))).transpose()?,
        version,
    })
}

fn review_form(review: &Review) -> Option<stored::activation::Review> {
    use stored::activation::Review as Form;
    match review {
        Review::NotNeeded => None,
        Review::Open => Some(Form::OpenReview(stored::OpenReview {})),
        Review::Closed { by, at, comment } => Some(Form::ClosedReview(stored::ClosedReview {
            by: Some(principal_form(*by)),
            at: Some(time_form(*at)),
            comment: comment.clone(),
        })),
    }
}

fn review_in(form: Option<stored::activation::Review>) -> Read<Review> {
    use stored::activation::Review as Form;
    match form {
        None => Ok(Review::NotNeeded),
        Some(Form::OpenReview(stored::OpenReview {})) => Ok(Review::Open),
        Some(Form::ClosedReview(stored::ClosedReview { by, at, comment })) => {
            Ok(Review::Closed { by: principal_in(by)?, at: time_in(at)?, comment })
        }
    }
}

fn sign_out_form(sign_out: &SignOut) -> Option<stored::activation::SignOut> {
    use stored::activation::SignOut as Form;
    match sign_out {
        SignOut::NotNeeded => None,
        SignOut::Due(retry) => Some(Form::SignOutDue(retry_form(retry))),
        SignOut::Done { at } => Some(Form::SignedOutAt(time_form(*at))),
        SignOut::Failed { reason } => {
            Some(Form::SignOutFailed(stored::SignOutFailed { reason: reason.clone() }))
        }
    }
}

fn sign_out_in(form: Option<stored::activation::SignOut>) -> Read<SignOut> {
    use stored::activation::SignOut as Form;
    match form {
        None => Ok(SignOut::NotNeeded),
        Some(Form::SignOutDue(retry)) => Ok(SignOut::Due(retry_in(Some(retry))?)),
        Some(Form::SignedOutAt(at)) => Ok(SignOut::Done { at: time_in(Some(at))? }),
        Some(Form::SignOutFailed(stored::SignOutFailed { reason })) => Ok(SignOut::Failed { reason }),
    }
}

fn state_form(state: &State) -> stored::activation::State {
    use stored::activation::State as Form;
    match state {
        State::Requested => Form::Requested(stored::InRequested {}),
        State::AwaitingApproval { lapses_at } => {
            Form::AwaitingApproval(stored::InAwaitingApproval { lapses_at: Some(time_form(*lapses_at)) })
        }
        State::Scheduled { starts_at, lapses_at, retry } => Form::Scheduled(stored::InScheduled {
            starts_at: Some(time_form(*starts_at)),
            lapses_at: Some(time_form(*lapses_at)),
            retry: Some(retry_form(retry)),
        }),
        State::Activating { not_after, retry } => Form::Activating(stored::InActivating {
            not_after: Some(time_form(*not_after)),
            retry: Some(retry_form(retry)),
        }),
        State::Active { not_after, held } => Form::Active(stored::InActive {
            not_after: Some(time_form(*not_after)),
            held: held.as_str().to_owned(),
        }),
        State::Revoking { held, not_after, cause, retry } => Form::Revoking(stored::InRevoking {
            held: held.as_ref().map(|held| held.as_str().to_owned()),
            not_after: Some(time_form(*not_after)),
            cause: Some(cause_form(cause)),
            retry: Some(retry_form(retry)),
        }),
        State::Closed { outcome, at } => {
            Form::Closed(stored::InClosed { at: Some(time_form(*at)), outcome: Some(outcome_form(outcome)) })
        }
    }
}

fn state_in(form: stored::activation::State) -> Read<State> {
    use stored::activation::State as Form;
    Ok(match form {
        Form::Requested(stored::InRequested {}) => State::Requested,
        Form::AwaitingApproval(stored::InAwaitingApproval { lapses_at }) => {
            State::AwaitingApproval { lapses_at: time_in(lapses_at)? }
        }
        Form::Scheduled(stored::InScheduled { starts_at, lapses_at, retry }) => State::Scheduled {
            starts_at: time_in(starts_at)?,
            lapses_at: time_in(lapses_at)?,
            retry: retry_in(retry)?,
        },
        Form::Activating(stored::InActivating { not_after, retry }) => {
            State::Activating { not_after: time_in(not_after)?, retry: retry_in(retry)? }
        }
        Form::Active(stored::InActive { not_after, held }) => {
            State::Active { not_after: time_in(not_after)?, held: parsed(&held)? }
        }
        Form::Revoking(stored::InRevoking { held, not_after, cause, retry }) => State::Revoking {
            held: held.map(|held| parsed(&held)).transpose()?,
            not_after: time_in(not_after)?,
            cause: cause_in(cause.ok_or(Unreadable::Faulty("a revocation without a cause"))?)?,
            retry: retry_in(retry)?,
        },
        Form::Closed(stored::InClosed { at, outcome }) => State::Closed {
            outcome: outcome_in(outcome.ok_or(Unreadable::Faulty("an end without an outcome"))?)?,
            at: time_in(at)?,
        },
    })
}

fn retry_form(retry: &Retry) -> stored::Retry {
    let Retry { tries, at, hindrance } = retry;
    stored::Retry { tries: *tries, at: Some(time_form(*at)), hindrance: hindrance.clone() }
}

fn retry_in(form: Option<stored::Retry>) -> Read<Retry> {
    let stored::Retry { tries, at, hindrance } =
        form.ok_or(Unreadable::Faulty("a step without its tries"))?;
    Ok(Retry { tries, at: time_in(at)?, hindrance })
}

fn outcome_form(outcome: &Outcome) -> stored::in_closed::Outcome {
    use stored::in_closed::Outcome as Form;
    match outcome {
        Outcome::Denied { reason } => Form::Denied(stored::Denied { reason: reason.clone() }),
        Outcome::Lapsed => Form::Lapsed(stored::Lapsed {}),
        Outcome::Withdrawn => Form::Withdrawn(stored::Withdrawn {}),
        Outcome::Failed { reason } => Form::Failed(stored::Refused { reason: reason.clone() }),
        Outcome::Ended(cause) => Form::Ended(cause_form(cause)),
        Outcome::RemovedElsewhere => Form::RemovedElsewhere(stored::RemovedElsewhere {}),
        Outcome::TakenOver { by } => Form::TakenOver(stored::TakenOver { by: id_form(by.uuid()) }),
    }
}

fn outcome_in(form: stored::in_closed::Outcome) -> Read<Outcome> {
    use stored::in_closed::Outcome as Form;
    Ok(match form {
        Form::Denied(stored::Denied { reason }) => Outcome::Denied { reason },
        Form::Lapsed(stored::Lapsed {}) => Outcome::Lapsed,
        Form::Withdrawn(stored::Withdrawn {}) => Outcome::Withdrawn,
        Form::Failed(stored::Refused { reason }) => Outcome::Failed { reason },
        Form::Ended(cause) => Outcome::Ended(cause_in(cause)?),
        Form::RemovedElsewhere(stored::RemovedElsewhere {}) => Outcome::RemovedElsewhere,
        Form::TakenOver(stored::TakenOver { by }) => {
            Outcome::TakenOver { by: ActivationId::from_uuid(id_in(&by)?) }
        }
    })
}
